"""STUN and TURN messages (RFC 8489, RFC 8656) for the tests: written from the RFCs, sharing nothing with the relay."""

import base64
import hashlib
import hmac
import ipaddress
import os
import struct
import zlib

MAGIC = 0x2112A442
HEADER_SIZE = 20

REQUEST, INDICATION, SUCCESS, ERROR = 0, 1, 2, 3

BINDING, ALLOCATE, REFRESH, SEND, DATA, CREATE_PERMISSION, CHANNEL_BIND = 1, 3, 4, 6, 7, 8, 9

MAPPED_ADDRESS = 0x0001
USERNAME = 0x0006
MESSAGE_INTEGRITY = 0x0008
ERROR_CODE = 0x0009
UNKNOWN_ATTRIBUTES = 0x000A
CHANNEL_NUMBER = 0x000C
LIFETIME = 0x000D
XOR_PEER_ADDRESS = 0x0012
DATA_ATTRIBUTE = 0x0013
REALM = 0x0014
NONCE = 0x0015
XOR_RELAYED_ADDRESS = 0x0016
REQUESTED_ADDRESS_FAMILY = 0x0017
EVEN_PORT = 0x0018
REQUESTED_TRANSPORT = 0x0019
DONT_FRAGMENT = 0x001A
XOR_MAPPED_ADDRESS = 0x0020
RESERVATION_TOKEN = 0x0022
SOFTWARE = 0x8022
ALTERNATE_SERVER = 0x8023
FINGERPRINT = 0x8028

UDP_TRANSPORT = struct.pack("!B3x", 17)
FAMILY_IPV4 = struct.pack("!B3x", 1)
FAMILY_IPV6 = struct.pack("!B3x", 2)


def long_term_key(username, realm, password):
    return hashlib.md5(f"{username}:{realm}:{password}".encode()).digest()


def ephemeral_password(secret, username):
    return base64.b64encode(hmac.new(secret.encode(), username.encode(), hashlib.sha1).digest()).decode()


def xor_address(address, transaction):
    ip = ipaddress.ip_address(address[0])
    mask = struct.pack("!I", MAGIC) + transaction
    packed = bytes(a ^ b for a, b in zip(ip.packed, mask))
    return struct.pack("!BBH", 0, 1 if ip.version == 4 else 2, address[1] ^ (MAGIC >> 16)) + packed


def read_xor_address(value, transaction):
    family, port = struct.unpack_from("!xBH", value)
    mask = struct.pack("!I", MAGIC) + transaction
    packed = bytes(a ^ b for a, b in zip(value[4:], mask))
    assert len(packed) == (4 if family == 1 else 16), f"address of {len(packed)} bytes, family {family}"
    return str(ipaddress.ip_address(packed)), port ^ (MAGIC >> 16)


def read_address(value):
    family, port = struct.unpack_from("!xBH", value)
    assert len(value) == (8 if family == 1 else 20)
    return str(ipaddress.ip_address(value[4:])), port


def message_type(method, kind):
    return (method & 0xF) | (kind & 1) << 4 | (method & 0x70) << 1 | (kind & 2) << 7 | (method & 0xF80) << 2


def _attribute(kind, value):
    return struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)


def encode(method, kind, attributes, transaction=None, key=None, fingerprint=False):
    """The message; with MESSAGE-INTEGRITY when a key is given. Addresses in `attributes` may be given as (host, port)."""
    transaction = transaction or os.urandom(12)
    body = b""
    for number, value in attributes:
        if isinstance(value, tuple):
            value = xor_address(value, transaction)
        body += _attribute(number, value)

    def header(extra):
        return struct.pack("!HHI", message_type(method, kind), len(body) + extra, MAGIC) + transaction

    if key is not None:
        body += _attribute(MESSAGE_INTEGRITY, hmac.new(key, header(24) + body, hashlib.sha1).digest())
    if fingerprint:
        crc = zlib.crc32(header(8) + body) ^ 0x5354554E
        body += _attribute(FINGERPRINT, struct.pack("!I", crc))
    return header(0) + body


class Message:
    """A parsed message. Raises ValueError for what is not well-formed STUN: the relay must never send that."""

    def __init__(self, raw):
        if len(raw) < HEADER_SIZE:
            raise ValueError("shorter than a STUN header")
        number, size, magic = struct.unpack_from("!HHI", raw)
        if number & 0xC000 or magic != MAGIC or size % 4 or size + HEADER_SIZE != len(raw):
            raise ValueError(f"not STUN: {raw[:20].hex()}")
        self.raw = raw
        self.transaction = raw[8:20]
        self.kind = (number >> 4) & 1 | (number >> 7) & 2
        self.method = (number & 0xF) | (number >> 1) & 0x70 | (number >> 2) & 0xF80
        self.attributes = []
        self._integrity_at = None
        at = HEADER_SIZE
        while at < len(raw):
            kind, length = struct.unpack_from("!HH", raw, at)
            value = raw[at + 4 : at + 4 + length]
            if len(value) != length:
                raise ValueError(f"attribute {kind:#06x} is cut short")
            if any(raw[at + 4 + length : at + 4 + length + (-length % 4)]):
                raise ValueError(f"padding of attribute {kind:#06x} is not zero")
            if kind == MESSAGE_INTEGRITY and self._integrity_at is None:
                self._integrity_at = at
            self.attributes.append((kind, value))
            at += 4 + length + (-length % 4)

    def get(self, kind):
        return next((value for number, value in self.attributes if number == kind), None)

    def address(self, kind):
        value = self.get(kind)
        return None if value is None else read_xor_address(value, self.transaction)

    @property
    def error(self):
        value = self.get(ERROR_CODE)
        return None if value is None else (value[2] & 7) * 100 + value[3]

    @property
    def reason(self):
        return self.get(ERROR_CODE)[4:]

    @property
    def lifetime(self):
        value = self.get(LIFETIME)
        return None if value is None else struct.unpack("!I", value)[0]

    @property
    def has_integrity(self):
        return self._integrity_at is not None

    def verify(self, key):
        at = self._integrity_at
        if at is None:
            return False
        head = self.raw[:2] + struct.pack("!H", at + 24 - HEADER_SIZE) + self.raw[4:at]
        return hmac.compare_digest(hmac.new(key, head, hashlib.sha1).digest(), self.raw[at + 4 : at + 24])

    def __str__(self):
        return f"method {self.method} kind {self.kind} error {self.error} attributes {[hex(a) for a, _ in self.attributes]}"


def channel_data(number, payload, padded=False):
    return struct.pack("!HH", number, len(payload)) + payload + (bytes(-len(payload) % 4) if padded else b"")


def read_channel_data(raw):
    number, size = struct.unpack_from("!HH", raw)
    if len(raw) < 4 + size or len(raw) > 4 + size + 3:
        raise ValueError(f"ChannelData of length {size} in a datagram of {len(raw)} bytes")
    return number, raw[4 : 4 + size]
