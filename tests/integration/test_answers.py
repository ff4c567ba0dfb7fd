"""What the relay answers: sizes, error codes, authentication."""

import os
import struct
import time

import stun
from client import NoAnswer, Refused
from harness import case, equal
from relay import drops

REALM_OF_STUNNERD = "stunner.l7mp.io"

ephemeral = {"auth": {"type": "ephemeral", "realm": "test", "credentials": {"username": None, "password": None, "secret": "shh"}}}


def ephemeral_user(name, expires_in=3600):
    username = f"{int(time.time()) + expires_in}:{name}"
    return {"username": username, "password": stun.ephemeral_password("shh", username)}


def bare(method):
    return stun.encode(method, stun.REQUEST, [])


@case()
def binding_tells_the_source_address_and_little_else(t):
    relay = t.relay()
    for server in (relay.address, relay.address6):
        client = t.client(relay, server=server)
        answer = client.exchange(bare(stun.BINDING))
        equal(answer.kind, stun.SUCCESS, "kind")
        equal(answer.address(stun.XOR_MAPPED_ADDRESS), client.address, "mapped address")
        assert server == relay.address6 or len(answer.raw) <= 32, f"{len(answer.raw)} bytes for a question of 20"
        equal(answer.get(stun.SOFTWARE), None, "SOFTWARE")
    checked = client.exchange(stun.encode(stun.BINDING, stun.REQUEST, [], fingerprint=True))
    assert checked.get(stun.FINGERPRINT) is not None, "a question with FINGERPRINT gets an answer with it"


@case(spread=True)
def clients_of_rfc_3489_get_their_address(t):
    relay = t.relay()
    for server in (relay.address, relay.address6):
        client = t.client(relay, server=server)
        request = bytes.fromhex("00010000") + os.urandom(16)
        client.transmit(request)
        answer, _, _ = client.take(1.0)
        equal((answer[:2], answer[4:20]), (b"\x01\x01", request[4:]), "(kind, transaction)")
        kind, size = struct.unpack_from("!HH", answer, 20)
        equal((kind, size), (stun.MAPPED_ADDRESS, len(answer) - 24), "(attribute, size)")
        equal(stun.read_address(answer[24:]), client.address, "mapped address")
    client.transmit(bytes.fromhex("0001000c") + os.urandom(16) + bytes.fromhex("0002000800010007") + bytes([127, 0, 0, 1]))
    answer, _, _ = client.take(1.0)
    equal((answer[:2], answer[26:28], answer[28:]), (b"\x01\x11", b"\x04\x14", bytes.fromhex("000a000400020002")), "420")
    equal(relay.metrics().sum("uturn_requests_total", method="binding_classic"), 3, "counted")


@case(spread=True)
def keep_alives_are_neither_answered_nor_dropped(t):
    relay = t.relay()
    client = t.client(relay)
    client.transmit(stun.encode(stun.BINDING, stun.INDICATION, [], fingerprint=True))
    equal(client.exchange(bare(stun.BINDING)).kind, stun.SUCCESS, "the next answer")
    metrics = relay.metrics()
    equal(metrics.sum("uturn_packets_total", verdict="keep_alive"), 1, "counted")
    equal(drops(metrics), {}, "drops")


@case()
def unauthenticated_allocate_gets_a_small_401(t):
    relay = t.relay(auth={"realm": REALM_OF_STUNNERD})
    answer = t.client(relay).exchange(bare(stun.ALLOCATE))
    equal(answer.error, 401, "error")
    equal(answer.get(stun.REALM), REALM_OF_STUNNERD.encode(), "realm")
    equal((answer.reason, answer.get(stun.SOFTWARE)), (b"", None), "(reason, SOFTWARE)")
    assert len(answer.raw) <= 72, f"{len(answer.raw)} bytes for a question of 20"
    equal(relay.metrics().sum("uturn_auth_failures_total", cause="missing"), 1, "counted")


@case()
def wrong_credentials_get_401_and_leave_nothing(t):
    relay = t.relay()
    for wrong in ({"password": "no"}, {"username": "nobody"}):
        client = t.client(relay, **wrong)
        client.refused(401, client.allocate)
    metrics = relay.metrics()
    equal(metrics.sum("uturn_allocations"), 0, "allocations")
    equal(metrics.sum("uturn_auth_failures_total", cause="integrity"), 1, "wrong passwords")
    equal(metrics.sum("uturn_auth_failures_total", cause="username"), 1, "wrong names")


