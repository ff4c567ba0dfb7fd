"""turncat through our relay: its local ends, its ways to the server, and what it does when something goes wrong."""

import os
import re
import signal
import socket
import subprocess
import time

import turncat
from harness import PEER, equal, eventually
from relay import drops
from streams import TRANSPORTS, Streams
from turncat import FAILED, GOOD, Client, Echo, Turncat, case, server, udp

BULK = 3000
WINDOW = 32


def tunnel(t, relay, peer, *options, transport="udp", **named):
    """A tunnel with a UDP port as its local end: (program, port)."""
    port = t.port()
    made = Turncat(t, *options, f"udp://127.0.0.1:{port}", server(relay.address, transport), udp(peer.address), **named)
    return made, port


def allocations(relay):
    return relay.metrics().sum("uturn_allocations")


@case()
def the_founding_example_works(t):
    relay, local, echo = t.relay(), t.port(), t.port()
    t.spawn(["socat", f"udp-l:{echo},bind={PEER},fork", "EXEC:echo Greetings from STUNner!"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    Turncat(t, "--user", "user=pass", "--realm", "test", "--log=all:TRACE", f"udp:127.0.0.1:{local}", f"turn:127.0.0.1:{relay.port}",
            f"udp:{PEER}:{echo}")

    def greeted():
        # Where echo ends before socat has written the question to it, there is no answer: its own race.
        asked = subprocess.run(["socat", "-t2", "-", f"udp:127.0.0.1:{local}"], input=b"Hello STUNner\n", capture_output=True, timeout=10, check=False)
        return asked.stdout == b"Greetings from STUNner!\n"

    eventually(greeted, "Greetings from STUNner!", 15)


@case(timeout=40)
def every_transport_reaches_the_server(t):
    streams, echo = Streams(t), Echo(t)
    for transport in TRANSPORTS:
        for ipv6 in (False, True):
            port = t.port()
            made = Turncat(t, "--ca", streams.authority.file, f"udp://127.0.0.1:{port}", server(streams.address(transport, ipv6), transport), udp(echo.address))
            client = Client(t, port)
            for size in (0, 1, 3, 100, 1200, 1400):
                client.ask(os.urandom(size))
            equal(made.stop(), GOOD, f"status over {transport}")
    eventually(lambda: allocations(streams.relay) == 0, "all allocations ended")


@case()
def peers_and_clients_have_ipv6(t):
    relay, echo, port = t.relay(), Echo(t, ("::1", 0)), t.port()
    Turncat(t, f"udp://[::1]:{port}", server(relay.address6), udp(echo.address))
    Client(t, port, "::1").ask(b"over IPv6")


@case()
def certificates_are_verified_unless_told_otherwise(t):
    streams, echo = Streams(t), Echo(t)
    for transport in ("tls", "dtls"):
        address = streams.address(transport)
        there = ["-", server(address, transport), udp(echo.address)]
        trusted = ["--ca", streams.authority.file]
        status, out, log = turncat.run(t, *there, data=b"x\n")
        equal((status, out), (FAILED, b""), f"an unknown authority over {transport}: {log}")
        assert "its certificate; --ca FILE" in log, log
        status, out, log = turncat.run(t, *trusted, "--sni", "other.example.org", *there, data=b"x\n")
        equal((status, out), (FAILED, b""), f"another name over {transport}: {log}")
        assert "ostname mismatch" in log, log
        for options in (["-i"], trusted, [*trusted, "--sni", "turn.example.com"]):
            equal(turncat.run(t, *options, *there, data=b"x\n")[:2], (GOOD, b"x\n"), f"{options} over {transport}")
    status, out, log = turncat.run(t, "--ca", "/dev/null", "-", server(address, "tls"), udp(echo.address), data=b"x\n")
    equal((status, out), (FAILED, b""), "no authorities")
    assert "no certificates can be read from /dev/null" in log, log


@case()
def turns_means_tls(t):
    streams, echo = Streams(t), Echo(t)
    host, port = streams.secure
    for query in ("", "?transport=tcp", "?transport=udp"):
        uri = f"turns:user:pass@{host}:{port}{query}"
        equal(turncat.run(t, "-i", "-", uri, udp(echo.address), data=b"x\n")[:2], (GOOD, b"x\n"), uri)


@case()
def each_udp_client_has_an_allocation_of_its_own(t):
    relay, echo = t.relay(), Echo(t)
    made, port = tunnel(t, relay, echo, "--clients-max", 5)
    clients = [Client(t, port) for _ in range(5)]
    for _ in range(3):
        for number, client in enumerate(clients):
            client.send(b"client %d" % number)
    for number, client in enumerate(clients):
        for _ in range(3):
            equal(client.receive(5), b"client %d" % number, "answer")
        equal(client.receive(0.05), None, "nothing of the others")
    equal(len(echo.sources), 5, "relayed addresses")
    equal(allocations(relay), 5, "allocations")
    one_more = Client(t, port)
    one_more.send(b"too many")
    equal(one_more.receive(0.3), None, "an answer beyond --clients-max")
    made.wait_for_log("there are 5 clients already")
    equal(made.stop(), GOOD, "status")
    eventually(lambda: allocations(relay) == 0, "all allocations ended")


@case(waits=True)
def silent_udp_clients_end(t):
    relay, echo = t.relay(), Echo(t)
    made, port = tunnel(t, relay, echo, "--idle-timeout", "1s", "--clients-max", 1)
    client = Client(t, port)
    client.ask(b"first")
    made.wait_for_log("silent for 1 s")
    eventually(lambda: allocations(relay) == 0, "the allocation ended")
    Client(t, port).ask(b"another")
    made.wait_for_log("silent for 1 s", count=2)
    client.ask(b"again")


@case()
def answers_come_from_the_address_that_was_asked(t):
    relay, echo, port = t.relay(), Echo(t), t.port()
    Turncat(t, f"udp://:{port}", server(relay.address), udp(echo.address))
    for address in ("127.0.0.1", "127.0.0.5"):
        Client(t, port, address).ask(b"to " + address.encode())


@case()
def strangers_packets_do_not_come_through(t):
    relay, echo = t.relay(), Echo(t)
    _, port = tunnel(t, relay, echo)
    client = Client(t, port)
    client.ask(b"first")
    # The permission is for the peer's address, whatever its port.
    stranger = t.peer((PEER, 0))
    stranger.sendto(b"strange", echo.sources[0])
    equal(client.receive(0.3), None, "a stranger's packet")
    client.ask(b"second")


def stream_client(t, kind, target):
    made = socket.socket(socket.AF_UNIX if kind == "unix" else socket.AF_INET, socket.SOCK_STREAM)
    t.ending(made.close)
    made.settimeout(5)
    made.connect(target)
    return made


@case(timeout=30)
def connections_have_allocations_of_their_own(t):
    relay, echo, port = t.relay(), Echo(t), t.port()
    path = os.path.join(t.directory, "socket")
    for kind, spec, target in (("tcp", f"tcp://127.0.0.1:{port}", ("127.0.0.1", port)), ("unix", f"unix://{path}", path)):
        made = Turncat(t, "--clients-max", 2, spec, server(relay.address), udp(echo.address))
        first, second = (stream_client(t, kind, target) for _ in range(2))
        for number, one in enumerate((first, second, first)):
            text = b"%s client %d" % (kind.encode(), number)
            one.sendall(text)
            equal(one.recv(1000), text, "answer")
        equal(allocations(relay), 2, "allocations")
        third = stream_client(t, kind, target)
        third.sendall(b"third")
        made.wait_for_log("new clients wait")
        first.close()
        equal(third.recv(1000), b"third", "the answer, once there is room")
        third.shutdown(socket.SHUT_WR)
        equal(third.recv(1000), b"", "the end, after the client's own end")
        equal(made.stop(signal.SIGINT), GOOD, "status")
        equal(second.recv(1000), b"", "the end, with the program's end")
        eventually(lambda: allocations(relay) == 0, "all allocations ended")
    assert not os.path.exists(path), "the socket's file is left behind"


@case(timeout=30)
def connections_are_read_only_as_fast_as_the_server_takes(t):
    streams, echo, port = Streams(t), Echo(t), t.port()
    made = Turncat(t, f"tcp://127.0.0.1:{port}", server(streams.address("tcp"), "tcp"), udp(echo.address))
    one = stream_client(t, "tcp", ("127.0.0.1", port))
    one.sendall(b"first")
    equal(one.recv(100), b"first", "answer")
    streams.relay.hold()
    one.settimeout(1)
    sent = 0
    try:
        while sent < 64 << 20:
            sent += one.send(bytes(1 << 16))
    except TimeoutError:
        pass
    assert sent < 64 << 20, "a stopped server took 64 MiB"
    with open(f"/proc/{made.process.pid}/status") as file:
        resident_kib = int(re.search(r"VmRSS:\s+(\d+)", file.read())[1])
    streams.relay.go_on()
    # Sanitizers need memory of their own.
    assert resident_kib < 64 << 10, f"{resident_kib} KiB are held"
    eventually(lambda: echo.received > 100, "the rest arrives", 10)


@case()
def a_left_behind_unix_socket_is_replaced_and_a_live_one_is_not(t):
    relay, echo = t.relay(), Echo(t)
    path = os.path.join(t.directory, "socket")
    left = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    left.bind(path)
    left.close()
    Turncat(t, f"unix://{path}", server(relay.address), udp(echo.address))
    one = stream_client(t, "unix", path)
    one.sendall(b"x")
    equal(one.recv(10), b"x", "answer")
    second = Turncat(t, f"unix://{path}", server(relay.address), udp(echo.address), wait=False)
    equal(second.process.wait(5), FAILED, "status of a second one")
    assert "is taken by another program" in second.log(), second.log()


@case()
def a_taken_port_is_told(t):
    relay, echo, port = t.relay(), Echo(t), t.port()
    Turncat(t, f"udp://127.0.0.1:{port}", server(relay.address), udp(echo.address))
    for spec, why in ((f"udp://127.0.0.1:{port}", "is taken"), ("tcp://192.0.2.77:9", "no interface")):
        other = Turncat(t, spec, server(relay.address), udp(echo.address), wait=False)
        equal(other.process.wait(5), FAILED, "status")
        assert f"cannot listen on {spec}" in other.log() and why in other.log(), other.log()


@case(timeout=30)
def standard_input_is_sent_line_by_line(t):
    relay, echo = t.relay(), Echo(t)
    there = [server(relay.address), udp(echo.address)]
    equal(turncat.run(t, "-", *there, data=b"one\ntwo\n\nthree")[:2], (GOOD, b"one\ntwo\n\nthree"), "lines")
    equal(echo.received, 4, "packets")
    equal(turncat.run(t, "file://stdin", *there, data=b"")[:2], (GOOD, b""), "nothing")
    long = b"x" * 1200
    equal(turncat.run(t, "-", *there, data=long + b"\n")[:2], (GOOD, long + b"\n"), "a long line")
    path = os.path.join(t.directory, "input")
    lines = b"".join(b"line %d\n" % i for i in range(500))
    with open(path, "wb") as file:
        file.write(lines)
    with open(path, "rb") as file:
        made = Turncat(t, "-", *there, stdin=file, wait=False)
        out, _ = made.process.communicate(timeout=15)
    equal((made.process.returncode, sorted(out.splitlines())), (GOOD, sorted(lines.splitlines())), "a file")
    eventually(lambda: allocations(relay) == 0, "all allocations ended")


@case()
def standard_input_does_not_wait_for_ever(t):
    relay = t.relay()
    silent = t.peer()
    started = time.monotonic()
    equal(turncat.run(t, "-", server(relay.address), udp(silent.getsockname()), data=b"x\n")[:2], (GOOD, b""), "a silent peer")
    assert 1.5 < time.monotonic() - started < 6, "two seconds for answers"


@case(timeout=40)
def what_the_server_refuses_is_told_in_a_line(t):
    echo = Echo(t)
    relay = t.relay(admin={"user_quota": 1})

    def refused(words, uri, peer=None):
        status, out, log = turncat.run(t, "-", uri, peer or udp(echo.address), data=b"x\n")
        equal((status, out), (FAILED, b""), log)
        errors = [line for line in log.splitlines() if " ERROR " in line]
        equal(len(errors), 1, f"lines of {log}")
        for word in words:
            assert word in errors[0], f"{errors[0]} does not say {word}"
        eventually(lambda: allocations(relay) == 0, "the allocation ended")

    refused(["refuses the credentials of user 'user'", "401"], server(relay.address, password="wrong"))
    refused(["refuses the credentials of user 'nobody'", "401"], server(relay.address, user="nobody"))
    refused(["refuses the peer address 10.1.2.3", "403"], server(relay.address), "udp://10.1.2.3:9")
    holder = t.client(relay)
    holder.allocate()
    status, _, log = turncat.run(t, "-", server(relay.address), udp(echo.address), data=b"x\n")
    equal(status, FAILED, log)
    assert "no more allocations (486)" in log, log


@case(waits=True)
def a_refused_udp_client_is_tried_again(t):
    relay, echo = t.relay(), Echo(t)
    port = t.port()
    made = Turncat(t, f"udp://127.0.0.1:{port}", server(relay.address, password="wrong"), udp(echo.address))
    client = Client(t, port)
    client.send(b"x")
    made.wait_for_log("refuses the credentials")
    relay.config["auth"]["credentials"]["password"] = "wrong"
    relay.write_config()
    relay.process.send_signal(signal.SIGHUP)
    client.ask_until_answered(b"now", 15)


@case()
def a_server_that_is_not_there_is_told(t):
    echo, nobody = Echo(t), t.port()
    for transport in ("udp", "tcp", "tls"):
        status, out, log = turncat.run(t, "-i", "-", server(("127.0.0.1", nobody), transport), udp(echo.address), data=b"x\n")
        equal((status, out), (FAILED, b""), log)
        assert f"the connection to the server at 127.0.0.1:{nobody} ({transport}) failed: nothing listens there" in log, log


@case(timeout=30, waits=True)
def a_silent_server_is_told(t):
    echo, silent = Echo(t), t.peer()
    status, out, log = turncat.run(t, "-", server(silent.getsockname()), udp(echo.address), data=b"x\n", timeout=20)
    equal((status, out), (FAILED, b""), log)
    assert re.search(r"does not answer Allocate requests \([34] tries in 5\.\d s\)", log), log


@case(timeout=60, waits=True)
def tunnels_come_back_after_the_server_restarts(t):
    streams, echo = Streams(t), Echo(t)
    ports = {transport: t.port() for transport in TRANSPORTS}
    made = {
        transport: Turncat(t, "-i", f"udp://127.0.0.1:{port}", server(streams.address(transport), transport), udp(echo.address))
        for transport, port in ports.items()
    }
    clients = {transport: Client(t, port) for transport, port in ports.items()}
    for client in clients.values():
        client.ask(b"before")
    streams.relay.process.kill()
    streams.relay.process.wait()
    time.sleep(0.5)
    streams.relay.start()
    for transport, client in clients.items():
        client.ask_until_answered(b"after", 20)
        made[transport].wait_for_log("the tunnel is interrupted: ")
        made[transport].wait_for_log("again a tunnel through")
    equal(allocations(streams.relay), len(TRANSPORTS), "allocations")


@case(timeout=30, waits=True)
def a_connection_outlives_its_server(t):
    relay, echo, port = t.relay(), Echo(t), t.port()
    made = Turncat(t, f"tcp://127.0.0.1:{port}", server(relay.address), udp(echo.address))
    one = stream_client(t, "tcp", ("127.0.0.1", port))
    one.sendall(b"before")
    equal(one.recv(100), b"before", "answer")
    relay.process.kill()
    relay.process.wait()
    relay.start()
    # The first packet meets a server that knows nothing, or is how that is found out.
    one.sendall(b"lost")
    made.wait_for_log("again a tunnel through", 20)
    one.sendall(b"after")
    eventually(lambda: b"after" in one.recv(100), "answer")


@case()
def secrets_mint_credentials(t):
    echo = Echo(t)
    relay = t.relay(auth={"type": "ephemeral", "credentials": {"secret": "s3cret", "username": None, "password": None}})
    plain = f"turn:127.0.0.1:{relay.port}"
    for options in (["-s", "s3cret"], ["--secret=s3cret", "-d", "30m"], ["-s", "s3cret", "--user", "me"]):
        equal(turncat.run(t, *options, "-", plain, udp(echo.address), data=b"x\n")[:2], (GOOD, b"x\n"), f"{options}")
    status, _, log = turncat.run(t, "-s", "other", "-", plain, udp(echo.address), data=b"x\n")
    equal(status, FAILED, log)
    assert "refuses the credentials" in log, log


def bulk(client, count=BULK):
    """Numbered packets of changing sizes, a window of them under way: none lost, none out of order."""
    sent = received = 0
    while received < count:
        while sent < count and sent - received < WINDOW:
            client.send(sent.to_bytes(4, "big") + bytes(sent * 7 % 1300))
            sent += 1
        data = client.receive(5)
        assert data is not None, f"lost one of {sent} after {received}"
        equal((int.from_bytes(data[:4], "big"), len(data)), (received, 4 + received * 7 % 1300), "number and size")
        received += 1


@case(timeout=60, alone=True)
def bulk_is_not_lost(t):
    streams, echo = Streams(t), Echo(t)
    for transport in TRANSPORTS:
        port = t.port()
        made = Turncat(t, "-i", f"udp://127.0.0.1:{port}", server(streams.address(transport), transport), udp(echo.address))
        bulk(Client(t, port))
        equal(made.stop(), GOOD, "status")
        assert "packets dropped" not in made.log(), made.log()


@case(timeout=30)
def large_packets_pass(t):
    relay, echo = t.relay(), Echo(t)
    _, port = tunnel(t, relay, echo)
    client = Client(t, port)
    for size in (9000, 20000, 65000):
        client.ask(os.urandom(size))


@case()
def a_packet_that_no_record_holds_is_dropped_alone(t):
    streams, echo, port = Streams(t), Echo(t), t.port()
    made = Turncat(t, "-i", f"udp://127.0.0.1:{port}", server(streams.address("dtls"), "dtls"), udp(echo.address))
    client = Client(t, port)
    for size in (100, 16380):
        client.ask(os.urandom(size))
    client.send(bytes(16381))
    client.ask(b"after it")
    equal(len(echo.sources), 1, "relayed addresses")
    equal(made.stop(), GOOD, "status")
    assert "packets dropped: 1" in made.log() and "interrupted" not in made.log(), made.log()


@case()
def wrong_usage_is_told(t):
    for arguments in ([], ["-"], ["-", "turn://u@h", "udp://p:1"], ["-", "http://x", "udp://p:1"], ["--nonsense"]):
        result = subprocess.run([turncat.binary(t), *arguments], capture_output=True, text=True, timeout=5, check=False)
        equal((result.returncode, result.stdout, result.stderr.count("\n")), (turncat.USAGE, "", 1), f"{arguments}: {result.stderr}")


@case(timeout=40, waits=True)
def long_lived_tunnels_are_refreshed(t):
    # A minute passes in a second: allocations live for ten minutes, channels and nonces too, permissions for five. So do the program's own
    # five seconds of patience: on a busy machine it may take a late answer for a lost server, and begins anew.
    relay, echo = t.relay(fast=True), Echo(t)
    _, port = tunnel(t, relay, echo, "--idle-timeout", "2h", fast=True)
    client = Client(t, port)
    client.ask(b"first")
    for _ in range(3):
        time.sleep(6)
        client.ask_until_answered(b"minutes later", 3)
    metrics = relay.metrics()
    equal(metrics.sum("uturn_allocations_expired_total"), 0, "allocations that were not refreshed in time")
    assert metrics.sum("uturn_requests_total", method="refresh") >= 18 * 2, "every 20 s the allocation is asked for"
    assert metrics.sum("uturn_requests_total", method="channel_bind") >= 4, "every 200 s the channel is bound anew"
    equal({series: count for series, count in drops(metrics).items() if "drop_unexpected_class" in str(series)}, {}, "unexpected packets")
