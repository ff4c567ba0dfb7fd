"""coturn's own client against its own peer, relayed by us: not a packet may be lost."""

import re
import subprocess

from harness import case, equal
from relay import drops

MESSAGES = 40

MODES = {
    "channels": ["-e", "127.0.0.1"],
    "indications": ["-s", "-e", "127.0.0.1"],
    "client to client, channels": ["-y"],
    "client to client, indications": ["-y", "-s"],
    "IPv6 relay": ["-x", "-e", "::1"],
    "DONT-FRAGMENT": ["-g", "-e", "127.0.0.1"],
    "padded channels": ["-D", "-l", "171", "-e", "127.0.0.1"],
    "extra requests": ["-G", "-e", "127.0.0.1"],
}


def start_peer(t):
    port = t.port()
    t.spawn(["turnutils_peer", "-p", str(port), "-L", "127.0.0.1", "-L", "::1"], stdout=subprocess.DEVNULL)
    return port


def start_client(t, relay, peer_port, arguments):
    command = ["turnutils_uclient", "-u", "user", "-w", "pass", "-p", str(relay.port), "-r", str(peer_port), "-n", str(MESSAGES)]
    length = [] if "-l" in arguments else ["-l", "200"]
    return t.spawn([*command, *length, *arguments, "127.0.0.1"])


def check(name, process, again):
    text = process.communicate(timeout=40)[0]
    if process.returncode != 0 and "channel bind: error 400" in text:
        # The client binds two channels to each allocation and draws both numbers at random: one time in 16,384 they are the same, and
        # the relay must refuse the second.
        process = again()
        text = process.communicate(timeout=40)[0]
    context = f"{name}:\n{text}"
    equal(process.returncode, 0, f"exit status of {context}")
    lost = re.findall(r"Total lost packets (\d+) .*total send dropped (\d+)", text)
    assert lost, f"no summary from {context}"
    equal(lost[-1], ("0", "0"), f"(lost, dropped) of {context}")
    sent, received = re.findall(r"tot_send_msgs=(\d+), tot_recv_msgs=(\d+)", text)[-1]
    assert int(sent) >= MESSAGES, f"only {sent} messages were sent by {context}"
    equal(received, sent, f"messages received by {context}")


@case(timeout=40, waits=True)
def loses_nothing_in_any_mode(t):
    relay = t.relay()
    peer_port = start_peer(t)
    starts = {name: lambda extra=extra: start_client(t, relay, peer_port, ["-z", "10", *extra]) for name, extra in MODES.items()}
    clients = {name: start() for name, start in starts.items()}
    for name, process in clients.items():
        check(name, process, again=starts[name])
    equal(drops(relay.metrics()), {}, "drop counters")


@case(timeout=60, spread=True, waits=True)
def loses_nothing_with_fifty_clients(t):
    relay = t.relay()
    before = relay.thread_run_ns()
    peer_port = start_peer(t)

    def start():
        return start_client(t, relay, peer_port, ["-m", "50", "-c", "-z", "20", "-e", "127.0.0.1"])

    check("50 clients", start(), again=start)
    equal(drops(relay.metrics()), {}, "drop counters")
    busy = sum(after - before.get(thread, 0) > 1_000_000 for thread, after in relay.thread_run_ns().items())
    assert busy >= t.shards, f"the clients reached only {busy} of {t.shards} shards"
