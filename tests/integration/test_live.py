"""What a reload changes beside the sockets of listeners, under calls of each transport: no packet is lost, and no call is cut."""

import signal

import stun
from flows import Flow, change, flowing, goes_on, is_open, retiring
from harness import PEER, case, equal, eventually
from relay import merged
from streams import TRANSPORTS, Streams
from test_reload import reload


@case(timeout=30)
def relay_addresses_and_ports_are_for_new_calls(t):
    streams = Streams(t)
    flows = [Flow(streams, transport) for transport in TRANSPORTS]
    first, last = t.relay_ports
    moved = {"min_relay_port": first + 500, "max_relay_port": first + 599, "advertised_address": "127.0.0.77"}
    with flowing(*flows):
        change(streams, lambda listeners: [listener.update(moved) for listener in listeners.values()])
    equal(retiring(streams.relay), [], "retiring")
    for flow in flows:
        goes_on(flow)
        client = streams.client(flow.name)
        client.allocate()
        equal(client.relayed[0], "127.0.0.77", "the advertised address")
        assert first + 500 <= client.relayed[1] <= first + 599, f"relay port {client.relayed[1]}"


@case(timeout=30)
def a_realm_changes_under_calls(t):
    streams = Streams(t)
    flows = [Flow(streams, transport) for transport in TRANSPORTS]
    with flowing(*flows):
        reload(streams.relay, {"auth": {"realm": "another.example", "credentials": {"password": "other"}}})
    for flow in flows:
        # As if the nonce had grown old: the answer has the realm that the call's key was made of.
        flow.client.nonce = b"stale"
        goes_on(flow)
        equal(flow.client.realm, b"test", "the realm that the call is told")
        late = streams.client(flow.name, password="other")
        late.allocate()
        equal(late.realm, b"another.example", "the realm that a new client is told")
    with flowing(*flows):
        reload(streams.relay, {"auth": {"type": "none", "credentials": None}})
    for flow in flows:
        goes_on(flow)
        late = streams.client(flow.name, password="other")
        equal(late.exchange(stun.encode(stun.BINDING, stun.REQUEST, [])).kind, stun.SUCCESS, "Binding")
        late.refused(403, late.allocate)


@case(timeout=30)
def credentials_routes_limits_and_certificates_change_under_calls(t):
    streams = Streams(t)
    flows = [Flow(streams, transport) for transport in TRANSPORTS]
    renewed = streams.authority.identity().write(streams.directory, "renewed")
    pair = dict(zip(("cert", "key"), renewed))
    with flowing(*flows):
        reload(streams.relay, {"auth": {"credentials": {"username": "new", "password": "secret"}}})
        change(streams, lambda listeners: [listeners[name].update(pair) for name in ("tls", "dtls")])
        change(streams, lambda listeners: [listener.update(public_port=443) for listener in listeners.values()])
        reload(streams.relay, {"admin": {"user_quota": 1, "loglevel": "all:WARN", "name": "other"}})
    equal(retiring(streams.relay), [], "retiring")
    held = streams.client("udp", username="new", password="secret")
    held.allocate()
    for flow in flows:
        goes_on(flow)
        old = streams.client(flow.name)
        old.refused(401, old.allocate)
        new = streams.client(flow.name, username="new", password="secret")
        new.refused(486, new.allocate)
    with flowing(*flows):
        change(streams, lambda listeners: [listener.update(routes=[]) for listener in listeners.values()])
    for flow in flows:
        flow.client.refresh()
        flow.client.refused(403, flow.client.permit, PEER)
        flow.round()


@case(timeout=30)
def a_listener_that_changes_while_draining_cuts_nothing(t):
    streams = Streams(t)
    flows = [Flow(streams, transport) for transport in TRANSPORTS]
    with flowing(*flows):
        streams.relay.signal(signal.SIGTERM)
        streams.relay.wait_for_log("draining")
        change(streams, lambda listeners: [listeners[name].update(port=t.port()) for name in ("udp", "tls")])
        equal(streams.relay.http("/ready")[0], 200, "/ready while draining")
    for flow in flows:
        goes_on(flow)
        flow.client.refresh(0)
    equal(streams.relay.wait(3), 0, "exit status")


@case(timeout=30)
def endpoints_move(t):
    streams = Streams(t)
    relay = streams.relay
    flow = Flow(streams, "udp")
    health, metrics, old_health = t.port(), t.port(), relay.health
    endpoints = {"healthcheck_endpoint": f"http://127.0.0.1:{health}", "metrics_endpoint": f"http://127.0.0.1:{metrics}/metrics"}
    with flowing(flow):
        relay.write_config(merged(relay.config, {"admin": endpoints}))
        relay.signal(signal.SIGHUP)
        eventually(lambda: is_open("tcp", ("127.0.0.1", health)), "health is at its new place")
        relay.health, relay.metrics_port = health, metrics
        equal(relay.http("/ready")[0], 200, "/ready")
        assert relay.metrics().sum("uturn_config_reloads_total") >= 1, "not counted"
        eventually(lambda: not is_open("tcp", ("127.0.0.1", old_health)), "the old one is closed")
        # They change places.
        relay.write_config(merged(relay.config, {"admin": {
            "healthcheck_endpoint": f"http://127.0.0.1:{metrics}", "metrics_endpoint": f"http://:{health}/m",
        }}))
        relay.signal(signal.SIGHUP)
        relay.health = metrics
        eventually(lambda: relay.http_status("/ready") == 200, "health where metrics were")
        equal(relay.http("/m", health)[0], 200, "metrics where health was")
