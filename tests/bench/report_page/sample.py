#!/usr/bin/python3
"""Documents as uturn-bench writes them (bench/FORMAT.md), made up: for looking at the report's page, and for its check.

usage: sample.py DIR     writes one file per kind of document

The numbers are of a believable size and always the same; they say nothing about any server.
"""

import json
import pathlib
import random
import sys

from sample_results import BOTH, DOWN, VERSIONS, allocate, attack, connect, distribution, figure, find_max, flood, handshakes, load, replay

ODD_NAME = '</script><script>document.title="broken"</script><b>x'
SERVERS = list(VERSIONS)


# name, title, parameters, ns per packet of each server, bounds against coturn and coturn-multiplex
WORKLOADS = [
    (
        "up-8x1200",
        "client to peer, 20 flows, bursts of 8 x 1200 B, single packets on arrival",
        flood(),
        (1012, 1180, 2365, 1640),
        (2.0, 1.1),
    ),
    (
        "up-gro8",
        "client to peer, 20 flows, 1200 B arriving as GRO aggregates of 8",
        flood(gso=True),
        (389, 431, 2376, 1290),
        (5.5, 2.5),
    ),
    (
        "up-gro32",
        "client to peer, 20 flows, 1200 B arriving as GRO aggregates of 32",
        flood(burst=32, gso=True),
        (301, 322, 2371, 1079),
        (7.5, 3.5),
    ),
    (
        "down-8x1200",
        "peer to client, 20 flows, bursts of 8 x 1200 B, single packets on arrival",
        flood(DOWN),
        (1105, 1260, 2281, 2345),
        (1.9, 1.9),
    ),
    (
        "down-gro8",
        "peer to client, 20 flows, 1200 B arriving as GRO aggregates of 8",
        flood(DOWN, gso=True),
        (412, 455, 2290, 2310),
        (5.0, 5.0),
    ),
    ("both-8x1200", "both directions at once, 20 flows, bursts of 8 x 1200 B", flood(BOTH), (1230, 1370, 2330, 1900), (1.7, 1.2)),
    (
        "indications-8x1200",
        "20 flows, bursts of 8 x 1200 B in Send indications, and Data indications back",
        flood(BOTH, indications=True),
        (1290, 1450, 2434, 2335),
        (1.8, 1.7),
    ),
    (
        "audio-160",
        "client to peer, 20 flows, single packets of 160 B (audio)",
        flood(size=160, burst=1),
        (1842, 1950, 2250, 2175),
        (1.25, 1.2),
    ),
    (
        "flows-4000",
        "client to peer, 4000 flows, single packets of 1200 B, 100 k/s in all",
        flood(flows=4000, burst=1, rate=100e3),
        (4230, 4800, 6480, 5066),
        (1.45, 1.1),
    ),
    (
        "replay-720p",
        "the captured 720p call, as many copies as load coturn's core to 70 %",
        replay(46, 18211),
        (2210, 2620, 4100, 3420),
        (1.6, 1.2),
    ),
    (
        "replay-audio",
        "the captured audio call, as many copies as load coturn's core to 70 %",
        replay(1350, 2503),
        (3580, 4400, 5010, 4720),
        (1.25, 1.1),
    ),
    (
        "replay-datachannel",
        "the captured data-channel transfer, as many copies as load coturn's core to 70 %",
        replay(9, 40718),
        (720, 930, 2640, 1800),
        (3.0, 1.5),
    ),
    (
        "latency-10-20flows",
        "client to peer, 20 flows, single packets of 1200 B, at 10 % of coturn's maximum",
        flood(burst=1, rate=38e3),
        (6900, 7400, 8100, None),
        None,
    ),
]


