"""Single results as uturn-bench writes them (bench/FORMAT.md), made up; see sample.py."""

import math

PERCENTS = (0, 10, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 99.99, 100)
VERSIONS = {
    "uturn-io_uring": "uturn 0.1.0 (io_uring)",
    "uturn-epoll": "uturn 0.1.0 (epoll)",
    "coturn": "Coturn-4.6.1 'Gorst'",
    "coturn-multiplex": "Coturn-4.18.0, --multiplex-peer --udp-gso",
}
UP, DOWN, BOTH = "up", "down", "both"


def flood(direction=UP, flows=20, size=1200, burst=8, gso=False, indications=False, rate=0):
    pace = {"rate_per_s": rate} if rate else {"window": 64}
    return {"flows": flows, "size": size, "burst": burst, "direction": direction, "indications": indications, "gso": gso, **pace}


def replay(calls, packets):
    return {"captures": ["captures/call.pcap"], "calls": calls, "call_seconds": 12.5, "packets_per_call": packets, "gso": False}


ATTACK = {"unauthenticated": (1.12, 0), "unpermitted": (1.31, 0), "client": (1.74, 0)}
SLOWER = {"uturn-io_uring": 1.0, "uturn-epoll": 1.15, "coturn": 1.6, "coturn-multiplex": 1.8}


def figure(value):
    return float(f"{value:.6g}")


def distribution(rng, median_us, tail, count):
    """Log-normal with a heavier tail; the maximum grows with the count."""
    if count == 0:
        return {
            "count": 0,
            "percentiles": [],
            **dict.fromkeys(("mean_us", "min_us", "p50_us", "p90_us", "p99_us", "p99_9_us", "max_us")),
        }

    def at(percent):
        share = min(max(percent / 100, 0.5 / count), 1 - 0.5 / count)
        rank = math.log(share / (1 - share)) / 1.7
        return figure(median_us * math.exp(rank * (0.22 if rank < 0 else tail)) * rng.uniform(0.98, 1.02))

    points = sorted(at(percent) for percent in PERCENTS)
    of = dict(zip(PERCENTS, points))
    return {
        "count": count,
        "mean_us": figure(median_us * 1.12),
        "min_us": of[0],
        "p50_us": of[50],
        "p90_us": of[90],
        "p99_us": of[99],
        "p99_9_us": of[99.9],
        "max_us": of[100],
        "percentiles": [[percent, us] for percent, us in of.items()],
    }


def packets(sent, loss):
    lost = round(sent * loss)
    return {
        "sent": sent,
        "delivered": sent - lost,
        "lost": lost,
        "duplicated": 0,
        "reordered": 0,
        "corrupted": 0,
        "stale": 0,
        "unsent": 0,
    }


