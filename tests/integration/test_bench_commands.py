"""Every command of uturn-bench, once and briefly: what it measures, what it writes, and that it leaves nothing behind."""

import os
import re
import subprocess

import bench
import capture_file
from bench import INTERRUPTED, NUMBER, check, succeed, target
from harness import equal, eventually

BRIEF = ["--warmup", 0.1, "--drain", 0.2]


def server(t, paced=False):
    bench.alone_on_the_network(t)
    if paced:
        bench.ahead_of_others()
    return t.relay()


def small_capture(t):
    path = os.path.join(t.directory, "call.pcap")
    plan = [(at * 5_000_000, 0, direction, 100 + at) for at in range(100) for direction in ("up", "down")]
    capture_file.write_pcap(path, capture_file.plain_call(plan))
    return path


def document_of(t, path):
    with open(path) as file:
        text = file.read()
    return bench.Result(0, text, "").document


@bench.case(timeout=10)
def help_tells_all(t):
    text = succeed(t, "--help").out
    for command in ("inspect", "replay", "flood", "allocate", "connect", "handshakes", "attack", "find-max", "compare", "report"):
        assert f"  {command} " in text, f"{command} is not in\n{text}"
        own = succeed(t, command, "--help").out
        assert own.startswith(f"Usage: uturn-bench {command} "), own
        assert "ARGP" not in own and "(null)" not in own, own
    assert re.fullmatch(r"uturn-bench \d+\.\d+\.\d+\n", succeed(t, "--version").out)
    equal(succeed(t, "flood", "--version").out, succeed(t, "--version").out, "version")
    listed = succeed(t, "compare", "--list").out
    for name in ("up-8x1200", "replay-720p", "allocate", "attack", "tls-up-8x1200", "dtls-idle", "tls-handshakes", "uturn-io_uring", "coturn"):
        assert f"  {name} " in listed, f"{name} is not in\n{listed}"


