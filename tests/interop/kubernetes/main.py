"""Checks everything under k8s/. Steps can be named to run only those; without arguments all run."""

import glob
import os
import re
import shutil
import sys
import tempfile
import time
import traceback

import yaml

import chart
import monitoring
import mutations
import render
import round_trip
import seccomp
import starts
from checks import findings
from relay_check import relay_findings
from render import parse
from tools import CHART, K8S, ROOT, Failed, read, run, tool
from type_check import type_findings


def yaml_lint():
    """Of what is YAML as it stands; the chart's templates become it."""
    found = glob.glob(os.path.join(K8S, "**", "*.yaml"), recursive=True)
    files = [path for path in found if not path.startswith((f"{CHART}/templates/", f"{CHART}/files/"))]
    rules = "{line-length: {max: 160}, indentation: disable, new-lines: disable, document-start: disable, braces: disable, comments: disable}"
    run("yamllint", "--strict", "--config-data", f"{{extends: default, rules: {rules}}}", *files)
    return len(files)


def renderings(rendered):
    """Everything in rendered manifests, by the checks of our own."""
    found = [f"{origin}: {name}: {text}" for origin, objects in rendered.items() for name, text in findings(objects, origin)]
    return fail_with(found, len(rendered))


def types(rendered):
    found, count = type_findings(rendered)
    return fail_with(found, count)


def relay(rendered):
    found = [f"{origin}: {text}" for origin, objects in rendered.items() for text in relay_findings(objects)]
    return fail_with(found, sum(1 for objects in rendered.values() for one in objects if one["kind"] in ("Deployment", "DaemonSet")))


def broken(rendered):
    found, count = mutations.mutation_findings(rendered)
    return fail_with(found, count)


def fail_with(found, count):
    if found:
        raise Failed("\n".join(found))
    return count


def documents():
    """The tables of k8s/README.md have every overlay and add-on; values that pages name are in the chart; they count alerts right."""
    readme, page = read(K8S, "README.md"), read(ROOT, "docs/KUBERNETES.md")
    overlays = set(os.listdir(os.path.join(K8S, "overlays")))
    named = set(re.findall(r"^\| `([-a-z]+)` \|", readme, re.MULTILINE))
    if overlays != named:
        raise Failed(f"k8s/README.md: overlays {sorted(overlays ^ named)}")
    folders = {name for name in os.listdir(K8S) if os.path.isdir(os.path.join(K8S, name))} - {"examples"}
    if missing := folders - set(re.findall(r"^\| \[`([-a-z]+)`\]", readme, re.MULTILINE)):
        raise Failed(f"k8s/README.md: no line for {sorted(missing)}")
    values = yaml.safe_load(read(CHART, "values.yaml"))
    paths = set(re.findall(r"`((?:%s)\.[\w.]+)[`:=]" % "|".join(values), page))
    for path in sorted(paths):
        if not has(values, path.split(".")):
            raise Failed(f"docs/KUBERNETES.md: the chart has no value {path}")
    alerts = sum(len(group["rules"]) for group in monitoring.rule_groups()["groups"])
    if f"{alerts} alerts" not in page:
        raise Failed(f"docs/KUBERNETES.md: there are {alerts} alerts")
    own_overlay(page)
    return len(overlays) + len(folders) + len(paths) + 1


def own_overlay(page):
    """The page's commands that need no cluster, by both generations: an overlay with a password of one's own."""
    block = next(text for text in re.findall(r"```sh\n(.*?)```", page, re.DOTALL) if "mkdir mine" in text)
    script = "\n".join(line for line in block.split("\n") if "†" not in line)
    with tempfile.TemporaryDirectory(prefix="uturn-overlay-") as dir:
        shutil.copytree(K8S, os.path.join(dir, "k8s"))
        old = parse(run("bash", "-ec", script, cwd=dir, env=os.environ | {"PATH": f"{tool('')}:{os.environ['PATH']}"}).stdout)
        new = parse(run(tool("kustomize"), "build", os.path.join(dir, "mine")).stdout)
    password = next(one for one in old if one["kind"] == "Secret")["stringData"]["STUNNER_PASSWORD"]
    if sorted(old, key=render.identity) != sorted(new, key=render.identity) or len(password) != 24:
        raise Failed("docs/KUBERNETES.md: the overlay of one's own is not rendered as it says")
    if found := findings(old):
        raise Failed(f"docs/KUBERNETES.md: {found}")


def has(values, path):
    if not path:
        return True
    return isinstance(values, dict) and (values == {} or path[0] in values and has(values[path[0]], path[1:]))


def steps():
    """(name, what it does, whether it takes the renderings)."""
    yield "yaml", yaml_lint, False
    yield "renderings", renderings, True
    yield "types", types, True
    yield "relay", relay, True
    yield "starts", starts.check, True
    yield "broken", broken, True
    for check in chart.CHECKS:
        yield f"chart-{check.__name__}", check, False
    yield "seccomp", seccomp.check, False
    yield "documents", documents, False
    yield "rules", monitoring.rules, False
    yield "dashboard", monitoring.dashboard, False
    yield "queries", monitoring.queries, True
    yield "round-trip", round_trip.check, True


def main():
    wanted = sys.argv[1:]
    every = list(steps())
    unknown = set(wanted) - {name for name, _, _ in every}
    if unknown:
        print(f"no such step: {', '.join(unknown)}; there are: {', '.join(name for name, _, _ in every)}", file=sys.stderr)
        return 2
    failed = passed = 0
    rendered = None
    for name, step, takes in every:
        if wanted and name not in wanted:
            continue
        started = time.monotonic()
        try:
            if takes and rendered is None:
                rendered = render.everything()
                print(f"        {len(rendered)} renderings {time.monotonic() - started:18.1f} s", flush=True)
            count = step(rendered) if takes else step()
            if not count:
                raise Failed("it checked nothing")
            passed += 1
            print(f"ok      {name:24} {count:4} checked  {time.monotonic() - started:5.1f} s", flush=True)
        except Exception as error:  # A step that breaks has failed; the others still run.
            failed += 1
            print(f"FAILED  {name}\n{error if isinstance(error, Failed) else traceback.format_exc()}", flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
