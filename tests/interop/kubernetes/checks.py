"""What every rendering must hold. Each check yields its findings as text; its name is what mutations.py expects it to be caught by."""

import json
import re

from objects import (
    container_ports, containers, labels_of, listening, of_kind, open_ports, pods, references, relay_config, relay_pods, selectors, selects, target_number,
    title,
)  # fmt: skip
from pod_security import pod_security

PART_OF = "app.kubernetes.io/part-of"
IMMUTABLE = {"app", "app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/component"}
NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")

# Secrets and ConfigMaps that a user brings.
BROUGHT = {("Secret", "stunner-tls"), ("Secret", "janus-tls"), ("Secret", "turn-certificate"), ("Secret", "turn-credentials")}
# What examples share with the relay that k8s/base installs.
SHARED = {("ConfigMap", "stunner-config"), ("Secret", "stunner-credentials")}
# Not the relay's own kinds: cluster-wide machinery whose labels and names are others'.
FOREIGN = ("Dataplane", "SeccompProfile")


def identities(objects):
    seen = set()
    for one in objects:
        key = one["apiVersion"], one["kind"], one["metadata"]["name"]
        if key in seen:
            yield f"{title(one)} is there twice"
        seen.add(key)
        if not NAME.fullmatch(one["metadata"]["name"]):
            yield f"{title(one)}: not a name that every kind takes"
        if "namespace" in one["metadata"]:
            yield f"{title(one)} names a namespace"
        if one["kind"] not in FOREIGN and labels_of(one).get(PART_OF) != "webrtc":
            yield f"{title(one)} has no label {PART_OF}"


def stable_selectors(objects):
    """Selectors cannot be changed by an upgrade: they may hold nothing that one changes."""
    for one in objects:
        for where, labels in selectors(one):
            if not labels:
                yield f"{title(one)}: {where} is empty and selects everything"
            for key in labels.keys() - IMMUTABLE:
                if key != "team":
                    yield f"{title(one)}: {where} has {key}"


def workload_selectors(objects):
    for one, labels, _ in pods(objects):
        selector = one["spec"].get("selector", {}).get("matchLabels")
        if selector is not None and not selects(selector, labels):
            yield f"{title(one)}: its selector does not match its own pods"
    for one, labels, _ in pods(objects):
        for other, other_labels, _ in pods(objects):
            selector = one["spec"].get("selector", {}).get("matchLabels")
            if one is not other and selector and selects(selector, other_labels):
                yield f"{title(one)}: its selector matches the pods of {title(other)} too"


def relays(objects):
    """What a pod that relays must have, so that it starts, lives as long as its calls, and is found."""
    for one, labels, spec in relay_pods(objects):
        name, main = title(one), spec["containers"][0]
        if labels.get("app") != "stunner":
            yield f"{name}: the label app=stunner is missing"
        if spec.get("automountServiceAccountToken") is not False:
            yield f"{name}: it gets a token for the API server"
        if spec.get("enableServiceLinks") is not False:
            yield f"{name}: a Service named stunner would set STUNNER_PORT"
        if spec.get("terminationGracePeriodSeconds", 30) < 3600:
            yield f"{name}: terminationGracePeriodSeconds is less than an hour"
        for probe, path in (("startupProbe", "/live"), ("livenessProbe", "/live"), ("readinessProbe", "/ready")):
            get = main.get(probe, {}).get("httpGet", {})
            if (get.get("path"), get.get("port")) != (path, "health"):
                yield f"{name}: {probe} does not ask {path} at the port health"
        strategy = one["spec"].get("strategy", {}).get("rollingUpdate", {})
        if one["kind"] == "Deployment" and strategy.get("maxUnavailable") != 0:
            yield f"{name}: an update takes relays away before new ones are ready"
        config = json.loads(relay_config(objects) or "{}")
        drain = config.get("admin", {}).get("drain_timeout", 0)
        if not 0 < drain < spec["terminationGracePeriodSeconds"]:
            yield f"{name}: drain_timeout {drain} does not end before terminationGracePeriodSeconds"
        yield from listener_ports(name, config, spec)


