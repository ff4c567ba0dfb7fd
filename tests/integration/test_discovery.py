"""Configurations from a config discovery service, as STUNner's operator serves them: they come, change, and the service misbehaves."""

import os
import re
import signal
import ssl
import subprocess
import tempfile
import time

import cds_server
import netns
from certificates import Authority
from harness import PEER, case, equal, eventually

NAME = "stunner/udp-gateway"
ENVIRONMENT = {
    "STUNNER_NAMESPACE": "stunner",
    "STUNNER_NAME": "udp-gateway",
    "STUNNER_NODENAME": "node-1",
    "STUNNER_ADDR": "127.0.0.1",
    # The service inside a cluster is not behind it.
    "http_proxy": "http://127.0.0.1:9",
}


def service(t, **options):
    """With a network of its own, since a relay that waits has its health on port 8086."""
    t.needs_root()
    netns.unshare()
    made = cds_server.Server(**options)
    t.ending(made.close)
    return made


def configuration(relay, listeners=True, **auth):
    """As the operator sends it, but for what keeps tests apart."""
    credentials = {"username": "user", "password": "pass", **auth}
    base = relay.config
    return {
        "version": "v1",
        "admin": {**base["admin"], "name": NAME, "offload_engine": "None"},
        "auth": {"type": "static", "realm": "test", "credentials": credentials},
        "listeners": [
            {
                "name": NAME + "/udp-listener",
                "protocol": "TURN-UDP",
                "public_address": "192.0.2.1",
                "public_port": 3478,
                "address": "$STUNNER_ADDR",
                "port": base["listeners"][0]["port"],
                "min_relay_port": base["listeners"][0]["min_relay_port"],
                "max_relay_port": base["listeners"][0]["max_relay_port"],
                "routes": ["stunner/peers"],
            }
        ]
        if listeners
        else [],
        "clusters": [{"name": "stunner/peers", "type": "STATIC", "protocol": "UDP", "endpoints": ["127.0.0.0/8"]}]
        if listeners
        else [],
    }


def follow(t, relay, server, arguments=("-w", "--udp-thread-num=16", "--log-format=text"), **environment):
    """Starts the relay as the operator does."""
    program = os.path.join(t.directory, "stunnerd")
    if not os.path.exists(program):
        os.symlink(relay.binary, program)
    relay.binary = program
    env = {**os.environ, **ENVIRONMENT, "STUNNER_CONFIG_ORIGIN": server.origin, **environment}
    return relay.launch([*arguments, "--engine", t.engine], env=env)


def following(t, **options):
    """A service, and a relay that runs what it has sent."""
    server, relay = service(t, **options), t.make_relay()
    server.configs[NAME] = configuration(relay)
    follow(t, relay, server)
    ready(relay)
    return server, relay


def ready(relay):
    eventually(lambda: relay.http_status("/ready") == 200, "ready", 10)


def messages(relay):
    return relay.metrics().sum("uturn_config_source_messages_total")


def says(relay, server, config):
    """Updates, and waits until the relay has looked at it."""
    before = messages(relay)
    server.update(NAME, config)
    eventually(lambda: messages(relay) > before, "a message came")


def works(t, relay, **options):
    client, peer, address = t.call(relay, **options)
    client.send(address, b"out")
    peer.settimeout(1)
    equal(peer.recvfrom(100)[0], b"out", "at the peer")
    return client


@case(shards=(1,))
def the_operators_pod_relays(t):
    server, relay = following(t)
    equal(server.requests, [f"GET /api/v1/configs/{NAME}?node=node-1&watch=true HTTP/1.1"], "requests")
    headers = server.watchers[0].headers
    for name in ("origin", "sec-websocket-protocol", "sec-websocket-extensions"):
        assert name not in headers, f"{name}: {headers[name]}"
    equal(headers["host"], f"127.0.0.1:{server.port}", "host")
    works(t, relay)
    status = relay.status()
    equal(status["admin"]["name"], NAME, "name")
    equal(status["uturn"]["source"]["place"], server.origin, "source")
    equal(status["uturn"]["source"]["connected"], True, "connected")
    equal(status["listeners"][0]["address"], "127.0.0.1", "$STUNNER_ADDR")


@case(shards=(1,))
def updates_are_taken_up_under_a_call(t):
    server, relay = following(t)
    client = works(t, relay)
    says(relay, server, configuration(relay, password="new$STUNNER_ADDR"))
    late = t.client(relay)
    late.refused(401, late.allocate)
    t.client(relay, password="new$STUNNER_ADDR").allocate()
    client.refresh()
    client.permit(PEER)


@case(engines=("epoll",), shards=(1,))
def what_cannot_be_used_changes_nothing(t):
    server, relay = following(t)
    refused = 0
    for text in ("garbage", "{", '{"version":"v2"}', "a: &x [*x]", '{"version":"v1","listeners":[{"name":"a","port":-1}]}'):
        before = messages(relay)
        server.watchers[0].say(text)
        eventually(lambda: messages(relay) > before, f"{text} came")
        refused += 1
        equal(relay.metrics().sum("uturn_config_source_refused_total"), refused, f"refused after {text}")
        equal(relay.metrics().sum("uturn_config_last_reload_successful"), 0, "success")
    equal(relay.metrics().sum("uturn_config_source_connects_total"), 1, "connects")
    relay.wait_for_log("aliases|anchors")
    works(t, relay)
    says(relay, server, configuration(relay, username="other"))
    equal(relay.metrics().sum("uturn_config_last_reload_successful"), 1, "success")
    t.client(relay, username="other").allocate()


