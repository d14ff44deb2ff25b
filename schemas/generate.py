#!/usr/bin/env python3
"""Writes the embedded Kubernetes schemas; README.md says where they come from and in which form.

    schemas/generate.py            # rewrites kubernetes.bin and descriptions.bin
    schemas/generate.py --check    # exits with 1 when the files are not what it would write
    schemas/generate.py --wheel F  # takes the wheel from a file instead of the registry
"""

import argparse
import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile
import zipfile
import zlib

sys.dont_write_bytecode = True
from additions import DEFAULTS, ENUMS  # noqa: E402
from enumerations import meanings  # noqa: E402

PACKAGE = "kubernetes-validate==1.37.0"
SHA256 = "85136d018a27b50ec7fc049d902bfa5193f5976807e6c0f408e3ab6fe078cad9"
VERSIONS = [f"1.{minor}" for minor in range(25, 38)]
DESCRIBED = "1.36"
FOLDER = pathlib.Path(__file__).resolve().parent

KINDS = {"object": 1, "string": 2, "integer": 3, "number": 4, "boolean": 5, "array": 6}
ANY, REFERENCE, INT_OR_STRING, QUANTITY = 0, 7, 8, 9

FORMAT, ENUM, ADDITIONAL, LIST_TYPE, MERGE_KEY = 1, 2, 4, 8, 16
RETAIN_KEYS, ATOMIC_MAP, DEFAULT, MERGE = 32, 64, 128, 256
LIST_TYPES = {"atomic": 0, "set": 1, "map": 2}

# Parts of a schema that need no code of their own. Anything else stops the generator, so that a
# new release cannot bring a rule that is silently lost.
IGNORED = {"description", "x-kubernetes-unions"}
KNOWN = IGNORED | {
    "$ref", "type", "format", "enum", "default", "items", "properties", "required",
    "additionalProperties", "oneOf", "x-kubernetes-list-type", "x-kubernetes-list-map-keys",
    "x-kubernetes-patch-strategy", "x-kubernetes-patch-merge-key", "x-kubernetes-map-type",
    "x-kubernetes-group-version-kind",
}


def varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def text(value):
    data = value.encode()
    return varint(len(data)) + data


class Table:
    """Gives each text a number, in the order of their first use."""

    def __init__(self):
        self.numbers = {}

    def __getitem__(self, value):
        return varint(self.numbers.setdefault(value, len(self.numbers)))

    def encode(self):
        return varint(len(self.numbers)) + b"".join(map(text, self.numbers))


class Encoder:
    def __init__(self):
        self.names, self.strings = Table(), Table()
        self.unused = set(ENUMS) | set(DEFAULTS)

    def definition(self, name, schema):
        """The kinds that a definition is the root of, and its body."""
        kinds = schema.get("x-kubernetes-group-version-kind", [])
        root = varint(len(kinds))
        for gvk in kinds:
            group, version, kind = gvk["group"], gvk["version"], gvk["kind"]
            root += self.strings[f"{group}/{version}" if group else version] + self.strings[kind]
        body = self.body(name, schema)
        return root + varint(len(body)) + body

    def body(self, name, schema):
        short = name.rsplit(".", 1)[1]
        if short in ("Quantity", "IntOrString") and "properties" not in schema:
            # the wheel writes both as `oneOf`, which loses that numbers may be quantities
            return varint(QUANTITY if short == "Quantity" else INT_OR_STRING) + varint(0)
        return self.node(schema, short)

    def addition(self, table, where):
        self.unused.discard(where)
        return table.get(where)

    def node(self, schema, where):
        unknown = set(schema) - KNOWN
        if unknown:
            sys.exit(f"{where}: the generator does not know {sorted(unknown)}")
        kind, flags, parts = ANY, 0, b""
        if "$ref" in schema:
            kind = REFERENCE
            tail = self.names[schema["$ref"].rsplit("/", 1)[1]]
        else:
            kinds = schema.get("type", [])
            kinds = [kinds] if isinstance(kinds, str) else [k for k in kinds if k != "null"]
            if len(kinds) > 1 or "oneOf" in schema:
                sys.exit(f"{where}: more than one type")
            kind, tail = (KINDS[kinds[0]] if kinds else ANY), b""
        if "format" in schema:
            flags, parts = flags | FORMAT, parts + self.strings[schema["format"]]
        # the wheel adds the texts of apiVersion and kind; looking the kind up has checked them
        enum = self.addition(ENUMS, where)
        if enum:
            flags |= ENUM
            parts += varint(len(enum)) + b"".join(self.strings[value] for value in enum)
        if isinstance(schema.get("additionalProperties"), dict):
            flags |= ADDITIONAL
            parts += self.node(schema["additionalProperties"], where + "{}")
        if "x-kubernetes-list-type" in schema:
            flags |= LIST_TYPE
            keys = schema.get("x-kubernetes-list-map-keys", [])
            parts += varint(LIST_TYPES[schema["x-kubernetes-list-type"]])
            parts += varint(len(keys)) + b"".join(self.strings[key] for key in keys)
        if "x-kubernetes-patch-merge-key" in schema:
            flags |= MERGE_KEY
            parts += self.strings[schema["x-kubernetes-patch-merge-key"]]
        default = self.addition(DEFAULTS, where)
        if default:
            flags, parts = flags | DEFAULT, parts + self.strings[default]
        strategy = schema.get("x-kubernetes-patch-strategy", "").split(",")
        flags |= RETAIN_KEYS * ("retainKeys" in strategy) | MERGE * ("merge" in strategy)
        flags |= ATOMIC_MAP * (schema.get("x-kubernetes-map-type") == "atomic")
        if kind == KINDS["object"]:
            required = set(schema.get("required", []))
            properties = sorted(schema.get("properties", {}).items())
            tail += varint(len(properties))
            for key, value in properties:
                tail += self.strings[key] + varint(key in required)
                tail += self.node(value, f"{where}.{key}")
        if kind == KINDS["array"]:
            tail += self.node(schema["items"], where + "[]")
        return varint(kind) + varint(flags) + parts + tail


