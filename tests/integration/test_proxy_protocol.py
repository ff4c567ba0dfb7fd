"""Behind a load balancer that tells who the client is: the PROXY protocol."""

import ipaddress
import struct
import time

import client as client_module
import stun
from harness import case, equal, eventually
from stream_client import StreamClient
from streams import Streams, talks

CLIENT, LOCAL = ("192.0.2.44", 40044), ("198.51.100.2", 3478)
CLIENT6, LOCAL6 = ("2001:db8::44", 40046), ("2001:db8::2", 3478)
TRUSTED = {"proxy_protocol": True, "proxy_trusted": ["127.0.0.0/30", "::1"]}
STREAM, DGRAM = 1, 2


def version_1(source=CLIENT, target=LOCAL):
    family = "TCP6" if ":" in source[0] else "TCP4"
    return f"PROXY {family} {source[0]} {target[0]} {source[1]} {target[1]}\r\n".encode()


def version_2(source=CLIENT, target=LOCAL, transport=STREAM, command=1, extra=b""):
    block, family = b"", 0
    if source is not None:
        family = 2 if ":" in source[0] else 1
        ips = [ipaddress.ip_address(address[0]).packed for address in (source, target)]
        block = b"".join(ips) + struct.pack("!HH", source[1], target[1])
    block += extra
    fixed = struct.pack("!BBH", 0x20 | command, family << 4 | (transport if family else 0), len(block))
    return b"\r\n\r\n\0\r\nQUIT\n" + fixed + block


class ProxiedClient(client_module.Client):
    """Over UDP, with the header in front of every datagram, or of the first one only."""

    def __init__(self, server, header, always=True, **options):
        self.header, self.always = header, always
        super().__init__(server, **options)

    def transmit(self, raw, tos=None):
        self.sock.sendto(self.header + raw, self.server)
        if not self.always:
            self.header = b""


def behind_proxy(t, **options):
    return Streams(t, each={"udp": TRUSTED, "tcp": TRUSTED, "tls": TRUSTED}, **options)


def proxied(streams, header, **options):
    made = ProxiedClient(streams.plain, header, **options)
    streams.t.ending(made.close)
    return made


@case()
def the_client_is_whom_the_header_names(t):
    streams = behind_proxy(t)
    for transport in ("tcp", "tls"):
        for header, named in (
            (version_1(), CLIENT),
            (version_1(CLIENT6, LOCAL6), CLIENT6),
            (version_2(), CLIENT),
            (version_2(CLIENT6, LOCAL6), CLIENT6),
            (version_2(extra=b"\x04\x00\x02ab\xe0\x00\x00"), CLIENT),
        ):
            client, peer, _ = streams.call(transport, first=header)
            equal(client.mapped, named, f"XOR-MAPPED-ADDRESS over {transport} with {header!r}")
            talks(client, peer)
            client.close()
            streams.wait_for("allocations", 0)


@case()
def a_header_that_names_nobody_leaves_the_connections_address(t):
    streams = behind_proxy(t)
    for transport in ("tcp", "tls"):
        unknown = (b"PROXY UNKNOWN\r\n", b"PROXY UNKNOWN 1 2 3\r\n")
        for header in (*unknown, version_2(None, command=0), version_2(None), version_2(command=0)):
            client, peer, _ = streams.call(transport, first=header)
            equal(client.mapped, client.address, f"XOR-MAPPED-ADDRESS over {transport} with {header!r}")
            talks(client, peer)


@case()
def the_header_comes_in_any_pieces(t):
    streams = behind_proxy(t)
    request = stun.encode(stun.BINDING, stun.REQUEST, [])
    for header in (version_1(), version_2(), version_2(extra=b"\x04\x01\x00" + bytes(256))):
        whole = header + request
        for pieces in ([whole], [whole[at : at + 1] for at in range(len(whole))], [header, request], [whole[:-3], whole[-3:]]):
            client = StreamClient(streams.plain)
            t.ending(client.close)
            for piece in pieces:
                client.transmit_bytes(piece)
                if len(pieces) < 10:
                    time.sleep(0.01)
            answer = stun.Message(client.take(2)[0])
            equal(answer.address(stun.XOR_MAPPED_ADDRESS), CLIENT, f"XOR-MAPPED-ADDRESS, in {len(pieces)} pieces")


