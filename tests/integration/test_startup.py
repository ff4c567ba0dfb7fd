"""The command line, and every way to fail at start: one clear line, and the right exit status."""

import json
import os
import re
import resource
import signal
import subprocess
import time

import netns
import stun
from client import Client
from harness import case, equal
from relay import Relay


def run(t, *arguments, **options):
    """(status, stdout, stderr) of a relay that leaves by itself."""
    done = subprocess.run([t.options.binary, *arguments], capture_output=True, text=True, timeout=10, **options)
    return done.returncode, done.stdout, done.stderr


def fails_at_start(t, relay, pattern, **options):
    """It leaves with 1, and its one line of error says what the pattern asks for."""
    relay.launch(**options)
    equal(relay.wait(10), 1, "exit status")
    lines = [line for line in relay.log().splitlines() if re.search(r"\berror\b|^uturn: ", line, re.IGNORECASE)]
    equal(len(lines), 1, f"lines of error in {relay.log()!r}")
    assert re.search(pattern, lines[0], re.IGNORECASE), f"not /{pattern}/: {lines[0]}"


@case()
def a_port_in_use_is_named(t):
    first = t.relay()
    second = t.make_relay(listener={"port": first.port})
    fails_at_start(t, second, rf"\b{first.port}\b.*in use")
    t.client(first).allocate()


@case(shards=(1,))
def a_port_that_another_program_shares_is_in_use_too(t):
    import socket

    relay = t.make_relay()
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    t.ending(sock.close)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind(("0.0.0.0", relay.port))
    fails_at_start(t, relay, rf"\b{relay.port}\b.*in use")


@case(shards=(1,))
def an_admin_port_in_use_is_named(t):
    first = t.relay()
    for endpoint, port in (("healthcheck_endpoint", first.health), ("metrics_endpoint", first.metrics_port)):
        fails_at_start(t, t.make_relay(admin={endpoint: f"http://127.0.0.1:{port}"}), rf"\b{port}\b")


@case()
def it_starts_again_at_once_on_the_same_ports(t):
    """After a clean end and after a crash, whatever the kernel still holds of the process before."""
    relay = t.make_relay()
    for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGTERM):
        relay.start()
        for _ in range(20):
            t.client(relay).allocate()
        relay.signal(number)
        time.sleep(0.1)
        if number == signal.SIGTERM:
            relay.signal(number)  # the first one has begun a drain
        relay.wait()
    relay.start()


@case(engines=("epoll",), shards=(1,))
def a_bad_configuration_is_one_line_with_its_path(t):
    table = [
        ({"listener": {"port": 70000}}, r"listeners\[0\]\.port.*65535"),
        ({"listener": {"prot": "udp"}}, r"listeners\[0\]\.prot\b"),
        ({"listener": {"routes": ["nowhere"]}}, r"routes\[0\].*nowhere"),
        ({"admin": {"engine": "kqueue"}}, r"admin\.engine.*epoll"),
        ({"auth": {"type": "magic"}}, r"auth\.type"),
        ({"auth": {"credentials": {"password": None}}}, r"auth\.credentials\.password"),
        ({"cluster": {"endpoints": ["10.0.0.0/33"]}}, r"clusters\[0\]\.endpoints\[0\]"),
        ({"cluster": {"endpoints": ["example.org"]}}, r"clusters\[0\]\.endpoints\[0\].*STRICT_DNS"),
        ({"version": "v7"}, r"version.*uturn/v1"),
    ]
    for changes, pattern in table:
        relay = t.make_relay(**changes)
        fails_at_start(t, relay, pattern)
        assert "uturn.json" in relay.log(), f"the file is not named: {relay.log()!r}"
        equal(run(t, "--check", "-c", relay.config_path)[0], 1, f"--check of {changes}")


@case(engines=("epoll",), shards=(1,))
def a_broken_or_missing_file_is_one_line(t):
    relay = t.make_relay()
    relay.write_config(text='{"version": "uturn/v1",\n"admin": }')
    for path, pattern in (
        (relay.config_path, r"uturn\.json.*\b2\b"),
        (t.directory + "/absent.json", r"absent\.json"),
        (t.directory, re.escape(t.directory)),
    ):
        status, _, errors = run(t, "-c", path)
        equal(status, 1, f"status with {path}")
        equal(len(errors.splitlines()), 1, f"lines about {path}: {errors!r}")
        assert re.search(pattern, errors), errors


