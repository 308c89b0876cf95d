#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Proves that the arrows between folders hold: what a folder of the library includes stands in it or below
it, c-ares and libconfig are known where they belong, and nobody outside reaches further in than allowed."""
import pathlib
import re
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ["resolver", "check", "snapshot", "policy", "spf", "received", "dns", "base"]  # arrows go down only
FOREIGN = {"ares.h": "resolver", "libconfig.h": "policy"}
RESOLVER = {"resolver/deciding.h", "resolver/driver.h"}  # what the command may know of the resolver, beside mxguard.h
NAMES = "policy/override_names.h"  # what front ends may know beside mxguard.h: a list of names, no code
FRONT_ENDS = ["dovecot-plugin", "lda-wrapper", "trap"]


def includes(file):
    return re.findall(r'^[ \t]*#[ \t]*include[ \t]*[<"]([^>"]+)[>"]', file.read_text(), re.M)


def sources(folder):
    return sorted(path for path in (TOP / folder).rglob("*") if path.suffix in (".c", ".h"))


def library(path):
    own = path.relative_to(TOP / "libmxguard").parts[0]
    for name in includes(path):
        folder = name.split("/")[0]
        if FOREIGN.get(name, own) != own:
            yield name
        elif folder in FOLDERS and own in FOLDERS and FOLDERS.index(folder) < FOLDERS.index(own):
            yield name
        elif name not in FOREIGN and not (TOP / "libmxguard" / name).is_file() and (path.parent / name).is_file():
            yield f"{name} (without its folder)"


def command(path):
    for name in includes(path):
        if name in FOREIGN or (name.startswith("resolver/") and name not in RESOLVER):
            yield name


def front_end(path):
    for name in includes(path):
        inside = name not in ("mxguard.h", NAMES) and not name.startswith("../tools/")
        if name in FOREIGN or (inside and (TOP / "libmxguard" / name).is_file()):
            yield name


def trouble():
    seen = 0
    for rule, folders in ((library, ["libmxguard"]), (command, ["tools"]), (front_end, FRONT_ENDS)):
        for folder in folders:
            for path in sources(folder):
                seen += 1
                for name in rule(path):
                    yield f"{path.relative_to(TOP)} includes {name}"
    if seen < 50 or {path.name for path in (TOP / "libmxguard").iterdir() if path.is_dir()} != set(FOLDERS):
        yield "libmxguard's folders are not those that this test knows"


def main():
    found = list(trouble())
    print("\n".join(found), end="\n" if found else "", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
