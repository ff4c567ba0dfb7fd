"""Trains on veth with an MTU of 1500, where devices, fragments and checksums are real:

    client ── 10.9.1.0/24 ── relay ── 10.9.2.0/24 ── peers
"""

import os
import random
import socket
import struct
import time

import client as client_module
import netns
import stun
from harness import case, equal
from relay import drops

UDP_SEGMENT = 103
SIZES = (1, 33, 160, 161, 500, 1000, 1200, 1400, 1468)
TOS = (0, 0, 0, 0x88, 0xB8, 0x02)


class Topology:
    def __init__(self, t):
        self.t = t
        t.needs_root()
        netns.unshare()
        self.clients, self.peers = self._space("client"), self._space("peer")
        self.clients.connect("10.9.1.1/24", "10.9.1.2/24")
        self.peers.connect("10.9.2.1/24", "10.9.2.2/24")
        self.relay = t.make_relay(host="10.9.1.1", cluster={"endpoints": ["10.9.2.0/24"]}).start()

    def _space(self, kind):
        space = netns.Namespace(f"uturn-{os.getpid()}-{kind}")
        self.t.ending(space.delete)
        return space

    def client(self):
        with self.clients.inside():
            made = self.t.client(self.relay, local=("10.9.1.2", 0))
        made.allocate()
        made.permit("10.9.2.2")
        return made

    def peer(self):
        with self.peers.inside():
            return self.t.peer(("10.9.2.2", 0))


def send_run(sock, packets, address, tos, segmented):
    """Equal packets and perhaps a shorter last one: as one segmented send, or one by one."""
    control = [(socket.IPPROTO_IP, socket.IP_TOS, struct.pack("i", tos))]
    if segmented and len(packets) > 1:
        sock.sendmsg(packets, [*control, (socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack("H", len(packets[0])))], 0, address)
    else:
        for packet in packets:
            sock.sendmsg([packet], control, 0, address)


def runs(rng, largest):
    """A few runs of payloads: equal ones, often with an odd tail, total bounded so that no receive buffer overflows."""
    for _ in range(rng.randrange(1, 8)):
        size = rng.choice([size for size in SIZES if size <= largest])
        count = rng.randrange(1, 13)
        payloads = [rng.randbytes(size) for _ in range(count)]
        if size > 1 and rng.random() < 0.5:
            payloads.append(rng.randbytes(rng.randrange(1, size)))
        yield payloads, rng.choice(TOS), rng.random() < 0.6


@case(timeout=30)
def mixed_packets_arrive_exact_and_in_order(t):
    net = Topology(t)
    rng = random.Random(7)
    client = net.client()
    peers = [net.peer() for _ in range(3)]
    addresses = [peer.getsockname() for peer in peers]
    # Two peers have a channel; the third speaks in indications.
    channels = {0: 0x4000, 1: 0x4001}
    for index, number in channels.items():
        client.bind(number, addresses[index])

    def wrap(index, payload):
        if index in channels:
            return stun.channel_data(channels[index], payload)
        return stun.encode(
            stun.SEND, stun.INDICATION, [(stun.XOR_PEER_ADDRESS, addresses[index]), (stun.DATA_ATTRIBUTE, payload)]
        )

    for _ in range(120):
        expected = [[], [], []]
        for payloads, tos, segmented in runs(rng, 1400):
            index = rng.randrange(3)
            send_run(client.sock, [wrap(index, payload) for payload in payloads], client.server, tos, segmented)
            expected[index] += [(payload, tos) for payload in payloads]
        for index, packets in enumerate(expected):
            for number, (payload, tos) in enumerate(packets):
                got = client_module.receive(peers[index])
                assert got is not None, f"to peer {index}: packet {number} of {len(packets)}, {len(payload)} bytes, is lost"
                equal((got[0] == payload, got[2], got[1]), (True, tos, client.relayed), f"to peer {index}: packet {number}")

    for _ in range(120):
        expected = [[], [], []]
        # With 4 bytes of ChannelData in front, 1472 no longer fit the MTU: such trains leave as single, fragmented packets.
        for payloads, tos, segmented in runs(rng, 1468):
            index = rng.randrange(3)
            if rng.random() < 0.05:
                payloads = [rng.randbytes(1472)] * len(payloads)
            send_run(peers[index], payloads, client.relayed, tos, segmented)
            expected[index] += [(payload, tos) for payload in payloads]
        for number in range(sum(map(len, expected))):
            packet = client.receive()
            assert packet is not None, f"to the client: {sum(map(len, expected))} packets are lost"
            index = addresses.index(packet.peer) if packet.peer else packet.channel - 0x4000
            payload, tos = expected[index].pop(0)
            equal((packet.data == payload, packet.tos), (True, tos), f"from peer {index}: packet {number}, {len(payload)} bytes")

    metrics = net.relay.metrics()
    equal(drops(metrics), {}, "drop counters")
    assert metrics.sum("uturn_trains_total") > 100, "hardly any trains"


