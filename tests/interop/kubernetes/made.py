"""What repeats something else: the chart's table of values, made of the comments in values.yaml; its copies of files that kustomize has too (a
chart may hold nothing from outside its folder, and a kustomization neither); the other two forms of the seccomp profile.

    python3 tests/interop/kubernetes/made.py     writes them
"""

import json
import os
import textwrap

import yaml

from tools import CHART, K8S, Failed, read

BEGIN, END = "<!-- values: begin; made by tests/interop/kubernetes/made.py from values.yaml -->", "<!-- values: end -->"


def described(text):
    """(path, description) of each value whose comment begins with "--"."""
    stack, pending = [], None
    for line in text.splitlines():
        bare = line.strip()
        if bare.startswith("# -- "):
            pending = bare.removeprefix("# -- ")
        elif pending is not None and bare.startswith("# "):
            pending += " " + bare.removeprefix("# ")
        elif bare and not bare.startswith(("#", "-")):
            indent = len(line) - len(line.lstrip())
            stack = [one for one in stack if one[0] < indent] + [(indent, bare.partition(":")[0])]
            if pending is not None:
                yield ".".join(key for _, key in stack), pending
            pending = None


def leaves(values, path=""):
    """The paths that must be described: everything but maps that others explain key by key."""
    for key, value in values.items():
        here = f"{path}.{key}" if path else key
        if isinstance(value, dict) and value:
            yield here, value, False
            yield from leaves(value, here)
        else:
            yield here, value, True


def table():
    text = read(CHART, "values.yaml")
    values = {path: (value, leaf) for path, value, leaf in leaves(yaml.safe_load(text))}
    lines = dict(described(text))
    for path, (_, leaf) in values.items():
        above = [".".join(path.split(".")[:length]) for length in range(1, len(path.split(".")))]
        if leaf and path not in lines and not any(one in lines for one in above):
            raise Failed(f"values.yaml: {path} has no description")
    rows = ["| value | default | meaning |", "|---|---|---|"]
    for path, meaning in lines.items():
        default = json.dumps(values[path][0])
        rows.append(f"| `{path}` | {'see values.yaml' if len(default) > 60 else f'`{default}`'} | {meaning} |")
    return "\n".join(rows)


def replaced(text):
    before, _, rest = text.partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise Failed("k8s/chart/README.md has no place for the table of values")
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


def syscalls(profile):
    """The profile's rules as YAML."""
    for rule in profile["syscalls"]:
        if len(rule["names"]) > 1:
            lines = textwrap.wrap(", ".join(rule["names"]), width=122, break_long_words=False, break_on_hyphens=False)
            yield "    - names:\n        [\n" + "\n".join(f"          {line}" for line in lines) + f",\n        ]\n      action: {rule['action']}\n"
            continue
        yield f"    - names: [{rule['names'][0]}]\n      action: {rule['action']}\n"
        if "errnoRet" in rule:
            yield f"      errnoRet: {rule['errnoRet']}\n"
        if "args" in rule:
            yield "      args:\n"
        for one in rule.get("args", []):
            yield "        - {" + ", ".join(f"{key}: {value}" for key, value in one.items()) + "}\n"


def other_form(text, profile):
    """A manifest that holds the profile, with its rules anew; the rest of it is written by hand."""
    before, found, _ = text.partition("  syscalls:\n")
    if not found:
        raise Failed("the manifest has no line syscalls:")
    return before + found + "".join(syscalls(profile))


OTHER_FORMS = ("seccomp/security-profiles-operator.yaml", "seccomp/talos.yaml")
COPIES = ("monitoring/prometheusrule.yaml", "monitoring/uturn-dashboard.json", "seccomp/uturn.json")


def wanted():
    """{path: text} of what is made."""
    made = {os.path.join(CHART, "files", os.path.basename(path)): read(K8S, path) for path in COPIES}
    profile = json.loads(read(K8S, "seccomp/uturn.json"))
    made |= {os.path.join(K8S, path): other_form(read(K8S, path), profile) for path in OTHER_FORMS}
    return made | {os.path.join(CHART, "README.md"): replaced(read(CHART, "README.md"))}


def check():
    for path, text in wanted().items():
        if read(path) != text:
            raise Failed(f"{os.path.relpath(path, K8S)} is behind: run python3 tests/interop/kubernetes/made.py")
    return len(wanted())


if __name__ == "__main__":
    for path, text in wanted().items():
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
