"""Where a configuration comes from: files of YAML, files that come later, the environment alone, under both names."""

import json
import os
import signal
import subprocess

import netns
from harness import PEER, case, equal, eventually

# As STUNner's first version had it in its image, but for what keeps it apart from other tests.
FOUNDING = """\
version: v1alpha1
admin:
  name: stunnerd
  logLevel: $STUNNER_LOGLEVEL
  realm: $STUNNER_REALM
static:
  auth:
    type: $STUNNER_AUTH_TYPE
    credentials:
      username: $STUNNER_USERNAME
      password: $STUNNER_PASSWORD
      secret: $STUNNER_SHARED_SECRET
  listeners:
    - name: stunnerd-udp
      address: "$STUNNER_ADDR"
      protocol: udp
      port: $STUNNER_PORT
      minPort: $STUNNER_MIN_PORT
      maxPort: $STUNNER_MAX_PORT
    - name: stunnerd-tcp
      address: "$STUNNER_ADDR"
      protocol: tcp
      port: $STUNNER_PORT
      minPort: $STUNNER_MIN_PORT
      maxPort: $STUNNER_MAX_PORT
clusters:
  - name: loopback
    endpoints: [127.0.0.0/8]
"""

# What the first version's ConfigMap gave to the daemon.
CONFIG_MAP = {
    "STUNNER_PUBLIC_ADDR": "192.0.2.1",
    "STUNNER_PUBLIC_PORT": "3478",
    "STUNNER_PORT": "3478",
    "STUNNER_REALM": "stunner.l7mp.io",
    "STUNNER_AUTH_TYPE": "plaintext",
    "STUNNER_USERNAME": "user",
    "STUNNER_PASSWORD": "pass",
    "STUNNER_SHARED_SECRET": "my-shared-secret",
    "STUNNER_LOGLEVEL": "all:INFO",
    "STUNNER_MIN_PORT": "10000",
    "STUNNER_MAX_PORT": "20000",
}


def start(t, relay, *arguments, **environment):
    return relay.launch([*arguments, "--engine", t.engine, "--shards", "1"], env={**os.environ, **environment})


def own_network(t):
    """Health on 8086, metrics on 8080, TURN on 3478: what nobody has changed."""
    t.needs_root()
    netns.unshare()
    relay = t.make_relay()
    relay.port, relay.health, relay.metrics_port = 3478, 8086, 8080
    return relay


def ready(relay):
    eventually(lambda: relay.http_status("/ready") == 200, "ready", 10)


def transports(relay):
    return sorted(listener["protocol"] for listener in relay.status()["listeners"])


def with_routes(text):
    """The first form has no routes: what has clusters names them."""
    return text.replace("      minPort", "      routes: [loopback]\n      minPort")


@case(engines=("epoll",), shards=(1,))
def the_founding_configuration_relays(t):
    relay = own_network(t)
    path = os.path.join(t.directory, "stunnerd.conf")
    with open(path, "w") as file:
        file.write(with_routes(FOUNDING))
    start(t, relay, "-c", path, **CONFIG_MAP, STUNNER_ADDR="127.0.0.1")
    ready(relay)
    equal(transports(relay), ["TURN-TCP", "TURN-UDP"], "transports")
    client = t.client(relay)
    client.allocate()
    client.permit(PEER)
    assert 10000 <= client.relayed[1] <= 20000, f"relayed by {client.relayed}"
    equal(relay.status()["auth"]["realm"], "stunner.l7mp.io", "realm")


@case(engines=("epoll",), shards=(1,))
def the_founding_configuration_obeys_the_switches(t):
    relay = own_network(t)
    path = os.path.join(t.directory, "stunnerd.conf")
    with open(path, "w") as file:
        file.write(FOUNDING)
    for udp, tcp, expected in (("1", "", ["TURN-UDP"]), ("", "1", ["TURN-TCP"]), ("1", "1", ["TURN-TCP", "TURN-UDP"])):
        switches = {"STUNNER_TRANSPORT_UDP_ENABLE": udp, "STUNNER_TRANSPORT_TCP_ENABLE": tcp}
        start(t, relay, "-c", path, **CONFIG_MAP, **switches)
        ready(relay)
        equal(transports(relay), expected, f"transports of {switches}")
        relay.stop()
    start(t, relay, "-c", path, **CONFIG_MAP, STUNNER_TRANSPORT_UDP_ENABLE="", STUNNER_TRANSPORT_TCP_ENABLE="")
    equal(relay.wait(), 1, "exit status")
    assert "STUNNER_TRANSPORT_UDP_ENABLE" in relay.log(), relay.log()


