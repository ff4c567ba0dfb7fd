"""A TURN client over DTLS 1.2 (RFC 7350), with OpenSSL's implementation."""

import select
import time

from OpenSSL import SSL

import client

# UDP payload of the client's own datagrams.
MTU = 1200


class Closed(Exception):
    """By the server, with an alert."""


# Sends the last flight again when it is time. Older releases of the library do not offer it by name.
handle_timeout = getattr(SSL.Connection, "DTLSv1_handle_timeout", None) or (
    lambda connection: SSL._lib.DTLSv1_handle_timeout(connection._ssl)
)


def dtls_context(ca=None, ciphers=None):
    """For clients that trust the authority whose certificate is in the file `ca`; without one: that trust everybody."""
    context = SSL.Context(SSL.DTLS_CLIENT_METHOD)
    context.set_options(SSL.OP_NO_QUERY_MTU)
    if ca is not None:
        context.load_verify_locations(ca)
        context.set_verify(SSL.VERIFY_PEER)
    if ciphers is not None:
        context.set_cipher_list(ciphers)
    return context


class DtlsClient(client.Client):
    """With `handshake=False` the socket is there, and nothing was sent yet."""

    def __init__(self, server, context=None, handshake=True, mtu=MTU, server_name="turn.example.com", session=None, **options):
        self.context, self.mtu, self.server_name, self.session = context or dtls_context(), mtu, server_name, session
        self.handshake_at_once = handshake
        super().__init__(server, **options)

    def open(self, local):
        self.sock = client.udp_socket(local)
        self.sock.connect(self.server)
        self.sock.setblocking(False)
        if self.handshake_at_once:
            self.handshake()

    def handshake(self, timeout=10):
        """Also anew, from the same socket: an association that there was is forgotten, and the server not told."""
        self.tls = SSL.Connection(self.context, self.sock)
        self.tls.set_ciphertext_mtu(self.mtu)
        if self.server_name is not None:
            self.tls.set_tlsext_host_name(self.server_name.encode())
        if self.session is not None:
            self.tls.set_session(self.session)
        self.tls.set_connect_state()
        self.go_on(timeout)

    def go_on(self, timeout=10):
        """With a handshake that has begun."""
        end = time.monotonic() + timeout
        while True:
            try:
                self.tls.do_handshake()
                return
            except SSL.WantReadError:
                left = end - time.monotonic()
            assert left > 0, f"no handshake within {timeout} s"
            select.select([self.sock], [], [], min(left, 0.05))
            handle_timeout(self.tls)

    def transmit(self, raw, tos=None):
        assert tos is None, "not through OpenSSL"
        self.tls.send(raw)

    def transmit_datagram(self, raw):
        """Past DTLS, from the client's address."""
        self.sock.send(raw)

    def take(self, timeout):
        end = time.monotonic() + max(timeout, 0.0001)
        while True:
            try:
                return self.tls.recv(65536), tuple(self.server), 0
            except SSL.WantReadError:
                pass
            except (SSL.ZeroReturnError, SSL.Error) as error:
                raise Closed(repr(error)) from error
            except ConnectionRefusedError:
                pass
            left = end - time.monotonic()
            if left <= 0:
                return None
            select.select([self.sock], [], [], left)

    def shutdown(self):
        """close_notify."""
        self.tls.shutdown()
