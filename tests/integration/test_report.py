# SPDX-License-Identifier: MIT
"""mxguard report: logs in every form that front ends and their log daemons write them, hostile ones among them, and
what is made of them."""
from __future__ import annotations

import calendar
import contextlib
import fcntl
import gzip
import json
import lzma
import os
import pathlib
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time

import pytest

from mxg import build
from mxg.mxguard import check, mxguard
from mxg.process import PATIENCE, run, wait_until

DAY, BEGIN = 86400, calendar.timegm((2026, 11, 1, 0, 0, 0))
GATEWAY, SPAMMER, FORGOTTEN = "192.0.2.10", "203.0.113.66", "198.51.100.25"
KEYS = {"lines", "decisions", "duplicates", "unread", "from", "to", "verdicts", "actions", "would", "reasons", "domains",
        "direct_peers", "candidates", "generations"}


def words(verdict="authorized", peer=GATEWAY, sender="a@b.example", rcpt="u@d.example", ident="4F1", action="accept",
          would="-", mode="enforce", reason=None, origin="-", old=False):
    reason = reason or {"authorized": "gateway-match", "direct": "peer-not-a-gateway", "unknown": "dns-timeout"}[verdict]
    new = ("helo=<x.example> ", "gen=7 origin=%s " % origin) if not old else ("", "")
    return (f"mxguard: verdict={verdict} action={action} would={would} mode={mode} place=door peer={peer} boundary={peer} "
            f"hop=0 gateway={'filters' if verdict == 'authorized' else '-'} term=- {new[0]}from=<{sender}> rcpt=<{rcpt}> "
            f"id=<{ident}> msgid=<> {new[1]}reason={reason}")


def bsd(when, text, tag="mxguard[77]", host="mail"):
    return time.strftime("%b %e %H:%M:%S", time.gmtime(when)) + f" {host} {tag}: {text}\n"


def report(*arguments, data=None, status=0, **keywords):
    environment = {"TZ": "UTC"} | keywords.get("env", {})
    command = [str(build.command()), "report", "--json", *map(str, arguments)]
    result = subprocess.run(command, input=data.encode() if isinstance(data, str) else data, capture_output=True,
                            timeout=120, env=os.environ | environment)
    assert result.returncode == status, (result.stdout + result.stderr).decode()[:2000]
    return json.loads(result.stdout)


def test_nothing_at_all():
    found = report("-", data="")
    assert KEYS <= set(found) and found["lines"] == found["decisions"] == 0
    assert found["from"] is None and found["to"] is None
    assert found["verdicts"] == found["actions"] == found["would"] == found["reasons"] == {}
    assert found["domains"] == found["direct_peers"] == found["candidates"] == found["generations"] == []


AT = calendar.timegm((2026, 11, 23, 12, 35, 31))
JSON_WORDS = ('{"verdict":"direct","action":"accept","would":"reject","mode":"monitor","place":"door",'
              '"peer":"203.0.113.66","boundary":"203.0.113.66","hop":0,"gateway":null,"term":null,"helo":"x","from":"a@b",'
              '"rcpt":"u@d.example","id":"4F1","msgid":"","gen":7,"origin":null,"reason":"peer-not-a-gateway"}')
DIRECT = words("direct", SPAMMER, would="reject", mode="monitor")


@pytest.mark.parametrize("line", [
    f"Nov 23 12:35:31 mail mxguard[77]: {DIRECT}",
    f"Nov 23 12:35:31 mail mxguard: {DIRECT}",
    f"Nov 23 12:35:31 mail {DIRECT}",
    f"<22>Nov 23 12:35:31 mail mxguard-lda[5]: {DIRECT}",
    f"Nov 23 12:35:31 mail dovecot: lmtp(4711): {DIRECT}",
    f"Nov 23 12:35:31 mail dovecot[3]: lda(u@d.example)<9><abc>: {DIRECT}",
    f"Nov 23 12:35:31 lmtp(4711): Info: {DIRECT}",
    f"2026-11-23 12:35:31 lmtp(4711): Info: {DIRECT}",
    f"2026-11-23T12:35:31.123456+00:00 mail mxguard[77]: {DIRECT}",
    f"2026-11-23T13:35:31+0100 mail mxguard[77]: {DIRECT}",
    f"2026-11-23T12:35:31Z mail mxguard[77]: {DIRECT}",
    f"<22>1 2026-11-23T12:35:31.003Z mail mxguard 77 - - {DIRECT}",
    f'<22>1 2026-11-23T12:35:31.003Z mail mxguard 77 ID1 [a@1 x="]\\" "][b y="1"] \ufeff{DIRECT}',
    f"Nov 23 12:35:31 mail mxguard[77]: {JSON_WORDS}",
    f"2026-11-23T12:35:31Z mail dovecot: lmtp(4711): {JSON_WORDS}",
    f"2026-11-23T12:35:31Z {JSON_WORDS}",
    f"2026-11-23T12:35:31Z mail mxguard[77] {JSON_WORDS}",
    f"2026-11-23T12:35:31Z mail mxguard {JSON_WORDS}",
    f"2026-11-23T12:35:31Z mail dovecot[3] lda(u@d.example)<9><abc>: {JSON_WORDS}",
    json.dumps({"MESSAGE": DIRECT, "__REALTIME_TIMESTAMP": str(AT * 1000000), "SYSLOG_IDENTIFIER": "mxguard"}),
    json.dumps({"MESSAGE": JSON_WORDS, "__REALTIME_TIMESTAMP": str(AT * 1000000), "SYSLOG_IDENTIFIER": "mxguard"}),
    json.dumps({"message": DIRECT, "timestamp": "2026-11-23T12:35:31Z", "appname": "mxguard", "host": "mail"}),
    f"Mon 2026-11-23 12:35:31 UTC mail mxguard[77]: {DIRECT}",
    f"Mon 2026-11-23 12:35:31 UTC mail mxguard-policy.service[77]: {JSON_WORDS}",
    f"{AT}.123456 mail mxguard[77]: {DIRECT}",
    f"Nov 23 12:35:31 mail smtpd[9]: mxguard: {DIRECT}",
    f"2026-11-23T12:35:31Z mail smtpd[9]: mxguard: {JSON_WORDS}",
    f"<22>1 2026-11-23T12:35:31Z mail smtpd 9 - - mxguard: {DIRECT}",
    json.dumps({"MESSAGE": f"mxguard: {DIRECT}", "__REALTIME_TIMESTAMP": str(AT * 1000000), "SYSLOG_IDENTIFIER": "smtpd"}),
    json.dumps({"log": f"{DIRECT}\n", "stream": "stderr", "time": "2026-11-23T12:35:31.123456789Z"}),
    json.dumps({"log": f"Nov 23 12:35:31 mail mxguard[77]: {JSON_WORDS}\n", "stream": "stdout",
                "time": "2026-11-23T12:35:31.123456789Z"}),
    "Nov 23 12:35:31 mail mxguard[77]: " + words("direct", SPAMMER, would="reject", mode="monitor", old=True),
    f"Nov 23 12:35:31 mail mxguard[77]: {DIRECT} real=192.0.2.1 detail=\"some words > <\" more=<x y>",
], ids=lambda line: line[:60])
def test_every_form_of_line(line):
    found = report("-", data=line + "\n")
    assert (found["lines"], found["decisions"], found["unread"]) == (1, 1, 0)
    assert found["verdicts"] == {"direct": 1} and found["actions"] == {"accept": 1} and found["would"] == {"reject": 1}
    assert found["reasons"] == {"peer-not-a-gateway": 1}
    assert found["from"] == found["to"] == "2026-11-23T12:35:31Z"
    (domain,) = found["domains"]
    assert (domain["domain"], domain["decisions"], domain["direct"]) == ("d.example", 1, 1)
    (peer,) = found["direct_peers"]
    assert (peer["peer"], peer["messages"], peer["domains"]) == (SPAMMER, 1, ["d.example"])


