"""uturn-bench says in one line what is wrong, ends with a status that tells, and leaves nothing half-written."""

import json
import os
import pty
import re
import signal
import socket
import threading
import time

import bench
import capture_file
import udp_proxy
from bench import FAILED, GOOD, INTERRUPTED, USAGE, check, refused, target
from harness import equal


def write(t, name, content):
    path = os.path.join(t.directory, name)
    with open(path, "wb") as file:
        file.write(content)
    return path


def small_capture(t, name="call.pcap"):
    path = os.path.join(t.directory, name)
    capture_file.write_pcap(path, capture_file.plain_call([(at * 10**7, 0, "up", 200 + at) for at in range(30)]))
    return path


@bench.case(timeout=10)
def captures_that_cannot_be_played(t):
    good = small_capture(t)
    with open(good, "rb") as file:
        content = file.read()
    arp = bytes(12) + b"\x08\x06" + bytes(28)
    without = os.path.join(t.directory, "without.pcap")
    capture_file.write_pcap(without, [(0, arp)] * 5)
    unlike = os.path.join(t.directory, "unlike.pcapng")
    capture_file.write_pcapng(unlike, [(0, arp)], others=[65535])
    server = target(("127.0.0.1", 9))
    cases = [
        (write(t, "text.pcap", b"this is not a capture, but long enough to be one\n" * 4), "text.pcap"),
        (write(t, "empty.pcap", b""), "empty.pcap"),
        (write(t, "damaged.pcap", content[: len(content) - 20]), "29 packets"),
        (without, "no media"),
        (unlike, "editcap"),
        (os.path.join(t.directory, "missing.pcap"), "No such file"),
    ]
    for path, words in cases:
        for command in (["inspect", path], ["replay", good, path, *server]):
            refused(t, FAILED, [os.path.basename(path), words], *command)


@bench.case(timeout=10)
def command_lines_that_are_wrong(t):
    server = target(("127.0.0.1", 9))
    cases = [
        ([], "no command"),
        (["fluud"], "no such command"),
        (["flood"], "--target"),
        (["flood", *server, "--nonsense"], "--nonsense"),
        (["flood", *server, "--flows"], "--flows"),
        (["flood", *server, "--flows", "many"], "many"),
        (["flood", *server, "--size", "5"], "not a size"),
        (["flood", *server, "--rate", "10", "--window", "3"], "--rate and --window"),
        (["flood", *server, "--direction", "sideways"], "sideways"),
        (["flood", *server, "--cores", "1-"], "not a list of cores"),
        (["flood", *server, "stray"], "stray"),
        (["flood", *server, "--local", "localhost"], "not an IP address"),
        (["replay", *server], "no capture"),
        (["attack", *server, "--kind", "unpermitted,polite"], "not a list of attacks"),
        (["report", "x.json"], "--output"),
        (["compare", "--server", "mine"], "NAME="),
        (["compare", "--", "dance"], "dance"),
        (["compare", "--", "flood", "--flows", "0"], "not a number of flows"),
    ]
    for arguments, words in cases:
        refused(t, USAGE, [words, "--help"], *arguments)


@bench.case(timeout=10)
def names_that_are_not_known(t):
    known = ["--user", "u", "--password", "p"]
    cases = [
        (["flood", "--target", "stun:127.0.0.1", *known], "speaks TURN"),
        (["flood", "--target", "turn:127.0.0.1?transport=sctp", *known], "a transport that there is not"),
        (["flood", "--target", "[::1", *known], "not a server"),
        (["flood", "--target", "127.0.0.1:99999", *known], "not a server"),
        (["flood", "--target", "no-such-host.invalid", *known], "no-such-host.invalid"),
        (["flood", "--target", "127.0.0.1:9"], "no credentials"),
        (["flood", "--target", "127.0.0.1:9", "--password", "p"], "no user name"),
        (["flood", "--target", "127.0.0.1:9", "--secret", "s", "--password", "p"], "use one of them"),
        (["flood", "--target", "127.0.0.1:9", *known, "--server-pid", "4194304"], "no such process"),
        (["flood", "--target", "127.0.0.1:9", *known, "--cores", "900"], "--cores"),
        (["flood", "--target", "127.0.0.1:9", *known, "--local", "::1"], "--local"),
        (["compare", "--set", "huge"], "huge"),
        (["compare", "--workload", "up-8x1200,polka"], "polka"),
        (["compare", "--servers", "uturn-io_uring,polka"], "polka"),
    ]
    for arguments, words in cases:
        refused(t, FAILED, words, *arguments)