@case()
def ephemeral_credentials_are_accepted_until_they_expire(t):
    relay = t.relay(**ephemeral)
    t.client(relay, **ephemeral_user("alice")).allocate()
    stamp = str(int(time.time()) + 60)
    for username in (stamp, f"bob:{stamp}"):
        t.client(relay, username=username, password=stun.ephemeral_password("shh", username)).allocate()
    late = t.client(relay, **ephemeral_user("alice", -60))
    late.refused(401, late.allocate)
    never = t.client(relay, username="alice", password=stun.ephemeral_password("shh", "alice"))
    never.refused(401, never.allocate)


@case()
def another_user_on_the_same_5_tuple_gets_441(t):
    relay = t.relay(**ephemeral)
    client = t.client(relay, **ephemeral_user("alice"))
    client.allocate()
    alice = client.username, client.password
    bob = ephemeral_user("bob")
    client.username, client.password = bob["username"], bob["password"]
    client.refused(441, client.refresh)
    client.refused(441, client.permit, "127.0.0.1")
    client.username, client.password = alice
    client.refresh()


@case()
def auth_type_none_is_binding_only(t):
    relay = t.relay(auth={"type": "none", "credentials": None})
    client = t.client(relay)
    equal(client.exchange(bare(stun.BINDING)).kind, stun.SUCCESS, "Binding")
    try:
        client.allocate()
    except (Refused, NoAnswer):
        return
    raise AssertionError("an allocation was made")


@case()
def foreign_and_replayed_nonces_get_438(t):
    relay = t.relay()
    owner, thief = t.client(relay), t.client(relay)
    owner.allocate()
    thief.realm, thief.nonce = owner.realm, owner.nonce
    raw = stun.encode(
        stun.ALLOCATE, stun.REQUEST, [(stun.REQUESTED_TRANSPORT, stun.UDP_TRANSPORT), *thief.credentials()], key=thief.key
    )
    answer = thief.exchange(raw)
    equal(answer.error, 438, "a nonce from another 5-tuple")
    assert answer.get(stun.NONCE) not in (None, owner.nonce), "438 brings a new nonce"
    thief.nonce = b"A" * 20
    thief.allocate()
    equal(relay.metrics().sum("uturn_auth_failures_total", cause="stale_nonce"), 2, "counted")


@case()
def relays_with_one_nonce_key_accept_each_others_nonces(t):
    key = {"admin": {"nonce_key": "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"}}
    first, second, stranger = t.relay(**key), t.relay(**key), t.relay()
    client = t.client(first)
    client.allocate()
    request = stun.encode(
        stun.ALLOCATE, stun.REQUEST, [(stun.REQUESTED_TRANSPORT, stun.UDP_TRANSPORT), *client.credentials()], key=client.key
    )
    client.server = second.address
    equal(client.exchange(request).error, None, "error of a relay with the same key")
    client.server = stranger.address
    equal(client.exchange(request).error, 438, "error of a relay with another key")


@case()
def bad_requests_get_their_error_code(t):
    relay = t.relay()
    fresh, held = t.client(relay), t.client(relay)
    held.allocate()
    transport = (stun.REQUESTED_TRANSPORT, stun.UDP_TRANSPORT)
    peer = (stun.XOR_PEER_ADDRESS, ("127.0.0.1", 9))

    def number(value):
        return stun.CHANNEL_NUMBER, struct.pack("!Hxx", value)

    table = [
        ("Allocate without REQUESTED-TRANSPORT", fresh, stun.ALLOCATE, [], 400),
        ("Allocate for TCP", fresh, stun.ALLOCATE, [(stun.REQUESTED_TRANSPORT, b"\x06\0\0\0")], 442),
        ("Allocate of family 3", fresh, stun.ALLOCATE, [transport, (stun.REQUESTED_ADDRESS_FAMILY, b"\x03\0\0\0")], 440),
        ("EVEN-PORT with RESERVATION-TOKEN", fresh, stun.ALLOCATE,
         [transport, (stun.EVEN_PORT, b"\x80"), (stun.RESERVATION_TOKEN, bytes(8))], 400),
        ("unknown token", fresh, stun.ALLOCATE, [transport, (stun.RESERVATION_TOKEN, bytes(8))], 508),
        ("unknown attribute", fresh, stun.ALLOCATE, [transport, (0x7F00, b"")], 420),
        ("Refresh without an allocation", fresh, stun.REFRESH, [], 437),
        ("CreatePermission without an allocation", fresh, stun.CREATE_PERMISSION, [peer], 437),
        ("ChannelBind without an allocation", fresh, stun.CHANNEL_BIND, [number(0x4000), peer], 437),
        ("second Allocate", held, stun.ALLOCATE, [transport], 437),
        ("CreatePermission without peers", held, stun.CREATE_PERMISSION, [], 400),
        ("peer of another family", held, stun.CREATE_PERMISSION, [(stun.XOR_PEER_ADDRESS, ("::1", 9))], 443),
        ("ChannelBind without peer", held, stun.CHANNEL_BIND, [number(0x4000)], 400),
        ("ChannelBind without number", held, stun.CHANNEL_BIND, [peer], 400),
        ("channel below the range", held, stun.CHANNEL_BIND, [number(0x3FFF), peer], 400),
        ("channel above the range", held, stun.CHANNEL_BIND, [number(0x8000), peer], 400),
        ("channel to another family", held, stun.CHANNEL_BIND, [number(0x4000), (stun.XOR_PEER_ADDRESS, ("::1", 9))], 443),
        ("family that does not fit at Refresh", held, stun.REFRESH, [(stun.REQUESTED_ADDRESS_FAMILY, stun.FAMILY_IPV6)], 443),
    ]
    for what, client, method, attributes, code in table:
        answer = client.ask(method, attributes)
        equal(answer.error, code, what)
        if code == 420:
            equal(answer.get(stun.UNKNOWN_ATTRIBUTES)[:2], b"\x7f\x00", "UNKNOWN-ATTRIBUTES")
    metrics = relay.metrics()
    equal((metrics.sum("uturn_allocations"), metrics.sum("uturn_channels")), (1, 0), "(allocations, channels) left behind")


