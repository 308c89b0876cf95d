# SPDX-License-Identifier: MIT
"""Alarms: what is held back is held against DNS itself, and somebody hears of it."""
from __future__ import annotations

import json
import os
import subprocess
import time

import pytest

from mxg import build
from mxg.dns_script import answer, nodata, nxdomain, servfail
from mxg.mxguard import check, mxguard
from mxg.process import PATIENCE


def hear(site, **more):
    """An on_alarm that writes down what it is told."""
    heard = site.folder / "heard"
    site.configure(on_alarm=f"env | grep ^MXGUARD_ALARM | sort | tr '\\n' ' ' >> {heard}; echo >> {heard}", **more)
    return lambda: [dict(word.split("=", 1) for word in line.split()) for line in
                    (heard.read_text().splitlines() if heard.exists() else [])]


def alarms(site, *arguments: str, status: int = 0) -> str:
    result = mxguard("refresh", "-q", "-c", site.config, *arguments)
    assert result.returncode == status, result.stderr
    assert result.stdout == b""
    return result.stderr.decode()


def wait_past(seconds: float) -> None:
    time.sleep(seconds)


def ttl(site, seconds: int) -> None:
    site.configure(dns={**site.settings["dns"], "max_ttl": f"{seconds}s"})


def test_held_against_dns_itself(site):
    """After the TTL the delivery asks, and is told just what was refused."""
    ttl(site, 1)
    site.refresh()
    doubled = answer("192.0.2.10", "192.0.2.11", "192.0.2.12")
    site.dns.set("gw.example.test", "A", doubled)
    site.refresh("--strict", status=1)
    wait_past(1.2)
    site.dns.forget_questions()
    assert site.verdict("192.0.2.12") == "direct"
    assert ("gw.example.test", "A") in site.dns.asked()
    assert site.verdict("192.0.2.10") == "authorized"
    site.dns.set("gw.example.test", "A", answer("192.0.2.12", "192.0.2.10", "192.0.2.11"))
    assert site.verdict("192.0.2.12") == "direct"
    for arguments in ((), ("--strict",)):  # by hand, and by the timer
        found = site.refresh(*arguments, status=1 if arguments else 0)
        assert [(a["name"], a["alarms"], a["kept_old"]) for a in found["alarms"]] == [("gw.example.test", ["doubled"], True)]
        wait_past(1.2)
        assert site.verdict("192.0.2.12") == "direct"
    site.refresh("--strict", "--accept", "gw.example.test")
    assert site.verdict("192.0.2.12") == "authorized"
    assert site.refresh("--strict")["alarms"] == []


def test_emptied_is_held_until_accepted(site):
    ttl(site, 1)
    site.configure(dns={**site.settings["dns"], "keep_stale": "0s", "grace": "0s"})
    site.refresh()
    site.dns.set("gw.example.test", "A", nodata())
    site.refresh()
    wait_past(1.2)
    assert site.verdict("192.0.2.10") == "authorized"
    site.dns.set("gw.example.test", "A", nxdomain())
    assert site.verdict("192.0.2.10") == "authorized"
    assert site.verdict("203.0.113.66") == "direct"
    site.refresh("--accept", "gw.example.test")
    wait_past(1.2)  # of grace there is as much as the TTL
    assert site.verdict("192.0.2.10") == "direct"


def test_a_null_mx_empties_the_set(site):
    """It names no host (RFC 7505): as with any set that empties, the old one stays until somebody has said yes."""
    ttl(site, 1)
    site.configure(dns={**site.settings["dns"], "keep_stale": "0s", "grace": "0s"})
    site.refresh()
    site.dns.set("example.test", "MX", answer("0 ."))
    assert [(a["alarms"], a["before"], a["now"], a["kept_old"]) for a in site.refresh("--strict", status=1)["alarms"]] == [
        (["emptied"], 1, 0, True)]
    wait_past(1.2)
    assert site.verdict("192.0.2.10") == "authorized"
    site.refresh("--accept", "example.test")
    wait_past(1.2)
    assert site.verdict("192.0.2.10") == "direct"


def test_a_refusal_survives_a_failing_refresh(site):
    ttl(site, 1)
    site.refresh()
    doubled = answer("192.0.2.10", "192.0.2.11", "192.0.2.12")
    site.dns.set("gw.example.test", "A", doubled)
    site.refresh("--strict", status=1)
    site.dns.set("gw.example.test", "A", servfail())
    assert "doubled" in alarms(site, status=75)
    site.dns.set("gw.example.test", "A", doubled)
    wait_past(1.2)
    assert site.verdict("192.0.2.12") == "direct"


