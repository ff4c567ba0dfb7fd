"""Packet captures with known contents: classic pcap and pcapng of Ethernet, IPv4 and UDP, full or truncated."""

import ipaddress
import struct

import stun

ETHERNET = 1
PCAP_MICROSECONDS, PCAP_NANOSECONDS = 0xA1B2C3D4, 0xA1B23C4D
FIRST_S = 1_700_000_000


def udp_frame(source, destination, payload, vlan=None):
    ip = struct.pack(
        "!BBHHHBBH4s4s", 0x45, 0, 28 + len(payload), 0, 0x4000, 64, 17, 0,
        ipaddress.ip_address(source[0]).packed, ipaddress.ip_address(destination[0]).packed,
    )
    udp = struct.pack("!HHHH", source[1], destination[1], 8 + len(payload), 0)
    tag = struct.pack("!HH", 0x8100, vlan) if vlan is not None else b""
    return bytes(12) + tag + b"\x08\x00" + ip + udp + payload


def write_pcap(path, packets, snap=262144):
    """packets: [(nanoseconds since the first, frame)…]"""
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", PCAP_NANOSECONDS, 2, 4, 0, 0, snap, ETHERNET))
        for at_ns, frame in packets:
            kept = frame[:snap]
            file.write(struct.pack("<IIII", FIRST_S + at_ns // 10**9, at_ns % 10**9, len(kept), len(frame)) + kept)


def _block(kind, body):
    body += bytes(-len(body) % 4)
    size = struct.pack("<I", 12 + len(body))
    return struct.pack("<I", kind) + size + body + size


def write_pcapng(path, packets, snap=262144, others=()):
    """Time stamps in nanoseconds (if_tsresol 9), as recent dumpcap writes them. others: the snap lengths of interfaces without packets."""
    resolution = struct.pack("<HHBxxxHH", 9, 1, 9, 0, 0)
    with open(path, "wb") as file:
        file.write(_block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)))
        for length in (snap, *others):
            file.write(_block(1, struct.pack("<HHI", ETHERNET, 0, length) + resolution))
        for at_ns, frame in packets:
            kept = frame[:snap]
            stamp = FIRST_S * 10**9 + at_ns
            file.write(_block(6, struct.pack("<IIIII", 0, stamp >> 32, stamp & 0xFFFFFFFF, len(kept), len(frame)) + kept))


CLIENTS = ("198.51.100.2", 50001), ("198.51.100.3", 50002)
SERVER = ("198.51.100.1", 3478)
PEERS = ("203.0.113.5", 6001), ("203.0.113.6", 6002)
CHANNEL = 0x4001


def rtp(size):
    """A payload of that size that begins as RTP does."""
    return (b"\x80\x60" + bytes(size))[:size]


def _request(client, method, attributes):
    """A request of the client's and the answer, as frames. Nobody checks the integrity of what is captured."""
    transaction = bytes(11) + bytes([method])
    key = bytes(16)
    asked = [(stun.XOR_PEER_ADDRESS, PEERS[0])] if method == stun.CHANNEL_BIND else [(stun.REQUESTED_TRANSPORT, stun.UDP_TRANSPORT)]
    if method == stun.CHANNEL_BIND:
        asked.append((stun.CHANNEL_NUMBER, struct.pack("!Hxx", CHANNEL)))
    return [
        udp_frame(client, SERVER, stun.encode(method, stun.REQUEST, asked, transaction, key)),
        udp_frame(SERVER, client, stun.encode(method, stun.SUCCESS, attributes, transaction, key)),
    ]


def _allocation(client, port):
    relayed = [(stun.XOR_RELAYED_ADDRESS, (SERVER[0], port)), (stun.LIFETIME, struct.pack("!I", 600))]
    return _request(client, stun.ALLOCATE, relayed)


def _indication(client, peer, size, up):
    method = stun.SEND if up else stun.DATA
    raw = stun.encode(method, stun.INDICATION, [(stun.XOR_PEER_ADDRESS, peer), (stun.DATA_ATTRIBUTE, rtp(size))])
    return udp_frame(client, SERVER, raw) if up else udp_frame(SERVER, client, raw)


def _channel(client, size, up):
    raw = stun.channel_data(CHANNEL, rtp(size))
    return udp_frame(client, SERVER, raw) if up else udp_frame(SERVER, client, raw)


def turn_call(plan):
    """
    plan: [(nanoseconds, path, "up" or "down", size)…] in order of time, from 0 on. Path 0 is the first client's, by channel but for its packets up before
    `BOUND_NS`, which are in indications; path 1 is the second client's, in indications. The packets of the capture.
    """
    packets = [(0, frame) for frame in _allocation(CLIENTS[0], 60001) + _allocation(CLIENTS[1], 60002)]
    bound = False
    for at_ns, path, direction, size in plan:
        if at_ns >= BOUND_NS and not bound:
            packets += [(BOUND_NS, frame) for frame in _request(CLIENTS[0], stun.CHANNEL_BIND, [])]
            bound = True
        by_channel = path == 0 and bound
        client = CLIENTS[path]
        frame = _channel(client, size, direction == "up") if by_channel else _indication(client, PEERS[path], size, direction == "up")
        packets.append((at_ns, frame))
    return packets


BOUND_NS = 100_000_000


def plain_call(plan):
    """The same of plain UDP between the clients and their peers; path 1 with a VLAN tag."""
    packets = []
    for at_ns, path, direction, size in plan:
        ends = (CLIENTS[path], PEERS[path]) if direction == "up" else (PEERS[path], CLIENTS[path])
        packets.append((at_ns, udp_frame(*ends, rtp(size), vlan=7 if path else None)))
    return packets