@pytest.mark.parametrize("line", [
    f"Nov 23 12:35:31 mail postfix/smtpd[9]: NOQUEUE: reject: helo=<{DIRECT}>",
    f"Nov 23 12:35:31 mail postfix/smtpd[9]: {DIRECT}",
    f"Nov 23 12:35:31 mail mxguard[77]: client said: {DIRECT}",
    f"Nov 23 12:35:31 mail exim[9]: H=x (mxguard: {DIRECT}) rejected",
    f"Nov 23 12:35:31 mail dovecot: imap-login: Login: user=<lmtp(1): {DIRECT}>",
    f"Nov 23 12:35:31 mail dovecot: lmtp(4711): sieve: msgid=<x>: {DIRECT}",
    f"Nov 23 12:35:31 mail sshd[1]: Invalid user mxguard[77]: {DIRECT}",
    f"Nov 23 12:35:31 mail postfix/cleanup[1]: A: message-id=<x lmtp(1): {DIRECT}>",
    json.dumps({"MESSAGE": DIRECT, "SYSLOG_IDENTIFIER": "postfix/smtpd"}),
    f"Nov 23 12:35:31 mail smtpd[9]: {DIRECT}",
    f"Nov 23 12:35:31 mail smtpd[9]: rspamd: {DIRECT}",
    f"Nov 23 12:35:31 mail smtpd[9]: 0123456789abcdef smtp failed-command mxguard: {DIRECT}",
    f"Nov 23 12:35:31 mail postfix/smtpd[9]: mxguard: {DIRECT}",
    json.dumps({"log": f"Nov 23 12:35:31 mail postfix/smtpd[9]: {DIRECT}\n", "stream": "stdout", "time": "2026-11-23T12:35:31Z"}),
    json.dumps({"log": f"{DIRECT}\n", "time": "2026-11-23T12:35:31Z"}),
    json.dumps({"MESSAGE": "x " + DIRECT, "SYSLOG_IDENTIFIER": "mxguard"}),
    f"hello {DIRECT}",
    "Nov 23 12:35:31 mail mxguard[77]: listening on inet:127.0.0.1:10041",
], ids=lambda line: line[:60])
def test_words_in_others_lines_do_not_count(line):
    found = report("-", data=line + "\n")
    assert (found["lines"], found["decisions"], found["unread"]) == (1, 0, 0)


def test_decisions_without_a_time():
    """They count, and are said; where only those since some time are wanted, nobody knows whether they are."""
    data = "".join(words("direct", SPAMMER, ident=str(n)) + "\n" for n in range(3)) + bsd(AT, words())
    found = report("--no-dns", "-", data=data)
    assert (found["decisions"], found["undated"], found["left_out"]) == (4, 3, 0)
    since = ("--no-dns", "--since", "2026-11-20")
    found = report(*since, "-", data=data)
    assert (found["decisions"], found["undated"], found["left_out"]) == (1, 0, 3) and "direct" not in found["verdicts"]
    for each in (found, report("--no-dns", "-", data=partial(data, *since))):  # it is not ready for what nobody looks at
        assert [(d["decisions"], d["ready"], d["blockers"]) for d in each["domains"]] == [
            (1, False, ["left-out: 3 decisions have no time"])]
    assert report(*since, "-", data=words() + "\n" + bsd(AT, words(ident="2")))["domains"][0]["ready"]
    found = report(*since, "--domain", "other.example", "-", data=data)
    assert (found["decisions"], found["left_out"]) == (0, 0)
    found = report("-", data=partial(data) + partial(data, *since))
    assert (found["decisions"], found["undated"], found["left_out"]) == (5, 3, 3)
    for options, said in (((), b"3 decisions have no time\n"), (since, b"3 decisions have no time and are left out (--since)\n")):
        told = subprocess.run([str(build.command()), "report", *options, "-"], input=data.encode(), capture_output=True)
        assert told.returncode == 0 and said in told.stdout


def test_fields_behind_the_reason_are_passed_over():
    """All that a front end writes there today."""
    for text in (words(origin=FORGOTTEN) + ' real=127.0.0.1 detail="a = b" origin_helo=<x.example> origin_hop=2',
                 words() + " new_field=1", JSON_WORDS[:-1] + ',"origin_helo":"x","origin_hop":2}'):
        found = report("-", data=bsd(AT, text))
        assert found["decisions"] == 1 and found["unread"] == 0


def test_fields_cannot_be_forged_from_outside():
    """What strangers say stands between brackets that it cannot end."""
    sender = "x\\x20reason\\x3dlogin\\x20verdict\\x3dauthorized\\x3e"
    found = report("-", data=bsd(AT, words("direct", SPAMMER, sender=sender)))
    assert found["verdicts"] == {"direct": 1} and found["reasons"] == {"peer-not-a-gateway": 1}


@pytest.mark.parametrize("cut", [46, 60, 100, 200, 270])
def test_cut_lines_are_unread(cut):
    line = bsd(AT, words("direct", SPAMMER))[:-1]
    found = report("-", data=line[:cut] + "\n" + line[:-3] + "\n" + bsd(AT + 1, words()))
    assert (found["lines"], found["decisions"], found["unread"]) == (3, 1, 2)


def test_sums_and_ready():
    lines = [bsd(BEGIN + n, words(rcpt=f"u{n}@good.example", ident=f"A{n}")) for n in range(10)]
    lines += [bsd(BEGIN + 20 + n, words("direct", f"203.0.113.{n}", f"x{n}@spam.example", "u@good.example", f"B{n}", "accept",
                                       "reject", "monitor")) for n in range(5)]
    lines += [bsd(BEGIN + 40, words(rcpt="u@slow.example", ident="C")),
              bsd(BEGIN + 41, words("unknown", would="defer", mode="monitor", rcpt="u@slow.example", ident="D"))]
    lines += [bsd(BEGIN + 50, words("direct", SPAMMER, rcpt="u@lost.example", ident="E", action="reject"))]
    found = report("-", data="".join(lines))
    assert found["verdicts"] == {"authorized": 11, "direct": 6, "unknown": 1}
    assert found["actions"] == {"accept": 17, "reject": 1} and found["would"] == {"reject": 5, "defer": 1}
    domains = {entry["domain"]: entry for entry in found["domains"]}
    assert domains["good.example"] == {"domain": "good.example", "decisions": 15, "authorized": 10, "direct": 5, "unknown": 0,
                                       "ready": True, "blockers": []}
    assert not domains["slow.example"]["ready"]
    assert domains["slow.example"]["blockers"] == ["unknown: dns-timeout, 1 message"]
    assert not domains["lost.example"]["ready"] and domains["lost.example"]["blockers"][0].startswith("no-gateway-mail")


