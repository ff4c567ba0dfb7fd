"""Health, status and metrics, as Kubernetes, Prometheus and an operator read them."""

import socket
import subprocess

from harness import case, equal, eventually

JSON = "application/json; charset=utf-8"


@case()
def health_answers_byte_for_byte(t):
    relay = t.relay()
    for path, body in (("/live", b"{}\n"), ("/ready", b'{"status":200,"message":"READY"}\n')):
        status, headers, got = relay.http(path)
        equal((status, headers["Content-Type"], got), (200, JSON, body), path)
    equal(relay.http("/nothing")[0], 404, "an unknown path")


@case()
def not_ready_answers_503(t):
    relay = t.relay(admin={"ready_while_draining": False})
    t.call(relay)
    relay.signal(15)
    eventually(lambda: relay.http_status("/ready") == 503, "not ready while draining")
    status, headers, body = relay.http("/ready")
    equal((status, headers["Content-Type"], body), (503, JSON, b'{"status":503,"message":"stunnerd not ready"}\n'), "/ready")


@case()
def metrics_pass_promtool(t):
    relay = t.relay()
    t.call(relay)
    text = relay.metrics().text
    checked = subprocess.run(["promtool", "check", "metrics"], input=text, text=True, capture_output=True, timeout=20)
    equal((checked.returncode, checked.stdout + checked.stderr), (0, ""), "promtool")


@case()
def metrics_can_be_anywhere(t):
    other = t.port()
    relay = t.relay(admin={"metrics_endpoint": f"http://127.0.0.1:{other}/some/where"})
    equal(relay.http("/some/where", other)[0], 200, "the path asked for")
    equal(relay.http("/metrics", other)[0], 404, "another path")


@case()
def counters_move_while_a_call_lives(t):
    relay = t.relay()
    client, peer, address = t.call(relay)
    client.bind(0x4000, address)
    before = relay.metrics()
    for _ in range(100):
        client.send_channel(0x4000, bytes(160))
        peer.recv(1000)
        client.send(address, bytes(160))
        peer.recv(1000)
        peer.sendto(bytes(300), client.relayed)
        assert client.receive() is not None, "lost"
    after = relay.metrics()

    def grown(metric, **labels):
        return after.sum(metric, **labels) - before.sum(metric, **labels)

    cluster = {"name": "loopback"}
    equal(grown("stunner_cluster_packets_total", direction="tx", **cluster), 200, "packets to peers")
    equal(grown("stunner_cluster_bytes_total", direction="tx", **cluster), 200 * 160, "bytes to peers")
    equal(grown("stunner_cluster_packets_total", direction="rx", **cluster), 100, "packets from peers")
    equal(grown("stunner_cluster_bytes_total", direction="rx", **cluster), 100 * 300, "bytes from peers")
    listener = {"name": "udp"}
    equal(grown("stunner_listener_packets_total", direction="rx", **listener), 200, "packets from clients")
    equal(grown("stunner_listener_packets_total", direction="tx", **listener), 100, "packets to clients")
    # ChannelData adds 4 bytes; an indication its header and two attributes: 20 + 12 + 4.
    equal(grown("stunner_listener_bytes_total", direction="rx", **listener), 100 * 164 + 100 * 196, "bytes from clients")
    equal(grown("stunner_listener_bytes_total", direction="tx", **listener), 100 * 304, "bytes to clients")
    equal(after.sum("stunner_allocations_active"), 1, "stunner_allocations_active")
    equal(after.sum("uturn_allocations"), 1, "uturn_allocations")
    equal(grown("uturn_packets_total", verdict="to_peer"), 200, "verdict to_peer")
    equal(grown("uturn_packets_total", verdict="to_client"), 100, "verdict to_client")
    equal(after.sum("uturn_engine_info", engine=t.engine), 1, "engine")
    assert grown("uturn_turn_seconds_count") > 0, "no turn of a shard was timed"


@case()
def status_finds_one_call(t):
    relay = t.relay()
    calls = [t.call(relay) for _ in range(5)]
    client, peer, address = calls[2]
    for _ in range(7):
        client.send(address, bytes(50))
        peer.recv(1000)
    host, port = client.address
    found = relay.allocations(f"?client={host}:{port}")
    equal(len(found["allocations"]), 1, f"allocations of {client.address}")
    call = found["allocations"][0]
    equal(call["username"], "user", "user")
    equal(call["relayed"], f"{client.relayed[0]}:{client.relayed[1]}", "relayed address")
    equal((call["from_client_packets"], call["from_client_bytes"]), (7, 350), "(packets, bytes) from the client")
    equal(len(relay.allocations(f"?client={host}")["allocations"]), 5, "allocations of the whole address")
    equal(len(relay.allocations("?user=user")["allocations"]), 5, "allocations of the user")
    equal(len(relay.allocations("?user=nobody")["allocations"]), 0, "allocations of nobody")
    equal(relay.http("/status/allocations?client=nonsense")[0], 400, "a client that is no address")


@case(timeout=30)
def the_answer_about_allocations_is_bounded(t):
    relay = t.relay()
    for _ in range(300):
        t.client(relay).allocate()
    body = relay.http("/status/allocations")[2]
    assert len(body) < 100_000, f"{len(body)} bytes"
    found = relay.allocations("?user=user")
    equal(found["total"], 300, "total")
    assert len(found["allocations"]) < 300, "not bounded"


@case()
def status_says_what_runs_and_no_secret(t):
    secrets = {"auth": {"credentials": {"password": "hunter2-password"}}, "admin": {"nonce_key": "hunter2-key-0123456789abcdef"}}
    relay = t.relay(**secrets)
    t.client(relay, password="hunter2-password").allocate()
    status = relay.status()
    equal((status["status"], status["allocationCount"]), ("READY", 1), "(status, allocationCount)")
    equal(status["listeners"][0]["name"], "udp", "listener")
    equal(status["clusters"][0]["name"], "loopback", "cluster")
    everything = relay.http("/status")[2].decode() + relay.http("/status/allocations")[2].decode() + relay.metrics().text
    for text in (everything, relay.log()):
        assert "hunter2" not in text, "a secret is shown"
    ephemeral = t.relay(auth={"type": "ephemeral", "credentials": {"username": None, "password": None, "secret": "hunter2-secret"}})
    assert "hunter2" not in ephemeral.http("/status")[2].decode() + ephemeral.log(), "a secret is shown"


@case(shards=(1,))
def idle_connections_do_not_lock_out_a_probe(t):
    relay = t.relay()
    held = []
    for _ in range(300):
        sock = socket.create_connection(("127.0.0.1", relay.health), timeout=2)
        sock.sendall(b"GET /live HT")
        held.append(sock)
        t.ending(sock.close)
    for _ in range(5):
        equal(relay.http("/live")[0], 200, "/live beside 300 idle connections")
    for garbage in (
        b"\0" * 100,
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 10000,
        b"POST /live HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", relay.health), timeout=2) as sock:
            try:
                sock.sendall(garbage)
                sock.recv(1000)
            except OSError:
                pass
    equal(relay.http("/live")[0], 200, "/live after garbage")
