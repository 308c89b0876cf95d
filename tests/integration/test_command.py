# SPDX-License-Identifier: MIT
"""The command as such: help, wrong use, colours, hostile text."""
from __future__ import annotations

import os
import pty
import re
import subprocess

import pytest

from mxg import build
from mxg.mxguard import mxguard


def commands() -> list[str]:
    text = mxguard("--help").stdout.decode()
    return re.findall(r"^  ([a-z-]+) +\S", text, re.M)


def on_terminal(*arguments: str, **environment: str) -> str:
    """What the command writes on a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([str(build.command()), *arguments], stdin=theirs, stdout=theirs,
                               stderr=theirs, env={**os.environ, "TERM": "xterm", **environment})
    os.close(theirs)
    text = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:
            break
        if not piece:
            break
        text += piece
    process.wait(120)
    os.close(ours)
    return text.decode()


def test_help():
    assert "check" in commands()
    for name in commands():
        for arguments in ((name, "--help"), ("help", name)):
            result = mxguard(*arguments)
            assert result.returncode == 0 and result.stdout.startswith(b"Usage: mxguard " + name.encode())
            assert result.stderr == b""


def test_version():
    assert re.fullmatch(rb"mxguard \d+\.\d+\.\d+\n", mxguard("--version").stdout)


@pytest.mark.parametrize("arguments,said", [
    ([], "Usage"), (["refersh"], "did you mean 'refresh'"), (["chek"], "did you mean 'check'"),
    (["nonsense"], "there is no command"), (["--color=pink", "check"], "--color"),
    (["refresh", "--strikt"], "did you mean '--strict'"), (["refresh", "-c"], "-c needs a value"),
    (["refresh", "-Z"], "there is no option '-Z'"), (["refresh", "--concurrency", "1x"], "number"),
    (["gateways"], "a domain is missing"), (["export"], "the format is missing"),
    (["export", "postfixx"], "did you mean 'postfix'?"),
    (["trace", "--internal", "10.0.0.0/33", "x"], "at the most), not '10.0.0.0/33'"), (["check", "stray"], "'stray' is an argument too many"),
    (["trap", "list", "stray"], "'stray' is an argument too many")])
def test_wrong_use(arguments, said):
    result = mxguard(*arguments)
    assert result.returncode == 64 and said in result.stderr.decode()


@pytest.mark.parametrize("name", ["check", "refresh", "gateways", "export"])
def test_configuration_missing(folder, name):
    more = {"check": ["--peer", "192.0.2.1", "--rcpt", "a@b.test"], "gateways": ["b.test"],
            "export": ["plain"], "refresh": []}[name]
    result = mxguard(name, "-c", folder / "none.conf", *more)
    assert result.returncode == 78 and b"none.conf" in result.stderr and result.stdout == b""


def test_the_file_that_is_offered_is_one(folder):
    said = mxguard("check", "-c", str(folder / "none.conf"), "--peer", "192.0.2.1", "--login", "alice", "--rcpt", "a@example.test").stderr.decode()
    lines = re.findall(r"^  (.*)$", said, re.M)
    assert len(lines) == 2
    config = folder / "mxguard.conf"
    config.write_text("\n".join(lines) + "\n")
    result = mxguard("check", "-c", str(config), "--peer", "192.0.2.1", "--login", "alice", "--rcpt", "a@example.test")
    assert (result.returncode, b"accept" in result.stdout) == (0, True), result.stderr


def test_output_that_cannot_be_written():
    with open("/dev/full", "wb") as full:
        result = subprocess.run([str(build.command()), "--help"], stdout=full, stderr=subprocess.PIPE)
    assert result.returncode == 74 and b"No space left" in result.stderr


@pytest.fixture
def config(mxguard_config, folder):
    return str(mxguard_config({"gateways": [{"name": "gw", "allow": "ip4:192.0.2.1"}],
                               "state_dir": str(folder)}))


def test_colours(config):
    arguments = ("gateways", "-c", config, "example.test")
    assert "\x1b[" in on_terminal(*arguments)
    assert "\x1b[" not in on_terminal(*arguments, NO_COLOR="1")
    assert "\x1b[" not in on_terminal("--color=never", *arguments)
    assert "\x1b[" not in mxguard(*arguments).stdout.decode()
    check = ("check", "-c", config, "--peer", "192.0.2.1", "--rcpt", "a@b.test")
    assert "\x1b[" in mxguard(*check, "--color=always").stdout.decode()
    assert "\x1b[" not in mxguard(*check).stdout.decode()


def test_table_fits_the_screen(config):
    text = on_terminal("gateways", "-c", config, "example.test", NO_COLOR="1", COLUMNS="40")
    assert "192.0.2.1" in text
    assert max(len(line) for line in text.splitlines() if "note:" not in line) < 80


def test_what_does_not_fit_a_line_stands_below(folder):
    """The last cell is the advice of `audit`, the remark of `trace`."""
    long = "a" * 40 + ".example.test"
    path = folder / "message"
    path.write_text(f"Received: from {long} ({long} [192.0.2.9])\n\tby {long} (Postfix) with ESMTP id A\n"
                    "\tfor <a@example.test>; Fri, 27 Nov 2026 10:00:00 +0000\n\n")
    lines = on_terminal("trace", "--internal", "127.0.0.0/8", str(path), NO_COLOR="1", COLUMNS="80").splitlines()
    assert "    the boundary" in [line[:16] for line in lines], lines
    config = folder / "mxguard.conf"
    config.write_text(f'gateways = ( {{ name = "gw"; allow = "ip4:192.0.2.1"; }} ); state_dir = "{folder}";')
    text = on_terminal("gateways", "-c", str(config), "example.test", NO_COLOR="1", COLUMNS="20")
    assert "TERM" in text and "VIA" not in text  # nothing stands in that column


def test_progress_leaves_other_lines_alone(config, folder):
    """What is listed, and what cannot be read, begins on a line of its own and is told once."""
    store = folder / "store" / "cur"
    store.mkdir(parents=True)
    (store / "1").write_text("Received: from x (x [192.0.2.9]) by mx.example.test (Postfix) with ESMTP id A\n"
                             "\tfor <a@example.test>; Fri, 27 Nov 2026 10:00:00 +0000\n\n")
    text = on_terminal("scan", "-c", config, "--list", "direct", str(store.parent), "/nonexistent/mail")
    assert text.count("/nonexistent/mail: No such file") == 1, text
    lines = [line.rsplit("\x1b[K", 1)[-1] for line in text.replace("\r\n", "\n").split("\n")]
    assert not [line for line in lines if "scan [" in line], text
    assert [line for line in lines if line.endswith(str(store / "1"))], text


def test_what_is_no_file_is_told(folder):
    for arguments in (["trace", str(folder)], ["trace", "--internal", "127.0.0.0/8", str(folder)]):
        result = mxguard(*arguments)
        assert result.returncode == 66 and b"Is a directory" in result.stderr and result.stdout == b"", result


def test_hostile_text_of_the_command_line(config):
    result = mxguard("gateways", "-c", config, "\x1b]0;x\x07.test")
    assert result.returncode == 64 and b"\x07" not in result.stderr


def test_starts_without_what_only_audit_needs():
    """libcurl brings thirty other libraries with it: linking them takes five times as long as all the rest."""
    dynamic = subprocess.run(["readelf", "--wide", "--dynamic", build.command()], check=True, capture_output=True,
                             text=True).stdout
    needed = set(re.findall(r"Shared library: \[(lib[a-z]+)", dynamic))
    assert "libcares" in needed and not needed & {"libcurl", "libcrypto", "libssl"}
