# SPDX-License-Identifier: MIT
"""The history: what refresh keeps of it, what is imported, who is told what stood when, and old mail that is
judged by the gateways of its own time."""
from __future__ import annotations

import calendar
import json
import os
import resource
import time
import zlib

import pytest

from mxg.dns_script import nodata
from mxg.mxguard import mxguard

DAY = 86400
OLD, NEW = "192.0.2.10", "192.0.2.99"


def gateways(site, *arguments, status=0):
    result = mxguard("gateways", "-c", site.config, "--json", *arguments)
    assert result.returncode == status, (result.stdout + result.stderr).decode()
    return json.loads(result.stdout)


def at(site, when, status=0, domain="example.test"):
    found = gateways(site, "--at", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(when)), domain, status=status)
    return {entry["prefix"].removesuffix("/32").removesuffix("/128") for entry in found["gateways"]
            if entry["grace_until"] is None}


def load(site, text, status=0):
    path = site.folder / "import"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return gateways(site, "--import", str(path), status=status)


def cof(name, kind, data, first, last):
    return json.dumps({"rrname": name, "rrtype": kind, "rdata": data, "time_first": first, "time_last": last,
                       "count": 3, "bailiwick": "test."}) + "\n"


def seconds(date):
    return calendar.timegm(time.strptime(date, "%Y-%m-%d"))


# ---- what refresh keeps

def test_a_change_is_one_line_and_confirming_is_none(site):
    site.refresh()
    text, file = (site.state / "history").read_text(), (site.state / "history").stat().st_ino
    lines = text.splitlines()
    assert len(lines) == 1 + 6 and f", {len(text):019d} bytes" in lines[0]  # one a question, below how large it began
    site.refresh()
    assert (site.state / "history").read_text().splitlines() == lines
    assert (site.state / "history").stat().st_ino == file, "a file that has just begun is in order"
    site.dns.set("gw.example.test", "A", NEW)
    site.refresh()
    after = (site.state / "history").read_text().splitlines()
    assert after[:7] == lines and len(after) == 8
    crc, rest = after[7].split(" ", 1)
    assert int(crc, 16) == zlib.crc32(rest.encode())
    assert rest.split(" ")[1:] == ["r", "A", "gw.example.test", "300", NEW]


def test_what_stood_before_and_since(site):
    site.refresh()
    time.sleep(1.1)
    moment = int(time.time())
    time.sleep(1.1)
    site.dns.set("gw.example.test", "A", NEW)
    site.refresh()
    assert OLD in at(site, moment) and NEW not in at(site, moment)
    now = int(time.time())
    assert NEW in at(site, now) and OLD not in at(site, now)
    assert {"198.51.100.0/25", "203.0.113.8", "2001:db8::10"} <= at(site, moment)
    first, second = gateways(site, "--generations", "example.test")["generations"]
    assert first["until"] == second["from"] and second["until"] is None
    assert OLD in first["gateways"] and NEW in second["gateways"]


def test_what_never_changes_has_no_beginning(site):
    """Addresses that stand in the configuration have none that the history could tell: they do not begin now."""
    site.refresh()
    site.configure(gateways=[{"name": "filters", "allow": "ip4:198.51.100.0/25"}])
    (only,) = gateways(site, "--generations", "example.test")["generations"]
    assert only == {"from": None, "until": None, "known": True, "gateways": ["198.51.100.0/25"]}
    people = mxguard("gateways", "-c", site.config, "--generations", "example.test").stdout.decode()
    assert people.splitlines()[1].split("\t")[0] == "always"


def test_what_was_seen_begins_when_it_was_seen(site):
    """In the very second of the first refresh, too."""
    for _ in range(3):
        site.refresh()
        (only,) = gateways(site, "--generations", "example.test")["generations"]
        assert only["from"] is not None and OLD in only["gateways"]
        (site.state / "history").unlink()
        (site.state / "snapshot.cdb").unlink()


def test_each_table_says_whose_it_is(site):
    """On a terminal always, in a pipe where there are several."""
    site.refresh()
    for more in ((), ("--generations",)):
        one, two = (mxguard("gateways", "-c", site.config, *more, *names).stdout.decode().splitlines()
                    for names in (["example.test"], ["example.test", "other.test"]))
        named = [line.split(" ")[0] for line in two if line.split(" ")[0] in ("example.test", "other.test")]
        assert not one[0].startswith("example.test") and named == ["example.test", "other.test"], two


