"""A TURN client over TCP or TLS."""

import fcntl
import os
import select
import socket
import ssl
import struct
import subprocess
import sys
import termios
import time

import client
import stun
from harness import eventually


class Closed(Exception):
    """By the server: the end of the stream, or a reset."""


def frame_size(raw, padded=True):
    """What the frame at the front takes, or None while that is not known (RFC 8489 Section 6.2.2, RFC 8656 Section 12.5)."""
    if len(raw) < 4:
        return None
    (size,) = struct.unpack_from("!H", raw, 2)
    if raw[0] >> 6 != 1:
        return stun.HEADER_SIZE + size
    return 4 + size + (-size % 4 if padded else 0)


def tls_context(ca, least=None, most=None, alpn=(), ciphers=None):
    """For clients that trust the authority whose certificate is in the file `ca`; without one: that trust everybody."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if ca is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context.load_verify_locations(ca)
    if least is not None:
        context.minimum_version = least
    if most is not None:
        context.maximum_version = most
    if alpn:
        context.set_alpn_protocols(list(alpn))
    if ciphers is not None:
        context.set_ciphers(ciphers)
    return context


class StreamClient(client.Client):
    """`tls`: an SSLContext. `first`: sent before everything else, TLS included. `receive_buffer`: of the socket, in bytes."""

    reliable = True
    padded = True  # ChannelData

    def __init__(self, server, tls=None, server_name="turn.example.com", session=None, first=b"", receive_buffer=None, **options):
        self.tls, self.server_name, self.session = tls, server_name, session
        self.first, self.receive_buffer = first, receive_buffer
        self.arrived = bytearray()
        super().__init__(server, **options)

    def open(self, local):
        family = socket.AF_INET6 if ":" in self.server[0] else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.receive_buffer is not None:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.receive_buffer)
        self.sock.settimeout(5)
        try:
            self.sock.bind(local)
            self.sock.connect(self.server)
            if self.first:
                self.sock.sendall(self.first)
            if self.tls is not None:
                self.sock = self.tls.wrap_socket(self.sock, server_hostname=self.server_name, session=self.session)
        except BaseException:
            self.sock.close()
            raise

    def reset(self):
        """Ends the connection with a reset instead of the end of the stream."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def transmit(self, raw, tos=None):
        assert tos is None, "a stream has no TOS of single packets"
        self.transmit_bytes(raw + bytes(-len(raw) % 4) if self.padded else raw)

    def transmit_bytes(self, raw):
        """As they are: whole frames or not."""
        self.sock.settimeout(5)
        try:
            self.sock.sendall(raw)
        except (ConnectionError, ssl.SSLError) as error:
            raise Closed(str(error)) from error

    def read(self, timeout):
        """Some bytes of the stream, or None when none came in time."""
        self.sock.settimeout(max(timeout, 0.0001))
        try:
            got = self.sock.recv(65536)
        except (TimeoutError, BlockingIOError, ssl.SSLWantReadError):
            return None
        except (ConnectionError, ssl.SSLError) as error:
            raise Closed(str(error)) from error
        if not got:
            raise Closed("the end of the stream")
        return got

    def take(self, timeout):
        end = time.monotonic() + timeout
        while (size := frame_size(self.arrived, self.padded)) is None or len(self.arrived) < size:
            got = self.read(max(end - time.monotonic(), 0))
            if got is None:
                return None
            self.arrived += got
        raw = bytes(self.arrived[:size])
        del self.arrived[:size]
        return raw, tuple(self.server), 0

    def wait_closed(self, timeout=5):
        """Reads on until the server closes; returns why."""
        end = time.monotonic() + timeout
        while (left := end - time.monotonic()) > 0:
            try:
                self.read(left)
            except Closed as reason:
                return str(reason)
        raise AssertionError(f"not closed within {timeout} s")


class ProgramClient(StreamClient):
    """Through another program's TLS, or DTLS: what goes into its standard input comes out at the server, and back."""

    def __init__(self, server, command, datagrams=False, **options):
        self.command, self.padded = command, not datagrams
        super().__init__(server, **options)

    def open(self, local):
        self.program = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.sock = self

    def getsockname(self):
        return None, None

    def close(self):
        self.program.stdin.close()
        try:
            self.program.wait(1)
        except subprocess.TimeoutExpired:
            self.program.kill()
            self.program.wait()
        self.program.stdout.close()

    def transmit_bytes(self, raw):
        try:
            self.program.stdin.write(raw)
            self.program.stdin.flush()
        except BrokenPipeError as error:
            raise Closed("the program left") from error

    def wait_until_all_is_read(self):
        """By the program, of its standard input: what is written next comes with another read."""
        unread = lambda: int.from_bytes(fcntl.ioctl(self.program.stdin, termios.FIONREAD, bytes(4)), sys.byteorder)
        eventually(lambda: unread() == 0, "the program reads its input")

    def read(self, timeout):
        if not select.select([self.program.stdout], [], [], timeout)[0]:
            return None
        got = os.read(self.program.stdout.fileno(), 65536)
        if not got:
            raise Closed("the end of the stream")
        return got


class OpensslClient(ProgramClient):
    """`openssl s_client`, which takes commands as well."""

    def __init__(self, server, *arguments, **options):
        host = f"[{server[0]}]" if ":" in server[0] else server[0]
        command = ["openssl", "s_client", "-connect", f"{host}:{server[1]}", "-quiet", "-no_ign_eof", *arguments]
        super().__init__(server, command, **options)

    def command_letter(self, letter):
        """K: a key update that asks for one in return, k: one that does not, R: a renegotiation. The program heeds it where a read of
        its input begins."""
        self.wait_until_all_is_read()
        self.transmit_bytes(letter.encode() + b"\n")
        self.wait_until_all_is_read()


class GnutlsClient(ProgramClient):
    """`gnutls-cli`."""

    def __init__(self, server, priority="NORMAL", datagrams=False, **options):
        command = ["gnutls-cli", "--logfile=/dev/null", "--insecure", "--priority", priority, *(["--udp"] if datagrams else [])]
        super().__init__(server, [*command, "--port", str(server[1]), server[0]], datagrams, **options)
