"""DTLS with OpenSSL over networks that lose, reorder, repeat and cut off, and with strangers."""

import concurrent.futures
import os
import subprocess
import time

import dtls_client
import stun
from harness import PEER, case, equal, eventually
from lossy_proxy import DOWN, UP, LossyProxy
from streams import Streams, talks
from test_tls import CIPHERS

CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, DATA = 20, 21, 22, 23
HELLO_VERIFY_REQUEST = 3


def through(t, streams, **options):
    """(a proxy in front of the DTLS listener, a client that comes through it)"""
    proxy = LossyProxy(t, streams.secure, **options)
    return proxy, streams.client("dtls", server=proxy.address)


@case()
def serves_its_ciphers(t):
    for kind in ("ecdsa", "rsa"):
        streams = Streams(t, kind=kind)
        for cipher in CIPHERS:
            context = dtls_client.dtls_context(streams.authority.file, f"ECDHE-{kind.upper()}-{cipher}")
            client = streams.client("dtls", context=context)
            equal(client.tls.get_cipher_name(), f"ECDHE-{kind.upper()}-{cipher}", "cipher")
            talks(client, streams.begin_call(client)[0])
        equal(streams.sum("handshakes_total", version="DTLSv1.2"), 3, "handshakes")


@case()
def serves_gnutls(t):
    streams = Streams(t)
    for priority in ("NORMAL:-VERS-ALL:+VERS-DTLS1.2", "NORMAL:-VERS-ALL:+VERS-DTLS1.2:-CIPHER-ALL:+CHACHA20-POLY1305"):
        client = streams.gnutls(priority, datagrams=True)
        talks(client, streams.begin_call(client)[0])


@case()
def refuses_old_versions_and_weak_ciphers(t):
    streams = Streams(t)
    address = f"127.0.0.1:{streams.secure[1]}"
    for arguments, reason in (
        (["-dtls1", "-cipher", "ALL:@SECLEVEL=0"], "version"),
        (["-dtls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256"], "cipher"),
    ):
        program = subprocess.run(
            ["openssl", "s_client", "-connect", address, *arguments], stdin=subprocess.DEVNULL, capture_output=True, timeout=5
        )
        assert program.returncode != 0, f"{arguments} succeeded"
        streams.wait_for("handshakes_failed_total", 1, reason=reason)
    streams.wait_for("connections", 0, listener="dtls")


@case(timeout=40)
def handshakes_survive_loss_and_reordering(t):
    streams = Streams(t, kind="rsa", chain=True)

    def harmed_handshake(seed):
        return through(t, streams, seed=seed, loss=0.25, duplicate=0.15, reorder=0.3)

    with concurrent.futures.ThreadPoolExecutor() as pool:
        pairs = list(pool.map(harmed_handshake, range(4)))
    for proxy, client in pairs:
        proxy.calm()
        talks(client, streams.begin_call(client)[0])
    assert sum(proxy.lost for proxy, _ in pairs) >= 3, "hardly anything was lost, so nothing was shown"
    equal(streams.sum("handshakes_total", version="DTLSv1.2"), 4, "handshakes")
    equal(streams.sum("connections_ended_total", reason="handshake"), 0, "failed ones")


@case()
def a_lost_last_flight_is_sent_again(t):
    """The client repeats its Finished until it has ours."""
    streams = Streams(t)
    proxy = LossyProxy(t, streams.secure)
    lost = []

    def lose_first_change(direction, raw, send, take=proxy._take):
        if direction == DOWN and bytes([CHANGE_CIPHER_SPEC, 254, 253]) in raw:
            lost.append(raw)
            if len(lost) == 1:
                return
        take(direction, raw, send)

    proxy._take = lose_first_change
    client = streams.client("dtls", server=proxy.address)
    assert len(lost) >= 2, "the last flight was not lost"
    talks(client, streams.begin_call(client)[0])


@case()
def handshakes_fit_a_path_of_1280_bytes(t):
    streams = Streams(t, kind="rsa", chain=True)
    proxy, client = through(t, streams, mtu=1280)
    talks(client, streams.begin_call(client)[0])
    equal(proxy.lost, 0, "datagrams that were too large")
    # Otherwise the certificates were too short to show anything.
    assert proxy.largest[DOWN] > 1000, f"the largest datagram from the server has {proxy.largest[DOWN]} bytes"


@case()
def data_survives_reordering_and_comes_once(t):
    streams = Streams(t)
    proxy, client = through(t, streams, seed=4)
    peer, _ = streams.begin_call(client, channel=0x4000)
    proxy.reorder, proxy.duplicate = 0.3, 0.3
    for number in range(300):
        client.send_channel(0x4000, b"%d" % number)
        peer.sendto(b"%d" % number, client.relayed)
        time.sleep(0.001)
    time.sleep(0.05)
    expected = sorted(b"%d" % number for number in range(300))
    got = []
    while (packet := client.receive(0.1)) is not None:
        got.append(packet.data)
    equal(sorted(got), expected, "packets at the client")
    peer.settimeout(0.1)
    equal(sorted(peer.recv(100) for _ in range(300)), expected, "packets at the peer")
    equal(nothing_comes(peer), True, "no packet twice at the peer")
    assert proxy.repeated > 50 and proxy.delayed > 50, "hardly anything was harmed"
    assert streams.sum("records_refused_total", reason="replayed") > 20, "replayed records are not counted"