def median(values):
    values = sorted(value for value in values if value is not None)
    return None if not values else (values[(len(values) - 1) // 2] + values[len(values) // 2]) / 2


def spread(over, under):
    ratios = [a / b for a, b in zip(over, under)]
    return {"median": figure(median(ratios)), "low": figure(min(ratios)), "high": figure(max(ratios))}


def bar(name, server, reference, value, bound, at_least, best_quartile=False):
    met = None if value is None else value >= bound if at_least else value <= bound
    return {
        "figure": name,
        "server": server,
        "reference": reference,
        "best_quartile": best_quartile,
        "value": None if value is None else figure(value),
        "bound": bound,
        "at_least": at_least,
        "met": met,
    }


def comparison(name, title, parameters, rounds, results, bars, ratios, seconds=3.0, calibration=None):
    """`results`: server → RESULTs; `ratios`: name → how it is read, and whether the reference is on top."""
    pick = {
        "run_ns_per_packet": lambda r: r["cpu"]["run_ns_per_packet"],
        "delivered_per_s": lambda r: r["delivered_per_s"],
        "loss": lambda r: r["loss"],
        "latency_p50_us": lambda r: r["latency"]["p50_us"],
        "latency_p99_us": lambda r: r["latency"]["p99_us"],
        "system_calls_per_packet": lambda r: r["system_calls"]["per_packet"],
        "busy": lambda r: r["cpu"]["busy"] if "cpu" in r else r["busy"],
        "rss_held_bytes": lambda r: r["memory"]["rss_held_bytes"] if "memory" in r else r["rss_held_bytes"],
        "allocations_per_s": lambda r: r["allocations_per_s"],
        "rss_bytes_per_allocation": lambda r: r["rss_bytes_per_allocation"],
        "rss_idle_bytes": lambda r: r["rss_idle_bytes"],
        "connections_per_s": lambda r: r["connections_per_s"],
        "rss_bytes_per_connection": lambda r: r["rss_bytes_per_connection"],
        "handshakes_per_core_s": lambda r: r["full"]["per_core_s"],
        "resumed_per_core_s": lambda r: r["resumed"]["per_core_s"] if r["resumed"]["resumed"] == r["resumed"]["done"] else None,
        "victim_lost": lambda r: r["call"]["lost"] if "call" in r else sum(a["lost"] for a in r["attacks"]),
        "victim_p99_ratio": lambda r: r["call"]["p99_ratio"] if "call" in r else max(a["p99_ratio"] for a in r["attacks"]),
    }
    servers = []
    for server, own in results.items():
        medians = {}
        for figure_name, read in pick.items():
            try:
                medians[figure_name] = median([read(result) for result in own])
            except (KeyError, TypeError):
                continue
        ratio = {}
        for ratio_name, (figure_name, reference_on_top) in ratios.items():
            pair = [[pick[figure_name](result) for result in results[who]] for who in ("coturn", server)]
            ratio[ratio_name] = spread(*(pair if reference_on_top else pair[::-1]))
        servers.append(
            {
                "name": server,
                "version": VERSIONS.get(server),
                "results": own,
                "median": medians,
                "ratio": None if server == "coturn" else ratio,
                "loader_bound_rounds": sum(result.get("loader_bound", False) for result in own),
            }
        )
    return {
        "workload": {"name": name, "title": title, **parameters},
        "rounds": rounds,
        "seconds": seconds,
        "reference": "coturn",
        "netns": False,
        "interrupted": False,
        "calibration": calibration,
        "servers": servers,
        "bars": bars,
    }


LOAD_RATIOS = {
    "run_time": ("run_ns_per_packet", True),
    "latency_p50": ("latency_p50_us", False),
    "latency_p99": ("latency_p99_us", False),
}


def load_comparison(rng, row, rounds):
    name, title, parameters, cost, bounds = row
    results = {}
    paced_per_s = parameters.get("rate_per_s") or ("captures" in parameters and 0.7e9 / cost[2]) or None
    for server, ns in zip(SERVERS, cost):
        if ns is None:
            continue
        bound_rounds = {"up-gro8": 2, "up-gro32": 5}.get(name, 0) if server == "uturn-io_uring" else 0
        loss = {
            ("replay-audio", "coturn"): 0.0007,
            ("flows-4000", "coturn"): 0.031,
            ("both-8x1200", "coturn-multiplex"): 0.0002,
        }.get((name, server), 0)
        results[server] = [
            load(
                rng,
                name,
                parameters,
                server,
                ns * (rng.choice((0.8, 1.4)) if "multiplex" in server else 1),
                per_s=paced_per_s,
                loss=loss,
                loader_bound=i < bound_rounds,
            )
            for i in range(rounds)
        ]
    run = {server: [result["cpu"]["run_ns_per_packet"] for result in own] for server, own in results.items()}
    bars = []
    if bounds:
        against = {
            "coturn": median([a / b for a, b in zip(run["coturn"], run["uturn-io_uring"])]),
            "coturn-multiplex": sorted(run["coturn-multiplex"])[1] / median(run["uturn-io_uring"]),
            "coturn-new": None,
        }
        bars = [
            bar("run_time", "uturn-io_uring", "coturn", against["coturn"], bounds[0], True),
            bar("run_time", "uturn-io_uring", "coturn-multiplex", against["coturn-multiplex"], bounds[1], True, True),
            bar(
                "run_time",
                "uturn-epoll",
                "uturn-io_uring",
                median([a / b for a, b in zip(run["uturn-io_uring"], run["uturn-epoll"])]),
                1 / 1.3,
                True,
            ),
        ]
        if name in ("up-8x1200", "down-8x1200"):
            bars.append(bar("run_time", "uturn-io_uring", "pion", None, 2.0, True))
    if name == "up-8x1200":
        bars.append(bar("system_calls", "uturn-io_uring", None, 0.021, 0.05, False))
    if name.startswith(("latency", "replay-720p")):
        for percentile in ("p50", "p99"):
            values = [
                a["latency"][f"{percentile}_us"] / b["latency"][f"{percentile}_us"]
                for a, b in zip(results["uturn-io_uring"], results["coturn"])
            ]
            bars.append(bar(f"latency_{percentile}", "uturn-io_uring", "coturn", median(values), 1.1, False))
    calibration = None
    if "captures" in parameters:
        calibration = {
            "server": "coturn",
            "busy": 0.697,
            "loader_bound": name == "replay-datachannel",
            "calls": parameters["calls"],
        }
    elif name.startswith("latency"):
        calibration = {"server": "coturn", "busy": 0.98, "loader_bound": False, "rate_per_s": parameters["rate_per_s"]}
    return comparison(name, title, parameters, rounds, results, bars, LOAD_RATIOS, calibration=calibration)


def document(results=(), comparisons=(), command=("uturn-bench", "compare", "--set", "full", "--output", "bench.json"), **machine):
    return {
        "format": "uturn-bench/1",
        "created": "2025-03-14T15:09:26Z",
        "command": list(command),
        "version": "0.1.0",
        "seed": 926535,
        "machine": {
            "kernel": "6.18.5-amd64 #1 SMP Debian",
            "distribution": "Debian GNU/Linux 12 (bookworm)",
            "processor": "AMD EPYC 7B13",
            "cores": 2,
            "memory_bytes": 25_200_000_000,
            "clock_source": "tsc",
            "load_average": 0.21,
            "irq_time_accounting": False,
            **machine,
        },
        "results": list(results),
        "comparisons": list(comparisons),
    }


def over_connections(rng, own):
    """The rows of clients over TCP, TLS and DTLS that are no floods."""
    comparisons = []
    for transport, bound in (("tcp", 2048.0), ("tls", 12288.0)):
        results = {server: [connect(rng, server, transport) for _ in range(3)] for server in own}
        bars = [
            bar("memory_connection", server, None, results[server][0]["rss_bytes_per_connection"], bound, False) for server in own[:2]
        ]
        title = f"5000 idle connections of {transport.upper()}, one Binding request answered on each"
        parameters = results[own[0]][0]["workload"]
        comparisons.append(comparison(f"{transport}-idle", title, parameters | {"name": f"{transport}-idle"}, 3, results, bars, {}))
    results = {server: [handshakes(rng, server, server.startswith("uturn")) for _ in range(3)] for server in own}
    bars = [bar("victim_loss", server, None, 0.0, 0.0, False) for server in own[:2]]
    title = "TLS 1.2 handshakes, P-256: full, resumed, and a call over UDP beside 500 full ones a second"
    parameters = results[own[0]][0]["workload"] | {"name": "tls-handshakes"}
    ratios = {"handshakes": ("handshakes_per_core_s", False)}
    comparisons.append(comparison("tls-handshakes", title, parameters, 3, results, bars, ratios, seconds=1.5))
    return comparisons


def full(rounds=5):
    rng = random.Random(1)
    comparisons = [load_comparison(rng, row, rounds) for row in WORKLOADS]
    own = [server for server in SERVERS if server != "coturn-multiplex"]
    results = {server: [allocate(rng, server) for _ in range(rounds)] for server in own}
    bars = []
    for server in own[:2]:
        bars += [
            bar("memory", server, None, 1690.0, 2048.0, False),
            bar("memory_idle", server, None, 6.9e6, 12e6, False),
            bar("memory_held", server, None, 13.66e6, 20e6, False),
            bar(
                "allocations",
                server,
                "coturn",
                results[server][0]["allocations_per_s"] / results["coturn"][0]["allocations_per_s"],
                2.0 if server == own[0] else 3.0,
                True,
            ),
        ]
    comparisons.append(
        comparison(
            "allocate",
            "4000 allocations with one permission and one channel each",
            {"held": 4000, "parallel": 64, "channels": True},
            rounds,
            results,
            bars,
            {"allocations": ("allocations_per_s", False)},
        )
    )
    results = {server: [attack(rng, server) for _ in range(2)] for server in own}
    bars = [
        bar(*row)
        for server in own[:2]
        for row in (("victim_loss", server, None, 0.0, 0.0, False), ("victim_p99", server, None, 1.83, 2.0, False))
    ]
    comparisons.append(
        comparison(
            "attack",
            "a call of 5 flows, 1000 packets/s in all, while others flood",
            flood(BOTH, flows=5, size=1000, burst=1, rate=1000),
            2,
            results,
            bars,
            {},
            seconds=1.0,
        )
    )
    comparisons += over_connections(rng, own)
    return document(comparisons=comparisons)


def interrupted():
    """Ctrl-C in the second workload; interrupt time accounting; a busy machine; nothing watched of one server."""
    rng = random.Random(2)
    done, begun = (load_comparison(rng, row, 2) for row in WORKLOADS[:2])
    for result in done["servers"][1]["results"]:
        result.update(
            cpu=None,
            memory=None,
            system_calls={"per_packet": None, "why": "perf is not permitted here: kernel.perf_event_paranoid is 3"},
        )
    done["servers"][1]["median"].update(run_ns_per_packet=None, system_calls_per_packet=None, busy=None, rss_held_bytes=None)
    done["servers"][1]["ratio"]["run_time"] = dict.fromkeys(("median", "low", "high"))
    begun["interrupted"] = True
    begun["failure"] = "up-gro8, coturn: the server (pid 77) ended during the measurement"
    for server in begun["servers"]:
        server.update(results=[], median=dict.fromkeys(server["median"]), ratio=None, loader_bound_rounds=0)
    begun["bars"] = [{**one, "value": None, "met": None} for one in begun["bars"]]
    return document(comparisons=[done, begun], load_average=1.9, irq_time_accounting=True)


def odd():
    """Names that would break a page that trusted them, and servers of the user's own."""
    rng = random.Random(3)
    names = [
        ODD_NAME,
        "coturn",
        "a server with a very long name that somebody gave it on the command line, for whatever reason",
        "__proto__",
    ]
    results = {name: [load(rng, ODD_NAME, flood(), name, 1500 + 300 * i) for _ in range(3)] for i, name in enumerate(names)}
    made = comparison(ODD_NAME, "<img src=x onerror=alert(1)> & <!-- <script>", flood(), 3, results, [], LOAD_RATIOS)
    results["coturn"][0]["packets"]["corrupted"] = 3
    return document(comparisons=[made], command=("uturn-bench", "compare", "--server", ODD_NAME + "='it'"))


def bare():
    """What was stopped before anything was measured, and results in which everything is missing."""
    rng = random.Random(5)
    none = load_comparison(rng, WORKLOADS[0], 2)
    for server in none["servers"]:
        server.update(results=[], median=dict.fromkeys(server["median"]), ratio=None, loader_bound_rounds=0)
    none.update(interrupted=True, bars=[{**one, "value": None, "met": None} for one in none["bars"]])
    empty = [{"kind": "attack", "attacks": [{"name": "client"}]}, {"kind": "find-max", "steps": [{"load": 10}]}]
    empty += [{"kind": kind} for kind in ("flood", "replay", "allocate", "attack", "find-max", "connect", "handshakes")]
    cut_short = {"kind": "flood", "latency": {"percentiles": [[50, None], [99], "x"]}, "cpu": {"core_split": None}, "server": None}
    return document(results=[*empty, cut_short, {}], comparisons=[none, {}, {"servers": [{}], "bars": [{}]}])


def single(result, *command):
    return document(results=[result], command=("uturn-bench", *command, "-t", "127.0.0.1", "--output", "one.json"))


def samples():
    rng = random.Random(4)
    remote = load(rng, "flood", flood(BOTH, rate=50e3, burst=1), "coturn", 5000, per_s=50e3, loss=0.0004, known=False)
    remote["server"].update(name=None, version=None, address="[2001:db8::7]:3478")
    before, after = full(3), full(3)
    after["comparisons"] = [one for one in after["comparisons"] if one["workload"]["name"].startswith(("up", "replay", "allocate"))]
    after["comparisons"][0]["netns"] = True
    silent = load(rng, "flood", flood(), "mine", 2000, loss=1.0)
    silent.update(
        latency=distribution(rng, 1, 1, 0), jitter=distribution(rng, 1, 1, 0), delivered_per_s=0.0, goodput_bit_per_s=0.0, up=None
    )
    silent["cpu"]["run_ns_per_packet"] = None
    return {
        "full": [full()],
        "interrupted": [interrupted()],
        "odd": [odd()],
        "bare": [bare()],
        "two": [before, after],
        "flood": [single(load(rng, "flood", flood(BOTH), "uturn-io_uring", 1230), "flood", "--direction", "both")],
        "remote": [single(remote, "flood", "--rate", "50000")],
        "silent": [single(silent, "flood")],
        "replay": [
            single(load(rng, "call", replay(40, 18211), "coturn", 4100, per_s=58e3), "replay", "call.pcap", "--calls", "40")
        ],
        "find-max": [
            single(find_max(rng, server, most), "find-max", "call.pcap")
            for server, most in (("uturn-io_uring", 148), ("coturn", 104))
        ],
        "attack": [single(attack(rng, "coturn"), "attack")],
        "allocate": [single(allocate(rng, "uturn-epoll"), "allocate", "--hold", "4000")],
        "connect": [single(connect(rng, "uturn-epoll", "dtls"), "connect", "--hold", "5000")],
        "handshakes": [single(handshakes(rng, "coturn", False), "handshakes")],
    }


def write(directory):
    """Name of the sample → its files."""
    paths = {}
    for name, documents in samples().items():
        paths[name] = [pathlib.Path(directory) / f"{name}-{i + 1}.json" for i in range(len(documents))]
        for path, one in zip(paths[name], documents):
            path.write_text(json.dumps(one, allow_nan=False), encoding="utf-8")
    return paths


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    for sample in write(sys.argv[1]).values():
        print(*sample)
