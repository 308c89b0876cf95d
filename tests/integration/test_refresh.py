# SPDX-License-Identifier: MIT
"""`mxguard refresh`: what it asks, keeps, reports, and what nothing can break."""
from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import subprocess
import time

import pytest

from mxg import build
from mxg.dns_script import answer, delayed, nodata, nxdomain, servfail, timeout
from mxg.mxguard import check, mxguard
from mxg.process import wait_until


def test_every_question_once(site):
    found = site.refresh()
    assert sorted(site.dns.asked()) == sorted({
        ("example.test", "MX"), ("other.test", "MX"), ("gw.example.test", "A"),
        ("gw.example.test", "AAAA"), ("_spf.filter.test", "TXT"), ("more.filter.test", "TXT")})
    assert found["written"] and found["domains"] == 2 and found["stored"] == 6
    assert found["alarms"] == [] and found["failures"] == []
    assert site.snapshot.stat().st_mode & 0o777 == 0o644
    assert sorted(os.listdir(site.state)) == ["history", "refresh.lock", "snapshot.cdb"]


def test_deliveries_ask_nothing(site):
    site.refresh()
    assert site.offline("192.0.2.10") == "authorized"
    assert site.offline("203.0.113.8") == "authorized"
    assert site.offline("198.51.100.200") == "direct"


def test_other_configuration_is_refused(site):
    site.refresh()
    site.configure(gateways=[{"name": "filter", "allow": "a:other.filter.test"}])
    result = check(site.config, peer="192.0.2.10", rcpt="a@example.test")
    assert "another configuration" in result.stderr


def test_failure_keeps_what_was_known(site):
    site.refresh()
    site.dns.set("more.filter.test", "TXT", servfail())
    found = site.refresh(status=75)
    assert [(f["name"], f["type"], f["kept_old"]) for f in found["failures"]] == \
        [("more.filter.test", "TXT", True)]
    assert site.offline("203.0.113.8") == "authorized"


def test_dead_resolver_leaves_the_snapshot(site):
    site.refresh()
    before = site.snapshot.read_bytes()
    site.dns.stop()
    found = site.refresh(status=75)
    assert not found["written"] and "not one of" in found["error"]
    assert site.snapshot.read_bytes() == before


def test_emptied_set_keeps_its_answers(site):
    site.refresh()
    site.dns.set("gw.example.test", "A", nodata())
    found = site.refresh()
    assert [(a["name"], a["alarms"], a["kept_old"]) for a in found["alarms"]] == \
        [("gw.example.test", ["emptied"], True)]
    assert site.offline("192.0.2.10") == "authorized"


def test_name_that_is_gone(site):
    site.refresh()
    site.dns.set("more.filter.test", "TXT", nxdomain())
    found = site.refresh()
    assert found["alarms"][0]["alarms"] == ["emptied", "gone"]
    assert site.offline("203.0.113.8") == "authorized"


def test_strict_holds_back_what_doubled(site):
    site.refresh()
    site.dns.set("gw.example.test", "A", answer("192.0.2.10", "192.0.2.11", "192.0.2.12"))
    found = site.refresh("--strict", status=1)
    assert found["alarms"][0]["alarms"] == ["doubled"] and found["alarms"][0]["kept_old"]
    assert site.offline("192.0.2.12") == "direct"
    found = site.refresh("--accept", "GW.example.test")
    assert found["alarms"] == []
    assert site.offline("192.0.2.12") == "authorized"


@pytest.mark.parametrize("term", ["ip4:128.0.0.0/8", "ip6:2001::/27", "+all", "a:gw.example.test/11"])
def test_wide_ranges(site, term):
    site.refresh()
    site.dns.set("more.filter.test", "TXT", f"v=spf1 {term} -all")
    found = site.refresh("--strict", status=1)
    assert found["alarms"][0]["alarms"] == ["wide"] and found["alarms"][0]["kept_old"]
    assert site.offline("203.0.113.8") == "authorized"


def test_broken_record(site):
    site.refresh()
    site.dns.set("more.filter.test", "TXT", "v=spf1 ipv4:203.0.113.8 ~all")
    found = site.refresh("--strict", status=1)
    assert [(a["name"], a["alarms"], a["kept_old"]) for a in found["alarms"]] == \
        [("more.filter.test", ["broken"], True)]
    assert site.offline("203.0.113.8") == "authorized"
    found = site.refresh()  # by hand, without --strict: it stays
    assert found["alarms"][0]["alarms"] == ["broken"] and found["alarms"][0]["kept_old"]


