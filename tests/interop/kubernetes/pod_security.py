"""The Pod Security Standard "restricted", and a read-only root on top. What cannot be that is named here, with what it needs."""

from objects import containers, pods, title

VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}

# Of those that the standard calls safe, what has been of use.
SYSCTLS = {"net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start"}

# It writes into the kubelet's folder, which is root's.
INSTALLERS = ("uturn-seccomp-installer", "stunner-seccomp")


def pod_level(name, spec):
    for field in ("hostPID", "hostIPC"):
        if spec.get(field):
            yield f"{name}: {field}"
    # One relay on each node's own network is a variant that is offered, and said to need level "privileged".
    if spec.get("hostNetwork") and (not name.startswith("DaemonSet/") or spec.get("dnsPolicy") != "ClusterFirstWithHostNet"):
        yield f"{name}: hostNetwork"
    for volume in spec.get("volumes", []):
        kinds = volume.keys() - {"name"}
        if not kinds <= VOLUMES and not (kinds == {"hostPath"} and name.endswith(INSTALLERS)):
            yield f"{name}: volume {volume['name']} is a {', '.join(kinds)}"
    for sysctl in spec.get("securityContext", {}).get("sysctls", []):
        if sysctl["name"] not in SYSCTLS:
            yield f"{name}: sysctl {sysctl['name']}"


def container_level(name, pod, container):
    own = container.get("securityContext", {})

    def effective(field):
        return own.get(field, pod.get(field))

    root = name.endswith(INSTALLERS) and container["name"] == "install"
    where = f"{name}, {container['name']}"
    if own.get("privileged"):
        yield f"{where}: privileged"
    if own.get("allowPrivilegeEscalation") is not False:
        yield f"{where}: allowPrivilegeEscalation is not false"
    if own.get("readOnlyRootFilesystem") is not True:
        yield f"{where}: its root can be written"
    if not root and (effective("runAsNonRoot") is not True or effective("runAsUser") in (0, None)):
        yield f"{where}: it may run as root"
    if (effective("seccompProfile") or {}).get("type") not in ("RuntimeDefault", "Localhost"):
        yield f"{where}: no seccomp profile"
    capabilities = own.get("capabilities", {})
    if capabilities.get("drop") != ["ALL"] or set(capabilities.get("add", [])) - {"NET_BIND_SERVICE"}:
        yield f"{where}: it keeps capabilities"
    if own.get("procMount", "Default") != "Default":
        yield f"{where}: procMount"
    for port in container.get("ports", []):
        if port.get("hostPort"):
            yield f"{where}: hostPort {port['hostPort']}"


def pod_security(objects):
    for one, _, spec in pods(objects):
        yield from pod_level(title(one), spec)
        for container in containers(spec):
            yield from container_level(title(one), spec.get("securityContext", {}), container)