@case()
def a_bad_header_closes_the_connection(t):
    streams = behind_proxy(t)
    bad = (
        stun.encode(stun.BINDING, stun.REQUEST, []),
        b"GET / HTTP/1.1\r\n\r\n",
        b"PROXY TCP4 1.2.3.4 5.6.7.8 1 99999\r\n",
        b"PROXY UNKNOWN " + b"x" * 200,
        version_2()[:12] + b"\x31" + version_2()[13:],
        version_2(extra=b"\x04\x00\x09x"),
    )
    number = 0
    for address in (streams.plain, streams.secure):
        for raw in bad:
            client = StreamClient(address)
            t.ending(client.close)
            client.transmit_bytes(raw)
            client.wait_closed()
            number += 1
            streams.wait_for("connections_ended_total", number, reason="proxy_header")
    equal(streams.sum("handshakes_failed_total"), 0, "handshakes that began")
    talks(*streams.call("tcp", first=version_1())[:2])


@case()
def a_header_that_never_ends_is_waited_for_in_vain(t):
    streams = behind_proxy(t, fast=True)
    for transport in ("plain", "secure"):
        client = StreamClient(getattr(streams, transport))
        t.ending(client.close)
        client.transmit_bytes(version_1()[:20])
        client.wait_closed()
    streams.wait_for("connections_ended_total", 2, reason="timeout")


@case()
def who_is_not_trusted_is_refused(t):
    streams = behind_proxy(t)
    for number, address in enumerate((streams.plain, streams.secure), 1):
        client = StreamClient(address, local=("127.0.0.9", 0), first=version_1())
        t.ending(client.close)
        client.wait_closed()
        streams.wait_for("connections_refused_total", number, reason="untrusted")
    stranger = proxied(streams, version_2(transport=DGRAM), local=("127.0.0.9", 0))
    stranger.transmit(stun.encode(stun.BINDING, stun.REQUEST, []))
    equal(stranger.take(0.2), None, "an answer to an untrusted datagram")
    streams.wait_for("connections_refused_total", 3, reason="untrusted")
    talks(*streams.call("tcp", first=version_1())[:2])


@case()
def datagrams_bring_their_header(t):
    streams = behind_proxy(t)
    for always in (True, False):
        for header, named in (
            (version_2(transport=DGRAM), CLIENT),
            (version_2(CLIENT6, LOCAL6, transport=DGRAM), CLIENT6),
            (version_2(transport=STREAM), CLIENT),
        ):
            client = proxied(streams, header, always=always)
            peer, _ = streams.begin_call(client)
            equal(client.mapped, named, f"XOR-MAPPED-ADDRESS with {header!r}")
            talks(client, peer)
            client.refresh(0)
    bare = proxied(streams, version_2(None, command=0))
    bare.transmit(stun.encode(stun.BINDING, stun.REQUEST, []))
    equal(stun.Message(bare.take(1)[0]).address(stun.XOR_MAPPED_ADDRESS), bare.address, "XOR-MAPPED-ADDRESS of LOCAL")
    nobody = t.client(streams.relay)
    for number, raw in enumerate((stun.encode(stun.BINDING, stun.REQUEST, []), version_2()[:20], b"", version_1()), 1):
        nobody.transmit(raw)
        streams.wait_for("proxy_headers_bad_total", number)
    equal(nobody.take(0.1), None, "an answer to a datagram without a header")


@case()
def limits_count_the_client_behind_the_proxy(t):
    streams = behind_proxy(t, admin={"limits": {"streams": {"per_source": 2}}})
    held = []
    for host in range(1, 12):
        held.append(streams.client("tcp", first=version_1((f"192.0.2.{host}", 1000))))
        equal(held[-1].exchange(stun.encode(stun.BINDING, stun.REQUEST, [])).kind, stun.SUCCESS, "Binding")
    for port in range(40):
        one = StreamClient(streams.plain, first=version_1(("192.0.2.99", 1000 + port)))
        t.ending(one.close)
    eventually(lambda: streams.sum("connections_refused_total", reason="source") >= 40 - 2 * t.shards, "further ones are refused")
    for client in held:
        equal(client.exchange(stun.encode(stun.BINDING, stun.REQUEST, [])).kind, stun.SUCCESS, "Binding")
