"""The seccomp profile: the flat form that kubelets take, the same in all three ways to install it, and what it must let through and refuse."""

import json

import yaml

from render import parse, template
from tools import HERE, K8S, Failed, read

RING = {"io_uring_setup", "io_uring_enter", "io_uring_register"}
# Some of what RuntimeDefault refuses to a container without capabilities.
REFUSED = {
    "acct", "add_key", "bpf", "chroot", "delete_module", "finit_module", "fsopen", "init_module", "iopl", "kcmp", "kexec_load", "keyctl", "mount",
    "move_mount", "open_by_handle_at", "perf_event_open", "pivot_root", "process_vm_writev", "ptrace", "quotactl", "reboot", "request_key", "setns",
    "settimeofday", "swapon", "umount2", "unshare", "userfaultfd", "vhangup",
}  # fmt: skip
FIELDS = {"defaultAction", "defaultErrnoRet", "architectures", "syscalls"}
RULE_FIELDS = {"names", "action", "errnoRet", "args"}


def check():
    profile = json.loads(read(K8S, "seccomp/uturn.json"))
    allowed = {name for rule in profile["syscalls"] if rule["action"] == "SCMP_ACT_ALLOW" for name in rule["names"]}
    if set(profile) != FIELDS or any(set(rule) - RULE_FIELDS for rule in profile["syscalls"]):
        raise Failed("uturn.json is not in the flat form: Docker's archMap and includes mean nothing to a kubelet")
    if not allowed >= RING:
        raise Failed(f"uturn.json does not let through {', '.join(sorted(RING - allowed))}")
    if allowed & REFUSED or profile["defaultAction"] != "SCMP_ACT_ERRNO":
        raise Failed(f"uturn.json lets through {', '.join(sorted(allowed & REFUSED)) or 'everything'}")
    conditions = {name for rule in profile["syscalls"] if "args" in rule for name in rule["names"]}
    if not conditions >= {"socket", "clone", "personality"}:
        raise Failed("uturn.json: socket, clone or personality have no condition")
    same(profile)
    return 4


def same(profile):
    talos = yaml.safe_load(read(K8S, "seccomp/talos.yaml"))
    if (talos["kind"], talos["name"]) != ("SeccompProfileConfig", "uturn.json") or talos["profile"] != profile:
        raise Failed("seccomp/talos.yaml is not uturn.json")
    operator = yaml.safe_load(read(K8S, "seccomp/security-profiles-operator.yaml"))["spec"]
    if operator != {key: value for key, value in profile.items() if key != "defaultErrnoRet"}:
        raise Failed("seccomp/security-profiles-operator.yaml is not uturn.json")
    rendered = parse(template(f"{HERE}/values/seccomp.yaml").stdout)
    installed = next(one["data"]["uturn.json"] for one in rendered if one["kind"] == "ConfigMap" and one["metadata"]["name"] == "stunner-seccomp")
    if json.loads(installed) != profile:
        raise Failed("the chart installs another profile than seccomp/uturn.json")
