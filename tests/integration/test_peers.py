"""Peers: who may be reached, who may answer, and what of a packet survives the way."""

import socket

import stun
from client import NoAnswer
from harness import PEER, case, equal, eventually


def silence(sock_or_client, seconds=0.15):
    """Nothing may arrive. Everything here is loopback: what is to come is there within microseconds."""
    if isinstance(sock_or_client, socket.socket):
        sock_or_client.settimeout(seconds)
        try:
            data = sock_or_client.recv(2048)
        except TimeoutError:
            return
        raise AssertionError(f"arrived: {data!r}")
    packet = sock_or_client.receive(seconds)
    assert packet is None, f"arrived: {packet}"


@case()
def permissions_are_all_or_nothing(t):
    relay = t.relay()
    client, peer = t.client(relay), t.peer()
    client.allocate()
    client.refused(403, client.permit, PEER, "10.1.2.3")
    peer.sendto(b"x", client.relayed)
    silence(client)
    client.send(peer.getsockname(), b"x")
    silence(peer)
    equal(relay.metrics().sum("uturn_permissions"), 0, "permissions")
    client.permit(PEER, "127.0.0.2", "127.0.0.3")
    for address in (PEER, "127.0.0.2", "127.0.0.3"):
        t.peer((address, 0)).sendto(address.encode(), client.relayed)
        packet = client.receive()
        equal((packet.data, packet.peer[0]), (address.encode(), address), "(data, peer)")
    equal(relay.metrics().sum("uturn_permissions"), 3, "permissions")


@case()
def strangers_are_dropped_in_both_directions(t):
    relay = t.relay()
    client, peer, address = t.call(relay)
    stranger = t.peer(("127.0.0.9", 0))
    stranger.sendto(b"x", client.relayed)
    silence(client)
    client.send(stranger.getsockname(), b"x")
    silence(stranger)
    client.send_channel(0x4321, b"x")
    silence(peer)
    t.client(relay).send(address, b"x")
    silence(peer)
    metrics = relay.metrics()
    for verdict, count in (("drop_no_permission", 2), ("drop_no_channel", 1), ("drop_no_allocation", 1)):
        equal(metrics.sum("uturn_packets_total", verdict=verdict), count, verdict)
    client.send(address, b"still fine")
    equal(peer.recv(100), b"still fine", "data")


@case()
def a_peer_may_change_its_port(t):
    relay = t.relay()
    client, _, address = t.call(relay)
    client.bind(0x4000, address)
    other = t.peer()
    other.sendto(b"from elsewhere", client.relayed)
    packet = client.receive()
    equal((packet.channel, packet.peer, packet.data), (None, other.getsockname(), b"from elsewhere"), "(channel, peer, data)")
    client.send(other.getsockname(), b"back")
    equal(other.recv(100), b"back", "data")


@case()
def channels_keep_number_and_peer_together(t):
    relay = t.relay()
    client, peer, address = t.call(relay)
    other = t.peer()
    client.bind(0x4000, address)
    client.bind(0x4000, address)  # a refresh
    client.refused(400, client.bind, 0x4000, other.getsockname())
    client.refused(400, client.bind, 0x4001, address)
    client.bind(0x4FFF, other.getsockname())
    equal(relay.metrics().sum("uturn_channels"), 2, "channels")
    for number, sock in ((0x4000, peer), (0x4FFF, other)):
        for size in (0, 1, 2, 3, 4, 1400):
            payload = bytes([size & 0xFF]) * size
            for padded in (False, True):
                client.send_channel(number, payload, padded)
                equal(sock.recvfrom(2048), (payload, client.relayed), "(data, source)")
            sock.sendto(payload, client.relayed)
            packet = client.receive()
            equal((packet.channel, packet.data), (number, payload), "(channel, data)")


@case()
def a_channel_brings_its_permission(t):
    relay = t.relay()
    client, peer = t.client(relay), t.peer()
    client.allocate()
    client.bind(0x4000, peer.getsockname())
    peer.sendto(b"x", client.relayed)
    equal(client.receive().channel, 0x4000, "channel")


