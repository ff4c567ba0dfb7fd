#!/usr/bin/python3
"""Cuts the payload out of a packet capture, so that it can be published or kept small.

usage: trim.py [--payload BYTES] CAPTURE TRIMMED

Reads classic pcap (any byte order, micro- or nanoseconds) of Ethernet. Of each UDP datagram over IPv4 or IPv6 it keeps the headers and
  - STUN and TURN messages whole, Send and Data indications too: they hold addresses, user names and the first packets of a call,
  - of ChannelData its header and the first BYTES of its data (12: an RTP header),
  - of anything else the first BYTES.
Lengths inside the headers and the records' original lengths stay true, so `uturn-bench` makes the same script of both files. Packets that
are not UDP are left out. Addresses stay as they are.
"""

import argparse
import struct

VLAN_TYPES = (0x8100, 0x88A8, 0x9100)
ETHERNET_SIZE, UDP, COOKIE = 14, 17, b"\x21\x12\xa4\x42"


def udp_payload_offset(frame):
    """Where the UDP payload begins; None when the frame holds no UDP header, or a part of a fragmented datagram."""
    at = ETHERNET_SIZE
    while len(frame) >= at + 4 and int.from_bytes(frame[at - 2 : at], "big") in VLAN_TYPES:
        at += 4
    ethertype = int.from_bytes(frame[at - 2 : at], "big")
    if ethertype == 0x0800 and len(frame) >= at + 20 and frame[at + 9] == UDP:
        if int.from_bytes(frame[at + 6 : at + 8], "big") & 0x3FFF:
            return None
        at += (frame[at] & 0x0F) * 4
    elif ethertype == 0x86DD and len(frame) >= at + 40 and frame[at + 6] == UDP:
        at += 40
    else:
        return None
    return at + 8 if len(frame) >= at + 8 else None


def kept_size(frame, payload_bytes):
    """How many bytes of the frame stay; None when it is left out."""
    at = udp_payload_offset(frame)
    if at is None:
        return None
    payload = frame[at:]
    if payload[:1] <= b"\x03" and payload[4:8] == COOKIE:
        return len(frame)
    header = 4 if b"\x40" <= payload[:1] <= b"\x7f" else 0
    return min(len(frame), at + header + payload_bytes)


def trim(source, target, payload_bytes):
    header = source.read(24)
    order = {b"\xd4\xc3\xb2\xa1": "<", b"\x4d\x3c\xb2\xa1": "<", b"\xa1\xb2\xc3\xd4": ">", b"\xa1\xb2\x3c\x4d": ">"}.get(header[:4])
    if order is None or len(header) < 24 or struct.unpack(order + "I", header[20:])[0] & 0x0FFFFFFF != 1:
        raise SystemExit("not a classic pcap file of Ethernet; editcap -F pcap converts others")
    target.write(header)
    while record := source.read(16):
        if len(record) < 16:
            raise SystemExit("the capture ends within a record")
        seconds, fraction, captured, original = struct.unpack(order + "IIII", record)
        frame = source.read(captured)
        if len(frame) < captured:
            raise SystemExit("the capture ends within a record")
        size = kept_size(frame, payload_bytes)
        if size is not None:
            target.write(struct.pack(order + "IIII", seconds, fraction, size, original) + frame[:size])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--payload", type=int, default=12, metavar="BYTES", help="what stays of each payload (12)")
    parser.add_argument("capture", type=argparse.FileType("rb"))
    parser.add_argument("trimmed", type=argparse.FileType("xb"))
    options = parser.parse_args()
    trim(options.capture, options.trimmed, options.payload)
