"""Listeners come, change and go while calls go on, over each transport: no packet is lost, and no call is cut."""

import copy
import resource
import socket
import time

import stun
from client import NoAnswer, Refused
from flows import Flow, change, flowing, goes_on, is_open, new_call, no_new_call, retiring, wait_until_retired
from harness import PEER, case, equal, eventually
from streams import TRANSPORTS, Streams
from test_proxy_protocol import version_1
from test_reload import reload


@case(timeout=40)
def another_port_cuts_no_call(t):
    streams = Streams(t)
    flows = [Flow(streams, transport, ipv6=ipv6) for transport in TRANSPORTS for ipv6 in (False, True)]
    ports = {transport: t.port() for transport in TRANSPORTS}

    def move(listeners):
        for transport in TRANSPORTS:
            listeners[transport]["port"] = ports[transport]

    with flowing(*flows):
        change(streams, move)
    for flow in flows:
        new_call(streams, flow.name, ("127.0.0.1", ports[flow.name]))
        goes_on(flow)
    for transport in ("udp", "tcp", "tls"):
        no_new_call(streams, transport, streams.address(transport))
    with flowing(*flows):
        equal(sorted(one["name"] for one in retiring(streams.relay)), sorted(TRANSPORTS), "retiring")
        # One more reload while they retire.
        reload(streams.relay, {"admin": {"user_quota": 1000}})
    for flow in flows:
        goes_on(flow)
        flow.client.refresh(0)
        flow.client.close()
    # An association is over in a minute: one that says nothing holds its listener for so long.
    eventually(lambda: {one["name"] for one in retiring(streams.relay)} <= {"dtls"}, "all but DTLS have retired")
    for transport in ("udp", "tcp", "tls"):
        eventually(lambda: not is_open(transport, streams.address(transport)), f"the old port of {transport} is closed")


@case(timeout=30)
def a_port_closes_with_its_last_call(t):
    streams = Streams(t)
    old, port = streams.plain, t.port()
    calls = {transport: [Flow(streams, transport) for _ in range(4)] for transport in ("udp", "tcp")}
    change(streams, lambda listeners: [listeners[name].update(port=port) for name in calls])
    eventually(lambda: not is_open("tcp", old), "the TCP port takes no more connections")
    while calls["udp"]:
        with flowing(*calls["udp"], *calls["tcp"]):
            equal(is_open("udp", old), True, "the UDP port is open while there are calls")
            equal([one["allocations"] for one in retiring(streams.relay)], [len(calls["udp"])] * 2, "calls left")
        for flows in calls.values():
            over = flows.pop()
            over.client.refresh(0)
            over.client.close()
    wait_until_retired(streams.relay)
    eventually(lambda: not is_open("udp", old), "the UDP port is closed")


@case(shards=(1,), spread=True)
def what_a_listener_needed_is_the_others_when_it_has_retired(t):
    """Half of the descriptors are for connections as long as there may be any."""
    streams = Streams(t, start=False)
    relay, (udp, tcp) = streams.relay, streams.relay.config["listeners"][:2]
    relay.write_config({**relay.config, "listeners": [udp, tcp]})
    relay.start(["-c", relay.config_path], preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (1000, 1000)))
    call = Flow(streams, "tcp")

    def room():
        metrics = relay.metrics()
        return metrics.sum("uturn_allocations_max"), metrics.sum("uturn_connections_max")

    shared = room()
    equal(shared[0], shared[1], "allocations and connections")
    reload(relay, {"listeners": [udp]})
    equal(sum(room()), sum(shared), "room while it retires")
    call.round()
    call.client.refresh(0)
    call.client.close()
    wait_until_retired(relay)
    eventually(lambda: room()[1] == 0, "nothing is kept for connections")
    assert room()[0] > 1.9 * shared[0], f"allocations: {room()[0]} after {shared[0]}"
    new_call(streams, "udp", streams.plain)


