"""Streams: framing, sizes, order, slow readers, and what the end of a connection ends."""

import os
import time

import dtls_client
import stream_client
import stun
from harness import PEER, case, equal, eventually
from relay import drops
from streams import CONNECTIONS, Streams, talks


@case()
def relays_over_every_transport(t):
    streams = Streams(t)
    for transport in CONNECTIONS:
        for ipv6 in (False, True):
            client, peer, address = streams.call(transport, ipv6=ipv6)
            equal(client.mapped, client.address, f"XOR-MAPPED-ADDRESS over {transport}")
            talks(client, peer)
            client.bind(0x4000, address)
            talks(client, peer, 0x4000)
    equal(drops(streams.relay.metrics()), {}, "drop counters")
    for transport in CONNECTIONS:
        equal(streams.sum("connections", listener=transport), 2, f"connections over {transport}")


@case()
def frames_come_in_any_pieces(t):
    streams = Streams(t)
    for transport in ("tcp", "tls"):
        client, peer, _ = streams.call(transport, channel=0x4000)
        peer.settimeout(2)
        request = stun.encode(stun.BINDING, stun.REQUEST, [(stun.SOFTWARE, b"dribble")])
        for byte in request:
            client.transmit_bytes(bytes([byte]))
        equal(client.take(2)[0][8:20], request[8:20], f"{transport}: the transaction of a dribbled request's answer")
        payloads = [os.urandom(size) for size in (*range(30), 100, 1199, 1200, 1201)]
        stream = b"".join(stun.channel_data(0x4000, payload, padded=True) for payload in payloads)
        for step in (1, 7, 1000, len(stream)):
            if step == 1:
                part, expected = stream[: sum(4 + len(one) + -len(one) % 4 for one in payloads[:12])], payloads[:12]
            else:
                part, expected = stream, payloads
            for at in range(0, len(part), step):
                client.transmit_bytes(part[at : at + step])
            for payload in expected:
                equal(peer.recv(2048), payload, f"{transport}: in steps of {step}")
        # Answers among data, in one segment.
        client.transmit_bytes(stream + request + stream)
        for payload in payloads * 2:
            equal(peer.recv(2048), payload, f"{transport}: around a request")
        equal(client.take(2)[0][8:20], request[8:20], "transaction")


@case()
def the_largest_frames_pass(t):
    streams = Streams(t)
    for transport in ("tcp", "tls"):
        client, peer, address = streams.call(transport, channel=0x4000)
        for size in (16384, 16385, 40001, 65500):
            payload = os.urandom(size)
            talks(client, peer, 0x4000, payload, payload)
        payload = os.urandom(65000)
        client.send(address, payload)
        equal(peer.recv(65536) == payload, True, "a long Send indication")
        # No datagram can carry this, but the stream goes on behind it.
        client.send_channel(0x4000, bytes(65535))
        talks(client, peer, 0x4000)


@case()
def what_peers_send_comes_whole_and_in_order(t):
    streams = Streams(t)
    calls = [streams.call(transport, channel=0x4000 if channels else None) for transport in ("tcp", "tls") for channels in (0, 1)]
    for start in range(0, 600, 50):
        for number in range(start, start + 50):
            for client, peer, _ in calls:
                peer.sendto(b"%04d" % number + bytes(number % 1100), client.relayed)
        for client, _, _ in calls:
            for number in range(start, start + 50):
                packet = client.receive(2)
                assert packet is not None, f"packet {number} was lost"
                equal((packet.data[:4], len(packet.data)), (b"%04d" % number, 4 + number % 1100), "packet")
    equal(drops(streams.relay.metrics()), {}, "drop counters")


@case()
def an_allocation_ends_with_its_connection(t):
    streams = Streams(t, admin={"user_quota": 1})
    for transport in CONNECTIONS:
        ends = {"tcp": ("close", "reset"), "tls": ("unwrap", "close", "reset"), "dtls": ("shutdown",)}[transport]
        for end in ends:
            client = streams.client(transport)
            client.allocate()
            other = streams.client("udp")
            other.refused(486, other.allocate)
            if end == "unwrap":
                client.sock.settimeout(2)
                client.sock.unwrap()
            else:
                getattr(client, end)()
            streams.wait_for("allocations", 0)
            other.allocate()
            other.refresh(0)
        streams.wait_for("connections", 0, listener=transport)
    streams.wait_for("relay_sockets", 0)


