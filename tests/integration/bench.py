"""Runs uturn-bench, and knows what its documents hold (bench/FORMAT.md)."""

import dataclasses
import functools
import json
import os
import subprocess

import harness
import netns

# The tool is the same whatever engine the relay has.
case = functools.partial(harness.case, engines=("io_uring",), shards=(1,))

GOOD, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130


@dataclasses.dataclass
class Result:
    status: int
    out: str
    err: str

    @functools.cached_property
    def document(self):
        return json.loads(self.out)

    @property
    def result(self):
        results = self.document["results"]
        assert len(results) == 1, f"{len(results)} results"
        return results[0]


def binary(t):
    path = os.path.join(os.path.dirname(t.options.binary), "uturn-bench")
    if not os.access(path, os.X_OK):
        raise harness.Skipped(f"{path} is not built")
    return path


def alone_on_the_network(t):
    """The loader binds ports anywhere from 10000 to 48000: not where other tests have theirs."""
    t.needs_root()
    netns.unshare()


def ahead_of_others():
    """What this process starts from now on, and paces, runs before the rest of the machine, as far as that is allowed."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except PermissionError:
        pass


def start(t, *arguments, **options):
    command = [binary(t), *map(str, arguments)]
    options.setdefault("stderr", subprocess.PIPE)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("UTURN_BENCH_")}
    return t.spawn(command, env=environment | {"TMPDIR": t.directory} | options.pop("env", {}), **options)


def wait_until_it_relays(process, relay):
    """On a busy machine it takes the measuring tool a while to begin."""

    def relays():
        if process.poll() is not None:
            raise AssertionError(f"it ended: {finish(process)}")
        return relay.metrics().sum("stunner_cluster_packets_total") > 20

    harness.eventually(relays, "packets of the measuring tool", 15)


def finish(process, timeout=15):
    out, err = process.communicate(timeout=timeout)
    return Result(process.returncode, out, err)


def run(t, *arguments, **options):
    """To its end, whatever that is."""
    return finish(start(t, *arguments, **options))


def succeed(t, *arguments, **options):
    result = run(t, *arguments, **options)
    harness.equal((result.status, result.err), (GOOD, ""), f"{arguments[0]}: status and standard error")
    return result


def refused(t, status, words, *arguments, **options):
    """It fails with one line that holds these words, prints nothing else, and says how it failed by its status."""
    result = run(t, *arguments, **options)
    harness.equal((result.status, result.out), (status, ""), f"{arguments}: status and standard output; it said {result.err!r}")
    lines = result.err.splitlines()
    harness.equal(len(lines), 1, f"{arguments}: lines of {result.err!r}")
    assert lines[0].startswith("uturn-bench: "), f"{arguments}: {lines[0]}"
    for word in [words] if isinstance(words, str) else words:
        assert word in lines[0], f"{arguments}: {lines[0]!r} does not say {word!r}"
    return lines[0]


def target(address, user="user", password="pass"):
    return ["--target", f"{address[0]}:{address[1]}", "--user", user, "--password", password]


NUMBER = (int, float)
DISTRIBUTION = dict.fromkeys(
    ["count", "mean_us", "min_us", "p50_us", "p90_us", "p99_us", "p99_9_us", "max_us"], NUMBER
) | {"percentiles": list}
PACKETS = dict.fromkeys(["sent", "delivered", "lost", "duplicated", "reordered", "corrupted", "stale", "unsent"], int)
SERVER = {"name": (str, type(None)), "version": (str, type(None)), "address": str, "pid": (int, type(None)), "cores": list}
CPU = dict.fromkeys(["run_ns_per_packet", "run_s", "busy", "ksoftirqd_s", "context_switches", "threads"], NUMBER) | {
    "core_split": dict.fromkeys(["user_s", "system_s", "softirq_s", "irq_s", "idle_s", "other_s"], NUMBER)
}
MEMORY = dict.fromkeys(["rss_before_bytes", "rss_held_bytes", "rss_bytes", "rss_peak_bytes", "pss_bytes"], (int, type(None)))
PART = {"packets": PACKETS, "delivered_per_s": NUMBER, "latency": DISTRIBUTION, "jitter": DISTRIBUTION}
DOCUMENT = {
    "format": str, "created": str, "command": list, "version": str, "seed": int, "results": list, "comparisons": list,
    "machine": {
        "kernel": str, "distribution": str, "processor": str, "cores": int, "memory_bytes": int, "clock_source": str,
        "load_average": NUMBER, "irq_time_accounting": (bool, type(None)),
    },
}
LOAD = {
    "kind": str, "workload": {"name": str}, "server": SERVER, "seconds": NUMBER, "interrupted": bool, "loader_bound": bool, "setup_s": NUMBER,
    "offered_per_s": NUMBER, "delivered_per_s": NUMBER, "goodput_bit_per_s": NUMBER, "packets": PACKETS, "loss": NUMBER,
    "latency": DISTRIBUTION, "jitter": DISTRIBUTION,
    "loader": {"busy": NUMBER, "workers": int, "cores": list, "late_share": (*NUMBER, type(None))},
}
FLOOD = {"workload": {"flows": int, "size": int, "burst": int, "direction": str, "indications": bool, "gso": bool}}
REPLAY = {"workload": {"captures": list, "calls": int, "call_seconds": NUMBER, "packets_per_call": int}}
WITH_PID = {"cpu": CPU, "memory": MEMORY, "system_calls": {"per_packet": (*NUMBER, type(None))}}


def check(value, shape, where="document"):
    """The value has at least the fields of the shape, each of its type."""
    if not isinstance(shape, dict):
        assert isinstance(value, shape), f"{where} is {value!r}"
        return
    assert isinstance(value, dict), f"{where} is {value!r}"
    for key, inner in shape.items():
        assert key in value, f"{where} has no {key}"
        check(value[key], inner, f"{where}.{key}")
