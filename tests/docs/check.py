#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Proves that every test named in docs/attacks.md exists and is run, that no row there is without
a test (or an open dash), that every file that docs/architecture.md names is there, and so is every
heading of docs/ that the tree cites."""
import argparse
import json
import pathlib
import re
import sys

sys.dont_write_bytecode = True
import tree  # noqa: E402

SOURCES = {".c", ".h", ".py", ".build", ".md", ".case", ".map", ".conf", ""}
CITATION = re.compile(r'docs/(\w+)\.md`?,((?:(?:,|\band\b|[\s*#])*"[^"\n]*(?:\n[\s*#]*[^"\n]*)?")+)')
TEST = re.compile(r"`(tests/[^`]*)`")
PATH = re.compile(r"`([\w.-]+/[\w./-]*)`")


def headings(page):
    """Of a page; what looks like one inside of a block of code is none."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S)
    return set(re.findall(r"^#+ (.*)$", text, re.M))


def trouble_with(top, name):
    """None where the test is there and is run."""
    path, _, what = name.partition("::")
    file = top / path
    if not file.is_file():
        return "there is no such file"
    text = file.read_text(errors="replace")
    if file.suffix == ".py" and what:
        return None if re.search(rf"^def {re.escape(what)}\(", text, re.M) else "there is no such function"
    if file.suffix == ".c":
        listed = re.search(rf"'{file.stem.removeprefix('test_')}'", (file.parent / "meson.build").read_text())
        run = re.search(rf"\b\w+_test\w*\({re.escape(what)}\b", text)
        return None if listed and run else "it is not run"
    if file.suffix == ".jsonl":
        found = any(json.loads(line)["id"].startswith(what) for line in text.splitlines())
        return None if what and found else "no id begins so"
    return "it has no function" if what else None


def check_attacks(top):
    rows = re.split(r"^- ", (top / "docs/attacks.md").read_text(), flags=re.M)[1:]
    for row in rows:
        title = re.match(r"\*\*(.*?)\*\*", row, re.S)
        named = TEST.findall(row)
        if not title or bool(named) == ("\n  —" in row):
            yield f"docs/attacks.md: tests or a dash, and a title in bold: {row[:60]!r}"
        for name in named:
            trouble = trouble_with(top, name)
            if trouble:
                yield f"docs/attacks.md: {name}: {trouble}"
    if len(rows) < 20:
        yield f"docs/attacks.md: only {len(rows)} rows were found"


def check_paths(top):
    """What docs/architecture.md calls a file or a folder is one."""
    named = PATH.findall((top / "docs/architecture.md").read_text())
    for name in named:
        if not (top / name).exists():
            yield f"docs/architecture.md: there is no {name}"
    if len(named) < 50:
        yield f"docs/architecture.md: only {len(named)} paths were found"


def citations(path):
    for cited in CITATION.finditer(path.read_text(errors="replace")):
        for heading in re.findall(r'"([^"]*)"', cited[2]):
            yield cited[1], re.sub(r"\s*\n[\s*#]*", " ", heading)


def source_files(top):
    for path in tree.files(top):
        if path.suffix in SOURCES and path != pathlib.Path(__file__).resolve():
            yield path


def check_citations(top):
    pages = {page.stem: headings(page) for page in top.glob("docs/*.md")}
    for path in source_files(top):
        for page, heading in citations(path):
            if heading not in pages.get(page, ()):
                yield f'{path.relative_to(top)}: docs/{page}.md has no heading "{heading}"'


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--top", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parents[2])
    top = parser.parse_args().top.resolve()
    problems = [*check_attacks(top), *check_paths(top), *check_citations(top)]
    print(*problems, sep="\n", end="\n" if problems else "", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
