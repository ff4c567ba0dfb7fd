"""The relay's own word on every configuration: `uturn --check` with the environment and the files that the pod would have."""

import base64
import os
import tempfile

from objects import of_kind, relay_pods, title
from tools import RELAY, ROOT, run

FIELDS = {
    "status.podIP": "10.244.0.5",
    "status.hostIP": "192.168.7.5",
    "metadata.name": "stunner-0",
    "metadata.namespace": "media",
    "spec.nodeName": "node-1",
}
# What a Secret that a user brings holds.
BROUGHT = "a-value-of-the-user-s-own"


def certificate(dir):
    """tls.crt and tls.key, as cert-manager writes them."""
    run(
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", "/CN=turn.example.com",
        "-addext", "subjectAltName=DNS:turn.example.com", "-keyout", os.path.join(dir, "tls.key"), "-out", os.path.join(dir, "tls.crt"),
    )  # fmt: skip


def data_of(one):
    plain = {key: base64.b64decode(value).decode() for key, value in (one.get("data") or {}).items()} if one["kind"] == "Secret" else one.get("data")
    return {**(plain or {}), **(one.get("stringData") or {})}


def environment(objects, spec):
    """The variables of a pod's first container."""
    sources = {(one["kind"], one["metadata"]["name"]): data_of(one) for one in of_kind(objects, "ConfigMap", "Secret")}
    variables = {}
    main = spec["containers"][0]
    for source in main.get("envFrom", []):
        kind = "ConfigMap" if "configMapRef" in source else "Secret"
        reference = source.get("configMapRef") or source["secretRef"]
        variables |= {} if reference.get("optional") else sources[kind, reference["name"]]
    for variable in main.get("env", []):
        origin = variable.get("valueFrom", {})
        if "fieldRef" in origin:
            variables[variable["name"]] = FIELDS[origin["fieldRef"]["fieldPath"]]
        elif "secretKeyRef" in origin:
            variables[variable["name"]] = BROUGHT
        else:
            variables[variable["name"]] = variable["value"]
    return variables


def lay_files(objects, spec, dir):
    """The pod's volumes, as files under `dir`; returns {path in the pod: path here}."""
    volumes = {volume["name"]: volume for volume in spec.get("volumes", [])}
    maps = {one["metadata"]["name"]: one for one in of_kind(objects, "ConfigMap")}
    paths = {}
    for mount in spec["containers"][0].get("volumeMounts", []):
        volume = volumes[mount["name"]]
        paths[mount["mountPath"]] = place = os.path.join(dir, mount["name"])
        os.mkdir(place)
        if "configMap" in volume:
            for key, text in maps[volume["configMap"]["name"]]["data"].items():
                with open(os.path.join(place, key), "w", encoding="utf-8") as file:
                    file.write(text)
        elif "secret" in volume:
            certificate(place)
    return paths


def moved(text, paths):
    for inside, outside in paths.items():
        text = text.replace(f'"{inside}/', f'"{outside}/')
    return text


def prepare(objects, spec, dir):
    """The command and the environment of a pod's relay, on this machine: its files lie under `dir`."""
    paths = lay_files(objects, spec, dir)
    config = os.path.join(paths["/etc/uturn"], "uturn.json")
    with open(config, encoding="utf-8") as file:
        text = file.read()
    with open(config, "w", encoding="utf-8") as file:
        file.write(moved(text, paths))
    main = spec["containers"][0]
    arguments = [config if one == "/etc/uturn/uturn.json" else one for one in main.get("args", [])]
    return [RELAY, *arguments], environment(objects, spec)


def job_findings(objects):
    """The Jobs' command lines: outside of a cluster the relay says that there is none (1), and not that they are wrong (2)."""
    for one in of_kind(objects, "Job"):
        main = one["spec"]["template"]["spec"]["containers"][0]
        tried = run(RELAY, *main["args"], check=False, env={})
        if main["command"] != ["uturn"] or tried.returncode != 1:
            yield f"{title(one)}: status {tried.returncode}: {tried.stderr.strip()}"


def dataplane_findings(objects):
    """A Dataplane's command line, as STUNner's operator passes it on; the configuration is another."""
    for one in of_kind(objects, "Dataplane"):
        config = os.path.join(ROOT, "docs/examples/native.json")
        tried = run(RELAY, *one["spec"]["args"], "--dry-run", "-c", f"file://{config}", check=False, env={})
        if one["spec"]["command"] != ["stunnerd"] or tried.returncode != 0:
            yield f"{title(one)}: status {tried.returncode}: {tried.stderr.strip()}"


def relay_findings(objects):
    """What `uturn --check` says against the configurations of a rendering: mistakes, and warnings too."""
    yield from job_findings(objects)
    yield from dataplane_findings(objects)
    for one, _, spec in relay_pods(objects):
        with tempfile.TemporaryDirectory(prefix="uturn-config-") as dir:
            command, variables = prepare(objects, spec, dir)
            checked = run(*command, "--check", env=variables, check=False)
            said = (checked.stdout + checked.stderr).strip().splitlines()
            if checked.returncode != 0 or len(said) != 1 or not said[0].startswith("OK: "):
                yield f"{title(one)}: {' / '.join(said)}"