def test_held_against_nsd_behind_unbound(folder, real_dns, caching_dns, mxguard_config):
    """Real servers turn the order of records round and say NODATA and NXDOMAIN in their own way."""
    def publish(text: str) -> None:
        dns.set_zone("example.test", f"@ MX 10 gw\n{text}")
        cache.follow("gw.example.test", "A")

    def verdict(peer: str) -> str:
        return check(config, peer=peer, rcpt="a@example.test")["verdict"]

    dns = real_dns({"example.test": "@ MX 10 gw\ngw A 192.0.2.10\n"}, ttl=1, negative=1)
    cache = caching_dns(dns)
    state = folder / "state"
    config = mxguard_config({"mode": "enforce", "domains": ["example.test"], "gateways": [{"name": "mx", "allow": "mx"}],
                             "dns": {"servers": [cache.server], "timeout": "20s"}, "state_dir": str(state)})
    refresh = ["refresh", "-q", "-c", config]
    assert mxguard(*refresh).returncode == 0
    publish("gw A 192.0.2.10\ngw A 192.0.2.11\ngw A 192.0.2.12\n")
    assert mxguard(*refresh, "--strict").returncode == 1
    wait_past(1.5)
    for _ in range(6):
        assert (verdict("192.0.2.10"), verdict("192.0.2.12")) == ("authorized", "direct")
    assert mxguard(*refresh, "--strict", "--accept", "gw.example.test").returncode == 0
    assert verdict("192.0.2.12") == "authorized"
    for nothing in ("gw TXT here\n", "other TXT here\n"):
        publish(nothing)
        assert b"emptied" in mxguard(*refresh).stderr
        wait_past(1.5)  # what the snapshot has is fresh for as long as its TTL
        assert (verdict("192.0.2.12"), verdict("203.0.113.66")) == ("authorized", "direct")


def test_wide_has_no_grace(site):
    site.configure(dns={**site.settings["dns"], "accept_any_width": True})
    site.refresh()
    site.dns.set("more.filter.test", "TXT", "v=spf1 ip4:0.0.0.0/0 -all")
    time.sleep(1.1)
    site.refresh()
    assert site.offline("203.0.113.66") == "authorized"
    site.dns.set("more.filter.test", "TXT", "v=spf1 ip4:203.0.113.8 ~all")
    time.sleep(1.1)
    site.refresh()
    assert site.offline("203.0.113.66") == "direct"


def test_wide_is_not_kept_for_an_empty_one(site):
    site.refresh()
    site.dns.set("more.filter.test", "TXT", "v=spf1 +all")
    site.refresh()
    site.dns.set("more.filter.test", "TXT", "v=spf1 -all")
    found = site.refresh("--strict", status=1)
    assert [(a["alarms"], a["kept_old"]) for a in found["alarms"]] == [(["emptied"], False)]
    assert site.offline("203.0.113.66") == "direct"


def test_warned_of_although_quiet(site):
    site.refresh()
    site.dns.set("gw.example.test", "A", nodata())
    lines = alarms(site).splitlines()
    assert len(lines) == 1
    assert "warning" in lines[0] and "gw.example.test A: emptied" in lines[0] and "--accept gw.example.test" in lines[0]
    assert alarms(site) != ""  # until it is gone
    site.dns.set("gw.example.test", "A", "192.0.2.10")
    assert alarms(site) == ""


def test_strict_fails_until_it_is_gone(site):
    site.refresh()
    site.dns.set("more.filter.test", "TXT", "v=spf1 +all")
    for _ in range(2):
        alarms(site, "--strict", status=1)
    alarms(site, "--strict", "--accept", "more.filter.test")
    assert alarms(site, "--strict") == ""


def test_level_for_the_journal(site):
    """Standard error that is the journal's stream gets levels; systemd says which one it is."""
    site.refresh()
    site.dns.set("gw.example.test", "A", nodata())
    errors = site.folder / "errors"
    with open(errors, "wb") as file:
        st = os.fstat(file.fileno())
        for stream, begins in ((f"{st.st_dev}:{st.st_ino}", "<4>mxguard refresh: warning"), ("1:1", "mxguard refresh: w")):
            file.truncate(0)
            file.seek(0)
            result = subprocess.run([str(build.command()), "refresh", "-q", "-c", str(site.config)], stderr=file, timeout=PATIENCE,
                                    env={**os.environ, "JOURNAL_STREAM": stream})
            assert result.returncode == 0
            assert errors.read_text().startswith(begins)


