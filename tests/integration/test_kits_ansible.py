# SPDX-License-Identifier: MIT
"""contrib/ansible: the role, with the real ansible-playbook on this machine, into a temporary folder."""
from __future__ import annotations

import hashlib
import json
import os
import re
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

    def package(self, where, name, version, depends=""):
        tree = self.folder / "tree" / f"{name}_{version}_all"
        (tree / "DEBIAN").mkdir(parents=True, exist_ok=True)
        (tree / "DEBIAN" / "control").write_text(
            f"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: x <x@x.invalid>\n"
            + (f"Depends: {depends}\n" if depends else "") + "Description: x\n")
        where.mkdir(exist_ok=True)
        self.do("dpkg-deb", "-b", tree, where)

    def publish(self):
        """The index of what is in the archive."""
        entries = [f"{self.do('dpkg-deb', '-f', deb)}Filename: ./{deb.name}\nSize: {deb.stat().st_size}\n"
                   f"SHA256: {hashlib.sha256(deb.read_bytes()).hexdigest()}\n" for deb in sorted(self.archive.glob("*.deb"))]
        (self.archive / "Packages").write_text("\n".join(entries))
        self.do("apt-get", "update")

    def installed(self) -> dict[str, str]:
        lines = self.do("dpkg-query", f"--admindir={self.root}/var/lib/dpkg", "-W", "-f", "${Package} ${Version} ${db:Status-Status}\n")
        return {name: version for name, version, state in map(str.split, lines.splitlines()) if state == "installed"}


@pytest.fixture
def apt(folder, play):
    if not (program("apt-get") and program("dpkg-query")):
        pytest.skip("no apt here")
    apt = Apt(folder)
    for version in ("1.0.9-1", "1.0.10-1"):  # the newer one is the lesser by its letters
        for where in (apt.archive, folder / version, folder / "both"):
            apt.package(where, "mxguard", version)
            apt.package(where, "mxguard-policy", version, f"mxguard (>= {version})")
    apt.package(apt.archive, "mxguard-milter", "1.0.10-1", "mxguard (>= 1.0.10-1)")
    apt.publish()
    play.environment = apt.environment
    return apt


OLD, NEW = ({"mxguard": version, "mxguard-policy": version} for version in ("1.0.9-1", "1.0.10-1"))


def test_the_version_of_the_folder_is_put_in_place(play, apt, folder):
    """A newer one lies in the archive, in the folder beside it, and from the last time where the role copies to."""
    def install(where, expected=0, **more):
        done = play({"mxguard_packages": list(OLD), "mxguard_packages_from": str(folder / where), "mxguard_copies": str(folder / "copies"), **more})
        assert (done.returncode != 0) == (expected != 0), done.stdout + done.stderr
        return done

    install("1.0.10-1")
    assert apt.installed() == NEW
    back = install("1.0.9-1")
    assert apt.installed() == OLD and recap(back)["changed"] > 0
    assert recap(install("1.0.9-1"))["changed"] == 0
    assert b"set mxguard_version" in install("both", 1).stdout and apt.installed() == OLD
    install("both", mxguard_version="1.0.10-1")
    assert apt.installed() == NEW
    assert b"holds 0 files of mxguard 1.0.9-1" in install("1.0.10-1", 1, mxguard_version="1.0.9-1").stdout
    # What needs the newer one is not removed without a word.
    apt.do("apt-get", "-y", "install", "mxguard-milter")
    said = install("1.0.9-1", 1).stdout
    assert b"mxguard-milter" in said and b"belongs into mxguard_packages" in said
    assert apt.installed() == {**NEW, "mxguard-milter": "1.0.10-1"}


@pytest.mark.skipif(subprocess.run(["/usr/bin/python3", "-c", "import apt"], stderr=subprocess.DEVNULL).returncode != 0,
                    reason="python3-apt is not installed")
def test_the_version_of_the_archive_is_put_in_place(play, apt):
    def install(version):
        return play({"mxguard_packages": list(OLD), "mxguard_version": version})

    assert install("").returncode == 0 and apt.installed() == NEW
    back = install("1.0.9-1")
    assert back.returncode == 0 and apt.installed() == OLD and recap(back)["changed"] > 0, back.stdout
    assert recap(install("1.0.9-1"))["changed"] == 0
    missing = install("1.0.8-1")
    assert missing.returncode != 0 and b"1.0.8-1" in missing.stdout and apt.installed() == OLD, missing.stdout
