"""Every relay that is rendered starts with its own configuration, says that it is ready where the probe asks, and leaves when it is told to."""

import shutil
import signal
import subprocess
import tempfile

import scene
from objects import relay_pods
from relay_check import prepare
from tools import Failed

POD_IP = "10.244.0.5"


def start(origin, objects, spec):
    dir = tempfile.mkdtemp(prefix="uturn-starts-")
    processes = scene.Processes(dir)
    try:
        command, env = prepare(objects, spec, dir)
        relay = processes.start("relay", command, env | {"STUNNER_ADDR": POD_IP})
        scene.wait_for(f"{origin}: ready", lambda: "READY" in scene.get(f"http://{POD_IP}:8086/ready"))
        relay.send_signal(signal.SIGTERM)
        if relay.wait(timeout=10) != 0:
            raise Failed(f"{origin}: the relay ended with status {relay.returncode}")
    except (Failed, subprocess.TimeoutExpired):
        processes.show_logs()
        raise
    finally:
        processes.stop()
        shutil.rmtree(dir)


def check(rendered):
    scene.enter_namespace()
    count = 0
    for origin, objects in rendered.items():
        for _, _, spec in relay_pods(objects):
            start(origin, objects, spec)
            count += 1
    return count
