# SPDX-License-Identifier: MIT
"""`refresh --due`, `--domain` and the spool: what is asked again, what a change leads to, what a run that
is ended leaves, and how fast it asks."""
from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess
import time

import pytest

from mxg import build
from mxg import fleet as faked
from mxg.dns_script import answer, delayed, nxdomain, servfail, timeout
from mxg.mxguard import check, mxguard
from mxg.process import wait_until

SHORT = 3  # seconds: a TTL that a test can wait for


class Fleet:
    """A site with its domains in a file."""

    def __init__(self, site) -> None:
        self.site, self.dns = site, site.dns
        self.list = site.folder / "domains"
        self.domains: list[str] = []
        site.configure(domains=[], domains_file=str(self.list), gateways=[
            {"name": "mx", "allow": "mx"}, {"name": "filter", "allow": "include:_spf.filter.test"}])

    def add(self, *names: str, mx: str = "gw.example.test", ttl: int = 3600) -> None:
        for name in names:
            self.dns.set(name, "MX", answer(f"10 {mx}", ttl=ttl))
        self.domains += names
        self.write()

    def write(self) -> None:
        self.list.write_text("".join(f"{name}\n" for name in self.domains))

    def due(self, *arguments: str, **keywords) -> tuple[dict, set]:
        """What a pass says, and what it asked."""
        self.dns.forget_questions()
        return self.site.refresh("--due", *arguments, **keywords), set(self.dns.asked())

    def judged(self, domain: str, peer: str = "192.0.2.10") -> tuple[str, str]:
        """Without DNS."""
        script, self.dns.script = self.dns.script, {}
        self.dns.default = servfail()
        try:
            found = check(self.site.config, peer=peer, rcpt=f"a@{domain}")
            return found["verdict"], found["reason"]
        finally:
            self.dns.script = script


@pytest.fixture
def fleet(site):
    return Fleet(site)


@pytest.fixture
def large(fleet):
    """So many domains that what is new lies beside the snapshot."""
    fleet.add(*(f"d{i}.test" for i in range(9000)))
    fleet.site.refresh("--per-second", "100000", seconds=300)
    assert fleet.site.snapshot.stat().st_size > 1 << 20
    return fleet


def since(site) -> pathlib.Path:
    return site.state / "snapshot.since.cdb"


def test_nothing_is_asked_that_is_fresh(fleet):
    fleet.add("a.test", "b.test")
    found, asked = fleet.due()
    assert found["written"] and ("a.test", "MX") in asked and ("_spf.filter.test", "TXT") in asked
    before = fleet.site.snapshot.read_bytes()
    found, asked = fleet.due()
    assert asked == set() and not found["written"] and found["error"] is None and not found["all"]
    assert fleet.site.snapshot.read_bytes() == before
    assert mxguard("refresh", "-c", fleet.site.config, "--due").stdout.count(b"nothing is due") == 1
    fleet.site.refresh()  # by hand: everything
    assert ("a.test", "MX") in fleet.dns.asked()


def test_what_has_expired_is_asked(fleet):
    fleet.add("a.test")
    fleet.add("b.test", ttl=SHORT)
    fleet.dns.set("b.test", "MX", answer("10 gw.example.test", ttl=SHORT))
    fleet.due()
    time.sleep(SHORT + 1)
    found, asked = fleet.due()
    assert asked == {("b.test", "MX")} and found["questions"] == 1 and found["written"]


def test_a_domain_that_is_added_and_one_that_goes(fleet):
    fleet.add("a.test", "b.test")
    fleet.due()
    fleet.domains.remove("b.test")
    fleet.add("c.test")
    found, asked = fleet.due()
    assert asked == {("c.test", "MX")} and (found["added"], found["removed"]) == (1, 1)
    assert fleet.judged("c.test") == ("authorized", "gateway-match")
    assert fleet.judged("b.test") == ("unknown", "foreign-domain")
    fleet.add("b.test")
    fleet.due()
    assert fleet.judged("b.test") == ("authorized", "gateway-match")