@case()
def unknown_attribute_of_a_binding_gets_420(t):
    relay = t.relay()
    answer = t.client(relay).exchange(stun.encode(stun.BINDING, stun.REQUEST, [(0x7F01, b"abcd")]))
    equal((answer.error, answer.get(stun.UNKNOWN_ATTRIBUTES)), (420, b"\x7f\x01"), "(error, unknown attributes)")


@case()
def answers_leave_from_the_address_asked(t):
    relay = t.relay()
    # The client asserts that whatever it receives comes from the address it sent to.
    for address in ("127.0.0.2", "127.0.0.1", "::1"):
        client = t.client(relay, server=(address, relay.port))
        client.allocate(family=stun.FAMILY_IPV6 if ":" in address else None)
        equal(client.relayed[0], address, "the relayed address is the one the Allocate arrived at")
        peer = t.peer((address, 0))
        client.permit(address)
        client.bind(0x4000, peer.getsockname()[:2])
        peer.sendto(b"to the client", client.relayed)
        packet = client.receive()
        assert packet is not None and packet.data == b"to the client", f"relayed through {address}: {packet}"


@case(shards=(1,))
def answers_leave_from_the_address_asked_where_one_family_is_bound_to_one(t):
    relay = t.relay(listener={"bind_address": ["0.0.0.0", "::1"]})
    for address in ("127.0.0.5", "::1"):
        t.client(relay, server=(address, relay.port)).exchange(stun.encode(stun.BINDING, stun.REQUEST, []))


@case(timeout=30)
def unauthenticated_answers_are_limited_per_source(t):
    relay = t.relay()
    burst, rate, questions = 500, 50, 900

    def ask_many(client):
        started, answers = time.monotonic(), 0
        for done in range(0, questions, 50):
            for _ in range(50):
                client.sock.sendto(bare(stun.ALLOCATE), client.server)
            client.sock.settimeout(0.05)
            try:
                while client.sock.recv(2048):
                    answers += 1
            except TimeoutError:
                pass
        return answers, time.monotonic() - started

    stranger = t.client(relay, local=("127.0.0.5", 0))
    answers, elapsed = ask_many(stranger)
    assert burst <= answers <= burst + rate * (elapsed + 0.5), f"{answers} answers within {elapsed:.2f} s"
    dropped = relay.metrics().sum("uturn_packets_total", verdict="drop_unauth_limit")
    equal(dropped, questions - answers, "drops counted")

    known = t.client(relay, local=("127.0.0.6", 0))
    known.allocate()
    answers, _ = ask_many(t.client(relay, local=("127.0.0.6", 0)))
    equal(answers, questions, "answers to a source that has authenticated")
    # The limit is on answers without credentials only: the first stranger's neighbour on the same address still gets in, late.
    time.sleep(0.1)
    t.client(relay, local=("127.0.0.5", 0)).allocate()


@case(shards=(1,))
def wrong_credentials_are_logged_now_and_then(t):
    relay = t.relay()
    for _ in range(30):
        t.client(relay, password="wrong").ask(stun.ALLOCATE, [(stun.REQUESTED_TRANSPORT, stun.UDP_TRANSPORT)])
    relay.wait_for_log("wrong password")
    equal(relay.log().count("wrong password"), 1, "lines about 30 clients with a wrong password")
