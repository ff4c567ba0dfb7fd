"""Input nobody should send: the process lives, everything is counted, and calls beside it go on."""

import os
import random
import time

import stun
from harness import case, equal, eventually
from relay import drops


def counted(relay):
    metrics = relay.metrics()
    return metrics.sum("uturn_packets_total") + metrics.sum("uturn_kernel_drops_total")


def still_relays(client, peer):
    """Both directions, now."""
    address = peer.getsockname()
    while client.receive(0.0001) is not None:
        pass
    peer.setblocking(False)
    try:
        while peer.recv(2048) is not None:
            pass
    except BlockingIOError:
        pass
    peer.settimeout(1)
    client.send(address, b"ping")
    equal(peer.recvfrom(100), (b"ping", client.relayed), "(data, source) at the peer")
    peer.sendto(b"pong", client.relayed)
    packet = client.receive()
    assert packet is not None and packet.data == b"pong", f"at the client: {packet}"


def cpu_seconds(relay):
    with open(f"/proc/{relay.pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def is_idle(relay):
    """A storm that has passed must not leave a shard spinning."""
    before = cpu_seconds(relay)
    time.sleep(0.5)
    spent = cpu_seconds(relay) - before
    assert spent < 0.1, f"{spent:.2f} s of processor time within 0.5 s of silence"


def garbage(rng):
    """Random bytes, or a message that is nearly right with a few of its bytes changed."""
    if rng.random() < 0.5:
        return rng.randbytes(rng.randrange(0, 200))
    attributes = [(rng.choice((0x0006, 0x0008, 0x0012, 0x0013, 0x0014, 0x0019, 0x8028)), rng.randbytes(rng.randrange(40)))]
    raw = bytearray(stun.encode(rng.choice((1, 3, 4, 6, 7, 8, 9, 12)), rng.randrange(4), attributes * rng.randrange(4)))
    for _ in range(rng.randrange(3)):
        raw[rng.randrange(len(raw))] = rng.randrange(256)
    return bytes(raw[: rng.randrange(len(raw) + 1)] if rng.random() < 0.2 else raw)


@case(timeout=40)
def garbage_is_dropped_and_counted(t):
    relay = t.relay()
    client, peer, _ = t.call(relay)
    rng = random.Random(20)
    pieces = [garbage(rng) for _ in range(5000)]
    senders = [t.peer(("127.0.0.7", 0)) for _ in range(8)]
    before, sent = counted(relay), 0
    for round_ in range(20):
        for at, piece in enumerate(pieces):
            senders[(at + round_) % 8].sendto(piece, relay.address)
        sent += len(pieces)
        equal(relay.alive, True, "alive")
    # What the kernel dropped shows with the next datagram of each socket only.
    for _ in range(50):
        for sender in senders:
            sender.sendto(b"\xff", relay.address)
        sent += len(senders)
        time.sleep(0.1)
        if counted(relay) == before + sent:
            break
    equal(counted(relay), before + sent, "datagrams counted as received")
    still_relays(client, peer)
    metrics = relay.metrics()
    equal(metrics.sum("uturn_allocations"), 1, "allocations")
    for verdict in ("drop_not_stun", "drop_malformed", "drop_unexpected_class", "drop_unknown_method"):
        assert metrics.sum("uturn_packets_total", verdict=verdict) > 0, f"nothing counted as {verdict}"
    assert len(relay.log()) < 50_000, f"{len(relay.log())} bytes of log that a stranger caused"
    is_idle(relay)


@case()
def zero_length_datagrams_do_no_harm(t):
    relay = t.relay()
    client, peer, address = t.call(relay)
    stranger = t.peer(("127.0.0.7", 0))
    for _ in range(5000):
        stranger.sendto(b"", relay.address)
        stranger.sendto(b"", client.relayed)

    def counted_at_the_relay_port():
        # The kernel tells of what it dropped with the next datagram that it delivers.
        stranger.sendto(b"", client.relayed)
        metrics = relay.metrics()
        return metrics.sum("uturn_packets_total", verdict="drop_no_permission") + metrics.sum("uturn_kernel_drops_total")

    eventually(lambda: counted_at_the_relay_port() >= 5000, "those at the relay port are counted")
    metrics = relay.metrics()
    assert metrics.sum("uturn_packets_total", verdict="drop_empty") > 0, "none counted at the listener"
    still_relays(client, peer)
    # From a permitted peer an empty datagram is a packet like any other.
    for bound in (False, True):
        if bound:
            client.bind(0x4000, address)
        peer.sendto(b"", client.relayed)
        packet = client.receive()
        assert packet is not None and packet.data == b"", f"channel {bound}: {packet}"
    client.send(address, b"")
    equal(peer.recvfrom(100), (b"", client.relayed), "(data, source)")
    is_idle(relay)


@case()
def icmp_errors_from_peers_do_not_spin_the_shard(t):
    relay = t.relay()
    client, peer, _ = t.call(relay)
    closed = t.peer()
    nobody = closed.getsockname()
    closed.close()
    for round_ in range(20):
        for _ in range(500):
            client.send(nobody, b"to a closed port")
        still_relays(client, peer)
    turns = relay.metrics().sum("uturn_loop_turns_total")
    is_idle(relay)
    more = relay.metrics().sum("uturn_loop_turns_total") - turns
    assert more < 200, f"{more:.0f} turns of the loops in silence"


@case()
def icmp_errors_from_clients_do_not_stop_the_listener(t):
    relay = t.relay()
    gone, peer, _ = t.call(relay)
    other, other_peer, _ = t.call(relay)
    relayed = gone.relayed
    gone.close()
    for _ in range(20):
        for _ in range(500):
            peer.sendto(b"to a client that is gone", relayed)
        still_relays(other, other_peer)
    is_idle(relay)


@case()
def large_packets_pass_and_too_large_ones_are_counted(t):
    relay = t.relay()
    client, peer, address = t.call(relay)
    client.bind(0x4000, address)
    for size in (1472, 9000, 65000):
        payload = os.urandom(size)
        client.send_channel(0x4000, payload)
        equal(peer.recv(65536) == payload, True, f"{size} bytes to the peer")
        peer.sendto(payload, client.relayed)
        packet = client.receive()
        equal(packet is not None and packet.data == payload, True, f"{size} bytes to the client")
    equal(drops(relay.metrics()), {}, "drop counters")
    peer.sendto(bytes(65507), client.relayed)
    eventually(lambda: relay.metrics().sum("uturn_packets_total", verdict="drop_too_large") == 1, "counted as too large")
    still_relays(client, peer)


@case()
def overrun_receive_buffers_are_counted(t):
    """What the kernel had no room for is counted per kind of socket, to the packet."""
    small = {"listener_receive": 65536, "relay_receive": 65536}
    relay = t.relay(admin={"buffers": small})
    client, peer, address = t.call(relay)
    client.bind(0x4000, address)
    for kind, sock, target, size in (("listener", t.peer(), relay.address, 100), ("relay", peer, client.relayed, 1000)):
        before = relay.metrics()
        relay.hold()
        for _ in range(2000):
            sock.sendto(b"\xff" * size, target)
        relay.go_on()
        # The kernel reports its drops with the next packet.
        time.sleep(0.05)
        sock.sendto(b"\xff" * size, target)

        def accounted(metric):
            return relay.metrics().sum(metric, socket=kind) - before.sum(metric, socket=kind)

        eventually(
            lambda: accounted("uturn_received_packets_total") + accounted("uturn_kernel_drops_total") >= 2001,
            f"{kind}: 2001 datagrams accounted for: {accounted('uturn_received_packets_total'):.0f} received, "
            f"{accounted('uturn_kernel_drops_total'):.0f} dropped",
        )
        assert accounted("uturn_kernel_drops_total") > 500, f"{kind}: hardly any drops, so nothing was shown"
    still_relays(client, peer)


@case(timeout=30)
def a_backlog_on_many_sockets_is_worked_off_without_loss(t):
    """More packets at once than there are receive buffers: those wait in their sockets, and keep their order."""
    relay = t.relay()
    calls = [t.call(relay) for _ in range(60)]
    each = 100
    for _ in range(3):
        relay.hold()
        for number in range(each):
            for client, peer, _ in calls:
                peer.sendto(b"%04d" % number + bytes(300), client.relayed)
        relay.go_on()
        for client, _, _ in calls:
            got = [client.receive(2) for _ in range(each)]
            equal([packet and packet.data[:4] for packet in got], [b"%04d" % number for number in range(each)], "packets")
    equal(drops(relay.metrics()), {}, "drop counters")
    if t.engine == "io_uring" and t.shards == 1:
        assert relay.metrics().sum("uturn_buffer_shortage_total") > 0, "the buffers never ran out, so nothing was shown"