@bench.case(timeout=15)
def servers_that_do_not_let_it_in(t):
    bench.alone_on_the_network(t)
    relay = t.relay()
    silent = t.peer(("127.0.0.1", 0))
    closed = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    closed.bind(("127.0.0.1", 0))
    nobody = closed.getsockname()
    closed.close()
    for command in (["flood"], ["replay", small_capture(t)], ["allocate", "--hold", 5]):
        refused(t, FAILED, ["127.0.0.1", str(nobody[1])], *command, *target(nobody))
    refused(t, FAILED, ["user", "401"], "flood", *target(relay.address, password="wrong"))
    refused(t, FAILED, ["nobody", "401"], "allocate", *target(relay.address, user="nobody"))
    refused(t, FAILED, ["does not answer", str(silent.getsockname()[1])], "flood", *target(silent.getsockname()))


@bench.case(timeout=40)
def a_server_that_dies(t):
    bench.alone_on_the_network(t)
    output = os.path.join(t.directory, "out.json")
    for known in (True, False):
        relay = t.relay()
        arguments = ["flood", *target(relay.address), "--rate", 500, "--seconds", 20, "--output", output]
        process = bench.start(t, *arguments, *(["--server-pid", relay.pid] if known else []))
        bench.wait_until_it_relays(process, relay)
        relay.signal(signal.SIGKILL)
        relay.wait()
        killed = time.monotonic()
        result = bench.finish(process)
        equal((result.status, result.out), (FAILED, ""), f"status and output; it said {result.err!r}")
        assert re.fullmatch(r"uturn-bench: .*(ended|gone).*\n", result.err), result.err
        assert time.monotonic() - killed < 3, "it took too long to notice"
        equal(os.listdir(t.directory).count("out.json"), 0, "documents")


@bench.case(timeout=10)
def outputs_that_cannot_be_written(t):
    """Seen before anything is measured: there is no server."""
    server = target(("127.0.0.1", 9))
    for path, words in (
        (os.path.join(t.directory, "no", "out.json"), "No such file"),
        (t.directory, "not a plain file"),
        ("/dev/null", "not a plain file"),
        ("/proc/out.json", "/proc/out.json"),
    ):
        refused(t, FAILED, words, "flood", *server, "--output", path)
    refused(t, FAILED, "missing.json", "report", os.path.join(t.directory, "missing.json"), "-o", os.path.join(t.directory, "page.html"))
    refused(t, FAILED, "other.json", "report", write(t, "other.json", b'{"format": "x"}'), "-o", os.path.join(t.directory, "page.html"))
    refused(t, FAILED, "torn.json", "report", write(t, "torn.json", b'{"format": "utu'), "-o", os.path.join(t.directory, "page.html"))
    equal(sorted(os.listdir(t.directory)), ["other.json", "torn.json"], "files")


@bench.case(timeout=40)
def an_interrupt_keeps_what_was_measured(t):
    bench.alone_on_the_network(t)
    bench.ahead_of_others()
    for number in (signal.SIGINT, signal.SIGTERM):
        relay = t.relay()
        process = bench.start(t, "flood", *target(relay.address), "--rate", 500, "--warmup", 0.1, "--seconds", 30, "--json")
        bench.wait_until_it_relays(process, relay)
        time.sleep(0.7)
        process.send_signal(number)
        started = time.monotonic()
        result = bench.finish(process)
        assert time.monotonic() - started < 2.5, "it took too long to end"
        equal((result.status, result.err), (INTERRUPTED, ""), "status and standard error")
        check(result.result, bench.LOAD)
        equal(result.result["interrupted"], True, "interrupted")
        assert 0.2 < result.result["seconds"] < 2 and result.result["packets"]["delivered"] > 50, result.result["packets"]
    process = bench.start(t, "flood", *target(t.peer(("127.0.0.1", 0)).getsockname()), "--json")
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    result = bench.finish(process)
    equal((result.status, result.out, len(result.err.splitlines())), (INTERRUPTED, "", 1), "an interrupt before anything was measured")


