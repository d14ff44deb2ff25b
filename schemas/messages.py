#!/usr/bin/env python3
"""Writes messages.bin: how Kubernetes' protobuf messages map to JSON; README.md gives the form.

    schemas/messages.py            # rewrites messages.bin
    schemas/messages.py --check    # exits with 1 when the file is not what it would write

The numbers of fields come from the `generated.proto` files of Kubernetes' Go modules, their names in
JSON, and whether a zero value is left out, from the tags of the Go types beside them. `go` fetches the
modules and checks them against its checksum database.
"""

import re
import sys

sys.dont_write_bytecode = True
from tables import main, modules  # noqa: E402

MODULES = ["k8s.io/api@v0.36.0", "k8s.io/apimachinery@v0.36.0"]
PACKAGES = [
    ("k8s.io/apimachinery@v0.36.0", "pkg/api/resource", ""),
    ("k8s.io/apimachinery@v0.36.0", "pkg/apis/meta/v1", "meta.k8s.io/v1"),
    ("k8s.io/apimachinery@v0.36.0", "pkg/runtime", ""),
    ("k8s.io/apimachinery@v0.36.0", "pkg/util/intstr", ""),
    ("k8s.io/api@v0.36.0", "core/v1", "v1"),
    ("k8s.io/api@v0.36.0", "apps/v1", "apps/v1"),
    ("k8s.io/api@v0.36.0", "authentication/v1", "authentication.k8s.io/v1"),
    ("k8s.io/api@v0.36.0", "authorization/v1", "authorization.k8s.io/v1"),
    ("k8s.io/api@v0.36.0", "autoscaling/v1", "autoscaling/v1"),
    ("k8s.io/api@v0.36.0", "batch/v1", "batch/v1"),
    ("k8s.io/api@v0.36.0", "coordination/v1", "coordination.k8s.io/v1"),
    ("k8s.io/api@v0.36.0", "networking/v1", "networking.k8s.io/v1"),
    ("k8s.io/api@v0.36.0", "policy/v1", "policy/v1"),
    ("k8s.io/api@v0.36.0", "rbac/v1", "rbac.authorization.k8s.io/v1"),
]
SCALARS = {
    "string": "s", "bool": "b", "int32": "i", "int64": "i", "uint32": "i", "uint64": "i",
    "bytes": "y", "double": "d",
}
FIELD = re.compile(
    r"^  (?:(optional|repeated|required) )?(map<string, *([\w.]+)>|[\w.]+) (\w+) = (\d+);", re.M)
MESSAGE = re.compile(r"^message (\w+) \{(.*?)^\}", re.M | re.S)
STRUCT = re.compile(r"^type (\w+) struct \{(.*?)^\}", re.M | re.S)
LISTS = re.compile(r"^type (\w+) \[\]", re.M)
TAGGED = re.compile(r"^\s+(?:\w+\s+)?([\w.*\[\]]+)\s+`([^`]*)`", re.M)


def tags(folder):
    """(struct, field number) -> (JSON name or None when inline, a zero value is left out)."""
    found, lists = {}, set()
    for path in sorted(folder.glob("*.go")):
        if path.name.endswith("_test.go") or path.name.startswith("generated."):
            continue
        source = path.read_text()
        lists |= set(LISTS.findall(source))
        for struct, body in STRUCT.findall(source):
            for kind, tag in TAGGED.findall(body):
                wire = re.search(r'protobuf:"\w+,(\d+),', tag)
                name = re.search(r'json:"([^"]*)"', tag)
                if not wire or not name:
                    continue
                name, *options = name[1].split(",")
                leaves_out = bool({"omitempty", "omitzero"} & set(options)) and not kind.startswith("*")
                found[struct, int(wire[1])] = (None if "inline" in options else name, leaves_out)
    return found, lists


def code(kind, package):
    if kind in SCALARS:
        return SCALARS[kind]
    name = kind.lstrip(".")
    return "m" + (openapi(name) if "." in name else f"{package}.{name}")


def openapi(name):
    return re.sub(r"^k8s\.io\.", "io.k8s.", name)


def table():
    lines, folders = [], modules(MODULES)
    for module, path, version in PACKAGES:
        folder = folders[module] / path
        proto = (folder / "generated.proto").read_text()
        package = openapi(re.search(r"^package ([\w.]+);", proto, re.M)[1])
        lines.append(f"package {package} {version}".rstrip())
        known, lists = tags(folder)
        for message, body in MESSAGE.findall(proto):
            lines.append(f"message {message}" + (" list" if message in lists else ""))
            for label, kind, values, name, number in FIELD.findall(body):
                number = int(number)
                name, leaves_out = known.get((message, number), (name, False))
                many = "map " if values else "list " if label == "repeated" else ""
                flag = "inline" if name is None else "omit" if leaves_out else "keep"
                lines.append(f"{number} {name or '-'} {flag} {many}{code(values or kind, package)}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main("messages", __doc__, table)