@bench.case(timeout=12)
def flood_and_report(t):
    relay = server(t)
    document, page = (os.path.join(t.directory, name) for name in ("flood.json", "page.html"))
    result = succeed(
        t, "flood", *target(relay.address), *BRIEF, "--seconds", 0.3, "--flows", 4, "--direction", "both", "--gso",
        "--server-pid", relay.pid, "--system-calls", 0.2, "--output", document,
    )
    assert "p99" in result.out and "per delivered packet" in result.out, result.out
    check(document_of(t, document), bench.DOCUMENT)
    flood = document_of(t, document)["results"][0]
    check(flood, bench.LOAD | bench.FLOOD | bench.WITH_PID)
    equal(flood["kind"], "flood", "kind")
    equal(flood["workload"]["direction"], "both", "direction")
    equal(flood["server"]["pid"], relay.pid, "the server's pid")
    assert flood["packets"]["delivered"] > 500, flood["packets"]
    assert flood["cpu"]["run_ns_per_packet"] > 100, flood["cpu"]

    succeed(t, "report", document, document, "-o", page)
    with open(page) as file:
        text = file.read()
    assert text.lstrip().lower().startswith("<!doctype html"), text[:100]
    assert "uturn-bench/1" in text and "</html>" in text
    outside = re.findall(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//[^"'\s>]+""", text)
    equal(outside, [], "what the page needs from elsewhere")
    equal(sorted(os.listdir(t.directory)), ["flood.json", "page.html", "relay0"], "files")


@bench.case(timeout=12)
def allocate_measures_memory_and_rate(t):
    relay = server(t)
    document = succeed(t, "allocate", "--hold", 50, "--parallel", 8, *target(relay.address), "--server-pid", relay.pid, "--json").result
    check(document, {
        "held": int, "allocations_per_s": NUMBER, "run_ns_per_allocation": NUMBER, "busy": NUMBER, "loader_bound": bool,
        "rss_idle_bytes": int, "rss_held_bytes": int, "rss_after_bytes": int, "rss_bytes_per_allocation": NUMBER,
    })
    equal((document["kind"], document["held"]), ("allocate", 50), "kind and held")
    assert document["allocations_per_s"] > 100, document
    relay.wait_for_metric("uturn_allocations", 0)
    assert "allocations" in succeed(t, "allocate", "--hold", 5, "--no-channels", *target(relay.address)).out


@bench.case(timeout=15)
def attack_shows_before_and_during(t):
    relay = server(t, paced=True)
    options = ["--rate", 2000, "--victim-rate", 400, "--seconds", 0.3, "--drain", 0.2, "--warmup", 0.1]
    document = succeed(t, "attack", *target(relay.address), *options, "--json").result
    equal(document["kind"], "attack", "kind")
    equal([attack["name"] for attack in document["attacks"]], ["unauthenticated", "unpermitted", "client"], "attacks")
    for attack in document["attacks"]:
        check(attack, {"attack_packets": int, "before": bench.LOAD, "during": bench.LOAD, "lost": int, "p99_ratio": NUMBER})
        assert 100 <= attack["attack_packets"] <= 1000, f"{attack['name']}: {attack['attack_packets']} packets in 0.3 s of 2000/s"
    captured = succeed(t, "attack", small_capture(t), "--kind", "unpermitted", *target(relay.address), *options[:2], *options[4:])
    assert "unpermitted" in captured.out, captured.out


@bench.case(timeout=15)
def find_max_searches_within_bounds(t):
    relay = server(t, paced=True)
    bounds = ["--first", 1, "--limit", 4, "--loss", 0.5, "--p99-ms", 500, "--seconds", 0.3, *BRIEF]
    document = succeed(t, "find-max", small_capture(t), *target(relay.address), *bounds, "--json").result
    check(document, {"found": NUMBER, "unit": str, "at_least": bool, "loss_max": NUMBER, "latency_p99_max_us": NUMBER, "steps": list})
    equal((document["kind"], document["unit"]), ("find-max", "calls"), "kind and unit")
    # On a busy machine the loader may be the limit, which ends the search.
    equal(document["at_least"], True, "at least")
    loads = [1, 2, 4][: len(document["steps"])]
    equal([step["load"] for step in document["steps"]], loads, "steps")
    assert "calls" not in document["workload"], document["workload"]
    assert document["found"] == 4 or document["steps"][-1]["loader_bound"], document
    for step in document["steps"]:
        check(step, {"load": NUMBER, "offered_per_s": NUMBER, "delivered_per_s": NUMBER, "loss": NUMBER, "passed": bool, "loader_bound": bool})
    bounds[3] = 2
    document = succeed(t, "find-max", *target(relay.address), *bounds, "--json").result
    assert "rate_per_s" not in document["workload"], document["workload"]
    equal((document["unit"], document["found"] > 0), ("packets/s", True), "unit, and whether anything was found")


def left_behind(t):
    """Processes that were started in a folder of this test's, and what is in it."""
    listing = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout
    processes = [line for line in listing.splitlines() if t.directory in line and "ps -eo" not in line]
    return processes, [name for name in os.listdir(t.directory) if name.startswith("uturn-bench-")]


def comparison(t, *arguments, **options):
    places = ["--uturn", t.options.binary, "--rounds", 1, "--seconds", 0.3, "--json"]
    bench.ahead_of_others()
    result = bench.run(t, "compare", "--servers", "uturn-io_uring,uturn-epoll", *places, *arguments, **options)
    equal((result.status, result.err), (0, ""), "status and standard error")
    check(result.document, bench.DOCUMENT)
    equal(len(result.document["comparisons"]), 1, "comparisons")
    compared = result.document["comparisons"][0]
    check(compared, {
        "workload": {"name": str, "title": str}, "rounds": int, "seconds": NUMBER, "reference": str, "netns": bool, "interrupted": bool,
        "servers": list, "bars": list,
    })
    equal([one["name"] for one in compared["servers"]], ["uturn-io_uring", "uturn-epoll"], "servers")
    for one in compared["servers"]:
        equal(len(one["results"]), 1, "rounds that count")
        check(one["results"][0], bench.LOAD | bench.WITH_PID)
        check(one["median"], dict.fromkeys(["run_ns_per_packet", "delivered_per_s", "loss", "latency_p50_us", "latency_p99_us"], NUMBER))
        assert one["results"][0]["packets"]["delivered"] > 50, one["results"][0]["packets"]
    check(compared["servers"][1]["ratio"]["run_time"], {"median": NUMBER, "low": NUMBER, "high": NUMBER})
    equal(left_behind(t), ([], []), "processes and folders that are left")
    return compared


@bench.case(timeout=20)
def compare_takes_turns_and_cleans_up(t):
    bench.alone_on_the_network(t)
    compared = comparison(t, "--", "flood", "--flows", 4, "--rate", 2000)
    equal(compared["netns"], False, "netns")
    assert compared["workload"]["title"] == "--flows 4 --rate 2000", compared["workload"]


@bench.case(timeout=20)
def compare_in_namespaces_of_its_own(t):
    bench.alone_on_the_network(t)
    compared = comparison(t, "--netns", "--", "flood", "--flows", 4, "--rate", 2000)
    equal(compared["netns"], True, "netns")


@bench.case(timeout=20)
def compare_ends_cleanly_when_interrupted(t):
    bench.alone_on_the_network(t)
    arguments = ["--servers", "uturn-epoll", "--uturn", t.options.binary, "--rounds", 50, "--seconds", 0.2, "--netns", "--json"]
    process = bench.start(t, "compare", *arguments, "--", "flood", "--flows", 2)
    namespaces = [f"uturn-bench-{process.pid}-{end}" for end in ("server", "loader")]
    eventually(lambda: len(os.listdir(t.directory)) > 0, "a server's folder")
    for name in namespaces:
        assert os.path.exists(f"/run/netns/{name}"), f"there is no namespace {name}"
    process.terminate()
    result = bench.finish(process)
    equal((result.status, result.err), (INTERRUPTED, ""), "status and standard error")
    check(result.document, bench.DOCUMENT)
    equal(left_behind(t), ([], []), "processes and folders that are left")
    for name in namespaces:
        assert not os.path.exists(f"/run/netns/{name}"), f"the namespace {name} is left"


FLAKY = """#!/bin/sh
# Starts the relay twice, and then no more: flaky STARTS UTURN ADDRESS PORT USER PASSWORD FOLDER
echo start >>"$1"
[ "$(wc -l <"$1")" -le 2 ] || { echo worn out; exit 3; }
cat >"$7/flaky.json" <<END
{"version": "uturn/v1", "listeners": [{"name": "udp", "address": "$3", "port": $4, "routes": ["loopback"]}],
 "auth": {"type": "static", "realm": "flaky", "credentials": {"username": "$5", "password": "$6"}},
 "clusters": [{"name": "loopback", "type": "STATIC", "endpoints": ["127.0.0.0/8"]}]}
END
exec "$2" -c "$7/flaky.json"
"""


@bench.case(timeout=20)
def compare_counts_what_a_script_has_started(t):
    bench.alone_on_the_network(t)
    script = os.path.join(t.directory, "wrapper")
    with open(script, "w", encoding="utf-8") as file:
        file.write(FLAKY.replace("exec ", "") + "true\n")
    command = f"sh {script} {t.directory}/starts {t.options.binary} {{address}} {{port}} {{user}} {{password}} {{folder}}"
    arguments = ["--servers", "uturn-epoll", "--uturn", t.options.binary, "--server", f"mine={command}", "--rounds", 1, "--seconds", 0.3]
    result = bench.run(t, "compare", *arguments, "--json", "--", "flood", "--flows", 2, "--rate", 2000)
    equal((result.status, result.err), (0, ""), "status and standard error")
    ours, mine = [one["results"][0] for one in result.document["comparisons"][0]["servers"]]
    assert mine["cpu"]["run_ns_per_packet"] > ours["cpu"]["run_ns_per_packet"] / 5, mine["cpu"]
    equal(mine["cpu"]["threads"], ours["cpu"]["threads"] + 1, "threads: the relay's, and the script's")
    equal(left_behind(t), ([], []), "processes and folders that are left")


@bench.case(timeout=20)
def compare_keeps_what_it_measured_when_a_server_fails(t):
    bench.alone_on_the_network(t)
    script = os.path.join(t.directory, "flaky")
    with open(script, "w", encoding="utf-8") as file:
        file.write(FLAKY)
    command = f"sh {script} {t.directory}/starts {t.options.binary} {{address}} {{port}} {{user}} {{password}} {{folder}}"
    arguments = ["--servers", "uturn-epoll", "--uturn", t.options.binary, "--server", f"flaky={command}", "--rounds", 3, "--seconds", 0.2]
    result = bench.run(t, "compare", *arguments, "--json", "--", "flood", "--flows", 2, "--rate", 500)
    equal((result.status, len(result.err.splitlines())), (bench.FAILED, 1), f"status and lines of {result.err!r}")
    compared = result.document["comparisons"][0]
    equal([len(one["results"]) for one in compared["servers"]], [2, 1], "rounds that were completed")
    equal((compared["interrupted"], f"uturn-bench: {compared['failure']}\n"), (True, result.err), "interrupted, and the line")
    assert "worn out" in result.err, result.err
    equal(left_behind(t), ([], []), "processes and folders that are left")


@bench.case(timeout=10)
def compare_with_a_server_that_does_not_start(t):
    bench.alone_on_the_network(t)
    arguments = ["compare", "--servers", "uturn-epoll", "--uturn", t.options.binary, "--server", "mine=sh -c 'echo cannot >&2; exit 3'"]
    bench.refused(t, bench.FAILED, ["mine", "cannot"], *arguments, "--rounds", 1, "--seconds", 0.1, "--", "flood", "--flows", 1)
    equal(left_behind(t), ([], []), "processes and folders that are left")
