"""Allocations: making, keeping, ending and running out of them."""

import os
import struct

import stun
from harness import PEER, case, equal, eventually

TRANSPORT = (stun.REQUESTED_TRANSPORT, stun.UDP_TRANSPORT)


@case()
def a_repeated_allocate_gets_the_same_answer(t):
    relay = t.relay()
    client = t.client(relay)
    client.exchange(stun.encode(stun.ALLOCATE, stun.REQUEST, []))
    client.ask(stun.REFRESH)  # learns realm and nonce
    request = stun.encode(stun.ALLOCATE, stun.REQUEST, [TRANSPORT, *client.credentials()], key=client.key)
    answers = {client.exchange(request).raw for _ in range(5)}
    equal(len(answers), 1, "different answers to one transaction")
    answer = stun.Message(answers.pop())
    equal((answer.kind, answer.address(stun.XOR_MAPPED_ADDRESS)), (stun.SUCCESS, client.address), "(kind, mapped address)")
    first, last = t.relay_ports
    assert first <= answer.address(stun.XOR_RELAYED_ADDRESS)[1] <= last, "relay port outside of the listener's range"
    equal(relay.metrics().sum("uturn_allocations"), 1, "allocations")


@case()
def lifetime_is_bounded(t):
    relay = t.relay()
    for asked, granted in ((None, 600), (1, 600), (1200, 1200), (0xFFFFFFFF, 3600)):
        equal(t.client(relay).allocate(lifetime=asked).lifetime, granted, f"lifetime when asking for {asked}")
    client = t.client(relay)
    client.allocate()
    equal(client.refresh(7200).lifetime, 3600, "lifetime after Refresh")


@case()
def refresh_to_zero_frees_the_5_tuple_at_once(t):
    relay = t.relay()
    client = t.client(relay)
    ports = set()
    for _ in range(10):
        client.allocate()
        ports.add(client.relayed[1])
        equal(client.refresh(0).lifetime, 0, "lifetime")
        # A lost answer to it is asked again: that must not look like a mistake, or it is 437, but never an allocation.
        assert client.ask(stun.REFRESH, [(stun.LIFETIME, bytes(4))]).error in (None, 437)
    assert len(ports) > 5, f"relay ports are not random: {ports}"
    relay.wait_for_metric("uturn_allocations", 0)
    relay.wait_for_metric("uturn_relay_sockets", 0)


@case()
def user_quota_is_486_and_is_given_back(t):
    relay = t.relay(admin={"user_quota": 2})
    held = [t.client(relay) for _ in range(2)]
    for client in held:
        client.allocate()
    for _ in range(6):
        more = t.client(relay)
        more.refused(486, more.allocate)
    held[0].refresh(0)
    more.allocate()


@case()
def total_limit_is_486(t):
    relay = t.relay(admin={"limits": {"allocations": 3}})
    for _ in range(3):
        t.client(relay).allocate()
    more = t.client(relay)
    more.refused(486, more.allocate)


@case()
def out_of_relay_ports_is_508(t):
    first, *_ = [t.port() for _ in range(4)]
    relay = t.relay(listener={"min_relay_port": first, "max_relay_port": first + 3})
    clients = [t.client(relay) for _ in range(4)]
    for client in clients:
        client.allocate()
    equal(sorted(client.relayed[1] for client in clients), list(range(first, first + 4)), "relay ports")
    more = t.client(relay)
    more.refused(508, more.allocate)
    clients[2].refresh(0)
    eventually(lambda: more.ask(stun.ALLOCATE, [TRANSPORT]).kind == stun.SUCCESS, "the freed port is used again")


@case()
def ipv6_relay_for_an_ipv4_client_and_back(t):
    relay = t.relay()
    for server, family, peer_address in ((relay.address, stun.FAMILY_IPV6, "::1"), (relay.address6, stun.FAMILY_IPV4, PEER)):
        client = t.client(relay, server=server)
        client.allocate(family=family)
        equal(":" in client.relayed[0], family == stun.FAMILY_IPV6, f"family of {client.relayed}")
        peer = t.peer((peer_address, 0))
        client.permit(peer_address)
        client.send(peer.getsockname()[:2], b"over")
        data, source = peer.recvfrom(100)
        equal((data, source[:2]), (b"over", client.relayed), "(data, source)")
        peer.sendto(b"back", source[:2])
        equal(client.receive().data, b"back", "data")


@case(timeout=40)
def reservations_are_claimed_across_shards(t):
    relay = t.relay()
    for _ in range(24):
        holder, claimer, thief = (t.client(relay) for _ in range(3))
        answer = holder.allocate((stun.EVEN_PORT, b"\x80"))
        equal(holder.relayed[1] % 2, 0, "an odd port for EVEN-PORT")
        token = answer.get(stun.RESERVATION_TOKEN)
        equal(len(token), 8, "token size")
        claimer.allocate((stun.RESERVATION_TOKEN, token))
        equal(claimer.relayed, (holder.relayed[0], holder.relayed[1] + 1), "the reserved address")
        thief.refused(508, thief.allocate, (stun.RESERVATION_TOKEN, token))
        # The claimed socket really works, wherever it came from.
        peer = t.peer()
        claimer.permit(PEER)
        peer.sendto(b"hello", claimer.relayed)
        equal(claimer.receive().data, b"hello", "data through the claimed port")
        claimer.send(peer.getsockname(), b"back")
        equal(peer.recv(100), b"back", "data from the claimed port")
        for client in (holder, claimer):
            client.refresh(0)
            client.close()
        peer.close()
    relay.wait_for_metric("uturn_allocations", 0)
    relay.wait_for_metric("uturn_reservations", 0)
    relay.wait_for_metric("uturn_relay_sockets", 0)


@case()
def even_port_without_reservation_leaks_nothing(t):
    relay = t.relay()
    for _ in range(20):
        client = t.client(relay)
        answer = client.allocate((stun.EVEN_PORT, b"\x00"))
        equal((client.relayed[1] % 2, answer.get(stun.RESERVATION_TOKEN)), (0, None), "(parity, token)")
        client.refresh(0)
    relay.wait_for_metric("uturn_relay_sockets", 0)
    equal(relay.metrics().sum("uturn_reservations"), 0, "reservations")


@case()
def requests_survive_loss_of_the_answer(t):
    """Each request twice with one transaction: the second answer is as good as the first."""
    relay = t.relay()
    client = t.client(relay)
    client.allocate()
    peer = t.peer().getsockname()
    for method, attributes in (
        (stun.REFRESH, [(stun.LIFETIME, struct.pack("!I", 900))]),
        (stun.CREATE_PERMISSION, [(stun.XOR_PEER_ADDRESS, peer)]),
        (stun.CHANNEL_BIND, [(stun.CHANNEL_NUMBER, struct.pack("!Hxx", 0x4000)), (stun.XOR_PEER_ADDRESS, peer)]),
    ):
        transaction = os.urandom(12)
        raw = stun.encode(method, stun.REQUEST, [*attributes, *client.credentials()], transaction, key=client.key)
        kinds = [client.exchange(raw).kind for _ in range(2)]
        equal(kinds, [stun.SUCCESS, stun.SUCCESS], f"method {method}")
