"""`uturn --publish-address` against an API server of the test's own."""

import os
import socket
import subprocess
import threading
import time

import netns
from certificates import Authority
from dns_server import WITH_FILES, DnsServer
from harness import case, equal, eventually
from kubernetes_api import Cluster, node, service

QUICK = {"engines": ("epoll",), "shards": (1,)}


class Scene:
    def __init__(self, t, address="127.0.0.1", names=(), **account):
        self.t = t
        self.authority = Authority(t.directory)
        self.cluster = Cluster(self.authority.identity(*names), t.directory, address)
        t.ending(self.cluster.server.shutdown)
        self.folder = self.cluster.account(t.directory, self.authority.file, **account)
        self.host, self.port, self.prefix = address, self.cluster.port, []

    def command(self, *arguments, service="default/stunner", wait=1, timeout=8):
        return [*self.prefix, self.t.options.binary, "--publish-address", service, "--publish-credentials", self.folder, "--publish-wait", str(wait),
                "--publish-timeout", str(timeout), *arguments]  # fmt: skip

    @property
    def environment(self):
        return {"KUBERNETES_SERVICE_HOST": self.host, "KUBERNETES_SERVICE_PORT": str(self.port), "PATH": os.environ["PATH"]}

    def publish(self, *arguments, limit=25, **options):
        """(status, stdout, stderr)"""
        done = subprocess.run(self.command(*arguments, **options), env=self.environment, capture_output=True, text=True, timeout=limit)
        return done.returncode, done.stdout, done.stderr

    def published(self):
        data = self.cluster.configmap
        return data.get("STUNNER_PUBLIC_ADDR"), data.get("STUNNER_PUBLIC_PORT")

    def expect(self, address, port, *arguments, **options):
        status, out, err = self.publish(*arguments, **options)
        equal((status, self.published()), (0, (address, port)), f"(status, published): {out} {err}")
        assert f"STUNNER_PUBLIC_ADDR={address}\nSTUNNER_PUBLIC_PORT={port}\n" in out, out
        return out, err


@case(timeout=30, **QUICK)
def it_takes_the_load_balancers_address(t):
    scene = Scene(t)
    scene.cluster.set_service(service(ingress={"ip": "203.0.113.5"}))
    out, err = scene.expect("203.0.113.5", "3478")
    equal(err, "", "stderr")
    assert "ConfigMap default/stunner-config has them now\n" in out, out
    equal(scene.cluster.configmap["STUNNER_PORT"], "3478", "what else is in the ConfigMap")
    # A host name, the UDP port among several, the pod's own namespace, another ConfigMap, in another namespace.
    ports = [{"protocol": "TCP", "port": 443}, {"protocol": "UDP", "port": 5000}]
    scene.cluster.set_service(service(ingress={"hostname": "lb.example.com"}, ports=ports))
    scene.expect("lb.example.com", "5000", service="stunner")
    other = "/api/v1/namespaces/apps/configmaps/where"
    scene.cluster.objects[other] = {"kind": "ConfigMap", "data": {}}
    equal(scene.publish("--publish-configmap", "apps/where")[0], 0, "status")
    equal(scene.cluster.objects[other]["data"]["STUNNER_PUBLIC_ADDR"], "lb.example.com", "address in apps/where")


@case(timeout=30, **QUICK)
def it_waits_for_a_slow_load_balancer(t):
    scene = Scene(t)
    scene.cluster.set_service(service())
    threading.Timer(2, scene.cluster.set_service, [service(ingress={"ip": "203.0.113.5"})]).start()
    _, err = scene.expect("203.0.113.5", "3478", wait=6)
    equal(err.count("\n"), 1, f"lines while it waits: {err}")
    assert "no address yet" in err, err
    # About one question a second.
    asked = [path for _, path, _ in scene.cluster.requests if path.endswith("/services/stunner")]
    assert 2 <= len(asked) <= 5, asked


