"""A relay that starts before its configuration is there: alive and not ready, and then everything at once."""

import signal

import netns
from flows import Flow, flowing, goes_on
from harness import case, equal, eventually
from streams import TRANSPORTS, Streams, talks
from test_reload import reload


def awaiting(t):
    """A relay whose file is not there yet; health is on port 8086 of a network of its own."""
    t.needs_root()
    netns.unshare()
    relay = t.make_relay()
    relay.config["admin"].pop("healthcheck_endpoint")
    relay.health = 8086
    relay.launch(["-w", "-c", relay.config_path, "--shards", str(t.shards), "--engine", t.engine])
    eventually(lambda: relay.http_status("/live") == 200, "alive")
    return relay


@case()
def a_relay_without_a_configuration_is_alive_and_not_ready(t):
    relay = awaiting(t)
    status, headers, body = relay.http("/live")
    equal((status, headers["Content-Type"], body), (200, "application/json; charset=utf-8", b"{}\n"), "/live")
    status, headers, body = relay.http("/ready")
    equal(
        (status, headers["Content-Type"], body),
        (503, "application/json; charset=utf-8", b'{"status":503,"message":"stunnerd not ready"}\n'),
        "/ready",
    )
    status = relay.status()
    equal((status["status"], status["listeners"], status["allocationCount"]), ("NOT-READY", [], 0), "/status")
    relay.write_config(text="{")
    relay.wait_for_log("was not taken up .*; there is none yet")
    equal(relay.http("/ready")[0], 503, "/ready after a broken configuration")
    relay.write_config()
    eventually(lambda: relay.http_status("/ready") == 200, "ready")
    equal(relay.http("/ready")[2], b'{"status":200,"message":"READY"}\n', "/ready")
    equal(relay.status()["status"], "READY", "status")
    client, peer, _ = t.call(relay)
    talks(client, peer)
    relay.metrics()


@case()
def sigterm_before_any_configuration_leaves_at_once(t):
    relay = awaiting(t)
    relay.signal(signal.SIGTERM)
    equal(relay.wait(2), 0, "exit status")


@case(timeout=30)
def from_nothing_to_everything(t):
    relay = awaiting(t)
    streams = Streams(t, start=False)
    config = streams.relay.config
    config["admin"].pop("healthcheck_endpoint")
    streams.relay = relay
    relay.write_config(config)
    eventually(lambda: relay.http_status("/ready") == 200, "ready")
    relay.metrics_port = int(config["admin"]["metrics_endpoint"].split(":")[2].split("/")[0])
    flows = [Flow(streams, transport) for transport in TRANSPORTS]
    with flowing(*flows):
        reload(relay, {"auth": {"credentials": {"password": "other"}}})
    for flow in flows:
        goes_on(flow)
