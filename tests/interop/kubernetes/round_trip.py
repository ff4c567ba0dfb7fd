"""The pod of `helm test`, run here as it is rendered: it must succeed through a relay that relays, and fail through one that does not."""

import json
import os
import shutil
import signal
import subprocess
import tempfile

import scene
from objects import of_kind
from render import parse, template
from tools import HERE, RELAY, Failed

TURNCAT = os.environ.get("UTURN_TURNCAT", os.path.join(os.path.dirname(RELAY), "turncat"))
# What the image has for the names that the pod's commands begin with.
PROGRAMS = {"turncat": TURNCAT, "uturn": RELAY}
VALUES = ("defaults", "ephemeral", "tcp-alone")


def shell_of_image(dir):
    """busybox's programs under their names, as its image has them."""
    bin = os.path.join(dir, "bin")
    os.mkdir(bin)
    for name in ("sh", "nc", "printf", "timeout", "sleep", "tr"):
        os.symlink(shutil.which("busybox"), os.path.join(bin, name))
    return bin


def expanded(arguments, variables):
    """$(NAME), as a kubelet puts it in place."""
    for name, value in variables.items():
        arguments = [one.replace(f"$({name})", value) for one in arguments]
    left = [one for one in arguments if "$(" in one and not one.startswith("for ")]
    if left:
        raise Failed(f"helm test: variables that the pod does not have: {left}")
    return arguments


def variables_of(container, relay):
    """Service variables lead to the relay; in a cluster kube-proxy stands between."""
    variables = {"STUNNER_SERVICE_HOST": relay.address, "STUNNER_TCP_SERVICE_HOST": relay.address, "POD_IP": "10.244.0.9"}
    for variable in container.get("env", []):
        reference = variable["valueFrom"].get("secretKeyRef")
        if reference:
            variables[variable["name"]] = relay.env[reference["key"]]
    return variables


def outcome(objects, relay, processes, dir):
    """The exit status of the container that decides, with its sidecars beside it."""
    spec = next(one for one in of_kind(objects, "Pod"))["spec"]
    for sidecar in spec["initContainers"]:
        if sidecar["restartPolicy"] != "Always":
            raise Failed(f"helm test: {sidecar['name']} is no sidecar, and would never end")
        first, *rest = expanded(sidecar["command"] + sidecar.get("args", []), variables_of(sidecar, relay))
        processes.start(f"{sidecar['name']}-{len(processes.running)}", [PROGRAMS[first], *rest])
    decides = spec["containers"][0]
    command = [shutil.which("busybox"), *decides["command"], *decides["args"]]
    return subprocess.run(command, env={"PATH": shell_of_image(dir)}, capture_output=True, text=True, timeout=90, check=False)


def trial(name, spoil):
    """One pod of the test against one relay, in a namespace; `spoil` breaks what must then be noticed."""
    objects = parse(template(os.path.join(HERE, "values", f"{name}.yaml")).stdout)
    dir = tempfile.mkdtemp(prefix="uturn-round-trip-")
    processes = scene.Processes(dir)
    try:
        # The peer's HTTP server has 8086 in the test's pod, and here.
        relay = scene.Pod(processes, objects, dir, http=8090)
        if spoil:
            # What never succeeds need not be tried so often.
            objects = json.loads(json.dumps(objects).replace("1 2 3 4 5 6 7 8 9 10", "1 2"))
        if spoil == "relay":
            relay.process.send_signal(signal.SIGKILL)
        if spoil == "password":
            relay.env |= {"STUNNER_PASSWORD": "wrong", "STUNNER_SHARED_SECRET": "wrong"}
        if spoil == "peer":
            objects = json.loads(json.dumps(objects).replace("10001", "9999"))
        done = outcome(objects, relay, processes, dir)
        if (done.returncode == 0) != (spoil is None):
            processes.show_logs()
            raise Failed(f"helm test, {name}, broken: {spoil}: status {done.returncode}\n{done.stdout}{done.stderr}")
    finally:
        processes.stop()
        shutil.rmtree(dir)


def check(_):
    if not os.path.exists(TURNCAT):
        raise Failed(f"{TURNCAT} is not there: build it first")
    scene.enter_namespace()
    trials = [(name, None) for name in VALUES] + [("defaults", spoil) for spoil in ("relay", "password", "peer")]
    for name, spoil in trials:
        trial(name, spoil)
    return len(trials)
