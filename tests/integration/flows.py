"""Calls whose packets never stop while something is done to the relay."""

import contextlib
import threading
import time

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