@case()
def port_ranges_of_clusters_hold_in_both_directions(t):
    inside, outside = t.port(), t.port()
    relay = t.relay(cluster={"endpoints": [f"{PEER}:<{inside}-{inside}>"]})
    client = t.client(relay)
    client.allocate()
    client.permit(PEER)
    allowed, refused = t.peer((PEER, inside)), t.peer((PEER, outside))
    client.send((PEER, inside), b"in")
    equal(allowed.recv(100), b"in", "data")
    allowed.sendto(b"in", client.relayed)
    equal(client.receive().data, b"in", "data")
    client.send((PEER, outside), b"x")
    silence(refused)
    refused.sendto(b"x", client.relayed)
    silence(client)
    client.refused(403, client.bind, 0x4000, (PEER, outside))
    client.bind(0x4000, (PEER, inside))
    equal(relay.metrics().sum("uturn_packets_total", verdict="drop_peer_refused"), 2, "drops")


@case()
def what_is_not_routed_is_403(t):
    relay = t.relay()
    client, client6 = t.client(relay), t.client(relay)
    client.allocate()
    client6.allocate(family=stun.FAMILY_IPV6)
    for address in ("10.1.2.3", "169.254.169.254", "8.8.8.8", "0.0.0.0", "224.0.0.1", "255.255.255.255"):
        client.refused(403, client.permit, address)
        client.refused(403, client.bind, 0x4000, (address, 80))
    for address in ("fd00:ec2::254", "fe80::1", "ff02::1", "::", "2002:a00:1::", "64:ff9b::a00:1", "::ffff:10.0.0.1"):
        client6.refused(403, client6.permit, address)
    # The server itself, although loopback is routed.
    for port in (relay.port, relay.health, relay.metrics_port):
        client.refused(403, client.bind, 0x4000, ("127.0.0.1", port))
        client6.refused(403, client6.bind, 0x4000, ("::1", relay.port))
    client.permit("127.0.0.1")
    client.send(relay.address, stun.encode(stun.BINDING, stun.REQUEST, []))
    silence(client)
    equal(relay.metrics().sum("uturn_permissions"), 1, "permissions")


@case()
def no_routes_reach_nothing(t):
    relay = t.relay(listener={"routes": []})
    client, peer = t.client(relay), t.peer(("127.0.0.1", 0))
    client.allocate()
    client.refused(403, client.permit, PEER)
    # The relay's own address may be permitted, as other relayed addresses live there; its other ports stay closed.
    client.permit("127.0.0.1")
    client.refused(403, client.bind, 0x4000, peer.getsockname())
    client.send(peer.getsockname(), b"x")
    silence(peer)
    peer.sendto(b"x", client.relayed)
    silence(client)


def hairpin(t, relay, address):
    one, two = t.client(relay), t.client(relay)
    for client in (one, two):
        client.allocate()
        equal(client.relayed[0], address, "relayed address")
    one.permit(two.relayed[0])
    # The other side has not permitted anything yet.
    one.send(two.relayed, b"too early")
    silence(two)
    two.permit(one.relayed[0])
    for source, sink in ((one, two), (two, one)):
        source.send(sink.relayed, b"indication")
        packet = sink.receive()
        equal((packet.data, packet.peer), (b"indication", source.relayed), "(data, peer)")
    for source, sink in ((one, two), (two, one)):
        source.bind(0x4000, sink.relayed)
    for source, sink in ((one, two), (two, one)):
        source.send_channel(0x4000, b"channel")
        packet = sink.receive()
        equal((packet.data, packet.channel), (b"channel", 0x4000), "(data, channel)")
    for client in (one, two):
        client.refresh(0)


@case(timeout=30)
def two_clients_of_one_relay_reach_each_other(t):
    relay = t.relay(listener={"routes": []})
    for _ in range(4):  # so that with several shards the two are often on different ones
        hairpin(t, relay, "127.0.0.1")