def listener_ports(name, config, spec):
    """kubectl's and Helm's merges go by the number alone: of two ports with one number both are lost when one changes."""
    numbers = [port["containerPort"] for port in container_ports(spec).values()]
    for protocol, number in listening(config):
        if number not in numbers:
            yield f"{name}: no container port for the listener of {protocol} {number}"
    if len(numbers) != len(set(numbers)):
        yield f"{name}: a number stands twice among its container ports"


def resources(objects):
    for one, _, spec in pods(objects):
        for container in containers(spec):
            asked = container.get("resources", {})
            if not asked.get("requests", {}).get("memory") or not asked.get("limits", {}).get("memory"):
                yield f"{title(one)}, {container['name']}: no request or limit of memory"
            tag = container["image"].rpartition("/")[2]
            if tag.endswith(":latest") or not (":" in tag or "@" in tag):
                yield f"{title(one)}, {container['name']}: its image has no version"


def resolved(objects):
    there = {(one["kind"], one["metadata"]["name"]) for one in objects} | BROUGHT | (set() if relay_pods(objects) else SHARED)
    for one, _, spec in pods(objects):
        for kind, name in references(spec):
            if (kind, name) not in there:
                yield f"{title(one)} needs {kind}/{name}, which is not there"
        mounts = {volume["name"] for volume in spec.get("volumes", [])}
        for container in containers(spec):
            for mount in container.get("volumeMounts", []):
                if mount["name"] not in mounts:
                    yield f"{title(one)}: no volume {mount['name']}"


def services(objects):
    everyone = list(pods(objects))
    for one in of_kind(objects, "Service"):
        spec = one["spec"]
        behind = [pod for _, labels, pod in everyone if selects(spec["selector"], labels)]
        if everyone and not behind:
            yield f"{title(one)} selects no pod"
        for port in spec["ports"]:
            for pod in behind:
                if (port["protocol"], target_number(pod, port)) not in open_ports(objects, pod):
                    yield f"{title(one)}: no {port['protocol']} port {port['targetPort']} in its pods"
            if "nodePort" in port and not 30000 <= port["nodePort"] <= 32767:
                yield f"{title(one)}: nodePort {port['nodePort']} is out of the usual range"
            if spec.get("type") in ("LoadBalancer", "NodePort") and port["port"] in (8080, 8086, 8088):
                yield f"{title(one)} publishes an internal port"
        if spec.get("type") == "ClusterIP" and "externalTrafficPolicy" in spec:
            yield f"{title(one)}: externalTrafficPolicy does not go with ClusterIP"
        if ("sessionAffinityConfig" in spec) != (spec.get("sessionAffinity") == "ClientIP"):
            yield f"{title(one)}: sessionAffinityConfig goes with ClientIP, and only with it"


def network_policies(objects):
    relays_here = relay_pods(objects)
    policies = of_kind(objects, "NetworkPolicy")
    for one in policies:
        spec = one["spec"]
        if pods(objects) and relays_here and not any(selects(spec["podSelector"]["matchLabels"], labels) for _, labels, _ in relays_here):
            yield f"{title(one)} is about no relay"
        for rule in spec.get("egress", []) + spec.get("ingress", []):
            for port in rule.get("ports", []):
                if "endPort" in port and port["endPort"] < port.get("port", 65536):
                    yield f"{title(one)}: endPort {port['endPort']} is before port {port.get('port')}"
        for rule in spec.get("egress", []):
            if not rule.get("to"):
                yield f"{title(one)}: an egress rule to everywhere"
    if policies and relays_here:
        yield from admitted(objects, policies, relays_here)