def test_near_the_lookup_limit(site):
    for i in range(8):
        site.dns.set(f"n{i}.filter.test", "TXT", f"v=spf1 ip4:203.0.113.{100 + i} -all")
    def record(count: int) -> str:
        terms = " ".join(f"include:n{i}.filter.test" for i in range(count))
        return f"v=spf1 include:more.filter.test {terms} -all"

    site.dns.set("_spf.filter.test", "TXT", record(4))
    site.refresh()
    site.dns.set("_spf.filter.test", "TXT", record(7))
    found = site.refresh("--strict", status=1)
    assert ("_spf.filter.test", True) in [(a["name"], a["kept_old"]) for a in found["alarms"]
                                          if "near-limit" in a["alarms"]]
    assert site.offline("203.0.113.8") == "authorized"
    assert site.offline("203.0.113.101") == "authorized"
    assert site.offline("203.0.113.106") == "direct"


def test_change_is_in_grace(site):
    site.refresh()
    site.dns.set("gw.example.test", "A", "192.0.2.99")
    time.sleep(1.1)
    assert site.refresh()["changed"] == 1
    assert site.offline("192.0.2.99") == "authorized"
    result = check(site.config, peer="192.0.2.10", rcpt="a@example.test")
    assert (result["verdict"], result["reason"]) == ("authorized", "gateway-match-grace")


def test_forget_revokes_at_once(site):
    site.refresh()
    site.dns.set("gw.example.test", "A", "192.0.2.99")
    time.sleep(1.1)
    site.refresh("--forget", "GW.example.test.")
    assert site.verdict("192.0.2.10") == "direct"
    assert site.offline("192.0.2.99") == "authorized"


def test_removed_include_and_its_name_are_in_grace(site):
    site.refresh()
    site.dns.set("_spf.filter.test", "TXT", "v=spf1 ip4:198.51.100.0/25 -all")
    site.dns.set("more.filter.test", "TXT", nxdomain())
    time.sleep(1.1)
    site.refresh()
    assert site.verdict("203.0.113.8") == "authorized"
    time.sleep(1.1)
    site.refresh()
    assert site.verdict("203.0.113.8") == "authorized"


def test_per_message_terms_are_named(site):
    site.configure(gateways=[{"name": "fleet", "allow": "exists:%{ir}.fleet.test mx"}])
    found = site.refresh()
    assert [t["term"] for t in found["live_terms"]] == ["exists:%{ir}.fleet.test"]


def test_mx_is_self_is_named_under_every_policy(site):
    site.configure(**{"gateways": [{"name": "static", "allow": "ip4:192.0.2.77"}],
                      "self": ["192.0.2.10"]})
    assert site.refresh()["mx_is_self"] == ["example.test", "other.test"]


