"""Credentials over HTTP, as an application inside fetches them, and a call with each of them."""

import json
import re
import time

import stun
from harness import PEER, case, equal, eventually
from relay import merged

EPHEMERAL = {"type": "ephemeral", "credentials": {"username": None, "password": None, "secret": "between-us"}}


def start(t, **changes):
    """A relay and the port where it hands out credentials."""
    ice = t.port()
    return t.relay(**merged({"admin": {"ice_endpoint": f"http://127.0.0.1:{ice}"}}, changes)), ice


def fetch(relay, ice, path):
    status, headers, body = relay.http(path, ice)
    equal((status, headers["Content-Type"], headers["Cache-Control"]), (200, "application/json; charset=UTF-8", "no-store"), "the head")
    return json.loads(body)


def allocates(t, relay, username, password):
    client = t.client(relay, username=username, password=password)
    client.allocate()
    client.permit(PEER)


@case(shards=(1,))
def what_it_hands_out_makes_a_call(t):
    relay, ice = start(t)
    answer = fetch(relay, ice, "/?service=turn&username=alice")
    equal((answer["username"], answer["password"], answer["ttl"]), ("user", "pass", 86400), "static credentials")
    (uri,) = answer["uris"]
    assert re.fullmatch(rf"turn:[0-9.]+:{relay.port}\?transport=udp", uri), uri
    allocates(t, relay, answer["username"], answer["password"])

    relay, ice = start(t, auth=EPHEMERAL)
    answer = fetch(relay, ice, "/?service=turn&username=alice&ttl=60")
    assert re.fullmatch(r"\d+:alice", answer["username"]), answer
    assert abs(int(answer["username"].split(":")[0]) - time.time() - 60) < 5, answer
    allocates(t, relay, answer["username"], answer["password"])
    answer = fetch(relay, ice, "/ice?service=turn&public-addr=turn.example.org&iceTransportPolicy=relay")
    (server,) = answer["iceServers"]
    equal(server["urls"], [f"turn:turn.example.org:{relay.port}?transport=udp"], "urls")
    equal(answer["iceTransportPolicy"], "relay", "policy")
    allocates(t, relay, server["username"], server["credential"])


@case(shards=(1,), engines=("epoll",))
def it_stands_alone_and_no_peer_reaches_it(t):
    relay, ice = start(t)
    for path, status in (("/", 400), ("/ice", 400), ("/ice?service=stun", 400), ("/ice?service=turn&namespace=x", 404), ("/live", 404)):
        equal(relay.http(path, ice)[0], status, path)
    for port in (relay.health, relay.metrics_port):
        equal(relay.http("/ice?service=turn", port)[0], 404, "on another port")
    client = t.client(relay)
    client.allocate()
    answer = client.ask(stun.CHANNEL_BIND, [(stun.CHANNEL_NUMBER, b"\x40\x00\0\0"), (stun.XOR_PEER_ADDRESS, ("127.0.0.1", ice))])
    equal(answer.error, 403, "a channel to the endpoint")


@case(shards=(1,), engines=("epoll",))
def its_key_is_asked_for_and_shown_nowhere(t):
    relay, ice = start(t, admin={"ice_key": "hunter2-key"})
    for query, status in (("", 403), ("&key=hunter", 403), ("&key=hunter2-key", 200)):
        equal(relay.http("/?service=turn" + query, ice)[0], status, query)
    relay.write_config(merged(relay.config, {"admin": {"ice_key": "hunter3-key"}}))
    eventually(lambda: relay.http("/?service=turn&key=hunter3-key", ice)[0] == 200, "the new key")
    equal(relay.http("/?service=turn&key=hunter2-key", ice)[0], 403, "the old key")
    assert "hunter" not in relay.log() + relay.http("/status")[2].decode(), "the key is shown"


@case(shards=(1,), engines=("epoll",))
def it_hands_out_what_a_reload_brought(t):
    relay, ice = start(t)
    relay.write_config(merged(relay.config, {"auth": {"credentials": {"username": "new", "password": "word"}}}))
    answer = eventually(lambda: (a := fetch(relay, ice, "/?service=turn"))["username"] == "new" and a, "the new user")
    allocates(t, relay, answer["username"], answer["password"])


@case(shards=(1,), engines=("epoll",))
def it_is_off_unless_asked_for(t):
    relay = t.relay()
    for port in (relay.health, relay.metrics_port):
        equal(relay.http("/?service=turn", port)[0], 404, "on another port")
    relay, ice = start(t, auth={"type": "none", "credentials": None})
    equal(relay.http("/?service=turn", ice)[0], 404, "without relaying")