def test_before_the_history_begins_nothing_is_claimed(site):
    site.refresh()
    found = gateways(site, "--at", "2020-01-01", "example.test", status=75)
    assert found["gateways"] == [] and not found["complete"]


def test_a_name_that_nothing_leads_to_any_more_ends(site):
    site.refresh()
    site.dns.set("example.test", "MX", "10 other.example.test")
    site.dns.set("other.test", "MX", "10 other.example.test")
    site.dns.set("other.example.test", "A", NEW)
    site.dns.set("other.example.test", "AAAA", nodata())
    site.refresh()
    ended = [line.split(" ")[3:] for line in (site.state / "history").read_text().splitlines() if line.endswith(" ?")]
    assert sorted(ended) == [["A", "gw.example.test", "0", "?"], ["AAAA", "gw.example.test", "0", "?"]]


@pytest.mark.parametrize("tail", [b"12345678 17000", b"deadbeef 1700000000 r A gw.example.test 300 203.0.113.66\n",
                                  b"\n\n", b"x" * 3000000, b"\0" * 5000 + b"\n"],
                         ids=["torn", "forged", "empty", "endless", "zeros"])
def test_a_torn_or_damaged_tail_costs_nothing_but_itself(site, tail):
    site.refresh()
    with open(site.state / "history", "ab") as history:
        history.write(tail)
    site.dns.set("gw.example.test", "A", NEW)
    site.refresh()
    found = at(site, int(time.time()))
    assert NEW in found and "203.0.113.66" not in found and "198.51.100.0/25" in found


def test_a_history_that_others_may_write_is_not_used(site):
    site.refresh()
    (site.state / "history").chmod(0o666)
    result = mxguard("gateways", "-c", site.config, "--at", "2026-01-01", "example.test")
    assert result.returncode == 66 and b"0666" in result.stderr


def test_a_history_that_cannot_be_written_does_not_stop_deliveries(site):
    """… and what is missing is put by the next refresh that can."""
    site.refresh()
    (site.state / "history").unlink()
    (site.state / "history").mkdir()
    site.dns.set("gw.example.test", "A", NEW)
    result = mxguard("refresh", "-c", site.config)
    assert result.returncode == 0 and b"history" in result.stderr
    assert site.offline(NEW) == "authorized"
    (site.state / "history").rmdir()
    site.refresh()
    assert NEW in at(site, int(time.time())) and not (site.state / "history.lost").exists()


def test_compaction_keeps_what_still_tells_something(site):
    """Three years of one name: two years stay, and of what is older what stood at their beginning."""
    now = int(time.time())
    lines = []
    for day in range(1100, 0, -1):
        rest = f"{now - day * DAY} r A gw.example.test 300 192.0.2.{day % 250}"
        lines.append(f"{zlib.crc32(rest.encode()):08x} {rest}\n")
        lines.append(lines[-1])  # twice the same: a refresh that was killed in between
    (site.state / "history").write_text("".join(lines))
    site.refresh()
    kept = (site.state / "history").read_text().splitlines()
    assert kept[0].startswith("# mxguard history, compacted ")
    days = [line for line in kept if " A gw.example.test " in line]
    assert len(days) == 731 + 1  # with what refresh found now; the day of the edge stands for all before
    assert OLD in at(site, int(time.time()))
    site.refresh()
    assert (site.state / "history").read_text().splitlines() == kept


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("MXGUARD_VOLUME"), reason="set MXGUARD_VOLUME to the number of domains")
def test_two_years_of_many_domains(site, real_dns, capsys):
    """MXGUARD_VOLUME=100000: each domain's MX has changed once a month for three years; two of them stay."""
    count, now = int(os.environ["MXGUARD_VOLUME"]), int(time.time()) - 3600
    zone = "".join(f"d{n} 3600 MX 10 gw0.filter.test.\n" for n in range(count))
    server = real_dns({"filter.test": "".join(f"gw{n} A 192.0.2.{n + 1}\n" for n in range(3)), "volume.test": zone})
    domains = site.folder / "domains"
    domains.write_text("".join(f"d{n}.volume.test\n" for n in range(count)))
    site.configure(domains=[], domains_file=str(domains), dns={"servers": [server.server], "timeout": "5s"},
                   gateways=[{"name": "mx", "allow": "mx"}])
    with open(site.state / "history", "w", encoding="ascii") as history:
        for month in range(36, 0, -1):
            for n in range(count):
                rest = f"{now - month * 30 * DAY + n % 1000} r MX d{n}.volume.test 3600 10:gw{month % 3}.filter.test"
                history.write(f"{zlib.crc32(rest.encode()):08x} {rest}\n")
    before = (site.state / "history").stat().st_size
    begin = time.monotonic()
    result = mxguard("refresh", "-c", site.config, "--quiet", seconds=3600)
    refreshed, used = time.monotonic() - begin, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    assert result.returncode == 0, result.stderr.decode()[-1000:]
    lines, size = 0, (site.state / "history").stat().st_size
    with open(site.state / "history", encoding="ascii") as history:
        for line in history:
            lines += " MX " in line
    assert count * 24 <= lines <= count * 27 and size < before
    begin = time.monotonic()
    found = at(site, now - 100 * DAY, domain=f"d{count - 1}.volume.test", status=75)
    asked = time.monotonic() - begin
    assert found == set()  # the MX hosts' addresses of that time were never seen
    with capsys.disabled():
        print(f"\n{count} domains: {before >> 20} MiB of three years became {size >> 20} MiB, {lines} lines; refresh took "
              f"{refreshed:.0f} s and {used} MiB at most; --at {asked:.2f} s")