@case(timeout=40, **QUICK, waits=True)
def without_a_load_balancer_it_takes_a_node(t):
    scene = Scene(t)
    scene.cluster.set_service(service())
    scene.cluster.nodes = [node(), node(external="192.0.2.8", ready=False), node(external="192.0.2.9")]
    out, err = scene.expect("192.0.2.9", "31478")
    assert "taking a node's address" in out, out
    # Of a large cluster it asks for a few at a time.
    scene.cluster.nodes = [node()] * 65 + [node(external="192.0.2.10")]
    scene.cluster.requests.clear()
    scene.expect("192.0.2.10", "31478", wait=0)
    equal(sum(verb == "list" for verb, _, _ in scene.cluster.requests), 4, "lists of nodes")
    # A Service without a load balancer is not waited for.
    scene.cluster.set_service(service("NodePort"))
    scene.cluster.nodes = [node()]
    started = time.monotonic()
    _, err = scene.expect("10.0.0.1", "31478", wait=20)
    assert time.monotonic() - started < 5, "it waited"
    assert "no node has an ExternalIP" in err and "10.0.0.1" in err, err
    scene.cluster.set_service(service("ClusterIP", ports=[{"protocol": "UDP", "port": 3478}]))
    status, _, err = scene.publish(timeout=2)
    equal(status, 1, "status")
    assert "no nodePort" in err and "LoadBalancer or NodePort" in err and "gave up after 2 s" in err, err


@case(timeout=60, **QUICK, waits=True)
def it_says_which_rule_is_missing(t):
    scene = Scene(t)
    scene.cluster.set_service(service())
    for verb, resource, kind in (("get", "services", "Role"), ("list", "nodes", "ClusterRole"), ("patch", "configmaps", "Role")):
        scene.cluster.forbidden = {(verb, resource)}
        scene.cluster.nodes = [node(external="192.0.2.9")]
        status, _, err = scene.publish(wait=0, timeout=3)
        equal(status, 1, f"status without {verb} {resource}")
        expected = f'lacks a {kind} with apiGroups [""], resources ["{resource}"], verbs ["{verb}"]'
        assert expected in err and "cannot " + verb in err, err
        equal(err.count(expected), 1, f"times that it is said: {err}")
    # The rule comes late.
    scene.cluster.forbidden = {("get", "services")}
    threading.Timer(1.5, scene.cluster.forbidden.clear).start()
    scene.expect("192.0.2.9", "31478", wait=0)


@case(timeout=60, **QUICK, waits=True)
def it_tries_again_after_errors(t):
    scene = Scene(t)
    scene.cluster.set_service(service(ingress={"ip": "203.0.113.5"}))
    scene.cluster.failures = {
        ("get", "services"): [(500, "etcd\nis away"), (503, "")],
        ("patch", "configmaps"): [(409, "the object has been modified"), (429, "slow down")],
    }
    _, err = scene.expect("203.0.113.5", "3478", timeout=30)
    for text in ("Service default/stunner: the API server answers 500: etcd is away\n", "answers 503", "answers 409: the object has been"):
        assert text in err, err
    # What is not there may come.
    del scene.cluster.objects["/api/v1/namespaces/default/services/stunner"]
    threading.Timer(1.5, scene.cluster.set_service, [service(ingress={"ip": "203.0.113.6"})]).start()
    _, err = scene.expect("203.0.113.6", "3478")
    assert "Service default/stunner: there is none (404)" in err, err
    status, _, err = scene.publish("--publish-configmap", "nowhere", timeout=2)
    equal(status, 1, "status")
    assert "ConfigMap default/nowhere: there is none (404): create it" in err, err
    # An answer that is none.
    scene.cluster.set_service(b"<html>\xff")
    status, _, err = scene.publish(timeout=2)
    equal(status, 1, "status")
    assert "not a Service" in err, err


@case(timeout=60, **QUICK, waits=True)
def it_trusts_the_clusters_authority_only(t):
    scene = Scene(t)
    scene.cluster.set_service(service(ingress={"ip": "203.0.113.5"}))
    other = os.path.join(t.directory, "other")
    os.mkdir(other)
    folder = scene.cluster.account(other, Authority(other).file)
    status, _, err = scene.publish("--publish-credentials", folder, timeout=2)
    equal(status, 1, "status with another authority")
    assert "its certificate is not trusted" in err, err
    equal(scene.cluster.requests, [], "what a stranger was asked")
    # The right authority, another address.
    scene.host = "127.0.0.2"
    with socket.create_server(("127.0.0.2", 0)) as forward:
        scene.port = forward.getsockname()[1]
        threading.Thread(target=pass_on, args=(forward, scene.cluster.port), daemon=True).start()
        status, _, err = scene.publish(timeout=2)
    equal(status, 1, "status with another address")
    assert "its certificate is not trusted: IP address mismatch" in err, err
    equal(scene.cluster.requests, [], "what it was asked")
    scene.host, scene.port = "127.0.0.1", scene.cluster.port
    scene.cluster.token = "another"
    status, _, err = scene.publish(timeout=2)
    equal(status, 1, "status with a bad token")
    assert "does not accept the token" in err, err