def load(rng, name, parameters, server, ns, seconds=3.0, per_s=None, loss=0.0, latency_us=None, loader_bound=False, known=True):
    """A RESULT of a flood or a replay."""
    paced = "window" not in parameters
    slower = SLOWER.get(server, 1.3)
    ns = ns * rng.uniform(0.96, 1.05)
    per_s = per_s or min(1e9 / ns * 0.98, 2.4e6)
    delivered_per_s = per_s * (1 - loss)
    busy = min(1.0, delivered_per_s * ns / 1e9)
    latency_us = latency_us or (
        28 * slower / (1.05 - min(busy, 0.95)) ** 0.7 if paced else 20 * 64 * 1e6 / per_s * rng.uniform(0.5, 0.6)
    )
    tail = 0.42 * slower**0.5 if paced else 0.16 * slower
    sent = round(per_s * seconds)
    directions = {UP: parameters.get("direction", BOTH) != DOWN, DOWN: parameters.get("direction", BOTH) != UP}
    share = 1 / sum(directions.values())

    def part(there, factor):
        return (
            {
                "packets": packets(round(sent * share), loss),
                "delivered_per_s": figure(delivered_per_s * share),
                "latency": distribution(rng, latency_us * factor, tail, round(sent * share)),
                "jitter": distribution(rng, latency_us * factor * 0.2, tail * 1.3, round(sent * share)),
            }
            if there
            else None
        )

    size = parameters.get("size", 900)
    cpu = {
        "run_ns_per_packet": figure(ns),
        "run_s": figure(busy * seconds),
        "busy": figure(busy),
        "ksoftirqd_s": figure(0.002 * seconds),
        "context_switches": round(seconds * 4000 * slower),
        "threads": 2 if server.startswith("uturn") else 7,
        "core_split": {
            "user_s": figure(busy * seconds * 0.12 * slower),
            "system_s": figure(busy * seconds * 0.55),
            "softirq_s": figure(busy * seconds * 0.14),
            "irq_s": 0.0,
            "idle_s": figure(seconds * (1 - busy * (0.69 + 0.12 * slower))),
            "other_s": figure(seconds * 0.003),
        },
    }
    small = {
        "rss_before_bytes": 7_100_000,
        "rss_held_bytes": 7_400_000,
        "rss_bytes": 7_500_000,
        "rss_peak_bytes": 7_700_000,
        "pss_bytes": 5_100_000,
    }
    calls = 0.021 * slower if server.startswith("uturn") else 2.05
    return {
        "kind": "replay" if "captures" in parameters else "flood",
        "workload": {"name": name, **parameters},
        "server": {
            "name": server,
            "version": VERSIONS.get(server),
            "address": "127.0.0.1:3478",
            "pid": 4711 if known else None,
            "cores": [1] if known else [],
        },
        "seconds": seconds,
        "interrupted": False,
        "loader_bound": loader_bound,
        "setup_s": figure(0.004 * parameters.get("flows", 40)),
        "offered_per_s": figure(per_s),
        "delivered_per_s": figure(delivered_per_s),
        "goodput_bit_per_s": figure(delivered_per_s * size * 8),
        "packets": packets(sent, loss),
        "loss": figure(packets(sent, loss)["lost"] / sent),
        "up": part(directions[UP], 0.97),
        "down": part(directions[DOWN], 1.06),
        "latency": distribution(rng, latency_us, tail, sent),
        "jitter": distribution(rng, latency_us * 0.2, tail * 1.3, sent),
        "lateness": distribution(rng, 4, 0.6, sent) if paced else None,
        "cpu": cpu if known else None,
        "memory": small if known else None,
        "system_calls": (
            {"per_packet": figure(calls)} if known else {"per_packet": None, "why": "the server's process is not on this machine"}
        ),
        "loader": {
            "busy": figure(0.99 if loader_bound else 0.72),
            "workers": 1,
            "cores": [0],
            "late_share": 0.0004 if paced else None,
        },
    }


def allocate(rng, server, held=4000):
    own = server.startswith("uturn")
    idle, each = (6_900_000, 1690) if own else (13_400_000, 22_300)
    rate = rng.uniform(0.97, 1.03) * (31_000 if server == "uturn-io_uring" else 27_500 if own else 9_800)
    return {
        "kind": "allocate",
        "workload": {"name": "allocate", "held": held, "parallel": 64, "channels": True},
        "server": {"name": server, "version": VERSIONS.get(server), "address": None, "pid": None, "cores": []},
        "held": held,
        "allocations_per_s": figure(rate),
        "run_ns_per_allocation": figure(0.9e9 / rate),
        "busy": 0.9,
        "loader_bound": False,
        "rss_idle_bytes": idle,
        "rss_held_bytes": idle + held * each,
        "rss_after_bytes": idle + held * each // 3,
        "rss_bytes_per_allocation": float(each),
    }


def connect(rng, server, transport="tls", held=5000):
    own = server.startswith("uturn")
    idle, each = (6_900_000, 1700) if own else (13_400_000, 20_800)
    each = each if transport == "tcp" else each * 2
    rate = rng.uniform(0.97, 1.03) * (9_000 if transport == "tcp" else 900)
    tls = None if transport == "tcp" else {"version": "1.2", "cipher": "ECDHE-ECDSA-AES128-GCM-SHA256"}
    return {
        "kind": "connect",
        "workload": {"name": "connect", "held": held, "parallel": 64, "transport": transport},
        "server": {"name": server, "version": VERSIONS.get(server), "address": None, "pid": None, "cores": []},
        "tls": tls,
        "held": held,
        "seconds": figure(held / rate),
        "connections_per_s": figure(rate),
        "run_ns_per_connection": figure(0.4e9 / rate),
        "busy": 0.4,
        "loader_bound": False,
        "rss_idle_bytes": idle,
        "rss_held_bytes": idle + held * each,
        "rss_after_bytes": idle + held * each // 3,
        "rss_bytes_per_connection": float(each),
    }


