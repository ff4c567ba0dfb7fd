"""uturn-bench reports what a harmful network did: exactly what was lost, doubled, reordered and corrupted, and how late."""

import bench
import udp_proxy
from bench import check, target
from harness import equal
from udp_proxy import DOWN, UP

# Places within 50 packets of a stream, far enough from each other that no harm meets another.
HARMS = {3: "drop", 4: "drop", 11: "duplicate", 19: "hold", 27: "corrupt", 35: "corrupt", 42: "drop"}
# Of each stream only these are harmed: a few of the first and the last ones may lie outside of the window, and do not count.
HARMED = range(20, 120)
OUTSIDE = 20


def through(t, proxy, *arguments):
    """A paced flood through the proxy, whose window begins with the first packet."""
    options = ["--warmup", 0, "--drain", 0.5, "--direction", "both", "--burst", 1, "--threads", 1, "--json"]
    return bench.succeed(t, "flood", *target(proxy.address), *options, *arguments)


def harmed(t, *arguments):
    bench.alone_on_the_network(t)
    bench.ahead_of_others()
    proxy = udp_proxy.Proxy(t, t.relay().address, HARMS, HARMED)
    result = through(t, proxy, "--flows", 2, "--size", 200, "--rate", 600, "--seconds", 1, *arguments).result
    check(result, bench.LOAD)
    for direction in (UP, DOWN):
        check(result[direction], bench.PART, direction)
        counts, packets = proxy.counts[direction], result[direction]["packets"]
        print(direction, counts, packets)
        # Two flows, two periods of each.
        equal([counts.dropped, counts.duplicated, counts.reordered, counts.corrupted], [12, 4, 4, 8], f"{direction}: what the proxy did")
        lost = counts.dropped + counts.corrupted
        told = [packets[name] for name in ("lost", "duplicated", "reordered", "corrupted", "stale")]
        equal(told, [lost, counts.duplicated, counts.reordered, counts.corrupted, 0], f"{direction}: what was told")
        equal(packets["delivered"], packets["sent"] - lost, f"{direction}: delivered")
        assert 0 <= counts.media - packets["sent"] <= OUTSIDE, f"{direction}: {counts.media} came, {packets['sent']} sent"
    for name, number in result["packets"].items():
        equal(number, sum(result[part]["packets"][name] for part in (UP, DOWN)), f"{name} of both directions together")
    equal(round(result["loss"] * result["packets"]["sent"]), result["packets"]["lost"], "the loss")


@bench.case(timeout=12)
def harm_to_channel_data_is_told_exactly(t):
    harmed(t)


@bench.case(timeout=12)
def harm_to_indications_is_told_exactly(t):
    harmed(t, "--indications")


@bench.case(timeout=12)
def nothing_is_told_of_a_network_without_harm(t):
    bench.alone_on_the_network(t)
    bench.ahead_of_others()
    relay = t.relay()
    result = through(t, relay, "--flows", 3, "--rate", 900, "--seconds", 0.5, "--server-pid", relay.pid).result
    check(result, bench.LOAD | bench.FLOOD | bench.WITH_PID)
    packets = result["packets"]
    assert 300 <= packets["delivered"] <= 460, packets
    # What a loader that was held up for long leaves out is unsent.
    equal(packets | {"sent": 0, "delivered": 0, "unsent": 0}, dict.fromkeys(packets, 0), "anything but delivered")


@bench.case(alone=True, timeout=12)
def a_delay_is_seen_in_the_latency(t):
    bench.alone_on_the_network(t)
    bench.ahead_of_others()
    proxy = udp_proxy.Proxy(t, t.relay().address, delay=0.020)
    result = through(t, proxy, "--flows", 1, "--rate", 500, "--seconds", 0.7).result
    for direction in (UP, DOWN):
        latency = result[direction]["latency"]
        print(direction, latency)
        assert 20_000 <= latency["p50_us"] <= 22_000, f"{direction}: p50 is {latency['p50_us']} us through a delay of 20 ms"
        assert latency["min_us"] >= 19_900, f"{direction}: a packet was there after {latency['min_us']} us"
