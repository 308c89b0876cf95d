#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""whole.py MAP: the module mxguard has each function of the symbol map, each constant has the value that a C
compiler sees, and nothing in it is declared by another number of arguments than the header's. What the maker of the
module cannot read ends it."""
import pathlib
import re
import subprocess
import sys
import tempfile

import mxguard

HEADER = pathlib.Path(sys.argv[1]).parent / "mxguard.h"
GENERATE = HEADER.parents[1] / "python" / "generate"
STRANGE = ["int mxguard_new(int x) __attribute__((pure));", "int mxguard_new(int (*call)(int));", "#define MXGUARD_NEW 1",
           "enum mxguard_new { MXGUARD_NEW };", "enum mxguard_new { MXGUARD_NEW = 1U };", "int mxguard_new(time_t x);"]


def by_compiler(names):
    """The values as C has them, not as the module's maker read them."""
    program = f'#include "{HEADER}"\n#include <stdio.h>\nint main(void) {{\n' + "".join(
        f'printf("%lld\\n", (long long){name});\n' for name in names) + "}\n"
    binary = pathlib.Path("consumer-constants")
    subprocess.run(["cc", "-x", "c", "-o", binary, "-"], input=program, text=True, check=True)
    said = subprocess.run([binary.resolve()], capture_output=True, text=True, check=True).stdout
    binary.unlink()
    return dict(zip(names, map(int, said.split())))


def generated(more):
    with tempfile.NamedTemporaryFile("w", suffix=".h") as header:
        header.write(f"{HEADER.read_text()}\n{more}\n")
        header.flush()
        return subprocess.run([sys.executable, GENERATE, header.name, "0"], capture_output=True, text=True)


def main():
    assert "mxguard_new = " in generated("int mxguard_new(int x);").stdout
    for form in STRANGE:
        done = generated(form)
        assert done.returncode == 1 and "cannot express" in done.stderr and done.stdout == "", form
    listed = set(re.findall(r"\b(mxguard_\w+);", pathlib.Path(sys.argv[1]).read_text()))
    functions = {name for name, value in vars(mxguard).items() if not isinstance(value, type) and hasattr(value, "argtypes")
                 and name.startswith("mxguard_")}
    text = re.sub(r"/\*.*?\*/", " ", HEADER.read_text(), flags=re.S)
    written = sorted(set(re.findall(r"\b(MXGUARD_[A-Z_0-9]+) =", text)))
    assert len(written) > 40 and len(listed) > 70
    assert functions == listed, functions ^ listed
    for name, value in by_compiler(written).items():
        assert getattr(mxguard, name) == value, name
    for name, arguments in re.findall(r"\b(mxguard_\w+)\s*\(([^()]*)\);", text):
        count = 0 if arguments.strip() == "void" else arguments.count(",") + 1
        assert len(getattr(mxguard, name).argtypes) == count, name


main()
