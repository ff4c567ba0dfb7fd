"""Clusters of domain names: a real DNS server, in a network namespace with a resolv.conf of its own."""

import os
import signal
import socket
import time

import netns
import stun
from client import udp_socket
from dns_server import SILENT, WITH_FILES, DnsServer
from dnslib import RCODE
from harness import case, equal, eventually
from relay import merged

INTERVAL_S = 5
IN_TIME_S = INTERVAL_S + 9


def permissions(peers):
    return [(stun.XOR_PEER_ADDRESS, (peer, 0)) for peer in peers]


class Scene:
    """A namespace with a DNS server, peers at 10.77.0.1 … 10.77.0.9 and fd77::1 … fd77::9, and a relay that asks the one about the others."""

    def __init__(self, t, *endpoints, resolv_conf="nameserver 127.0.0.1\n", hosts="", **changes):
        t.needs_root()
        netns.unshare()
        for n in range(1, 10):
            netns.ip("address", "add", f"10.77.0.{n}/32", "dev", "lo")
            netns.ip("address", "add", f"fd77::{n}/128", "dev", "lo", "nodad")
        self.t, self.dns = t, DnsServer()
        prefix = [*WITH_FILES, self._file("resolv.conf", resolv_conf), self._file("hosts", hosts)]
        cluster = {"name": "media", "type": "STRICT_DNS", "endpoints": list(endpoints)}
        self.relay = t.make_relay(prefix=prefix, clusters=[cluster], **merged({"listener": {"routes": ["media"]}}, changes))

    def _file(self, name, text):
        path = os.path.join(self.t.directory, name)
        with open(path, "w") as file:
            file.write(text)
        return path

    def start(self):
        self.relay.start()
        return self

    def wait_for_addresses(self, count, timeout=IN_TIME_S):
        found = lambda: self.relay.metrics().sum("uturn_cluster_addresses", name="media")
        eventually(lambda: found() == count, f"{count} addresses", timeout)

    def lookups(self, result):
        return self.relay.metrics().sum("uturn_cluster_lookups_total", name="media", result=result)

    def client(self, family=None):
        client = self.t.client(self.relay)
        client.allocate(family=family)
        return client

    def admits(self, client, *peers):
        """Soon: what is known reaches the shards a moment later."""
        eventually(lambda: client.ask(stun.CREATE_PERMISSION, permissions(peers)).error is None, f"{peers} are admitted", 3)

    def refuses(self, client, peer):
        eventually(lambda: client.ask(stun.CREATE_PERMISSION, permissions([peer])).error == 403, f"{peer} is refused", 3)

    def cluster(self):
        (cluster,) = self.relay.status()["clusters"]
        return cluster


@case(timeout=40, spread=True, waits=True)
def a_name_admits_what_it_stands_for_and_cuts_nothing(t):
    scene = Scene(t, "media.test")
    scene.start()
    client = scene.client()
    scene.refuses(client, "10.77.0.1")
    scene.relay.wait_for_log(r"cluster media: media\.test: .*nothing is admitted")
    scene.dns.zone["media.test"] = ["10.77.0.1", "10.77.0.2"]
    scene.wait_for_addresses(2)
    scene.relay.wait_for_log(r"cluster media: media\.test has 2 addresses")
    scene.admits(client, "10.77.0.1", "10.77.0.2")
    scene.refuses(client, "10.77.0.3")

    scene.dns.zone["media.test"] = ["10.77.0.2", "10.77.0.3"]
    peer = t.peer(("10.77.0.1", 0))
    eventually(lambda: scene.cluster()["resolved"]["addresses"] == ["10.77.0.2", "10.77.0.3"], "the change", IN_TIME_S)
    scene.refuses(client, "10.77.0.1")
    scene.admits(client, "10.77.0.2", "10.77.0.3")
    # The permission of before runs out by itself; the call goes on meanwhile.
    client.send(peer.getsockname(), b"still there")
    peer.settimeout(1)
    equal(peer.recv(100), b"still there", "from the client")


@case(timeout=60, engines=("epoll",), shards=(1,), waits=True)
def the_last_good_answer_stays(t):
    scene = Scene(t, "media.test")
    scene.dns.zone["media.test"] = ["10.77.0.1"]
    scene.start().wait_for_addresses(1)
    for mood in (RCODE.NXDOMAIN, RCODE.SERVFAIL, [], SILENT):
        failed = scene.lookups("failure")
        scene.dns.zone["media.test"] = mood
        eventually(lambda: scene.lookups("failure") > failed, f"a failure counted: {mood}", IN_TIME_S + 6)
        scene.admits(scene.client(), "10.77.0.1")
    scene.relay.wait_for_log(r"cluster media: media\.test: .*last addresses stay")
    equal(scene.cluster()["resolved"]["addresses"], ["10.77.0.1"], "addresses")
    scene.dns.zone["media.test"] = ["10.77.0.2"]
    eventually(lambda: scene.cluster()["resolved"]["addresses"] == ["10.77.0.2"], "the next answer", IN_TIME_S + 6)