def nothing_comes(sock, timeout=0.1):
    sock.settimeout(timeout)
    try:
        sock.recv(2048)
        return False
    except TimeoutError:
        return True


@case()
def strangers_cannot_disturb_an_association(t):
    streams = Streams(t)
    proxy, client = through(t, streams)
    peer, _ = streams.begin_call(client, channel=0x4000)
    at = len(proxy.datagrams(UP))
    talks(client, peer, 0x4000)
    sent = proxy.datagrams(UP)[at]
    equal(sent[0], DATA, "content type of what was recorded")

    def refused(reason, *datagrams):
        before = streams.sum("records_refused_total", reason=reason)
        for raw in datagrams:
            proxy.inject(raw)
        streams.wait_for("records_refused_total", before + len(datagrams), reason=reason)
        equal(nothing_comes(peer), True, f"nothing at the peer ({reason})")
        talks(client, peer, 0x4000)

    refused("replayed", sent, sent, sent)
    refused("bad_mac", sent[:10] + b"\x77" + sent[11:], sent[:10] + b"\x78" + sent[11:-1] + bytes([sent[-1] ^ 1]))
    refused("other_epoch", sent[:3] + b"\x00\x02" + sent[5:])
    for _ in range(80):
        client.send_channel(0x4000, b"on")
        equal(peer.recv(100), b"on", "data")
    refused("too_old", sent)
    hello = proxy.datagrams(UP)[0]
    plain = stun.encode(stun.BINDING, stun.REQUEST, [])
    for garbage in (b"", b"\x00", os.urandom(50), b"\x17" * 60, b"\xfe\xfd" * 20, plain, hello[:40], hello):
        proxy.inject(garbage)
    for kind, rest in (
        (HANDSHAKE, hello[3:13] + os.urandom(60)),
        (CHANGE_CIPHER_SPEC, bytes(9) + b"\x01\x01"),
        (ALERT, bytes(9) + b"\x02\x02\x28"),
    ):
        proxy.inject(bytes([kind, 254, 253]) + rest)
    time.sleep(0.05)
    while client.receive(0.0001) is not None:
        pass
    talks(client, peer, 0x4000)
    equal(streams.sum("connections", listener="dtls"), 1, "connections")


@case()
def hellos_without_a_cookie_leave_nothing(t):
    streams = Streams(t)
    proxy, client = through(t, streams)
    peer, _ = streams.begin_call(client)
    hello, cookie_hello = proxy.datagrams(UP)[:2]
    verify = proxy.datagrams(DOWN)[0]
    assert len(verify) <= len(hello), f"{len(verify)} bytes are the answer to {len(hello)}"
    strangers = [t.peer(("127.0.0.9", 0)) for _ in range(50)]

    def flood(count):
        before = streams.sum("dtls_cookies_total")
        for number in range(count):
            # The cookie of another address is none.
            strangers[number % 50].sendto(hello if number % 2 else cookie_hello, streams.secure)
            if number % 50 == 49:
                time.sleep(0.001)
        eventually(lambda: streams.sum("dtls_cookies_total") - before == count, "all are answered")

    # Buffers are touched for the first time now and then, and a sanitizer holds back what is freed; what is kept grows with every round.
    grown = []
    for _ in range(8):
        resident = streams.relay.resident_kib()
        flood(1000)
        grown.append(streams.relay.resident_kib() - resident)
    assert min(grown) < 400, f"each round takes memory: {grown} KiB"
    for what in ("connections", "connections_total"):
        equal(streams.sum(what, listener="dtls"), 1, what)
    equal(streams.sum("handshakes_active"), 0, "handshakes under way")
    unknown = streams.sum("dtls_unknown_total")
    for garbage in (b"\x17\xfe\xfd" + bytes(40), b"\x16\xfe\xfd" + bytes(40), stun.encode(stun.BINDING, stun.REQUEST, [])):
        strangers[0].sendto(garbage, streams.secure)
    streams.wait_for("dtls_unknown_total", unknown + 3)
    talks(client, peer)


