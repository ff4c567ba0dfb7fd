"""A relay with a listener of each transport, and clients for them."""

import certificates
import dtls_client
import stream_client
from client import Client
from harness import PEER, equal
from relay import merged

TRANSPORTS = ("udp", "tcp", "tls", "dtls")
CONNECTIONS = TRANSPORTS[1:]
# A real second for a handshake, which an honest one may take on a busy machine.
AT_SIXTY_TIMES = {"admin": {"limits": {"streams": {"handshake_timeout": 60}}}}


class Streams:
    """
    UDP and TCP on one port, TLS and DTLS on another, with a certificate of an authority of its own, which is in `files`.
    each: {a listener's protocol: changes}; what else is given is laid over the configuration.
    """

    def __init__(self, t, fast=False, kind="ecdsa", chain=False, each=None, start=True, **changes):
        self.t = t
        if fast:
            changes = merged(AT_SIXTY_TIMES, changes)
        self.relay = t.make_relay(fast=fast, **changes)
        self.directory = self.relay.directory
        self.authority = certificates.Authority(self.directory)
        self.identity = self.authority.identity(kind=kind, chain=chain)
        self.files = self.identity.write(self.directory, "leaf")
        self.plain = self.relay.address
        self.secure = self.relay.host, t.port()
        (udp,) = self.relay.config["listeners"]
        listeners = {
            "udp": udp,
            "tcp": {**udp, "name": "tcp", "protocol": "tcp"},
            "tls": {**udp, "name": "tls", "protocol": "tls", "port": self.secure[1], **self.pair()},
            "dtls": {**udp, "name": "dtls", "protocol": "dtls", "port": self.secure[1], **self.pair()},
        }
        for protocol, change in (each or {}).items():
            listeners[protocol] = {**listeners[protocol], **change}
        self.relay.config["listeners"] = list(listeners.values())
        if start:
            self.relay.start()

    def pair(self):
        return dict(zip(("cert", "key"), self.files))

    def address(self, transport, ipv6=False):
        host, port = self.plain if transport in ("udp", "tcp") else self.secure
        return ("::1" if ipv6 else host), port

    def client(self, transport, ipv6=False, **options):
        address = self.address(transport, ipv6)
        if transport == "udp":
            made = Client(address, **options)
        elif transport == "dtls":
            options.setdefault("context", dtls_client.dtls_context(self.authority.file))
            made = dtls_client.DtlsClient(options.pop("server", address), **options)
        else:
            if transport == "tls":
                options.setdefault("tls", stream_client.tls_context(self.authority.file))
            made = stream_client.StreamClient(address, **options)
        self.t.ending(made.close)
        return made

    def openssl(self, *arguments):
        made = stream_client.OpensslClient(self.secure, *arguments)
        self.t.ending(made.close)
        return made

    def gnutls(self, priority="NORMAL", datagrams=False):
        made = stream_client.GnutlsClient(self.secure, priority, datagrams)
        self.t.ending(made.close)
        return made

    def call(self, transport, channel=None, **options):
        """A client with an allocation, a peer that it may talk to, and that peer's address."""
        client = self.client(transport, **options)
        return (client, *self.begin_call(client, channel))

    def begin_call(self, client, channel=None):
        peer = self.t.peer()
        client.allocate()
        client.permit(PEER)
        if channel is not None:
            client.bind(channel, peer.getsockname())
        return peer, peer.getsockname()

    def sum(self, metric, **labels):
        return self.relay.metrics().sum("uturn_" + metric, **labels)

    def wait_for(self, metric, value, timeout=5, **labels):
        self.relay.wait_for_metric("uturn_" + metric, value, timeout, **labels)


def talks(client, peer, channel=None, out=b"out", back=b"in"):
    """One packet in each direction."""
    if channel is None:
        client.send(peer.getsockname(), out)
    else:
        client.send_channel(channel, out)
    peer.settimeout(5)
    equal(peer.recvfrom(65536), (out, client.relayed), "(data, source) at the peer")
    peer.sendto(back, client.relayed)
    packet = client.receive(5)
    assert packet is not None and packet.data == back, f"at the client: {packet}"
    equal(packet.channel, channel, "channel")