def pour(streams, client, peer, megabytes, size=1200):
    """Into a client that does not read. Returns how many packets."""
    count = megabytes * 1_000_000 // size
    for number in range(count):
        peer.sendto(b"%08d" % number + bytes(size - 8), client.relayed)
        if number % 64 == 0 or number == count - 2:
            time.sleep(0.0005 if number % 64 == 0 else 0.05)  # the last one finds room, whatever came before it
    return count


@case(timeout=30)
def a_slow_reader_loses_the_oldest_data_only(t):
    streams = Streams(t)
    beside, beside_peer, _ = streams.call("tcp", channel=0x4000)
    for transport in ("tcp", "tls"):
        before = streams.relay.metrics()
        slow, peer, _ = streams.call(transport, channel=0x4000, receive_buffer=8192)
        asked = []
        for _ in range(3):
            pour(streams, slow, peer, 2)
            raw = stun.encode(stun.BINDING, stun.REQUEST, [])
            slow.transmit(raw)
            asked.append(raw[8:20])
            talks(beside, beside_peer, 0x4000)
        count = pour(streams, slow, peer, 2)
        lost = lambda name: streams.sum(name) - before.sum("uturn_" + name)
        eventually(lambda: lost("stream_dropped_packets_total") > 0, f"{transport}: packets are dropped")
        assert streams.sum("stream_queued_bytes") < 200_000, "the queue is not bounded"
        answered, numbers = [], []
        while (got := slow.take(0.5)) is not None:
            if got[0][0] >> 6 == 1:
                numbers.append(int(stun.read_channel_data(got[0])[1][:8]))
            else:
                answered.append(stun.Message(got[0]).transaction)
        equal(answered, asked, f"{transport}: answers to a client that did not read")
        equal(numbers[-1], count - 1, f"{transport}: the newest packet")
        accounted = len(numbers) + lost("stream_dropped_packets_total") + lost("kernel_drops_total")
        equal(accounted, 4 * count, f"{transport}: packets that came or were counted as dropped")
        last = numbers[numbers.index(0, 1) if 0 in numbers[1:] else 0 :]
        equal(last, sorted(last), f"{transport}: order")
        talks(slow, peer, 0x4000)
        slow.close()
        streams.wait_for("stream_queued_bytes", 0)


@case()
def a_stuck_client_is_closed(t):
    streams = Streams(t, admin={"limits": {"streams": {"stuck_timeout": 1}}})
    for transport in ("tcp", "tls"):
        stuck, peer, _ = streams.call(transport, channel=0x4000, receive_buffer=8192)
        before = streams.sum("connections_ended_total", reason="stuck")
        pour(streams, stuck, peer, 8)
        streams.wait_for("connections_ended_total", before + 1, reason="stuck")
        stuck.wait_closed()
    streams.wait_for("allocations", 0)
    streams.wait_for("stream_queued_bytes", 0)


@case()
def who_asks_without_reading_is_closed(t):
    streams = Streams(t)
    client = streams.client("tcp", receive_buffer=4096)
    requests = b"".join(stun.encode(stun.BINDING, stun.REQUEST, []) for _ in range(1000))
    client.sock.settimeout(0.2)
    try:
        for _ in range(2000):
            client.sock.sendall(requests)
    except (TimeoutError, ConnectionError):
        pass
    eventually(lambda: streams.sum("connections_ended_total", reason="answers") == 1, "ended for its answers")
    talks(*streams.call("tcp")[:2])


@case()
def drain_keeps_live_connections_and_refuses_new_allocations(t):
    streams = Streams(t)
    calls = [streams.call(transport) for transport in CONNECTIONS]
    idle = {transport: streams.client(transport) for transport in CONNECTIONS}
    streams.relay.signal(15)
    streams.relay.wait_for_log("draining")
    for client in idle.values():
        client.refused(508, client.allocate)
    for client, peer, _ in calls:
        client.refresh()
        client.permit(PEER)
        talks(client, peer)
    for client, _, _ in calls:
        client.refresh(0)
    equal(streams.relay.wait(5), 0, "exit status")
    for client in idle.values():
        try:
            equal(client.take(1), None, "what comes behind the relay's end")
        except (stream_client.Closed, dtls_client.Closed):
            pass