def admitted(objects, policies, relays_here):
    """Clients must get through to each port that a Service publishes, and no default may be open."""
    ours = [one for one in policies if any(selects(one["spec"]["podSelector"]["matchLabels"], labels) for _, labels, _ in relays_here)]
    for kind in ("Ingress", "Egress"):
        if not any(kind in one["spec"]["policyTypes"] for one in ours):
            yield f"no NetworkPolicy restricts the relay's {kind.lower()}"
    let_in = {
        (port["protocol"], port["port"])
        for one in ours
        for rule in one["spec"].get("ingress", [])
        if not rule.get("from")
        for port in rule["ports"]
    }
    for service in of_kind(objects, "Service"):
        for _, labels, spec in relays_here:
            if service["spec"].get("type") not in ("LoadBalancer", "NodePort") or not selects(service["spec"]["selector"], labels):
                continue
            for port in service["spec"]["ports"]:
                if (port["protocol"], target_number(spec, port)) not in let_in:
                    yield f"{title(service)}: no NetworkPolicy lets clients in at {port['targetPort']}"


def scaling(objects):
    there = {(one["kind"], one["metadata"]["name"]): one for one in objects}
    for one in of_kind(objects, "HorizontalPodAutoscaler"):
        target = one["spec"]["scaleTargetRef"]
        scaled = there.get((target["kind"], target["name"]))
        if scaled is None:
            yield f"{title(one)} scales {target['kind']}/{target['name']}, which is not there"
        elif "replicas" in scaled["spec"]:
            yield f"{title(scaled)}: applying it sets back the number that the autoscaler chose"
        if one["spec"]["behavior"]["scaleDown"]["stabilizationWindowSeconds"] < 300:
            yield f"{title(one)} scales down within minutes"
        if not one["spec"]["metrics"]:
            yield f"{title(one)} looks at nothing"
    for one in of_kind(objects, "PodDisruptionBudget"):
        if not any(selects(one["spec"]["selector"]["matchLabels"], labels) for _, labels, _ in pods(objects)):
            yield f"{title(one)} selects no pod"


def monitors(objects):
    for one in of_kind(objects, "PodMonitor"):
        wanted = one["spec"]["selector"]["matchLabels"]
        for workload, labels, spec in relay_pods(objects):
            if not selects(wanted, labels):
                yield f"{title(one)} does not select {title(workload)}"
            for endpoint in one["spec"]["podMetricsEndpoints"]:
                if endpoint["port"] not in container_ports(spec):
                    yield f"{title(one)}: {title(workload)} has no port {endpoint['port']}"
    for one in of_kind(objects, "ServiceMonitor"):
        selected = [service for service in of_kind(objects, "Service") if selects(one["spec"]["selector"]["matchLabels"], labels_of(service))]
        if len(selected) != 1:
            yield f"{title(one)} selects {len(selected)} Services"
        for endpoint in one["spec"]["endpoints"]:
            for service in selected:
                if endpoint["port"] not in [port["name"] for port in service["spec"]["ports"]]:
                    yield f"{title(one)}: {title(service)} has no port {endpoint['port']}"


# What the Job that publishes the address may do, and nothing else may anything.
GRANTS = {("services", "get"), ("configmaps", "patch"), ("nodes", "list")}


def grants(objects):
    for one in of_kind(objects, "Role", "ClusterRole"):
        for rule in one["rules"]:
            for resource in rule["resources"]:
                for verb in rule["verbs"]:
                    if (resource, verb) not in GRANTS:
                        yield f"{title(one)} grants {verb} on {resource}"
                if resource != "nodes" and len(rule.get("resourceNames", [])) != 1:
                    yield f"{title(one)}: {resource} are not narrowed to one name"


CHECKS = (
    identities, stable_selectors, workload_selectors, relays, resources, resolved, services, network_policies, scaling, monitors, grants,
    pod_security,
)


# Media servers and pages: others' programs, in images of their own.
EXAMPLE_CHECKS = (workload_selectors, resolved, services, grants, pod_security)


def findings(objects, origin=""):
    """(name of the check, what it found) of one rendering."""
    checks = EXAMPLE_CHECKS if origin.startswith("k8s/examples/") else CHECKS
    return [(check.__name__, text) for check in checks for text in check(objects)]