# ---- import

def test_passive_dns(site):
    site.refresh()
    found = load(site, cof("example.test.", "MX", "10 old.example.test.", seconds("2025-01-01"), seconds("2025-06-01"))
                 + cof("OLD.example.test", "A", ["203.0.113.1", "203.0.113.2"], seconds("2025-01-01"),
                       seconds("2025-06-01"))
                 + cof("_spf.filter.test.", "TXT", '"v=spf1 ip4:203.0.113.64/28" " -all"', seconds("2025-01-01"),
                       seconds("2025-03-01"))
                 + cof("_spf.filter.test.", "TXT", '"some other text"', seconds("2025-01-01"), seconds("2025-03-01"))
                 + cof("example.test.", "NS", "ns.example.", 1, 2))
    assert (found["lines"], found["wrong"], found["unused"]) == (5, 0, 2)
    assert at(site, seconds("2025-02-01")) == {"203.0.113.1", "203.0.113.2", "203.0.113.64/28"}
    assert at(site, seconds("2025-04-01"), status=75) == {"203.0.113.1", "203.0.113.2"}
    assert at(site, seconds("2025-08-01"), status=75) == set()


def test_every_form_of_a_passive_dns_record(site):
    """Keys in any order, ones that nobody knows, data as a text or a list, types in any case or as a number, times
    as numbers or texts, those of a zone where there are no others."""
    site.refresh()
    first, last = seconds("2025-01-01"), seconds("2025-06-01")
    records = [
        {"time_last": last, "rdata": ["10 A.old.example.test.", "20 b.old.example.test"], "rrtype": "mx",
         "rrname": "EXAMPLE.test.", "time_first": first, "count": 7, "origin": "https://pdns.example", "x-more": {"a": [1]}},
        {"rrname": "a.old.example.test", "rrtype": 1, "rdata": "203.0.113.1", "time_first": float(first), "time_last": last + 0.5},
        {"rrname": "b.old.example.test.", "rrtype": "A", "rdata": ["203.0.113.2"], "time_first": str(first),
         "time_last": "2025-06-01T00:00:00Z"},
        {"rrname": "b.old.example.test.", "rrtype": "AAAA", "rdata": "2001:DB8::2", "zone_time_first": first,
         "zone_time_last": last, "sensor_id": "s1"},
        {"rrname": "example.test", "rrtype": 46, "rdata": "…", "time_first": first, "time_last": last},
        {"rrname": "example.test", "rrtype": "TYPE65534", "rdata": "\\# 0", "time_first": first, "time_last": last}]
    found = load(site, "".join(json.dumps(record) + "\r\n" for record in records) + "\n")
    assert (found["wrong"], found["unused"]) == (0, 2)
    assert at(site, seconds("2025-02-01"), status=75) == {"203.0.113.1", "203.0.113.2", "2001:db8::2"}


def test_what_is_imported_twice_stands_there_once(site):
    text = cof("example.test", "MX", "10 gw.example.test", seconds("2025-01-01"), seconds("2025-06-01"))
    assert load(site, text)["written"] == 2 and load(site, text)["written"] == 0