@case()
def it_runs_without_privileges(t):
    t.needs_root()
    relay = t.make_relay()
    relay.write_config()
    for path in (t.directory, relay.directory, relay.config_path):
        os.chmod(path, 0o755)
    relay.start(["-c", relay.config_path], user=65534, group=65534, extra_groups=[])
    client, peer, address = t.call(relay)
    client.send(address, b"hello")
    equal(peer.recvfrom(100), (b"hello", client.relayed), "(data, source)")
    relay.stop()
    os.chmod(relay.config_path, 0o000)
    os.truncate(relay.log_path, 0)
    relay.launch(["-c", relay.config_path], user=65534, group=65534, extra_groups=[])
    equal(relay.wait(5), 1, "exit status with an unreadable file")
    assert re.search(r"uturn\.json.*permission denied", relay.log(), re.IGNORECASE), relay.log()


@case(engines=("epoll",))
def a_clipped_receive_buffer_is_warned_about_once(t):
    t.needs_root()
    with open("/proc/sys/net/core/rmem_max") as file:
        most = int(file.read())
    relay = t.make_relay(admin={"buffers": {"listener_receive": 4 * most, "relay_receive": 4 * most}})
    relay.write_config()
    for path in (t.directory, relay.directory, relay.config_path):
        os.chmod(path, 0o755)
    relay.start(["-c", relay.config_path], user=65534, group=65534, extra_groups=[])
    for _ in range(10):
        t.client(relay).allocate()
    lines = [line for line in relay.log().splitlines() if "rmem_max" in line]
    equal(len(lines), 1, f"lines about rmem_max in {relay.log()!r}")
    assert "WARN" in lines[0], lines[0]


@case(shards=(1,))
def the_log_can_be_json_lines(t):
    relay = t.relay(admin={"log_format": "json", "loglevel": "all:DEBUG"})
    t.call(relay)
    for line in relay.log().splitlines():
        entry = json.loads(line)
        assert {"level", "scope", "msg"} <= set(entry), line


@case(engines=("io_uring",), shards=(1,))
def too_few_descriptors_are_said(t):
    fails_at_start(
        t, t.make_relay(), "descriptors.*ulimit", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    )


@case(shards=(1,))
def the_bound_that_descriptors_set_answers_508(t):
    """A soft limit is raised to the hard one; the hard one bounds the allocations, and is answered and counted."""
    relay = t.make_relay().start(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (100, 300)))
    granted, refused = 0, set()
    for _ in range(320):
        answer = t.client(relay).ask(stun.ALLOCATE, [(stun.REQUESTED_TRANSPORT, stun.UDP_TRANSPORT)])
        if answer.error is None:
            granted += 1
        else:
            refused.add(answer.error)
    assert 100 < granted < 300, f"{granted} allocations with 300 descriptors"
    equal(refused, {508}, "codes of the refusals")
    equal(relay.metrics().sum("uturn_allocations_refused_total"), 320 - granted, "refusals counted")
    relay.wait_for_log(r"allocations.*descriptor")
    equal(relay.http("/live")[0], 200, "/live with all allocations taken")


@case(shards=(1,))
def reservations_leave_descriptors_for_probes(t):
    """EVEN-PORT with R=1 takes two sockets; a client that takes all it can must not make the kubelet believe that the relay is dead."""
    relay = t.make_relay().start(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (300, 300)))
    refused = set()
    for _ in range(150):
        answer = t.client(relay).ask(stun.ALLOCATE, [(stun.REQUESTED_TRANSPORT, stun.UDP_TRANSPORT), (stun.EVEN_PORT, b"\x80")])
        refused.add(answer.error)
    equal(refused, {None, 508}, "answers")
    for _ in range(5):
        equal(relay.http("/live")[0], 200, "/live with all reservations taken")


@case(engines=("epoll",), shards=(1,))
def the_command_line_is_checked(t):
    uri = "turn://a:b@127.0.0.1:1"
    for arguments in (["--nonsense"], ["-c"], [uri, uri], ["-c", "x", uri]):
        status, output, errors = run(t, *arguments)
        equal((status, output), (2, ""), f"(status, stdout) of {arguments}")
        equal(len(errors.splitlines()), 1, f"lines about {arguments}: {errors!r}")
    status, output, _ = run(t, "--version")
    equal((status, re.match(r"uturn \d+\.\d+\.\d+", output) is not None), (0, True), f"--version: {output!r}")
    status, output, _ = run(t, "--help")
    equal(status, 0, "--help")
    for option in ("--config", "--check", "--dry-run", "--version"):
        assert option in output, f"--help does not tell of {option}"


