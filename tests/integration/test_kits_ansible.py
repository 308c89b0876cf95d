# SPDX-License-Identifier: MIT
"""contrib/ansible: the role, with the real ansible-playbook on this machine, into a temporary folder."""
from __future__ import annotations

import json
import os
import re

import pytest

from mxg import build
from mxg.mxguard import check
from mxg.process import program, run

KIT = build.ROOT / "contrib" / "ansible"
GATEWAY, SPAMMER = "192.0.2.10", "203.0.113.66"
pytestmark = pytest.mark.skipif(not program("ansible-playbook"), reason="ansible-core is not installed")


@pytest.fixture
def play(folder):
    """play(variables, option…) -> CompletedProcess: without packages and units, which need a machine of their own."""
    playbook = folder / "play.yml"
    playbook.write_text("- hosts: all\n  gather_facts: false\n  roles: [mxguard]\n")
    environment = {**os.environ, "ANSIBLE_ROLES_PATH": str(KIT / "roles"), "ANSIBLE_LOCAL_TEMP": str(folder / "tmp"),
                   "ANSIBLE_REMOTE_TEMP": str(folder / "tmp"), "ANSIBLE_NOCOLOR": "1", "ANSIBLE_PIPELINING": "1", "HOME": str(folder), "LC_ALL": "C.UTF-8"}

    def start(variables, *options):
        variables = {"mxguard_packages": [], "mxguard_units": [], "mxguard_folder": str(folder / "etc"),
                     "mxguard_command": str(build.command()), "ansible_python_interpreter": "/usr/bin/python3", **variables}
        return run(["ansible-playbook", "-i", "localhost,", "-c", "local", "-e", json.dumps(variables), *options, str(playbook)],
                   env=environment, cwd=folder, seconds=600)
    return start


def recap(done, ok=None) -> dict[str, int]:
    found = re.search(r"^localhost +: (.*)$", done.stdout.decode(), re.M)
    assert found, done.stdout.decode() + done.stderr.decode()
    return {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", found[1])}


VARIABLES = {"mxguard_mode": "enforce", "mxguard_domains": ["Example.test", "b.example"], "mxguard_internal": ["198.51.100.7"],
             "mxguard_gateways": [{"name": "filters-1", "allow": f"ip4:{GATEWAY}"}, {"name": "mx", "allow": "mx"}],
             "mxguard_trace": {"mta": ["postfix"], "by": ["mail.example.test"]}, "mxguard_settings": 'state_dir = "/nonexistent";'}


def test_the_role(play, folder):
    looked = play(VARIABLES, "--check")
    assert looked.returncode == 0 and recap(looked)["failed"] == 0 and not (folder / "etc").exists(), looked.stdout
    done = play(VARIABLES)
    assert done.returncode == 0 and recap(done)["changed"] == 3, done.stdout + done.stderr
    config = folder / "etc" / "mxguard.conf"
    assert (folder / "etc" / "domains").read_text() == "b.example\nexample.test\n"
    accepted = check(config, peer=GATEWAY, rcpt="a@example.test")
    assert (accepted["verdict"], accepted["gateway"], accepted["mode"]) == ("authorized", "filters-1", "enforce")
    assert check(config, peer=GATEWAY, rcpt="a@elsewhere.example")["verdict"] == "authorized"  # by an address, for any domain
    assert check(config, peer="198.51.100.7", rcpt="a@example.test")["verdict"] != "direct"
    again = play(VARIABLES)
    assert again.returncode == 0 and recap(again)["changed"] == 0, again.stdout
    before = config.read_text()
    wrong = play({**VARIABLES, "mxguard_settings": "mood = 7;"})
    assert wrong.returncode != 0 and recap(wrong)["failed"] == 1 and config.read_text() == before, wrong.stdout


def test_the_example_is_a_playbook(folder):
    environment = {**os.environ, "ANSIBLE_ROLES_PATH": str(KIT / "roles"), "HOME": str(folder), "ANSIBLE_LOCAL_TEMP": str(folder)}
    done = run(["ansible-playbook", "--syntax-check", "-i", "mailservers,", str(KIT / "site.yml")], env=environment)
    assert done.returncode == 0 and b"playbook:" in done.stdout, done.stderr
