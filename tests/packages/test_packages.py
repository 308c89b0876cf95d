# SPDX-License-Identifier: MIT
"""The Debian packages: built, built again the same, without a word of lintian, and lived with on a bare Debian."""
import hashlib
import os
import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SUITE = os.environ.get("MXGUARD_SUITE", "bookworm")
FOLDER = ROOT / ".cache" / f"build-{SUITE}" / "packages"


def script(*command, timeout=2400):
    return subprocess.run([str(each) for each in command], cwd=ROOT, timeout=timeout, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def sums(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.deb")}


@pytest.fixture(scope="module")
def packages():
    shutil.rmtree(FOLDER, ignore_errors=True)
    done = script("script/package", FOLDER)
    assert done.returncode == 0, done.stdout
    return FOLDER


def test_the_names(packages):
    names = {path.name.split("_")[0] for path in packages.glob("*.deb")}
    assert names >= {"libmxguard0", "libmxguard-dev", "python3-mxguard", "mxguard", "mxguard-policy", "dovecot-mxguard"}


def test_built_twice_is_the_same(packages, tmp_path):
    done = script("script/package", tmp_path / "again")
    assert done.returncode == 0, done.stdout
    assert sums(packages) == sums(tmp_path / "again")


def test_lintian_is_silent(packages):
    changes = next(packages.glob("*.changes"))
    done = script("lintian", "--allow-root", "--pedantic", "--fail-on=error,warning,info,pedantic,override", changes)
    assert done.returncode == 0 and done.stdout.strip() == "", done.stdout


def test_the_life_of_the_packages(packages):
    done = script("script/debian", SUITE, "fresh", "tests/packages/trial /build/packages")
    if done.returncode == 77:
        pytest.skip(done.stdout.strip())
    assert done.returncode == 0 and "every step was as promised" in done.stdout, done.stdout