@case(timeout=30, engines=("epoll",), shards=(1,), waits=True)
def each_family_keeps_its_own(t):
    scene = Scene(t, "media.test")
    scene.dns.zone["media.test"] = ["10.77.0.1", "fd77::1"]
    scene.start().wait_for_addresses(2)
    scene.admits(scene.client(stun.FAMILY_IPV6), "fd77::1")
    # One family's lookup fails, the other's brings news.
    scene.dns.zone[("media.test", "AAAA")] = RCODE.SERVFAIL
    scene.dns.zone["media.test"] = ["10.77.0.2"]
    eventually(lambda: scene.cluster()["resolved"]["addresses"] == ["10.77.0.2", "fd77::1"], "IPv6 kept", IN_TIME_S)
    # There is none of this family any more.
    del scene.dns.zone[("media.test", "AAAA")]
    eventually(lambda: scene.cluster()["resolved"]["addresses"] == ["10.77.0.2"], "IPv6 gone", IN_TIME_S)
    client = scene.client(stun.FAMILY_IPV6)
    scene.refuses(client, "fd77::1")


@case(timeout=30, engines=("epoll",), shards=(1,), waits=True)
def an_answer_too_long_for_a_datagram_comes_over_tcp(t):
    scene = Scene(t, "media.test")
    addresses = [f"10.78.{n // 250}.{n % 250 + 1}" for n in range(600)]
    scene.dns.zone["media.test"] = addresses
    scene.start().wait_for_addresses(600)
    assert scene.dns.count("media.test", "tcp") >= 1, "TCP was not used"
    scene.admits(scene.client(), addresses[599])
    # More than the bound is cut off, not refused.
    scene.dns.zone["media.test"] = [f"10.78.{n // 250}.{n % 250 + 1}" for n in range(2000)]
    scene.wait_for_addresses(1024)


@case(timeout=30, engines=("epoll",), shards=(1,))
def search_domains_hosts_and_ranges_of_ports(t):
    scene = Scene(
        t, "media:<5000-6000>", "10.77.0.9", "MEDIA.ns.svc.test.:<7000-7000>", "from-hosts.test",
        resolv_conf="nameserver 127.0.0.1\nsearch ns.svc.test svc.test\noptions ndots:5\n", hosts="10.77.0.8 from-hosts.test\n",
    )  # fmt: skip
    scene.dns.zone["media.ns.svc.test"] = ["10.77.0.1"]
    # 10.77.0.9 is an address and not looked up, 10.77.0.1 is behind two names.
    scene.start().wait_for_addresses(3)
    equal(scene.cluster()["endpoints"], ["10.77.0.9", "media:<5000-6000>", "media.ns.svc.test.:<7000-7000>", "from-hosts.test"], "endpoints")
    client = scene.client()
    scene.admits(client, "10.77.0.1", "10.77.0.8", "10.77.0.9")
    for port, admitted in ((4999, False), (5000, True), (6000, True), (6001, False), (7000, True)):
        with udp_socket(("10.77.0.1", port)) as peer:
            client.send(peer.getsockname(), b"x")
            peer.settimeout(0.3)
            try:
                got = peer.recv(10) == b"x"
            except socket.timeout:
                got = False
            equal(got, admitted, f"port {port}")


@case(timeout=20, engines=("epoll",), shards=(1,))
def a_name_cannot_open_this_machine_or_the_metadata_service(t):
    bad = ["127.0.0.1", "127.0.0.8", "169.254.169.254", "169.254.1.1", "224.0.0.1", "0.0.0.0", "100.100.100.200", "::1", "::ffff:127.0.0.1",
           "64:ff9b::7f00:1", "fe80::1", "ff02::1", "fd00:ec2::254"]  # fmt: skip
    scene = Scene(t, "evil.test", "media.test")
    scene.dns.zone["evil.test"] = bad
    scene.dns.zone["media.test"] = ["10.77.0.1", *bad]
    scene.start().wait_for_addresses(1)
    scene.relay.wait_for_log(r"evil\.test: .*only addresses that no name may stand for")
    client = scene.client()
    scene.admits(client, "10.77.0.1")
    for address in bad:
        if "." in address and ":" not in address and address != "127.0.0.1":
            scene.refuses(client, address)


