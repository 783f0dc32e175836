#!/usr/bin/env python3
"""Writes what samlgate is made of, as CycloneDX 1.5, to standard output: every crate of the lock file that is built into the program on Linux.

    deploy/sbom.py > samlgate.cdx.json
"""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def metadata(*arguments):
    command = ["cargo", "metadata", "--locked", "--format-version", "1", *arguments]
    return json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)


def built(resolve):
    """The packages that the program needs, at run time or to be built: not those of its tests."""
    nodes = {node["id"]: node for node in resolve["nodes"]}
    found, waiting = set(), [resolve["root"]]
    while waiting:
        package = waiting.pop()
        if package not in found:
            found.add(package)
            needed = nodes[package]["deps"]
            waiting += [dep["pkg"] for dep in needed if any(kind["kind"] in (None, "build") for kind in dep["dep_kinds"])]
    return found, nodes


def component(package, checksums):
    purl = f"pkg:cargo/{package['name']}@{package['version']}"
    made = {"type": "library", "bom-ref": purl, "name": package["name"], "version": package["version"], "purl": purl}
    if package.get("license"):
        made["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
    if checksum := checksums.get((package["name"], package["version"])):
        made["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    if (package.get("repository") or "").startswith("https://"):
        made["externalReferences"] = [{"type": "vcs", "url": package["repository"]}]
    return made


def checksums():
    """What the lock file says of each crate."""
    found, name, version = {}, None, None
    for line in (ROOT / "Cargo.lock").read_text().splitlines():
        key, _, value = line.partition(" = ")
        value = value.strip('"')
        if key == "name":
            name = value
        elif key == "version":
            version = value
        elif key == "checksum":
            found[name, version] = value
    return found


def main():
    told = metadata("--filter-platform", "x86_64-unknown-linux-gnu")
    needed, nodes = built(told["resolve"])
    packages = {package["id"]: package for package in told["packages"] if package["id"] in needed}
    of_lock = checksums()
    components = {package: component(packages[package], of_lock) for package in packages}
    root = components.pop(told["resolve"]["root"]) | {"type": "application"}
    ref = {package: made["bom-ref"] for package, made in components.items()} | {told["resolve"]["root"]: root["bom-ref"]}
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": root},
        "components": sorted(components.values(), key=lambda made: made["bom-ref"]),
        "dependencies": sorted(
            ({"ref": ref[package], "dependsOn": sorted({ref[dep] for dep in nodes[package]["dependencies"] if dep in ref})} for package in needed),
            key=lambda made: made["ref"],
        ),
    }
    json.dump(document, sys.stdout, indent=1)
    print()


main()