def pass_on(listener, port):
    while True:
        try:
            client = listener.accept()[0]
        except OSError:
            return
        server = socket.create_connection(("127.0.0.1", port))
        for a, b in ((client, server), (server, client)):
            threading.Thread(target=copy, args=(a, b), daemon=True).start()


def copy(source, sink):
    try:
        while data := source.recv(4096):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


@case(timeout=30, **QUICK)
def it_finds_the_server_over_ipv6(t):
    scene = Scene(t, address="::1")
    scene.cluster.set_service(service(ingress={"ip": "2001:db8::5"}))
    scene.expect("2001:db8::5", "3478")
    equal({host for _, _, host in scene.cluster.requests}, {f"[::1]:{scene.port}"}, "Host")


@case(timeout=30, **QUICK)
def it_finds_a_server_that_has_a_name(t):
    t.needs_root()
    netns.unshare()
    DnsServer().zone.update({"api.test": ["127.0.0.1"], "other.test": ["127.0.0.1"]})
    scene = Scene(t, names=("api.test",))
    scene.cluster.set_service(service(ingress={"ip": "203.0.113.5"}))
    resolv_conf = os.path.join(t.directory, "resolv.conf")
    with open(resolv_conf, "w") as file:
        file.write("nameserver 127.0.0.1\n")
    scene.prefix = [*WITH_FILES, resolv_conf, "/etc/hosts"]
    scene.host = "api.test"
    scene.expect("203.0.113.5", "3478")
    equal({host for _, _, host in scene.cluster.requests}, {f"api.test:{scene.port}"}, "Host")
    scene.host = "other.test"
    status, _, err = scene.publish(timeout=2)
    equal(status, 1, "status with another name")
    assert "its certificate is not trusted: hostname mismatch" in err.lower(), err


@case(timeout=40, **QUICK)
def it_takes_up_a_renewed_token(t):
    scene = Scene(t, token="old\n")
    scene.cluster.set_service(service(ingress={"ip": "203.0.113.5"}))
    process = t.spawn(scene.command(timeout=20), env=scene.environment)
    eventually(lambda: scene.cluster.requests, "a first request")
    scene.cluster.account(t.directory, scene.authority.file)
    equal(process.wait(15), 0, "status")
    equal(scene.published(), ("203.0.113.5", "3478"), "published")


@case(timeout=40, **QUICK)
def a_server_that_is_away_is_named_and_waited_for(t):
    scene = Scene(t)
    scene.cluster.set_service(service(ingress={"ip": "203.0.113.5"}))
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        scene.port = unused.getsockname()[1]
        status, _, err = scene.publish(timeout=2)
    equal(status, 1, "status")
    assert f"the API server at 127.0.0.1:{scene.port}" in err, err
    # A server that accepts and says nothing.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        scene.port = silent.getsockname()[1]
        process = t.spawn(scene.command(timeout=30), env=scene.environment)
        connection = silent.accept()[0]
        time.sleep(0.2)
        process.terminate()
        equal(process.wait(2), 1, "status after SIGTERM")
        connection.close()


@case(timeout=30, **QUICK)
def wrong_use_is_one_line(t):
    scene = Scene(t)
    table = [
        (scene.command(service="a/b/c"), {}, 2, "a/b/c: not the name of an object"),
        (scene.command(service="A"), {}, 2, "A: not the name of an object"),
        (scene.command("--publish-timeout", "1h"), {}, 2, "1h: not a time: use 0 to 86400 seconds"),
        (scene.command(), {"KUBERNETES_SERVICE_HOST": ""}, 1, "KUBERNETES_SERVICE_HOST is not set"),
        (scene.command(), {"KUBERNETES_SERVICE_PORT": "x"}, 1, 'KUBERNETES_SERVICE_PORT is "x"'),
        (scene.command("--publish-credentials", "/nowhere"), {}, 1, "/nowhere/ca.crt: no certificate authority can be read"),
        (scene.command("--publish-credentials", "/nowhere", service="stunner"), {}, 1, "no namespace: name it, as in NAMESPACE/stunner"),
    ]
    for command, changes, status, text in table:
        done = subprocess.run(command, env={**scene.environment, **changes}, capture_output=True, text=True, timeout=10)
        equal((done.returncode, done.stdout, done.stderr.count("\n")), (status, "", 1), f"(status, stdout, lines): {done.stderr}")
        assert done.stderr.startswith("uturn: " + text), done.stderr