@case(engines=("epoll",), shards=(1,))
def the_environment_alone_is_enough(t):
    relay = own_network(t)
    start(t, relay, **CONFIG_MAP, STUNNER_TRANSPORT_UDP_ENABLE="1", STUNNER_TRANSPORT_TCP_ENABLE="")
    ready(relay)
    equal(transports(relay), ["TURN-UDP"], "transports")
    client = t.client(relay)
    client.allocate()
    assert 10000 <= client.relayed[1] <= 20000, f"relayed by {client.relayed}"
    equal(relay.status()["uturn"]["source"]["place"], "embedded default", "source")
    relay.stop()
    start(t, relay, **CONFIG_MAP, STUNNER_TRANSPORT_TCP_ENABLE="1")
    ready(relay)
    equal(transports(relay), ["TURN-TCP", "TURN-UDP"], "transports")


@case(engines=("epoll",), shards=(1,))
def both_spellings_are_honoured(t):
    relay = own_network(t)
    variables = {key: value for key, value in CONFIG_MAP.items() if key not in ("STUNNER_PUBLIC_ADDR", "STUNNER_SHARED_SECRET")}
    variables |= {"STUNNER_PUBLIC_IP": "192.0.2.9", "STUNNER_SECRET": "shared", "STUNNER_AUTH_TYPE": "longterm"}
    start(t, relay, **variables)
    ready(relay)
    status = relay.status()
    equal(status["listeners"][0]["public_address"], "192.0.2.9", "public_address")
    equal(status["auth"]["type"], "ephemeral", "type")
    relay.stop()
    path = os.path.join(t.directory, "stunnerd.conf")
    with open(path, "w") as file:
        file.write(FOUNDING)
    start(t, relay, "-c", path, **variables)
    ready(relay)
    equal(relay.status()["auth"]["type"], "ephemeral", "type in the file")


@case(timeout=30, engines=("epoll",), shards=(1,))
def a_watched_file_may_come_later(t):
    relay = own_network(t)
    folder = os.path.join(t.directory, "late")
    path = os.path.join(folder, "uturn.yaml")
    start(t, relay, "-w", "-c", "file://" + path)
    eventually(lambda: relay.http_status("/live") == 200, "alive")
    equal(relay.http("/ready")[0], 503, "/ready")
    equal(relay.status()["status"], "NOT-READY", "status")
    os.mkdir(folder)
    open(path, "w").close()
    relay.wait_for_log("is empty, and is ignored|waiting for it")
    with open(path, "w") as file:
        file.write("version: v1\nauth: {\n")
    relay.wait_for_log("uturn.yaml:3:1: is not YAML")
    equal(relay.http("/ready")[0], 503, "/ready")
    with open(path + ".new", "w") as file:
        json.dump(relay.config, file)
    config = relay.config["admin"]
    relay.port, relay.health, relay.metrics_port = (
        relay.config["listeners"][0]["port"],
        int(config["healthcheck_endpoint"].rsplit(":", 1)[1]),
        int(config["metrics_endpoint"].rsplit(":", 1)[1].split("/")[0]),
    )
    os.rename(path + ".new", path)
    ready(relay)
    client = t.client(relay)
    client.allocate()
    os.unlink(path)
    relay.signal(signal.SIGHUP)
    relay.wait_for_log("cannot be read")
    client.refresh()


@case(engines=("epoll",), shards=(1,))
def without_watch_a_missing_file_is_the_end(t):
    relay = t.make_relay()
    start(t, relay, "-c", "/nonexistent/uturn.yaml")
    equal(relay.wait(), 1, "exit status")
    assert "/nonexistent/uturn.yaml: cannot be read: No such file or directory" in relay.log(), relay.log()


@case(engines=("epoll",), shards=(1,))
def the_name_stunnerd_looks_for_a_service(t):
    t.needs_root()
    netns.unshare()
    program = os.path.join(t.directory, "stunnerd")
    os.symlink(t.options.binary, program)
    run = subprocess.run([program], capture_output=True, text=True)
    equal(run.returncode, 1, "exit status")
    assert "http://127.0.0.1:13478: config discovery service: " in run.stderr, run.stderr


@case(engines=("epoll",), shards=(1,))
def threads_are_bounded_from_above(t):
    relay = t.make_relay()
    relay.config["admin"]["shards"] = 4
    relay.write_config()
    for bound, shards in (("16", 4), ("2", 2), ("0", 4)):
        relay.start(["-c", relay.config_path, "-u", bound, "--engine", t.engine])
        equal(relay.status()["uturn"]["shards"], shards, f"shards with -u {bound}")
        relay.stop()
