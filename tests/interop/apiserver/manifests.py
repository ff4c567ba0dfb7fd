"""Every rendering given to the API server: strictly, twice, and its pods under Pod Security."""

import os

import yaml

from objects import pods, title
from render import PLAIN, charts, kustomizations, parse, template
from tools import CACHE, K8S, Failed, read, run, tool

# Definitions that the manifests need: modules of go/crds, and their files.
DEFINITIONS = (
    "prometheus-operator/example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml",
    "prometheus-operator/example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml",
    "prometheus-operator/example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
    "stunner/deploy/manifests/static/stunner-crd.yaml",
)
# The Security Profiles Operator is no module that can be had.
WITHOUT_DEFINITION = ("security-profiles-operator.x-k8s.io",)


def renderings():
    """{where from: [object, …]}"""
    rendered = {f"k8s/{path}": parse(run(tool("kubectl"), "kustomize", os.path.join(K8S, path)).stdout, path) for path in kustomizations()}
    rendered |= {name: parse(template(**arguments).stdout, name) for name, arguments in charts()}
    return rendered | {f"k8s/{path}": parse(read(K8S, path), path) for path in PLAIN}


def define(cluster):
    """Custom resources become known, and the server is told when."""
    wanted = set()
    for path in DEFINITIONS:
        folder, _, rest = path.partition("/")
        for one in yaml.safe_load_all(read(CACHE, "crds", folder, rest)):
            if one:
                cluster.apply(one, None)
                wanted.add(one["metadata"]["name"])

    def all_established():
        items = cluster.good("GET", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions")["items"]
        return wanted <= {one["metadata"]["name"] for one in items if established(one)}

    cluster.wait_for("custom resources are established", all_established)
    return len(wanted)


def established(definition):
    conditions = definition.get("status", {}).get("conditions") or []
    return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)


def level_of(objects):
    """What the documents say of a rendering's namespace: privileged only for the host's network and its folders."""
    hosts = [spec for _, _, spec in pods(objects) if spec.get("hostNetwork") or any("hostPath" in volume for volume in spec.get("volumes", []))]
    return "privileged" if hosts else "restricted"


def check(cluster, rendered):
    cluster.good("POST", "/apis/scheduling.k8s.io/v1/priorityclasses", {"metadata": {"name": "media"}, "value": 1000})
    found, count = [], refusals(cluster)
    for number, (origin, objects) in enumerate(rendered.items()):
        objects = [one for one in objects if one["apiVersion"].partition("/")[0] not in WITHOUT_DEFINITION]
        namespace = cluster.namespace(f"rendering-{number}", level_of(objects))
        for one in objects:
            count += 1
            found += [f"{origin}: {title(one)}: {text}" for text in applied(cluster, one, namespace)]
        found += [f"{origin}: {text}" for text in admitted(cluster, objects, namespace)]
        cluster.free_ports(namespace)
    if found:
        raise Failed("\n".join(found))
    return count


def refusals(cluster):
    """That the server is as strict as what follows needs it."""
    namespace = cluster.namespace("strict")
    container = {"name": "c", "image": "uturn:0.1.0"}
    cases = (
        ("ConfigMap", {"metadata": {"name": "c"}, "date": {}}, "field not declared in schema"),
        ("Service", {"metadata": {"name": "c"}, "spec": {"ports": [{"port": 3478, "protocol": "DTLS"}]}}, "Unsupported value"),
        ("Pod", {"metadata": {"name": "c"}, "spec": {"containers": [container]}}, 'violates PodSecurity "restricted:latest"'),
    )
    for kind, fields, says in cases:
        try:
            cluster.apply({"apiVersion": "v1", "kind": kind} | fields, namespace)
        except Failed as failure:
            if says in str(failure):
                continue
            raise
        raise Failed(f"the server takes {kind} {fields}")
    template = {"spec": {"containers": [container], "restartPolicy": "Never"}}
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "c"}, "spec": {"template": template}}
    try:
        cluster.apply(job, namespace)
    except Failed as failure:
        if "the server warns" not in str(failure):
            raise
    else:
        raise Failed("the server does not warn of a Job whose pods it would refuse")
    return len(cases) + 1


def applied(cluster, one, namespace):
    if one["kind"] == "Pod":
        return  # admitted below; it would never end here
    try:
        first = cluster.apply(one, namespace)
        second = cluster.apply(one, namespace, dryRun="All")
    except Failed as failure:
        yield str(failure)
        return
    if first != second:
        yield "applied again it changes"


def admitted(cluster, objects, namespace):
    for one, labels, spec in pods(objects):
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "trial", "labels": labels}, "spec": spec}
        try:
            cluster.good("POST", cluster.path(pod, namespace, collection=True), pod, dryRun="All", fieldValidation="Strict")
        except Failed as failure:
            yield f"{title(one)}: its pod: {failure}"
