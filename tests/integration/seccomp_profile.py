#!/usr/bin/python3
"""seccomp_profile.py PROFILE [--errno NAME] [--without NAME,…] PROGRAM ARGUMENTS… - runs a program under an OCI seccomp profile.

As a container runtime does: the profile's JSON (flat, as Kubernetes wants it under /var/lib/kubelet/seccomp) becomes a real filter, and
then the program starts. --errno answers refused calls with another error than the profile names, --without takes names off its list.
"""

import argparse
import errno
import json
import os
import sys

import seccomp

OPERATORS = {
    "SCMP_CMP_NE": seccomp.NE,
    "SCMP_CMP_LT": seccomp.LT,
    "SCMP_CMP_LE": seccomp.LE,
    "SCMP_CMP_EQ": seccomp.EQ,
    "SCMP_CMP_GE": seccomp.GE,
    "SCMP_CMP_GT": seccomp.GT,
    "SCMP_CMP_MASKED_EQ": seccomp.MASKED_EQ,
}


def action(name, error):
    if name == "SCMP_ACT_ALLOW":
        return seccomp.ALLOW
    if name == "SCMP_ACT_ERRNO":
        return seccomp.ERRNO(error)
    if name in ("SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS"):
        return seccomp.KILL_PROCESS
    raise SystemExit(f"seccomp_profile.py: action {name} is not known")


def arguments_of(rule):
    # As runc: tests of one argument are alternatives, and each would be a rule of its own.
    tests = rule.get("args") or []
    indices = [test["index"] for test in tests]
    if len(indices) != len(set(indices)):
        return [[test] for test in tests]
    return [tests]


def test_of(test):
    values = [test["value"]]
    if test["op"] == "SCMP_CMP_MASKED_EQ":
        values.append(test.get("valueTwo", 0))
    return seccomp.Arg(test["index"], OPERATORS[test["op"]], *values)


def known(name):
    """This machine has it, and libseccomp knows of it. Runtimes pass over what is not, too."""
    try:
        return seccomp.resolve_syscall(seccomp.Arch(), name) >= 0
    except ValueError:
        return False


def load(profile, error=None, without=()):
    default_errno = error or profile.get("defaultErrnoRet", errno.EPERM)
    default = action(profile["defaultAction"], default_errno)
    filter = seccomp.SyscallFilter(default)
    count = 0
    for rule in profile["syscalls"]:
        wanted = action(rule["action"], rule.get("errnoRet", default_errno))
        if rule["action"] == profile["defaultAction"] and rule.get("errnoRet", default_errno) == default_errno:
            continue
        for name in rule["names"]:
            if name in without or not known(name):
                continue
            for tests in arguments_of(rule):
                filter.add_rule(wanted, name, *map(test_of, tests))
            count += 1
    assert count > 100, f"only {count} rules: not a profile to run a program under"
    filter.load()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("profile")
    parser.add_argument("--errno")
    parser.add_argument("--without", default="")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    with open(options.profile) as file:
        profile = json.load(file)
    load(profile, options.errno and getattr(errno, options.errno), options.without.split(","))
    os.execv(options.command[0], options.command)


if __name__ == "__main__":
    sys.exit(main())
