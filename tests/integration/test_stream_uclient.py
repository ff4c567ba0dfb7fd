"""coturn's own client over TCP, TLS and DTLS, relayed by us: not a packet may be lost."""

from harness import case, equal
from relay import drops
from streams import Streams
from test_uclient import MESSAGES, check, start_peer

WAYS = {"TCP": ["-t"], "TLS": ["-t", "-S"], "DTLS": ["-S"]}

MODES = {
    "channels": ["-e", "127.0.0.1"],
    "indications": ["-s", "-e", "127.0.0.1"],
    "client to client": ["-y"],
    "IPv6 relay": ["-x", "-e", "::1"],
    "odd sizes": ["-l", "171", "-e", "127.0.0.1"],
    "extra requests": ["-G", "-e", "127.0.0.1"],
    "twenty clients": ["-m", "20", "-c", "-e", "127.0.0.1"],
}


def start_client(t, streams, way, peer_port, arguments):
    port = streams.secure[1] if "-S" in way else streams.plain[1]
    command = ["turnutils_uclient", "-u", "user", "-w", "pass", "-p", str(port), "-r", str(peer_port), "-n", str(MESSAGES), *way]
    length = [] if "-l" in arguments else ["-l", "200"]
    return t.spawn([*command, *length, "-z", "10", *arguments, "127.0.0.1"])


@case(timeout=40, spread=True)
def loses_nothing_in_any_mode(t):
    streams = Streams(t, kind="rsa")
    peer_port = start_peer(t)
    starts = {
        f"{mode} over {name}": lambda way=way, extra=extra: start_client(t, streams, way, peer_port, extra)
        for name, way in WAYS.items()
        for mode, extra in MODES.items()
    }
    clients = {name: start() for name, start in starts.items()}
    for name, process in clients.items():
        check(name, process, again=starts[name])
    equal(drops(streams.relay.metrics()), {}, "drop counters")
    equal(streams.sum("stream_dropped_packets_total"), 0, "packets dropped from queues")
