# SPDX-License-Identifier: MIT
"""One host asks and publishes, others fetch: what is taken, what is refused, and that a refusal
or a kill leaves what stood."""
from __future__ import annotations

import fcntl
import json
import os
import pathlib
import shutil
import signal
import subprocess

import pytest

from mxg import build
from mxg.dns_script import nodata
from mxg.mxguard import check, mxguard
from mxg.mxguard import write_config as write_file

NEW = "192.0.2.99"
TORN, FLIPPED = (7, 1) if os.environ.get("MXGUARD_LONG") else (35, 41)  # bytes between one try and the next


class Host:
    """One that fetches: a configuration elsewhere, no DNS at all."""

    def __init__(self, folder: pathlib.Path, settings: dict) -> None:
        self.folder, self.state = folder, folder / "state"
        self.state.mkdir(mode=0o755, parents=True)
        self.settings = settings | {"state_dir": str(self.state),
                                    "dns": {"servers": ["127.0.0.1:1"], "timeout": "1s"}}
        self.configure()

    def configure(self, **changes) -> None:
        self.settings |= changes
        self.config = write_file(self.folder / "own.conf", self.settings)

    @property
    def snapshot(self) -> pathlib.Path:
        return self.state / "snapshot.cdb"

    def fetch(self, file: pathlib.Path, *arguments: str, status: int = 0) -> dict:
        result = mxguard("refresh", "-c", self.config, "--json", "--fetch", str(file), *arguments)
        self.stderr = result.stderr.decode()
        assert result.returncode == status, (result.stdout + result.stderr).decode()
        return json.loads(result.stdout) if result.stdout.strip() else {}

    def refuses(self, file: pathlib.Path, reason: str, status: int = 65) -> None:
        before = self.snapshot.read_bytes() if self.snapshot.exists() else None
        found = self.fetch(file, status=status)
        assert not found["written"] and reason in found["error"]
        assert reason in self.stderr and str(file) in self.stderr
        after = self.snapshot.read_bytes() if self.snapshot.exists() else None
        assert after == before
        assert set(os.listdir(self.state)) <= {"refresh.lock", "snapshot.cdb"}

    def verdict(self, peer: str) -> str:
        return check(self.config, peer=peer, rcpt="a@example.test")["verdict"]

    def generation(self) -> int:
        return json.loads(mxguard("gateways", "-c", self.config, "--no-dns", "--json",
                                  "example.test").stdout)["generation"]


@pytest.fixture
def file(folder) -> pathlib.Path:
    return folder / "published"


@pytest.fixture
def host(site, folder) -> Host:
    return Host(folder / "host", site.settings)


def test_all_decide_alike(site, host, file):
    published = site.refresh("--publish", str(file))["published"]
    assert published["written"] and file.read_bytes() == site.snapshot.read_bytes()
    assert file.stat().st_mode & 0o777 == 0o644
    found = host.fetch(file)
    assert found["written"] and found["generation"] == published["generation"] == host.generation()
    assert (found["domains"], found["stored"], found["generation_before"]) == (2, 6, None)
    assert [host.verdict(peer) for peer in ("192.0.2.10", "203.0.113.8")] == ["authorized"] * 2
    assert host.snapshot.stat().st_mode & 0o777 == 0o644
    inode = host.snapshot.stat().st_ino
    again = host.fetch(file)
    assert not again["written"] and again["error"] is None
    assert host.snapshot.stat().st_ino == inode
    damaged = bytearray(host.snapshot.read_bytes())
    damaged[-100] ^= 4
    host.snapshot.write_bytes(damaged)
    assert host.fetch(file)["written"] and host.snapshot.read_bytes() == file.read_bytes(), "it mends"
    site.dns.set("gw.example.test", "A", NEW)
    site.refresh("--publish", str(file))
    assert host.fetch(file)["generation_before"] == published["generation"]
    assert host.verdict(NEW) == "authorized"
    people = mxguard("gateways", "-c", host.config, "--no-dns", "example.test").stdout.decode()
    assert f"generation {host.generation()}" in people.splitlines()[-1]


def test_published_without_dns(site, host, file):
    """The current one is published where a new one could not be made; where there is none, that is said."""
    site.dns.stop()
    found = site.refresh("--publish", str(file), status=75)["published"]
    assert not found["written"] and "no snapshot" in found["error"] and not file.exists()


def test_current_one_is_published(site, host, file):
    site.refresh()
    site.dns.stop()
    found = site.refresh("--publish", str(file), status=75)
    assert not found["written"] and found["published"]["written"]
    assert file.read_bytes() == site.snapshot.read_bytes()
    assert host.fetch(file)["written"]


