# SPDX-License-Identifier: MIT
"""What befalls `mxguard refresh` and those who read its snapshot meanwhile: killed at every
step, replaced under readers, DNS that dies, comes back, or fails in part."""
from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import time

import pytest

from mxg import build
from mxg.dns_script import ScriptedDns, answer, delayed, nxdomain, servfail, timeout
from mxg.mxguard import check, mxguard
from mxg.process import free_port, wait_until

OLD, NEW = "192.0.2.10", "192.0.2.99"
# What a refresh does to files, and a few more so that a kill falls between them as well.
STEPS = ["mkdir", "openat", "flock", "getdents64", "unlinkat", "lseek", "read", "pread64", "write",
         "pwrite64", "writev", "ftruncate", "fchmod", "fsync", "fdatasync", "rename", "renameat",
         "renameat2", "close", "newfstatat", "sendto", "recvfrom"]


def traced(call: str, number: int, site) -> int:
    """A refresh that is killed as it enters CALL for the NUMBERth time; its status."""
    command = ["strace", "-f", "-qq", "-o", os.devnull, "-e", f"trace={call}", "-e",
               f"inject={call}:signal=KILL:when={number}", str(build.command()), "refresh", "-q", "-c",
               str(site.config)]
    environment = os.environ | {"ASAN_OPTIONS": "detect_leaks=0"}  # which cannot be under ptrace
    return subprocess.run(command, env=environment, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, timeout=120).returncode


@pytest.fixture(scope="session")
def strace() -> None:
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed: script/install test")
    if subprocess.run(["strace", "-o", os.devnull, "true"], stderr=subprocess.DEVNULL).returncode:
        pytest.skip("strace may not trace here")


@pytest.mark.parametrize("call", STEPS)
def test_killed_at_every_step(site, strace, call):
    """Before the rename the old snapshot stands, after it the new one; whole in either case."""
    site.refresh()
    old = site.snapshot.read_bytes()
    site.dns.set("gw.example.test", "A", NEW)
    for number in range(1, 200):
        site.snapshot.write_bytes(old)
        status = traced(call, number, site)
        now = site.snapshot.read_bytes()
        result = check(site.config, peer=NEW, rcpt="a@example.test")
        assert result["verdict"] == ("direct" if now == old else "authorized")
        assert "snapshot" not in result.stderr, result.stderr
        if status == 0:
            break
        assert status == 137 or status == -9, status
    assert status == 0 and now != old
    then = json.loads(mxguard("gateways", "-c", site.config, "--generations", "--json", "example.test").stdout)
    assert NEW in then["generations"][-1]["gateways"], "no change is lost"
    assert sorted(os.listdir(site.state)) == ["history", "refresh.lock", "snapshot.cdb"]


class Readers:
    """Processes that decide about NEW until they are told to end."""

    def __init__(self, site, count: int) -> None:
        command = [str(build.find("snapshot-reader")), str(site.config), "a@example.test", NEW]
        self.outputs = [site.folder / f"reader{number}" for number in range(count)]
        self.all = []
        for output in self.outputs:
            with open(output, "wb") as file:
                self.all.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=file))

    def __enter__(self) -> "Readers":
        return self

    def __exit__(self, *_: object) -> None:
        for reader in self.all:
            if reader.poll() is None:
                reader.kill()
            reader.wait(120)
            reader.stdin.close()

    def all_say(self, verdict: str) -> None:
        assert all(reader.poll() is None for reader in self.all)
        wait_until(lambda: all(output.read_text().endswith(f"{verdict}\n") for output in self.outputs),
                   f"{len(self.all)} say {verdict}")

    def results(self) -> list[str]:
        """What each has said before its counts."""
        for reader in self.all:
            reader.stdin.close()
            assert reader.wait(120) == 0
        return [output.read_text() for output in self.outputs]


