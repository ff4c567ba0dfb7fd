"""A UDP proxy between TURN clients and a relay that harms media packets in known numbers, and remembers what passed when.

STUN requests and responses pass untouched. A stream is one client and one direction; its media packets are counted from 0.
"""

import dataclasses
import heapq
import itertools
import selectors
import socket
import struct
import threading
import time

import stun

SO_TIMESTAMPNS = 35
UP, DOWN = "up", "down"
KINDS = {stun.message_type(stun.SEND, stun.INDICATION), stun.message_type(stun.DATA, stun.INDICATION)}
BUFFER = 4 << 20
# A packet that is held back leaves when nothing came behind it for so long.
PATIENCE = 0.1


@dataclasses.dataclass
class Media:
    """A media packet as it came to the proxy."""

    session: int  # the client's number, in the order in which they came
    direction: str
    at_ns: int  # the kernel's stamp
    indication: bool
    channel: int  # or 0
    size: int  # of the payload
    raw_size: int


@dataclasses.dataclass
class Counts:
    media: int = 0
    dropped: int = 0
    duplicated: int = 0
    reordered: int = 0
    corrupted: int = 0


def payload_place(raw):
    """(where the payload begins, its size, the channel or 0), or None when it is not a media packet."""
    if len(raw) >= 4 and raw[0] >> 6 == 1:
        channel, size = struct.unpack_from("!HH", raw)
        return 4, size, channel
    if len(raw) >= 20 and struct.unpack_from("!H", raw)[0] in KINDS:
        at = stun.HEADER_SIZE
        while at + 4 <= len(raw):
            kind, size = struct.unpack_from("!HH", raw, at)
            if kind == stun.DATA_ATTRIBUTE:
                return at + 4, size, 0
            at += 4 + size + (-size % 4)
    return None


class Stream:
    def __init__(self, proxy, counts, forward):
        self.harms, self.harmed, self.period, self.behind = proxy.harms, proxy.harmed, proxy.period, proxy.behind
        self.counts, self.forward = counts, forward
        self.index = 0
        self.held, self.passed, self.touched = None, 0, 0.0

    def take(self, raw, place):
        harm = self.harms.get(self.index % self.period) if self.index in self.harmed else None
        self.index += 1
        self.touched = time.monotonic()
        if harm == "drop":
            self.counts.dropped += 1
        elif harm == "corrupt":
            start, size, _ = place
            raw = bytearray(raw)
            raw[start + 13 * self.index % size] ^= 1 << self.index % 8
            self.counts.corrupted += 1
            self.forward(bytes(raw))
        elif harm == "hold" and self.held is None:
            self.held, self.passed = raw, 0
        else:
            self.forward(raw)
            if harm == "duplicate":
                self.counts.duplicated += 1
                self.forward(raw)
            self.passed += 1
            if self.passed >= self.behind:
                self.release()

    def release(self):
        if self.held is not None:
            self.counts.reordered += self.passed > 0
            self.forward(self.held)
            self.held = None

    def tick(self, now):
        if now - self.touched > PATIENCE:
            self.release()


class Proxy:
    """
    harms: {place within each `period` media packets of a stream: "drop", "duplicate", "corrupt", or "hold" back behind `behind` later ones},
    where the packet's number in its stream is in `harmed`. delay: of every media packet, in seconds, from the kernel's stamp on.
    """

    def __init__(self, t, server, harms=None, harmed=(), period=50, behind=3, delay=0.0):
        self.server, self.harms, self.harmed, self.period, self.behind, self.delay = server, harms or {}, harmed, period, behind, delay
        self.counts = {UP: Counts(), DOWN: Counts()}
        self.seen = []
        self.sessions = {}
        self.streams = []
        self.later = []  # heap of (when, tie, function, arguments)
        self.ties = itertools.count()
        self.selector = selectors.DefaultSelector()
        self.front = self._socket()
        self.front.bind(("127.0.0.1", 0))
        self.address = self.front.getsockname()
        self.selector.register(self.front, selectors.EVENT_READ, self._from_client)
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        t.ending(self.stop)

    def stop(self):
        self.stopping.set()
        self.thread.join()
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()
        self.selector.close()

    @staticmethod
    def _socket():
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        sock.setblocking(False)
        return sock

    def _run(self):
        while not self.stopping.is_set():
            now = time.monotonic()
            while self.later and self.later[0][0] <= now:
                _, _, function, arguments = heapq.heappop(self.later)
                function(*arguments)
            for stream in self.streams:
                stream.tick(now)
            wait = min(0.02, max(0, self.later[0][0] - now)) if self.later else 0.02
            for key, _ in self.selector.select(wait):
                self._drain(key.fileobj, key.data)

    @staticmethod
    def _drain(sock, handler):
        for _ in range(16):
            try:
                raw, control, _, source = sock.recvmsg(65536, 64)
            except BlockingIOError:
                return
            except ConnectionRefusedError:
                continue
            at_ns = 0
            for level, kind, value in control:
                if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS):
                    seconds, nanoseconds = struct.unpack("qq", value)
                    at_ns = seconds * 1_000_000_000 + nanoseconds
            handler(raw, source, at_ns)

    def _open_session(self, client):
        back = self._socket()
        back.connect(self.server)
        number = len(self.sessions)
        streams = {
            UP: Stream(self, self.counts[UP], back.send),
            DOWN: Stream(self, self.counts[DOWN], lambda raw: self.front.sendto(raw, client)),
        }
        self.sessions[client] = number, streams
        self.streams += streams.values()
        self.selector.register(
            back, selectors.EVENT_READ, lambda raw, _, at_ns: self._handle(raw, number, streams[DOWN], DOWN, at_ns)
        )

    def _from_client(self, raw, client, at_ns):
        if client not in self.sessions:
            self._open_session(client)
        number, streams = self.sessions[client]
        self._handle(raw, number, streams[UP], UP, at_ns)

    def _handle(self, raw, session, stream, direction, at_ns):
        place = payload_place(raw)
        if place is None:
            stream.forward(raw)
            return
        _, size, channel = place
        self.counts[direction].media += 1
        self.seen.append(Media(session, direction, at_ns, channel == 0, channel, size, len(raw)))
        if self.delay == 0:
            stream.take(raw, place)
        else:
            due = time.monotonic() + self.delay - max(0, time.time() - at_ns / 1e9)
            heapq.heappush(self.later, (due, next(self.ties), stream.take, (raw, place)))
