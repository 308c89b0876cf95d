#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""embed.py OUTPUT STYLE SCRIPT…: the page's style and script as C strings, with the hashes by which the page's
Content-Security-Policy names them. The scripts become one."""
import base64
import hashlib
import pathlib
import re
import sys


def read(path, comment):
    """Without the line about the licence, which the program has."""
    text = pathlib.Path(path).read_text(encoding="ascii")
    first, _, rest = text.partition("\n")
    if not first.startswith(comment):
        sys.exit(f"{path}: the first line is not about the licence")
    return rest


def c_string(text):
    lines = [re.sub(r'(["\\?])', r"\\\1", line) for line in text.split("\n")]
    return "\n".join(f'\t"{line}\\n"' for line in lines[:-1]) + "\n" + f'\t"{lines[-1]}"'


def constant(name, text):
    if re.search(r"</?(script|style|!--)|\]\]>", text, re.I):
        sys.exit(f"{name} would end the element that it stands in")
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f'#define {name.upper()}_HASH "sha256-{digest}"\nstatic const char {name}[] =\n{c_string(text)};\n'


def main(output, style, *scripts):
    script = '(() => {\n"use strict";\n' + "".join(read(path, "/* SPDX") for path in scripts) + "})();\n"
    pathlib.Path(output).write_text("/* made by embed.py */\n" + constant("page_style", read(style, "/* SPDX")) +
                                    constant("page_script", script))


if __name__ == "__main__":
    main(*sys.argv[1:])
