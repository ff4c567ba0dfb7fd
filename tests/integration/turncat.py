"""Runs turncat, and what its tunnels lead to."""

import functools
import itertools
import os
import re
import signal
import socket
import subprocess
import threading
import time

import harness
from harness import PEER, equal, eventually

# The program is the same whatever engine the relay has.
case = functools.partial(harness.case, engines=("io_uring",), shards=(1,))

GOOD, FAILED, USAGE = 0, 1, 2
_numbers = itertools.count()
FINDINGS = re.compile(r"AddressSanitizer|LeakSanitizer|runtime error:|Assertion .* failed")


def binary(t, fast=False):
    relay = t.options.fast_binary if fast else t.options.binary
    if relay is None:
        raise harness.Skipped("no --fast-binary")
    path = os.path.join(os.path.dirname(relay), "turncat")
    if not os.access(path, os.X_OK):
        raise harness.Skipped(f"{path} is not built")
    return path


class Turncat:
    """A running program; its log is what it says on standard error."""

    def __init__(self, t, *arguments, fast=False, stdin=subprocess.DEVNULL, prefix=(), environment=None, wait=True):
        self.log_path = os.path.join(t.directory, f"turncat{next(_numbers)}.log")
        command = [*prefix, binary(t, fast), "--log=all:DEBUG", *map(str, arguments)]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, stderr=log, env={**os.environ, **(environment or {})})
        t.ending(self.end)
        if wait:
            self.wait_for_log("clients arrive at")

    def log(self):
        with open(self.log_path, errors="replace") as file:
            return file.read()

    def wait_for_log(self, pattern, timeout=10, count=1):
        def found():
            text = self.log()
            return len(re.findall(pattern, text)) >= count or (self.process.poll() is not None and text.count("\n") == 0)

        try:
            eventually(found, f"{count} times /{pattern}/ in the log", timeout)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log()}") from None

    def stop(self, number=signal.SIGTERM):
        """Its exit status, which must be that of an orderly end, and nothing for a sanitizer to find."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        status = self.process.wait(5)
        assert not FINDINGS.search(self.log()), self.log()
        return status

    def end(self):
        if self.process.returncode is None:
            try:
                equal(self.stop(), GOOD, "exit status")
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise
        self.process.stdout.close()

    def finish(self, data=b"", timeout=15):
        """Standard input given at once: (status, standard output)."""
        out, _ = self.process.communicate(data, timeout)
        assert not FINDINGS.search(self.log()), self.log()
        return self.process.returncode, out


def run(t, *arguments, data=b"", timeout=15, **options):
    """With standard input as its client, to its end: (status, standard output, log)."""
    made = Turncat(t, *arguments, stdin=subprocess.PIPE, wait=False, **options)
    status, out = made.finish(data, timeout)
    return status, out, made.log()


def server(address, transport="udp", user="user", password="pass", scheme="turn"):
    host, port = address
    host = f"[{host}]" if ":" in host else host
    return f"{scheme}://{user}:{password}@{host}:{port}?transport={transport}"


def udp(address):
    host, port = address
    return f"udp://[{host}]:{port}" if ":" in host else f"udp://{host}:{port}"


class Echo:
    """A peer on UDP that sends back what it gets, and remembers from where it came."""

    def __init__(self, t, address=(PEER, 0)):
        self.socket = t.peer(address)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.settimeout(0.2)
        self.address = self.socket.getsockname()[:2]
        self.sources = []
        self.received = 0
        self.stopped = False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        t.ending(self.stop)

    def stop(self):
        self.stopped = True
        self.thread.join()

    def _run(self):
        while not self.stopped:
            try:
                data, source = self.socket.recvfrom(65536)
            except TimeoutError:
                continue
            self.received += 1
            if source not in self.sources:
                self.sources.append(source)
            self.socket.sendto(data, source)


class Client:
    """A local client over UDP."""

    def __init__(self, t, port, host="127.0.0.1"):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.connect((host, port))
        t.ending(self.socket.close)

    def send(self, data):
        self.socket.send(data)

    def receive(self, timeout=2):
        """None when nothing comes."""
        self.socket.settimeout(timeout)
        try:
            return self.socket.recv(65536)
        except TimeoutError:
            return None

    def ask(self, data, timeout=5):
        """Sent once; the answer must be the same."""
        self.send(data)
        equal(self.receive(timeout), data, "what came back through the tunnel")

    def ask_until_answered(self, data, timeout=15):
        """Again and again, as after an interruption."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            self.send(data)
            if self.receive(0.3) == data:
                return
        raise AssertionError(f"no answer through the tunnel within {timeout} s")
