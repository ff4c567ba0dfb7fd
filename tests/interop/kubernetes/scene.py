"""A network namespace with what runs in a cluster: relays by their rendered manifests, clients, peers, and a Prometheus that scrapes them."""

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

import yaml

from monitoring import rule_groups
from objects import relay_pods
from relay_check import prepare
from tools import RELAY, Failed, run

CLONE_NEWNET = 0x40000000
BENCH = os.environ.get("UTURN_BENCH", os.path.join(os.path.dirname(RELAY), "uturn-bench"))
PROMETHEUS = "http://127.0.0.1:9090"
# Pods have the first two; the third is a client and its peers, the fourth a peer that no route allows.
ADDRESSES = ("10.244.0.5/32", "10.244.0.6/32", "10.244.0.9/32", "198.51.100.1/32")


def enter_namespace():
    """This thread, and what it starts, leaves the machine's network for an empty one, once."""
    if enter_namespace.done:
        return
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        raise Failed(f"no network namespace: {os.strerror(ctypes.get_errno())}; this step runs as root")
    run("ip", "link", "set", "lo", "up")
    for address in ADDRESSES:
        run("ip", "address", "add", address, "dev", "lo")
    enter_namespace.done = True


enter_namespace.done = False


def get(url):
    with urllib.request.urlopen(url, timeout=5) as answer:
        return answer.read().decode()


def wait_for(what, condition, seconds=15):
    end = time.monotonic() + seconds
    while True:
        try:
            if condition():
                return
        except OSError:
            pass
        if time.monotonic() > end:
            raise Failed(f"not within {seconds} s: {what}")
        time.sleep(0.1)


class Processes:
    """Programs that end with the scene; the log of one that failed is shown."""

    def __init__(self, dir):
        self.dir = dir
        self.running = []

    def start(self, name, command, env=None):
        log = open(os.path.join(self.dir, f"{name}.log"), "w", encoding="utf-8")
        process = subprocess.Popen(command, env=env, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        self.running.append((name, process, log))
        return process

    def stop(self):
        for _, process, log in reversed(self.running):
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.wait()
            log.close()

    def show_logs(self):
        for name, _, log in self.running:
            log.flush()
            with open(log.name, encoding="utf-8") as file:
                sys.stderr.write(f"--- {name}\n{file.read()[-3000:]}\n")


class Pod:
    """A relay as a rendering has it. A second one in the same namespace has other ports, and the engine that is asked for."""

    def __init__(self, processes, objects, dir, number=0, engine="auto", http=8080):
        _, _, spec = relay_pods(objects)[0]
        place = os.path.join(dir, f"pod-{number}")
        os.mkdir(place)
        command, env = prepare(objects, spec, place)
        env |= {"STUNNER_ADDR": f"10.244.0.{5 + number}", "STUNNER_NAME": f"stunner-{number}", "STUNNER_PORT": str(3478 + number)}
        self.name, self.env, self.address = env["STUNNER_NAME"], env, env["STUNNER_ADDR"]
        self.port, self.metrics, health = 3478 + number, http + number, http + number + 6
        path = command[command.index("-c") + 1]
        with open(path, encoding="utf-8") as file:
            # The loader's peers have ports up to 48000.
            config = json.loads(file.read().replace("-20000>", "-48000>"))
        config["admin"] |= {"healthcheck_endpoint": f"http://:{health}", "metrics_endpoint": f"http://:{self.metrics}/metrics", "shards": 1}
        for listener in config["listeners"]:
            if listener["port"] == 5349:
                listener["port"] += number
        with open(path, "w", encoding="utf-8") as file:
            json.dump(config, file)
        self.process = processes.start(self.name, [*command, "--engine", engine], env)
        wait_for(f"{self.name} is ready", lambda: get(f"http://127.0.0.1:{health}/ready"))


class Scene:
    def __init__(self, rendered):
        self.objects = rendered["k8s/overlays/tls"]

    def __enter__(self):
        enter_namespace()
        self.dir = tempfile.mkdtemp(prefix="uturn-scene-")
        self.processes = Processes(self.dir)
        try:
            self.pods = [Pod(self.processes, self.objects, self.dir, number, engine) for number, engine in enumerate(("auto", "epoll"))]
            self.start_prometheus()
            self.traffic()
            # Rates need two scrapes after the last packet.
            time.sleep(3)
        except BaseException:
            self.processes.show_logs()
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.processes.stop()
        shutil.rmtree(self.dir)

    def start_prometheus(self):
        targets = [{"targets": [f"127.0.0.1:{pod.metrics}"], "labels": {"namespace": "media", "pod": pod.name}} for pod in self.pods]
        files = {
            "rules.yaml": rule_groups(),
            "prometheus.yaml": {
                "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
                "rule_files": ["rules.yaml"],
                "scrape_configs": [{"job_name": "uturn", "static_configs": targets}],
            },
        }
        for name, content in files.items():
            with open(os.path.join(self.dir, name), "w", encoding="utf-8") as file:
                yaml.safe_dump(content, file)
        self.processes.start(
            "prometheus",
            [
                "prometheus", f"--config.file={self.dir}/prometheus.yaml", f"--storage.tsdb.path={self.dir}/data",
                "--web.listen-address=127.0.0.1:9090", "--log.level=warn",
            ],
        )  # fmt: skip
        wait_for("both relays are scraped", lambda: len(self.query("uturn_ready == 1")["data"]["result"]) == 2)

    def traffic(self):
        """Calls over every transport, a wrong password, a peer that is not allowed, and a reload."""
        for pod in self.pods:
            for target in (f"turn:{pod.address}:{pod.port}", f"turn:{pod.address}:{pod.port}?transport=tcp", f"turns:{pod.address}:{pod.port + 1871}"):
                self.call(pod, target)
            self.call(pod, f"turn:{pod.address}:{pod.port}", password="wrong", succeeds=False)
            self.call(pod, f"turn:{pod.address}:{pod.port}", peer="198.51.100.1", succeeds=False)
            pod.process.send_signal(signal.SIGHUP)

    def call(self, pod, target, password=None, peer="10.244.0.9", succeeds=True):
        done = run(
            BENCH, "flood", "-t", target, "-u", pod.env["STUNNER_USERNAME"], "-p", password or pod.env["STUNNER_PASSWORD"], "--local", "10.244.0.9",
            "--peer-address", peer, "--flows", "2", "--direction", "both", "--rate", "2k", "--warmup", "0.1", "--seconds", "0.5", "--drain", "0.2",
            "--system-calls", "0", "--threads", "1", "--quiet", check=False,
        )  # fmt: skip
        if (done.returncode == 0) != succeeds:
            raise Failed(f"a call of {pod.name} by {target}, peer {peer}: status {done.returncode}\n{done.stdout}{done.stderr}")

    def query(self, expression):
        url = f"{PROMETHEUS}/api/v1/query?{urllib.parse.urlencode({'query': expression})}"
        try:
            return json.loads(get(url))
        except urllib.error.HTTPError as error:
            # 503 is a Prometheus that starts; these two are about the expression, and say what is wrong.
            if error.code not in (400, 422):
                raise
            return json.loads(error.read())

    def unexpected_alerts(self):
        """Nothing may fire about two healthy relays after some seconds."""
        alerts = json.loads(get(f"{PROMETHEUS}/api/v1/alerts"))["data"]["alerts"]
        return [f"{one['labels']['alertname']} fires: {one['annotations']}" for one in alerts if one["state"] == "firing"]