def test_beside_a_large_snapshot(large):
    """New domains, removed ones, changed answers: all of it without writing the rest again."""
    site, before = large.site, large.site.snapshot.read_bytes()
    assert not since(site).exists()
    large.add("new.test", mx="gw2.example.test")
    large.dns.set("gw2.example.test", "A", "192.0.2.77")
    large.domains.remove("d5.test")
    large.write()
    found, asked = large.due()
    assert asked == {("new.test", "MX"), ("gw2.example.test", "A"), ("gw2.example.test", "AAAA")}
    assert site.snapshot.read_bytes() == before and since(site).stat().st_size < 10_000
    for _ in range(2):  # … and once more, with what a further pass carries over
        assert large.judged("new.test", "192.0.2.77") == ("authorized", "gateway-match")
        assert large.judged("d5.test") == ("unknown", "foreign-domain")
        assert large.judged("d6.test") == ("authorized", "gateway-match")
        large.add("newer.test")
        large.due()
    found = site.refresh("--publish", str(site.folder / "published"), "--due")
    assert not since(site).exists() and found["published"]["written"]
    assert large.judged("new.test", "192.0.2.77") == ("authorized", "gateway-match")
    assert large.judged("newer.test") == ("authorized", "gateway-match")
    assert large.judged("d5.test") == ("unknown", "foreign-domain")


def test_generations_rise(large):
    def generation() -> int:
        return check(large.site.config, peer="192.0.2.10", rcpt="a@d1.test")["generation"]

    first = large.site.refresh("--due", "--publish", str(large.site.folder / "p"))["published"]["generation"]
    large.add("new.test")
    large.due()
    log = mxguard("refresh", "-c", large.site.config, "--due", "--metrics-file", str(large.site.folder / "m"))
    assert log.returncode == 0
    told = (large.site.folder / "m").read_text()
    now = int(next(line.split()[1] for line in told.splitlines() if line.startswith("mxguard_snapshot_generation ")))
    assert now > first


@pytest.mark.parametrize("damage", ["flipped", "cut", "others may write"])
def test_a_newer_part_that_cannot_be_believed(large, damage):
    """What it was to replace is not believed in its place."""
    large.dns.set("gw.example.test", "A", "192.0.2.55")
    large.site.refresh("--due", "--domain", "d1.test")  # asks gw.example.test, too: it is d1's own
    path = since(large.site)
    assert large.judged("d1.test", "192.0.2.55")[0] == "authorized"
    data = path.read_bytes()
    if damage == "flipped":
        path.write_bytes(bytes(b ^ (i == 3000) for i, b in enumerate(data)))
    elif damage == "cut":
        path.write_bytes(data[:-9])
    else:
        path.chmod(0o666)
    result = mxguard("check", "-c", large.site.config, "--peer", "192.0.2.10", "--rcpt", "a@d1.test")
    assert b"snapshot.since.cdb" in result.stderr
    path.unlink()
    result = mxguard("check", "-c", large.site.config, "--peer", "192.0.2.10", "--rcpt", "a@d1.test")
    assert b"snapshot" not in result.stderr


def test_a_newer_part_of_another_snapshot(large):
    """A whole one that was put into place a moment ago, with what belonged to the one before still beside it."""
    large.add("new.test")
    large.due()
    old = since(large.site).read_bytes()
    time.sleep(1.1)
    large.site.refresh("--due", "--publish", str(large.site.folder / "p"))
    large.domains.remove("new.test")
    large.site.refresh("--per-second", "100000", seconds=300)
    since(large.site).write_bytes(old)
    assert large.judged("d1.test") == ("authorized", "gateway-match")