def forgotten(days=10):
    """Ten days of ordinary mail by the gateway, spammers, and a forgotten gateway that has part of the same senders."""
    pick = random.Random(4)
    lines = []
    for day in range(days):
        for n in range(40):
            lines.append((BEGIN + day * DAY + n * 600, words(sender=f"s{n % 25}@partner{n % 9}.example",
                                                             rcpt=f"u{n % 12}@d.example", ident=f"A{day}.{n}")))
        for n in range(4):
            lines.append((BEGIN + day * DAY + n * 7000 + 5, words(
                "direct", FORGOTTEN, f"s{(n + day) % 25}@partner{(n + day) % 9}.example", f"u{(n + 3 * day) % 12}@d.example",
                f"F{day}.{n}", "accept", "reject", "monitor")))
        for n in range(8):
            lines.append((BEGIN + day * DAY + n * 9000 + 7, words(
                "direct", f"203.0.113.{pick.randrange(250)}", f"x{pick.random()}@spam.example", f"u{n}@d.example",
                f"X{day}.{n}", "accept", "reject", "monitor")))
        for n in range(10):  # one that sends much to many, but whom nobody knows
            lines.append((BEGIN + day * DAY + n * 8000 + 9, words(
                "direct", "203.0.113.251", f"y{pick.random()}@spam.example", f"u{n}@d.example", f"Y{day}.{n}", "accept",
                "reject", "monitor")))
    return [bsd(when, text) for when, text in sorted(lines)]


def test_a_forgotten_gateway_is_told_from_spammers(mxguard_config):
    found = report("--no-dns", "-", data="".join(forgotten()))
    (candidate,) = found["candidates"]
    assert candidate["peers"] == [FORGOTTEN] and candidate["term"] == f"ip4:{FORGOTTEN}" and candidate["proven"]
    assert candidate["messages"] == 40 and candidate["domains"] == ["d.example"]
    assert [why.split(":")[0] for why in candidate["why"]] == ["known-senders", "many-recipients", "steady", "few-hosts"]
    (domain,) = found["domains"]
    assert not domain["ready"] and domain["blockers"] == [f"candidate: {FORGOTTEN}, 40 messages"]
    # the term does what it is shown for
    config = mxguard_config({"mode": "enforce", "state_dir": "/nonexistent/mxguard",
                             "gateways": ({"name": "more", "allow": candidate["term"]},)})
    assert check(config, peer=FORGOTTEN, rcpt="u@d.example")["verdict"] == "authorized"
    assert check(config, peer="203.0.113.251", rcpt="u@d.example")["verdict"] == "direct"


def test_overlapping_rotations_count_once(folder):
    lines = forgotten(3)
    third = len(lines) // 3
    (folder / "mail.log.1").write_text("".join(lines[:2 * third]))
    (folder / "mail.log").write_text("".join(lines[third:]))
    once = report("-", data="".join(lines))
    for paths in (["mail.log", "mail.log.1"], ["mail.log.1", "mail.log"]):
        found = report(*[folder / path for path in paths])
        assert found["duplicates"] == third and found["decisions"] == len(lines)
        assert {key: found[key] for key in KEYS - {"lines", "duplicates"}} == {
            key: once[key] for key in KEYS - {"lines", "duplicates"}}
    both = "".join(lines[:2 * third] + lines[third:])
    assert report("-", data=both)["duplicates"] == third, "in one stream, too"


def test_the_same_words_twice_in_a_second_are_two():
    line = bsd(AT, words())
    assert report("-", data=line * 3)["decisions"] == 3
    for text in words(), words() + ' detail="a b"', JSON_WORDS:
        found = report("-", data=f"Nov 23 12:35:31 mail mxguard[7]: message repeated 4 times: [ {text}]\n")
        assert found["decisions"] == 4 and set(found["reasons"]) <= {"gateway-match", "peer-not-a-gateway"}


def nasty(seed, lines=24000):
    """More than the pieces that are read at once: years that turn, in both directions, and lines of every kind about the
    places where one piece ends and the next begins."""
    pick = random.Random(seed)
    when, out = calendar.timegm((2025, 6, 1, 0, 0, 0)), []
    for number in range(lines):
        when += pick.choice((0, 0, 1, 2, 40, 900)) if pick.random() < 0.999 else pick.choice((-400 * DAY, 120 * DAY, -30, 200 * DAY))
        verdict = pick.choice(("authorized", "authorized", "direct", "unknown"))
        text = words(verdict, f"203.0.113.{pick.randrange(250)}", f"s{pick.randrange(400)}@b.example",
                     f"u{pick.randrange(50)}@{pick.choice(('D', 'd'))}{pick.randrange(40)}.example", ident=f"{number % 9000:X}",
                     origin=pick.choice(("-", "203.0.113.9")))
        kind = pick.random()
        if kind < 0.6:
            out.append(bsd(when, text, host=f"mail{pick.randrange(2)}"))
        elif kind < 0.7:
            out.append(time.strftime("%Y-%m-%dT%H:%M:%S.123456+01:00", time.gmtime(when)) + f" mail mxguard[7]: {text}\n")
        elif kind < 0.8:
            out.append(bsd(when, "connect from unknown[203.0.113.7]", tag="postfix/smtpd[9]"))
        elif kind < 0.85:
            out.append(json.dumps({"message": text, "timestamp": time.strftime("%b %d %H:%M:%S", time.gmtime(when)),
                                   "appname": "mxguard"}) + "\n")
        elif kind < 0.9:
            out.append(bsd(when, text)[:pick.randrange(300)] + "\n")
        elif kind < 0.97 and len(out) > 3000:
            out.extend(out[-pick.randrange(1, 40):])
        else:
            out.append("x" * pick.choice((30, 3000, 70000 if pick.random() < 0.02 else 500, 200000 if pick.random() < 0.02 else 9))
                       + pick.choice(("\n", "\r\n", " \n")))
    return "".join(out)[:-pick.randrange(20)]