@case()
def a_new_handshake_replaces_the_old_association_once_it_is_complete(t):
    streams = Streams(t)
    proxy, client = through(t, streams)
    peer, _ = streams.begin_call(client, channel=0x4000)
    hello = proxy.datagrams(UP)[0]
    # Anybody can send this from the client's address (RFC 6347 Section 4.2.8).
    proxy.inject(hello)
    talks(client, peer, 0x4000)
    equal(streams.sum("allocations"), 1, "allocations")
    # The client itself starts anew, but does not come to the end: what it had goes on.
    old = client.tls
    held = []
    take = proxy._take

    def hold_finished(direction, raw, send):
        if direction == UP and raw[0] != DATA and (raw[0] == CHANGE_CIPHER_SPEC or raw[13] == 16):
            held.append(raw)
        else:
            take(direction, raw, send)

    proxy._take = hold_finished
    try:
        client.handshake(timeout=0.3)
        raise AssertionError("complete without its last flight")
    except AssertionError as error:
        assert "no handshake" in str(error), error
    assert held, "the client never came to its last flight"
    new, client.tls = client.tls, old
    talks(client, peer, 0x4000)
    equal(streams.sum("connections", listener="dtls"), 2, "the old association and the one that may replace it")
    # Now it is complete.
    proxy._take = take
    client.tls = new
    for raw in held:
        proxy.inject(raw)
    client.go_on()
    client.realm = client.nonce = None
    streams.wait_for("allocations", 0)
    streams.wait_for("connections", 1, listener="dtls")
    client.allocate()
    client.permit(PEER)
    talks(client, peer)


@case()
def an_association_ends_in_time(t):
    streams = Streams(t, fast=True)
    idle = streams.client("dtls")
    equal(idle.exchange(stun.encode(stun.BINDING, stun.REQUEST, [])).kind, stun.SUCCESS, "Binding")
    holder, peer, _ = streams.call("dtls")
    streams.wait_for("connections_ended_total", 1, reason="idle", timeout=4)
    time.sleep(0.3)
    talks(holder, peer)
    # A handshake that stops in the middle.
    proxy = LossyProxy(t, streams.secure)
    take = proxy._take
    proxy._take = lambda direction, raw, send: None if direction == UP and raw[13] == 16 else take(direction, raw, send)
    half = streams.client("dtls", server=proxy.address, handshake=False)
    try:
        half.handshake(timeout=0.3)
    except AssertionError:
        pass
    equal(streams.sum("handshakes_active"), 1, "handshakes under way")
    streams.wait_for("handshakes_active", 0)
    streams.wait_for("connections", 1, listener="dtls")


@case()
def a_client_that_starts_again_need_not_wait_for_its_first_start(t):
    """Nor may a first start from nothing, nor one beside a live association, be in the way of the next."""
    streams = Streams(t)
    proxy, client = through(t, streams)
    talking, _ = streams.begin_call(client, channel=0x4000)
    take = proxy._take

    def only_the_cookie_comes_back(direction, raw, send):
        if direction == UP or (raw[0] == HANDSHAKE and raw[13] == HELLO_VERIFY_REQUEST):
            take(direction, raw, send)

    for _ in range(3):
        proxy._take = only_the_cookie_comes_back
        try:
            client.handshake(timeout=0.3)
            raise AssertionError("complete although nothing came back")
        except AssertionError as error:
            assert "no handshake" in str(error), error
        proxy._take = take
        client.handshake(timeout=3)
    streams.wait_for("connections", 1, listener="dtls")
    client.realm = client.nonce = None
    client.allocate()
    client.permit(PEER)
    talks(client, talking)


@case(shards=(1,), spread=True)
def data_may_share_a_datagram_with_the_last_flight(t):
    """Which is the client's where it resumes."""
    streams = Streams(t)
    first = streams.client("dtls")
    proxy = LossyProxy(t, streams.secure)
    take, held = proxy._take, []

    def join(direction, raw, send):
        if direction == UP and raw[0] == CHANGE_CIPHER_SPEC:
            held.append(raw)
        elif direction == UP and held and raw[0] == DATA:
            proxy.inject(held.pop() + raw)
        else:
            take(direction, raw, send)

    proxy._take = join
    client = streams.client("dtls", server=proxy.address, context=first.context, session=first.tls.get_session())
    eventually(lambda: held, "the client's last flight is held back")
    client.transmit(stun.encode(stun.BINDING, stun.REQUEST, []))
    assert client.take(0.7) is not None, "no answer"
    equal(streams.sum("handshakes_resumed_total"), 1, "resumed")


@case(shards=(1,), spread=True)
def the_silent_do_not_keep_the_memory_of_their_handshakes(t):
    """Nobody has shown yet that he has the relay's last flight."""
    limits = {"streams": {"handshakes": 8, "idle_timeout": 3600}}
    streams = Streams(t, fast=True, admin={"limits": limits})  # which is never built with a sanitizer
    context = dtls_client.dtls_context()
    for _ in range(8):
        streams.client("dtls", context=context)
    before = streams.relay.resident_kib()
    for _ in range(100):
        streams.client("dtls", context=context)
    grown = streams.relay.resident_kib() - before
    equal(streams.sum("connections", listener="dtls"), 108, "associations")
    assert grown < 2000, f"{grown} KiB more for 100 associations"
