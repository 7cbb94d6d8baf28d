#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 the Serin authors
# SPDX-License-Identifier: BSL-1.0
"""manifests.py [--fix] ROOT: the manifests of vcpkg have the form that `vcpkg format-manifest` gives them, and agree
with the rest of the project: the version, the features of the port, and what the libraries need."""

import json
import pathlib
import re
import sys

ORDER = ["$schema", "name", "version", "version-semver", "version-date", "version-string", "port-version", "maintainers",
         "summary", "description", "homepage", "documentation", "license", "supports", "builtin-baseline", "dependencies",
         "default-features", "features", "overrides", "vcpkg-configuration"]
DEPENDENCY_ORDER = ["name", "host", "default-features", "features", "platform", "version>="]
FEATURE_ORDER = ["description", "supports", "license", "dependencies"]


def in_order(value, order):
    unknown = set(value) - set(order)
    if unknown:
        sys.exit(f"manifests.py: unknown members: {' '.join(sorted(unknown))}")
    return {name: value[name] for name in order if name in value}


def name_of(dependency):
    return dependency if isinstance(dependency, str) else dependency["name"]


def dependencies(items):
    shaped = []
    for item in items:
        if isinstance(item, dict):
            item = in_order(item, DEPENDENCY_ORDER)
            if list(item) == ["name"]:
                item = item["name"]
        shaped.append(item)
    return sorted(shaped, key=name_of)


def formatted(text):
    manifest = in_order(json.loads(text), ORDER)
    if "dependencies" in manifest:
        manifest["dependencies"] = dependencies(manifest["dependencies"])
    features = manifest.get("features", {})
    for name, feature in features.items():
        features[name] = in_order(feature, FEATURE_ORDER)
        if "dependencies" in feature:
            features[name]["dependencies"] = dependencies(feature["dependencies"])
    if features:
        manifest["features"] = dict(sorted(features.items()))
    return json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"


def main(arguments):
    fix = "--fix" in arguments
    root = pathlib.Path(next(a for a in arguments if not a.startswith("--")))
    config = (root / "include/serin/core/config.hpp").read_text()
    version = re.search(r'define SERIN_VERSION "(.*)"', config).group(1)
    problems = []
    manifests = {}
    for name in ("vcpkg.json", "packaging/vcpkg/vcpkg.json"):
        path = root / name
        text = path.read_text()
        if fix:
            path.write_text(formatted(text))
        elif formatted(text) != text:
            problems.append(f"{name} is not formatted (--fix repairs it)")
        manifests[name] = json.loads(text)
        if manifests[name]["version"] != version:
            problems.append(f"{name} has another version than include/serin/core/config.hpp, {version}")
    own, port = manifests.values()
    if dependencies(own["dependencies"]) != [d for d in dependencies(port["dependencies"]) if not isinstance(d, dict)]:
        problems.append("vcpkg.json and the port's need different libraries")
    portfile = (root / "packaging/vcpkg/portfile.cmake").read_text()
    for feature in port["features"]:
        if not re.search(rf"^\s+{feature}\s+SERIN_", portfile, re.M):
            problems.append(f"the portfile does nothing about the feature {feature}")
    for problem in problems:
        print(f"manifests.py: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