def test_replaced_while_fifty_read(site):
    """Each of them says one thing and then the other, from one handle, and never neither."""
    site.dns.set("gw.example.test", "A", answer(OLD, ttl=3600))
    site.refresh()
    with Readers(site, 50) as readers:
        readers.all_say("direct")
        for turn in range(12):
            site.dns.set("gw.example.test", "A", OLD if turn % 2 else NEW)
            site.refresh("--forget", "gw.example.test")
            readers.all_say("direct" if turn % 2 else "authorized")
        results = readers.results()
    for said in results:
        *verdicts, counts = said.splitlines()
        assert verdicts == ["direct"] + ["authorized", "direct"] * 6
        assert re.fullmatch(r"authorized [1-9]\d* direct [1-9]\d* unknown 0 opened 13", counts)


def test_resolver_dies_on_the_way_and_comes_back(site):
    """What was answered counts, what was not keeps its old answers; the next one makes it good."""
    site.refresh()
    site.dns.set("gw.example.test", "A", NEW)
    site.dns.set("more.filter.test", "TXT", delayed(5, answer("v=spf1 ip4:203.0.113.9 -all")))
    process = subprocess.Popen([str(build.command()), "refresh", "-q", "-c", str(site.config)])
    wait_until(lambda: len(site.dns.questions) >= 12, "all is asked")
    site.dns.stop()
    assert process.wait(120) == 75
    site.dns.set("more.filter.test", "TXT", "v=spf1 ip4:203.0.113.9 -all")
    with ScriptedDns(site.dns.address, site.dns.port) as back:
        back.default = servfail()
        assert [site.verdict(peer) for peer in (NEW, "203.0.113.8")] == ["authorized"] * 2
        assert site.verdict("203.0.113.9") == "direct"
        back.script = site.dns.script
        site.refresh()
        back.script = {}
        assert site.verdict("203.0.113.9") == "authorized"


def test_eight_dead_servers(site):
    site.refresh()
    before = site.snapshot.read_bytes()
    dead = [f"127.0.0.1:{free_port('127.0.0.1', socket.SOCK_DGRAM)}" for _ in range(8)]
    site.configure(dns={"servers": dead, "timeout": "2s"})
    begin = time.monotonic()
    found = site.refresh(status=75)
    assert not found["written"] and "not one of" in found["error"]
    assert time.monotonic() - begin < 60
    assert site.snapshot.read_bytes() == before


def test_eight_silent_servers(site):
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(ScriptedDns()) for _ in range(8)]
        for server in silent:
            server.default = timeout()
        site.configure(dns={"servers": [server.server for server in silent], "timeout": "2s"})
        begin = time.monotonic()
        found = site.refresh(status=75)
        assert not found["written"], found
        assert time.monotonic() - begin < 100


def test_one_of_eight_servers_lives(site):
    """It gives everything, whichever server a question begins with."""
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(ScriptedDns()) for _ in range(7)]
        for server in servers:
            server.default = timeout()
        site.configure(dns={"servers": [*(server.server for server in servers), site.dns.server],
                            "timeout": "2s"})
        begin = time.monotonic()
        assert site.refresh()["failures"] == []
        assert time.monotonic() - begin < 100
    assert site.offline(OLD) == "authorized"


def includes(site, count: int = 9) -> None:
    for i in range(count):
        site.dns.set(f"part{i}.filter.test", "TXT", f"v=spf1 ip4:203.0.113.{10 + i} -all")
    terms = " ".join(f"include:part{i}.filter.test" for i in range(count))
    site.dns.set("_spf.filter.test", "TXT", f"v=spf1 {terms} -all")


def test_servfail_on_one_include_of_many_live(site):
    """Those before it decide; behind it everything is in doubt, and nothing is refused."""
    includes(site)
    site.dns.set("part4.filter.test", "TXT", servfail())
    assert site.verdict("203.0.113.13") == "authorized"
    for peer in ("203.0.113.14", "203.0.113.15", "203.0.113.66"):
        result = check(site.config, peer=peer, rcpt="a@example.test")
        assert (result["verdict"], result["reason"]) == ("unknown", "dns-servfail")


