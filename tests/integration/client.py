"""A TURN client over one UDP socket, with every step in the test's hands. Other transports: stream_client.py and dtls_client.py."""

import collections
import socket
import struct
import time

import stun

Packet = collections.namedtuple("Packet", "channel peer data tos local")

TOS_V4 = (socket.IPPROTO_IP, socket.IP_TOS)
TOS_V6 = (socket.IPPROTO_IPV6, socket.IPV6_TCLASS)


def udp_socket(address=("127.0.0.1", 0)):
    """Bound, reporting the TOS of what it receives."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    if family == socket.AF_INET:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
    sock.bind(address)
    return sock


def receive(sock, timeout=1.0):
    """(data, source, tos), or None when nothing came in time."""
    sock.settimeout(max(timeout, 0.0001))
    try:
        data, control, _, source = sock.recvmsg(65536, 64)
    except (TimeoutError, BlockingIOError):
        return None
    tos = 0
    for level, kind, value in control:
        if (level, kind) in (TOS_V4, TOS_V6):
            tos = value[0] if len(value) == 1 else struct.unpack("i", value[:4])[0]
    return data, source[:2], tos


def send_with_tos(sock, data, address, tos):
    if sock.family == socket.AF_INET:
        sock.sendmsg([data], [(socket.IPPROTO_IP, socket.IP_TOS, struct.pack("i", tos))], 0, address)
    else:
        sock.sendmsg([data], [(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, struct.pack("i", tos))], 0, address)


class Refused(Exception):
    def __init__(self, message):
        super().__init__(str(message))
        self.code = message.error


class NoAnswer(Exception):
    pass


class Client:
    reliable = False  # is what is sent certain to arrive, so that nothing is sent again?

    def __init__(self, server, username="user", password="pass", local=None):
        self.server = server
        self.username, self.password = username, password
        self.realm = self.nonce = None
        self.inbox = collections.deque()
        self.relayed = self.mapped = None
        self.open(local or ("::1" if ":" in server[0] else "127.0.0.1", 0))
        self.address = self.sock.getsockname()[:2]

    # The transport: what other clients do in another way.

    def open(self, local):
        self.sock = udp_socket(local)

    def close(self):
        self.sock.close()

    def transmit(self, raw, tos=None):
        """One message or ChannelData."""
        if tos is None:
            self.sock.sendto(raw, self.server)
        else:
            send_with_tos(self.sock, raw, self.server, tos)

    def take(self, timeout):
        """(message or ChannelData, source, TOS), or None."""
        got = receive(self.sock, timeout)
        assert got is None or got[1] == tuple(self.server), f"a packet from {got[1]}, not from {self.server}"
        return got

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def key(self):
        return stun.long_term_key(self.username, self.realm.decode(), self.password)

    # Requests.

    def credentials(self):
        return [(stun.USERNAME, self.username.encode()), (stun.REALM, self.realm), (stun.NONCE, self.nonce)]

    def exchange(self, raw, timeout=1.5, resend=0.4):
        """Sends until the answer of this transaction comes. NoAnswer otherwise."""
        transaction, end, again = raw[8:20], time.monotonic() + timeout, 0.0
        while (now := time.monotonic()) < end:
            if now >= again:
                self.transmit(raw)
                again = end if self.reliable else now + resend
            got = self.take(min(again, end) - now)
            if got is None:
                continue
            answer = self._sort(got)
            if answer is not None and answer.transaction == transaction:
                return answer
        raise NoAnswer(f"no answer from {self.server} within {timeout} s")

    def ask(self, method, attributes=(), timeout=1.5, resend=0.4):
        """An authenticated request, by the rules: 401 and 438 are answered once. The answer, whatever it says."""
        for _ in range(3):
            if self.nonce is None:
                raw = stun.encode(method, stun.REQUEST, attributes)
            else:
                raw = stun.encode(method, stun.REQUEST, [*attributes, *self.credentials()], key=self.key)
            had_nonce, answer = self.nonce, self.exchange(raw, timeout, resend)
            if answer.error == 438 or (answer.error == 401 and had_nonce is None):
                self.realm, self.nonce = answer.get(stun.REALM), answer.get(stun.NONCE)
                continue
            # A 401 or 438 cannot carry integrity; every other answer to an authenticated request does.
            if had_nonce is not None and answer.error not in (400, 401):
                assert answer.verify(self.key), f"answer without valid MESSAGE-INTEGRITY: {answer}"
            return answer
        return answer

    def do(self, method, attributes=(), timeout=1.5, resend=0.4):
        answer = self.ask(method, attributes, timeout, resend)
        if answer.kind != stun.SUCCESS:
            raise Refused(answer)
        return answer

    def allocate(self, *extra, family=None, lifetime=None):
        attributes = [(stun.REQUESTED_TRANSPORT, stun.UDP_TRANSPORT), *extra]
        if family is not None:
            attributes.append((stun.REQUESTED_ADDRESS_FAMILY, family))
        if lifetime is not None:
            attributes.append((stun.LIFETIME, struct.pack("!I", lifetime)))
        answer = self.do(stun.ALLOCATE, attributes)
        self.relayed = answer.address(stun.XOR_RELAYED_ADDRESS)
        self.mapped = answer.address(stun.XOR_MAPPED_ADDRESS)
        return answer

    def refresh(self, lifetime=None):
        extra = [] if lifetime is None else [(stun.LIFETIME, struct.pack("!I", lifetime))]
        return self.do(stun.REFRESH, extra)

    def permit(self, *peers):
        return self.do(stun.CREATE_PERMISSION, [(stun.XOR_PEER_ADDRESS, (peer, 0)) for peer in peers])

    def bind(self, number, peer):
        return self.do(stun.CHANNEL_BIND, [(stun.CHANNEL_NUMBER, struct.pack("!Hxx", number)), (stun.XOR_PEER_ADDRESS, peer)])

    def refused(self, code, call, *arguments, **named):
        """Asserts that the call is answered with this error."""
        try:
            call(*arguments, **named)
        except Refused as refusal:
            assert refusal.code == code, f"refused with {refusal.code}, not {code}"
            return
        raise AssertionError(f"not refused: expected {code}")

    # Data.

    def send(self, peer, data, extra=(), tos=None):
        raw = stun.encode(stun.SEND, stun.INDICATION, [(stun.XOR_PEER_ADDRESS, peer), *extra, (stun.DATA_ATTRIBUTE, data)])
        self.transmit(raw, tos)

    def send_channel(self, number, data, padded=False, tos=None):
        self.transmit(stun.channel_data(number, data, padded), tos)

    def receive(self, timeout=1.0):
        """The next relayed packet, or None."""
        end = time.monotonic() + timeout
        while not self.inbox:
            left = end - time.monotonic()
            if left <= 0:
                return None
            got = self.take(left)
            if got is not None:
                self._sort(got)
        return self.inbox.popleft()

    def _sort(self, got):
        """Relayed packets into the inbox; anything else is returned."""
        raw, source, tos = got
        if raw and raw[0] >> 6 == 1:
            number, data = stun.read_channel_data(raw)
            self.inbox.append(Packet(number, None, data, tos, source))
            return None
        message = stun.Message(raw)
        if message.kind == stun.INDICATION:
            assert message.method == stun.DATA, f"unexpected indication: {message}"
            self.inbox.append(
                Packet(None, message.address(stun.XOR_PEER_ADDRESS), message.get(stun.DATA_ATTRIBUTE) or b"", tos, source)
            )
            return None
        return message
