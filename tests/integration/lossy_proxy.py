"""A UDP proxy that loses, repeats, delays and cuts off whatever passes, by the dice of a seed, and remembers it."""

import random
import selectors
import socket
import threading
import time

UP, DOWN = "up", "down"
BEHIND = 8
PATIENCE = 0.02


class LossyProxy:
    """
    In front of the UDP port `server`. loss, duplicate, reorder: shares of the datagrams in both directions, changed at any time; what
    is reordered comes behind up to BEHIND later ones. mtu: larger IPv4 packets are lost. seen: [(direction, datagram)] as they came.
    """

    def __init__(self, t, server, seed=1, loss=0.0, duplicate=0.0, reorder=0.0, mtu=65535):
        self.server, self.random = server, random.Random(seed)
        self.loss, self.duplicate, self.reorder, self.mtu = loss, duplicate, reorder, mtu
        self.seen, self.largest = [], {UP: 0, DOWN: 0}
        self.lost = self.repeated = self.delayed = 0
        self._backs = {}
        self._held = {UP: [], DOWN: []}  # [how many more go first, not after, send]
        self._selector = selectors.DefaultSelector()
        self._front = self._socket(("127.0.0.1", 0))
        self.address = self._front.getsockname()
        self._selector.register(self._front, selectors.EVENT_READ, None)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        t.ending(self.stop)

    def stop(self):
        self._stopping.set()
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()
        self._selector.close()

    def calm(self):
        """From now on everything passes."""
        self.loss = self.duplicate = self.reorder = 0.0

    def datagrams(self, direction):
        return [raw for way, raw in self.seen if way == direction]

    def inject(self, raw):
        """To the server, from the address of the newest client."""
        list(self._backs.values())[-1].send(raw)

    @staticmethod
    def _socket(local):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        sock.bind(local)
        sock.setblocking(False)
        return sock

    def _run(self):
        while not self._stopping.is_set():
            for key, _ in self._selector.select(0.005 if any(self._held.values()) else 0.02):
                self._drain(key.fileobj, key.data)
            for direction in (UP, DOWN):
                self._release(direction, 0)

    def _release(self, direction, passed):
        """Those behind which enough went first, or that have waited too long."""
        now, held = time.monotonic(), self._held[direction]
        for one in held:
            one[0] -= passed
        self._held[direction] = [one for one in held if one[0] > 0 and one[1] > now]
        for one in held:
            if one[0] <= 0 or one[1] <= now:
                one[2]()

    def _drain(self, sock, client):
        for _ in range(64):
            try:
                raw, source = sock.recvfrom(65536)
            except BlockingIOError:
                return
            except ConnectionRefusedError:
                continue
            if client is None:
                back = self._back(source)
                self._take(UP, raw, lambda raw=raw, back=back: self._send(back.send, raw))
            else:
                self._take(DOWN, raw, lambda raw=raw: self._send(self._front.sendto, raw, client))

    @staticmethod
    def _send(function, *arguments):
        try:
            function(*arguments)
        except (BlockingIOError, ConnectionRefusedError):
            pass

    def _back(self, client):
        if client not in self._backs:
            back = self._socket(("127.0.0.1", 0))
            back.connect(self.server)
            self._backs[client] = back
            self._selector.register(back, selectors.EVENT_READ, client)
        return self._backs[client]

    def _take(self, direction, raw, send):
        self.seen.append((direction, raw))
        self.largest[direction] = max(self.largest[direction], len(raw))
        if len(raw) + 28 > self.mtu or self.random.random() < self.loss:
            self.lost += 1
            return
        times = 1
        if self.random.random() < self.duplicate:
            self.repeated += 1
            times = 2
        for _ in range(times):
            if self.random.random() < self.reorder:
                self.delayed += 1
                self._held[direction].append([self.random.randint(1, BEHIND), time.monotonic() + PATIENCE, send])
            else:
                send()
                self._release(direction, 1)