@case(timeout=30)
def listeners_come_and_go(t):
    relay_only = Streams(t, start=False)
    everything = relay_only.relay.config
    relay_only.relay.write_config({**everything, "listeners": everything["listeners"][:1]})
    relay_only.relay.start(["-c", relay_only.relay.config_path])
    streams = relay_only
    udp = Flow(streams, "udp")
    with flowing(udp):
        reload(streams.relay, everything)
    flows = [udp, *(Flow(streams, transport) for transport in TRANSPORTS[1:])]
    with flowing(*flows):
        reload(streams.relay, {"listeners": everything["listeners"][:1]})
    for flow in flows[1:]:
        # The routes went with the listener.
        flow.client.refresh()
        flow.client.refused(403, flow.client.permit, PEER)
        flow.round()
        flow.client.refresh(0)
    goes_on(udp)
    udp.client.refresh(0)
    reload(streams.relay, {"version": "v1", "listeners": []})
    eventually(lambda: not is_open("udp", streams.plain), "the last one is closed")
    equal(streams.relay.http("/ready")[0], 200, "/ready without a listener")
    reload(streams.relay, {"listeners": everything["listeners"]})
    new_call(streams, "udp", streams.plain)


@case(timeout=30)
def datagrams_change_their_protocol_on_one_port(t):
    streams = Streams(t, each={"udp": {"name": "one"}})
    streams.relay.stop()
    (one, *_) = streams.relay.config["listeners"]
    streams.relay.write_config({**streams.relay.config, "listeners": [one]})
    streams.relay.start(["-c", streams.relay.config_path])
    secure = {**one, "protocol": "dtls", **streams.pair()}
    streams.secure = streams.plain
    first, also = Flow(streams, "udp"), Flow(streams, "udp", ipv6=True)
    with flowing(first, also):
        reload(streams.relay, {"listeners": [secure]})
    goes_on(also)
    also.client.refresh(0)
    second = Flow(streams, "dtls")
    late = streams.client("udp")
    try:
        late.exchange(stun.encode(stun.BINDING, stun.REQUEST, []), timeout=0.5)
        raise AssertionError("the DTLS listener answers in clear")
    except NoAnswer:
        pass
    goes_on(first)
    with flowing(first, second):
        reload(streams.relay, {"listeners": [one]})
    third = Flow(streams, "udp")
    with flowing(first, second, third):
        reload(streams.relay, {"listeners": [secure]})
    fourth = Flow(streams, "dtls")
    with flowing(first, second, third, fourth):
        equal(len(retiring(streams.relay)), 3, "retiring")
    for flow in (first, second, third, fourth):
        goes_on(flow)
    first.client.refresh(0)
    third.client.refresh(0)
    eventually(lambda: len(retiring(streams.relay)) == 1, "those without calls are gone")
    with flowing(second, fourth):
        pass


@case(timeout=30)
def connections_change_their_protocol_on_one_port(t):
    streams = Streams(t)
    tcp, tls = streams.relay.config["listeners"][1:3]
    reload(streams.relay, {"listeners": [tcp]})
    first = Flow(streams, "tcp")
    streams.secure = streams.plain
    with flowing(first):
        reload(streams.relay, {"listeners": [{**tls, "port": streams.plain[1]}]})
    second = Flow(streams, "tls")
    with flowing(first, second):
        reload(streams.relay, {"listeners": [{**tcp, "proxy_protocol": True, "proxy_trusted": ["127.0.0.1"]}]})
    third = streams.client("tcp", first=version_1(source=("192.0.2.9", 1234)))
    third.allocate()
    equal(third.mapped, ("192.0.2.9", 1234), "whom the header names")
    with flowing(first, second):
        reload(streams.relay, {"listeners": [tcp]})
    new_call(streams, "tcp", streams.plain)
    # With a name of its own, the removed one's routes went.
    goes_on(first)
    second.client.refused(403, second.client.permit, PEER)
    third.refresh()


@case(timeout=30)
def names_change_and_sockets_stay(t):
    streams = Streams(t)
    flows = [Flow(streams, transport) for transport in TRANSPORTS]

    def rename(listeners):
        for listener in listeners.values():
            listener["name"] = "new/" + listener["name"]

    with flowing(*flows):
        change(streams, rename)
    equal(retiring(streams.relay), [], "retiring")
    for flow in flows:
        goes_on(flow)
    names = {labels["name"] for labels, _ in streams.relay.metrics()["stunner_listener_packets_total"]}
    equal(names, {"new/" + transport for transport in TRANSPORTS}, "names in the metrics")
    equal({one["name"] for one in streams.relay.status()["listeners"]}, names, "names in /status")


