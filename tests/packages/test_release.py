# SPDX-License-Identifier: MIT
"""What a release is made of, and by: script/release in a clone that is thrown away, the tarball, the RPMs' spec."""
import os
import pathlib
import re
import shutil
import subprocess
import tarfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
VERSION = re.search(r"^  version: '(.*)',$", (ROOT / "meson.build").read_text(), re.M)[1]


def run(*command, cwd, status=0, timeout=7200, **environment):
    done = subprocess.run([str(each) for each in command], cwd=cwd, timeout=timeout, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, env={**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", **environment})
    assert done.returncode == status, done.stdout
    return done.stdout


def git(clone, *arguments):
    return run("git", "-c", "user.name=x", "-c", "user.email=x@x.invalid", "-c", "safe.directory=*", *arguments, cwd=clone)


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """This checkout as it stands, committed."""
    if not shutil.which("git"):
        pytest.skip("git is not installed")
    folder = tmp_path_factory.mktemp("release") / "clone"
    folder.mkdir()
    listed = subprocess.run(["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                            cwd=ROOT, stdout=subprocess.PIPE)
    if listed.returncode != 0:
        pytest.skip("this is no checkout")
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name, follow_symlinks=False)
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "The first")
    return folder


@pytest.fixture(scope="module")
def released(clone):
    folder = clone.parent / "out"
    said = run("script/release", "--no-tests", VERSION, folder, cwd=clone)
    assert "git tag" in said
    return folder


def test_tarball_checksum_and_entry(clone, released):
    name = f"mxguard-{VERSION}.tar.xz"
    assert sorted(path.name for path in released.iterdir()) == sorted([name, f"{name}.sha256sum", f"mxguard-{VERSION}.news"])
    assert run("sha256sum", "-c", f"{name}.sha256sum", cwd=released) == f"{name}: OK\n"
    entry = (released / f"mxguard-{VERSION}.news").read_text()
    assert entry.startswith(f"## {VERSION}\n") and entry.count("\n## ") == 0 and entry in (ROOT / "CHANGELOG.md").read_text()
    with tarfile.open(released / name) as archive:
        inside = {member.name.split("/", 1)[1] for member in archive.getmembers() if member.isfile()}
        assert not [member.name for member in archive.getmembers() if member.mode & 0o022 and not member.issym()]
    assert inside == set(git(clone, "ls-files").splitlines())


def test_nothing_is_tagged_and_nothing_changed(clone, released):
    assert git(clone, "tag") == "" and git(clone, "status", "--porcelain") == ""


def test_what_is_not_ready_is_no_release(clone, released):
    assert "in the way" in run("script/release", VERSION, released, cwd=clone, status=1)
    assert "another version" in run("script/release", "9.8.7", released / "x", cwd=clone, status=1)
    assert "no version" in run("script/release", "1.0", cwd=clone, status=1)
    (clone / "new").write_text("x")
    assert "not clean" in run("script/release", VERSION, released / "x", cwd=clone, status=1)
    (clone / "new").unlink()


def test_the_next_one_is_prepared(clone, released):
    copy = clone.parent / "next"
    git(clone, "clone", "-q", clone, copy)
    run("script/release", "--prepare", "1.2.3", cwd=copy)
    assert "version: '1.2.3'," in (copy / "meson.build").read_text()
    assert re.search(r"^## 1\.2\.3\n\n- The first\.\n\n## ", (copy / "CHANGELOG.md").read_text(), re.M)
    assert run("dpkg-parsechangelog", "-S", "Version", cwd=copy).strip() == "1.2.3-1"
    assert re.search(r"^Version: +1\.2\.3$", (copy / "contrib/rpm/mxguard.spec").read_text(), re.M)
    git(copy, "commit", "-qam", "1.2.3")
    assert run("script/release", "--prepare", "1.2.3", cwd=copy) and git(copy, "status", "--porcelain") == ""  # once


needs_rpm = pytest.mark.skipif(not shutil.which("rpmbuild"), reason="rpm is not installed")


@needs_rpm
def test_the_spec_is_accepted(released, tmp_path):
    spec = ROOT / "contrib/rpm/mxguard.spec"
    assert run("rpmspec", "-q", "--srpm", "--qf", "%{VERSION}", spec, cwd=tmp_path) == VERSION
    names = run("rpmspec", "-q", "--qf", "%{NAME} ", spec, cwd=tmp_path).split()
    assert names == ["mxguard", "mxguard-libs", "mxguard-devel", "python3-mxguard", "dovecot-mxguard"]
    run("rpmbuild", "-bs", "--define", f"_topdir {tmp_path}", "--define", f"_sourcedir {released}", spec, cwd=tmp_path)
    assert list(tmp_path.glob(f"SRPMS/mxguard-{VERSION}-1*.src.rpm"))


UNITS = {path.name.removesuffix(".in") for path in (ROOT / "tools/systemd").iterdir()}
SERVICES = {"mxguard-policy.service", "mxguard-milter.service"}


def ran(script, argument, folder):
    """What SCRIPT, as rpm runs it with ARGUMENT, asks of a stand-in for systemctl."""
    (folder / "systemctl").write_text(f'#!/bin/sh\necho "$@" >>{folder}/asked\nexit 1\n')
    (folder / "systemctl").chmod(0o755)
    (folder / "asked").write_text("")
    run("sh", "-ec", script, "x", argument, cwd=folder, PATH=f"{folder}:/usr/bin:/bin")
    return [line.split() for line in (folder / "asked").read_text().splitlines()]


def promised(scripts, folder):
    """An installation enables and starts nothing, an upgrade restarts services and leaves the sockets, a removal ends all."""
    for name in ("post", "postun"):
        for argument in "012":
            for words in ran(scripts[name], argument, folder):
                assert words == ["daemon-reload"] or name == "postun" and argument != "0" and words[0] == "try-restart"
    restarted = [words[1:] for words in ran(scripts["postun"], "1", folder) if words[0] == "try-restart"]
    assert len(restarted) == 1 and set(restarted[0]) == SERVICES
    assert ran(scripts["preun"], "1", folder) == []
    ended, = ran(scripts["preun"], "0", folder)
    assert ended[:3] == ["--no-reload", "disable", "--now"] and set(ended[3:]) == UNITS


@needs_rpm
def test_the_scripts_of_the_spec(tmp_path):
    """By themselves, where rpmbuild has no macros for systemd, and by such macros where it has."""
    def scripts(*options):
        one = "%{NAME}@@%{POSTIN}@@%{PREUN}@@%{POSTUN}@@@"
        said = run("rpmspec", "-q", *options, "--qf", one, ROOT / "contrib/rpm/mxguard.spec", cwd=tmp_path)
        found = {name: dict(zip(("post", "preun", "postun"), rest)) for name, *rest in (each.split("@@") for each in said.split("@@@")[:-1])}
        assert {each for name, rest in found.items() if name != "mxguard" for each in rest.values()} == {"(none)"}
        return found["mxguard"]

    names = ("systemd_post", "systemd_preun", "systemd_postun_with_restart")
    if not any(run("rpm", "--eval", f"%{{?{name}:yes}}", cwd=tmp_path).strip() for name in names):
        promised(scripts(), tmp_path)
    (tmp_path / "macros").write_text("".join(f"%{name}() {name} %*\n" for name in names))
    words = {name: script.split() for name, script in scripts("--load", "macros").items()}
    assert [words[name][0] for name in ("post", "preun", "postun")] == list(names)
    assert set(words["post"][1:]) == set(words["preun"][1:]) == UNITS and set(words["postun"][1:]) == SERVICES


@needs_rpm
@pytest.mark.skipif(not os.environ.get("MXGUARD_RPM"), reason="takes a minute; MXGUARD_RPM=1 builds them")
def test_the_packages_of_the_spec(released, tmp_path):
    spec = ROOT / "contrib/rpm/mxguard.spec"
    run("rpmbuild", "-bb", "--nodeps", "--define", f"_topdir {tmp_path}", "--define", f"_sourcedir {released}", spec, cwd=tmp_path)
    found = {path.name.split(f"-{VERSION}")[0]: path for path in tmp_path.glob("RPMS/*/*.rpm")}
    assert {"mxguard", "mxguard-libs", "mxguard-devel", "python3-mxguard", "dovecot-mxguard"} <= set(found)
    assert "/usr/bin/mxguard-lda" in run("rpm", "-qpl", found["mxguard"], cwd=tmp_path).splitlines()
    assert "lib99_mxguard_plugin.so" in run("rpm", "-qpl", found["dovecot-mxguard"], cwd=tmp_path)
    assert run("rpm", "-qpc", found["mxguard"], cwd=tmp_path).split() == ["/etc/mxguard/mxguard.conf"]
    said = run("rpm", "-qp", "--scripts", found["mxguard"], cwd=tmp_path)
    assert re.findall(r"^(\w+) scriptlet \(using /bin/sh\):$", said, re.M) == ["postinstall", "preuninstall", "postuninstall"], said
