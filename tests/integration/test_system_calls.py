"""The packet path's system calls, counted by strace and not by the relay alone."""

import os
import re
import signal
import subprocess
import time

import stun
from harness import case, equal

# clock_gettime: of the thread's own processor time, every few milliseconds under load.
ALLOWED = {
    "io_uring": {"io_uring_enter", "clock_gettime"},
    "epoll": {"clock_nanosleep", "clock_gettime", "epoll_wait", "epoll_pwait", "epoll_pwait2", "recvmmsg", "recvmsg", "sendmmsg", "sendmsg"},
}
# What attaching a tracer makes a thread do.
TRACER = {"restart_syscall"}


def loaded_relay(t):
    """A relay with 20 calls, and loaders that send in bursts, as fast as they go."""
    relay = t.relay()
    peer = t.peer()
    clients = [t.client(relay) for _ in range(20)]
    for client in clients:
        client.allocate()
        client.bind(0x4000, peer.getsockname())
    header = stun.channel_data(0x4000, bytes(1196))[:4]
    # Each loader alone is about as fast as a shard; together they keep it behind. A shard that waits for packets is not under load.
    halves = clients[:10], clients[10:]
    return relay, [t.blast([client.sock for client in half], relay.address, 1200, 8, 0, 8, header) for half in halves]


def relayed(metrics):
    return metrics.sum("uturn_packets_total", verdict="to_peer")


def trace(t, relay, seconds):
    """{system call: how often} of all threads but the main one, as strace saw them."""
    output = os.path.join(t.directory, "strace")
    threads = [str(thread) for thread in relay.thread_run_ns()]
    command = ["strace", "-c", "-o", output, *(word for thread in threads for word in ("-p", thread))]
    tracer = t.spawn(command, stdout=subprocess.DEVNULL)
    time.sleep(seconds)
    tracer.send_signal(signal.SIGINT)
    tracer.wait(5)
    counts = {}
    with open(output) as file:
        for line in file:
            row = re.match(r"\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)(?:\s+\d+)?\s+(\w+)$", line)
            if row and row[2] != "total":
                counts[row[2]] = int(row[1])
    return counts


def growth(relay, during):
    """(packets relayed, system calls by the relay's own count) while `during` runs, and what it returned."""
    before = relay.metrics()
    result = during()
    after = relay.metrics()
    packets, calls = (
        after.sum(metric, **labels) - before.sum(metric, **labels)
        for metric, labels in (("uturn_packets_total", {"verdict": "to_peer"}), ("uturn_system_calls_total", {}))
    )
    return packets, calls, result


def look_for_workers(relay):
    for _ in range(80):
        names = relay.thread_names().values()
        assert not [name for name in names if name.startswith("iou-wrk")], f"a request was punted to a worker: {names}"
        time.sleep(0.01)


@case(alone=True, timeout=30, spread=True)
def the_packet_path_takes_few_calls_and_no_others(t):
    relay, loaders = loaded_relay(t)
    time.sleep(0.2)
    packets, calls, _ = growth(relay, lambda: look_for_workers(relay))
    print(f"{packets:.0f} packets, {calls / packets:.4f} system calls each")
    assert packets > 20_000, f"only {packets:.0f} packets"
    # More shards than processors to load them wait for packets most of the time: one call for each packet that wakes them.
    bounded = t.engine == "io_uring" and t.shards == 1
    if bounded:
        assert calls / packets < 0.2, f"{calls / packets:.3f} system calls per packet"

    packets, claimed, counts = growth(relay, lambda: trace(t, relay, 1))
    for loader in loaders:
        loader.terminate()
    print(f"{packets:.0f} packets while traced, {counts}, {claimed:.0f} by the relay's own count")
    assert packets > 5_000, f"only {packets:.0f} packets while traced"
    equal(set(counts) - ALLOWED[t.engine] - TRACER, set(), "other system calls of the shards")
    seen = sum(counts.values())
    assert seen <= claimed * 1.1 + 100, f"strace saw {seen} system calls, the relay counted {claimed:.0f}"
    if bounded:
        assert seen / packets < 0.2, f"{seen / packets:.3f} system calls per packet"