def test_on_alarm_is_told(site):
    heard = hear(site)
    site.refresh()
    assert heard() == []
    site.dns.set("gw.example.test", "A", nxdomain())
    alarms(site)
    assert heard() == [{"MXGUARD_ALARM_NAME": "gw.example.test", "MXGUARD_ALARM_TYPE": "A", "MXGUARD_ALARM_KIND": "emptied,gone",
                        "MXGUARD_ALARM_BEFORE": "1", "MXGUARD_ALARM_NOW": "0", "MXGUARD_ALARM_HELD": "1", "MXGUARD_ALARM_NEW": "1"}]
    site.dns.set("more.filter.test", "TXT", "v=spf1 +all")
    alarms(site)
    assert [(each["MXGUARD_ALARM_NAME"], each["MXGUARD_ALARM_NEW"]) for each in heard()[1:]] == \
        [("more.filter.test", "1"), ("gw.example.test", "0")]


@pytest.mark.parametrize("command,words", [("exit 3", "exit status 3"), ("kill -9 $$", "signal 9"), ("/nonexistent/x", "127")])
def test_on_alarm_fails(site, command, words):
    site.refresh()
    site.configure(on_alarm=command)
    site.dns.set("gw.example.test", "A", nodata())
    assert words in alarms(site)
    assert site.offline("192.0.2.10") == "authorized"


def test_on_alarm_hangs(site):
    """It and what it has started are ended; the snapshot is written."""
    site.refresh()
    marker = site.folder / "late"
    site.configure(on_alarm=f"(sleep 30; touch {marker}) & sleep 40 > /dev/null 2>&1")
    site.dns.set("gw.example.test", "A", "192.0.2.99")
    site.dns.set("more.filter.test", "TXT", "v=spf1 +all")
    begin = time.monotonic()
    assert "took too long" in alarms(site)
    assert 9 < time.monotonic() - begin < 29
    assert site.offline("192.0.2.99") == "authorized"


def test_on_alarm_output_is_no_json(site):
    site.refresh()
    site.configure(on_alarm="echo noise")
    site.dns.set("gw.example.test", "A", nodata())
    result = mxguard("refresh", "-c", site.config, "--json")
    assert json.loads(result.stdout)["alarms"] and b"noise" in result.stderr


def test_accepting_what_is_not_there(site):
    site.refresh()
    assert "nothing leads to that name" in alarms(site, "--accept", "gw.exmaple.test")


def test_accepted_stays_accepted(site):
    """Near its limit and meant: no run tells of it again, whether DNS answers or not."""
    for i in range(8):
        site.dns.set(f"n{i}.filter.test", "TXT", f"v=spf1 ip4:203.0.113.{100 + i} -all")
    terms = " ".join(f"include:n{i}.filter.test" for i in range(8))
    site.dns.set("_spf.filter.test", "TXT", f"v=spf1 {terms} -all")
    assert "near-limit" in alarms(site, "--strict", status=1)
    assert alarms(site, "--strict", "--accept", "_spf.filter.test") == ""
    assert alarms(site, "--strict") == ""
    site.dns.set("_spf.filter.test", "TXT", servfail())
    assert alarms(site, "--strict", status=75) == ""
    site.dns.set("_spf.filter.test", "TXT", f"v=spf1 ip4:203.0.113.50 {terms} -all")
    assert "near-limit" in alarms(site, "--strict", status=1)


def mx_set(count: int):
    return answer(*(f"10 gw{i}.example.test" if i else "10 gw.example.test" for i in range(count)))


