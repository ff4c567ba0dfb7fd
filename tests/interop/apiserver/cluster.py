"""A control plane without nodes: etcd and the real kube-apiserver, with RBAC, Pod Security admission and tokens of service accounts."""

import http.client
import json
import os
import ssl
import subprocess
import urllib.parse

from scene import wait_for
from tools import CACHE, Failed, run

BIN = os.path.join(CACHE, "bin")
# As pods see it; the suite's own network has the address.
HOST, PORT = "10.96.0.1", 443
ADMIN = "the-administrators-token"
MANAGER = "uturn-interop"


def certificates(folder):
    """The cluster's authority, the API server's certificate by it, and the key that signs service accounts' tokens."""
    path = lambda name: os.path.join(folder, name)
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=cluster",
        "-keyout", path("ca.key"), "-out", path("ca.crt"))  # fmt: skip
    run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=kube-apiserver",
        "-keyout", path("api.key"), "-out", path("api.csr"))  # fmt: skip
    with open(path("api.ext"), "w", encoding="utf-8") as file:
        file.write(f"subjectAltName=IP:{HOST},DNS:kubernetes.default.svc\n")
    run("openssl", "x509", "-req", "-in", path("api.csr"), "-CA", path("ca.crt"), "-CAkey", path("ca.key"), "-CAcreateserial", "-days", "2",
        "-extfile", path("api.ext"), "-out", path("api.crt"))  # fmt: skip
    run("openssl", "genrsa", "-out", path("accounts.key"), "2048")


