# SPDX-License-Identifier: MIT
"""A program that doctor, setup and audit ask, and that does not end: they do, and say who it was."""
from __future__ import annotations

import json
import pathlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from mxg import build
from mxg.process import program, run, with_files
from test_lda_feeder import read_or_nothing

SILENT = "postconf gave no answer within 30 seconds and was ended"
# Neither ends by itself when nobody reads any more, nor by a signal that may be ignored.
HANGS = "#!/bin/sh\ntrap '' TERM PIPE\necho 'myhostname = mail.example.test'\n{then}\nwhile :; do sleep 1; done\n"


@pytest.fixture
def ask(folder, mxguard_config):
    """ask(what its postconf does, command, option…) -> what the command did"""
    if not program("postconf"):
        pytest.skip("Postfix is not installed")
    (folder / "main.cf").touch()
    config = mxguard_config({"gateways": ({"name": "filters", "allow": "ip4:192.0.2.10"},), "state_dir": str(folder),
                             "domains": ["example.test"], "dns": {"servers": ["127.0.0.1:9"], "timeout": "1s"}})

    def start(then, command, *options):
        path = folder / f"postconf-{command}"
        path.write_text(HANGS.format(then=then))
        path.chmod(0o755)
        argv = [str(build.command()), command, "--postfix", str(folder), *map(str, options or ("-c", config, "--json"))]
        return run(with_files(argv, {program("postconf"): path}))
    return start


def test_who_asks_ends_and_says_whom(ask, folder):
    new = folder / "new.conf"
    with ThreadPoolExecutor() as pool:
        open_output, closed_output = ":", "exec >&-"
        doctor = pool.submit(ask, open_output, "doctor").result
        audit = pool.submit(ask, open_output, "audit").result
        setup = pool.submit(ask, closed_output, "setup", "--write", "--no-dns", "-c", new).result
    found = [each for each in map(json.loads, doctor().stdout.splitlines()) if each["check"] == "program"]
    assert [(each["level"], SILENT in each["text"]) for each in found] == [("warning", True)] and doctor().returncode == 1
    assert SILENT in audit().stderr.decode() and audit().returncode == 75
    assert SILENT in setup().stderr.decode() and setup().returncode == 75 and not new.exists()
    mark = f"-c\0{folder}\0".encode()
    assert not [path for path in pathlib.Path("/proc").glob("[0-9]*/cmdline") if mark in read_or_nothing(path)]
