"""turncat and servers that are found in other ways, or are not ours: coturn, gateways, names, servers that send their clients elsewhere."""

import http.server
import json
import os
import socket
import struct
import subprocess
import threading

import harness
import netns
import turncat
from harness import equal, eventually
from streams import TRANSPORTS
from turncat import FAILED, GOOD, Client, Echo, Turncat, case, server, udp


def coturn(t):
    """(port of UDP and TCP, port of TLS and DTLS)"""
    certificate, key = (os.path.join(t.directory, name) for name in ("cert.pem", "key.pem"))
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    subprocess.run([*command, "-subj", "/CN=test", "-keyout", key, "-out", certificate], check=True, capture_output=True)
    plain, secure = t.port(), t.port()
    t.spawn(
        ["turnserver", "-n", "--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", f"--listening-port={plain}", f"--tls-listening-port={secure}",
         f"--cert={certificate}", f"--pkey={key}", "--allow-loopback-peers", "--lt-cred-mech", "--realm=test", "--user=user:pass",
         "--relay-threads=1", "--min-port=49152", "--max-port=65535", "--no-cli", f"--userdb={t.directory}/db", f"--pidfile={t.directory}/pid",
         "--log-file=stdout", "--simple-log"],
        stdout=subprocess.DEVNULL,
    )

    def listens(port):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    eventually(lambda: listens(plain) and listens(secure), "coturn listens", 10)
    return plain, secure


@case(timeout=60)
def coturn_is_reached_over_every_transport(t):
    plain, secure = coturn(t)
    echo = Echo(t)
    for transport in TRANSPORTS:
        port = t.port()
        address = "127.0.0.1", plain if transport in ("udp", "tcp") else secure
        made = Turncat(t, "-i", f"udp://127.0.0.1:{port}", server(address, transport), udp(echo.address))
        client = Client(t, port)
        for size in (1, 100, 1201):
            client.ask(os.urandom(size))
        equal(made.stop(), GOOD, f"status over {transport}")
    status, _, log = turncat.run(t, "-", server(("127.0.0.1", plain), password="wrong"), udp(echo.address), data=b"x\n")
    equal(status, FAILED, log)
    assert "refuses the credentials of user 'user'" in log, log


