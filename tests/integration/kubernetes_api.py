"""A small Kubernetes API server: HTTPS, tokens, RBAC, and the few objects that `uturn --publish-address` deals with."""

import http.server
import json
import os
import socket
import ssl
import threading
import urllib.parse

TOKEN = "a-service-accounts-token"


def service(kind="LoadBalancer", ingress=None, ports=None):
    spec = {"type": kind, "ports": ports or [{"name": "udp", "protocol": "UDP", "port": 3478, "nodePort": 31478}]}
    status = {"loadBalancer": {} if ingress is None else {"ingress": [ingress]}}
    return {"apiVersion": "v1", "kind": "Service", "spec": spec, "status": status}


def node(external=None, internal="10.0.0.1", ready=True):
    addresses = [{"type": "Hostname", "address": "n"}, {"type": "InternalIP", "address": internal}]
    addresses += [{"type": "ExternalIP", "address": external}] if external else []
    return {"status": {"conditions": [{"type": "Ready", "status": str(ready)}], "addresses": addresses}}


class Cluster:
    """What the server knows, and how it behaves. `failures`: answers to give first, by verb and path: {(verb, path): [(code, text), …]}."""

    def __init__(self, identity, directory, address="127.0.0.1"):
        self.objects = {"/api/v1/namespaces/default/configmaps/stunner-config": {"kind": "ConfigMap", "data": {"STUNNER_PORT": "3478"}}}
        self.nodes, self.failures, self.forbidden, self.requests = [], {}, set(), []
        self.token = TOKEN
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*identity.write(directory, "api"))

        class Server(http.server.ThreadingHTTPServer):
            address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
            daemon_threads = True

            def handle_error(self, *_):
                pass  # handshakes that are meant to fail

        self.server = Server((address, 0), self._handler())
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def configmap(self):
        return self.objects["/api/v1/namespaces/default/configmaps/stunner-config"]["data"]

    def set_service(self, value, name="default/stunner"):
        namespace, name = name.split("/")
        self.objects[f"/api/v1/namespaces/{namespace}/services/{name}"] = value

    def account(self, directory, authority, namespace="default", token=TOKEN):
        """A folder as kubelets mount it."""
        folder = os.path.join(directory, "account")
        os.makedirs(folder, exist_ok=True)
        with open(authority) as file:
            texts = {"ca.crt": file.read(), "token": token, "namespace": namespace}
        for name, text in texts.items():
            with open(os.path.join(folder, name), "w") as file:
                file.write(text)
        return folder

    def _answer(self, verb, path, headers, body):
        """(status, object)"""
        resource = path.split("?")[0].split("/")[3 if "/namespaces/" not in path else 5]
        status = lambda code, text: (code, {"kind": "Status", "message": text, "code": code})
        if headers.get("Authorization") != f"Bearer {self.token}":
            return status(401, "Unauthorized")
        if (verb, resource) in self.forbidden:
            return status(403, f'{resource} is forbidden: User "system:serviceaccount:default:job" cannot {verb} resource')
        if self.failures.get((verb, resource)):
            return status(*self.failures[verb, resource].pop(0))
        if resource == "nodes":
            query = urllib.parse.parse_qs(urllib.parse.urlsplit(path).query)
            start, size = int(query.get("continue", ["0"])[0]), int(query["limit"][0])
            more = {"continue": str(start + size)} if start + size < len(self.nodes) else {}
            return 200, {"kind": "NodeList", "metadata": more, "items": self.nodes[start : start + size]}
        if path not in self.objects:
            return status(404, f"{path} not found")
        if verb == "patch":
            assert headers["Content-Type"] == "application/merge-patch+json", headers
            self.objects[path]["data"].update(json.loads(body)["data"])
        return 200, self.objects[path]

    def _handler(cluster):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def serve(self):
                verb = {"GET": "get", "PATCH": "patch"}[self.command]
                verb = "list" if self.path.startswith("/api/v1/nodes") else verb
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                # A server that is asked to close does so right behind its answer, and libevent may then see the end first.
                assert self.headers["Connection"] != "close", self.headers
                cluster.requests.append((verb, self.path, self.headers["Host"]))
                code, found = cluster._answer(verb, self.path, self.headers, body)
                text = found if isinstance(found, bytes) else json.dumps(found).encode()
                self.send_response(code)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_PATCH = serve

            def log_message(self, *_):
                pass

        return Handler
