"""What checks need to know of Kubernetes' objects: pods inside of them, selectors, ports, references."""

import json

WORKLOADS = ("Deployment", "DaemonSet", "Job")


def labels_of(one):
    return one["metadata"].get("labels") or {}


def of_kind(objects, *kinds):
    return [one for one in objects if one["kind"] in kinds]


def title(one):
    return f"{one['kind']}/{one['metadata']['name']}"


def pod_template(one):
    """Metadata and spec of the pods that an object makes, or None."""
    if one["kind"] == "Pod":
        return one
    return one["spec"]["template"] if one["kind"] in WORKLOADS else None


def pods(objects):
    """(object, its pod's labels, its pod's spec)."""
    for one in objects:
        template = pod_template(one)
        if template:
            yield one, (template.get("metadata") or {}).get("labels") or {}, template["spec"]


def containers(spec):
    return spec.get("initContainers", []) + spec["containers"]


def relay_pods(objects):
    return [(one, labels, spec) for one, labels, spec in pods(objects) if labels.get("app.kubernetes.io/component") == "gateway"]


def selects(match_labels, labels):
    return all(labels.get(key) == value for key, value in match_labels.items())


def selectors(one):
    """Every selector by labels that an object has, with where it stands."""
    spec = one.get("spec") or {}
    kind = one["kind"]
    if kind == "Service":
        yield "spec.selector", spec.get("selector") or {}
    elif kind in ("Deployment", "DaemonSet", "PodDisruptionBudget", "PodMonitor", "ServiceMonitor"):
        yield "spec.selector", spec["selector"].get("matchLabels") or {}
    elif kind == "NetworkPolicy":
        yield "spec.podSelector", spec["podSelector"].get("matchLabels") or {}
    template = pod_template(one)
    for at, spread in enumerate(template["spec"].get("topologySpreadConstraints", []) if template else []):
        yield f"topologySpreadConstraints[{at}]", spread["labelSelector"]["matchLabels"]


def container_ports(spec):
    return {port["name"]: port for one in containers(spec) for port in one.get("ports", [])}


def target_number(spec, port):
    """Where a port of a Service leads to in a pod; None: it names one that is not there."""
    target = port["targetPort"]
    return target if isinstance(target, int) else container_ports(spec).get(target, {}).get("containerPort")


def listening(config):
    """(protocol, number) of each of a relay's listeners."""
    for listener in config.get("listeners", []):
        port = 3478 if listener["port"] == "$STUNNER_PORT" else listener["port"]
        yield "UDP" if listener["protocol"] in ("udp", "dtls") else "TCP", port


def open_ports(objects, spec):
    """{(protocol, number)}: what a pod declares, and what a relay listens on."""
    ours = any(spec is one for _, _, one in relay_pods(objects))
    declared = {(port["protocol"], port["containerPort"]) for port in container_ports(spec).values()}
    return declared | (set(listening(json.loads(relay_config(objects) or "{}"))) if ours else set())


def references(spec):
    """(kind, name) of each ConfigMap and Secret that a pod cannot start without."""
    for one in containers(spec):
        for source in one.get("envFrom", []):
            for key, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
                if key in source and not source[key].get("optional"):
                    yield kind, source[key]["name"]
        for variable in one.get("env", []):
            for key, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
                if key in variable.get("valueFrom", {}):
                    yield kind, variable["valueFrom"][key]["name"]
    for volume in spec.get("volumes", []):
        if "configMap" in volume:
            yield "ConfigMap", volume["configMap"]["name"]
        if "secret" in volume:
            yield "Secret", volume["secret"]["secretName"]


def relay_config(objects):
    """The relay's configuration in a rendering, as JSON text, or None."""
    for one in of_kind(objects, "ConfigMap"):
        text = (one.get("data") or {}).get("uturn.json")
        if text and "listeners" in json.loads(text):
            return text
    return None