def test_text_form(site):
    load(site, "# by hand\n2024-05-01 example.test MX a.example.test, 20:b.example.test\n"
               "2024-05-01 a.example.test A 203.0.113.1 203.0.113.2\n2024-05-01 b.example.test A -\n"
               "2024-07-01T12:00Z b.example.test A 203.0.113.3\n2024-09-01 a.example.test A !\n"
               "2024-05-01 _spf.filter.test TXT v=spf1 ip4:203.0.113.64/28 -all\n")
    assert at(site, seconds("2024-06-01")) == {"203.0.113.1", "203.0.113.2", "203.0.113.64/28"}
    assert at(site, seconds("2024-08-01")) == {"203.0.113.1", "203.0.113.2", "203.0.113.3", "203.0.113.64/28"}
    assert at(site, seconds("2024-10-01")) == {"203.0.113.3", "203.0.113.64/28"}


def test_refresh_is_not_overruled(site):
    """Whoever imports a record for a time that refresh has seen itself changes nothing of that time."""
    site.refresh()
    now = int(time.time())
    load(site, cof("gw.example.test", "A", "203.0.113.66", now - 10 * DAY, now))
    assert "203.0.113.66" not in at(site, now + 1) and OLD in at(site, now + 1)


@pytest.mark.parametrize("line", [
    "{}", "[]", "{", '{"rrname": 5}', "2026", "hello", "2026-01-01 example.test", "2026-01-01 example.test SOA x",
    "2026-13-01 example.test A 192.0.2.1", "2026-01-01 example.test A 192.0.2.1 x", "2026-01-01 a..b A 192.0.2.1",
    "2026-01-01 " + "a" * 300 + " A 192.0.2.1", "2026-01-01 example.test TXT v=spf2", "1 example.test A 192.0.2.1",
    "2099-01-01 example.test A 192.0.2.1", "2026-01-01 example.test A 192.0.2.1\0, 192.0.2.2", "x" * 70000,
    cof("example.test", "A", "192.0.2.1", 5, 4), cof("example.test", "A", "192.0.2.1", -5, 4),
    cof("example.test", "A", "192.0.2.1", 5, 1 << 60), cof("example.test", "A", "2001:db8::1", 5, 6),
    cof("example.test", "MX", "10 ", 5, 6), cof("example.test", "A", {"a": 1}, 5, 6),
    cof("example.test", "A", [["192.0.2.1"]], 5, 6), cof("x" * 2000, "A", "192.0.2.1", 5, 6)],
    ids=lambda line: line[:40])
def test_wrong_lines_are_told_and_write_nothing(site, line):
    found = load(site, "\n" + line.rstrip("\n") + "\n", status=65)
    assert (found["wrong"], found["written"]) == (1, 0)
    assert not (site.state / "history").exists()


def test_a_flood_for_one_name_is_bounded(site):
    text = "".join(cof("gw.example.test", "A", f"203.{n >> 8 & 255}.{n & 255}.1", 1000000 + n, 1700000000 + n)
                   for n in range(3000))
    found = load(site, text, status=65)
    assert found["dropped"] > 2000 and found["names"] == 1


# ---- scan

def message(peer, rcpt=None, by="mail.example.test", to=None):
    delivered = f"Delivered-To: {rcpt}\n" if rcpt else ""
    ours = f"\n\tfor <{to}>" if to else ""
    return (f"{delivered}Received: from x.example (unknown [{peer}])\n\tby {by} (Postfix) with ESMTP id 3364BAA03D7"
            f"{ours};\n\tMon, 23 Nov 2026 12:35:31 +0000 (UTC)\nFrom: a@b.example\nSubject: x\n\nHello.\n")


@pytest.fixture
def store(site):
    site.configure(origins=[], internal=["10.1.2.3"], trace={"by": ["mail.example.test"]}, mode="monitor")
    (site.folder / "mail" / "cur").mkdir(parents=True)

    def add(name, when, text):
        (site.folder / "mail" / "cur" / f"{when}.{name}.host").write_text(text)
    return add