class Cluster:
    """What it starts ends with `close`; in the suite's own table of processes nothing outlives it anyway."""

    def __init__(self, folder):
        self.folder, self.processes, self.paths = folder, [], {}
        certificates(folder)
        with open(os.path.join(folder, "tokens.csv"), "w", encoding="utf-8") as file:
            file.write(f"{ADMIN},admin,admin,system:masters\n")
        self.kubeconfig = os.path.join(folder, "kubeconfig")
        self._write_kubeconfig()
        self.context = ssl.create_default_context(cafile=os.path.join(folder, "ca.crt"))

    def start(self):
        path = lambda name: os.path.join(self.folder, name)
        self._spawn("etcd", "--data-dir", path("etcd"), "--listen-client-urls", "http://127.0.0.1:2379", "--advertise-client-urls",
                    "http://127.0.0.1:2379", "--listen-peer-urls", "http://127.0.0.1:2380")  # fmt: skip
        self._spawn(
            "kube-apiserver", "--etcd-servers=http://127.0.0.1:2379", f"--secure-port={PORT}", f"--bind-address={HOST}",
            f"--advertise-address={HOST}", "--endpoint-reconciler-type=none", f"--tls-cert-file={path('api.crt')}",
            f"--tls-private-key-file={path('api.key')}", "--authorization-mode=RBAC", f"--token-auth-file={path('tokens.csv')}",
            "--service-cluster-ip-range=10.96.0.0/16,fd00:10:96::/112", "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={path('accounts.key')}", f"--service-account-signing-key-file={path('accounts.key')}",
            "--allow-privileged=true", f"--cert-dir={path('apiserver')}",
        )  # fmt: skip
        self.wait_for("the API server is ready", lambda: self.ask("GET", "/readyz")[0] == 200, 60)

    def _spawn(self, name, *arguments):
        with open(os.path.join(self.folder, f"{name}.log"), "w", encoding="utf-8") as log:
            self.processes.append(subprocess.Popen([os.path.join(BIN, name), *arguments], stdout=log, stderr=log, cwd=self.folder))

    def close(self):
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()

    def wait_for(self, what, condition, seconds=20):
        def holds():
            self._check_processes()
            return condition()

        wait_for(what, holds, seconds)

    def _check_processes(self):
        for process in self.processes:
            if process.poll() is not None:
                name = os.path.basename(process.args[0])
                with open(os.path.join(self.folder, f"{name}.log"), encoding="utf-8") as log:
                    raise Failed(f"{name} ended with status {process.returncode}:\n{log.read()[-3000:]}")

    def _write_kubeconfig(self):
        config = {
            "apiVersion": "v1", "kind": "Config", "current-context": "suite",
            "clusters": [{"name": "suite", "cluster": {"server": f"https://{HOST}:{PORT}", "certificate-authority": f"{self.folder}/ca.crt"}}],
            "users": [{"name": "admin", "user": {"token": ADMIN}}],
            "contexts": [{"name": "suite", "context": {"cluster": "suite", "user": "admin"}}],
        }  # fmt: skip
        with open(self.kubeconfig, "w", encoding="utf-8") as file:
            json.dump(config, file)

    def ask(self, verb, path, body=None, kind="application/json", **query):
        """(status, object, warnings of the server)"""
        connection = http.client.HTTPSConnection(HOST, PORT, timeout=20, context=self.context)
        headers = {"Authorization": f"Bearer {ADMIN}", "Content-Type": kind}
        if query:
            path += "?" + urllib.parse.urlencode(query)
        connection.request(verb, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        warnings = answer.headers.get_all("Warning") or []
        connection.close()
        return answer.status, json.loads(text) if text.startswith("{") else text, warnings

    def good(self, verb, path, body=None, **options):
        """The object that the server answers with; what else it says is a failure."""
        status, found, warnings = self.ask(verb, path, body, **options)
        if not 200 <= status < 300:
            raise Failed(f"{verb} {path}: {status}: {found['message'] if isinstance(found, dict) else found}")
        if warnings:
            raise Failed(f"{verb} {path}: the server warns: {'; '.join(warnings)}")
        return found

    def _resources(self, version):
        if version not in self.paths:
            prefix = "/api/" if "/" not in version else "/apis/"
            listed = self.good("GET", prefix + version)["resources"]
            self.paths[version] = {one["kind"]: (one["name"], one["namespaced"]) for one in listed if "/" not in one["name"]}
        return self.paths[version]

    def path(self, one, namespace, collection=False):
        version = one["apiVersion"]
        if one["kind"] not in self._resources(version):
            raise Failed(f"{version} {one['kind']}: the server knows none")
        plural, namespaced = self._resources(version)[one["kind"]]
        where = f"/namespaces/{one['metadata'].get('namespace', namespace)}" if namespaced else ""
        name = "" if collection else f"/{urllib.parse.quote(one['metadata']['name'])}"
        return f"{'/api/' if '/' not in version else '/apis/'}{version}{where}/{plural}{name}"

    def apply(self, one, namespace, manager=MANAGER, **query):
        """Server-side apply; a field that does not exist, or stands there twice, is an error."""
        query = {"fieldManager": manager, "fieldValidation": "Strict", **query}
        return self.good("PATCH", self.path(one, namespace), one, kind="application/apply-patch+yaml", **query)

    def get(self, kind, name, namespace, version="v1"):
        return self.good("GET", self.path({"apiVersion": version, "kind": kind, "metadata": {"name": name}}, namespace))

    def patch(self, kind, name, namespace, body, subresource="", version="v1"):
        path = self.path({"apiVersion": version, "kind": kind, "metadata": {"name": name}}, namespace)
        return self.good("PATCH", path + subresource, body, kind="application/merge-patch+json")

    def namespace(self, name, level="restricted"):
        """A namespace whose pods must be of this level of Pod Security; what is not is refused, and warned of in workloads."""
        labels = {f"pod-security.kubernetes.io/{mode}": level for mode in ("enforce", "warn", "audit")}
        self.good("POST", "/api/v1/namespaces", {"metadata": {"name": name, "labels": labels}})
        # What kube-controller-manager would make.
        self.good("POST", f"/api/v1/namespaces/{name}/serviceaccounts", {"metadata": {"name": "default"}})
        return name

    def free_ports(self, namespace):
        """A port of the nodes belongs to one Service, whatever its namespace."""
        self.good("DELETE", f"/api/v1/namespaces/{namespace}/services")

    def token(self, account, namespace):
        body = {"spec": {"expirationSeconds": 3600}}
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        return self.good("POST", path, body)["status"]["token"]
