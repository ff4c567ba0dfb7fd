"""The chart by the real Helm: installed, upgraded from each set of values to the next, rolled back, tested and uninstalled."""

import contextlib
import os
import re
import tempfile
import threading

from objects import title
from publishing import run_job
from render import good_values, parse
from tools import CHART, Failed, read, run, tool

RELEASE = "stunner"


class Releases:
    def __init__(self, cluster, namespace):
        self.cluster, self.namespace = cluster, cluster.namespace(namespace)

    def helm(self, *arguments, check=True):
        home = os.path.join(self.cluster.folder, "helm")
        names = {"HELM_CACHE_HOME": home, "HELM_CONFIG_HOME": home, "HELM_DATA_HOME": home, "KUBECONFIG": self.cluster.kubeconfig}
        return run(tool("helm"), *arguments, "-n", self.namespace, env=os.environ | names, check=check, timeout=120)

    def manifest(self):
        return parse(self.helm("get", "manifest", RELEASE).stdout)

    def as_rendered(self, step):
        """Everything that Helm says it has installed is there, as it was rendered; lists to the last entry."""
        for one in self.manifest():
            live = self.cluster.good("GET", self.cluster.path(one, self.namespace))
            for where in differences(one, live, title(one)):
                raise Failed(f"{step}: {where}")


def differences(wanted, have, where):
    """Where `have` lacks something of `wanted`. What the server adds to maps is no difference; a longer list is."""
    if isinstance(wanted, dict):
        for key, value in wanted.items():
            if value not in (None, {}, []) and key != "creationTimestamp":
                yield from differences(value, (have or {}).get(key), f"{where}.{key}")
    elif isinstance(wanted, list):
        if not isinstance(have, list) or len(have) != len(wanted):
            yield f"{where}: {have} instead of {wanted}"
        else:
            for at, value in enumerate(wanted):
                yield from differences(value, have[at], f"{where}[{at}]")
    elif wanted != have and str(wanted) != str(have):
        yield f"{where}: {have} instead of {wanted}"


def advised(releases, *arguments):
    """An upgrade; where the chart refuses it because of ports that share a number, what it says is done, and then it must go through."""
    refused = releases.helm("upgrade", RELEASE, CHART, "--no-hooks", "--reset-values", *arguments, check=False)
    if refused.returncode == 0:
        return ""
    advice = re.search(r"then repeat this: (kubectl (\w+) .*)", refused.stderr)
    if not advice:
        raise Failed(f"helm upgrade {arguments}: {refused.stderr}")
    path = f"{os.path.dirname(tool('kubectl'))}:{os.environ['PATH']}"
    run("sh", "-c", advice[1], env=os.environ | {"PATH": path, "KUBECONFIG": releases.cluster.kubeconfig})
    releases.helm("upgrade", RELEASE, CHART, "--no-hooks", "--reset-values", *arguments)
    return advice[2]


def values_in_turn(cluster):
    """From the default values to each other file's, and back by a rollback."""
    releases = Releases(cluster, "values")
    releases.helm("install", RELEASE, CHART, "--no-hooks")
    releases.as_rendered("install")
    for values in good_values():
        name = os.path.basename(values)
        # The class of a load balancer cannot change; k8s/chart/values.yaml says so.
        advice = advised(releases, "--values", values, "--set", "service.loadBalancerClass=")
        if (advice == "patch") != ("mixedProtocol: true" in read(values)):
            raise Failed(f"upgrade from the defaults to {name}: the chart advises {advice or 'nothing'}")
        releases.as_rendered(f"upgrade from the defaults to {name}")
        if advice:
            cluster.free_ports(releases.namespace)
        releases.helm("rollback", RELEASE, "--no-hooks")
        releases.as_rendered(f"rollback from {name} to the defaults")
    cluster.free_ports(releases.namespace)
    return 2 * len(good_values())


