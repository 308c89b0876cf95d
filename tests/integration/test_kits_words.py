# SPDX-License-Identifier: MIT
"""contrib: the commands that its files name are there, and so are the files that it names and that are named of it."""
from __future__ import annotations

import re

from mxg import build
from mxg.process import run

CONTRIB = build.ROOT / "contrib"
PATH = re.compile(r"\b(?:contrib|docs|tests|examples|script)/[\w./-]*\w")


def text_of(path):
    return path.read_text(errors="replace")


def help_of(command):
    done = run([str(build.command()), *command, "--help"])
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


def test_commands():
    commands = set(re.findall(r"^  ([a-z-]+) ", help_of([]), re.M))
    named = re.compile(rf"\bmxguard ({'|'.join(sorted(commands, key=len, reverse=True))})\b((?: --?[\w-]+(?:=\S+)?)*)(?: ([a-z-]+))?")
    found = [(path.name, *match.groups()) for path in CONTRIB.rglob("*") if path.is_file() for match in named.finditer(text_of(path))]
    assert len(commands) > 10 and {"export", "refresh", "report", "doctor"} <= {command for _, command, *_ in found}
    for name, command, options, word in found:
        said = help_of([command])
        for option in re.findall(r"--[\w-]+", options):
            assert re.search(rf"{option}(?![\w-])", said), f"{name}: mxguard {command} {option}"
        if command == "export":
            assert re.search(rf"(?:^| ){word}(?: \(|[,.])", said, re.M), f"{name}: mxguard export {word}"


def test_files():
    pages = [*(path for path in CONTRIB.rglob("*") if path.is_file()), build.ROOT / "README.md", build.ROOT / "CONTRIBUTING.md",
             *(build.ROOT / "docs").rglob("*.md"), *(build.ROOT / "docs/man").glob("*.[1-8]")]
    named = {(str(page.relative_to(build.ROOT)), path) for page in pages for path in PATH.findall(text_of(page))}
    named = {each for each in named if "contrib/" in "".join(each)}
    assert len(named) > 30
    assert not sorted(each for each in named if not (build.ROOT / each[1]).exists())
    listed = text_of(CONTRIB / "README.md")
    assert not [path.name for path in CONTRIB.iterdir() if path.is_dir() and f"`{path.name}/`" not in listed]
