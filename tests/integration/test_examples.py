"""The data path of k8s/examples on one machine, and docs/TURNCAT.md: the manifests' commands, and those of the pages that need no cluster."""

import os
import pathlib
import re
import signal
import subprocess

import netns
import turncat
import yaml
from harness import equal, eventually
from turncat import case

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "k8s" / "examples"


def blocks(page):
    """The commands of a page that are marked as runnable here."""
    return re.findall(r"^```sh\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)


def commands(page):
    """Each in one line."""
    return [line for block in blocks(page) for line in block.replace("\\\n", " ").splitlines() if line]


def path_to(t):
    return f"{os.path.dirname(turncat.binary(t))}:{os.environ['PATH']}"


@case(timeout=40)
def the_simple_tunnel_greets(t):
    t.needs_root()
    netns.unshare()
    folder = EXAMPLES / "simple-tunnel"
    deployment, service = yaml.safe_load_all((folder / "udp-echo.yaml").read_text())
    policy = yaml.safe_load((folder / "networkpolicy.yaml").read_text())
    (port,) = service["spec"]["ports"]
    (allowed,) = policy["spec"]["egress"]
    equal(allowed["ports"], [{"protocol": "UDP", "port": port["port"]}], "what the policy opens")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    t.spawn(["socat", *container["args"]], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    # The ports that k8s/base opens.
    opened = {"name": "media", "type": "STATIC", "endpoints": ["127.0.0.0/8:<10000-20000>"]}
    relay = t.relay(clusters=[opened], listener={"min_relay_port": 10002, "max_relay_port": 20000, "routes": ["media"]})
    environment = {
        **os.environ, "PATH": path_to(t), "UDP_ECHO_IP": "127.0.0.1",
        "STUNNER_PUBLIC_ADDR": "127.0.0.1", "STUNNER_PUBLIC_PORT": str(relay.port), "STUNNER_USERNAME": "user", "STUNNER_PASSWORD": "pass",
        "STUNNER_REALM": "test",
    }
    tunnel, ask, at_once = commands(folder / "README.md")

    def answer(command):
        done = subprocess.run(["sh", "-c", command], env=environment, capture_output=True, text=True, timeout=20, check=False)
        return done.stdout

    t.spawn(["sh", "-c", f"exec {tunnel}"], env=environment)
    eventually(lambda: answer(ask) == "Greetings from STUNner!\n", "Greetings from STUNner!", 15)
    equal(answer(at_once), "Greetings from STUNner!\n", "by standard input")


@case(timeout=40)
def turncats_page_works(t):
    t.needs_root()
    netns.unshare()
    (script,) = blocks(ROOT / "docs" / "TURNCAT.md")
    out = os.path.join(t.directory, "out")
    with open(out, "w") as file:
        process = subprocess.Popen(["sh", "-c", script], cwd=t.directory, env={**os.environ, "PATH": path_to(t)}, stdout=file,
                                   stderr=subprocess.STDOUT, start_new_session=True)
    try:
        process.wait(30)
        with open(out) as file:
            text = file.read()
        equal(text.count("Greetings from STUNner!\n"), 2, f"greetings in {text}")
    finally:
        # Its servers are still there.
        os.killpg(process.pid, signal.SIGKILL)
