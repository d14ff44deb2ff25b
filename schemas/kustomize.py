#!/usr/bin/env python3
"""Writes kustomize.bin: which lists kustomize merges, and by which keys; README.md gives the form.

    schemas/kustomize.py            # rewrites kustomize.bin
    schemas/kustomize.py --check    # exits with 1 when the file is not what it would write

kustomize holds the OpenAPI document of one Kubernetes version as protobuf, in the Go module `kyaml`.
`go` fetches the module and checks it against its checksum database.
"""

import sys

sys.dont_write_bytecode = True
from tables import main, modules  # noqa: E402

MODULE = "sigs.k8s.io/kustomize/kyaml@v0.21.1"
DOCUMENT = "openapi/kubernetesapi/v1_21_2/swagger.pb"


def document():
    return (modules([MODULE])[MODULE] / DOCUMENT).read_bytes()


def number(data, at):
    value, shift = 0, 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def fields(data):
    """The fields of a message: number -> [value]."""
    found, at = {}, 0
    while at < len(data):
        key, at = number(data, at)
        if key & 7 == 0:
            value, at = number(data, at)
        elif key & 7 == 1:
            value, at = data[at:at + 8], at + 8
        elif key & 7 == 2:
            size, at = number(data, at)
            value, at = data[at:at + size], at + size
        else:
            sys.exit(f"wire type {key & 7}")
        found.setdefault(key >> 3, []).append(value)
    return found


def named(data):
    """A list of named values, such as the properties of a schema."""
    for entry in fields(data).get(1, []):
        entry = fields(entry)
        yield entry[1][0].decode(), entry.get(2, [b""])[0]


def extensions(entries):
    """The vendor extensions of a message; their values are YAML of a simple kind."""
    found = {}
    for entry in entries:
        entry = fields(entry)
        found[entry[1][0].decode()] = fields(entry[2][0])[2][0].decode()
    return found


def simple_list(text):
    """The items of a YAML list of texts."""
    return [line.removeprefix("- ").strip().strip('"') for line in text.strip().splitlines()]


def kinds_of(text):
    """`apiVersion` and `kind` of every entry of `x-kubernetes-group-version-kind`."""
    entries, entry = [], {}
    for line in text.strip().splitlines():
        if line.startswith("- "):
            entry = {}
            entries.append(entry)
        elif not entries:
            entries.append(entry)
        key, value = line.removeprefix("- ").strip().split(":", 1)
        entry[key] = value.strip().strip('"')
    for entry in entries:
        group = entry.get("group", "")
        yield (f"{group}/" if group else "") + entry["version"], entry["kind"]


class Schema:
    def __init__(self, data):
        data = fields(data)
        self.ref = data[1][0].decode().removeprefix("#/definitions/") if data.get(1, [b""])[0] else None
        rules = extensions(data.get(31, []))
        self.kinds = list(kinds_of(rules.get("x-kubernetes-group-version-kind", "")))
        self.keys = None
        if "merge" in rules.get("x-kubernetes-patch-strategy", "").strip().split(","):
            key = rules.get("x-kubernetes-patch-merge-key", "").strip()
            self.keys = simple_list(rules.get("x-kubernetes-list-map-keys", key))
        self.fields = [(name, Schema(value)) for name, value in named(data.get(25, [b""])[0])]
        more = fields(data.get(21, [b""])[0]).get(1)
        if more:
            self.fields.append(("*", Schema(more[0])))
        items = fields(data.get(23, [b""])[0]).get(1)
        self.items = Schema(items[0]) if items else None


def table():
    top = fields(document())
    definitions = {name: Schema(value) for name, value in named(top[9][0])}
    merging = set()

    def merges(schema):
        """Whether a list merges somewhere inside."""
        if schema.ref:
            return schema.ref in merging
        return schema.keys is not None or any(merges(value) for _, value in schema.fields)

    count = -1
    while len(merging) != count:
        count = len(merging)
        merging.update(name for name, schema in definitions.items() if merges(schema))
    names = {name: index for index, name in enumerate(sorted(merging))}

    def reference(schema, where):
        """The number of the type that a schema refers to; `-` when no list merges in it."""
        if schema is None or not merges(schema):
            return "-"
        if schema.ref is None:
            sys.exit(f"{where} holds a type without a name")
        return names[schema.ref]

    kinds = {kind: names[name] for name in merging for kind in definitions[name].kinds}
    lines = []
    lines += [f"{version} {kind} {number}" for (version, kind), number in sorted(kinds.items())]
    for name in sorted(merging):
        lines.append(f"type {name}")
        for field, schema in sorted(definitions[name].fields):
            if not merges(schema):
                continue
            if schema.keys is None:
                lines.append(f"{field} {reference(schema, name)}")
            else:
                lines.append(f"{field} {reference(schema.items, name)} {','.join(schema.keys)}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main("kustomize", __doc__, table)
