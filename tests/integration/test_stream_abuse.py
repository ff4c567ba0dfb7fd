"""What strangers do to listeners of connections: garbage, floods, and waiting. Calls beside it go on."""

import os
import socket
import ssl
import struct
import threading
import time

import stream_client
import stun
from harness import case, equal, eventually
from streams import CONNECTIONS, Streams, talks

RATE = 60  # of the fast clock

BINDING = stun.encode(stun.BINDING, stun.REQUEST, [])
GARBAGE = {
    "HTTP": b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n",
    "TLS": b"\x16\x03\x01\x00\xf0\x01\x00\x00\xec\x03\x03" + bytes(240),
    "nothing known": b"\xff" * 40,
    "an odd STUN length": b"\x00\x01\x00\x03" + BINDING[4:],
    "a wrong cookie": BINDING[:4] + b"\x21\x12\xa4\x43" + BINDING[8:],
    "ChannelData first": stun.channel_data(0x4000, b"data"),
    "garbage behind a request": BINDING + b"\x80garbage",
}


@case()
def garbage_closes_the_connection_alone(t):
    streams = Streams(t)
    calls = [streams.call(transport) for transport in CONNECTIONS]
    for count, (what, garbage) in enumerate(GARBAGE.items(), 1):
        for transport in ("tcp", "tls"):
            client = streams.client(transport)
            client.transmit_bytes(garbage)
            client.wait_closed()
        streams.wait_for("connections_ended_total", 2 * count, reason="garbage")
    for client, peer, _ in calls:
        talks(client, peer)
    equal(sum(streams.sum("connections", listener=transport) for transport in CONNECTIONS), 3, "connections")
    assert len(streams.relay.log()) < 20_000, "a log that strangers can fill"


@case()
def what_is_no_tls_closes_the_connection(t):
    streams = Streams(t)
    failed = 0
    for garbage in (GARBAGE["HTTP"], BINDING, b"\x80\x2e\x01\x00\x02" + bytes(40)):
        stranger = socket.create_connection(streams.secure)
        t.ending(stranger.close)
        stranger.sendall(garbage)
        failed += 1
        streams.wait_for("handshakes_failed_total", failed, reason="not_tls")
        stranger.settimeout(2)
        try:
            while stranger.recv(100):
                pass
        except ConnectionError:
            pass
    huge = socket.create_connection(streams.secure)
    t.ending(huge.close)
    huge.sendall(b"\x16\x03\x01\xff\xff" + bytes(100))
    streams.wait_for("handshakes_failed_total", 1, reason="malformed")
    streams.wait_for("connections", 0, listener="tls")
    equal(streams.sum("handshakes_active"), 0, "handshakes under way")
    talks(*streams.call("tls")[:2])


def seconds_until_closed(sock, limit=5):
    """Of the relay's."""
    started = time.monotonic()
    sock.settimeout(limit)
    try:
        while sock.recv(4096):
            pass
    except ConnectionError:
        pass
    return (time.monotonic() - started) * RATE


@case(waits=True)
def the_silent_and_the_slow_are_closed_in_time(t):
    streams = Streams(t, fast=True, admin={"limits": {"streams": {"handshake_timeout": 30}}})
    holder, peer, _ = streams.call("tcp")
    silent = socket.create_connection(streams.secure)
    t.ending(silent.close)
    lasted = seconds_until_closed(silent)
    assert 25 < lasted < 75, f"a silent TLS client was closed after {lasted:.0f} s, not 30"
    streams.wait_for("connections_ended_total", 1, reason="timeout")
    idle = socket.create_connection(streams.plain)
    t.ending(idle.close)
    lasted = seconds_until_closed(idle)
    assert 50 < lasted < 120, f"an idle TCP client was closed after {lasted:.0f} s, not 60"
    streams.wait_for("connections_ended_total", 1, reason="idle")
    # Time alone ends neither a connection with an allocation nor one that speaks.
    speaks = streams.client("tcp")
    for _ in range(5):
        time.sleep(0.4)
        equal(speaks.exchange(stun.encode(stun.BINDING, stun.REQUEST, [])).kind, stun.SUCCESS, "Binding")
    talks(holder, peer)


@case()
def slowloris_gains_nothing(t):
    streams = Streams(t, fast=True)
    talks(*streams.call("tls")[:2])
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + os.urandom(500)
    strangers = [socket.create_connection(streams.secure) for _ in range(30)]
    for stranger in strangers:
        t.ending(stranger.close)
    closed, end = 0, time.monotonic() + 8
    at = 0
    while closed < len(strangers) and time.monotonic() < end:
        closed = 0
        for stranger in strangers:
            try:
                stranger.send(hello[at % 400 : at % 400 + 1] if at else b"\x16")
            except ConnectionError:
                closed += 1
        at += 1
        equal(streams.sum("handshakes_active"), 0, "handshakes under way for beginnings of a ClientHello")
        time.sleep(0.02)
    equal(closed, len(strangers), "dribblers that were closed")
    talks(*streams.call("tls")[:2])


def open_many(t, address, count, source):
    socks = []
    for _ in range(count):
        sock = socket.create_connection(address, source_address=(source, 0))
        t.ending(sock.close)
        socks.append(sock)
    return socks


def count_open(socks):
    """Those that the other end has not closed."""
    still = 0
    for sock in socks:
        sock.setblocking(False)
        try:
            still += sock.recv(1) != b""
        except BlockingIOError:
            still += 1
        except ConnectionError:
            pass
    return still