@pytest.mark.parametrize("seed", range(4))
def test_however_many_threads_read_the_report_is_the_same(folder, seed):
    """One processor takes piece after piece; several take them as they come. Through a pipe pieces are the same."""
    path, arguments = folder / "log", ("--no-dns", "--changed", "d1.example=2025-09-01")
    path.write_text(nasty(seed))
    os.utime(path, (AT, AT))
    found = report(*arguments, path)
    one = subprocess.run(["taskset", "-c", str(min(os.sched_getaffinity(0))), str(build.command()), "report", "--json",
                          *arguments, str(path)], capture_output=True, check=True, env=os.environ | {"TZ": "UTC"}).stdout
    assert json.loads(one) == found
    assert all(report(*arguments, path) == found for _ in range(3))
    assert found["decisions"] > 15000 and found["unread"] > 100 and found["duplicates"] > 0 and len(found["domains"]) == 40
    rest = subprocess.run([str(build.command()), "report", "--json", *arguments, "--since", "2025-07-01", str(path)],
                          capture_output=True, check=True, env=os.environ | {"TZ": "UTC"}).stdout
    assert 0 < json.loads(rest)["decisions"] < found["decisions"]


def test_several_hosts_are_not_taken_for_one():
    data = "".join(bsd(AT, words(), host=host) for host in ("mail1", "mail2"))
    assert report("-", data=data)["decisions"] == 2


@pytest.mark.parametrize("suffix, pack", [
    (".gz", gzip.compress), (".xz", lzma.compress),
    (".zst", lambda data: subprocess.run(["zstd", "-c"], input=data, capture_output=True, check=True).stdout)])
def test_compressed(folder, suffix, pack):
    path = folder / f"-x; touch pwned{suffix}"
    path.write_bytes(pack("".join(forgotten(1)).encode()))
    assert report(path)["decisions"] == len(forgotten(1))
    path.write_bytes(path.read_bytes()[:-9])
    report(path, status=66)


def test_years_and_clocks(folder):
    """No year in the line: the last line is of the time at which the file was last written, and years go on."""
    path = folder / "mail.log"
    when = calendar.timegm((2025, 12, 30, 10, 0, 0))
    path.write_text("".join(bsd(when + n * DAY, words(ident=f"A{n}")) for n in range(5)))
    os.utime(path, (when + 5 * DAY, when + 5 * DAY))
    found = report(path)
    assert (found["from"], found["to"]) == ("2025-12-30T10:00:00Z", "2026-01-03T10:00:00Z")
    leap = bsd(calendar.timegm((2024, 2, 29, 1, 0, 0)), words())
    path.write_text(leap)
    assert report(path)["from"].startswith("2024-02-29")
    stepped = "".join(bsd(AT + n, words(ident=f"B{n}")) for n in (0, 10, 20, -500, -400, 30))
    found = report("-", data=stepped)
    assert found["decisions"] == 6 and found["from"] == "2026-11-23T12:27:11Z" and found["to"] == "2026-11-23T12:36:01Z"


def test_local_time():
    found = report("-", data=bsd(AT, words()), env={"TZ": "Europe/Berlin"})
    assert found["from"] == "2026-11-23T11:35:31Z"
    for zone, said in (("CET", "2026-11-23T11:35:31Z"), ("UTC", "2026-11-23T12:35:31Z")):
        line = f"Mon 2026-11-23 12:35:31 {zone} mail mxguard[77]: {words()}\n"
        assert report("-", data=line, env={"TZ": "Europe/Berlin"})["from"] == said


def test_since_and_domain():
    data = "".join(bsd(BEGIN + n * DAY, words(rcpt=f"u@d{n % 2}.example", ident=f"A{n}")) for n in range(10))
    assert report("--since", "2026-11-05", "-", data=data)["decisions"] == 6
    found = report("--domain", "D1.example", "-", data=data)
    assert [entry["domain"] for entry in found["domains"]] == ["d1.example"] and found["decisions"] == 5