@case(timeout=40, engines=("epoll",), shards=(1,), waits=True)
def aliases_are_followed_and_nonsense_is_a_failure(t):
    scene = Scene(t, "alias.test", "short.test", "long.test", "cut.test", "loop.test")
    header = b"ID\x81\x80\0\1\0\1\0\0\0\0"
    scene.dns.zone.update({
        "alias.test": "other.test", "other.test": "real.test", "real.test": ["10.77.0.1", "fd77::1"],
        "short.test": b"ID", "long.test": b"ID" + bytes(1200),
        "cut.test": header + b"\3cut\4test\0\0\1\0\1\xc0\x0c\0\1\0\1\0\0\0\1\xff\xff\1",
        "loop.test": header + b"\xc0\x0c\0\1\0\1\xc0\x0c\0\1\0\1\0\0\0\1\0\4\1\2\3\4",
    })  # fmt: skip
    scene.start().wait_for_addresses(2)
    eventually(lambda: scene.lookups("failure") >= 4, "four failures", 20)
    scene.wait_for_addresses(2)
    scene.admits(scene.client(), "10.77.0.1")
    client = scene.client()
    scene.refuses(client, "1.2.3.4")


@case(timeout=40, engines=("epoll",), shards=(1,))
def a_server_that_says_nothing_holds_nothing_up(t):
    scene = Scene(t, "slow1.test", "slow2.test", "slow3.test", "media.test")
    scene.dns.zone.update({"slow1.test": SILENT, "slow2.test": SILENT, "slow3.test": SILENT, "media.test": ["10.77.0.1"]})
    scene.start().wait_for_addresses(1, timeout=3)
    # Health, calls and reloads beside it.
    for _ in range(20):
        started = time.monotonic()
        equal(scene.relay.http("/live")[0], 200, "/live")
        assert time.monotonic() - started < 1, "/live was held up"
        scene.admits(scene.client(), "10.77.0.1")
    scene.relay.signal(signal.SIGHUP)
    eventually(lambda: scene.relay.metrics().sum("uturn_config_reloads_total") >= 1, "reloaded")
    # It ends while questions are under way.
    scene.relay.signal(signal.SIGTERM)
    scene.relay.wait_for_log("draining")
    scene.relay.signal(signal.SIGTERM)
    equal(scene.relay.wait(5), 0, "exit status")


@case(timeout=40, engines=("epoll",), shards=(1,))
def a_reload_keeps_what_is_known(t):
    scene = Scene(t, "media.test")
    scene.dns.zone.update({"media.test": ["10.77.0.1"], "other.test": ["10.77.0.2"]})
    scene.start().wait_for_addresses(1)
    scene.dns.zone["media.test"] = SILENT
    relay = scene.relay

    def reload(cluster):
        before = relay.metrics().sum("uturn_config_reloads_total")
        relay.write_config(merged(relay.config, {"cluster": cluster}))
        eventually(lambda: relay.metrics().sum("uturn_config_reloads_total") > before, "reloaded")

    reload({"endpoints": ["media.test", "other.test"]})
    scene.admits(scene.client(), "10.77.0.1")
    scene.wait_for_addresses(2)
    scene.admits(scene.client(), "10.77.0.1", "10.77.0.2")
    reload({"endpoints": ["other.test"]})
    scene.wait_for_addresses(1, timeout=1)
    client = scene.client()
    scene.admits(client, "10.77.0.2")
    scene.refuses(client, "10.77.0.1")
    reload({"type": "STATIC", "endpoints": ["10.77.0.3"]})
    scene.admits(client, "10.77.0.3")
    scene.refuses(client, "10.77.0.2")
    assert "resolved" not in scene.cluster(), "a static cluster with resolved addresses"


@case(timeout=30, engines=("epoll",), shards=(1,), waits=True)
def a_changed_resolv_conf_is_noticed(t):
    scene = Scene(t, "media.test", resolv_conf="nameserver 127.0.0.9\n")
    scene.dns.zone["media.test"] = ["10.77.0.1"]
    scene.start()
    eventually(lambda: scene.lookups("failure") >= 1, "a failure", 15)
    with open(os.path.join(t.directory, "resolv.conf"), "w") as file:
        file.write("nameserver 127.0.0.1\n")
    scene.wait_for_addresses(1, timeout=15)
