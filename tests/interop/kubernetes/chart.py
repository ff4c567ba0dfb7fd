"""The chart itself: lint, values that are refused, upgrades, its README."""

import concurrent.futures
import json
import os
import re
import shutil
import tempfile

import yaml

import made
from objects import of_kind, selectors
from render import good_values, parse, template
from tools import CHART, HERE, ROOT, Failed, read, run, tool


def lint():
    for values in good_values():
        run(tool("helm"), "lint", "--strict", "--quiet", CHART, "--values", values)
    return len(good_values())


def refused(case):
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump(case["values"], file)
        file.flush()
        done = template(file.name, check=False)
    said = done.stdout + done.stderr
    if done.returncode == 0:
        return f"accepted: {json.dumps(case['values'])}"
    if case["says"] not in said:
        return f"{json.dumps(case['values'])}: refused, but not for {case['says']}: {said.strip()}"
    return None


def bad_values():
    cases = yaml.safe_load(read(HERE, "bad_values.yaml"))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        wrong = [line for line in pool.map(refused, cases) if line]
    if wrong:
        raise Failed("\n".join(wrong))
    return len(cases)


def upgrade():
    """What cannot be changed in place is the same in the next release; what the pods read is checksummed."""
    with tempfile.TemporaryDirectory(prefix="uturn-chart-") as dir:
        run(tool("helm"), "package", CHART, "--version", "99.0.0", "--app-version", "99.0.0", "--destination", dir)
        before = parse(template(None).stdout)
        after = parse(template(None, chart=os.path.join(dir, "uturn-99.0.0.tgz")).stdout)
    fixed = [{(one["kind"], one["metadata"]["name"]): list(selectors(one)) for one in objects} for objects in (before, after)]
    if fixed[0] != fixed[1]:
        raise Failed("names or selectors change with the chart's version: such an upgrade fails")
    if "99.0.0" not in json.dumps(of_kind(after, "Deployment")):
        raise Failed("the packaged chart does not run its own version's image")
    sums = [of_kind(objects, "Deployment")[0]["spec"]["template"]["metadata"]["annotations"]["checksum/config"] for objects in restarts()]
    if sums[0] != sums[1] or sums[0] == sums[2]:
        raise Failed("checksum/config: other peers must not restart the pods, and another realm must")
    return 2


def restarts():
    for values in ({}, {"peers": [{"name": "media", "endpoints": ["10.1.0.0/16"]}]}, {"auth": {"realm": "other"}}):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            yaml.safe_dump(values, file)
            file.flush()
            yield parse(template(file.name).stdout)


def random_credentials():
    """Nobody's password is in the chart: each installation makes its own."""
    passwords = {of_kind(parse(template(None).stdout), "Secret")[0]["data"]["STUNNER_PASSWORD"] for _ in range(2)}
    if len(passwords) != 2:
        raise Failed("two installations got the same password")
    return 2


NOTES = """{{ define "notes" }}%s{{ end }}
apiVersion: v1
kind: ConfigMap
metadata:
  name: notes
data:
  text: {{ include "notes" . | quote }}
"""


def notes():
    """NOTES.txt is only printed by an installation; here it is rendered as text in a ConfigMap."""
    with tempfile.TemporaryDirectory(prefix="uturn-chart-") as dir:
        chart = os.path.join(dir, "uturn")
        shutil.copytree(CHART, chart)
        with open(os.path.join(chart, "templates", "notes.yaml"), "w", encoding="utf-8") as file:
            file.write(NOTES % read(CHART, "templates/NOTES.txt"))
        for values in good_values():
            rendered = parse(template(values, chart=chart).stdout)
            text = next(one["data"]["text"] for one in rendered if one["metadata"]["name"] == "notes")
            if "new RTCPeerConnection" not in text or "<no value>" in text or "%!" in text:
                raise Failed(f"{os.path.basename(values)}: NOTES.txt says\n{text}")
    return len(good_values())


def files():
    return made.check()


def versions():
    """One version everywhere: the project's, the chart's, the image's."""
    project = re.search(r"version: '([^']+)'", read(ROOT, "meson.build")).group(1)
    chart = yaml.safe_load(read(CHART, "Chart.yaml"))
    if chart["appVersion"] != project:
        raise Failed(f"Chart.yaml: appVersion {chart['appVersion']}, meson.build {project}")
    count = 0
    for folder, _, files in os.walk(os.path.join(ROOT, "k8s")):
        for name in files:
            if not name.endswith(".yaml") or "/examples" in folder or "/chart" in folder:
                continue
            for tag in re.findall(r"image: uturn:(\S+)", read(folder, name)):
                count += 1
                if tag != project:
                    raise Failed(f"{os.path.join(folder, name)}: image uturn:{tag}, meson.build {project}")
    return count


CHECKS = (lint, bad_values, upgrade, random_credentials, notes, files, versions)