@case(timeout=30)
def names_change_places(t):
    streams = Streams(t)
    other = t.port()
    udp = streams.relay.config["listeners"][0]
    a, b = {**udp, "name": "a"}, {**udp, "name": "b", "port": other}
    reload(streams.relay, {"listeners": [a, b]})
    flow = Flow(streams, "udp")
    before = streams.relay.metrics().sum("stunner_listener_packets_total", name="a", direction="rx")
    assert before > 0, "nothing was counted"
    with flowing(flow):
        reload(streams.relay, {"listeners": [{**b, "port": a["port"]}, {**a, "port": other}]})
    equal(retiring(streams.relay), [], "retiring")
    after = streams.relay.metrics()
    assert after.sum("stunner_listener_packets_total", name="b", direction="rx") >= 10, "b has the packets now"
    assert after.sum("stunner_listener_packets_total", name="a", direction="rx") >= before, "a's counter went backwards"
    new_call(streams, "udp", (streams.plain[0], other))


@case(timeout=30)
def revoke_ends_the_calls_of_a_removed_listener(t):
    streams = Streams(t)
    flows = [Flow(streams, transport) for transport in TRANSPORTS]
    with flowing(flows[0]):
        reload(streams.relay, {"listeners": streams.relay.config["listeners"][:1], "revoke": True})
    streams.wait_for("allocations", 1)
    goes_on(flows[0])


@case(timeout=30)
def a_port_that_is_taken_refuses_all_of_it(t):
    streams = Streams(t)
    flows = [Flow(streams, transport) for transport in TRANSPORTS]
    taken_udp, taken_tcp, free = t.port(), t.port(), t.port()
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", taken_udp))
    tcp = socket.socket()
    tcp.bind(("127.0.0.1", taken_tcp))
    tcp.listen()
    t.ending(udp.close)
    t.ending(tcp.close)
    attempts = (
        {"listeners": {"tls": free, "udp": taken_udp}},
        {"listeners": {"udp": free, "tcp": taken_tcp}},
        {"listeners": {"dtls": free}, "admin": {"metrics_endpoint": f"http://127.0.0.1:{taken_tcp}/metrics"}},
        {"listeners": {"dtls": free}, "admin": {"healthcheck_endpoint": f"http://127.0.0.1:{taken_tcp}"}},
    )
    for attempt in attempts:
        good = copy.deepcopy(streams.relay.config)
        admin = {**attempt.get("admin", {}), "user_quota": 1}
        with flowing(*flows):
            change(
                streams, lambda listeners: [listeners[name].update(port=port) for name, port in attempt["listeners"].items()],
                good=False, admin=admin,
            )
        streams.relay.config = good
        equal(is_open("udp", ("127.0.0.1", free)), False, "what was opened is closed again")
        equal(is_open("tcp", ("127.0.0.1", free)), False, "what was opened is closed again")
        equal(retiring(streams.relay), [], "retiring")
        for flow in flows:
            goes_on(flow)
            # The quota is part of what was refused.
            new_call(streams, flow.name, streams.address(flow.name))
    streams.relay.wait_for_log(rf"listener udp: cannot open UDP .*:{taken_udp}: Address already in use: another process listens there")
    streams.relay.wait_for_log(r"was not taken up \(SIGHUP\); the running one stays")