def handshakes(rng, server, resumes=True):
    own = server.startswith("uturn")

    def part(per_core, resumed):
        each = 1e9 / per_core
        return {
            "done": 500, "failed": 0, "resumed": resumed, "seconds": 1.0, "per_s": 500.0, "run_ns_per_handshake": figure(each),
            "per_core_s": figure(per_core), "busy": figure(500 / per_core), "loader_busy": 0.4, "loader_bound": False,
        }

    parameters = flood(BOTH, flows=5, size=1000, burst=1, rate=4000)
    return {
        "kind": "handshakes",
        "workload": {"name": "handshakes", "count": 1000, "parallel": 16, "handshakes_per_s": 500.0, "call": parameters, "transport": "tls"},
        "server": {"name": server, "version": VERSIONS.get(server), "address": None, "pid": None, "cores": []},
        "tls": {"version": "1.2", "cipher": "ECDHE-ECDSA-AES128-GCM-SHA256"},
        "loader_bound": False,
        "full": part(rng.uniform(0.97, 1.03) * (5000 if own else 1700), 0),
        "resumed": part(rng.uniform(0.97, 1.03) * (9000 if own else 2800), 500 if resumes else 31),
        "call": {
            "handshakes": 748,
            "before": load(rng, "handshakes", parameters, server, 7000, 1.5, per_s=4000, latency_us=31 if own else 42),
            "during": load(rng, "handshakes", parameters, server, 7000, 1.5, per_s=4000, latency_us=40 if own else 90),
            "lost": 0 if own else 12,
            "p99_ratio": 1.4 if own else 5.2,
        },
    }


def attack(rng, server):
    parameters = flood(BOTH, flows=5, size=1000, burst=1, rate=1000)
    own = server.startswith("uturn")
    attacks = []
    for name, (ratio, lost) in ATTACK.items():
        ratio = ratio * rng.uniform(0.97, 1.05) * (1 if own else 4.5)
        before = load(rng, "attack", parameters, server, 7000, 1.0, per_s=1000, latency_us=31 if own else 42)
        during = load(
            rng,
            "attack",
            parameters,
            server,
            7000,
            1.0,
            per_s=1000,
            latency_us=(31 if own else 42) * ratio,
            loss=0 if own else 0.083,
        )
        attacks.append(
            {
                "name": name,
                "attack_packets": 412_000,
                "before": before,
                "during": during,
                "lost": during["packets"]["lost"] + lost,
                "p99_ratio": figure(during["latency"]["p99_us"] / before["latency"]["p99_us"]),
            }
        )
    identity = {"name": server, "version": VERSIONS.get(server), "address": "127.0.0.1:3478", "pid": 4711, "cores": [1]}
    return {
        "kind": "attack",
        "workload": {"name": "attack", **parameters, "attack_rate_per_s": None},
        "server": identity,
        "attacks": attacks,
    }


def find_max(rng, server, most):
    steps, size = [], {"direction": BOTH, "captures": ["captures/call.pcap"], "call_seconds": 12.5, "packets_per_call": 18211}
    for calls in (10, 20, 40, 80, 160, 120, 100, 110, 105):
        passed = calls <= most
        offered = calls * 1457.0
        loss = 0.0 if passed else min(0.4, (calls / most - 1) * 0.7)
        p50 = 30 / max(0.06, 1 - calls / most * 0.94) ** 0.8
        steps.append(
            {
                "load": calls,
                "offered_per_s": offered,
                "delivered_per_s": figure(offered * (1 - loss)),
                "loss": figure(loss),
                "latency_p50_us": figure(p50),
                "latency_p99_us": figure(p50 * (4.1 if passed else 70) * rng.uniform(0.9, 1.1)),
                "busy": figure(min(1, calls / most)),
                "passed": passed,
                "loader_bound": False,
            }
        )
    identity = {"name": server, "version": VERSIONS.get(server), "address": "127.0.0.1:3478", "pid": 4711, "cores": [1]}
    return {
        "kind": "find-max",
        "workload": {"name": "call", **size},
        "server": identity,
        "found": max(s["load"] for s in steps if s["passed"]),
        "unit": "calls",
        "at_least": False,
        "loss_max": 0.001,
        "latency_p99_max_us": 20000.0,
        "steps": steps,
    }
