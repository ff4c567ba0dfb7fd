"""kubectl, as the documents use it: Debian's, in Debian 12 the oldest that the manifests are for."""

import os

from objects import of_kind, title
from render import kustomizations
from tools import K8S, Failed, run, tool


def kubectl(cluster, *arguments, check=True):
    return run(tool("kubectl"), "--kubeconfig", cluster.kubeconfig, *arguments, check=check)


def apply(cluster, namespace, folder, *ways):
    kubectl(cluster, "apply", *ways, "-n", namespace, "-k", os.path.join(K8S, folder))


def ports(one):
    """What a merge by port number alone would lose."""
    if one["kind"] == "Service":
        listed = one["spec"]["ports"]
    elif one["kind"] in ("Deployment", "DaemonSet"):
        listed = one["spec"]["template"]["spec"]["containers"][0].get("ports", [])
    else:
        return None
    return sorted((port["name"], port.get("port") or port["containerPort"], port.get("protocol", "TCP")) for port in listed)


def differing_ports(cluster, namespace, objects):
    for one in of_kind(objects, "Service", "Deployment", "DaemonSet"):
        live = cluster.get(one["kind"], one["metadata"]["name"], namespace, one["apiVersion"])
        if ports(live) != ports(one):
            yield f"{title(one)} has {ports(live)}, the manifests {ports(one)}"


def twice(cluster):
    """Applied again, nothing changes."""
    folders = [folder for folder in kustomizations() if not folder.startswith("examples")]
    for number, folder in enumerate(folders):
        namespace = cluster.namespace(f"kubectl-{number}", "privileged")
        apply(cluster, namespace, folder, "--server-side")
        done = kubectl(cluster, "diff", "--server-side", "-n", namespace, "-k", os.path.join(K8S, folder), check=False)
        if done.returncode != 0:
            raise Failed(f"kubectl diff -k k8s/{folder}, just applied: status {done.returncode}\n{done.stdout}{done.stderr}")
        cluster.free_ports(namespace)
    return len(folders)


def overlays_in_turn(cluster, rendered):
    """One installation, changed from each overlay to the next and back to the base: all of its ports are there each time."""
    namespace = cluster.namespace("in-turn")
    folders = [folder for folder in kustomizations() if folder.startswith("overlays/") and "hostnet" not in folder]
    for folder in [step for overlay in folders for step in ("base", overlay)] + ["base"]:
        apply(cluster, namespace, folder, "--server-side")
        for text in differing_ports(cluster, namespace, rendered[f"k8s/{folder}"]):
            raise Failed(f"kubectl apply --server-side -k k8s/{folder} after another overlay: {text}")
    cluster.free_ports(namespace)
    return len(folders)


def check(cluster, rendered):
    return twice(cluster) + overlays_in_turn(cluster, rendered)