@case()
def one_source_gets_its_share_of_connections(t):
    streams = Streams(t, admin={"limits": {"streams": {"per_source": 8}}})
    client, peer, _ = streams.call("tcp")
    socks = open_many(t, streams.plain, 200, "127.0.0.9")
    refused = lambda: streams.sum("connections_refused_total", reason="source")
    eventually(lambda: refused() + streams.sum("connections", listener="tcp") == 201, "all are counted")
    eventually(lambda: count_open(socks) == 200 - refused(), "the others are open")
    assert count_open(socks) <= 8 * t.shards, f"{count_open(socks)} connections of one address"
    talks(client, peer)
    talks(*streams.call("tcp")[:2])
    for sock in socks:
        sock.close()
    streams.wait_for("connections", 2, listener="tcp")
    again = open_many(t, streams.plain, 1, "127.0.0.9")[0]
    again.sendall(BINDING)
    again.settimeout(2)
    assert again.recv(100), "no answer on a connection of the same address, after the others went"


@case()
def connections_are_bounded(t):
    streams = Streams(t, admin={"limits": {"streams": {"connections": 32, "per_source": 0}}})
    equal(streams.sum("connections_max"), 32, "uturn_connections_max")
    client, peer, _ = streams.call("udp")
    socks = [sock for number in range(4) for sock in open_many(t, streams.plain, 50, f"127.0.0.{20 + number}")]
    refused = lambda: streams.sum("connections_refused_total", reason="connections")
    eventually(lambda: refused() + streams.sum("connections", listener="tcp") == 200, "all are counted")
    eventually(lambda: count_open(socks) <= 32, "further ones are closed")
    talks(client, peer)
    for sock in socks:
        sock.close()
    streams.wait_for("connections", 0, listener="tcp")
    talks(*streams.call("tcp")[:2])


def client_hello():
    """Of OpenSSL, as it would be sent."""
    out = ssl.MemoryBIO()
    tls = stream_client.tls_context(None).wrap_bio(ssl.MemoryBIO(), out, server_hostname="turn.example.com")
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return out.read()


@case()
def half_open_handshakes_are_bounded(t):
    streams = Streams(t, fast=True, admin={"limits": {"streams": {"handshakes": 4, "handshake_timeout": 120}}})
    hello = client_hello()
    strangers = open_many(t, streams.secure, 60, "127.0.0.9")
    for stranger in strangers:
        stranger.sendall(hello)
    streams.wait_for("handshakes_active", 4 * t.shards)
    # Those behind them come to their places when they have been silent for a second, until nobody waits.
    streams.wait_for("handshakes_failed_total", 60 - 4 * t.shards, reason="timeout")
    equal(streams.sum("handshakes_active"), 4 * t.shards, "handshakes under way")
    for stranger in strangers:
        stranger.close()
    talks(*streams.call("tls")[:2])


@case(spread=True, waits=True)
def who_floods_with_half_handshakes_stands_behind_the_others(t):
    streams = Streams(t, admin={"limits": {"streams": {"handshakes": 4, "per_source": 0}}})
    hello = client_hello()
    for stranger in open_many(t, streams.secure, 50 * t.shards, "127.0.0.9"):
        stranger.sendall(hello)
    streams.wait_for("handshakes_active", 4 * t.shards)
    began = time.monotonic()
    talks(*streams.call("tls")[:2])
    assert time.monotonic() - began < 3, "an honest client waited for more than the silence of those in front"


@case(shards=(1,), spread=True)
def who_waits_is_served_when_all_in_front_leave_at_once(t):
    streams = Streams(t, admin={"limits": {"streams": {"handshakes": 2}}})
    hello = client_hello()
    strangers = open_many(t, streams.secure, 8, "127.0.0.9")
    for stranger in strangers:
        stranger.sendall(hello)
    streams.wait_for("handshakes_active", 2)
    (waits,) = open_many(t, streams.secure, 1, "127.0.0.1")
    waits.sendall(hello)
    time.sleep(0.1)
    # Places that become free are first given to some who are about to be found gone.
    streams.relay.hold()
    for stranger in strangers:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        stranger.close()
    streams.relay.go_on()
    waits.settimeout(2)
    assert waits.recv(100), "no ServerHello"


@case(timeout=30, alone=True, spread=True)
def a_handshake_flood_harms_no_call(t):
    streams = Streams(t)
    client, peer, _ = streams.call("udp", channel=0x4000)
    stop, hello, opened = threading.Event(), client_hello(), [0]
    port = str(streams.secure[1])
    flood = [t.spawn(["openssl", "s_time", "-connect", f"127.0.0.1:{port}", "-new", "-time", "2"]) for _ in range(2)]

    def half_open():
        while not stop.is_set():
            sock = socket.create_connection(streams.secure)
            sock.sendall(hello)
            sock.close()
            opened[0] += 1
            time.sleep(0.001)

    thread = threading.Thread(target=half_open)
    thread.start()
    sent = 0
    try:
        end = time.monotonic() + 1.5
        received = 0
        while time.monotonic() < end:
            client.send_channel(0x4000, b"%08d" % sent + bytes(1192))
            peer.sendto(b"%08d" % sent + bytes(1192), client.relayed)
            sent += 1
            time.sleep(0.002)
            while client.receive(0.0001) is not None:
                received += 1
        while received < sent and client.receive(0.5) is not None:
            received += 1
    finally:
        stop.set()
        thread.join()
    equal(received, sent, "packets to the client")
    peer.settimeout(0.2)
    equal(sum(1 for _ in range(sent) if peer.recv(2048)), sent, "packets to the peer")
    made = streams.sum("handshakes_total", version="TLSv1.3")
    assert made > 20 and opened[0] > 100, f"a flood of {made:.0f} handshakes and {opened[0]} half ones shows nothing"
    for process in flood:
        process.kill()
    talks(*streams.call("tls")[:2])
