"""What ends by itself, to the second, with a relay whose clock runs 60 times as fast."""

import time

import stun
from harness import PEER, case, equal, eventually
from streams import Streams
from test_reload import reload

RATE = 60
TOLERANCE_S = 60  # of the relay's seconds: a real one, for a busy machine; unit tests hold each lifetime to the second


def lifetime(started, probe, poll=0.01, limit=15):
    """How many of the relay's seconds after `started` the probe fails for the first time."""
    last = time.monotonic()
    while probe():
        last = time.monotonic()
        assert last - started < limit, f"still there after {(last - started) * RATE:.0f} s"
        time.sleep(poll)
    now = time.monotonic()
    return (last - started) * RATE, (now - started) * RATE


def lasted(measured, expected, what):
    last_seen, gone = measured
    assert last_seen <= expected + TOLERANCE_S and gone >= expected - TOLERANCE_S, (
        f"{what} was last seen after {last_seen:.0f} s and found gone after {gone:.0f} s, expected {expected}"
    )


TRIES = 3  # a packet that comes late on a busy machine has not been refused


def passes(client, peer, number=None):
    """Do packets from the client reach its peer? And those from the peer the client, if there is no channel?"""
    return any(passes_once(client, peer, number) for _ in range(TRIES))


def passes_once(client, peer, number):
    address = peer.getsockname()
    if number is None:
        client.send(address, b"out")
    else:
        client.send_channel(number, b"out")
    peer.settimeout(0.05)
    try:
        out = peer.recv(100) == b"out"
    except TimeoutError:
        out = False
    peer.sendto(b"in", client.relayed)
    back = client.receive(0.05) is not None
    # One may just have made it, the other not: that is for the next try to tell.
    return out and (back or number is not None)


@case(spread=True, waits=True)
def a_permission_lasts_300_s(t):
    relay = t.relay(fast=True)
    client, peer, _ = t.call(relay)
    started = time.monotonic()
    lasted(lifetime(started, lambda: passes(client, peer)), 300, "the permission")
    relay.wait_for_metric("uturn_permissions", 0, timeout=2)
    client.permit(PEER)
    equal(passes(client, peer), True, "relayed again with a new permission")


@case(timeout=25, spread=True, waits=True)
def a_channel_lasts_600_s_and_its_permission_300(t):
    relay = t.relay(fast=True)
    client, peer = t.client(relay), t.peer()
    client.allocate(lifetime=3600)
    client.bind(0x4000, peer.getsockname())
    started = time.monotonic()
    lasted(lifetime(started, lambda: passes(client, peer)), 300, "the permission that the channel brought")
    permitted = [0.0]

    def channel_passes():
        if time.monotonic() - permitted[0] > 3:
            client.permit(PEER)
            permitted[0] = time.monotonic()
        return passes(client, peer, 0x4000)

    lasted(lifetime(started, channel_passes), 600, "the channel")
    relay.wait_for_metric("uturn_channels", 0, timeout=2)
    client.bind(0x4000, t.peer().getsockname())


@case(timeout=25, spread=True, waits=True)
def a_refreshed_channel_goes_on(t):
    relay = t.relay(fast=True)
    client, peer = t.client(relay), t.peer()
    client.allocate(lifetime=3600)
    end = time.monotonic() + 12.5
    while time.monotonic() < end:
        client.bind(0x4000, peer.getsockname())
        for _ in range(10):
            equal(passes(client, peer, 0x4000), True, "relayed")
            time.sleep(0.2)


@case(timeout=25, spread=True, waits=True)
def an_allocation_lasts_its_lifetime(t):
    relay = t.relay(fast=True)
    short, long_, refreshed = t.client(relay), t.client(relay), t.client(relay)
    started = time.monotonic()
    equal(short.allocate().lifetime, 600, "lifetime")
    equal(long_.allocate(lifetime=900).lifetime, 900, "lifetime")
    refreshed.allocate()
    time.sleep(5)
    equal(refreshed.refresh(600).lifetime, 600, "lifetime")
    refreshed_at = time.monotonic()

    def holds(count):
        return lambda: relay.metrics().sum("uturn_allocations") >= count

    lasted(lifetime(started, holds(3)), 600, "the default allocation")
    equal(short.ask(stun.REFRESH).error, 437, "Refresh afterwards")
    # 300 s later both of the others end: the one asked for 900 s, and the one refreshed for 600 s at 300 s.
    lasted(lifetime(refreshed_at, holds(1), limit=12), 600, "the refreshed allocation")
    lasted(lifetime(started, holds(1)), 900, "the allocation of 900 s")
    relay.wait_for_metric("uturn_relay_sockets", 0)
    # The same 5-tuple may begin anew.
    short.allocate()


@case(spread=True)
def a_reservation_lasts_30_s(t):
    relay = t.relay(fast=True)

    def reserve():
        holder = t.client(relay)
        return holder.allocate((stun.EVEN_PORT, b"\x80")).get(stun.RESERVATION_TOKEN)

    token = reserve()
    time.sleep(20 / RATE)
    t.client(relay).allocate((stun.RESERVATION_TOKEN, token))
    token = reserve()
    time.sleep(30 / RATE + 0.15)
    late = t.client(relay)
    late.refused(508, late.allocate, (stun.RESERVATION_TOKEN, token))
    equal(relay.metrics().sum("uturn_reservations"), 0, "reservations")
    eventually(lambda: relay.metrics().sum("uturn_relay_sockets") == 3, "the reserved socket is closed")


@case(spread=True, waits=True)
def an_expired_credential_does_not_end_an_allocation(t):
    relay = t.relay(auth={"type": "ephemeral", "credentials": {"username": None, "password": None, "secret": "shh"}})
    username = f"{int(time.time()) + 2}:alice"
    client = t.client(relay, username=username, password=stun.ephemeral_password("shh", username))
    client.allocate()
    time.sleep(3.1)
    client.refresh()
    client.permit(PEER)
    late = t.client(relay, username=username, password=client.password)
    late.refused(401, late.allocate)


@case(spread=True, waits=True)
def a_removed_listener_runs_out_with_its_permissions(t):
    streams = Streams(t, fast=True)
    client, peer, _ = streams.call("udp")
    started = time.monotonic()
    reload(streams.relay, {"listeners": streams.relay.config["listeners"][1:]})
    lasted(lifetime(started, lambda: passes(client, peer)), 300, "the permission")
    client.refused(403, client.permit, PEER)
    # And with its allocation, which nobody refreshes, it closes.
    eventually(lambda: not streams.relay.status()["uturn"]["retiring"], "it has retired", timeout=10)


@case(spread=True)
def words_alone_keep_nothing_open_at_a_retiring_listener(t):
    streams = Streams(t, fast=True)
    words = {transport: streams.client(transport) for transport in ("tcp", "tls", "dtls")}
    calls = {transport: streams.call(transport)[0] for transport in words}
    reload(streams.relay, {"listeners": streams.relay.config["listeners"][:1]})
    started = time.monotonic()

    def connected(transport):
        try:
            words[transport].exchange(stun.encode(stun.BINDING, stun.REQUEST, []), timeout=0.3, resend=0.1)
        except Exception:
            return False
        return True

    while any([connected(transport) for transport in words]):
        assert time.monotonic() - started < 3, "still there after 180 s"
        time.sleep(0.1)
    for transport, call in calls.items():
        call.refresh()