@case(engines=("epoll",), shards=(1,))
def a_deleted_gateway_goes_on(t):
    server, relay = following(t)
    says(relay, server, configuration(relay, listeners=False))
    relay.wait_for_log("without listeners and clusters is ignored")
    works(t, relay)
    equal(relay.metrics().sum("uturn_config_source_refused_total"), 0, "refused")


@case(engines=("epoll",), shards=(1,))
def the_same_again_is_no_reload(t):
    server, relay = following(t)
    reloads = relay.metrics().sum("uturn_config_reloads_total")
    for _ in range(3):
        says(relay, server, configuration(relay))
    equal(relay.metrics().sum("uturn_config_reloads_total"), reloads, "reloads")


@case(engines=("epoll",), shards=(1,))
def messages_come_in_pieces_and_of_any_size(t):
    server, relay = following(t)
    watcher = server.watchers[0]
    number = 0

    def comes(send):
        nonlocal number
        number += 1
        before = messages(relay)
        send(configuration(relay, username=f"user{number}"))
        eventually(lambda: messages(relay) > before, f"message {number} came")
        t.client(relay, username=f"user{number}").allocate()

    text = cds_server.json.dumps
    comes(lambda config: watcher.send(cds_server.fragments(text(config).encode(), 10)))
    # A byte at a time, with a ping and an empty message in between.
    def slowly(config):
        frame = cds_server.frame(text(config).encode())
        for i, byte in enumerate(frame):
            watcher.send(bytes([byte]))
            time.sleep(0.0005)
    comes(slowly)
    watcher.send(cds_server.frame(b""))
    pieces = cds_server.fragments(text(configuration(relay, username="user3")).encode(), 500)
    number += 1
    watcher.send(pieces[:504] + cds_server.frame(b"are you there", cds_server.PING) + pieces[504:])
    eventually(lambda: relay.metrics().sum("uturn_config_source_messages_total") == 4, "the third")
    t.client(relay, username="user3").allocate()

    def large(config):
        config["clusters"][0]["endpoints"] += [f"10.0.{i // 256}.{i % 256}" for i in range(10000)]
        watcher.say(text(config) + " " * (2 << 20))
    comes(large)
    equal(relay.metrics().sum("uturn_config_source_connects_total"), 1, "connects")


@case(timeout=30, engines=("epoll",), shards=(1,), waits=True)
def it_pings_and_gives_up_who_is_silent(t):
    server, relay = following(t)
    watcher = server.watchers[0]
    eventually(lambda: watcher.pings, "a ping", 7)
    after, payload = watcher.pings[0]
    assert 4.5 < after < 6.5, f"the first ping came after {after:.2f} s"
    equal(payload, b"keepalive", "payload")
    assert all(watcher.masked), "a client masks what it sends"
    server.answers_pings = False
    eventually(watcher.ended.is_set, "given up", 15)
    silent = time.monotonic() - watcher.since - 5
    assert 7.5 < silent < 10, f"given up after {silent:.1f} s of silence"
    server.answers_pings = True
    eventually(lambda: server.live, "connected anew", 3)
    relay.wait_for_log("silent for 8 s")
    works(t, relay)


@case(timeout=40, engines=("epoll",), shards=(1,), waits=True)
def the_service_comes_and_goes(t):
    server, relay = following(t)
    client = works(t, relay)
    for _ in range(2):
        server.close()
        relay.wait_for_metric("uturn_config_source_connected", 0)
        works(t, relay)
        time.sleep(2.2)
        equal(relay.http_status("/ready"), 200, "/ready")
        assert relay.status()["uturn"]["source"]["problem"], "no problem is told"
        server.open()
        relay.wait_for_metric("uturn_config_source_connected", 1)
    says(relay, server, configuration(relay, username="after"))
    t.client(relay, username="after").allocate()
    client.refresh()


@case(timeout=40, engines=("epoll",), shards=(1,), waits=True)
def connections_that_go_wrong_are_made_anew(t):
    server, relay = following(t)
    text = cds_server.json.dumps(configuration(relay)).encode()
    wrongs = {
        "binary": lambda w: w.send(cds_server.frame(text, cds_server.BINARY)),
        "half a frame": lambda w: (w.send(cds_server.frame(text)[:100]), w.close()),
        "closed": lambda w: w.send(cds_server.frame(b"\x03\xe8", cds_server.CLOSE)),
        "reserved bits": lambda w: w.send(b"\xf1\x01x"),
        "a continuation of nothing": lambda w: w.send(cds_server.frame(text, cds_server.MORE)),
        "an unknown opcode": lambda w: w.send(b"\x83\x01x"),
        "too large": lambda w: w.send(cds_server.frame(b" " * ((16 << 20) + 1))),
        "more than there can be": lambda w: w.send(b"\x81\x7f\x7f\xff\xff\xff\xff\xff\xff\xff" + b" " * 1000) or w.close(),
    }
    for number, (name, wrong) in enumerate(wrongs.items(), 2):
        watcher = server.live[-1]
        try:
            wrong(watcher)
        except OSError:
            pass  # it was closed before the last byte was sent
        eventually(lambda: len(server.watchers) >= number and server.live, f"connected anew after {name}", 6)
        equal(relay.metrics().sum("uturn_config_source_refused_total"), 0, f"refused after {name}")
    works(t, relay)