def test_damaged_one_is_not_published(site, file):
    site.refresh("--publish", str(file))
    good = file.read_bytes()
    bytes_ = bytearray(site.snapshot.read_bytes())
    bytes_[len(bytes_) * 2 // 3] ^= 1
    site.snapshot.write_bytes(bytes_)
    site.dns.stop()
    found = site.refresh("--publish", str(file), status=75)["published"]
    assert not found["written"] and "not published" in found["error"]
    assert file.read_bytes() == good
    assert sorted(path.name for path in file.parent.glob("published*")) == ["published"]


def refuse_all(host: Host, file: pathlib.Path, variants) -> int:
    """Many at little cost: without JSON, and what stands is looked at after each."""
    before, count = host.snapshot.read_bytes(), 0
    for bytes_ in variants:
        file.write_bytes(bytes_)
        result = subprocess.run([build.command(), "refresh", "-q", "-c", host.config, "--fetch", file],
                                capture_output=True, text=True)
        assert result.returncode == 65, (count, result)
        assert str(file) in result.stderr and "stays" in result.stderr
        assert host.snapshot.read_bytes() == before
        count += 1
    return count


def test_torn_and_flipped(site, host, file):
    """At lengths all over the file, and in every part of it: table, header, checksum, records, slots."""
    site.refresh("--publish", str(file))
    host.fetch(file)
    site.dns.set("gw.example.test", "A", NEW)
    site.refresh("--forget", "gw.example.test", "--publish", str(file))
    whole = file.read_bytes()
    assert refuse_all(host, file, (whole[:n] for n in [*range(0, len(whole), TORN), len(whole) - 1])) > 80
    assert refuse_all(host, file, (whole + b"\0", bytes(len(whole)), b"no snapshot" * 1000)) == 3

    def flipped(at: int) -> bytes:
        changed = bytearray(whole)
        changed[at] ^= 1 << at % 8
        return bytes(changed)
    assert refuse_all(host, file, map(flipped, [*range(0, len(whole), FLIPPED), *range(3150, 3250, 7)])) > 90
    old = host.snapshot.read_bytes()
    assert len(old) == len(whole)
    mixed = {old[:n] + whole[n:] for n in range(1, len(whole))} - {old, whole}
    assert refuse_all(host, file, sorted(mixed)[::9]) > 3
    file.write_bytes(whole)
    assert host.fetch(file)["written"] and host.verdict(NEW) == "authorized"


def test_older(site, host, file, folder):
    site.refresh("--publish", str(file))
    shutil.copy(file, folder / "first")
    site.refresh("--publish", str(file))
    host.fetch(file)
    host.refuses(folder / "first", "older")
    host.fetch(folder / "first", "--force", status=65)


def test_shrunk(site, host, file):
    """A fifth may go, and no more; of domains and of names."""
    names = [f"d{number}.test" for number in range(10)]
    for name in names:
        site.dns.set(name, "MX", "10 gw.example.test")
    listed = site.folder / "domains"
    listed.write_text("".join(f"{name}\n" for name in names))
    site.configure(domains=[], domains_file=str(listed))
    elsewhere = host.folder / "domains"
    elsewhere.write_text("d1.test\n")
    host.configure(domains=[], domains_file=str(elsewhere))
    site.refresh("--publish", str(file))
    assert host.fetch(file)["domains"] == 10
    listed.write_text("".join(f"{name}\n" for name in names[:8]))
    site.refresh("--publish", str(file))
    assert host.fetch(file)["domains"] == 8
    listed.write_text("".join(f"{name}\n" for name in names[:6]))
    site.refresh("--publish", str(file))
    host.refuses(file, "more than a fifth of the domains: 6, before 8")
    assert host.fetch(file, "--force")["domains"] == 6


def test_configurations(site, host, file, folder):
    """What they say counts: not where they lie, in which order, or with which words beside it."""
    blocks = [{"domains": [f"{name}.test"], "gateways": [{"name": name, "allow": f"a:{name}.filter.test"}]}
              for name in ("one", "two")]
    for name in ("one", "two"):
        site.dns.set(f"{name}.test", "MX", "10 gw.example.test")
        site.dns.set(f"{name}.filter.test", "A", "192.0.2.77")
        site.dns.set(f"{name}.filter.test", "AAAA", nodata())
    site.configure(policies=tuple(blocks))
    site.refresh("--publish", str(file))
    host.refuses(file, "other gateways", 78)
    host.configure(policies=tuple(reversed(blocks)), mode="monitor",
                   gateways=list(reversed(site.settings["gateways"])), domains=["other.test", "example.test"])
    host.config.write_text("# other words\n" + host.config.read_text())
    assert host.fetch(file)["written"]
    for changes, reason in (({"gateways": site.settings["gateways"][:1]}, "other gateways"),
                            ({"gateways": site.settings["gateways"] + [{"name": "x", "allow": "ip4:192.0.2.1"}]},
                             "other gateways"),
                            ({"policies": tuple(blocks[:1])}, "other gateways"),
                            ({"domains": ["example.test"]}, "another configuration")):
        other = Host(folder / f"other{len(os.listdir(folder))}", host.settings | changes)
        other.refuses(file, reason, 78)


def test_alarms_run_the_hook(site, host, file):
    told = host.folder / "told"
    host.configure(on_alarm=f'echo "$MXGUARD_ALARM_NAME $MXGUARD_ALARM_KIND $MXGUARD_ALARM_HELD '
                            f'$MXGUARD_ALARM_NEW $MXGUARD_ALARM_BEFORE $MXGUARD_ALARM_NOW" >> {told}')
    site.refresh("--publish", str(file))
    assert host.fetch(file)["alarms"] == [] and not told.exists()
    site.dns.set("gw.example.test", "A", nodata())
    site.refresh("--publish", str(file))
    found = host.fetch(file)["alarms"]
    assert [(each["name"], each["alarms"], each["kept_old"]) for each in found] == \
        [("gw.example.test", ["emptied"], True)]
    assert told.read_text() == "gw.example.test emptied 1 1 1 0\n" and "alarm: gw.example.test A" in host.stderr
    site.refresh("--publish", str(file))
    host.fetch(file)
    assert told.read_text().splitlines()[1] == "gw.example.test emptied 1 0 1 0", "no news any more"


def test_not_trusted_not_there_not_now(site, host, file, folder):
    host.refuses(folder / "missing", "No such file", 75)
    host.refuses(folder, "not a regular file")
    site.refresh("--publish", str(file))
    file.chmod(0o666)
    host.refuses(file, "not trusted", 77)
    file.chmod(0o644)
    with open(host.state / "refresh.lock", "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert host.fetch(file, status=75) == {}
    assert not host.snapshot.exists() and host.fetch(file)["written"]


@pytest.mark.parametrize("arguments", [("--force",), ("--fetch", "f", "--publish", "g"), ("--fetch", "f", "--strict")])
def test_wrong_use(host, arguments):
    assert mxguard("refresh", "-c", host.config, *arguments).returncode == 64


def test_full_disk(site, host, file):
    """What cannot be written leaves what stood, here and there."""
    site.refresh("--publish", str(file))
    small = ["prlimit", "--fsize=3000", str(build.command()), "refresh", "-q", "-c"]
    result = subprocess.run([*small, str(host.config), "--fetch", str(file)], capture_output=True,
                            preexec_fn=lambda: signal.signal(signal.SIGXFSZ, signal.SIG_IGN))
    assert result.returncode == 74, result
    assert os.listdir(host.state) == ["refresh.lock"]


@pytest.mark.parametrize("call", ["openat", "pread64", "write", "fchmod", "fsync", "renameat", "close"])
def test_killed_on_the_way(site, host, file, call):
    """Before the rename the old one stands, after it the new one; leftovers go with the next run."""
    if shutil.which("strace") is None or subprocess.run(["strace", "-o", os.devnull, "true"],
                                                        stderr=subprocess.DEVNULL).returncode:
        pytest.skip("strace may not trace here")
    site.refresh("--publish", str(file))
    host.fetch(file)
    old = host.snapshot.read_bytes()
    site.dns.set("gw.example.test", "A", NEW)
    site.refresh("--publish", str(file))
    new, status, number = file.read_bytes(), None, 0
    while status != 0 and number < 60:
        number += 1
        host.snapshot.write_bytes(old)
        status = subprocess.run(["strace", "-qq", "-o", os.devnull, "-e", f"trace={call}", "-e",
                                 f"inject={call}:signal=KILL:when={number}", build.command(), "refresh", "-q",
                                 "-c", host.config, "--fetch", file], stderr=subprocess.DEVNULL,
                                env=os.environ | {"ASAN_OPTIONS": "detect_leaks=0"}).returncode
        assert status in (0, 137, -9)
        assert host.snapshot.read_bytes() in (old, new)
    assert status == 0 and host.snapshot.read_bytes() == new
    assert sorted(os.listdir(host.state)) == ["refresh.lock", "snapshot.cdb"]