def definitions(wheel, version):
    path = f"kubernetes_validate/kubernetes-json-schema/v{version}.0-local/_definitions.json"
    return json.loads(wheel.read(path))["$defs"]


def schemas(releases):
    """Every distinct definition once, each with the set of releases that have it."""
    encoder, bodies = Encoder(), {}
    for index, version in enumerate(VERSIONS):
        for name, schema in sorted(releases[version].items()):
            encoder.names[name]
            body = encoder.definition(name, schema)
            bodies[name, body] = bodies.get((name, body), 0) | 1 << index
    if encoder.unused:
        sys.exit(f"additions.py: nothing has {sorted(encoder.unused)}")
    out = varint(len(VERSIONS)) + b"".join(map(text, VERSIONS))
    out += encoder.names.encode() + encoder.strings.encode() + varint(len(bodies))
    for (name, body), mask in sorted(bodies.items(), key=lambda item: item[0]):
        out += encoder.names[name] + varint(mask) + body
    return out


def descriptions(release):
    """Texts of one release in a table, then for each definition its own and its properties'."""
    texts, out, possible = Table(), varint(len(release)), meanings()
    texts[""]
    for name, schema in sorted(release.items()):
        properties = sorted(schema.get("properties", {}).items())
        out += text(name) + texts[schema.get("description", "")] + varint(len(properties))
        short = name.rsplit(".", 1)[1]
        for key, value in properties:
            said = value.get("description", "")
            out += texts[said + possible.get(f"{short}.{key}", "") if said else ""]
    return text(DESCRIBED) + texts.encode() + out


def download(folder):
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder]
    subprocess.run([*command, PACKAGE], check=True)
    return next(pathlib.Path(folder).glob("*.whl"))


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    arguments.add_argument("--check", action="store_true")
    arguments.add_argument("--wheel", type=pathlib.Path)
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = options.wheel or download(folder)
        if hashlib.sha256(path.read_bytes()).hexdigest() != SHA256:
            sys.exit(f"{path}: not the wheel that is pinned here")
        with zipfile.ZipFile(path) as wheel:
            releases = {version: definitions(wheel, version) for version in VERSIONS}
    files = {"kubernetes.bin": schemas(releases), "descriptions.bin": descriptions(releases[DESCRIBED])}
    stale = False
    for name, data in files.items():
        target = FOLDER / name
        if options.check:
            # compressors differ from one zlib to the next, what they hold must not
            same = target.exists() and zlib.decompress(target.read_bytes()) == data
            print(f"{name}: {'as generated' if same else 'STALE'}")
            stale |= not same
        else:
            packed = zlib.compress(data, 9)
            target.write_bytes(packed)
            print(f"{name}: {len(data)} bytes, {len(packed)} compressed")
    sys.exit(stale)


if __name__ == "__main__":
    main()