@case(timeout=30)
def another_bind_address_waits_for_the_calls(t):
    streams = Streams(t)
    udp, tcp = streams.relay.config["listeners"][:2]
    reload(streams.relay, {"listeners": [udp, tcp]})
    flow, stream = Flow(streams, "udp"), Flow(streams, "tcp")
    with flowing(flow, stream):
        narrow = [{**listener, "bind_address": "127.0.0.1"} for listener in (udp, tcp)]
        reload(streams.relay, {"listeners": narrow})
        # Connections have sockets of their own: their listener waits for nothing but the old one's end.
        eventually(lambda: is_open("tcp", streams.plain), "TCP has come back")
    streams.relay.wait_for_log(r"listener udp: UDP 127\.0\.0\.1:\d+ waits until sockets in its way close")
    equal([one["name"] for one in streams.relay.status()["uturn"]["waiting"]], ["udp"], "waiting, in /status")
    equal(streams.relay.metrics().sum("uturn_listeners_waiting"), 1, "waiting")
    no_new_call(streams, "udp", streams.plain)
    new_call(streams, "tcp", streams.plain)
    goes_on(flow)
    flow.client.refresh(0)
    stream.client.refresh(0)
    stream.client.close()
    wait_until_retired(streams.relay)
    eventually(lambda: can_call(streams, "udp"), "the new one has opened")
    equal(streams.relay.metrics().sum("uturn_listeners_waiting"), 0, "waiting")


def can_call(streams, transport):
    try:
        new_call(streams, transport, streams.address(transport))
    except (NoAnswer, Refused):
        return False
    return True


@case(timeout=30)
def metrics_follow_the_listeners(t):
    streams = Streams(t)
    relay = streams.relay
    flow = Flow(streams, "udp")
    for _ in range(50):
        flow.round()

    def packets():
        return relay.metrics().sum("stunner_listener_packets_total", name="udp", direction="rx")

    seen = packets()
    for _ in range(4):
        change(streams, lambda listeners: listeners["udp"].update(port=t.port()))
        now = packets()
        assert now >= seen, f"the counter went from {seen} to {now}"
        seen = now
    new_call(streams, "udp", ("127.0.0.1", relay.config["listeners"][0]["port"]))
    flow.round()
    assert packets() > seen, "what retires and what is new count together"
    seen = packets()
    flow.client.refresh(0)
    wait_until_retired(relay)
    assert packets() >= seen, "the counter went backwards when the old one closed"
    change(streams, lambda listeners: listeners.pop("udp"))
    eventually(lambda: "udp" not in {labels["name"] for labels, _ in relay.metrics()["stunner_listener_packets_total"]}, "the series is gone")
    for metric in ("stunner_listener_bytes_total", "stunner_listener_connections", "stunner_listener_connections_total"):
        equal({labels["name"] for labels, _ in relay.metrics()[metric]}, {"tcp", "tls", "dtls"}, metric)


@case(timeout=40)
def places_for_listeners_are_bounded(t):
    def at(number):
        return f"127.0.1.{number + 1}"

    relay = t.relay(listener={"bind_address": at(0)})
    held = []
    for number in range(64):
        if number > 0:
            reload(relay, {"listener": {"bind_address": at(number)}})
        client = t.client(relay, server=(at(number), relay.port), local=(at(number), 0))
        client.allocate()
        held.append(client)
    good = copy.deepcopy(relay.config)
    reload(relay, {"listener": {"bind_address": at(64)}}, good=False)
    relay.wait_for_log(r"listeners: 64 are the most at once, and of those that were removed or replaced too many still have clients")
    relay.config = good
    for client in held:
        client.refresh()
    held[0].refresh(0)
    eventually(lambda: len(retiring(relay)) == 62, "one has retired")
    time.sleep(0.3)  # until the shards have let go of it
    reload(relay, {"listener": {"bind_address": at(64)}})


@case(timeout=60)
def everything_changes_and_nothing_is_lost(t):
    streams = Streams(t)
    flows = [Flow(streams, transport) for transport in TRANSPORTS]
    good = streams.relay.config
    with flowing(*flows):
        for number in range(12):
            listeners = copy.deepcopy(good["listeners"])
            for index, listener in enumerate(listeners):
                if (number + index) % 3 == 0:
                    listener["port"] = t.port()
                if (number + index) % 4 == 1:
                    listener["name"] += f"-{number}"
            top = {"auth": {"realm": f"realm{number}"}, "admin": {"user_quota": 100 + number}}
            reload(streams.relay, {"listeners": listeners, **top})
        reload(streams.relay, good)
    for flow in flows:
        goes_on(flow)
        new_call(streams, flow.name, streams.address(flow.name))
    drops = {key: value for key, value in streams.relay.metrics().items() if key == "uturn_send_drops_total"}
    assert all(value == 0 for series in drops.values() for _, value in series), drops
