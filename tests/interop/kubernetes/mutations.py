"""Broken manifests that must be found, each by the check that it is for. A check that finds nothing in them is broken itself."""

import copy
import json

from checks import findings
from objects import containers, of_kind, pod_template
from relay_check import relay_findings
from tools import Failed
from type_check import type_findings


def first(objects, kind, name=None):
    return next(one for one in of_kind(objects, kind) if name in (None, one["metadata"]["name"]))


def deployment(objects):
    return first(objects, "Deployment")


def pod(objects):
    return pod_template(deployment(objects))["spec"]


def container(objects):
    return containers(pod(objects))[0]


def change_config(objects, change):
    """Changes the relay's configuration inside its ConfigMap."""
    one = first(objects, "ConfigMap", "stunner-relay")
    config = json.loads(one["data"]["uturn.json"])
    change(config)
    one["data"]["uturn.json"] = json.dumps(config)


# (what is broken, what finds it, how it is broken), all in k8s/overlays/hpa unless another is named.
BROKEN = [
    ("an object twice", "identities", lambda o: o.append(copy.deepcopy(o[0]))),
    ("a namespace that is named", "identities", lambda o: o[0]["metadata"].update(namespace="default")),
    ("a selector with a version", "stable_selectors", lambda o: deployment(o)["spec"]["selector"]["matchLabels"].update(
        {"app.kubernetes.io/version": "0.1.0"})),
    ("a budget that selects every pod", "stable_selectors", lambda o: first(o, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"].clear()),
    ("a selector that misses its pods", "workload_selectors", lambda o: deployment(o)["spec"]["selector"]["matchLabels"].update(
        {"app.kubernetes.io/instance": "other"})),
    ("no label app=stunner", "relays", lambda o: pod_template(deployment(o))["metadata"]["labels"].pop("app")),
    ("variables of Services", "relays", lambda o: pod(o).pop("enableServiceLinks")),
    ("a token", "relays", lambda o: pod(o).update(automountServiceAccountToken=True)),
    ("half a minute for calls to end", "relays", lambda o: pod(o).update(terminationGracePeriodSeconds=30)),
    ("liveness that asks for readiness", "relays", lambda o: container(o)["livenessProbe"]["httpGet"].update(path="/ready")),
    ("an update that leaves a gap", "relays", lambda o: deployment(o)["spec"]["strategy"]["rollingUpdate"].update(maxUnavailable=1)),
    ("a drain that the kubelet ends", "relays", lambda o: change_config(o, lambda c: c["admin"].update(drain_timeout=7200))),
    ("a listener without a container port", "relays", lambda o: change_config(o, lambda c: c["listeners"][0].update(port=3479))),
    ("a number twice among container ports", "relays", lambda o: container(o)["ports"].append(
        {"name": "turn-tcp", "containerPort": 3478, "protocol": "TCP"})),
    ("no limit of memory", "resources", lambda o: container(o)["resources"]["limits"].pop("memory")),
    ("an image without a version", "resources", lambda o: container(o).update(image="uturn")),
    ("a ConfigMap that is not there", "resolved", lambda o: container(o)["envFrom"][0]["configMapRef"].update(name="stunner-confg")),
    ("a volume that is not there", "resolved", lambda o: container(o)["volumeMounts"][0].update(name="config")),
    ("a Service to a port that is not there", "services", lambda o: first(o, "Service")["spec"]["ports"][0].update(targetPort="turn")),
    ("a Service of the other protocol", "services", lambda o: first(o, "Service")["spec"]["ports"][0].update(protocol="SCTP")),
    ("a Service that selects nothing", "services", lambda o: first(o, "Service")["spec"]["selector"].update(
        {"app.kubernetes.io/instance": "other"})),
    ("metrics on the load balancer", "services", lambda o: first(o, "Service")["spec"]["ports"].append(
        {"name": "metrics", "protocol": "TCP", "port": 8080, "targetPort": "metrics-port"})),
    ("affinity of nobody", "services", lambda o: first(o, "Service")["spec"].update(sessionAffinity="None")),
    ("ports that end before they begin", "network_policies", lambda o: first(o, "NetworkPolicy")["spec"]["egress"][0]["ports"][0].update(endPort=9)),
    ("egress to everywhere", "network_policies", lambda o: first(o, "NetworkPolicy")["spec"]["egress"].append({"ports": [{"protocol": "UDP"}]})),
    ("egress that nothing restricts", "network_policies", lambda o: first(o, "NetworkPolicy")["spec"].update(policyTypes=["Ingress"])),
    ("clients that are kept out", "network_policies", lambda o: first(o, "NetworkPolicy")["spec"]["ingress"].pop(0)),
    ("a policy about others", "network_policies", lambda o: first(o, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"].update(app="turn")),
    ("an autoscaler of nothing", "scaling", lambda o: first(o, "HorizontalPodAutoscaler")["spec"]["scaleTargetRef"].update(name="uturn")),
    ("two that decide on replicas", "scaling", lambda o: deployment(o)["spec"].update(replicas=2)),
    ("scaling down at once", "scaling", lambda o: first(o, "HorizontalPodAutoscaler")["spec"]["behavior"]["scaleDown"].update(
        stabilizationWindowSeconds=0)),
    ("root", "pod_security", lambda o: pod(o)["securityContext"].pop("runAsNonRoot")),
    ("no seccomp profile", "pod_security", lambda o: pod(o)["securityContext"].pop("seccompProfile")),
    ("an unconfined pod", "pod_security", lambda o: pod(o)["securityContext"].update(seccompProfile={"type": "Unconfined"})),
    ("a capability", "pod_security", lambda o: container(o)["securityContext"]["capabilities"].update(add=["NET_ADMIN"])),
    ("capabilities kept", "pod_security", lambda o: container(o)["securityContext"].pop("capabilities")),
    ("privilege escalation", "pod_security", lambda o: container(o)["securityContext"].pop("allowPrivilegeEscalation")),
    ("a root that can be written", "pod_security", lambda o: container(o)["securityContext"].pop("readOnlyRootFilesystem")),
    ("a privileged container", "pod_security", lambda o: container(o)["securityContext"].update(privileged=True)),
    ("the host's network", "pod_security", lambda o: pod(o).update(hostNetwork=True)),
    ("the host's files", "pod_security", lambda o: pod(o)["volumes"].append({"name": "host", "hostPath": {"path": "/"}})),
    ("a port of the host", "pod_security", lambda o: container(o)["ports"][0].update(hostPort=3478)),
    ("a field that does not exist", "types", lambda o: first(o, "NetworkPolicy")["spec"]["egress"][0]["ports"][0].update(endport=20000)),
    ("a misplaced field", "types", lambda o: deployment(o)["spec"].update(terminationGracePeriodSeconds=60)),
    ("a number that is text", "types", lambda o: first(o, "HorizontalPodAutoscaler")["spec"].update(maxReplicas="10")),
    ("a value that is none of the possible", "types", lambda o: first(o, "Service")["spec"].update(externalTrafficPolicy="local")),
    ("a kind of an older version", "types", lambda o: first(o, "HorizontalPodAutoscaler").update(apiVersion="autoscaling/v1")),
    ("a route to nowhere", "relay", lambda o: change_config(o, lambda c: c["listeners"][0].update(routes=["medai"]))),
    ("a misspelt field", "relay", lambda o: change_config(o, lambda c: c["admin"].update(drain_timeuot=5))),
    ("an endpoint that is none", "relay", lambda o: change_config(o, lambda c: c["clusters"][0].update(endpoints=["10.0.0.0/80"]))),
    ("a password that is not there", "relay", lambda o: first(o, "Secret")["stringData"].pop("STUNNER_PASSWORD")),
    ("a certificate outside of every volume", "relay", lambda o: change_config(o, lambda c: c["listeners"][1].update(
        protocol="tls", cert="/etc/tls/tls.crt", key="/etc/tls/tls.key"))),
]  # fmt: skip

# Others, whose rendering has the kinds that these break.
BROKEN_MONITORING = [
    ("a monitor of others", "monitors", lambda o: first(o, "PodMonitor")["spec"]["selector"]["matchLabels"].update(
        {"app.kubernetes.io/name": "turn"})),
    ("a monitor of no port", "monitors", lambda o: first(o, "PodMonitor")["spec"]["podMetricsEndpoints"][0].update(port="metrics")),
    ("a misspelt rule", "types", lambda o: first(o, "PrometheusRule")["spec"]["groups"][0]["rules"][0].update(exper="1")),
]  # fmt: skip
BROKEN_PUBLISH = [
    ("every Secret", "grants", lambda o: first(o, "Role")["rules"][0].update(resources=["secrets"])),
    ("every ConfigMap", "grants", lambda o: first(o, "Role")["rules"][1].pop("resourceNames")),
    ("a misspelt option", "relay", lambda o: containers(first(o, "Job")["spec"]["template"]["spec"])[0]["args"].append("--publish-timout")),
    ("deletion", "grants", lambda o: first(o, "Role")["rules"][1]["verbs"].append("delete")),
]  # fmt: skip
BROKEN_DATAPLANE = [
    ("volumes, which it does not know", "types", lambda o: first(o, "Dataplane")["spec"].update(volumes=[])),
    ("an option that stunnerd never had", "relay", lambda o: first(o, "Dataplane")["spec"]["args"].append("--threads=16")),
]  # fmt: skip


def broken(objects, change):
    copied = copy.deepcopy(objects)
    change(copied)
    if copied == objects:
        raise Failed("a mutation that changes nothing")
    return copied


def cases(rendered):
    tables = {
        "k8s/overlays/hpa": BROKEN,
        "k8s/overlays/monitoring": BROKEN_MONITORING,
        "k8s/publish-address": BROKEN_PUBLISH,
        "k8s/stunner/dataplane.yaml": BROKEN_DATAPLANE,
    }
    for origin, table in tables.items():
        for what, by, change in table:
            yield what, by, broken(rendered[origin], change)


def mutation_findings(rendered):
    """Yields what was not found; returns how many mutations there are."""
    missed = []
    all_cases = list(cases(rendered))
    typed = [(what, objects) for what, by, objects in all_cases if by == "types"]
    found, _ = type_findings({what: objects for what, objects in typed})
    for what, by, objects in all_cases:
        if by == "types":
            caught = any(line.startswith(f"{what}: ") for line in found)
        elif by == "relay":
            caught = any(relay_findings(objects))
        else:
            caught = by in [name for name, _ in findings(objects)]
        if not caught:
            missed.append(f"nothing found {what} (expected of: {by})")
    return missed, len(all_cases)
