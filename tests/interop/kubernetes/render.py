"""Everything under k8s/ as objects: {where from: [object, …]}, by both generations of kustomize and by Helm."""

import concurrent.futures
import glob
import os

import yaml

from tools import CHART, HERE, K8S, Failed, read, run, tool

# What `helm template` is told of the cluster: the oldest that the chart is for, and a current one.
KUBERNETES = ("1.25.0", "1.34.0")


class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """A loader that refuses a key given twice, which YAML's own lets the last one win."""


def mapping(loader, node, deep=False):
    keys = [loader.construct_object(key, deep=True) for key, _ in node.value]
    twice = {key for key in keys if keys.count(key) > 1}
    if twice:
        raise Failed(f"{node.start_mark.name}, line {node.start_mark.line + 1}: given twice: {', '.join(map(str, twice))}")
    return yaml.SafeLoader.construct_mapping(loader, node, deep=True)


Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)


def parse(text, name="rendered"):
    try:
        return [one for one in yaml.load_all(text, Loader) if one is not None]  # noqa: S506: derived from the safe loader
    except yaml.YAMLError as error:
        raise Failed(f"{name}: {error}") from error


def identity(one):
    return one["kind"], one["metadata"]["name"]


def kustomizations():
    found = glob.glob(os.path.join(K8S, "**", "kustomization.yaml"), recursive=True)
    return sorted(os.path.relpath(os.path.dirname(path), K8S) for path in found)


def without_hash(objects):
    """The two generations hash generated ConfigMaps differently; the rest must be the same."""
    text = yaml.safe_dump(objects)
    for one in objects:
        name, _, suffix = one["metadata"]["name"].rpartition("-")
        if one["kind"] == "ConfigMap" and len(suffix) == 10:
            text = text.replace(f"{name}-{suffix}", f"{name}-HASH")
    return sorted(yaml.safe_load(text), key=identity)


def kustomize(folder):
    """Rendered by Debian's kubectl and by the current kustomize, which must agree."""
    path = os.path.join(K8S, folder)
    old = parse(run(tool("kubectl"), "kustomize", path).stdout, folder)
    new = parse(run(tool("kustomize"), "build", path).stdout, folder)
    if without_hash(old) != without_hash(new):
        raise Failed(f"k8s/{folder}: kubectl's kustomize and the current one render it differently")
    return old


def template(values, release="stunner", namespace="media", kubernetes=KUBERNETES[-1], chart=CHART, check=True):
    """`helm template` with a file of values, or without."""
    command = [tool("helm"), "template", release, chart, "--namespace", namespace, "--kube-version", kubernetes]
    # As on a cluster that has the Prometheus Operator.
    command += ["--api-versions", "monitoring.coreos.com/v1"]
    return run(*command, *(["--values", values] if values else []), check=check)


def good_values():
    return sorted(glob.glob(os.path.join(HERE, "values", "*.yaml")))


def charts():
    """(name, arguments of template) of each rendering of the chart."""
    for values in good_values():
        name = os.path.basename(values).removesuffix(".yaml")
        yield f"chart, {name}", {"values": values}
    yield "chart, oldest Kubernetes", {"values": None, "kubernetes": KUBERNETES[0]}
    yield "chart, another name and namespace", {"values": None, "release": "edge", "namespace": "default"}


def everything():
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        jobs = {f"k8s/{folder}": pool.submit(kustomize, folder) for folder in kustomizations()}
        jobs |= {name: pool.submit(lambda a: parse(template(**a).stdout, name), arguments) for name, arguments in charts()}
        rendered = {name: job.result() for name, job in jobs.items()}
    for path in PLAIN:
        rendered[f"k8s/{path}"] = parse(read(K8S, path), path)
    return rendered


# Manifests that no kustomization holds.
PLAIN = ("publish-address/nodes.yaml", "seccomp/security-profiles-operator.yaml", "stunner/dataplane.yaml")
