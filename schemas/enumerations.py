"""What an API server says of enumerations: the values of a field, each with what it means.

The published schemas leave them out, since a server makes them of the comments in Kubernetes' Go types
(`k8s.io/kube-openapi/pkg/generators/enum.go`): a type marked `+enum` has the values of its constants.
"""

import json
import re

from tables import modules

MODULE = "k8s.io/api@v0.36.0"
TYPE = re.compile(r"((?:^//[^\n]*\n)+)^type (\w+) string", re.M)
MARK = re.compile(r"^// ?\+enum\s*$", re.M)
VALUE = re.compile(r'((?:^\s*//[^\n]*\n)*)^\s+(\w+)\s+(\w+) += "([^"]*)"', re.M)
STRUCT = re.compile(r"^type (\w+) struct \{(.*?)^\}", re.M | re.S)
FIELD = re.compile(r'^\s+\w+\s+\*?(\w+)\s+`json:"(\w+)', re.M)


def meanings():
    """What stands behind the description of `<definition's short name>.<property>`."""
    found = {}
    for path in sorted(modules([MODULE])[MODULE].glob("*/v*/types.go")):
        source = path.read_text()
        values = {name: {} for comment, name in TYPE.findall(source) if MARK.search(comment)}
        for comment, name, kind, value in VALUE.findall(source):
            if kind in values:
                values[kind][value] = line(value, name, comment)
        for struct, body in STRUCT.findall(source):
            for kind, field in FIELD.findall(body):
                if values.get(kind):
                    lines = "\n".join(sorted(values[kind].values()))
                    found[f"{struct}.{field}"] = f"\n\nPossible enum values:\n{lines}"
    return found


def line(value, name, comment):
    """One value; the name of the constant that begins its comment is left out."""
    lines = (text.strip().removeprefix("//").strip() for text in comment.splitlines())
    words = " ".join(text for text in lines if not text.startswith("+"))
    meaning = " ".join(words.removeprefix(name).split())
    return f" - `{json.dumps(value)}` {meaning}".rstrip()