def test_domain_by_name(fleet):
    fleet.add("a.test", "b.test")
    fleet.site.refresh()
    fleet.dns.set("c.test", "MX", "10 gw.example.test")
    fleet.dns.forget_questions()
    found = fleet.site.refresh("--domain", "C.test", "--domain", "b.test")
    assert set(fleet.dns.asked()) >= {("c.test", "MX"), ("b.test", "MX")}
    assert ("a.test", "MX") not in fleet.dns.asked() and ("_spf.filter.test", "TXT") not in fleet.dns.asked()
    assert found["list"] == "remembered" and found["added"] == 1
    assert fleet.judged("c.test") == ("authorized", "gateway-match")
    found, asked = fleet.due()  # the list is read again, and does not know it
    assert found["removed"] == 1 and fleet.judged("c.test") == ("unknown", "foreign-domain")


def test_domain_that_is_none_of_ours(site):
    site.refresh()
    result = mxguard("refresh", "-c", site.config, "--domain", "stranger.test")
    assert result.returncode == 78 and b"none of ours" in result.stderr
    site.dns.forget_questions()
    assert site.refresh("--domain", "example.test")["written"]
    assert ("example.test", "MX") in site.dns.asked() and ("other.test", "MX") not in site.dns.asked()


def test_the_spool(fleet):
    fleet.add("a.test", "b.test", "c.test")
    fleet.due()
    spool = fleet.site.state / "spool"
    spool.mkdir()
    (spool / "a.test").touch()
    (spool / "17").write_text("b.test\nstranger.test\n")
    (spool / ".half").write_text("c.test\n")
    result = mxguard("refresh", "-c", fleet.site.config, "--due", "--json")
    assert result.returncode == 0 and b"1 of 3 domains are none of ours" in result.stderr
    assert {("a.test", "MX"), ("b.test", "MX")} <= set(fleet.dns.asked())
    fleet.dns.forget_questions()
    assert os.listdir(spool) == [".half"]
    assert fleet.judged("stranger.test") == ("unknown", "foreign-domain")
    (spool / "link").symlink_to("/etc/passwd")
    found, asked = fleet.due()
    assert asked == set() and os.listdir(spool) == [".half"] and pathlib.Path("/etc/passwd").exists()


def test_a_change_is_followed(fleet):
    """An MX that moves, a vendor's record that leads elsewhere: what stands behind is asked in the same pass."""
    fleet.add("a.test", ttl=SHORT)
    fleet.add("b.test")
    fleet.dns.set("_spf.filter.test", "TXT", answer("v=spf1 include:more.filter.test -all", ttl=SHORT))
    fleet.due()
    fleet.dns.set("a.test", "MX", answer("10 gw2.example.test", ttl=3600))
    fleet.dns.set("gw2.example.test", "A", "192.0.2.20")
    fleet.dns.set("_spf.filter.test", "TXT", answer("v=spf1 include:other.filter.test -all", ttl=3600))
    fleet.dns.set("other.filter.test", "TXT", "v=spf1 ip4:203.0.113.99 -all")
    time.sleep(SHORT + 1)
    found, asked = fleet.due()
    assert asked == {("a.test", "MX"), ("gw2.example.test", "A"), ("gw2.example.test", "AAAA"),
                     ("_spf.filter.test", "TXT"), ("other.filter.test", "TXT")} and not found["all"]
    assert fleet.judged("a.test", "192.0.2.20") == ("authorized", "gateway-match")
    assert fleet.judged("b.test", "203.0.113.99") == ("authorized", "gateway-match")
    assert fleet.judged("a.test", "192.0.2.10")[0] == "authorized"  # in grace


def test_a_change_of_which_nobody_knows_who_rests_on_it(fleet):
    """Then every domain is walked; what is fresh is still not asked."""
    fleet.add("a.test", "b.test")
    fleet.site.configure(gateways=[{"name": "mx", "allow": "mx"}, {"name": "own", "allow": "include:%{d}.vendor.test"}])
    for name in "a.test", "b.test":
        fleet.dns.set(f"{name}.vendor.test", "TXT", answer("v=spf1 include:deep.vendor.test -all", ttl=3600))
    fleet.dns.set("deep.vendor.test", "TXT", answer("v=spf1 ip4:203.0.113.1 -all", ttl=SHORT))
    fleet.due()
    fleet.dns.set("deep.vendor.test", "TXT", answer("v=spf1 include:deeper.vendor.test -all", ttl=3600))
    fleet.dns.set("deeper.vendor.test", "TXT", "v=spf1 ip4:203.0.113.2 -all")
    time.sleep(SHORT + 1)
    found, asked = fleet.due()
    assert asked == {("deep.vendor.test", "TXT"), ("deeper.vendor.test", "TXT")} and found["all"]
    assert fleet.judged("b.test", "203.0.113.2") == ("authorized", "gateway-match")


