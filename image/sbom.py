#!/usr/bin/python3
"""Writes what is in the image as an SPDX 2.3 document: the program, and the Debian packages whose static libraries it was linked with.

The link map names the libraries, dpkg their packages. The same inputs give the same bytes.
"""

import argparse
import datetime
import hashlib
import json
import os
import pathlib
import re
import subprocess

# "/usr/lib/x86_64-linux-gnu/libssl.a(ssl_lib.o)", or a start-up object of the C library or compiler.
LINKED = re.compile(r"^(?:LOAD )?(/usr/[^\s(]+\.(?:a|o))", re.MULTILINE)
SPDX_ID = re.compile(r"[^A-Za-z0-9.-]")


def linked_files(map_text):
    """Those of which something was taken: every archive member is named in front of the reason for it."""
    return sorted({os.path.realpath(path) for path in LINKED.findall(map_text.split("Discarded input sections")[0])}
                  | {os.path.realpath(path) for path in re.findall(r"^LOAD (/usr/\S+\.o)$", map_text, re.MULTILINE)})


def package_of(path):
    for candidate in (path, path.removeprefix("/usr")):
        found = subprocess.run(["dpkg-query", "-S", candidate], capture_output=True, text=True)
        if found.returncode == 0:
            return found.stdout.split(": ")[0].split(":")[0]
    raise SystemExit(f"sbom.py: {path} belongs to no Debian package")


def about(package):
    form = "${binary:Package}\t${Version}\t${Architecture}\t${source:Package}\t${source:Version}\t${Maintainer}\t${Homepage}\n"
    line = subprocess.run(["dpkg-query", "-W", "-f", form, package], check=True, capture_output=True, text=True).stdout.splitlines()[0]
    name, *rest = line.split("\t")
    return (name.split(":")[0], *rest)


def debian_package(package):
    name, version, architecture, source, source_version, maintainer, homepage = about(package)
    return {
        "SPDXID": "SPDXRef-Package-" + SPDX_ID.sub("-", name),
        "name": name,
        "versionInfo": version,
        "supplier": "Organization: " + maintainer,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": "NOASSERTION",
        "copyrightText": "NOASSERTION",
        "homepage": homepage or "NOASSERTION",
        "sourceInfo": f"built from the Debian source package {source} {source_version}",
        "externalRefs": [
            {
                "referenceCategory": "PACKAGE-MANAGER",
                "referenceType": "purl",
                "referenceLocator": f"pkg:deb/debian/{name}@{version.replace('+', '%2B')}?arch={architecture}&distro=debian-13",
            }
        ],
    }


def uturn(options):
    digest = hashlib.sha256(pathlib.Path(options.program).read_bytes()).hexdigest()
    return {
        "SPDXID": "SPDXRef-Package-uturn",
        "name": "uturn",
        "versionInfo": options.version,
        "supplier": "NOASSERTION",
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "licenseConcluded": "MIT",
        "licenseDeclared": "MIT",
        "copyrightText": "NOASSERTION",
        "sourceInfo": f"revision {options.revision}",
        "primaryPackagePurpose": "APPLICATION",
        "checksums": [{"algorithm": "SHA256", "checksumValue": digest}],
    }


def relationship(element, kind, other):
    return {"spdxElementId": element, "relationshipType": kind, "relatedSpdxElement": other}


def document(options):
    linked = sorted({package_of(path) for path in linked_files(pathlib.Path(options.map).read_text())})
    program = uturn(options)
    parts = {name: debian_package(name) for name in sorted({*linked, *options.extra})}
    created = datetime.datetime.fromtimestamp(options.epoch, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    relationships = [relationship("SPDXRef-DOCUMENT", "DESCRIBES", program["SPDXID"])]
    relationships += [relationship(program["SPDXID"], "STATIC_LINK", parts[name]["SPDXID"]) for name in linked]
    relationships += [relationship("SPDXRef-DOCUMENT", "DESCRIBES", parts[name]["SPDXID"]) for name in options.extra]
    packages = [program, *parts.values()]
    identity = hashlib.sha256(json.dumps(packages, sort_keys=True).encode()).hexdigest()
    return {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"uturn-{options.version}",
        "documentNamespace": f"https://spdx.org/spdxdocs/uturn-{options.version}-{identity}",
        "creationInfo": {"created": created, "creators": ["Tool: uturn-image-sbom"]},
        "packages": packages,
        "relationships": relationships,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--version", required=True)
    parser.add_argument("--revision", required=True)
    parser.add_argument("--epoch", type=int, required=True)
    parser.add_argument("--map", required=True)
    parser.add_argument("--program", required=True)
    parser.add_argument("--extra", action="append", default=[])
    print(json.dumps(document(parser.parse_args()), indent=1))


if __name__ == "__main__":
    main()
