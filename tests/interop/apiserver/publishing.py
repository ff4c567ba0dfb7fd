"""`uturn --publish-address` as its Job runs it: the manifest's own command, rights and account, with a token by the API server."""

import os
import subprocess

import yaml

from cluster import HOST, PORT
from kubectl import kubectl
from tools import K8S, RELAY, Failed, read


def account(cluster, folder, name, namespace, token=None):
    """A folder as kubelets mount it."""
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(cluster.folder, "ca.crt"), encoding="utf-8") as file:
        texts = {"ca.crt": file.read(), "namespace": namespace, "token": token or cluster.token(name, namespace)}
    for file_name, text in texts.items():
        with open(os.path.join(folder, file_name), "w", encoding="utf-8") as file:
            file.write(text)
    return folder


def run_job(cluster, job, namespace, *arguments, token=None):
    """The container of a Job, as it stands in the API server: its exit status and what it printed."""
    spec = job["spec"]["template"]["spec"]
    container = spec["containers"][0]
    folder = account(cluster, os.path.join(cluster.folder, "account"), spec["serviceAccountName"], namespace, token)
    # In its own time: what `arguments` say later counts.
    command = [RELAY, *container["args"], "--publish-timeout", "30", "--publish-credentials", folder, *arguments]
    environment = {"KUBERNETES_SERVICE_HOST": HOST, "KUBERNETES_SERVICE_PORT": str(PORT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


class Scene:
    def __init__(self, cluster):
        self.cluster, self.namespace = cluster, cluster.namespace("publish")
        for folder in ("base", "publish-address"):
            kubectl(cluster, "apply", "--server-side", "-n", self.namespace, "-k", os.path.join(K8S, folder))
        self.job = cluster.get("Job", "stunner-publish-address", self.namespace, "batch/v1")

    def ingress(self, *ingress, service="stunner"):
        self.cluster.patch("Service", service, self.namespace, {"status": {"loadBalancer": {"ingress": list(ingress)}}}, "/status")

    def run(self, *arguments, **options):
        return run_job(self.cluster, self.job, self.namespace, *arguments, **options)

    def published(self):
        data = self.cluster.get("ConfigMap", "stunner-config", self.namespace)["data"]
        return data.get("STUNNER_PUBLIC_ADDR"), data.get("STUNNER_PUBLIC_PORT")

    def expect(self, address, port, *arguments):
        status, said = self.run(*arguments)
        if status != 0 or self.published() != (address, str(port)) or "the API server at" in said:
            raise Failed(f"status {status}, published {self.published()} instead of {address} {port}: {said}")

    def refused(self, *texts, token=None):
        status, said = self.run("--publish-wait", "0", "--publish-timeout", "1", token=token)
        if status != 1 or not all(text in said for text in texts):
            raise Failed(f"status {status}, expected {texts}: {said}")

    def delete(self, kind, name, version="v1"):
        one = {"apiVersion": version, "kind": kind, "metadata": {"name": name}}
        self.cluster.good("DELETE", self.cluster.path(one, self.namespace))


def node(cluster, number, ready, **addresses):
    name = f"node-{number:02}"
    cluster.good("POST", "/api/v1/nodes", {"metadata": {"name": name}})
    listed = [{"type": kind, "address": address} for kind, address in addresses.items()]
    status = {"conditions": [{"type": "Ready", "status": str(ready)}], "addresses": listed}
    cluster.patch("Node", name, None, {"status": status}, "/status")


def balancers(scene):
    scene.ingress({"ip": "203.0.113.5"})
    scene.expect("203.0.113.5", 3478)
    # What is written stays when the manifests are applied again, by either way of kubectl's.
    base = os.path.join(K8S, "base")
    for way in (["apply", "--server-side"], ["apply"]):
        kubectl(scene.cluster, *way, "-n", scene.namespace, "-k", base)
        if scene.published() != ("203.0.113.5", "3478"):
            raise Failed(f"{way} of the base takes the address away: {scene.published()}")
    scene.ingress({"hostname": "lb.example.com"})
    scene.expect("lb.example.com", 3478)


def nodes(scene):
    cluster = scene.cluster
    scene.ingress()
    scene.refused("Nodes: not allowed (403)", 'lacks a ClusterRole with apiGroups [""], resources ["nodes"], verbs ["list"]', "nodes is forbidden")
    for one in yaml.safe_load_all(read(K8S, "publish-address/nodes.yaml")):
        for subject in one.get("subjects", []):
            subject["namespace"] = scene.namespace
        cluster.apply(one, scene.namespace)
    scene.refused("Nodes: none has an address yet")
    # More than two pages, by the server's own tokens for the next; the one that is wanted is on the last.
    for number in range(45):
        node(cluster, number, ready=True, InternalIP=f"10.0.0.{number}", Hostname="n")
    port = cluster.get("Service", "stunner", scene.namespace)["spec"]["ports"][0]["nodePort"]
    scene.expect("10.0.0.0", port, "--publish-wait", "0")
    node(cluster, 90, ready=False, ExternalIP="198.51.100.90")
    node(cluster, 91, ready=True, ExternalIP="198.51.100.91", InternalIP="10.0.0.91")
    scene.expect("198.51.100.91", port, "--publish-wait", "0")


def rights(scene):
    cluster, account_name = scene.cluster, "stunner-publish-address"
    scene.ingress({"ip": "203.0.113.6"})
    good = cluster.token(account_name, scene.namespace)
    scene.refused("does not accept the token", "(401)", token=good[:-8] + "AAAAAAAA")
    role = cluster.get("Role", account_name, scene.namespace, "rbac.authorization.k8s.io/v1")
    scene.delete("Role", account_name, "rbac.authorization.k8s.io/v1")
    scene.refused("Service publish/stunner: not allowed (403)", 'resources ["services"], verbs ["get"]', "services \"stunner\" is forbidden")
    fields = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": account_name}}
    cluster.apply(fields | {"rules": role["rules"][:1]}, scene.namespace)
    scene.refused("ConfigMap publish/stunner-config: not allowed (403)", 'resources ["configmaps"], verbs ["patch"]')
    cluster.apply(fields | {"rules": role["rules"]}, scene.namespace)
    scene.expect("203.0.113.6", 3478)
    scene.delete("ConfigMap", "stunner-config")
    scene.refused("ConfigMap publish/stunner-config: there is none (404)")
    scene.delete("Service", "stunner")
    scene.refused("Service publish/stunner: there is none (404)")
    scene.delete("ServiceAccount", account_name)
    scene.refused("does not accept the token", "(401)", token=good)


def check(cluster, _):
    scene = Scene(cluster)
    for part in (balancers, nodes, rights):
        part(scene)
    return 3