def test_what_failed_is_tried_again_but_not_each_time(fleet):
    fleet.add("a.test", "b.test")
    fleet.dns.set("b.test", "MX", servfail())
    found, asked = fleet.due(status=75)
    assert [f["name"] for f in found["failures"]] == ["b.test"]
    found, asked = fleet.due()
    assert asked == set()  # a minute later, then two, then four
    fleet.dns.set("b.test", "MX", "10 gw.example.test")
    fleet.site.refresh("--domain", "b.test")
    assert fleet.judged("b.test") == ("authorized", "gateway-match")


def test_removed_domains_raise_no_alarm(large):
    """Whoever takes his domain away takes its records away, too."""
    large.add("leaving.test", mx="mail.leaving.test", ttl=SHORT)
    large.dns.set("mail.leaving.test", "A", answer("192.0.2.99", ttl=SHORT))
    large.due()
    large.domains.remove("leaving.test")
    large.write()
    large.dns.update({("leaving.test", "MX"): nxdomain(), ("mail.leaving.test", "A"): nxdomain()})
    time.sleep(SHORT + 1)
    for _ in range(2):
        found, asked = large.due()
        assert not any("leaving.test" in name for name, _ in asked) and found["alarms"] == []


def test_alarms_hold_in_a_pass(fleet):
    fleet.add("a.test")
    fleet.dns.set("gw.example.test", "A", answer("192.0.2.10", ttl=SHORT))
    fleet.due()
    fleet.dns.set("gw.example.test", "A", answer(ttl=SHORT))
    time.sleep(SHORT + 1)
    found, _ = fleet.due()
    assert [(a["name"], a["kept_old"]) for a in found["alarms"]] == [("gw.example.test", True)]
    assert fleet.judged("a.test")[0] == "authorized"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ended_on_the_way_and_taken_up_again(fleet, number):
    """What was asked is kept; the next run, of either kind, asks the rest and nothing twice."""
    names = [f"d{i}.test" for i in range(600)]
    fleet.add(*names)
    for name in names:
        fleet.dns.set(name, "MX", answer("10 gw.example.test", ttl=3600))
    command = [str(build.command()), "refresh", "-c", str(fleet.site.config), "--json", "--per-second", "150"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_until(lambda: len(fleet.dns.asked()) > 100, "it has begun")
    child.send_signal(number)
    out, err = child.communicate(timeout=60)
    found = json.loads(out)
    assert child.returncode == 75 and b"goes on" in err
    assert found["written"] and found["ended"] and 0 < found["left"] <= 600
    first = {q for q in fleet.dns.asked() if q[1] == "MX"}
    assert b"Dd599.test" in fleet.site.snapshot.read_bytes()  # deliveries know all of the list
    fleet.dns.forget_questions()
    arguments = ["--due"] if number == signal.SIGTERM else []
    found = fleet.site.refresh(*arguments, "--per-second", "100000")
    second = {q for q in fleet.dns.asked() if q[1] == "MX"}
    assert not found["ended"] and found["left"] == 0
    assert len(first | second) == 600 and len(first & second) <= 64  # those that were out
    assert fleet.judged(names[599]) == ("authorized", "gateway-match")
    fleet.dns.forget_questions()
    found = fleet.site.refresh("--per-second", "100000")  # and after that everything again
    assert len({q for q in fleet.dns.asked() if q[1] == "MX"}) == 600


def end_early(fleet, *arguments: str) -> None:
    """A run that a signal ends when it has asked a part."""
    fleet.dns.forget_questions()
    command = [str(build.command()), "refresh", "-c", str(fleet.site.config), "--quiet", "--per-second", "150", *arguments]
    child = subprocess.Popen(command, stderr=subprocess.PIPE)
    wait_until(lambda: len(fleet.dns.asked()) > 100, "it has begun")
    child.send_signal(signal.SIGTERM)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 75 and b"goes on" in err


def test_what_is_forgotten_does_not_come_back_by_an_end(fleet):
    fleet.add(*(f"d{i}.test" for i in range(600)))
    fleet.site.refresh("--per-second", "100000")
    assert fleet.judged("d599.test")[0] == fleet.judged("d598.test")[0] == "authorized"
    end_early(fleet, "--forget", "d599.test")
    assert ("d599.test", "MX") not in fleet.dns.asked()
    assert fleet.judged("d599.test")[0] != "authorized"
    assert fleet.judged("d598.test")[0] == "authorized"


def test_the_spool_stays_where_a_run_ended_early(fleet):
    fleet.add(*(f"d{i}.test" for i in range(600)))
    spool = fleet.site.state / "spool"
    spool.mkdir()
    (spool / "17").write_text("d599.test\n")
    (spool / "d598.test").touch()
    end_early(fleet, "--due")
    assert sorted(os.listdir(spool)) == ["17", "d598.test"]
    _, asked = fleet.due("--per-second", "100000")
    assert {("d598.test", "MX"), ("d599.test", "MX")} <= asked and os.listdir(spool) == []


@pytest.mark.parametrize("again", ["written", "replaced", "touched"])
def test_what_is_put_into_the_spool_again_stays(fleet, again):
    """… for the next pass: this one has read the file before."""
    fleet.add("a.test", "b.test")
    fleet.due()
    spool = fleet.site.state / "spool"
    spool.mkdir()
    (spool / "17").write_text("c.test\n")
    fleet.add("c.test")
    fleet.dns.set("c.test", "MX", delayed(2, answer("10 gw.example.test", ttl=3600)))
    fleet.dns.forget_questions()
    child = subprocess.Popen([str(build.command()), "refresh", "-c", str(fleet.site.config), "--due", "--quiet"])
    wait_until(lambda: ("c.test", "MX") in fleet.dns.asked(), "it asks")
    if again == "replaced":
        (spool / ".17").write_text("b.test\n")
        (spool / ".17").rename(spool / "17")
    elif again == "written":
        (spool / "17").write_text("b.test\n")
    else:
        (spool / "17").touch()
    assert child.wait(timeout=60) == 0
    assert os.listdir(spool) == ["17"]
    fleet.due()
    assert os.listdir(spool) == []


def test_a_name_in_the_spool_writes_no_line_of_its_own(fleet):
    fleet.add("a.test")
    fleet.due()
    spool = fleet.site.state / "spool"
    spool.mkdir()
    name = "x\nmxguard refresh: all is well\x1b[2J"
    (spool / name).mkdir()
    (spool / (name + "2")).touch()
    (spool / (name + "3")).mkdir()
    (spool / (name + "3") / "full").touch()
    result = mxguard("refresh", "-c", fleet.site.config, "--due")
    lines = result.stderr.split(b"\n")
    assert result.returncode == 0 and b"passed over" in result.stderr and b"cannot be removed" in result.stderr
    assert not [line for line in lines if line.startswith(b"mxguard refresh: all")] and b"\x1b" not in result.stderr
    assert os.listdir(spool) == [name + "3"]


def test_a_domain_that_went_is_written_once(large):
    large.domains.remove("d5.test")
    large.write()
    found, _ = large.due()
    assert found["written"] and found["removed"] == 1
    found, asked = large.due()
    assert not found["written"] and found["removed"] == 0 and asked == set()
    assert large.judged("d5.test") == ("unknown", "foreign-domain")


def test_no_fetch_of_what_is_older_than_the_newer_part(large):
    published = large.site.folder / "published"
    large.site.refresh("--due", "--publish", str(published))
    large.add("new.test")
    large.due()
    before = since(large.site).read_bytes()
    for more in [], ["--force"]:
        result = mxguard("refresh", "-c", large.site.config, "--fetch", published, *more)
        assert result.returncode == 65 and b"is older than the snapshot" in result.stderr, result
    assert since(large.site).read_bytes() == before
    assert large.judged("new.test") == ("authorized", "gateway-match")


def test_a_snapshot_that_was_put_back(large):
    """Beside the newer part of a later one it is known to be old: it would bring back what was taken away since."""
    old = large.site.snapshot.read_bytes()
    large.dns.set("gw.example.test", "A", "192.0.2.55")
    large.site.refresh("--forget", "gw.example.test", "--per-second", "100000", seconds=300)
    assert large.judged("d1.test", "192.0.2.10")[0] != "authorized"
    large.add("new.test")
    large.due()
    generation = check(large.site.config, peer="192.0.2.55", rcpt="a@new.test")["gen"]
    assert since(large.site).exists()
    large.site.snapshot.write_bytes(old)
    result = mxguard("check", "-c", large.site.config, "--peer", "192.0.2.10", "--rcpt", "a@d1.test")
    assert b"is older than what snapshot.since.cdb beside it adds to" in result.stderr
    for command in ["gateways", "--no-dns", "d1.test"], ["doctor"]:
        result = mxguard(command[0], "-c", large.site.config, *command[1:])
        assert b"is older than what snapshot.since.cdb beside it" in result.stdout + result.stderr, result
    assert large.judged("d1.test", "192.0.2.10")[0] != "authorized"
    result = mxguard("refresh", "-c", large.site.config, "--due", "--per-second", "100000", seconds=300)
    assert result.returncode == 0 and b"its history is not used" in result.stderr and not since(large.site).exists()
    assert large.judged("new.test", "192.0.2.55") == ("authorized", "gateway-match")
    assert large.judged("d1.test", "192.0.2.10")[0] != "authorized"
    assert check(large.site.config, peer="192.0.2.55", rcpt="a@d1.test")["gen"] > generation


@pytest.mark.skipif(not faked.available(), reason="libfaketime, or what else tests of fleets need, is not installed")
def test_what_failed_is_tried_again_while_its_old_answer_is_fresh(fleet):
    fleet.add("a.test", "b.test")
    fleet.due()
    fleet.dns.set("a.test", "MX", servfail())
    fleet.site.refresh("--domain", "a.test", status=75)
    fleet.dns.set("a.test", "MX", answer("10 gw2.example.test", ttl=3600))
    fleet.dns.set("gw2.example.test", "A", "192.0.2.20")

    def due(after: int) -> set:
        fleet.dns.forget_questions()
        subprocess.run([str(build.command()), "refresh", "-c", str(fleet.site.config), "--due", "--quiet"], check=True,
                       env=faked.at(time.time() + after))
        return {name for name, kind in fleet.dns.asked() if kind == "MX"}
    assert due(30) == set()  # a minute after it has failed
    assert due(70) == {"a.test"}
    assert due(80) == set()


def test_no_faster_than_allowed(fleet):
    fleet.add(*(f"d{i}.test" for i in range(300)))
    fleet.site.configure(dns={**fleet.site.settings["dns"], "per_second": 100})
    begin = time.monotonic()
    found = fleet.site.refresh()
    took = time.monotonic() - begin
    assert found["questions"] >= 300 and took >= (found["questions"] - 10) / 100
    for value in 0, 1000001, "\"5\"":
        result = mxguard("refresh", "-c", fleet.site.config, "--per-second", str(value))
        assert result.returncode == 64


def test_history_has_what_passes_found(large):
    large.add("new.test")
    large.due()
    history = (large.site.state / "history").read_text()
    assert "new.test" in history
    (large.site.state / "history").unlink()
    large.add("newer.test")
    large.due(seconds=300)  # the history is begun anew: with everything
    history = (large.site.state / "history").read_text()
    assert "d17.test" in history and "newer.test" in history