def scan(site, *arguments):
    result = mxguard("scan", "-c", site.config, "--json", *arguments, site.folder / "mail")
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_old_mail_is_judged_by_the_gateways_of_its_time(site, store):
    load(site, "2025-01-01 example.test MX 10:gw.example.test\n2025-01-01 gw.example.test A 203.0.113.1\n"
               "2025-01-01 _spf.filter.test TXT v=spf1 -all\n")
    site.refresh()
    store("then-gateway", seconds("2025-03-01"), message("203.0.113.1", "a@example.test"))
    store("then-stranger", seconds("2025-03-01"), message(OLD, "a@example.test"))
    store("now-gateway", int(time.time()), message(OLD, "a@example.test"))
    store("now-stranger", int(time.time()) + 3 * DAY, message("203.0.113.1", "a@example.test"))
    store("before", seconds("2024-03-01"), message(OLD, "a@example.test"))
    found = scan(site)
    assert found["paths"] | {"direct": 0, "gateway": 0} == dict.fromkeys(found["paths"], 0)
    assert (found["paths"]["gateway"], found["paths"]["direct"]) == (3, 2)
    assert {peer["address"]: peer["messages"] for peer in found["direct_peers"]} == {OLD: 1, "203.0.113.1": 1}
    assert found["judged_by_today"] == 1 and found["history_from"] == "2025-01-01T00:00:00Z"


def test_grace_counts_in_the_past_as_well(site, store):
    load(site, "2025-01-01 example.test MX 10:gw.example.test\n2025-01-01 gw.example.test A 203.0.113.1\n"
               "2025-06-01 gw.example.test A 203.0.113.2\n2025-01-01 _spf.filter.test TXT v=spf1 -all\n")
    store("in-grace", seconds("2025-06-01") + DAY, message("203.0.113.1", "a@example.test"))
    store("past-it", seconds("2025-06-01") + 3 * DAY, message("203.0.113.1", "a@example.test"))
    found = scan(site)
    assert (found["paths"]["gateway"], found["paths"]["direct"]) == (1, 1)


def test_without_a_history_that_is_said(site, store):
    store("old", seconds("2025-03-01"), message(OLD, "a@example.test"))
    found = scan(site)
    assert found["paths"]["gateway"] == 1 and found["judged_by_today"] == 1 and found["history_from"] is None
    said = mxguard("scan", "-c", site.config, site.folder / "mail").stdout.decode()
    assert "1 old message was judged by the gateways of today: the history has not begun" in said


def test_the_recipient_that_our_own_mta_wrote(site, store):
    """No Delivered-To, but the boundary hop's `for`; what stands below that hop is the sender's word."""
    site.configure(exempt=["a@example.test"])
    store("for", int(time.time()), message(OLD, to="a@example.test"))
    forged = "Received: from y ([192.0.2.1]) by z (Postfix) with SMTP id 3364BAA03D7 for <a@example.test>; x\nFrom: a"
    store("none", int(time.time()), message("203.0.113.66").replace("From: a", forged))
    store("field", int(time.time()), message(OLD, "b@example.test", to="a@example.test"))
    found = scan(site)
    assert {path: count for path, count in found["paths"].items() if count} == {"exempt": 1, "direct": 1, "gateway": 1}


def test_unknown_messages_are_told_by_reason(site, store):
    store("known", int(time.time()), message(OLD, "a@example.test"))
    store("untraced", int(time.time()), "From: a@b.example\nDelivered-To: a@example.test\n\nHello.\n")
    found = scan(site)
    assert found["unknown"] == {"untraced": 1}
    said = mxguard("scan", "-c", site.config, site.folder / "mail").stdout.decode()
    assert said.startswith("2 messages, 1 could not be judged\n") and "untraced\t1\n" in said


def test_a_folder_of_messages_and_what_is_left_unread(site, store):
    (site.folder / "mail" / "exported").mkdir()
    (site.folder / "mail" / "exported" / "one.eml").write_text("X-Odd: 1\n" + message(OLD, "a@example.test"))
    (site.folder / "mail" / "exported" / "17").write_text(message(OLD, "a@example.test"))
    (site.folder / "mail" / "exported" / "notes.bin").write_bytes(b"\0\1\2")
    (site.folder / "mail" / "u.1").write_bytes(b"2 M2b C5f9e5a\nN\x0a0000\n")
    (site.folder / "mail" / "dovecot.index").write_bytes(b"\0\1")
    found = scan(site)
    assert found["messages"] == 2 and found["left_unread"] == 2 and found["left_sample"].endswith(("notes.bin", "u.1"))