@bench.case(timeout=30)
def an_interrupt_ends_the_wait_for_late_packets(t):
    bench.alone_on_the_network(t)
    relay = t.relay()
    proxy = udp_proxy.Proxy(t, relay.address, {1: "drop"}, range(10**6))
    options = ["--rate", 500, "--warmup", 0, "--seconds", 0.4, "--drain", 60, "--json"]
    process = bench.start(t, "flood", *target(proxy.address), "--flows", 1, "--burst", 1, *options)
    bench.wait_until_it_relays(process, relay)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    result = bench.finish(process, 3)
    equal((result.status, result.err), (INTERRUPTED, ""), "status and standard error")
    equal((result.result["interrupted"], result.result["seconds"]), (True, 0.4), "interrupted, and the window")
    assert result.result["packets"]["lost"] >= 2, result.result["packets"]


def read_terminal(number, chunks):
    while True:
        try:
            chunk = os.read(number, 4096)
        except OSError:
            return
        if not chunk:
            return
        chunks.append(chunk)


@bench.case(timeout=10)
def progress_is_for_terminals(t):
    bench.alone_on_the_network(t)
    bench.ahead_of_others()
    relay = t.relay()
    arguments = ["flood", *target(relay.address), "--rate", 500, "--warmup", 0.2, "--seconds", 0.8, "--drain", 0.1]
    result = bench.run(t, *arguments)
    equal((result.status, result.err), (GOOD, ""), "status, and standard error that is no terminal")
    assert "p99" in result.out, result.out
    equal(bench.succeed(t, *arguments, "--quiet").out, "", "standard output with --quiet")

    ours, theirs = pty.openpty()
    t.ending(os.close, ours)
    chunks = []
    reader = threading.Thread(target=read_terminal, args=(ours, chunks), daemon=True)
    reader.start()
    process = bench.start(t, *arguments, stderr=theirs, env={"TERM": "xterm"})
    os.close(theirs)
    equal(bench.finish(process).status, GOOD, "status")
    reader.join(2)
    text = b"".join(chunks).decode()
    assert "\n" not in text, f"progress is one line: {text!r}"
    shown = re.findall(r"\r([^\r\x1b]*)\x1b\[K", text)
    assert len(shown) >= 4 and any("loss 0.00 %" in line and "p99" in line and "k/s" in line for line in shown), shown
    equal(shown[-1], "", "what is left of the line")
    assert all(len(line) < 80 for line in shown), shown


@bench.case(timeout=10)
def a_document_does_not_tell_secrets(t):
    bench.alone_on_the_network(t)
    bench.ahead_of_others()
    secret = "correct-horse-battery"
    relay = t.relay(auth={"type": "ephemeral", "credentials": {"secret": secret, "username": None, "password": None}})
    short = ["--rate", 500, "--warmup", 0, "--seconds", 0.1, "--drain", 0.1, "--json"]
    where = ["--target", f"turn:127.0.0.1:{relay.port}?transport=udp"]
    for given, environment in (
        (["--secret", secret], {}),
        ([f"--secret={secret}", "--user", "somebody"], {}),
        ([], {"UTURN_BENCH_SECRET": secret}),
    ):
        result = bench.succeed(t, "flood", *where, *given, *short, env=environment)
        check(result.document, bench.DOCUMENT)
        assert secret not in result.out, result.document["command"]
    refused(t, FAILED, "401", "flood", *where, "--secret", "another", *short)
    # The seed makes the payloads: it is told, and can be given again.
    seed = result.document["seed"]
    equal(bench.succeed(t, "flood", *where, "--secret", secret, *short, "--seed", seed).document["seed"], seed, "seed")
    json.dumps(result.document)