def test_servfail_on_one_include_of_many_refreshed(site):
    includes(site)
    site.refresh()
    site.dns.set("part4.filter.test", "TXT", servfail())
    site.dns.set("part8.filter.test", "TXT", "v=spf1 ip4:203.0.113.99 -all")
    time.sleep(1.1)
    found = site.refresh(status=75)
    assert [f["name"] for f in found["failures"]] == ["part4.filter.test"]
    for peer in ("203.0.113.14", "203.0.113.15", "203.0.113.18", "203.0.113.99"):
        assert site.offline(peer) == "authorized"
    assert site.offline("203.0.113.66") == "direct"


def test_servfail_on_one_include_that_was_never_known(site):
    """Others are known all the same; what cannot be known refuses nobody."""
    includes(site)
    site.dns.set("part4.filter.test", "TXT", servfail())
    found = site.refresh(status=75)
    assert found["written"] and [f["kept_old"] for f in found["failures"]] == [False]
    assert site.offline("203.0.113.13") == "authorized"
    assert site.offline("203.0.113.66") == "unknown"


def test_one_address_dropped_from_an_include(site):
    """In grace for deliveries, gone from one refresh to the next where it is forgotten."""
    site.dns.set("more.filter.test", "TXT", "v=spf1 ip4:203.0.113.8 ip4:203.0.113.9 -all")
    site.refresh()
    site.dns.set("more.filter.test", "TXT", "v=spf1 ip4:203.0.113.9 -all")
    time.sleep(1.1)
    assert site.refresh()["changed"] == 1
    result = check(site.config, peer="203.0.113.8", rcpt="a@example.test")
    assert (result["verdict"], result["reason"]) == ("authorized", "gateway-match-grace")
    assert site.offline("203.0.113.9") == "authorized"
    site.refresh("--forget", "more.filter.test")
    assert site.offline("203.0.113.8") == "direct"


def test_include_removed_and_its_name_gone_then_forgotten(site):
    site.refresh()
    site.dns.set("_spf.filter.test", "TXT", "v=spf1 ip4:198.51.100.0/25 -all")
    site.dns.set("more.filter.test", "TXT", nxdomain())
    time.sleep(1.1)
    site.refresh()
    assert site.offline("203.0.113.8") == "authorized"
    site.refresh("--forget", "_spf.filter.test")
    assert site.offline("203.0.113.8") == "direct"


def test_mx_swapped(site):
    """The new gateway counts at once, the old one for the days of grace; strangers never do."""
    site.refresh()
    site.dns.update({("example.test", "MX"): "10 gw.newfilter.test", ("gw.newfilter.test", "A"): NEW,
                     ("gw.newfilter.test", "AAAA"): "2001:db8::99"})
    time.sleep(1.1)
    site.refresh()
    assert [site.offline(peer) for peer in (NEW, OLD, "2001:db8::99", "2001:db8::10")] == \
        ["authorized"] * 4
    assert site.offline("203.0.113.66") == "direct"
    result = check(site.config, peer=OLD, rcpt="a@other.test")
    assert result["reason"] == "gateway-match"


def test_every_name_is_slow_within_one_limit(site):
    """Each include answers in time for itself; all of them together may not take longer."""
    site.waits(2)
    for i in range(8):
        site.dns.set(f"c{i}.filter.test", "TXT",
                     delayed(1.5, answer(f"v=spf1 include:c{i + 1}.filter.test -all")))
    site.dns.set("_spf.filter.test", "TXT", delayed(1.5, answer("v=spf1 include:c0.filter.test -all")))
    begin = time.monotonic()
    result = mxguard("check", "-c", site.config, "--peer", "203.0.113.66", "--rcpt", "a@example.test")
    assert result.returncode == 75
    assert 1.5 < time.monotonic() - begin < 10, "dns.timeout is 2 s, for the whole, which would be 13"
