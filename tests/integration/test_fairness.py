"""One client, peer or stranger that floods costs another call no packet."""

import functools
import struct
import threading
import time

import stun
from harness import case, equal

SECONDS = 1
NICE = 10  # the flooders stand for other machines, which take none of the relay's processor time
LEAST = 50_000  # datagrams that make a flood
STALL_S = 0.02  # a listener's queue is full sooner than that, and no work of the relay takes as long
PACKETS_PER_SECOND = 50


class Victim:
    """A call of 50 packets a second in both directions, numbered, by channel."""

    def __init__(self, t, relay):
        self.client, self.peer, self.address = t.call(relay)
        self.client.bind(0x4000, self.address)
        self.missing = set()
        self.slowest = 0.0
        self.stop = threading.Event()
        self.sent = 0
        self.threads = [threading.Thread(target=target, daemon=True) for target in (self._send, self._to_peer, self._to_client)]

    def _send(self):
        due = time.monotonic()
        while not self.stop.is_set():
            payload = struct.pack("!Id", self.sent, time.monotonic()) + bytes(148)
            self.missing |= {("to the peer", self.sent), ("to the client", self.sent)}
            self.client.send_channel(0x4000, payload)
            self.peer.sendto(payload, self.client.relayed)
            self.sent += 1
            due += 1 / PACKETS_PER_SECOND
            time.sleep(max(0, due - time.monotonic()))

    def _seen(self, direction, payload):
        number, at = struct.unpack_from("!Id", payload)
        self.missing.discard((direction, number))
        self.slowest = max(self.slowest, time.monotonic() - at)

    def _to_peer(self):
        while not self.stop.is_set():
            data, source = self.peer.recvfrom(2048)
            if source == self.client.relayed and len(data) == 160:
                self._seen("to the peer", data)

    def _to_client(self):
        while not self.stop.is_set():
            packet = self.client.receive(0.1)
            if packet is not None and packet.channel == 0x4000:
                self._seen("to the client", packet.data)

    def during(self, floods):
        """Talks while the floods go on, and a moment longer. What was lost."""
        self.peer.settimeout(None)
        for thread in self.threads:
            thread.start()
        sent = sum(int(flood.communicate(timeout=20)[0]) for flood in floods)
        time.sleep(0.2)
        self.stop.set()
        self.threads[0].join()
        time.sleep(0.1)
        return sent, sorted(self.missing)


class Stalled(AssertionError):
    """The flooders hardly ran, or the relay did not for longer than any queue in front of it holds: nobody's loss."""


def again_when_stalled(function):
    """A shared machine may take the relay's core away once. Twice in a row it is the relay."""

    @functools.wraps(function)
    def run(t):
        try:
            function(t)
        except Stalled as stalled:
            print(stalled)
            function(t)

    return run


def check(t, relay, victim, what, floods, least):
    sent, missing = victim.during(floods)
    print(f"{what}: {sent} datagrams, the victim's {2 * victim.sent} packets took at most {victim.slowest * 1000:.1f} ms")
    if sent <= least:
        raise Stalled(f"{what}: only {sent} datagrams, which is no flood")
    dropped = relay.metrics()["uturn_kernel_drops_total"]
    if missing and victim.slowest > STALL_S:
        raise Stalled(f"{what}: a packet took {victim.slowest * 1000:.1f} ms, so the machine kept the relay from running; {len(missing)} lost")
    equal(missing, [], f"{what}: of another call's {2 * victim.sent} packets these were lost (kernel's drops: {dropped})")


@case(alone=True, timeout=20, spread=True)
@again_when_stalled
def a_flood_through_an_allocation(t):
    relay = t.relay()
    client, _, address = t.call(relay)
    client.bind(0x4000, address)
    victim = Victim(t, relay)
    header = stun.channel_data(0x4000, bytes(1196))[:4]
    floods = [t.blast([client.sock], relay.address, 1200, 8, 0, SECONDS, header, NICE)]
    check(t, relay, victim, "a flood through an allocation", floods, LEAST)


@case(alone=True, timeout=20, spread=True)
@again_when_stalled
def a_segmented_flood_through_an_allocation(t):
    relay = t.relay()
    client, _, address = t.call(relay)
    client.bind(0x4000, address)
    victim = Victim(t, relay)
    header = stun.channel_data(0x4000, bytes(1196))[:4]
    floods = [t.blast([client.sock], relay.address, 1200, -32, 0, SECONDS, header, NICE)]
    check(t, relay, victim, "a segmented flood through an allocation", floods, LEAST)


@case(alone=True, timeout=20, spread=True)
@again_when_stalled
def a_flood_of_a_relay_port_by_strangers(t):
    relay = t.relay()
    attacked, _, _ = t.call(relay)
    victim = Victim(t, relay)
    strangers = [t.peer(("127.0.0.9", 0)) for _ in range(4)]
    floods = [t.blast(strangers, attacked.relayed, 200, 8, 0, SECONDS, nice=NICE)]
    check(t, relay, victim, "a flood of a relay port by strangers", floods, LEAST)


@case(alone=True, timeout=20, spread=True)
@again_when_stalled
def a_flood_of_unauthenticated_requests(t):
    relay = t.relay()
    victim = Victim(t, relay)
    strangers = [t.peer(("127.0.0.9", 0)) for _ in range(4)]
    request = stun.encode(stun.ALLOCATE, stun.REQUEST, [(stun.REQUESTED_TRANSPORT, stun.UDP_TRANSPORT)])
    floods = [t.blast(strangers, relay.address, len(request), 8, 0, SECONDS, request, NICE)]
    check(t, relay, victim, "a flood of unauthenticated requests", floods, LEAST)


@case(alone=True, timeout=20, spread=True)
@again_when_stalled
def a_flood_of_empty_datagrams(t):
    relay = t.relay()
    attacked, _, _ = t.call(relay)
    victim = Victim(t, relay)
    stranger = t.peer(("127.0.0.9", 0))
    floods = [
        t.blast([stranger], relay.address, 0, 8, 100_000, SECONDS, nice=NICE),
        t.blast([stranger], attacked.relayed, 0, 8, 100_000, SECONDS, nice=NICE),
    ]
    check(t, relay, victim, "a flood of empty datagrams", floods, LEAST)
