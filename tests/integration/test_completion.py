# SPDX-License-Identifier: MIT
"""One table of options a command: what --help says, the manual has and the shells complete."""
from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import time

import pytest

from mxg import build

FOLDER = build.command().parent / "completion"


def commands() -> list[str]:
    text = subprocess.run([build.command(), "--help"], capture_output=True, text=True).stdout
    return re.findall(r"^  ([a-z-]+) +\S", text, re.M)


def programs() -> list[tuple[str, ...]]:
    """Words that begin a command line."""
    return [("mxguard", name) for name in commands()] + [("mxguard-lda",)]


def program(words: tuple[str, ...]) -> list[str]:
    return [str(build.command() if words[0] == "mxguard" else build.wrapper()), *words[1:]]


def options(words: tuple[str, ...]) -> set[str]:
    """What --help lists at the lines' beginning."""
    text = subprocess.run([*program(words), "--help"], capture_output=True, text=True, check=True).stdout
    found = set()
    for letter, name in re.findall(r"^  (?:(-[a-zA-Z]), |    )(--[a-z-]+)", text, re.M):
        found |= {name, letter} - {""}
    return found


def manual(words: tuple[str, ...]) -> str:
    name = "-".join(words)
    (page,) = (build.ROOT / "docs" / "man").glob(f"{name}.[18]")
    return page.read_text()


def in_manual(words: tuple[str, ...]) -> set[str]:
    """The options that the manual's list has an item for."""
    found = set()
    for line in re.findall(r"^\.It (Fl .*)$", manual(words), re.M):
        found |= {"-" + flag for flag in re.findall(r"\bFl (-?[A-Za-z][A-Za-z-]*)", line)}
    return found


@pytest.mark.parametrize("words", programs(), ids=" ".join)
def test_manual_has_them_all(words):
    known = options(words)
    assert {"--help", "-h", "--config", "-c"} <= known
    # "-h" and "--help" are in mxguard(1) for all commands
    assert in_manual(words) - {"-h", "--help"} == known - {"-h", "--help"}


# ---- bash -----------------------------------------------------------------------------------------

def bash(*words: str) -> list[str]:
    """What bash would offer for the last of the words, which it has parted at "="."""
    script = ('. "$1"; name=$2; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); '
              '"_$name" 2>&1; printf "%s\\n" "${COMPREPLY[@]}"')
    result = subprocess.run(["bash", "-c", script, "bash", str(FOLDER / words[0]), *words],
                            capture_output=True, text=True, check=True)
    assert result.stderr == ""
    return result.stdout.split()


@pytest.mark.parametrize("words", programs(), ids=" ".join)
def test_bash_has_them_all(words):
    offered = set(bash(*words, "-"))
    assert offered - {"--color="} == options(words)


def test_bash_commands():
    assert set(commands()) < set(bash("mxguard", ""))
    assert bash("mxguard", "re") == ["refresh", "report"]
    assert bash("mxguard", "help", "che") == ["check"]
    assert bash("mxguard", "refresh", "--forg") == ["--forget"]


def test_bash_values(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    assert bash("mxguard", "check", "--place", "") == ["door", "queued"]
    assert bash("mxguard", "check", "--place", "=") == ["door", "queued"]
    assert bash("mxguard", "check", "--place", "=", "q") == ["queued"]
    assert sorted(bash("mxguard", "export", "ex")) == ["exim", "exim-cdb", "exim-domains"]
    assert bash("mxguard", "check", "-c", "f") == ["file", "folder"]
    assert bash("mxguard", "refresh", "--state-dir", "f") == ["folder"]
    assert bash("mxguard", "check", "--peer", "f") == []
    assert bash("mxguard", "scan", "fi") == ["file"]
    assert bash("mxguard", "policy", "--color", "=", "al") == ["always"]
    assert bash("mxguard-lda", "--log", "n") == ["none"]
    assert "bash" in bash("mxguard-lda", "--", "bas")


# ---- zsh ------------------------------------------------------------------------------------------

class Zsh:
    """zsh on a terminal, as a person has it."""

    def __init__(self, folder):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="dumb", COLUMNS="120", LINES="100", HOME=str(folder))
            os.execvp("zsh", ["zsh", "-f", "-i"])
        self.run(f"stty cols 120 rows 100; PS1=; fpath=({FOLDER} $fpath); LISTMAX=10000; autoload -Uz compinit; "
                 f"compinit -u -d {folder}/dump; PROMPT_EOL_MARK=; setopt no_beep; echo rea''dy", "ready\r\n")

    def run(self, keys: str, end: str) -> str:
        os.write(self.fd, keys.encode() + b"\n")
        return self.read(lambda text: end in text)

    def read(self, done, patience: float = 60) -> str:
        text, until = "", time.monotonic() + patience
        while time.monotonic() < until and not done(text):
            if select.select([self.fd], [], [], 0.2)[0]:
                text += os.read(self.fd, 65536).decode(errors="replace")
        assert done(text), text
        return text

    def complete(self, typed: str, wanted: set[str]) -> str:
        os.write(self.fd, typed.encode() + b"\t")
        text = self.read(lambda text: all(re.search(rf"(?<![\w-]){re.escape(w)}(?![\w-])", text) for w in wanted))
        os.write(self.fd, b"\x15")
        self.run(" echo do''ne", "done\r\n")
        return text

    def close(self):
        os.write(self.fd, b"\x15exit\n")
        os.close(self.fd)
        os.waitpid(self.pid, 0)


@pytest.fixture(scope="module")
def zsh(tmp_path_factory):
    if shutil.which("zsh") is None:
        pytest.skip("zsh is not installed")
    shell = Zsh(tmp_path_factory.mktemp("zsh"))
    yield shell
    shell.close()


@pytest.mark.parametrize("words", programs(), ids=" ".join)
def test_zsh_has_them_all(zsh, words):
    zsh.complete(" ".join(words) + " -", options(words))


def test_zsh_values(zsh):
    zsh.complete("mxguard ", set(commands()))
    zsh.complete("mxguard check --place ", {"door", "queued"})
    zsh.complete("mxguard export ", {"postfix", "exim", "json"})
    assert "refresh" in zsh.complete("mxguard ref", {"refresh"})


# ---- reading ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("words", programs(), ids=" ".join)
def test_every_option_is_known_and_its_neighbour_named(words):
    """With a letter too many, the option is proposed."""
    for name in sorted(o for o in options(words) if o.startswith("--")):
        result = subprocess.run([*program(words), name + "q"], capture_output=True, stdin=subprocess.DEVNULL)
        text = (result.stdout + result.stderr).decode()
        assert f"did you mean '{name}'?" in text
        assert result.returncode == (75 if words == ("mxguard-lda",) else 64)