def shared_number(cluster):
    """UDP and TCP on one number of one Service: what Helm's merge does right goes through, what it does wrong is refused."""
    releases = Releases(cluster, "shared")
    mixed, tls = ["--set", "service.mixedProtocol=true"], ["--set", "listeners.tls.enabled=true,tls.secretName=turn"]
    releases.helm("install", RELEASE, CHART, "--no-hooks", *mixed)
    steps = (
        ([*mixed, "--set", "service.annotations.a=b"], ""),
        ([*mixed, *tls], ""),
        ([*mixed, *tls, "--set", "listeners.tls.servicePort=5349,listeners.dtls.enabled=true"], "patch"),
        ([*mixed, "--set", "listeners.tcp.nodePort=30005"], "delete"),
        ([*mixed, "--set", "listeners.tcp.port=3479"], "delete"),
        (["--set", "listeners.tcp.enabled=false"], "delete"),
    )
    for arguments, wanted in steps:
        advice = advised(releases, *arguments)
        if advice != wanted:
            raise Failed(f"upgrade with {arguments}: the chart advises {advice or 'nothing'} instead of {wanted or 'nothing'}")
        releases.as_rendered(f"upgrade with {arguments}")
    cluster.free_ports(releases.namespace)
    return len(steps)


@contextlib.contextmanager
def controllers(cluster, namespace, done):
    """What kube-controller-manager and a kubelet would do with hooks: Jobs run, with what the manifest says, and the test's pod succeeds."""
    over = threading.Event()

    def play():
        while not over.wait(0.2):
            for job in cluster.good("GET", f"/apis/batch/v1/namespaces/{namespace}/jobs")["items"]:
                if not job["status"].get("conditions"):
                    done.append(run_job(cluster, job, namespace))
                    cluster.patch("Job", job["metadata"]["name"], namespace, {"status": ended(job, done[-1][0] == 0)}, "/status", "batch/v1")
            for pod in cluster.good("GET", f"/api/v1/namespaces/{namespace}/pods")["items"]:
                if pod["status"]["phase"] == "Pending":
                    cluster.patch("Pod", pod["metadata"]["name"], namespace, {"status": {"phase": "Succeeded"}}, "/status")

    thread = threading.Thread(target=play)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def ended(job, good):
    at = job["metadata"]["creationTimestamp"]
    kinds = ("SuccessCriteriaMet", "Complete") if good else ("FailureTarget", "Failed")
    conditions = [{"type": kind, "status": "True", "lastProbeTime": at, "lastTransitionTime": at} for kind in kinds]
    return {"startTime": at, "conditions": conditions} | ({"completionTime": at, "succeeded": 1} if good else {"failed": 1})


def life(cluster):
    """An installation with its hooks: the address is published, kept by upgrades and rollbacks, and nothing is left in the end."""
    releases, done = Releases(cluster, "life"), []
    config = lambda: cluster.get("ConfigMap", f"{RELEASE}-config", "life")["data"]
    password = lambda: cluster.get("Secret", f"{RELEASE}-credentials", "life")["data"]["STUNNER_PASSWORD"]
    releases.helm("install", RELEASE, CHART, "--no-hooks")
    first = password()
    cluster.patch("Service", RELEASE, "life", {"status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.9"}]}}}, "/status")
    with tempfile.TemporaryDirectory(prefix="uturn-chart-") as folder, controllers(cluster, "life", done):
        run(tool("helm"), "package", CHART, "--version", "99.0.0", "--app-version", "99.0.0", "--destination", folder)
        newer = os.path.join(folder, "uturn-99.0.0.tgz")
        for step in (("upgrade", RELEASE, CHART), ("upgrade", RELEASE, newer, "--reuse-values"), ("rollback", RELEASE, "1"), ("test", RELEASE)):
            releases.helm(*step)
            releases.as_rendered(" ".join(step[:2]))
            if config().get("STUNNER_PUBLIC_ADDR") != "203.0.113.9" or password() != first:
                raise Failed(f"helm {step[0]}: address {config().get('STUNNER_PUBLIC_ADDR')}, password kept: {password() == first}; {done}")
        releases.helm("uninstall", RELEASE)
    if len(done) != 2 or any(status for status, _ in done):
        raise Failed(f"the Job after upgrades: {done}")
    left = [title(one) for kind in ("services", "configmaps", "secrets", "serviceaccounts", "pods") for one in listed(cluster, kind)]
    if left:
        raise Failed(f"helm uninstall leaves {left}")
    return 5


def listed(cluster, kind):
    ours = ("kube-root-ca.crt", "default")
    items = cluster.good("GET", f"/api/v1/namespaces/life/{kind}")["items"]
    return [one | {"kind": kind} for one in items if one["metadata"]["name"] not in ours]


def check(cluster, _):
    return values_in_turn(cluster) + shared_number(cluster) + life(cluster)