@case(timeout=30)
def an_aggregate_of_several_channels_is_told_apart(t):
    net = Topology(t)
    rng = random.Random(11)
    client = net.client()
    peers = [net.peer() for _ in range(2)]
    for index, peer in enumerate(peers):
        client.bind(0x4000 + index, peer.getsockname())
    for _ in range(60):
        expected, run = [[], []], []
        for _ in range(rng.randrange(2, 40)):
            payload = rng.randbytes(396)
            what = rng.choice((0, 0, 0, 1, 1, "unbound", "longer than it is"))
            if what == "unbound":
                run.append(stun.channel_data(0x4007, payload))
            elif what == "longer than it is":
                run.append(struct.pack("!HH", 0x4000, 397) + payload)
            else:
                run.append(stun.channel_data(0x4000 + what, payload))
                expected[what].append(payload)
        send_run(client.sock, run, client.server, 0, True)
        for peer, payloads in zip(peers, expected):
            for payload in payloads:
                got = client_module.receive(peer)
                assert got is not None and got[0] == payload, f"of {len(payloads)} packets one is wrong or lost"
    for peer in peers:
        equal(client_module.receive(peer, 0.1), None, "nothing more")


def segments_per_train(net, what, send):
    """Of what the relay sends meanwhile: more than 4, or the case fails."""
    before = net.relay.metrics()
    send()
    time.sleep(0.1)
    after = net.relay.metrics()
    trains, segments, packets = (
        after.sum(name) - before.sum(name)
        for name in ("uturn_trains_total", "uturn_train_segments_total", "uturn_sent_packets_total")
    )
    sends = trains + packets - segments
    print(f"{what}: {packets:.0f} packets, {segments / max(trains, 1):.2f} per train, {packets / max(sends, 1):.2f} per send")
    assert segments > 0.5 * packets > 100, f"{what}: {segments:.0f} of {packets:.0f} packets in trains"
    assert segments / trains > 4, f"{what}: {segments / trains:.2f} segments per train"


def plain_bursts(net, sockets, payload, address):
    """Bursts of 8 single packets per socket. The relay is held meanwhile, so that it is not the scheduler's choice
    how much of a burst it finds when it wakes."""
    for _ in range(40):
        net.relay.hold()
        for sock in sockets:
            for _ in range(8):
                sock.sendto(payload, address)
        net.relay.go_on()
        time.sleep(0.005)


def segmented_bursts(t, sockets, payload, address):
    """Bursts of 8 that the sender's kernel, or a card, has kept together; as they come."""
    t.blast(sockets, address, len(payload), -8, 50_000, 0.5, payload[:4]).wait(10)


@case(alone=True, timeout=30, spread=True)
def bursts_of_eight_ride_in_trains(t):
    net = Topology(t)
    peer = net.peer()
    clients = [net.client() for _ in range(8)]
    for client in clients:
        client.bind(0x4000, peer.getsockname())
    sockets = [client.sock for client in clients]
    message = stun.channel_data(0x4000, bytes(1196))
    segments_per_train(net, "plain, to the peer", lambda: plain_bursts(net, sockets, message, net.relay.address))
    segments_per_train(net, "plain, to the client", lambda: plain_bursts(net, [peer], bytes(1200), clients[0].relayed))
    segments_per_train(net, "segmented, to the peer", lambda: segmented_bursts(t, sockets, message, net.relay.address))
    segments_per_train(net, "segmented, to the client", lambda: segmented_bursts(t, [peer], bytes(1200), clients[0].relayed))