@case(timeout=30, engines=("epoll",), shards=(1,), waits=True)
def answers_that_are_no_websocket_are_tried_again(t):
    server, relay = following(t)
    for answer in (
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.2:1/\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: wrong\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: " + b"x" * 100000 + b"\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"",
    ):
        server.answer = answer
        server.live[-1].close()
        asked = len(server.requests)
        eventually(lambda: len(server.requests) >= asked + 2, f"asked again after {answer[:20]}", 6)
        server.answer = None
        eventually(lambda: server.live, f"connected after {answer[:20]}", 5)
    works(t, relay)


@case(timeout=40, engines=("epoll",), shards=(1,), waits=True)
def a_service_that_does_not_answer_is_given_up(t):
    server, relay = following(t)
    server.answers_upgrades = False
    server.live[-1].close()
    eventually(lambda: "silent for 10 s" in relay.status()["uturn"]["source"]["problem"], "given up", 15)
    server.answers_upgrades = True
    eventually(lambda: server.live, "connected anew", 15)


@case(engines=("epoll",), shards=(1,))
def without_watch_it_is_asked_once_and_again_by_sighup(t):
    server, relay = service(t), t.make_relay()
    request = f"GET /api/v1/configs/{NAME}?node=node-1 HTTP/1.1"
    server.configs[NAME] = configuration(relay)
    follow(t, relay, server, arguments=("--log-format=text",))
    ready(relay)
    client = works(t, relay)
    equal(server.requests, [request], "requests")
    for result, change in (("success", {"password": "new"}), ("failure", {"password": 7})):
        server.configs[NAME] = configuration(relay, **change)
        relay.signal(signal.SIGHUP)
        eventually(lambda: relay.metrics().sum("uturn_config_reloads_total", result=result) == 1, f"a reload with {change}")
    equal(server.requests, [request] * 3, "requests")
    client.refresh()
    t.client(relay, password="new").allocate()
    del server.configs[NAME]
    relay.signal(signal.SIGHUP)
    relay.wait_for_log(f"it has no configuration for {NAME} \\(404\\)")
    relay.wait_for_log(r"was not taken up \(SIGHUP\); the running one stays")
    server.close()
    relay.signal(signal.SIGHUP)
    relay.wait_for_log("it cannot be reached")


@case(engines=("epoll",), shards=(1,))
def without_watch_a_failure_is_the_end(t):
    server, relay = service(t), t.make_relay()
    follow(t, relay, server, arguments=())
    equal(relay.wait(), 1, "exit status")
    relay.wait_for_log(f"it has no configuration for {NAME} \\(404\\)")
    server.close()
    follow(t, relay, server, arguments=())
    equal(relay.wait(), 1, "exit status")
    relay.wait_for_log("it cannot be reached")


@case(engines=("epoll",), shards=(1,))
def tls_is_verified(t):
    authority, stranger = Authority(t.directory), Authority(tempfile.mkdtemp(dir=t.directory))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.identity("localhost").write(t.directory, "service"))
    server = service(t, tls=context)
    origin, relay = f"wss://localhost:{server.port}", t.make_relay()
    server.configs[NAME] = configuration(relay)
    follow(t, relay, server, ("-w", "--certificate-authority", authority.file), STUNNER_CONFIG_ORIGIN=origin)
    ready(relay)
    works(t, relay)
    relay.stop()
    for ca in (stranger.file, None):
        arguments = ["-c", origin.replace("wss", "https"), "--check", *(["--certificate-authority", ca] if ca else [])]
        run = subprocess.run([relay.binary, *arguments], env={**os.environ, **ENVIRONMENT}, capture_output=True, text=True)
        equal(run.returncode, 1, f"status with {ca}: {run.stdout}{run.stderr}")
        assert re.search("SSL error: (certificate signature failure|unable to get local issuer certificate)", run.stderr), run.stderr
    equal(len(server.requests), 1, "requests")


@case(timeout=30, engines=("epoll",), shards=(1,))
def draining_takes_up_nothing_more(t):
    server, relay = following(t)
    client = works(t, relay)
    relay.signal(signal.SIGTERM)
    relay.wait_for_metric("uturn_draining", 1)
    reloads = relay.metrics().sum("uturn_config_reloads_total")
    says(relay, server, configuration(relay, username="late"))
    equal(relay.metrics().sum("uturn_config_reloads_total"), reloads, "reloads")
    client.refresh(0)
    equal(relay.wait(), 0, "exit status")
