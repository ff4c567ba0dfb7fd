#!/usr/bin/python3
"""Checks the container image: what is in it, and that it relays as a container under every restriction of a hardened pod.

Called by tests/image/run, in a mount namespace of its own. What cannot run here is a failure.
"""

import argparse
import gzip
import hashlib
import json
import pathlib
import re
import resource
import subprocess
import sys
import tarfile
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMPRESSED_MAX = 5000000
PROFILE = ROOT / "k8s/seccomp/uturn.json"
NAMES = ("uturn", "stunnerd", "turncat", "uturn-bench")

CONFIG = {
    "version": "v1",
    "admin": {"name": "image", "healthcheck_endpoint": "http://:8086", "metrics_endpoint": "http://:8080/metrics"},
    "auth": {"type": "static", "credentials": {"username": "user", "password": "pass"}},
    "listeners": [
        {"name": "udp", "protocol": "TURN-UDP", "port": 3478, "routes": ["loopback"]},
        {"name": "tcp", "protocol": "TURN-TCP", "port": 3478, "routes": ["loopback"]},
    ],
    "clusters": [{"name": "loopback", "type": "STATIC", "endpoints": ["127.0.0.0/8"]}],
}


def say(text):
    print(f"image: {text}", flush=True)


def run(*command, **options):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=120, **options)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}: status {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return done.stdout


class Archive:
    """An OCI archive with one image."""

    def __init__(self, path):
        self.tar = tarfile.open(path)
        index = self.json("index.json")
        assert len(index["manifests"]) == 1, index
        self.manifest = self.blob_json(index["manifests"][0])
        self.config = self.blob_json(self.manifest["config"])

    def read(self, name):
        return self.tar.extractfile(name).read()

    def json(self, name):
        return json.loads(self.read(name))

    def blob(self, descriptor):
        algorithm, digest = descriptor["digest"].split(":")
        data = self.read(f"blobs/{algorithm}/{digest}")
        assert hashlib.sha256(data).hexdigest() == digest, f"{digest} is not what it says"
        return data

    def blob_json(self, descriptor):
        return json.loads(self.blob(descriptor))

    def files(self):
        """{path: (tar member, content)} of all layers."""
        found = {}
        for layer in self.manifest["layers"]:
            with tempfile.TemporaryFile() as file:
                file.write(gzip.decompress(self.blob(layer)))
                file.seek(0)
                with tarfile.open(fileobj=file) as tar:
                    for member in tar:
                        content = tar.extractfile(member).read() if member.isfile() else b""
                        found[member.name.strip("./")] = member, content
        return found


def check_size(archive):
    compressed = sum(layer["size"] for layer in archive.manifest["layers"])
    say(f"{compressed} bytes compressed, in {len(archive.manifest['layers'])} layer(s)")
    assert compressed <= COMPRESSED_MAX, f"{compressed} bytes compressed: at most {COMPRESSED_MAX}"


def check_config(archive):
    config = archive.config["config"]
    assert config["User"] == "65532:65532", config["User"]
    assert config["StopSignal"] == "SIGTERM", config
    assert "PATH=/usr/bin" in config["Env"], config["Env"]
    assert not config.get("Entrypoint"), "an entry point: the operator's command would become its argument"
    assert config["Cmd"] == ["uturn"], config["Cmd"]
    assert {"3478/udp", "3478/tcp", "5349/udp", "5349/tcp", "8080/tcp", "8086/tcp"} == set(config["ExposedPorts"]), config["ExposedPorts"]
    labels = config["Labels"]
    for name in ("title", "description", "version", "revision", "source", "licenses"):
        assert labels.get("org.opencontainers.image." + name), f"no label {name}"
    assert re.fullmatch("[0-9a-f]{40}", labels["org.opencontainers.image.revision"]), labels


def check_program(files):
    member, content = files["usr/bin/uturn"]
    assert content[:4] == b"\x7fELF", "no ELF"
    assert int.from_bytes(content[16:18], "little") == 3, "not position-independent: its addresses are no secret"
    assert b"/ld-linux" not in content[:4096], "it asks for a dynamic linker"
    for name in NAMES[1:]:
        assert files["usr/bin/" + name][0].linkname == "uturn", f"{name} is no link"


def check_files(files):
    for path, (member, _) in files.items():
        assert member.uid == member.gid == 0, f"{path} belongs to {member.uid}:{member.gid}"
        assert member.mode & 0o6022 == 0 or member.issym(), f"{path} has mode {member.mode:o}"
    programs = sorted(path for path, (member, _) in files.items() if member.isfile() and member.mode & 0o111)
    assert programs == ["usr/bin/uturn"], f"more programs than one: {programs}"
    assert b"BEGIN CERTIFICATE" in files["etc/ssl/certs/ca-certificates.crt"][1]
    assert json.loads(re.sub(rb": \$\w+", b": 1", files["stunnerd.conf"][1]))["version"] == "v1alpha1"


def check_sbom(archive, files):
    """SPDX 2.3, Section by Section as far as it is used."""
    document = json.loads(files["usr/share/sbom.spdx.json"][1])
    assert document["spdxVersion"] == "SPDX-2.3" and document["dataLicense"] == "CC0-1.0" and document["SPDXID"] == "SPDXRef-DOCUMENT"
    assert document["documentNamespace"].startswith("https://") and "#" not in document["documentNamespace"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", document["creationInfo"]["created"])
    assert all(re.match("(Tool|Person|Organization): ", creator) for creator in document["creationInfo"]["creators"])
    packages = {package["SPDXID"]: package for package in document["packages"]}
    assert len(packages) == len(document["packages"]), "an identifier twice"
    for identifier, package in packages.items():
        assert re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", identifier), identifier
        assert package["name"] and package["versionInfo"] and package["downloadLocation"], package
        assert package["filesAnalyzed"] is False, package
        for reference in package.get("externalRefs", []):
            assert reference["referenceType"] == "purl" and reference["referenceLocator"].startswith("pkg:deb/debian/"), reference
    known = {"SPDXRef-DOCUMENT", *packages}
    for relationship in document["relationships"]:
        assert {relationship["spdxElementId"], relationship["relatedSpdxElement"]} <= known, relationship
    names = {package["name"] for package in packages.values()}
    missing = {"uturn", "libc6-dev", "libssl-dev", "libmbedtls-dev", "liburing-dev", "libevent-dev", "libseccomp-dev", "libjansson-dev"} - names
    assert not missing, f"not in the list: {missing}"
    checksum = packages["SPDXRef-Package-uturn"]["checksums"][0]["checksumValue"]
    assert checksum == hashlib.sha256(files["usr/bin/uturn"][1]).hexdigest(), "it describes another program"
    assert packages["SPDXRef-Package-uturn"]["versionInfo"] == archive.config["config"]["Labels"]["org.opencontainers.image.version"]


class Container:
    """Read-only, user 65532, no capability, no new privileges, no network but loopback, and a seccomp profile (None: podman's)."""

    def __init__(self, podman, image, name, profile, folder):
        self.podman, self.name = podman, name
        _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
        arguments = ["--cgroups", "disabled", "--network", "none", "--read-only", "--read-only-tmpfs=false", "--cap-drop", "all",
                     "--security-opt", "no-new-privileges", "--ulimit", f"nofile={files}:{files}", "--ulimit", "nproc=1000:1000",
                     "--volume", f"{folder}:/etc/uturn:ro"]
        if profile is not None:
            arguments += ["--security-opt", f"seccomp={profile}"]
        run(podman, "run", "--detach", "--name", name, *arguments, image, "stunnerd", "-c", "file:///etc/uturn/uturn.json")
        self.pid = int(run(podman, "inspect", name, "--format", "{{.State.Pid}}"))
        assert self.pid > 0, self.log()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        run(self.podman, "rm", "--force", "--time", "3", self.name)

    def log(self):
        done = subprocess.run([self.podman, "logs", self.name], capture_output=True, text=True, timeout=30)
        return done.stdout + done.stderr

    def status_of_process(self):
        return dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines() if ":\t" in line)

    def get(self, path, port=8086):
        return run("nsenter", f"--net=/proc/{self.pid}/ns/net", "curl", "-sf", "--max-time", "3", f"http://127.0.0.1:{port}{path}")

    def wait_until_ready(self):
        end = time.monotonic() + 15
        while True:
            try:
                return self.get("/ready")
            except AssertionError:
                assert time.monotonic() < end, f"not ready:\n{self.log()}"
                time.sleep(0.1)

    def bench(self, *arguments):
        command = [self.podman, "exec", "--env", "UTURN_BENCH_PASSWORD=pass", self.name, "uturn-bench", *arguments, "--json", "--quiet"]
        return json.loads(run(*command))


def check_container(podman, image, name, profile, engine):
    with tempfile.TemporaryDirectory(prefix="uturn-image-") as folder:
        pathlib.Path(folder).chmod(0o755)
        (pathlib.Path(folder) / "uturn.json").write_text(json.dumps(CONFIG))
        with Container(podman, image, name, profile, folder) as container:
            container.wait_until_ready()
            process = container.status_of_process()
            assert process["Uid"].split() == ["65532"] * 4, process["Uid"]
            assert int(process["CapBnd"], 16) == int(process["CapEff"], 16) == 0, "capabilities"
            assert process["NoNewPrivs"] == "1" and process["Seccomp"] == "2" and int(process["Seccomp_filters"]) == 2, process
            status = json.loads(container.get("/status"))["uturn"]
            assert status["engine"] == engine, status
            assert status["lockdown"]["system_calls"] > 60, status
            for transport in ("udp", "tcp"):
                relays(container, transport)
            assert "uturn_" in container.get("/metrics", 8080)
            run(podman, "stop", "--time", "10", name)
            exit_code = run(podman, "inspect", name, "--format", "{{.State.ExitCode}}").strip()
            assert exit_code == "0", f"SIGTERM, and status {exit_code}:\n{container.log()}"
    say(f"a container with {'podman’s default' if profile is None else profile.name} relays: {engine}, {status['lockdown']}")


def relays(container, transport):
    document = container.bench("flood", "-t", f"turn:127.0.0.1:3478?transport={transport}", "-u", "user", "--flows", "4", "--rate", "4000",
                               "--seconds", "2")
    (result,) = document["results"]
    delivered = result["packets"]["delivered"]
    assert delivered > 5000, result


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--podman", required=True)
    parser.add_argument("--image", required=True)
    parser.add_argument("--archive", required=True)
    options = parser.parse_args()
    archive = Archive(options.archive)
    files = archive.files()
    check_size(archive)
    check_config(archive)
    check_program(files)
    check_files(files)
    check_sbom(archive, files)
    say("size, configuration, files and list of contents are right")
    check_container(options.podman, options.image, "uturn-runtime-default", None, "epoll")
    check_container(options.podman, options.image, "uturn-localhost", PROFILE, "io_uring")


if __name__ == "__main__":
    sys.exit(main())
