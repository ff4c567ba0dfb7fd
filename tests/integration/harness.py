"""Test cases, what they are given, and the runner: every case runs in a process of its own, several at a time."""

import atexit
import dataclasses
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

import client
import relay as relay_module

ENGINES = ("io_uring", "epoll")
SHARDS = (1, 4)
CASES = []


class Skipped(Exception):
    """This machine cannot run the case. Counted and named in the summary."""


@dataclasses.dataclass
class Case:
    name: str
    function: object
    timeout: float
    alone: bool
    engines: tuple
    shards: tuple
    spread: bool
    waits: bool


def case(timeout=20, alone=False, engines=ENGINES, shards=SHARDS, spread=False, waits=False):
    """
    Registers a test. `alone`: it measures loss under load, so nothing else runs beside it. `spread`: it takes long, and each engine and
    each number of shards is enough, without all of their combinations. `waits`: it takes seconds and hardly any processor time, so that
    it may run beside as many others as there are.
    """

    def register(function):
        name = f"{function.__module__.removeprefix('test_')}.{function.__name__}"
        CASES.append(Case(name, function, timeout, alone, engines, shards, spread, waits))
        return function

    return register


def equal(actual, expected, what):
    assert actual == expected, f"{what}: {actual!r}, expected {expected!r}"


def eventually(condition, what, timeout=5):
    end = time.monotonic() + timeout
    while not (result := condition()):
        assert time.monotonic() < end, f"not within {timeout} s: {what}"
        time.sleep(0.02)
    return result


# Not the relay's own address: that one may be permitted always, for the sake of other relayed addresses.
PEER = "127.0.0.8"

PORTS_PER_CASE = 30
PORT_BLOCKS = 400  # cases in a row that share no port
RELAY_PORTS_PER_SLOT = 500
WAITING_AT_ONCE = 8  # of the cases that say `waits`, beside the others
SECOND_TRIES = 5  # in a whole run


class Test:
    """What a case is given: an engine, a number of shards, ports nobody else uses, and things that end with it."""

    def __init__(self, options, job):
        self.options, self.engine, self.shards = options, job.engine, job.shards
        ports = options.first_port + job.number % PORT_BLOCKS * PORTS_PER_CASE
        self._ports = iter(range(ports, ports + PORTS_PER_CASE))
        first = 10000 + job.slot * RELAY_PORTS_PER_SLOT
        self.relay_ports = (first, first + RELAY_PORTS_PER_SLOT - 1)
        self.directory = tempfile.mkdtemp(prefix="uturn-test-")
        self.relays = []
        self._endings = []

    def ending(self, function, *arguments):
        self._endings.append((function, arguments))

    def end(self, keep):
        for function, arguments in reversed(self._endings):
            try:
                function(*arguments)
            except Exception:
                traceback.print_exc()
        if not keep:
            shutil.rmtree(self.directory, ignore_errors=True)

    def port(self):
        return next(self._ports)

    def make_relay(self, fast=False, prefix=(), host="127.0.0.1", **changes):
        """A relay that is not started yet. `changes` are laid over the base configuration (see relay.merged)."""
        binary = self.options.fast_binary if fast else self.options.binary
        if binary is None:
            raise Skipped("no --fast-binary")
        port, health, metrics = self.port(), self.port(), self.port()
        config = relay_module.base_config(port, health, metrics, self.relay_ports, self.engine, self.shards)
        directory = os.path.join(self.directory, f"relay{len(self.relays)}")
        os.mkdir(directory)
        made = relay_module.Relay(
            binary, relay_module.merged(config, changes), directory, port, health, metrics, prefix, host
        )
        self.relays.append(made)
        self.ending(made.stop)
        return made

    def relay(self, **changes):
        return self.make_relay(**changes).start()

    def client(self, relay, **options):
        made = client.Client(options.pop("server", relay.address), **options)
        self.ending(made.close)
        return made

    def peer(self, address=(PEER, 0)):
        sock = client.udp_socket(address)
        self.ending(sock.close)
        return sock

    def spawn(self, command, **options):
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.STDOUT)
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, text=True, **options)
        self.ending(end_process, process)
        return process

    def blast(self, sockets, address, size, burst, rate, seconds, header=b"", nice=0):
        """Starts the loader (blast.c) on these sockets."""
        numbers = [sock.fileno() for sock in sockets]
        arguments = [",".join(map(str, numbers)), *address, size, burst, rate, seconds, header.hex()]
        return self.spawn(["nice", "-n", str(nice), self.tool("blast"), *map(str, arguments)], pass_fds=numbers)

    def needs_root(self):
        if os.geteuid() != 0:
            raise Skipped("takes root")

    def tool(self, name):
        return os.path.join(self.options.tools, name)

    def call(self, relay, **options):
        """A client with an allocation, a peer that it may talk to, and that peer's address."""
        made, peer = self.client(relay, **options), self.peer()
        made.allocate()
        made.permit(PEER)
        return made, peer, peer.getsockname()


