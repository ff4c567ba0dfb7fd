"""What the chart repeats: the table of values in its README.md, made of the comments in values.yaml, and the files that kustomize has too. A
chart may hold nothing from outside its folder, and a kustomization neither.

    python3 tests/interop/kubernetes/chart_files.py     writes them
"""

import json
import os

import yaml

from tools import CHART, K8S, Failed, read

BEGIN, END = "<!-- values: begin; made by tests/interop/kubernetes/chart_files.py from values.yaml -->", "<!-- values: end -->"


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


COPIES = ("monitoring/prometheusrule.yaml", "monitoring/uturn-dashboard.json", "seccomp/uturn.json")


def wanted():
    """{path: text} of what is made."""
    made = {os.path.join(CHART, "files", os.path.basename(path)): read(K8S, path) for path in COPIES}
    return made | {os.path.join(CHART, "README.md"): replaced(read(CHART, "README.md"))}


def check():
    for path, text in wanted().items():
        if read(path) != text:
            raise Failed(f"{os.path.relpath(path, K8S)} is behind: run python3 tests/interop/kubernetes/chart_files.py")
    return len(wanted())


if __name__ == "__main__":
    for path, text in wanted().items():
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
