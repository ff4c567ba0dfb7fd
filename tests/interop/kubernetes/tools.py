"""Where things are, and how programs are run."""

import os
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
K8S = os.path.join(ROOT, "k8s")
CHART = os.path.join(K8S, "chart")
CACHE = os.environ.get("UTURN_KUBERNETES_CACHE") or os.path.expanduser("~/.cache/uturn/interop/kubernetes")
RELAY = os.path.abspath(os.environ.get("UTURN", os.path.join(ROOT, "build/uturn")))


def tool(name):
    return os.path.join(CACHE, "bin", name)


class Failed(Exception):
    """A check that did not hold; the text says which and where."""


def run(*command, check=True, env=None, stdin=None, timeout=60, cwd=None):
    """Runs a program to its end. With `check` a status other than 0 is a failure that shows what it printed."""
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, env=env, input=stdin, timeout=timeout, cwd=cwd, check=False
    )
    if check and done.returncode != 0:
        raise Failed(f"{' '.join(map(str, command))}: status {done.returncode}\n{(done.stdout + done.stderr).strip()}")
    return done


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return file.read()
