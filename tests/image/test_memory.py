"""In the 20 MB that STUNner's operator gives a relay by default: 508 before the kernel kills anything."""

import os
import resource

import stun
from cgroup import Cgroup
from client import Client, Refused
from harness import case, equal
from stream_client import Closed
from streams import Streams, talks

MEGABYTE = 1000000
POD = 20 * MEGABYTE
CHANNEL = 0x4000


def raise_descriptors():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def group(t, memory=POD, processors=None):
    t.needs_root()
    made = Cgroup(memory, processors)
    t.ending(made.delete)
    return made


def report(cgroup, relay, when):
    print(f"{when}: {cgroup.usage()} bytes, at most {cgroup.peak()}, at the limit {cgroup.limit_hits()} times, "
          f"sockets' buffers at most {cgroup.socket_peak()}, resident {relay.resident_kib()} KiB")


def is_well(relay, cgroup, when):
    report(cgroup, relay, when)
    assert relay.alive, "the relay is gone"
    equal(cgroup.kills(), 0, "processes killed for want of memory")
    equal(relay.http_status("/live"), 200, "/live")


def allocate_until_refused(t, address, most):
    """As many clients as got an allocation; the next one got 508."""
    clients = []
    while len(clients) <= most:
        client = Client(address)
        t.ending(client.close)
        try:
            client.allocate()
        except Refused as refusal:
            equal(refusal.code, 508, "what the first refused client is told")
            return clients
        clients.append(client)
    raise AssertionError(f"more than {most} allocations, and no end")


def flood(t, relay, clients, seconds=3):
    """Bursts of 1200 bytes through all of them, in both directions, as fast as one core sends."""
    peer = t.peer()
    for client in clients:
        client.bind(CHANNEL, peer.getsockname())
    header = stun.channel_data(CHANNEL, bytes(1196))[:4]
    sockets = [client.sock for client in clients[:200]]
    # Packet by packet, and glued together to what fills a receive buffer.
    for burst in (8, -50):
        loader = t.blast(sockets, relay.address, 1200, burst, 0, seconds, header)
        back = [t.blast([peer], client.relayed, 1200, burst, 20000, seconds) for client in clients[:4]]
        for process in (loader, *back):
            process.wait(seconds + 20)
    return relay.metrics().sum("uturn_packets_total", verdict="to_peer")


@case(engines=("auto",), shards=(0,), alone=True, timeout=120)
def a_pod_of_the_operator_refuses_before_it_dies(t):
    raise_descriptors()
    cgroup = group(t)
    relay = t.make_relay(prefix=cgroup.prefix, listener={"min_relay_port": 10000, "max_relay_port": 19999}, admin={"shards": None})
    relay.write_config()
    # As the operator starts it, on a machine that may have any number of processors.
    relay.start(["-w", "--udp-thread-num=16", "-c", f"file://{relay.config_path}"])
    is_well(relay, cgroup, "idle")
    assert relay.status()["uturn"]["shards"] <= min(2, os.cpu_count()), "more shards than 20 MB hold, or than there are processors"
    relay.wait_for_log("bounded by the memory limit of the cgroup")
    clients = allocate_until_refused(t, relay.address, 5000)
    print(f"{len(clients)} allocations, {relay.status()['uturn']['shards']} shards")
    assert len(clients) >= 100, f"only {len(clients)} allocations in 20 MB"
    is_well(relay, cgroup, "full")
    relayed = flood(t, relay, clients)
    print(f"{relayed} packets relayed")
    assert relayed > 10000, relayed
    is_well(relay, cgroup, "after the flood")
    assert cgroup.peak() <= POD, "more than the limit?"
    # What ends makes room.
    clients[-1].refresh(0)
    client = Client(relay.address)
    t.ending(client.close)
    client.allocate()


@case(engines=("auto",), shards=(0,), alone=True, timeout=180)
def with_every_transport_it_refuses_before_it_dies(t):
    raise_descriptors()
    cgroup = group(t)
    streams = Streams(t, prefix=cgroup.prefix, listener={"min_relay_port": 10000, "max_relay_port": 19999}, admin={
        "limits": {"streams": {"per_source": 0}}})
    relay = streams.relay
    is_well(relay, cgroup, "idle")
    clients, refused = [], 0
    for number in range(3000):
        try:
            client = streams.client(("tls", "dtls", "tcp")[number % 3])
            clients.append(client)
            client.allocate()
        except Refused as refusal:
            equal(refusal.code, 508, "what a refused client is told")
            refused += 1
        except (OSError, AssertionError, Closed):  # closed at once, or a handshake that is not answered
            refused += 1
        if refused > 6:
            break
    print(f"{len(clients)} connections, {refused} refused, {relay.status()['uturn']['shards']} shards")
    assert refused > 6, "no end"
    assert len(clients) >= 50, f"only {len(clients)} connections in 20 MB"
    is_well(relay, cgroup, "full")
    # Handshakes, as many at a time as clients come.
    openers = [t.spawn(["openssl", "s_time", "-connect", f"127.0.0.1:{streams.secure[1]}", "-new", "-time", "3"]) for _ in range(8)]
    for opener in openers:
        opener.wait(30)
    is_well(relay, cgroup, "after handshakes")
    clients[0].close()
    peer = t.peer()
    for client in clients[1:20]:
        if getattr(client, "relayed", None):
            client.bind(CHANNEL, peer.getsockname())
            talks(client, peer, CHANNEL, out=bytes(1200), back=bytes(1200))
    is_well(relay, cgroup, "after traffic")


@case(engines=("auto",), shards=(0,), alone=True)
def half_a_processor_is_one_shard(t):
    cgroup = group(t, memory=200 * MEGABYTE, processors=0.5)
    relay = t.make_relay(prefix=cgroup.prefix).start()
    equal(relay.status()["uturn"]["shards"], 1, "shards")
    shards = [name for name in relay.thread_names().values() if name.startswith("shard-")]
    equal(len(shards), 1, "threads that relay")
