"""uturn-bench replays what a capture holds: the sizes to the byte, the order, the times."""

import collections
import os
import random

import bench
import capture_file
import udp_proxy
from bench import check, target
from harness import equal
from udp_proxy import DOWN, UP

MS = 1_000_000
LENGTH_NS = 800 * MS
# Sizes tell the streams apart wherever they are seen.
SIZES = {(0, UP): (100, 199), (0, DOWN): (200, 299), (1, UP): (300, 399), (1, DOWN): (400, 1200)}


def make_plan(seed):
    """Packets of two paths in both directions, some in bursts; sizes and gaps at random. Each stream begins early and ends late."""
    choice = random.Random(seed)
    plan = []
    for (path, direction), sizes in SIZES.items():
        at_ns = (path * 2 + (direction == DOWN)) * MS
        while at_ns < LENGTH_NS:
            for _ in range(choice.choice((1, 1, 1, 4))):
                plan.append((at_ns, path, direction, choice.randint(*sizes)))
                at_ns += choice.randint(0, 100_000)
            at_ns += choice.randint(5 * MS, 30 * MS)
    return sorted(plan)


def seen_streams(proxy):
    """[(path, direction, its media packets)…] of every stream that came through the proxy."""
    streams = collections.defaultdict(list)
    for media in proxy.seen:
        key = next(key for key, (low, high) in SIZES.items() if low <= media.size <= high)
        equal(key[1], media.direction, f"the direction of a packet of {media.size} bytes")
        streams[media.session, *key].append(media)
    return [(path, direction, packets) for (_, path, direction), packets in streams.items()]


def overhead(media):
    # An indication has a header, an XOR-PEER-ADDRESS of IPv4, and a DATA attribute with its padding.
    return 20 + 12 + 4 + -media.size % 4 if media.indication else 4


def turned(sizes, packets):
    """At which packet of the script a stream began: copies start spread over its length."""
    seen = [media.size for media in packets[: len(sizes)]]
    found = [start for start in range(len(sizes)) if sizes[start:] + sizes[:start] == seen]
    assert len(found) == 1, f"the sizes {seen} are not, in this order, those of the capture: {sizes}"
    return found[0]


def count_in_time(times, packets, start):
    """How many packets came within 1 ms of their time, counted from the first, and after the script's end from its first again."""
    count, first = 0, None
    for index, media in enumerate(packets[: len(times)], start):
        if first is None or index == len(times):
            first = media.at_ns - times[index % len(times)]
        count += abs(media.at_ns - first - times[index % len(times)]) <= MS
    return count


def compare(plan, proxy, calls, by_channel, bound_ns=0):
    """Every stream of every call holds the capture's packets, again and again. The share of the packets that were in time."""
    streams = seen_streams(proxy)
    equal(len(streams), calls * len(SIZES), "streams through the proxy")
    in_time = total = 0
    starts = set()
    for path, direction, packets in streams:
        name = f"path {path} {direction}"
        times, sizes = zip(*[(at_ns, size) for at_ns, *key, size in plan if tuple(key) == (path, direction)])
        assert len(packets) >= len(sizes), f"{name}: {len(packets)} packets, fewer than the {len(sizes)} of the capture"
        start = turned(list(sizes), packets)
        print(f"{name} began with packet {start}")
        starts.add(times[start] // (LENGTH_NS // calls))
        for index, media in enumerate(packets, start):
            equal(media.size, sizes[index % len(sizes)], f"{name}: size of packet {index}")
            indication = path not in by_channel or (direction == UP and times[index % len(sizes)] < bound_ns)
            equal(media.indication, indication, f"{name}: whether packet {index} came in an indication")
            equal(media.raw_size, media.size + overhead(media), f"{name}: bytes of the framed packet {index}")
        in_time += count_in_time(times, packets, start)
        total += len(times)
    equal(starts, set(range(calls)), "where the copies began, in parts of the call")
    print(f"{in_time} of {total} packets within 1 ms")
    return in_time / total


def replayed(t, path, calls, seconds):
    bench.ahead_of_others()
    proxy = udp_proxy.Proxy(t, t.relay().address)
    options = ["--calls", calls, "--seconds", seconds, "--warmup", 0, "--drain", 0.3, "--json"]
    result = bench.succeed(t, "replay", path, *target(proxy.address), *options).result
    check(result, bench.LOAD | bench.REPLAY)
    equal((result["kind"], result["workload"]["calls"]), ("replay", calls), "kind and calls")
    equal(result["workload"]["captures"], [os.path.basename(path)], "captures")
    equal(result["packets"]["lost"], 0, "lost")
    after = len(proxy.seen) - result["packets"]["sent"]
    assert 0 <= after <= 20 * calls, f"{after} packets came that were not sent within the window"
    return proxy


def in_time(share):
    assert share >= 0.95, f"only {share:.1%} of the packets were within 1 ms of their time"


@bench.case(alone=True, timeout=12)
def a_turn_call_keeps_sizes_order_and_times(t):
    bench.alone_on_the_network(t)
    plan, path = make_plan(1), os.path.join(t.directory, "call.pcap")
    capture_file.write_pcap(path, capture_file.turn_call(plan))
    proxy = replayed(t, path, 1, 1.0)
    in_time(compare(plan, proxy, 1, {0}, capture_file.BOUND_NS))


@bench.case(alone=True, timeout=12)
def three_copies_of_a_truncated_call(t):
    bench.alone_on_the_network(t)
    plan, path = make_plan(2), os.path.join(t.directory, "call.pcapng")
    capture_file.write_pcapng(path, capture_file.turn_call(plan), snap=128)
    proxy = replayed(t, path, 3, 1.6)
    in_time(compare(plan, proxy, 3, {0}, capture_file.BOUND_NS))


@bench.case(alone=True, timeout=12)
def a_plain_call_goes_through_channels(t):
    bench.alone_on_the_network(t)
    plan, path = make_plan(3), os.path.join(t.directory, "plain.pcap")
    capture_file.write_pcap(path, capture_file.plain_call(plan), snap=64)
    proxy = replayed(t, path, 1, 1.0)
    in_time(compare(plan, proxy, 1, {0, 1}))


@bench.case(timeout=12)
def inspect_tells_what_a_capture_holds(t):
    plan = make_plan(4)
    turn, plain = (os.path.join(t.directory, name) for name in ("turn.pcapng", "plain.pcap"))
    capture_file.write_pcapng(turn, capture_file.turn_call(plan), snap=128)
    capture_file.write_pcap(plain, capture_file.plain_call(plan))
    out = bench.succeed(t, "inspect", turn, plain).out
    for path, direction in SIZES:
        packets = sum((at, way) == (path, direction) for _, at, way, _ in plan)
        assert out.count(str(packets)) >= 2, f"path {path} {direction}: {packets} packets are not in\n{out}"
    for client in capture_file.CLIENTS:
        equal(out.count(f"{client[0]}:{client[1]}"), 2, f"{client} in\n{out}")