def end_process(process):
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(2)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stdout:
        process.stdout.close()


# The runner.

PASSED, FAILED, SKIPPED = 0, 1, 77


def _run_child(options, job, output):
    """In the child: never returns."""
    os.setpgid(0, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    status = FAILED
    test = Test(options, job)
    # What a case left undone at its time limit still ends: the terminate signal unwinds the stack.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("time limit reached"))
    try:
        job.case.function(test)
        status = PASSED
    except Skipped as reason:
        print(reason)
        status = SKIPPED
    except BaseException:
        traceback.print_exc()
        for made in test.relays:
            if os.path.exists(made.log_path):
                print(f"--- log of {made.directory}")
                print("\n".join(made.log().splitlines()[-40:]))
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        test.end(options.keep and status == FAILED)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


@dataclasses.dataclass
class Job:
    case: Case
    engine: str
    shards: int
    number: int = -1
    slot: int = -1
    pid: int = 0
    output: object = None
    started: float = 0.0
    killed: int = 0
    lane: object = None  # the list that it was taken from

    @property
    def name(self):
        return f"{self.case.name}[{self.engine},{self.shards}]"


class Runner:
    def __init__(self, options):
        self.options = options
        self.free_slots = list(range(options.jobs + WAITING_AT_ONCE))
        self.running = []
        self.results = {PASSED: [], FAILED: [], SKIPPED: []}
        self.times = []
        self.second_tries = []
        atexit.register(self._abandon)

    def _abandon(self):
        for job in self.running:
            os.kill(job.pid, signal.SIGTERM)
        end = time.monotonic() + 3
        for job in self.running:
            while os.waitpid(job.pid, os.WNOHANG)[0] == 0 and time.monotonic() < end:
                time.sleep(0.02)
            try:
                os.killpg(job.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def _start(self, job):
        job.number = len(self.times) + len(self.running)
        job.slot = self.free_slots.pop()
        job.output = tempfile.TemporaryFile()
        job.started = time.monotonic()
        sys.stdout.flush()
        job.pid = os.fork()
        if job.pid == 0:
            self.running.clear()
            _run_child(self.options, job, job.output.fileno())
        self.running.append(job)

    def _reap(self):
        for job in list(self.running):
            pid, status = os.waitpid(job.pid, os.WNOHANG)
            elapsed = time.monotonic() - job.started
            if pid == 0:
                if elapsed > job.case.timeout + 3 * job.killed:
                    os.kill(job.pid, signal.SIGKILL if job.killed else signal.SIGTERM)
                    job.killed += 1
                continue
            self.running.remove(job)
            self.free_slots.append(job.slot)
            code = os.waitstatus_to_exitcode(status)
            code = code if code in self.results else FAILED
            try:
                os.killpg(job.pid, signal.SIGKILL)  # whatever the case started and did not end
            except ProcessLookupError:
                pass
            self._report(job, code, elapsed)

    def _report(self, job, code, elapsed):
        self.results[code].append(job)
        self.times.append((elapsed, job.name))
        job.output.seek(0)
        text = job.output.read().decode(errors="replace").rstrip()
        job.output.close()
        word = {PASSED: "ok  ", FAILED: "FAIL", SKIPPED: "skip"}[code]
        late = " (time limit)" if job.killed else ""
        print(f"{word} {elapsed:6.2f} s  {job.name}{late}", flush=True)
        if code != PASSED or self.options.verbose:
            print("\n".join("      " + line for line in text.splitlines()), flush=True)

    def _run_lanes(self, *lanes):
        """Each lane is [jobs, how many of them at once]; they run beside one another."""
        while self.running or any(jobs for jobs, _ in lanes):
            for jobs, at_once in lanes:
                while jobs and sum(job.lane is jobs for job in self.running) < at_once:
                    job = jobs.pop(0)
                    job.lane = jobs
                    self._start(job)
            self._reap()
            time.sleep(0.01)

    def run(self, jobs):
        crowd = [job for job in jobs if not job.case.alone]
        random.shuffle(crowd)
        # The longest first, so that the end is not one slow case with nothing beside it.
        crowd.sort(key=lambda job: -job.case.timeout)
        self._run_lanes(
            [[job for job in crowd if not job.case.waits], self.options.jobs], [[job for job in crowd if job.case.waits], WAITING_AT_ONCE]
        )
        self._run_lanes([[job for job in jobs if job.case.alone], 1])
        if not self.options.once:
            self._try_again()
        return not self.results[FAILED]

    def _try_again(self):
        """
        On a machine that others use, a core may be gone for longer than a case waits. What is wrong fails a second time, with nothing
        beside it; many failures are no accident.
        """
        failed = self.results[FAILED]
        if not 0 < len(failed) <= SECOND_TRIES:
            return
        print(f"\n{len(failed)} failed; again, one by one:")
        self.results[FAILED] = []
        self.second_tries = [job.name for job in failed]
        self._run_lanes([[Job(job.case, job.engine, job.shards) for job in failed], 1])
