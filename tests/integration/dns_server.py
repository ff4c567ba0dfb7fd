"""A small DNS server with the moods of real ones. In a process's own network namespace (netns.unshare), so that it may have port 53."""

import ipaddress
import socket
import threading
import time

from dnslib import AAAA, CNAME, QTYPE, RCODE, RR, A, DNSRecord

SILENT = object()  # no answer at all
UDP_MAX = 512  # RFC 1035 Section 2.3.4: without EDNS


# In front of a program and the names of two files: it finds those where the machine's own resolv.conf and hosts are.
WITH_FILES = ["unshare", "--mount", "--propagation", "private", "sh", "-c",
              'mount --bind "$1" /etc/resolv.conf && mount --bind "$2" /etc/hosts && shift 2 && exec "$@"', "sh"]  # fmt: skip


class DnsServer:
    """`zone`: {name: [addresses], an RCODE, SILENT, the name that it is an alias of, or raw bytes to answer}; what is not in it does
    not exist. May be changed at any time.
    A key may be (name, "A") or (name, "AAAA") to say it of one type only."""

    def __init__(self, address="127.0.0.1", port=53):
        self.zone, self.delay = {}, 0.0
        self.asked = []  # (name, type, transport), in the order of arrival
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for sock in (self.udp, self.tcp):
            sock.bind((address, port))
        self.tcp.listen(50)
        for loop in (self._serve_udp, self._serve_tcp):
            threading.Thread(target=loop, daemon=True).start()

    def count(self, name, transport="udp"):
        return sum(1 for entry in list(self.asked) if entry[0] == name and entry[2] == transport)

    def _answer(self, raw, transport):
        """The bytes to send, or None."""
        question = DNSRecord.parse(raw)
        name, kind = str(question.q.qname).rstrip(".").lower(), QTYPE[question.q.qtype]
        self.asked.append((name, kind, transport))
        known = self.zone.get((name, kind), self.zone.get(name, RCODE.NXDOMAIN))
        reply = question.reply()
        if known is SILENT:
            return None
        if isinstance(known, bytes):
            return known.replace(b"ID", raw[:2], 1)
        owner = question.q.qname
        while isinstance(known, str):
            reply.add_answer(RR(owner, QTYPE.CNAME, ttl=30, rdata=CNAME(known)))
            owner, known = known, self.zone.get(known, RCODE.NXDOMAIN)
        if isinstance(known, int):
            reply.header.rcode = known
            return reply.pack()
        for address in known:
            if (":" in address) == (kind == "AAAA"):
                data = AAAA(tuple(ipaddress.IPv6Address(address).packed)) if ":" in address else A(address)
                reply.add_answer(RR(owner, question.q.qtype, ttl=30, rdata=data))
        if transport == "udp" and len(reply.pack()) > UDP_MAX:
            reply.header.tc, reply.rr = 1, []
        return reply.pack()

    def _serve_udp(self):
        while True:
            raw, client = self.udp.recvfrom(4096)
            answer = self._answer(raw, "udp")
            if answer is not None:
                threading.Timer(self.delay, self.udp.sendto, (answer, client)).start()

    def _serve_tcp(self):
        while True:
            connection, _ = self.tcp.accept()
            threading.Thread(target=self._converse, args=(connection,), daemon=True).start()

    def _converse(self, connection):
        with connection, connection.makefile("rb") as stream:
            while len(size := stream.read(2)) == 2:
                answer = self._answer(stream.read(int.from_bytes(size, "big")), "tcp")
                time.sleep(self.delay)
                if answer is not None:
                    connection.sendall(len(answer).to_bytes(2, "big") + answer)