@case(timeout=30)
def two_clients_reach_each_other_by_the_advertised_address(t):
    relay = t.relay(listener={"routes": [], "advertised_address": "198.51.100.9"})
    for _ in range(4):
        hairpin(t, relay, "198.51.100.9")


@case()
def a_dead_relayed_address_is_not_admitted(t):
    relay = t.relay(listener={"routes": []})
    one, two = t.client(relay), t.client(relay)
    one.allocate()
    two.allocate()
    gone = two.relayed
    one.bind(0x4000, gone)
    two.refresh(0)
    relay.wait_for_metric("uturn_allocations", 1)
    squatter = eventually(lambda: try_bind(t, gone), "the relay port is free again")
    one.send_channel(0x4000, b"x")
    silence(squatter)
    three = t.client(relay)
    three.allocate()
    three.refused(403, three.bind, 0x4000, gone)


def try_bind(t, address):
    try:
        return t.peer(address)
    except OSError:
        return None


@case()
def tos_is_carried_across(t):
    import client as client_module

    relay = t.relay()
    for server, family in ((relay.address, "127.0.0.1"), (relay.address6, "::1")):
        client = t.client(relay, server=server)
        client.allocate(family=stun.FAMILY_IPV6 if ":" in family else None)
        peer = t.peer((family, 0))
        address = peer.getsockname()[:2]
        client.permit(family)
        # EF, AF41, CS5 and the ECN code points ECT(1), ECT(0), CE; by indication first and then by channel.
        for bound in (False, True):
            if bound:
                client.bind(0x4000, address)
            for tos in (0, 0xB8, 0x88, 0xA0, 0x01, 0x02, 0x03, 0xB9, 0):
                if bound:
                    client.send_channel(0x4000, b"out", tos=tos)
                else:
                    client.send(address, b"out", tos=tos)
                equal(client_module.receive(peer)[2], tos, f"TOS at the peer, channel {bound}")
                client_module.send_with_tos(peer, b"in", client.relayed, tos)
                equal(client.receive().tos, tos, f"TOS at the client, channel {bound}")


@case()
def addresses_of_a_listener_can_be_given(t):
    relay = t.relay(listener={"bind_address": "127.0.0.4", "relay_address": "127.0.0.5", "advertised_address": "198.51.100.7"})
    nobody = t.client(relay)
    try:
        nobody.exchange(stun.encode(stun.BINDING, stun.REQUEST, []), timeout=0.2)
        raise AssertionError("answered on an address that it was not told to bind")
    except (NoAnswer, ConnectionRefusedError):
        pass
    client, peer = t.client(relay, server=("127.0.0.4", relay.port)), t.peer()
    client.allocate()
    equal(client.relayed[0], "198.51.100.7", "relayed address")
    client.permit(PEER)
    client.send(peer.getsockname(), b"out")
    data, source = peer.recvfrom(100)
    equal((data, source), (b"out", ("127.0.0.5", client.relayed[1])), "(data, source)")
    peer.sendto(b"in", source)
    equal(client.receive().data, b"in", "data")


@case()
def each_listener_has_its_own_routes(t):
    relay = t.make_relay()
    second = t.port()
    first = relay.config["listeners"][0]
    relay.config["listeners"].append({**first, "name": "second", "port": second, "routes": ["other"]})
    relay.config["clusters"] = [
        {"name": "loopback", "type": "STATIC", "endpoints": ["127.0.0.8"]},
        {"name": "other", "type": "STATIC", "endpoints": ["127.0.0.9"]},
    ]
    relay.start()
    for server, allowed, refused in ((relay.address, "127.0.0.8", "127.0.0.9"), (("127.0.0.1", second), "127.0.0.9", "127.0.0.8")):
        client, peer = t.client(relay, server=server), t.peer((allowed, 0))
        client.allocate()
        client.permit(allowed)
        client.refused(403, client.permit, refused)
        client.send(peer.getsockname(), b"out")
        equal(peer.recvfrom(100), (b"out", client.relayed), "(data, source)")
