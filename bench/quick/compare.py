#!/usr/bin/env python3
"""Compares the relay's run time per relayed packet with coturn's: same machine, same run, alternating.

Each server is pinned to one core, the load to another. Run time is what the kernel accounts to the server's threads
(/proc/PID/task/*/schedstat), divided by the packets that arrived. The first round warms up and is thrown away.
"""
import argparse
import glob
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
USER, PASSWORD = "user", "pass"

WORKLOADS = {
    "up": ["--mode", "up"],
    "up-gso": ["--mode", "up", "--gso"],
    "down": ["--mode", "down"],
    "indication": ["--mode", "indication"],
    "small": ["--mode", "up", "--size", "160", "--burst", "1"],
}


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def coturn_command(port, folder):
    return ["turnserver", "-n", "--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", f"--listening-port={port}",
            "--allow-loopback-peers", "--lt-cred-mech", f"--user={USER}:{PASSWORD}", "--realm=bench", "--no-tls",
            "--no-dtls", "--no-cli", "--no-tcp", "--log-file=stdout", "--simple-log", "--relay-threads=1",
            f"--pidfile={folder}/coturn.pid", f"--userdb={folder}/coturn.db", "--no-stdout-log"]


def uturn_command(binary, engine, port, folder):
    path = os.path.join(folder, f"uturn-{engine}.json")
    with open(path, "w") as f:
        json.dump({
            "version": "uturn/v1",
            "admin": {"engine": engine, "shards": 1, "loglevel": "all:WARN", "healthcheck_endpoint": "",
                      "metrics_endpoint": ""},
            "auth": {"type": "static", "realm": "bench", "credentials": {"username": USER, "password": PASSWORD}},
            "listeners": [{"name": "udp", "protocol": "UDP", "address": "127.0.0.1", "port": port, "routes": ["all"]}],
            "clusters": [{"name": "all", "type": "STATIC", "endpoints": ["127.0.0.0/8"]}],
        }, f)
    return [binary, "-c", path]


def run_time_ns(pid):
    total = 0
    for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
        with open(path) as f:
            total += int(f.read().split()[0])
    return total


def wait_until_answering(port, process):
    request = b"\x00\x01\x00\x00\x21\x12\xa4\x42" + os.urandom(12)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(0.1)
        for _ in range(100):
            if process.poll() is not None:
                break
            s.sendto(request, ("127.0.0.1", port))
            try:
                s.recv(1500)
                return
            except OSError:
                time.sleep(0.05)
    raise SystemExit(f"the server does not answer: {' '.join(process.args)}")


def pinned(core):
    return lambda: os.sched_setaffinity(0, {core})


def measure(command, port, workload, seconds, server_core, load_core, loader):
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              preexec_fn=pinned(server_core))
    try:
        wait_until_answering(port, server)
        load = subprocess.Popen([loader, "--port", str(port), "--seconds", str(seconds)] + WORKLOADS[workload],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                preexec_fn=pinned(load_core))
        load.stderr.readline()
        before = run_time_ns(server.pid)
        out, err = load.communicate(timeout=seconds + 60)
        spent = run_time_ns(server.pid) - before
        if load.returncode != 0:
            raise SystemExit(f"the load failed: {err}")
        result = json.loads(out)
        return {
            "ns_per_packet": spent / max(1, result["delivered"]),
            "packets_per_s": result["delivered"] / result["seconds"],
            "lost": result["sent"] - result["delivered"],
            "busy": spent / 1e9 / result["seconds"],
        }
    finally:
        server.send_signal(signal.SIGKILL)
        server.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default=os.path.join(ROOT, "build", "uturn"))
    parser.add_argument("--loader", default=os.path.join(ROOT, "build", "bench", "quickload"))
    parser.add_argument("--rounds", type=int, default=5, help="that count; one more warms up")
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--workloads", default="up", help="comma list of: " + " ".join(WORKLOADS))
    parser.add_argument("--servers", default="coturn,io_uring,epoll")
    parser.add_argument("--server-core", type=int, default=1)
    parser.add_argument("--load-core", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()

    results = {}
    with tempfile.TemporaryDirectory() as folder:
        for workload in options.workloads.split(","):
            rows = {name: [] for name in options.servers.split(",")}
            for round_number in range(options.rounds + 1):
                for name in rows:
                    port = free_port()
                    command = (coturn_command(port, folder) if name == "coturn"
                               else uturn_command(options.binary, name, port, folder))
                    row = measure(command, port, workload, options.seconds, options.server_core,
                                  options.load_core, options.loader)
                    if round_number > 0:
                        rows[name].append(row)
            results[workload] = {
                name: {key: statistics.median(row[key] for row in measured) for key in measured[0]}
                for name, measured in rows.items()}
            if not options.json:
                print(f"{workload}:")
                for name, row in results[workload].items():
                    ratio = ""
                    if name != "coturn" and "coturn" in rows:
                        pairs = [c["ns_per_packet"] / u["ns_per_packet"] for c, u in zip(rows["coturn"], rows[name])]
                        ratio = f"  coturn needs {statistics.median(pairs):.2f} times that"
                    print(f"  {name:9} {row['ns_per_packet']:7.0f} ns/packet {row['packets_per_s'] / 1e3:7.0f} k/s  "
                          f"core busy {100 * row['busy']:.0f} %  lost {row['lost']:.0f}{ratio}")
                sys.stdout.flush()
    if options.json:
        print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
