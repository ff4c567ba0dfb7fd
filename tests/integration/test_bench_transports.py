"""uturn-bench with clients over TCP, TLS and DTLS: every command that has a transport, against coturn and against the relay."""

import dataclasses
import os
import subprocess

import bench
import capture_file
from bench import NUMBER, check, succeed
from harness import equal, eventually

BRIEF = ["--warmup", 0.1, "--drain", 0.3]
TRANSPORTS = ("tcp", "tls", "dtls")
CIPHER = "ECDHE-ECDSA-AES128-GCM-SHA256"


@dataclasses.dataclass
class Server:
    pid: int
    plain_port: int
    tls_port: int

    def target(self, transport):
        port = self.plain_port if transport in ("udp", "tcp") else self.tls_port
        return [*bench.target(("127.0.0.1", port)), "--transport", transport]


def identity(t):
    certificate, key = (os.path.join(t.directory, name) for name in ("cert.pem", "key.pem"))
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    subprocess.run([*command, "-subj", "/CN=bench", "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate, key


def coturn(t):
    certificate, key = identity(t)
    plain_port, tls_port = t.port(), t.port()
    process = t.spawn(
        ["turnserver", "-n", "--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", f"--listening-port={plain_port}",
         f"--tls-listening-port={tls_port}", f"--cert={certificate}", f"--pkey={key}", "--allow-loopback-peers", "--lt-cred-mech",
         "--realm=test", "--user=user:pass", "--relay-threads=1", "--min-port=49152", "--max-port=65535", "--no-cli",
         f"--userdb={t.directory}/db", f"--pidfile={t.directory}/pid", "--log-file=stdout", "--simple-log"],
        stdout=subprocess.DEVNULL,
    )
    made = Server(process.pid, plain_port, tls_port)
    for transport in TRANSPORTS:
        eventually(lambda: bench.run(t, "connect", "--hold", 1, *made.target(transport)).status == 0, f"coturn over {transport}")
    return made


def uturn(t):
    certificate, key = identity(t)
    plain_port, tls_port = t.port(), t.port()
    common = {"address": "127.0.0.1", "min_relay_port": 49152, "max_relay_port": 65535, "routes": ["loopback"]}
    listeners = [
        {"name": "udp", "protocol": "udp", "port": plain_port, **common},
        {"name": "tcp", "protocol": "tcp", "port": plain_port, **common},
        {"name": "tls", "protocol": "tls", "port": tls_port, "cert": certificate, "key": key, **common},
        {"name": "dtls", "protocol": "dtls", "port": tls_port, "cert": certificate, "key": key, **common},
    ]
    relay = t.relay(listeners=listeners, admin={"limits": {"streams": {"per_source": 0}}})
    return Server(relay.pid, plain_port, tls_port)


def against_both(timeout):
    """The case runs once with each server."""

    def register(function):
        for start in (coturn, uturn):
            def run(t, start=start):
                bench.alone_on_the_network(t)
                bench.ahead_of_others()
                function(t, start(t))

            run.__name__, run.__module__ = f"{function.__name__}_{start.__name__}", function.__module__
            bench.case(timeout=timeout)(run)
        return function

    return register


def check_transport(result, transport):
    equal(result["workload"]["transport"], transport, "transport")
    if transport == "tcp":
        equal(result["tls"], None, "TLS over TCP")
    else:
        assert result["tls"]["version"] in ("1.2", "1.3"), result["tls"]
        assert "128" in result["tls"]["cipher"], result["tls"]


@against_both(timeout=25)
def a_paced_flood_arrives_whole_over(t, server):
    for transport in TRANSPORTS:
        options = ["--flows", 4, "--size", 301, "--burst", 2, "--direction", "both", "--rate", 2000, "--seconds", 0.4, *BRIEF]
        result = succeed(t, "flood", *server.target(transport), *options, "--server-pid", server.pid, "--json").result
        check(result, bench.LOAD | bench.FLOOD | bench.WITH_PID)
        check_transport(result, transport)
        packets = result["packets"]
        assert packets["sent"] > 100 and packets["lost"] == 0, (transport, packets)
        equal((packets["corrupted"], packets["duplicated"]), (0, 0), f"{transport}: corrupted and duplicated")
        for part in ("up", "down"):
            assert result[part]["packets"]["delivered"] > 50, (transport, part, result[part]["packets"])
        # Only datagrams may overtake each other.
        if transport != "dtls":
            equal(result["down"]["packets"]["reordered"], 0, f"{transport}: reordered")


@against_both(timeout=25)
def a_closed_loop_goes_on_over(t, server):
    for transport in TRANSPORTS:
        for options in (["--direction", "up"], ["--direction", "down", "--indications"], ["--size", 16], ["--size", 8000, "--burst", 3]):
            arguments = [*server.target(transport), *options, "--flows", 3, "--window", 16, "--seconds", 0.3, *BRIEF, "--json"]
            result = succeed(t, "flood", *arguments).result
            assert result["packets"]["delivered"] > 500, (transport, options, result["packets"])
            equal(result["packets"]["corrupted"], 0, f"{transport}, {options}: corrupted")


@against_both(timeout=20)
def a_call_is_replayed_over(t, server):
    path = os.path.join(t.directory, "call.pcap")
    plan = [(at * 5_000_000, 0, direction, 100 + at) for at in range(100) for direction in ("up", "down")]
    capture_file.write_pcap(path, capture_file.plain_call(plan))
    for transport in TRANSPORTS:
        arguments = [path, "--calls", 2, *server.target(transport), "--seconds", 0.5, *BRIEF, "--json"]
        result = succeed(t, "replay", *arguments).result
        check_transport(result, transport)
        assert result["packets"]["sent"] > 200 and result["packets"]["lost"] == 0, (transport, result["packets"])


@against_both(timeout=20)
def ways_of_writing_and_ciphers_are_chosen_over(t, server):
    base = ["--flows", 2, "--rate", 1000, "--seconds", 0.2, *BRIEF, "--json"]
    one = ["--tls-version", "1.2", "--cipher", "ECDHE-ECDSA-AES256-GCM-SHA384"]
    result = succeed(t, "flood", *server.target("tls"), *base, *one, "--separate-writes").result
    equal(result["tls"], {"version": "1.2", "cipher": "ECDHE-ECDSA-AES256-GCM-SHA384"}, "what was agreed upon")
    equal(result["workload"]["separate_writes"], True, "separate writes")
    result = succeed(t, "flood", *server.target("dtls"), *base, "--cipher", CIPHER).result
    equal(result["tls"], {"version": "1.2", "cipher": CIPHER}, "what was agreed upon over DTLS")
    uri = f"turns:127.0.0.1:{server.tls_port}?transport=udp"
    result = succeed(t, "flood", "--target", uri, "--user", "user", "--password", "pass", *base).result
    equal(result["workload"]["transport"], "dtls", "the URI's transport")


@against_both(timeout=25)
def allocations_and_idle_connections_are_measured_over(t, server):
    for transport in TRANSPORTS:
        target = [*server.target(transport), "--server-pid", server.pid, "--json"]
        result = succeed(t, "allocate", "--hold", 40, "--parallel", 8, *target).result
        equal((result["kind"], result["held"], result["workload"]["transport"]), ("allocate", 40, transport), "allocations")
        # More than one source address may have by default.
        result = succeed(t, "connect", "--hold", 300, *target).result
        check(result, {
            "held": int, "seconds": NUMBER, "connections_per_s": NUMBER, "run_ns_per_connection": NUMBER, "busy": NUMBER,
            "loader_bound": bool, "rss_idle_bytes": int, "rss_held_bytes": int, "rss_after_bytes": int,
            "rss_bytes_per_connection": NUMBER, "server": bench.SERVER,
        })
        equal((result["kind"], result["held"]), ("connect", 300), "connections")
        check_transport(result, transport)


@against_both(timeout=30)
def handshakes_are_measured_full_and_resumed_over(t, server):
    for transport in ("tls", "dtls"):
        options = ["--count", 60, "--for", 2, "--rate", 200, "--udp-target", f"127.0.0.1:{server.plain_port}"]
        call = ["--victim-rate", 500, "--seconds", 0.4, *BRIEF]
        result = succeed(t, "handshakes", *server.target(transport), *options, *call, "--server-pid", server.pid, "--json").result
        equal(result["kind"], "handshakes", "kind")
        check_transport(result, transport)
        part = dict.fromkeys(["seconds", "per_s", "run_ns_per_handshake", "per_core_s", "busy", "loader_busy"], NUMBER)
        for name in ("full", "resumed"):
            check(result[name], part | {"done": int, "failed": int, "resumed": int, "loader_bound": bool})
            equal((result[name]["done"], result[name]["failed"]), (60, 0), f"{transport}, {name}: done and failed")
        equal((result["full"]["resumed"], result["resumed"]["resumed"]), (0, 60), f"{transport}: resumed")
        check(result["call"], {"handshakes": int, "before": bench.LOAD, "during": bench.LOAD, "lost": int, "p99_ratio": NUMBER})
        assert 20 <= result["call"]["handshakes"] <= 81, result["call"]["handshakes"]
        equal(result["call"]["lost"], 0, f"{transport}: packets that the call lost")


@against_both(timeout=20)
def attacks_and_limits_are_measured_over(t, server):
    for transport in TRANSPORTS:
        options = ["--rate", 1000, "--victim-rate", 400, "--seconds", 0.2, *BRIEF]
        result = succeed(t, "attack", "--kind", "unpermitted,client", *server.target(transport), *options, "--json").result
        equal([attack["name"] for attack in result["attacks"]], ["unpermitted", "client"], "attacks")
        for attack in result["attacks"]:
            assert attack["attack_packets"] > 50, (transport, attack["name"], attack["attack_packets"])
    bounds = ["--first", 1, "--limit", 2, "--loss", 0.5, "--p99-ms", 500, "--seconds", 0.2, *BRIEF]
    result = succeed(t, "find-max", *server.target("tls"), *bounds, "--json").result
    equal((result["workload"]["transport"], result["found"] > 0), ("tls", True), "transport, and whether anything was found")


def compared(t, name):
    bench.alone_on_the_network(t)
    bench.ahead_of_others()
    places = ["--servers", name, "--uturn", t.options.binary, "--rounds", 1, "--seconds", 0.2, "--json"]
    for transport in TRANSPORTS:
        flood = ["flood", "--flows", 4, "--rate", 2000, "--transport", transport, *([] if transport == "tcp" else ["--cipher", CIPHER])]
        result = bench.run(t, "compare", *places, "--", *flood)
        equal((result.status, result.err), (0, ""), f"{transport}: status and standard error")
        (only,) = result.document["comparisons"][0]["servers"]
        check_transport(only["results"][0], transport)
        assert only["results"][0]["packets"]["delivered"] > 50, only["results"][0]["packets"]
        left = [one for one in os.listdir(t.directory) if one.startswith("uturn-bench-")]
        equal(left, [], f"{transport}: folders that are left")


@bench.case(timeout=20)
def compare_starts_coturn_with_each_transport(t):
    compared(t, "coturn")


@bench.case(timeout=20)
def compare_starts_the_relay_with_each_transport(t):
    compared(t, "uturn-io_uring")


@bench.case(timeout=15)
def what_cannot_be_is_said_in_one_line(t):
    bench.alone_on_the_network(t)
    here = bench.target(("127.0.0.1", t.port()))
    for transport in TRANSPORTS:
        words = ["nothing listens there", transport]
        bench.refused(t, bench.FAILED, words, "flood", *here, "--transport", transport, "--seconds", 0.1)
        bench.refused(t, bench.FAILED, words, "connect", *here, "--transport", transport, "--hold", 1)
    bench.refused(t, bench.USAGE, ["sctp", "udp, tcp, tls or dtls"], "flood", *here, "--transport", "sctp")
    bench.refused(t, bench.USAGE, ["1.1", "1.2 or 1.3"], "flood", *here, "--tls-version", "1.1")
    bench.refused(t, bench.FAILED, "NO-SUCH", "flood", *here, "--transport", "tls", "--cipher", "NO-SUCH")
    bench.refused(t, bench.FAILED, "one of TLS 1.3", "flood", *here, "--transport", "dtls", "--cipher", "TLS_AES_128_GCM_SHA256")
    bench.refused(t, bench.FAILED, "UDP has no connections", "connect", *here)
    bench.refused(t, bench.FAILED, "TLS's and DTLS's", "handshakes", *here, "--transport", "tcp")
    bench.refused(t, bench.FAILED, "fit into a record of DTLS", "flood", *here, "--transport", "dtls", "--size", 20000)
    uri = ["--target", "turns:127.0.0.1:5349", "--user", "user", "--password", "pass"]
    bench.refused(t, bench.FAILED, "two things", "flood", *uri, "--transport", "tcp")