@case(engines=("epoll",), shards=(1,))
def check_and_dry_run_open_nothing(t):
    running = t.relay()
    for option in ("--check", "--dry-run"):
        status, output, errors = run(t, option, "-c", running.config_path)
        equal((status, errors), (0, ""), f"(status, stderr) of {option}")
        assert output, f"{option} says nothing"
        assert '"pass"' not in output, "the password is shown"
    equal(run(t, "--check", "turn://user:pass@0.0.0.0:3478?transport=udp")[0], 0, "--check of a URI")
    equal(run(t, "--check", "turn://user:pass@0.0.0.0:port")[0] in (1, 2), True, "--check of a bad URI")


def own_network(t, arguments, port):
    """A relay on its default ports, in a network of its own."""
    t.needs_root()
    netns.unshare()
    relay = Relay(t.options.binary, {}, t.directory, port, 8086, 8080)
    t.relays.append(relay)
    t.ending(relay.stop)
    return relay.start([*arguments, "--engine", t.engine])


@case()
def a_uri_is_a_whole_configuration(t):
    relay = own_network(t, ["turn://user:pass@0.0.0.0:4000?transport=udp"], 4000)
    client = t.client(relay)
    client.allocate()
    # Open to the internet, and to nothing internal.
    client.permit("8.8.8.8")
    for address in ("127.0.0.9", "10.0.0.1", "192.168.1.1", "169.254.169.254"):
        client.refused(403, client.permit, address)


@case()
def without_a_configuration_it_makes_credentials_and_prints_them(t):
    relay = own_network(t, [], 3478)
    relay.wait_for_log("RTCPeerConnection")
    text = relay.log()
    assert re.search(r"turn:[^\s'\"]+:3478", text), f"no turn: URI in {text!r}"
    username = re.search(r"username['\"]?: ['\"]([^'\"]+)", text)[1]
    password = re.search(r"credential['\"]?: ['\"]([^'\"]+)", text)[1]
    relay.signal(signal.SIGHUP)
    relay.wait_for_log("SIGHUP")
    client = Client(relay.address, username, password)
    t.ending(client.close)
    client.allocate()  # with what was printed: there is no file to read other credentials from
    assert 10000 <= client.relayed[1] <= 20000, f"relay port {client.relayed[1]}"
    client.permit("8.8.8.8")
    client.refused(403, client.permit, "10.0.0.1")


@case(shards=(1,))
def stunnerd_configurations_are_understood(t):
    relay = t.make_relay()
    config = {
        "version": "v1",
        "admin": {
            "name": "stunner/udp-gateway", "loglevel": "all:INFO", "offload_engine": "None", "engine": t.engine,
            "healthcheck_endpoint": f"http://127.0.0.1:{relay.health}", "unheard_of": 1,
            "metrics_endpoint": f"http://127.0.0.1:{relay.metrics_port}/metrics",
        },
        "auth": {"type": "plaintext", "realm": "stunner.l7mp.io", "credentials": {"username": "user-1", "password": "pa$$word"}},
        "listeners": [{
            "name": "stunner/udp-gateway/udp-listener", "protocol": "TURN-UDP", "public_address": "34.118.88.91",
            "public_port": 3478, "address": "$STUNNER_ADDR", "port": relay.port, "routes": ["stunner/iperf-server"],
        }],
        "clusters": [{
            "name": "stunner/iperf-server", "type": "STATIC", "protocol": "UDP", "endpoints": ["127.0.0.8", "10.80.4.47"],
        }],
    }
    relay.config = config
    relay.start(env={**os.environ, "STUNNER_ADDR": "127.0.0.3"})
    relay.wait_for_log(r"warn.*admin\.unheard_of")
    client = t.client(relay, username="user-1", password="pa$$word")
    client.allocate()
    equal(client.relayed[0], "127.0.0.3", "relayed address")
    client.permit("127.0.0.8")
    client.refused(403, client.permit, "127.0.0.2")
