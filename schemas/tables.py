"""What the scripts that write tables from Go modules share: fetching, and the command line."""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import zlib

FOLDER = pathlib.Path(__file__).resolve().parent


def modules(wanted):
    """The folders of Go modules, by their names with versions."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["go", "mod", "download", "-json", *wanted]
        text = subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder).stdout
    decoder, at, found = json.JSONDecoder(), 0, {}
    while at < len(text.rstrip()):
        module, at = decoder.raw_decode(text, at)
        found[f"{module['Path']}@{module['Version']}"] = pathlib.Path(module["Dir"])
        at += len(text[at:]) - len(text[at:].lstrip())
    return found


def main(name, description, table):
    """Writes the text of `table` to NAME.bin, or compares the two."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    options = parser.parse_args()
    file, text = FOLDER / f"{name}.bin", table().encode()
    if options.check:
        if zlib.decompress(file.read_bytes()) != text:
            sys.exit(f"{file.name} is not what schemas/{name}.py writes")
        return
    file.write_bytes(zlib.compress(text, 9))
    print(f"{file.name}: {file.stat().st_size} bytes")
