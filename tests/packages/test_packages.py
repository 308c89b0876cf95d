# SPDX-License-Identifier: MIT
"""The Debian packages: built, built again the same, without a word of lintian, and lived with on a bare Debian."""
import hashlib
import os
import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = re.search(r"^VERSION_CODENAME=(\w+)", pathlib.Path("/etc/os-release").read_text(), re.M)[1]
# MXGUARD_SUITES="bookworm trixie" takes each of them, in a folder where it is not this machine's.
SUITES = os.environ.get("MXGUARD_SUITES", HERE).split()


def script(*command, timeout=7200):
    return subprocess.run([str(each) for each in command], cwd=ROOT, timeout=timeout, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def sums(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.deb")}


class Suite:
    def __init__(self, name):
        self.name, self.folder = name, ROOT / ".cache" / f"build-{name}" / "packages"

    def run(self, *command):
        """COMMAND on a Debian of this suite: here, or in its folder, where the checkout is /mxguard and .cache/build-SUITE /build."""
        if self.name == HERE:
            return script(*command)
        return script("script/debian", self.name, "run", " ".join(self.inside(each) for each in command))

    def inside(self, path):
        return str(path).replace(str(self.folder.parent), "/build")

    def build(self, folder):
        shutil.rmtree(folder, ignore_errors=True)
        done = self.run("script/package", folder)
        if done.returncode == 77:
            pytest.skip(done.stdout.strip())
        assert done.returncode == 0, done.stdout


@pytest.fixture(scope="module", params=SUITES)
def suite(request):
    made = Suite(request.param)
    made.build(made.folder)
    return made


def test_the_names(suite):
    names = {path.name.split("_")[0] for path in suite.folder.glob("*.deb")}
    assert names >= {"libmxguard0", "libmxguard-dev", "python3-mxguard", "mxguard", "mxguard-policy", "mxguard-milter", "dovecot-mxguard"}


def test_built_twice_is_the_same(suite):
    again = suite.folder.parent / "again"
    suite.build(again)
    assert sums(suite.folder) and sums(suite.folder) == sums(again)
    shutil.rmtree(again)


def test_lintian_is_silent(suite):
    changes = next(suite.folder.glob("*.changes"))
    done = suite.run("lintian", "--allow-root", "--pedantic", "--fail-on=error,warning,info,pedantic,override", changes)
    assert done.returncode == 0 and done.stdout.strip() == "", done.stdout


def test_lintian_is_silent_about_the_source(suite):
    if suite.name != HERE or not (ROOT / ".git").exists():
        pytest.skip("git knows of no checkout there")
    done = suite.run("tests/packages/judge_source")
    assert done.returncode == 0 and done.stdout.strip() == "", done.stdout


def test_the_life_of_the_packages(suite):
    """On a bare system; debian/tests deliver there through what is installed."""
    done = script("script/debian", suite.name, "fresh", "tests/packages/trial /build/packages")
    if done.returncode == 77:
        pytest.skip(done.stdout.strip())
    assert done.returncode == 0 and "every step was as promised" in done.stdout, done.stdout


def test_upgrades_under_load(suite):
    """Postfix with the policy service and the milter, Dovecot with the plugin, and systemd, on a copy of this machine or of the folder."""
    done = suite.run("tests/packages/booted", "tests/packages/upgrade", suite.folder)
    if done.returncode == 77:
        pytest.skip(done.stdout.strip())
    assert done.returncode == 0 and "every step was as promised" in done.stdout, done.stdout


@pytest.mark.skipif(not os.environ.get("MXGUARD_SOURCE"), reason="takes minutes; MXGUARD_SOURCE=1 runs it")
@pytest.mark.parametrize("name", SUITES)
def test_the_installation_from_source(name):
    done = script("script/debian", name, "fresh", "tests/packages/source")
    if done.returncode == 77:
        pytest.skip(done.stdout.strip())
    assert done.returncode == 0 and "every step was as promised" in done.stdout, done.stdout
