"""Starts, watches and stops one relay process."""

import copy
import json
import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request

LOOPBACK = ["127.0.0.0/8", "::1/128"]

METRIC = re.compile(r"([A-Za-z_:][A-Za-z0-9_:]*)(?:\{(.*)\})? (\S+)$")
LABEL = re.compile(r'([A-Za-z_][A-Za-z0-9_]*)="((?:[^"\\]|\\.)*)"')


class Metrics(dict):
    """{name: [(labels, value), …]} of one scrape."""

    def __init__(self, text):
        super().__init__()
        self.text = text
        for line in text.splitlines():
            if line and not line.startswith("#"):
                name, labels, value = METRIC.match(line).groups()
                self.setdefault(name, []).append((dict(LABEL.findall(labels or "")), float(value)))

    def sum(self, metric, /, **labels):
        """The sum over all series whose labels match; a label's value may be a compiled pattern. The name must exist."""
        if metric not in self:
            raise AssertionError(f"there is no metric {metric}")

        def match(series):
            return all(
                wanted.fullmatch(series.get(key, "")) if isinstance(wanted, re.Pattern) else series.get(key) == wanted
                for key, wanted in labels.items()
            )

        return sum(value for series, value in self[metric] if match(series))


DROPS = [
    ("uturn_packets_total", {"verdict": re.compile("drop.*")}),
    ("uturn_send_drops_total", {}),
    ("uturn_kernel_drops_total", {}),
]


def drops(metrics):
    """Everything that the relay says it lost, by series."""
    return {
        (name, tuple(sorted(labels.items()))): value
        for name, wanted in DROPS
        for labels, value in metrics[name]
        if value and all(pattern.fullmatch(labels[key]) for key, pattern in wanted.items())
    }


def base_config(port, health, metrics, relay_ports, engine, shards):
    """One UDP listener on every address, static credentials, and peers on loopback only."""
    return {
        "version": "uturn/v1",
        "admin": {
            "name": "test",
            "loglevel": "all:INFO",
            "engine": engine,
            "lockdown": "kill",  # what the relay does beyond its list of system calls is to be seen
            "shards": shards,
            "healthcheck_endpoint": f"http://127.0.0.1:{health}",
            "metrics_endpoint": f"http://127.0.0.1:{metrics}/metrics",
        },
        "auth": {"type": "static", "realm": "test", "credentials": {"username": "user", "password": "pass"}},
        "listeners": [
            {
                "name": "udp",
                "protocol": "TURN-UDP",
                "address": "0.0.0.0",
                "port": port,
                "min_relay_port": relay_ports[0],
                "max_relay_port": relay_ports[1],
                "routes": ["loopback"],
            }
        ],
        "clusters": [{"name": "loopback", "type": "STATIC", "endpoints": LOOPBACK}],
    }


def merged(base, changes):
    """`changes` laid over `base`: objects are merged, None removes, everything else replaces.
    `listener` and `cluster` change the first of theirs."""
    result = copy.deepcopy(base)
    for key, value in changes.items():
        if key in ("listener", "cluster") and key + "s" in result:
            result[key + "s"][0] = merged(result[key + "s"][0], value)
        elif value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merged(result[key], value)
        else:
            result[key] = value
    return result


class Relay:
    def __init__(self, binary, config, directory, port, health, metrics, prefix=(), host="127.0.0.1"):
        self.binary, self.config, self.directory = binary, config, directory
        self.port, self.health, self.metrics_port, self.host = port, health, metrics, host
        self.prefix = list(prefix)
        self.config_path = os.path.join(directory, "uturn.json")
        self.log_path = os.path.join(directory, "log")
        self.process = None

    # Life.

    def write_config(self, config=None, text=None):
        """In one step, as a careful editor does."""
        if config is not None:
            self.config = config
        path = self.config_path + ".new"
        with open(path, "w") as file:
            file.write(json.dumps(self.config, indent=1) if text is None else text)
        os.rename(path, self.config_path)

    def launch(self, arguments=None, **options):
        if arguments is None:
            self.write_config()
            arguments = ["-c", self.config_path]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [*self.prefix, self.binary, *arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, **options,
            )
        return self

    def start(self, arguments=None, timeout=10, **options):
        self.launch(arguments, **options)
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise AssertionError(f"the relay left at start with status {self.process.returncode}")
            if self.http_status("/ready") == 200:
                return self
            time.sleep(0.02)
        raise AssertionError(f"the relay was not ready within {timeout} s")

    def signal(self, number):
        self.process.send_signal(number)

    def hold(self):
        """Stops all of its threads, until go_on."""
        self.process.send_signal(signal.SIGSTOP)
        while not all(re.search(r"^State:\s+T", text, re.MULTILINE) for text in self._threads("status").values()):
            time.sleep(0.0005)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def wait(self, timeout=5):
        return self.process.wait(timeout)

    def stop(self):
        """At once: a second SIGTERM skips the drain."""
        if self.process is None or self.process.poll() is not None:
            return
        for number, patience in ((signal.SIGTERM, 0.1), (signal.SIGTERM, 2), (signal.SIGKILL, 5)):
            try:
                self.process.send_signal(number)
                self.process.wait(patience)
                return
            except subprocess.TimeoutExpired:
                continue

    @property
    def alive(self):
        return self.process.poll() is None

    @property
    def pid(self):
        return self.process.pid

    @property
    def address(self):
        return self.host, self.port

    @property
    def address6(self):
        return "::1", self.port

    # Looking at it.

    def log(self):
        with open(self.log_path, errors="replace") as file:
            return file.read()

    def wait_for_log(self, pattern, timeout=5):
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if re.search(pattern, self.log(), re.IGNORECASE):
                return
            time.sleep(0.02)
        raise AssertionError(f"the log never said /{pattern}/")

    def http(self, path, port=None):
        """(status, headers, body)"""
        url = f"http://127.0.0.1:{port or self.health}{path}"
        try:
            with urllib.request.urlopen(url, timeout=3) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read()

    def http_status(self, path):
        try:
            return self.http(path)[0]
        except OSError:
            return None

    def metrics(self):
        status, _, body = self.http("/metrics", self.metrics_port)
        assert status == 200, f"/metrics: {status}"
        return Metrics(body.decode())

    def wait_for_metric(self, name, value, timeout=5, **labels):
        end = time.monotonic() + timeout
        while (now := self.metrics().sum(name, **labels)) != value:
            assert time.monotonic() < end, f"{name}{labels} is {now}, not {value}, after {timeout} s"
            time.sleep(0.02)

    def status(self):
        return json.loads(self.http("/status")[2])

    def allocations(self, query=""):
        return json.loads(self.http("/status/allocations" + query)[2])

    def resident_kib(self):
        with open(f"/proc/{self.pid}/status") as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read())[1])

    def _threads(self, file_name):
        """{thread: content of its file in /proc}"""
        result = {}
        for thread in os.listdir(f"/proc/{self.pid}/task"):
            try:
                with open(f"/proc/{self.pid}/task/{thread}/{file_name}") as file:
                    result[int(thread)] = file.read().strip()
            except (FileNotFoundError, ProcessLookupError):
                pass
        return result

    def thread_names(self):
        return self._threads("comm")

    def thread_run_ns(self):
        """Processor time of each thread, exactly; the main thread's is left out: it serves HTTP."""
        times = {thread: int(text.split()[0]) for thread, text in self._threads("schedstat").items()}
        del times[self.pid]
        return times
