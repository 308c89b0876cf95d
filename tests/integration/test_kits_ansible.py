# SPDX-License-Identifier: MIT
"""contrib/ansible: the role, with the real ansible-playbook on this machine, into a temporary folder."""
from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess

import pytest

from mxg import build
from mxg.mxguard import check
from mxg.process import SYSTEM_PATH, program, run

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
                   env={**environment, **start.environment}, cwd=folder, seconds=600)
    start.environment = {}
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


class Apt:
    """The real apt and dpkg, in a folder in place of /, with an archive of its own and nothing else installed."""

    def __init__(self, folder):
        self.folder, self.root, self.archive = folder, folder / "root", folder / "archive"
        for each in ("etc/apt/apt.conf.d", "etc/apt/preferences.d", "etc/apt/trusted.gpg.d", "etc/apt/sources.list.d", "var/lib/dpkg/info",
                     "var/lib/dpkg/updates", "var/cache/apt/archives/partial", "var/lib/apt/lists/partial", "var/log/apt"):
            (self.root / each).mkdir(parents=True)
        (self.root / "var/lib/dpkg/status").touch()
        (self.root / "etc/apt/sources.list").write_text(f"deb [trusted=yes] file:{self.archive} ./\n")
        (folder / "apt.conf").write_text(f"""Dir "{self.root}/"; Dir::Etc::main "/dev/null"; Dir::Bin::methods "/usr/lib/apt/methods";
            Debug::NoLocking "true"; APT::Sandbox::User "root"; DPkg::Use-Pty "0"; DPkg::Options {{ "--root={self.root}"; }};""")
        self.environment = {"APT_CONFIG": str(folder / "apt.conf"), "PATH": f"{SYSTEM_PATH}:{os.environ['PATH']}"}

    def do(self, *command):
        done = run([str(each) for each in command], env={**os.environ, **self.environment, "LC_ALL": "C.UTF-8"}, seconds=600)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.decode()

    def package(self, name, version, depends=""):
        """Into the archive."""
        tree = self.folder / "tree" / f"{name}_{version}_all"
        (tree / "DEBIAN").mkdir(parents=True)
        (tree / "DEBIAN" / "control").write_text(
            f"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: x <x@x.invalid>\n"
            + (f"Depends: {depends}\n" if depends else "") + "Description: x\n")
        self.archive.mkdir(exist_ok=True)
        self.do("dpkg-deb", "-b", tree, self.archive)

    def publish(self):
        """The index of what is in the archive."""
        entries = [f"{self.do('dpkg-deb', '-f', deb)}Filename: ./{deb.name}\nSize: {deb.stat().st_size}\n"
                   f"SHA256: {hashlib.sha256(deb.read_bytes()).hexdigest()}\n" for deb in sorted(self.archive.glob("*.deb"))]
        (self.archive / "Packages").write_text("\n".join(entries))
        self.do("apt-get", "update")


@pytest.fixture
def apt(folder, play):
    """Two versions, of which the newer one is installed."""
    if not (program("apt-get") and program("dpkg-query")):
        pytest.skip("no apt here")
    apt = Apt(folder)
    for version in ("1.0.9-1", "1.0.10-1"):  # the newer one is the lesser by its letters
        apt.package("mxguard", version)
        apt.package("mxguard-policy", version, f"mxguard (>= {version})")
        for where in (folder / version, folder / "both", folder / "copies"):
            where.mkdir(exist_ok=True)
            for deb in apt.archive.glob(f"*_{version}_all.deb"):
                shutil.copy(deb, where)
    apt.package("mxguard-milter", "1.0.10-1", "mxguard (>= 1.0.10-1)")
    apt.publish()
    apt.do("apt-get", "-y", "install", "mxguard-policy")
    play.environment = apt.environment
    return apt


OLD, NEW = ({"mxguard": version, "mxguard-policy": version} for version in ("1.0.9-1", "1.0.10-1"))


@pytest.fixture
def steps(play, apt, folder):
    """steps([variables of the role | a command's line, …]) -> for each (what it said where it failed, whether it changed
    anything, what is installed then): one playbook, since each takes seconds to start."""
    def task(number, step):
        look = (f"printf '%s' \"$SAID\" >{folder}/{number}.said; printf '%s' \"$CHANGED\" >{folder}/{number}.changed; dpkg-query "
                f"--admindir={apt.root}/var/lib/dpkg -W -f '${{Package}} ${{Version}} ${{db:Status-Status}}\\n' >{folder}/{number}.installed")
        role = {"ansible.builtin.include_role": {"name": "mxguard", "tasks_from": "packages"}, "vars": step}
        if isinstance(step, str):
            role = {"ansible.builtin.command": step}
        changed = {"SAID": "", "CHANGED": "{{ mxguard_installed.changed | default(false) }}"}
        return {"block": [role, {"ansible.builtin.shell": look, "environment": changed}],
                "rescue": [{"ansible.builtin.shell": look, "environment": {"SAID": "{{ ansible_failed_result.msg }}", "CHANGED": "no"}}]}

    def do(given):
        tasks = [task(number, step) for number, step in enumerate(given)]
        (folder / "play.yml").write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
        done = play({"mxguard_packages": list(OLD), "mxguard_copies": str(folder / "copies")})
        assert done.returncode == 0, done.stdout + done.stderr
        found = []
        for number in range(len(given)):
            said, changed, lines = ((folder / f"{number}.{what}").read_text() for what in ("said", "changed", "installed"))
            rows = [line.split() for line in lines.splitlines()]
            found.append((said, changed, {name: version for name, version, state in rows if state == "installed"}))
        return found
    return do


def test_the_version_of_the_folder_is_put_in_place(steps, folder):
    """The newer one is installed, and lies in the archive, in the folder beside it, and where the role copies to."""
    def of(where, **more):
        return {"mxguard_packages_from": str(folder / where), **more}

    back, again, two, chosen, none, more, kept = steps(
        [of("1.0.9-1"), of("1.0.9-1"), of("both"), of("both", mxguard_version="1.0.10-1"),
         of("1.0.10-1", mxguard_version="1.0.9-1"), "apt-get -y install mxguard-milter", of("1.0.9-1")])
    assert back == ("", "True", OLD) and again == ("", "False", OLD)
    assert "mxguard: mxguard_1.0.10-1_all.deb mxguard_1.0.9-1_all.deb;" in two[0] and "set mxguard_version" in two[0] and two[2] == OLD
    assert chosen == ("", "True", NEW)
    assert "of version 1.0.9-1: mxguard: none;" in none[0] and none[2] == NEW
    # What needs the newer one is not removed without a word.
    assert more[2] == {**NEW, "mxguard-milter": "1.0.10-1"}
    assert "mxguard-milter" in kept[0] and "belongs into mxguard_packages" in kept[0] and kept[2] == more[2]


@pytest.mark.skipif(subprocess.run(["/usr/bin/python3", "-c", "import apt"], stderr=subprocess.DEVNULL).returncode != 0,
                    reason="python3-apt is not installed")
def test_the_version_of_the_archive_is_put_in_place(steps):
    back, missing, other = steps([{"mxguard_version": "1.0.9-1"}, {"mxguard_version": "1.0.8-1"}, {"mxguard_version": "1.0.10-1"}])
    assert back[0] == "" and back[2] == OLD
    assert "1.0.8-1" in missing[0] and missing[2] == OLD
    assert other[0] == "" and other[2] == NEW
