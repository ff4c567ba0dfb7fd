"""A config discovery service as STUNner's operator runs one: enough of HTTP and WebSocket to serve configurations, and to misbehave.

It is made of sockets, so that a test can send what no library would.
"""

import base64
import hashlib
import json
import socket
import ssl
import struct
import threading
import time

TEXT, BINARY, CLOSE, PING, PONG, MORE = 1, 2, 8, 9, 10, 0
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def frame(payload, opcode=TEXT, final=True):
    """As a server sends it: without a mask."""
    head = bytes([(0x80 if final else 0) | opcode])
    if len(payload) < 126:
        head += bytes([len(payload)])
    elif len(payload) < 1 << 16:
        head += struct.pack("!BH", 126, len(payload))
    else:
        head += struct.pack("!BQ", 127, len(payload))
    return head + payload


def fragments(payload, size):
    pieces = [payload[i : i + size] for i in range(0, len(payload), size)]
    return b"".join(
        frame(piece, TEXT if i == 0 else MORE, i == len(pieces) - 1) for i, piece in enumerate(pieces)
    )


class Watcher:
    """One client that follows a configuration."""

    def __init__(self, server, sock, path, headers):
        self.server, self.sock, self.path, self.headers = server, sock, path, headers
        self.since = time.monotonic()
        self.pings = []  # (seconds since the connection, payload)
        self.masked = []  # of each frame of the client
        self.closed = None  # what it said when it closed
        self.ended = threading.Event()

    def send(self, data):
        """Bytes as they are."""
        self.sock.sendall(data)

    def say(self, text, **options):
        self.send(frame(text.encode() if isinstance(text, str) else json.dumps(text).encode(), **options))

    def close(self):
        """Without a word. The client sees the end of the stream."""
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def _read(self, size):
        data = b""
        while len(data) < size:
            more = self.sock.recv(size - len(data))
            if not more:
                raise ConnectionError
            data += more
        return data

    def _read_frame(self):
        first, second = self._read(2)
        size = second & 0x7F
        if size == 126:
            (size,) = struct.unpack("!H", self._read(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", self._read(8))
        mask = self._read(4) if second & 0x80 else None
        payload = self._read(size)
        if mask:
            payload = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
        self.masked.append(mask is not None)
        return first & 0x0F, payload

    def serve(self):
        try:
            while True:
                opcode, payload = self._read_frame()
                if opcode == PING:
                    self.pings.append((time.monotonic() - self.since, payload))
                    if self.server.answers_pings:
                        self.send(frame(payload, PONG))
                elif opcode == CLOSE:
                    self.closed = payload
                    return
        except OSError:
            pass
        finally:
            self.ended.set()
            self.sock.close()


class Server:
    """`configs` is what it has: {"namespace/name": configuration}. It is sent when a client begins to follow it, and by update()."""

    def __init__(self, port=0, host="127.0.0.1", tls=None):
        self.configs = {}
        self.answers_pings = True
        self.answers_upgrades = True
        self.answer = None  # bytes that answer every request instead
        self.requests = []  # their first lines
        self.watchers = []
        self.tls = tls
        self.host = host
        self.listener = None
        self.port = port
        self.open()

    def open(self):
        self.listener = socket.create_server((self.host, self.port), reuse_port=False)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def close(self):
        """The server is gone: nobody listens, and every connection ends."""
        listener, self.listener = self.listener, None
        if listener is not None:
            # Without it the accept of the other thread goes on.
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        for watcher in list(self.watchers):
            watcher.close()

    @property
    def origin(self):
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}"

    @property
    def live(self):
        return [watcher for watcher in self.watchers if not watcher.ended.is_set()]

    def update(self, name, config):
        """A new configuration, which every client that follows it gets."""
        self.configs[name] = config
        for watcher in self.live:
            if watcher.path.split("?")[0].endswith("/" + name):
                watcher.say(config)

    def _accept(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        try:
            if self.tls is not None:
                sock = self.tls.wrap_socket(sock, server_side=True)
            self._answer(sock)
        except (OSError, ssl.SSLError, ValueError):
            sock.close()

    def _answer(self, sock):
        head = b""
        while b"\r\n\r\n" not in head:
            more = sock.recv(4096)
            if not more:
                raise ConnectionError
            head += more
        lines = head.split(b"\r\n\r\n")[0].decode().split("\r\n")
        headers = {key.strip().lower(): value.strip() for key, value in (line.split(":", 1) for line in lines[1:])}
        self.requests.append(lines[0])
        method, path, _ = lines[0].split(" ")
        if self.answer is not None:
            sock.sendall(self.answer)
            sock.close()
        elif headers.get("upgrade", "").lower() == "websocket":
            self._upgrade(sock, path, headers)
        else:
            self._get(sock, method, path)

    def _get(self, sock, method, path):
        name = "/".join(path.split("?")[0].split("/")[-2:])
        config = self.configs.get(name)
        status, body = "200 OK", json.dumps(config).encode()
        if method != "GET" or config is None:
            status, body = "404 Not Found", json.dumps({"code": 404, "message": f"Config not found for ID {name}"}).encode()
        sock.sendall(
            f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
        )
        sock.close()

    def _upgrade(self, sock, path, headers):
        if not self.answers_upgrades:
            time.sleep(60)
            return
        key = hashlib.sha1(headers["sec-websocket-key"].encode() + GUID).digest()
        sock.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + base64.b64encode(key) + b"\r\n\r\n"
        )
        watcher = Watcher(self, sock, path, headers)
        name = "/".join(path.split("?")[0].split("/")[-2:])
        self.watchers.append(watcher)
        if name in self.configs:
            watcher.say(self.configs[name])
        watcher.serve()