def test_more_than_ten_mx_hosts(site):
    """RFC 7208 §4.6.4: an error, so that every delivery is deferred."""
    site.dns.update({(f"gw{i}.example.test", "A"): f"192.0.2.{10 + i}" for i in range(1, 11)})
    site.dns.update({(f"gw{i}.example.test", "AAAA"): nodata() for i in range(1, 11)})
    site.dns.set("example.test", "MX", mx_set(10))
    site.refresh()
    site.dns.set("example.test", "MX", mx_set(11))
    found = site.refresh("--strict", status=1)
    assert [(a["name"], a["type"], a["alarms"], a["kept_old"]) for a in found["alarms"]] == \
        [("example.test", "MX", ["mx-hosts"], True)]
    assert site.offline("192.0.2.10") == "authorized"
    found = site.refresh("--accept", "example.test")
    assert found["alarms"] == []
    assert check(site.config, peer="203.0.113.66", rcpt="a@example.test")["reason"] == "record-limits"


def test_eleven_mx_hosts_that_no_term_asks_for(site):
    site.configure(gateways=[{"name": "filter", "allow": "include:_spf.filter.test"}])
    site.dns.update({(f"gw{i}.example.test", kind): nodata() for i in range(1, 11) for kind in ("A", "AAAA")})
    site.dns.set("example.test", "MX", mx_set(11))
    assert site.refresh()["alarms"] == []


def repeated(site) -> tuple[list, list, str]:
    """What doctor and gateways say of alarms, by name."""
    doctor = mxguard("doctor", "-c", site.config, "--json", "--no-dns", "--postfix", "/nonexistent", "--dovecot", "/nonexistent")
    found = [json.loads(line) for line in doctor.stdout.decode().splitlines()]
    gateways = mxguard("gateways", "-c", site.config, "--json", "--no-dns", "example.test")
    people = mxguard("gateways", "-c", site.config, "--no-dns", "example.test").stdout.decode()
    return ([each["text"].split()[0] for each in found if each["check"] == "alarm"],
            [(each["name"], each["alarms"], each["kept_old"]) for each in json.loads(gateways.stdout)["alarms"]], people)


def test_repeated_until_it_is_gone(site):
    site.refresh()
    assert repeated(site)[:2] == ([], [])
    site.dns.set("gw.example.test", "A", nodata())
    site.refresh()
    names, shown, people = repeated(site)
    assert names == ["gw.example.test"] and shown == [("gw.example.test", ["emptied"], True)]
    assert "alarm: gw.example.test A: emptied" in people
    site.dns.set("gw.example.test", "A", "192.0.2.10")
    site.refresh()
    assert repeated(site)[:2] == ([], [])


def test_an_old_snapshot_is_refused(site):
    """One of the first format: said clearly, and DNS is asked."""
    site.refresh()
    snapshot = bytearray(site.snapshot.read_bytes())
    at = snapshot.index(b"mxguard\n") + 8
    snapshot[at:at + 4] = (1).to_bytes(4, "big")
    site.snapshot.write_bytes(snapshot)
    site.dns.set("gw.example.test", "A", "192.0.2.77")
    result = check(site.config, peer="192.0.2.77", rcpt="a@example.test")
    assert result["verdict"] == "authorized" and "another version of mxguard" in result.stderr
    site.refresh()
    assert site.offline("192.0.2.77") == "authorized"


def test_a_name_that_is_a_command(site):
    """Whoever owns a domain chooses what his MX is called; a line that is taken over into a shell does what it says."""
    trap = site.folder / "ran"
    label = b"$(:>ran)'`:>ran`;:>ran#"
    target = b"\0\x0a" + bytes([len(label)]) + label + b"\x07example\x04test\0"
    site.dns.set("example.test", "MX", answer(target))
    site.dns.set(f"{label.decode()}.example.test", "A", "192.0.2.10")
    site.refresh()
    site.dns.set(f"{label.decode()}.example.test", "A", answer("192.0.2.10", "192.0.2.11", "192.0.2.12"))
    said = alarms(site, "--strict", status=1)
    told = [mxguard("gateways", "-c", site.config, "example.test").stdout.decode(), mxguard("doctor", "-c", site.config).stdout.decode()]
    lines = [line[line.index("mxguard refresh --accept"):] for text in (said, *told) for line in text.splitlines()
             if "--accept" in line and "example" in line]
    assert len(lines) == 3, (said, told)
    for line in lines:
        heard = subprocess.run(["sh", "-c", "mxguard() { printf '%s\\n' \"$@\"; }\n" + line], cwd=site.folder, capture_output=True)
        assert heard.stdout.decode().splitlines() == ["refresh", "--accept", f"{label.decode()}.example.test"], (line, heard)
        assert not trap.exists(), line
    site.refresh("--strict", "--accept", f"{label.decode()}.example.test")