def test_two_at_once(site):
    with open(site.state / "refresh.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = mxguard("refresh", "-c", site.config)
        assert result.returncode == 75
        assert b"another refresh is running" in result.stderr
    assert not site.snapshot.exists()


def test_lock_is_no_link(site):
    (site.state / "refresh.lock").symlink_to(site.folder / "victim")
    assert mxguard("refresh", "-c", site.config).returncode == 73
    assert not (site.folder / "victim").exists()


def test_killed_anywhere(site):
    """SIGKILL at random moments: there is always a whole snapshot, and nothing piles up."""
    site.refresh()
    for name in ("example.test", "gw.example.test"):
        for kind in ("MX", "A"):
            if (name, kind) in site.dns.script:
                site.dns.set(name, kind, delayed(0.02, site.dns.script[name, kind]))
    for step in range(25):
        process = subprocess.Popen([str(build.command()), "refresh", "-q", "-c", str(site.config)],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.004 * step)
        process.send_signal(signal.SIGKILL)
        process.wait(120)
        assert site.offline("192.0.2.10") == "authorized"
    site.refresh()
    assert sorted(os.listdir(site.state)) == ["history", "refresh.lock", "snapshot.cdb"]


def test_read_only_directory(site, root):
    site.refresh()
    before = site.snapshot.read_bytes()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", str(site.state)], check=True)
    try:
        site.refresh()
        subprocess.run(["mount", "-o", "remount,ro", str(site.state)], check=True)
        result = mxguard("refresh", "-c", site.config)
        assert result.returncode == 73 and b"Read-only" in result.stderr, result.stderr
        assert site.offline("192.0.2.10") == "authorized"
    finally:
        subprocess.run(["umount", str(site.state)], check=True)
    assert site.snapshot.read_bytes() == before


def test_disk_full(site, root):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k,mode=0755", "tmpfs", str(site.state)],
                   check=True)
    try:
        site.refresh()
        with open(site.state / "filler", "wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(b"x" * 1024)
            except OSError:
                pass
        result = mxguard("refresh", "-c", site.config)
        assert result.returncode in (73, 74) and b"No space left" in result.stderr, result.stderr
        assert site.offline("192.0.2.10") == "authorized"
        assert sorted(os.listdir(site.state)) == ["filler", "history", "refresh.lock", "snapshot.cdb"]
    finally:
        subprocess.run(["umount", str(site.state)], check=True)


def test_untrusted_snapshots(site):
    site.refresh()
    for mode, where in ((0o666, site.snapshot), (0o777, site.state)):
        before = where.stat().st_mode & 0o777
        where.chmod(mode)
        result = check(site.config, peer="192.0.2.10", rcpt="a@example.test")
        assert "not trusted" in result.stderr, result.stderr
        where.chmod(before)
    site.snapshot.rename(site.folder / "moved")
    site.snapshot.symlink_to(site.folder / "moved")
    assert "symbolic link" in check(site.config, peer="192.0.2.10", rcpt="a@example.test").stderr


def test_missing_state_directory_is_made(site):
    site.refresh("--state-dir", str(site.folder / "fresh"))
    assert (site.folder / "fresh" / "snapshot.cdb").is_file()


def test_ten_thousand_domains(site):
    names = [f"d{i}.test" for i in range(10_000)]
    (site.folder / "domains").write_text("".join(f"{name}\n" for name in names))
    site.dns.update({(name, "MX"): "10 gw.example.test" for name in names})
    site.configure(domains=[], domains_file=str(site.folder / "domains"))
    found = site.refresh(seconds=900)
    assert found["domains"] == 10_000
    assert found["questions"] == 10_000 + 4
    site.dns.stop()
    begin = time.monotonic()
    result = check(site.config, peer="192.0.2.10", rcpt="a@d9999.test")
    assert result["verdict"] == "authorized" and time.monotonic() - begin < 20


def test_wrong_line_in_domains_file(site):
    (site.folder / "domains").write_text("example.test\nno..domain\nother.test\n")
    site.configure(domains=[], domains_file=str(site.folder / "domains"))
    result = mxguard("refresh", "-c", site.config, "--json")
    assert result.returncode == 78 and b"domains:2" in result.stderr
    assert json.loads(result.stdout)["domains"] == 2


def test_resolver_dies_on_the_way(site):
    """Ten thousand questions to a server that says nothing any more end in good time."""
    names = [f"d{i}.test" for i in range(10_000)]
    site.waits(2)
    site.dns.update({(name, "MX"): timeout() for name in names})
    site.configure(domains=["example.test", *names[:900]])
    begin = time.monotonic()
    found = site.refresh("--concurrency", "300", status=75)
    assert found["written"] and len(found["failures"]) >= 900
    assert "not asked" in {f["why"] for f in found["failures"]}
    assert time.monotonic() - begin < 100


def test_large_records(site):
    """Over UDP up to the EDNS size, by TCP beyond."""
    for count, protocols in ((30, {"udp"}), (150, {"udp", "tcp"})):
        ranges = " ".join(f"ip4:203.0.113.{i}" for i in range(count))
        site.dns.set("more.filter.test", "TXT", f"v=spf1 {ranges} -all")
        site.dns.forget_questions()
        site.refresh()
        assert {q.protocol for q in site.dns.questions if q.name == "more.filter.test"} == protocols
        assert site.offline(f"203.0.113.{count - 1}") == "authorized"


def test_people_are_told(site):
    site.refresh()
    site.waits(2)
    site.dns.set("more.filter.test", "TXT", timeout())
    site.dns.set("gw.example.test", "A", nodata())
    result = mxguard("refresh", "-c", site.config)
    text = result.stdout.decode()
    assert result.returncode == 75
    assert "emptied" in text and "the old answers stay" in text and "no reply" in text
    assert "\x1b" not in text
    assert [line for line in result.stderr.decode().splitlines() if "alarm" not in line] == []


def test_progress_on_a_terminal(site):
    names = [f"d{i}.test" for i in range(300)]
    site.dns.update({(name, "MX"): "10 gw.example.test" for name in names})
    site.configure(domains=names)
    master, slave = os.openpty()
    result = subprocess.run([str(build.command()), "refresh", "-c", str(site.config)], stdout=subprocess.PIPE,
                            stderr=slave, timeout=120)
    os.close(slave)
    shown = os.read(master, 1 << 16).decode()
    os.close(master)
    assert result.returncode == 0 and b"300 domains" in result.stdout
    assert re.search(r"refresh \[=*\s*\] \d+/30\d ", shown), shown
    assert shown.endswith("\r\x1b[K")  # nothing is left of it


@pytest.mark.parametrize("arguments", [["--forget", "a..b"], ["--accept", "a..b"], ["--concurrency", "0"], ["--strickt"], ["x"]])
def test_wrong_use(site, arguments):
    result = mxguard("refresh", "-c", site.config, *arguments)
    assert result.returncode == 64 and b"--help" in result.stderr


def test_new_snapshot_is_noticed_by_readers(site):
    """Readers that go on while it is replaced see one or the other, never neither."""
    site.refresh()
    readers = [subprocess.Popen(["sh", "-c", f"for i in 1 2 3 4 5; do {build.command()} check -c "
                                 f"{site.config} --peer 192.0.2.10 --rcpt a@example.test >/dev/null "
                                 "2>&1 || exit 1; done"]) for _ in range(10)]
    for _ in range(10):
        site.refresh()
    wait_until(lambda: all(reader.poll() is not None for reader in readers), "readers end")
    assert [reader.returncode for reader in readers] == [0] * 10