def changed_log(half_life, origin=True):
    """The MX changed on the 5th; direct mail dies away, and one host is seen behind the gateway six days later."""
    change = BEGIN + 4 * DAY
    lines = [(BEGIN + n * 1800, words("direct", f"203.0.113.{n % 20}", rcpt="u@d.example", ident=f"A{n}"))
             for n in range(4 * 48)]
    count = 0
    for day in range(20):
        for n in range(round(400 * (2 ** (-day / half_life) - 2 ** (-(day + 1) / half_life)))):
            count += 1
            lines.append((change + day * DAY + n * 60, words("direct", f"203.0.113.{n % 20}", ident=f"B{count}")))
    lines.append((change + 24 * DAY, words(ident="Z")))
    if origin:
        lines.append((change + 12 * DAY + DAY // 2, words(origin="203.0.113.9", ident="M")))
    return "".join(bsd(when, text) for when, text in sorted(lines)), change


def last_direct_day(data):
    """The day after the last on which there was direct mail."""
    last = [line for line in data.splitlines() if "verdict=direct" in line][-1]
    when = calendar.timegm(time.strptime("2026 " + last[:6], "%Y %b %d"))
    return time.strftime("%Y-%m-%d", time.gmtime(when + DAY))


def test_the_time_line_of_a_change():
    data, change = changed_log(2)
    before, after = report("--changed", "d.example=2026-11-05", "-", data=data)["generations"]
    assert before["domain"] == "d.example" and before["from"] is None and before["until"] == "2026-11-05T00:00:00Z"
    assert before["direct_per_day"] == pytest.approx(48, rel=0.05) and before["half_life_days"] is None
    assert after["from"] == "2026-11-05T00:00:00Z" and after["until"] is None
    assert after["half_life_days"] == pytest.approx(2, rel=0.15)
    assert after["dry"] == last_direct_day(data)
    moved = {entry["peer"]: entry["after_days"] for entry in after["moved"]}
    assert moved == {"203.0.113.9": pytest.approx(12.5)}


@pytest.mark.parametrize("date, where", [("2026-10-01", 0), ("2026-11-01T00:00:00Z", 0), ("2026-12-24", 1)])
def test_a_time_of_which_the_log_has_nothing(date, where):
    """Before it begins, also where it begins with the change, and after it ends: not a time without direct mail."""
    data, _ = changed_log(2)
    found = report("--changed", f"d.example={date}", "-", data=data)["generations"]
    outside, inside = found[where], found[1 - where]
    assert (outside["logged"], inside["logged"]) == (False, True)
    assert [outside[key] for key in ("direct_per_day", "half_life_days", "dry", "never_published")] == [None] * 4
    assert outside["days"] == outside["moved"] == outside["stayed"] == [] and inside["direct_per_day"] > 0
    told = mxguard("report", "--no-dns", "--changed", f"d.example={date}", "-", data=data.encode()).stdout.decode()
    rows = [line for line in told.splitlines() if line.startswith("d.example")]
    assert ["outside the log" in row for row in rows[-2:]] == [where == 0, where == 1]
    assert " 0.0 " not in rows[-2 + where] and "not counted" not in told


def test_generations_of_the_history(site):
    path = site.folder / "import"
    path.write_text("2026-11-01 example.test MX 10:gw.example.test\n2026-11-01 gw.example.test A 192.0.2.10\n"
                    "2026-11-05 example.test MX 10:new.example.test\n2026-11-05 new.example.test A 192.0.2.20\n"
                    "2026-11-01 _spf.filter.test TXT v=spf1 -all\n")
    assert mxguard("gateways", "-c", site.config, "--import", path).returncode == 0
    data, _ = changed_log(3)
    found = report("-c", site.config, "--no-dns", "-", data=data.replace("d.example", "example.test"))
    first, second = found["generations"]
    assert first["gateways"] == ["192.0.2.10"] and second["gateways"] == ["192.0.2.20"]
    assert second["from"] == "2026-11-05T00:00:00Z" and second["half_life_days"] == pytest.approx(3, rel=0.2)
    assert found["history_from"] == "2026-11-01T00:00:00Z"


def direct_from(host, *days, rcpt="u@d.example"):
    """One message past the gateways on each of these days of the log, at noon."""
    return [(BEGIN + day * DAY + DAY // 2, words("direct", host, rcpt=rcpt, ident=f"{host}-{day}")) for day in days]


def unpublished_log(rcpt="u@d.example"):
    """The MX changes on day 10: one host knew the old one, one had it from a cache, two came by another way, one of
    these a month later, and one sender had the old record for long and then found the gateways."""
    lines = direct_from("203.0.113.1", 2, 14, rcpt=rcpt) + direct_from("203.0.113.2", 11, 20, rcpt=rcpt)
    lines += direct_from("203.0.113.3", 12, 13, 20, rcpt=rcpt) + direct_from("203.0.113.4", 40, rcpt=rcpt)
    lines += direct_from("203.0.113.5", 13, rcpt=rcpt)
    lines.append((BEGIN + 15 * DAY, words(origin="203.0.113.5", rcpt=rcpt, ident="via")))
    return "".join(iso(when, text) for when, text in sorted(lines))


def iso(when, text):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(when)) + f" mail mxguard[77]: {text}\n"


def test_hosts_that_came_by_names_never_published():
    before, after = report("--changed", "d.example=2026-11-11", "-", data=unpublished_log())["generations"]
    assert before["never_published"]["hosts"] == 0
    assert after["never_published"] == {
        "since": "2026-11-11T00:00:00Z", "hosts": 2, "messages": 4, "first": "2026-11-13T12:00:00Z",
        "peers": [{"peer": "203.0.113.3", "messages": 3, "first": "2026-11-13T12:00:00Z"},
                  {"peer": "203.0.113.4", "messages": 1, "first": "2026-12-11T12:00:00Z"}]}
    for day in (5, 10):  # the log does not reach back far enough, so that nobody knows who came before
        found = report("--changed", "d.example=2026-11-11", "--since", f"2026-11-{day:02}", "-", data=unpublished_log())
        assert [each["never_published"] for each in found["generations"]] == [None, None]
    halves = ["".join(line for n, line in enumerate(unpublished_log().splitlines(True)) if n % 2 == half) for half in (0, 1)]
    parts = b"".join(partial(half, "--changed", "d.example=2026-11-11") for half in halves)
    merged = report("--changed", "d.example=2026-11-11", "-", data=parts)
    assert merged["generations"][1]["never_published"] == after["never_published"]


def test_a_forgotten_gateway_has_not_guessed_a_name():
    """What looks like one delivers where it was told to, and is told of as a candidate."""
    lines = [line for line in forgotten(20) if FORGOTTEN not in line or int(line[4:6]) > 12]
    found = report("--no-dns", "--changed", "d.example=2026-11-09", "-", data="".join(lines))
    assert {peer for each in found["candidates"] for peer in each["peers"]} == {FORGOTTEN}
    late = found["generations"][1]["never_published"]
    assert late["hosts"] > 0 and FORGOTTEN not in {each["peer"] for each in late["peers"]}


def test_an_address_that_the_mx_still_names_is_published(site):
    """The history says until when an address of ours stood in the MX: the change before that does not count."""
    def history(*states):
        (site.folder / "import").write_text("".join(f"{when} {state}\n" for when, state in states))
        assert mxguard("gateways", "-c", site.config, "--import", site.folder / "import").returncode == 0
    site.configure(self=["192.0.2.1"], gateways=[{"name": "mx", "allow": "mx"}])
    history(("2026-11-01", "example.test MX 10:old.example.test"), ("2026-11-01", "old.example.test A 192.0.2.77"),
            ("2026-11-05", "example.test MX 10:ours.example.test"), ("2026-11-01", "ours.example.test A 192.0.2.1"))
    data = unpublished_log("u@example.test")
    found = report("-c", site.config, "--no-dns", "-", data=data)["generations"]
    assert [each["gateways"] for each in found] == [["192.0.2.77"], ["192.0.2.1"]]
    assert [each["never_published"] for each in found] == [None, None]
    history(("2026-11-19", "example.test MX 10:new.example.test"), ("2026-11-19", "new.example.test A 192.0.2.20"))
    found = report("-c", site.config, "--no-dns", "-", data=data)["generations"]
    assert [each["never_published"]["since"] for each in found] == ["2026-11-19T00:00:00Z"] * 3
    assert [each["never_published"]["hosts"] for each in found] == [0, 0, 1]


def test_days_of_all_domains():
    data = "".join(iso(BEGIN + day * DAY + n, words(verdict, rcpt=f"u@d{n}.example", ident=f"{day}-{n}"))
                   for day in (0, 1, 4) for n, verdict in enumerate(["authorized"] * (day + 1) + ["direct"] * 2))
    found = report("-", data=data)["days"]
    assert [each["day"] for each in found] == ["2026-11-01", "2026-11-02", "2026-11-05"]
    assert [(each["authorized"], each["direct"], each["unknown"]) for each in found] == [(1, 2, 0), (2, 2, 0), (5, 2, 0)]


@pytest.mark.parametrize("seed", range(6))
def test_partial_results_add_up(folder, seed):
    """The merge of partial results is what one report over all logs says, however the logs are split."""
    pick = random.Random(seed)
    lines = forgotten(6) + changed_log(2)[0].splitlines(keepends=True)
    lines += ["Nov 23 12:35:31 mail mxguard[7]: mxguard: verdict=direct action=rej\n", "something else\n"]
    logs = [[] for _ in range(pick.randrange(1, 6))]
    for line in lines:
        host = pick.randrange(len(logs))
        logs[host].append(line.replace(" mail ", f" mail{host} "))
    options = ["--no-dns", "--changed", "d.example=2026-11-05"]
    paths, parts = [], []
    for number, log in enumerate(logs):
        paths.append(folder / f"log{number}")
        paths[-1].write_text("".join(log))
        parts.append(folder / f"part{number}")
        parts[-1].write_bytes(subprocess.run(
            [str(build.command()), "report", "--partial", *options, str(paths[-1])], capture_output=True, check=True,
            env=os.environ | {"TZ": "UTC"}).stdout)
    whole = report(*options, *paths)
    pick.shuffle(parts)
    assert report(*options, *parts) == whole
    assert report(*options, parts[0], *[paths[int(part.name[4:])] for part in parts[1:]]) == whole
    assert whole["unread"] == 1 and whole["candidates"]


def test_fifty_hosts_add_up(folder):
    """A fleet's logs, one of them JSON, one of them empty: the sum of fifty partial results is one report over all."""
    pick, parts, paths = random.Random(50), [], [folder / f"log{number}" for number in range(50)]
    lines = forgotten(6) + changed_log(2)[0].splitlines(keepends=True)
    logs = [[] for _ in paths]
    for line in lines:
        host = pick.randrange(1, 50)
        logs[host].append(line.replace(" mail ", f" mail{host} "))
    logs[7] = [f"2026-11-2{number}T12:35:31Z mail7 mxguard[5]: {JSON_WORDS}\n" for number in range(4)]
    for path, log in zip(paths, logs):
        path.write_text("".join(log))
        parts.append(path.with_suffix(".part"))
        parts[-1].write_bytes(partial("".join(log), "--no-dns"))
    whole = report("--no-dns", *paths)
    assert report("--no-dns", *parts) == whole and whole["decisions"] > 100 and whole["exact"]
    part = folder / "sums"
    for number in range(0, 50, 10):  # sums of sums
        part.with_suffix(f".{number}").write_bytes(subprocess.run(
            [str(build.command()), "report", "--partial", "--no-dns", *map(str, parts[number:number + 10])],
            capture_output=True, check=True, env=os.environ | {"TZ": "UTC"}).stdout)
    assert report("--no-dns", *[part.with_suffix(f".{number}") for number in range(0, 50, 10)]) == whole


@pytest.mark.parametrize("damage", [lambda text: text[:-50], lambda text: text.replace(b'"lines":', b'"lines":-'),
                                    lambda text: text.replace(b'"mxguard_partial":2', b'"mxguard_partial":9'),
                                    lambda text: text.replace(b'"peers":[[', b'"peers":[["x",'),
                                    lambda text: text.replace(b'"domains":[[', b'"domains":[[7,'),
                                    lambda text: text.replace(b'"domains":[["', b'"domains":[["\\u001b[2J'),
                                    lambda text: text.replace(b'"reasons":[["', b'"reasons":[["\\u202e'),
                                    lambda text: text.replace(b'"dates":[[', b'"dates":[[-')])
def test_damaged_partial_results_are_refused(folder, damage):
    part = subprocess.run([str(build.command()), "report", "--partial", "-"], input="".join(forgotten(2)).encode(),
                          capture_output=True, check=True).stdout
    path = folder / "part"
    path.write_bytes(damage(part))
    assert damage(part) != part
    assert report(path, status=66)["decisions"] == 0


def partial(text, *options):
    return subprocess.run([str(build.command()), "report", "--partial", *options, "-"],
                          input=text if isinstance(text, bytes) else text.encode(), capture_output=True, check=True,
                          env=os.environ | {"TZ": "UTC"}).stdout


def test_partial_results_come_by_every_way(folder):
    """From a pipe, packed, and several in one stream, as from a file."""
    lines = forgotten(6)
    logs = ["".join(lines[0::2]), "".join(line.replace(" mail ", " other ") for line in lines[1::2])]
    paths, parts = [folder / "one", folder / "two"], [partial(log) for log in logs]
    for path, log in zip(paths, logs):
        path.write_text(log)
    whole = report("--no-dns", *paths)
    assert report("--no-dns", "-", data=parts[0] + parts[1]) == whole
    (folder / "both").write_bytes(b"".join(parts))
    assert report("--no-dns", folder / "both") == whole
    (folder / "part.gz").write_bytes(gzip.compress(parts[0]))
    (folder / "part.xz").write_bytes(lzma.compress(parts[1]))
    assert report("--no-dns", folder / "part.gz", folder / "part.xz") == whole
    assert report("--no-dns", "-", data=parts[0][:-9], status=66)["decisions"] == 0
    assert report("--no-dns", "-", data=parts[0] + b"x", status=66)["decisions"] == report(paths[0])["decisions"]


def test_what_is_damaged_in_a_log_does_not_damage_a_partial_result(folder):
    """Bytes that no front end writes, times that are none: counted as far as they go, and added up as they were."""
    log = b"".join(bsd(AT + n, words("direct", SPAMMER, rcpt="u@e.example", ident=str(n))).encode() for n in range(4))
    for n, domain in enumerate((b"d\0.example", b"d\0.example", b"\xff\xfe.example", b"d\x1b.example")):
        line = bsd(AT + n, words("direct", SPAMMER, rcpt="u@DOMAIN", sender="SENDER", ident=f"x{n}")).encode()
        log = line.replace(b"DOMAIN", domain).replace(b"SENDER", b"\xe9@b") + log
    log += ("1970-01-01T00:00:01+05:00 mail mxguard[7]: " + words() + "\n").encode()
    log += json.dumps({"MESSAGE": words(ident="late"), "SYSLOG_IDENTIFIER": "mxguard",
                       "__REALTIME_TIMESTAMP": "9" * 18 + "0"}).encode() + b"\n"
    log += bsd(AT, words("direct", SPAMMER, reason="peer\xff")).encode("latin-1")
    (folder / "log").write_bytes(log)
    whole = report("--no-dns", folder / "log")
    assert whole["decisions"] == 10 and whole["unread"] == 1
    assert {d["domain"]: d["decisions"] for d in whole["domains"]} == {"e.example": 4, "(none)": 4, "d.example": 2}
    assert whole["direct_peers"][0]["domains"] == ["(none)", "e.example"]
    assert report("--no-dns", "-", data=partial(log)) == whole


def test_mail_without_a_time_line_is_not_taken_for_none(folder):
    """Partial results count it where --changed, or the history, is given where they are made."""
    lines, changed = forgotten(6), ("--changed", "d.example=2026-11-03")
    halves = ["".join(lines[0::2]), "".join(lines[1::2])]
    whole = report("--no-dns", *changed, "-", data="".join(lines))
    known = b"".join(partial(half, *changed) for half in halves)
    assert report("--no-dns", *changed, "-", data=known)["generations"] == whole["generations"]
    assert whole["generations"][1]["counted"] and whole["generations"][1]["direct_per_day"] > 0
    for some in (partial(halves[0]) + partial(halves[1]), partial(halves[0], *changed) + partial(halves[1])):
        (folder / "merged").write_bytes(partial(some, *changed))
        for data in (some, (folder / "merged").read_bytes()):
            found = report("--no-dns", *changed, "-", data=data)
            assert found["verdicts"] == whole["verdicts"] and len(found["generations"]) == 2
            for line in found["generations"]:
                assert (line["counted"], line["direct_per_day"], line["half_life_days"], line["dry"]) == (False, None, None, None)
                assert line["moved"] == line["stayed"] == line["days"] == [] and line["never_published"] is None
    told = mxguard("report", "--no-dns", *changed, folder / "merged")
    assert told.returncode == 0 and told.stdout.count(b"not counted") == 3 and b"--changed" in told.stdout


def test_partial_results_are_taken_whole(folder):
    """What can no longer be left out is told, once."""
    (folder / "part").write_bytes(partial(bsd(AT, words("direct", SPAMMER))))
    for options, notes in ((), 0), (("--since", "2999-01-01"), 1), (("--domain", "other.example"), 1):
        told = mxguard("report", "--no-dns", *options, folder / "part", folder / "part")
        assert told.returncode == 0 and told.stdout.startswith(b"2 decisions")
        assert told.stderr.count(b"partial results are taken whole") == notes


def test_partial_results_cannot_overflow(folder):
    part = json.loads(partial("".join(forgotten(2))))
    for damage in ({"lines": 2 ** 63 - 1}, {"decisions": 2 ** 53}, {"undated": -1}, {"left_out": "1"}):
        assert report("-", data=json.dumps(part | damage, separators=(",", ":")), status=66)["decisions"] == 0
    part["peers"][0][7] = [f"{0:016x}", f"{1:016x}", True]
    (folder / "part").write_text(json.dumps(part, separators=(",", ":")))
    peers = report("--no-dns", folder / "part", folder / "part")["direct_peers"]
    assert max(peer["recipients"] for peer in peers) == 10 ** 15


@pytest.mark.skipif("MXGUARD_VOLUME" not in os.environ, reason="262,144 hosts: only with MXGUARD_VOLUME")
def test_too_many_hosts_that_all_sent_much(folder):
    """Which of them go is found at once, however much all of them sent."""
    part = json.loads(partial(bsd(AT, words("direct", SPAMMER))))
    hosts = [f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in range(262144)]
    part["peers"] = [[host, 2 ** 52 + n % 7, AT, AT, [0], False, [], [], [], "0" * 16, ""] for n, host in enumerate(hosts)]
    text = json.dumps(part, separators=(",", ":"))
    found = report("--no-dns", "--top", "3", "-", data=text + partial(bsd(AT, words("direct", SPAMMER))).decode())
    assert not found["exact"] and found["direct_peers"][0]["messages"] == 2 ** 52 + 6


def test_hosts_whose_clocks_differ_take_turns():
    """Each line goes back in time: looking for lines that stood there before must not take ever longer."""
    log = [bsd(AT - 90 * (n % 2), words(ident=str(n)), host=f"mail{n % 2}") for n in range(16000)]
    began = os.times().children_user
    found = report("-", data="".join(log))
    assert found["decisions"] == 16000 and found["duplicates"] == 0
    assert os.times().children_user - began < 30


def test_what_cannot_be_read_is_said_and_the_rest_reported(folder):
    path = folder / "log"
    path.write_text(bsd(AT, words()))
    assert report(path, folder / "missing", folder, status=66)["decisions"] == 1


def test_without_newline_and_with_endless_lines(folder):
    path = folder / "log"
    path.write_bytes(b"x" * 3000000 + b"\n" + b"\0" * 70000 + b"\n" + bsd(AT, words()).encode()[:-1])
    found = report(path)
    assert (found["lines"], found["decisions"]) == (3, 1)


def test_csv_is_inert():
    data = bsd(AT, words(rcpt='u@=cmd"|.example'))
    result = subprocess.run([str(build.command()), "report", "--csv", "-"], input=data.encode(), capture_output=True)
    head, row = result.stdout.decode().splitlines()
    assert head == "domain,decisions,authorized,direct,unknown,ready,blockers"
    assert row == '"\'=cmd""|.example",1,1,0,0,yes,""'


def test_for_people_nothing_of_outside_reaches_the_terminal():
    data = bsd(AT, words("direct", SPAMMER, rcpt="u@d.\x1b[31mexample", sender="\x9b\x07"))
    result = subprocess.run([str(build.command()), "report", "-"], input=data.encode(), capture_output=True)
    assert b"\x1b" not in result.stdout and b"\x07" not in result.stdout and b"1 decision in 1 line\n" in result.stdout


def unread(pipe) -> int:
    """How much of what was written into it nobody has read yet."""
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)


def sleeps(pid: int) -> bool:
    """All its threads wait for something."""
    return all(b") S " in stat.read_bytes() for stat in pathlib.Path(f"/proc/{pid}/task").glob("*/stat"))


def has_read(pid: int, path: pathlib.Path) -> bool:
    """It has the file open, and has come to its end."""
    wanted = path.stat()
    for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            if fd.stat().st_ino == wanted.st_ino and fd.stat().st_dev == wanted.st_dev:
                at = re.search(r"pos:\s+(\d+)", pathlib.Path(f"/proc/{pid}/fdinfo/{fd.name}").read_text())
                return int(at[1]) == wanted.st_size
    return False


def test_interrupted_it_prints_what_is_known(folder):
    os.mkfifo(folder / "log")
    process = subprocess.Popen([str(build.command()), "report", "--json", str(folder / "log")], stdout=subprocess.PIPE)
    with open(folder / "log", "wb") as log:
        log.write("".join(forgotten(3)).encode())
        log.flush()
        wait_until(lambda: not unread(log) and sleeps(process.pid), "it has read all and waits for more")
        process.send_signal(signal.SIGINT)
        wait_until(lambda: process.poll() is not None, "it ends, though more may come")
    found = json.loads(process.communicate(timeout=PATIENCE)[0])
    assert found["interrupted"] and found["decisions"] > 0


def test_follow_reads_on(folder):
    path = folder / "log"
    path.write_text(bsd(AT, words()))
    process = subprocess.Popen([str(build.command()), "report", "--follow", "--json", str(path)], stdout=subprocess.PIPE)

    def wait_for(log: pathlib.Path) -> None:
        wait_until(lambda: has_read(process.pid, log), f"{log} is read")
    wait_for(path)
    with open(path, "a") as log:
        log.write(bsd(AT + 1, words(ident="B"))[:60])
        log.flush()
        wait_for(path)
        log.write(bsd(AT + 1, words(ident="B"))[60:])
    wait_for(path)
    with open(path, "a") as old:
        os.rename(path, folder / "log.1")
        path.write_text(bsd(AT + 2, words(ident="C")))
        wait_for(path)
        old.write(bsd(AT + 2, words(ident="D")))  # by whoever has not been told to open it anew
    wait_for(folder / "log.1")
    process.send_signal(signal.SIGINT)
    assert json.loads(process.communicate(timeout=PATIENCE)[0])["decisions"] == 4


def test_follow_refuses_what_is_no_log_that_grows(folder):
    """Another result of --partial, or of journalctl, does not grow by lines."""
    (folder / "part").write_bytes(partial(bsd(AT, words())))
    (folder / "export").write_bytes(exported(mxguard=words()))
    (folder / "log.gz").write_bytes(gzip.compress(bsd(AT, words()).encode()))
    (folder / "log").write_text(bsd(AT, words()))
    for name, why in (("part", b"is what --partial has written"), ("export", b"is an export of the journal"),
                      ("log.gz", b"is packed"), (".", b"is a folder"), ("-", b"is standard input")):
        path = name if name == "-" else folder / name
        told = mxguard("report", "--follow", folder / "log", path)
        assert told.returncode == 64 and told.stdout == b"" and why in told.stderr, told


# ---- journalctl -o export ----------------------------------------------------------------------------


def field(name, value):
    data = value if isinstance(value, bytes) else value.encode()
    if b"\n" in data:
        return name.encode() + b"\n" + struct.pack("<Q", len(data)) + data + b"\n"
    return name.encode() + b"=" + data + b"\n"


def exported(*more, at=AT, **messages):
    """An entry for each message, by its identifier."""
    return b"".join(
        b"".join([field("__CURSOR", f"s={n}"), field("__REALTIME_TIMESTAMP", f"{at + n}123456"), field("_HOSTNAME", "mail"),
                  field("MESSAGE", message), field("PRIORITY", "6"), field("SYSLOG_IDENTIFIER", program), *more, b"\n"])
        for n, (program, message) in enumerate(messages.items()))


def test_an_export_of_the_journal(folder):
    """As any other log: from a file, packed, or a pipe, and with fields that hold anything at all."""
    nasty = field("COREDUMP", os.urandom(300000) + b"\n\n__CURSOR=x\nMESSAGE=" + words(ident="C").encode() + b"\n\n")
    data = exported(nasty, field("EMPTY", ""), mxguard=words("direct", SPAMMER)) + exported(mxguard=words(ident="B"), sshd=words())
    for given in (folder / "export", folder / "export.xz", "-"):
        if given != "-":
            given.write_bytes(lzma.compress(data) if given.suffix else data)
        found = report("--no-dns", given, data=data if given == "-" else None)
        assert (found["lines"], found["decisions"], found["unread"]) == (3, 2, 0)
        assert found["verdicts"] == {"authorized": 1, "direct": 1}
        assert found["from"] == found["to"] == time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(AT))


@pytest.mark.parametrize("field_of", [
    lambda: field("MESSAGE", words(ident="two")), lambda: field("SYSLOG_IDENTIFIER", "mxguard\nmxguard"),
    lambda: field("MESSAGE", words() + "\n" + words(ident="two") + "x" * 70000)])
def test_fields_of_an_export_that_cannot_be_believed(field_of):
    """Twice, of two lines, or too long: such an entry is none of ours."""
    head = field("__CURSOR", "s=1") + field("__REALTIME_TIMESTAMP", f"{AT}000000")
    own = b"" if field_of().startswith(b"SYSLOG") else field("SYSLOG_IDENTIFIER", "mxguard")
    first = b"" if b"xxxxxx" in field_of() else field("MESSAGE", words())
    found = report("-", data=head + own + first + field_of() + b"\n" + exported(mxguard=words(ident="B")))
    assert (found["lines"], found["decisions"]) == (2, 1)


@pytest.mark.parametrize("cut", ["in a length", "in bytes", "behind bytes", "in a name", "in a line"])
def test_an_export_that_is_cut(cut):
    """What stands before counts, and it is told."""
    whole = exported(mxguard=words())
    more = {"in a length": b"X\n\x05\0\0", "in bytes": b"X\n" + struct.pack("<Q", 2 ** 63) + b"abc",
            "behind bytes": b"X\n" + struct.pack("<Q", 3) + b"abcdef\n", "in a name": b"MESSA", "in a line": b"MESSAGE=mxg"}[cut]
    found = report("-", data=whole + b"__CURSOR=s=2\n" + more, status=66)
    assert found["decisions"] == 1


JOURNAL = """set -e
mount -t tmpfs none /run
mkdir -p /run/systemd/journal /run/systemd/journald.conf.d /run/log/journal
printf '[Journal]\\nReadKMsg=no\\nStorage=volatile\\n' > /run/systemd/journald.conf.d/here.conf
# Without control groups newer ones do not start.
[ -d /sys/fs/cgroup ] || { mount -t tmpfs none /sys; mkdir -p /sys/fs/cgroup; }
[ -n "$(ls /sys/fs/cgroup)" ] || mount -t cgroup2 none /sys/fs/cgroup
"$1" & daemon=$!
trap 'kill $daemon' EXIT
"$2" -c "$3"
for turn in $(seq 300); do
    journalctl -D /run/log/journal -o cat 2>&1 | grep -q '^the last one' && break
    sleep 0.1
done
journalctl --no-pager -q -D /run/log/journal -o export
"""
SENDER = """
import ast, pathlib, socket, struct, sys, time
path = "/run/systemd/journal/socket"
for turn in range(600):
    if pathlib.Path(path).exists():
        break
    time.sleep(0.05)
to = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
to.connect(path)
for program, message in {messages!r}:
    data = message.encode()
    to.send(b"SYSLOG_IDENTIFIER=" + program.encode() + b"\\nMESSAGE\\n" + struct.pack("<Q", len(data)) + data + b"\\n")
"""


def test_what_journald_and_journalctl_write(root):
    """The real ones, in a namespace: the same is counted as from its lines of JSON."""
    journald = "/lib/systemd/systemd-journald"
    if not os.path.exists(journald) or shutil.which("journalctl") is None:
        pytest.skip("systemd is not installed")
    messages = [("mxguard", words("direct", SPAMMER)), ("mxguard", words(ident="B")), ("sshd", words(ident="C")),
                ("mxguard", "two\nlines"), ("mxguard", f"two lines\n{words(ident='D')}"), ("dovecot", "lmtp(7): Info: " + words(ident="E")),
                ("mxguard", "the last one")]
    sender = SENDER.format(messages=messages)
    told = run(["unshare", "-m", "--propagation", "private", "bash", "-c", JOURNAL, "bash", journald, sys.executable, sender])
    assert told.returncode == 0, told
    found = report("--no-dns", "-", data=told.stdout)
    assert found["verdicts"] == {"authorized": 2, "direct": 1} and found["unread"] == 0, told.stdout
    assert abs(calendar.timegm(time.strptime(found["to"], "%Y-%m-%dT%H:%M:%SZ")) - time.time()) < 3600


def test_usage():
    assert subprocess.run([str(build.command()), "report", "--follow", *["x"] * 65], capture_output=True).returncode == 64
    for arguments in ([], ["--json", "--csv", "x"], ["--since", "tomorrow", "x"], ["--changed", "d.example", "x"]):
        assert mxguard("report", *arguments).returncode == 64
    assert mxguard("report", "-c", "/nonexistent.conf", "-", data=b"").returncode == 78


def test_lines_of_real_front_ends(site, folder):
    """The policy service and check's library write them; here by the policy service on stderr."""
    log = folder / "log"
    with open(log, "wb") as to:
        process = subprocess.Popen([str(build.command()), "policy", "-c", str(site.config)], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=to)
        for peer in ("192.0.2.10", SPAMMER):
            process.stdin.write(f"request=smtpd_access_policy\nprotocol_state=RCPT\nclient_address={peer}\n"
                                f"helo_name=x\nsender=a@b.example\nrecipient=u@example.test\ninstance=1.{peer}\n\n".encode())
            process.stdin.flush()
            process.stdout.readline()
            process.stdout.readline()
        process.stdin.close()
        process.wait(60)
    found = report(log)
    if found["decisions"] == 0:
        pytest.fail(log.read_text())
    assert found["verdicts"] == {"authorized": 1, "direct": 1} and found["unread"] == 0
