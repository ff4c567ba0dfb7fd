"""Every object as a typed literal: tsc refuses fields that do not exist, and the models' own schemas wrong values of those that do."""

import json
import os
import re
import shutil
import tempfile

from objects import title
from tools import CACHE, HERE, Failed, run

OWN = ("Dataplane", "SeccompProfile")
OPTIONS = ["--noEmit", "--strict", "--skipLibCheck", "--target", "es2022", "--module", "esnext", "--moduleResolution", "bundler"]


def module_of(one):
    if one["kind"] in OWN:
        return "./own_types"
    package = "@kubernetes-models/prometheus-operator" if one["apiVersion"].startswith("monitoring.coreos.com/") else "kubernetes-models"
    return f"{package}/{one['apiVersion']}/{one['kind']}"


def source(named):
    """A TypeScript file of all objects, and which of them each line is about."""
    kinds = sorted({(module_of(one), one["kind"]) for _, one in named})
    lines = [f'import {{ I{kind} as I{at} }} from "{module}";' for at, (module, kind) in enumerate(kinds)]
    about = {}
    for origin, one in named:
        name = f"{origin}: {title(one)}"
        start = len(lines)
        text = json.dumps(one, indent=1)
        lines += f"const o{start}: I{kinds.index((module_of(one), one['kind']))} = {text};".split("\n")
        about |= {line + 1: name for line in range(start, len(lines))}
    return "\n".join(lines) + "\nexport {};\n", about


VALIDATE = """
import { readFileSync } from "node:fs";
for (const [origin, module, object] of JSON.parse(readFileSync(process.argv[2]))) {
  const model = (await import(module))[object.kind];
  try {
    new model(object).validate();
  } catch (error) {
    console.log(`${origin}: ${object.kind}/${object.metadata.name}: ${error.message}`);
  }
}
"""

ERROR = re.compile(r"manifests\.ts\((\d+),\d+\): error (.*)")


def unique(rendered):
    """Each object once, with the first place that it comes from: the overlays share most of theirs."""
    seen = {}
    for origin, objects in rendered.items():
        for one in objects:
            seen.setdefault(json.dumps(one, sort_keys=True), (origin, one))
    return list(seen.values())


def type_findings(rendered):
    named = unique(rendered)
    with tempfile.TemporaryDirectory(prefix="uturn-types-") as dir:
        os.symlink(os.path.join(CACHE, "node_modules"), os.path.join(dir, "node_modules"))
        shutil.copy(os.path.join(HERE, "own_types.ts"), dir)
        text, about = source(named)
        for name, content in (("manifests.ts", text), ("validate.mjs", VALIDATE)):
            with open(os.path.join(dir, name), "w", encoding="utf-8") as file:
                file.write(content)
        checked = run("node", "node_modules/typescript/bin/tsc", *OPTIONS, "manifests.ts", cwd=dir, check=False, timeout=120)
        findings = [f"{about[int(line)]}: {error}" for line, error in ERROR.findall(checked.stdout)]
        if (checked.returncode != 0) != bool(findings):
            raise Failed(f"tsc: status {checked.returncode}\n{checked.stdout}{checked.stderr}")
        with open(os.path.join(dir, "objects.json"), "w", encoding="utf-8") as file:
            json.dump([(origin, module_of(one), one) for origin, one in named if one["kind"] not in OWN], file)
        validated = run("node", "validate.mjs", "objects.json", cwd=dir)
        return findings + validated.stdout.splitlines(), len(named)