class Discovery:
    """A config discovery service: {path: configuration}."""

    def __init__(self, t):
        self.configs, self.asked = {}, []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked.append((self.path, self.headers["Host"]))
                body = outer.configs.get(self.path)
                self.send_response(404 if body is None else 200)
                self.end_headers()
                self.wfile.write(body if isinstance(body, bytes) else json.dumps(body or {"code": 404}).encode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        t.ending(self.server.server_close)
        t.ending(self.server.shutdown)

    def gateway(self, relay, auth, namespace="stunner", name="udp-gateway", **listener):
        """As STUNner's operator sends it."""
        made = {"name": f"{namespace}/{name}/udp-listener", "protocol": "TURN-UDP", "public_address": "127.0.0.1", "public_port": relay.port,
                "address": "$STUNNER_ADDR", "port": 3478, "routes": ["stunner/iperf-server"], **listener}
        self.configs[f"/api/v1/configs/{namespace}/{name}"] = {
            "version": "v1", "admin": {"name": f"{namespace}/{name}", "loglevel": "all:INFO"}, "auth": auth, "listeners": [made],
            "clusters": [{"name": "stunner/iperf-server", "type": "STATIC", "protocol": "UDP", "endpoints": ["10.76.1.4"]}],
        }


STATIC = {"type": "static", "realm": "test", "credentials": {"username": "user", "password": "pass"}}


@case(timeout=30)
def gateways_are_found_by_the_discovery_service(t):
    relay, echo, discovery = t.relay(), Echo(t), Discovery(t)
    discovery.gateway(relay, STATIC)
    discovery.gateway(relay, STATIC, namespace="default")
    discovery.gateway(relay, STATIC, namespace="prod")
    found = ["--cds-server-address", discovery.address]
    inside = {"CDS_SERVER_ADDR": discovery.address}

    def works(expected, *arguments, **named):
        discovery.asked.clear()
        equal(turncat.run(t, *arguments, udp(echo.address), data=b"x\n", **named)[:2], (GOOD, b"x\n"), f"{arguments}")
        equal(discovery.asked, [(f"/api/v1/configs/{expected}/udp-gateway", discovery.address)], "requests")

    works("stunner", *found, "-", "k8s://stunner/udp-gateway:udp-listener")
    works("default", *found, "-", "k8s:///udp-gateway:udp-listener")
    works("prod", *found, "-n", "prod", "--kubeconfig", "/nowhere", "-", "k8s:///udp-gateway:udp-listener")
    works("stunner", "-", "k8s://stunner/udp-gateway:udp-listener", environment=inside)
    host, port = discovery.address.split(":")
    works("stunner", "--cds-server-address", host, "--cds-server-port", port, "-", "k8s://stunner/udp-gateway:udp-listener")


@case(timeout=30, waits=True)
def gateways_with_secrets_and_their_rotation(t):
    echo, discovery = Echo(t), Discovery(t)
    relay = t.relay(auth={"type": "ephemeral", "credentials": {"secret": "new", "username": None, "password": None}})
    ephemeral = {"type": "ephemeral", "realm": "test", "credentials": {"secret": "new"}}
    discovery.gateway(relay, ephemeral)
    there = ["--cds-server-address", discovery.address, "-", "k8s://stunner/udp-gateway:udp-listener", udp(echo.address)]
    equal(turncat.run(t, *there, data=b"x\n")[:2], (GOOD, b"x\n"), "a minted credential")
    # Where the command line has credentials, they win.
    equal(turncat.run(t, "--user", "user=pass", *there, data=b"x\n")[0], FAILED, "credentials of the command line")
    # The next try asks the service again.
    discovery.gateway(relay, {"type": "ephemeral", "credentials": {"secret": "old"}})
    port = t.port()
    made = Turncat(t, *there[:2], f"udp://127.0.0.1:{port}", *there[3:])
    client = Client(t, port)
    client.send(b"x")
    made.wait_for_log("refuses the credentials")
    discovery.gateway(relay, ephemeral)
    client.ask_until_answered(b"rotated", 20)


@case(timeout=30)
def a_discovery_service_that_is_no_help_is_told(t):
    relay, echo, discovery = t.relay(), Echo(t), Discovery(t)
    discovery.gateway(relay, STATIC)
    discovery.gateway(relay, {"type": "none"}, name="stun-only")
    discovery.configs["/api/v1/configs/stunner/garbage"] = b"<html>"
    discovery.configs["/api/v1/configs/stunner/huge"] = b" " * (5 << 20)

    def fails(gateway, words, address=discovery.address, **named):
        status, out, log = turncat.run(t, "--cds-server-address", address, "-", f"k8s://stunner/{gateway}", udp(echo.address), data=b"x\n", **named)
        equal((status, out), (FAILED, b""), log)
        for word in words:
            assert word in log, f"{log} does not say {word}"

    fails("unknown:l", ["knows no gateway stunner/unknown: HTTP status 404"])
    fails("udp-gateway:other", ["is no help with stunner/udp-gateway: it has no listener 'other' (of 1)"])
    fails("stun-only:udp-listener", ["it makes no allocations"])
    fails("garbage:l", ["what was answered is no configuration"])
    fails("huge:l", ["cannot be asked for stunner/huge"])
    fails("udp-gateway:l", ["it does not answer"], f"127.0.0.1:{t.port()}")
    fails("udp-gateway:l", ["no address of a config discovery service"], "a b")
    environment = {name: "" for name in ("CDS_SERVER_ADDR", "KUBERNETES_SERVICE_HOST")}
    status, _, log = turncat.run(t, "-", "k8s://stunner/gw:l", udp(echo.address), data=b"x\n", environment=environment)
    equal(status, FAILED, log)
    assert "kubectl -n stunner-system port-forward" in log, log


class Names:
    """A name server on 127.0.0.1:53: {name: IPv4 address}; others do not exist."""

    def __init__(self, t, names):
        self.socket = t.peer(("127.0.0.1", 53))
        self.names = names
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            try:
                query, source = self.socket.recvfrom(512)
            except (OSError, TimeoutError):
                return
            labels, at = [], 12
            while query[at]:
                labels.append(query[at + 1 : at + 1 + query[at]].decode().lower())
                at += 1 + query[at]
            kind = struct.unpack_from(">H", query, at + 1)[0]
            known = self.names.get(".".join(labels))
            answer = struct.pack(">HHHIH", 0xC00C, 1, 1, 60, 4) + socket.inet_aton(known) if known and kind == 1 else b""
            flags = 0x8180 if known else 0x8183
            header = query[:2] + struct.pack(">HHHHH", flags, 1, 1 if answer else 0, 0, 0)
            self.socket.sendto(header + query[12 : at + 5] + answer, source)


@case(timeout=40)
def names_are_resolved(t):
    t.needs_root()
    netns.unshare()
    names = {"turn.example.org": "127.0.0.1", "echo.prod.svc.cluster.local": harness.PEER}
    Names(t, names)
    relay, echo = t.relay(), Echo(t)
    path = os.path.join(t.directory, "resolv.conf")
    with open(path, "w") as file:
        file.write("nameserver 127.0.0.1\nsearch prod.svc.cluster.local svc.cluster.local\noptions ndots:5\n")
    prefix = ["unshare", "--mount", "--propagation", "private", "sh", "-c", f'mount --bind {path} /etc/resolv.conf && exec "$@"', "sh"]
    uri = f"turn://user:pass@turn.example.org:{relay.port}"
    peer = f"udp://echo:{echo.address[1]}"
    equal(turncat.run(t, "-", uri, peer, data=b"x\n", prefix=prefix, timeout=25)[:2], (GOOD, b"x\n"), "names in place of addresses")
    for server_name, peer_name in (("nothing.example.org", peer), ("turn.example.org", "udp://nobody:9")):
        status, _, log = turncat.run(t, "-", f"turn://user:pass@{server_name}:{relay.port}", peer_name, data=b"x\n", prefix=prefix, timeout=25)
        equal(status, FAILED, log)
        assert "no such host" in log, log


class Elsewhere:
    """Answers every Allocate with 300 and another server's address (RFC 8489, section 10)."""

    def __init__(self, t, other):
        self.socket = t.peer(("127.0.0.1", 0))
        self.socket.settimeout(20)
        self.address = self.socket.getsockname()
        self.other = other or self.address
        self.asked = 0
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            try:
                raw, source = self.socket.recvfrom(2048)
            except (OSError, TimeoutError):
                return
            self.asked += 1
            host, port = self.other
            alternate = struct.pack(">HHBBH", 0x8023, 8, 0, 1, port) + socket.inet_aton(host)
            error = struct.pack(">HHHBB", 0x0009, 4, 0, 3, 0)
            kind = struct.unpack_from(">H", raw)[0] | 0x0110
            self.socket.sendto(struct.pack(">HH", kind, len(error + alternate)) + raw[4:20] + error + alternate, source)


@case(timeout=30)
def another_server_is_gone_to(t):
    relay, echo = t.relay(), Echo(t)
    elsewhere = Elsewhere(t, relay.address)
    status, out, log = turncat.run(t, "-", server(elsewhere.address), udp(echo.address), data=b"x\n")
    equal((status, out), (GOOD, b"x\n"), log)
    assert f"the server sends its clients to 127.0.0.1:{relay.port}" in log, log
    circle = Elsewhere(t, None)
    status, out, log = turncat.run(t, "-", server(circle.address), udp(echo.address), data=b"x\n")
    equal((status, out), (FAILED, b""), log)
    equal(circle.asked, 4, "tries")
    assert "sends its clients to another server (Allocate: 300)" in log, log
