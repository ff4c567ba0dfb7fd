"""Calls whose packets never stop while something is done to the relay."""

import contextlib
import copy
import socket
import threading
import time

import stream_client
from harness import PEER, eventually
from streams import talks
from test_reload import reload

CHANNEL = 0x4000


class Flow:
    """A call that sends a numbered packet to its peer and has it echoed, over and over: a packet that is lost ends it with an error."""

    def __init__(self, streams, transport, **options):
        self.name = transport
        self.client, self.peer, self.address = streams.call(transport, channel=CHANNEL, **options)
        self.peer.settimeout(3)
        self.rounds, self.error = 0, None
        self._stop = threading.Event()
        self._thread = None

    def round(self):
        data = b"%s %d" % (self.name.encode(), self.rounds)
        self.client.send_channel(CHANNEL, data)
        got, source = self.peer.recvfrom(1000)
        assert got == data, f"{self.name}: at the peer {got}, not {data}"
        self.peer.sendto(data, source)
        packet = self.client.receive(3)
        assert packet is not None and packet.data == data, f"{self.name}: round {self.rounds}: {packet}"
        self.rounds += 1

    def _run(self):
        try:
            while not self._stop.is_set():
                self.round()
                time.sleep(0.001)
        except Exception as error:
            self.error = error

    def start(self):
        self._stop.clear()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self):
        self._stop.set()
        self._thread.join()
        assert self.error is None, f"{self.name}: after {self.rounds} rounds: {self.error!r}"


@contextlib.contextmanager
def flowing(*flows):
    """Packets flow inside the block, before what is done there and after it, and none is lost."""
    for flow in flows:
        flow.start()
    time.sleep(0.05)
    try:
        yield
        time.sleep(0.25)
    except BaseException:
        for flow in flows:
            flow._stop.set()
            flow._thread.join()
        raise
    for flow in flows:
        flow.stop()
        assert flow.rounds > 10, f"{flow.name}: only {flow.rounds} rounds"


# What is done to a relay meanwhile, and what clients of before and of now meet.

CLASSES = {"udp": "udp", "dtls": "udp", "tcp": "tcp", "tls": "tcp"}


def change(streams, edit, good=True, **top):
    """A reload of the configuration as `edit` leaves it: it is given {name: listener}, to change."""
    listeners = {listener["name"]: copy.deepcopy(listener) for listener in streams.relay.config["listeners"]}
    edit(listeners)
    reload(streams.relay, {**top, "listeners": list(listeners.values())}, good)


def retiring(relay):
    return relay.status()["uturn"]["retiring"]


def wait_until_retired(relay):
    eventually(lambda: not retiring(relay), "no listener retires any more")


def is_open(transport, address):
    """Does anything listen there?"""
    kind = socket.SOCK_DGRAM if CLASSES[transport] == "udp" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(address)
        except OSError:
            return True
    return False


def goes_on(flow):
    """Whatever a call does in its life."""
    flow.client.refresh()
    flow.client.permit(PEER)
    flow.client.bind(0x4000, flow.address)
    flow.round()


@contextlib.contextmanager
def dialling(streams, address):
    """Clients that are made meanwhile come to this address, whatever their transport."""
    before = streams.plain, streams.secure
    streams.plain = streams.secure = address
    try:
        yield
    finally:
        streams.plain, streams.secure = before


def no_new_call(streams, transport, address):
    """Over what is left of a listener."""
    try:
        with dialling(streams, address):
            late = streams.client(transport)
    except (OSError, stream_client.Closed):
        return
    late.refused(508, late.allocate)


def new_call(streams, transport, address):
    """One that works, and is over."""
    with dialling(streams, address):
        client, peer, _ = streams.call(transport)
    talks(client, peer)
    client.refresh(0)
    client.close()
