# SPDX-License-Identifier: MIT
"""mxguard smtpd-filter, spoken to as smtpd does, in each version of the protocol; and as no smtpd does."""
import pathlib
import shutil
import signal
import subprocess

import pytest

from mxg.dns_script import answer, delayed, servfail, timeout
from mxg.process import wait_for_text, wait_until
from mxg.smtpd_filter import Filter
from mxg.trap import Trap
from test_dovecot_rcpt import GATEWAY, SPAMMER, USER, policy

SHARED = {"name": "shared", "allow": "ip4:198.51.100.0/24",
          "header": {"name": "X-Gateway-Token", "value": "s3cret"}}
SESSION, OTHER = "7641df9771b4ed00", "7641df9771b4ed01"
MESSAGE = [b"From: a@b.example", b"Subject: folded", b"\tline", b"", b"..dot", b"body | with bars"]
OWN = [b"Received: from client.example (rdns.example [%s])", b"\tby mail.example.test (OpenSMTPD) with ESMTP id 435d9873",
       b"\tfor <user@example.test>;", b"\tMon, 23 Nov 2026 10:00:01 +0000 (UTC)"]
FORGED = b"Authentication-Results: mxguard.example.test; x-mxguard=pass"


@pytest.fixture
def filtering(folder, mxguard_config, stack):
    def start(settings=None, version="0.7", *options):
        path = mxguard_config(settings or policy(gateways=[{"name": "own", "allow": f"ip4:{GATEWAY}"}, SHARED]))
        found = stack.enter_context(Filter(path, folder / "filter.log", version, *options))
        found.policy = path
        return found
    return start


def begin(door, address, sender="a@b.example", session=SESSION):
    door.connect(session, address)
    door.mail(session, sender)


def test_asks_for_no_more_than_it_needs(filtering):
    wanted = {line.rpartition(b"|")[2] for line in filtering().registered}
    assert {b"link-connect", b"rcpt-to", b"data-line", b"commit"} <= wanted
    assert not {b"protocol-client", b"connect", b"helo", b"auth"} & wanted


@pytest.mark.parametrize("version", ["0.4", "0.5", "0.6", "0.7"])
def test_refused_at_rcpt_in_each_version(filtering, version, folder):
    door = filtering(policy(exempt=["postmaster@"]), version)
    begin(door, SPAMMER)
    assert door.rcpt(SESSION, USER).startswith(b"reject|550 5.7.1 Refused: 203.0.113.66 is not an authorized")
    assert door.rcpt(SESSION, "postmaster@example.test") == b"proceed"
    begin(door, GATEWAY, session=OTHER)
    assert door.rcpt(OTHER, USER) == b"proceed"
    line = wait_for_text((folder / "filter.log").read_text, rf"verdict=direct.*rcpt=<{USER}>.*")[0]
    assert "from=<a@b.example>" in line and "id=<deadbeef>" in line and f"peer={SPAMMER}" in line


@pytest.mark.parametrize("version", ["0.6", "0.7"])
def test_login_with_a_bar(filtering, version):
    door = filtering(None, version)
    door.connect(SESSION, SPAMMER)
    door.report("link-auth", SESSION, *(["fail", "x|pass"] if version == "0.7" else ["x|pass", "fail"]))
    door.mail(SESSION, "a@b.example")
    assert door.rcpt(SESSION, USER).startswith(b"reject|550")
    door.report("link-auth", SESSION, *(["pass", "a|b"] if version == "0.7" else ["a|b", "pass"]))
    door.report("tx-reset", SESSION, "deadbeef")
    door.mail(SESSION, "a@b.example")
    assert door.rcpt(SESSION, USER) == b"proceed"


def test_addresses(filtering):
    door = filtering(policy(gateways=[{"name": "own", "allow": "ip6:2001:db8:25::/48"}]))
    begin(door, "2001:db8:25::7")
    assert door.rcpt(SESSION, USER) == b"proceed"
    begin(door, "2001:db8:26::7", session=OTHER)
    assert door.rcpt(OTHER, USER).startswith(b"reject|550")
    begin(door, "nonsense", session=OTHER)
    assert door.rcpt(OTHER, USER).startswith(b"reject|451")
    begin(door, "unix:/var/run/smtpd.sock", session=OTHER)
    assert door.rcpt(OTHER, USER) == b"proceed"  # the header tells


@pytest.mark.parametrize("name", [f"x|pass|{GATEWAY}:1|192.0.2.1:25", "x|pass|local|", "x|pass|unix:/y|z", "|||"])
def test_a_reverse_name_with_bars(filtering, name):
    """The reverse name is the client's to choose: it writes no field of smtpd's line by it."""
    door = filtering()
    door.report("link-connect", SESSION, name, "pass", "203.0.113.66:40000", "192.0.2.1:25")
    door.report("link-identify", SESSION, "EHLO", "client.example")
    door.mail(SESSION, "a@b.example")
    assert door.rcpt(SESSION, USER).startswith(b"reject|451 ")
    assert "said what cannot be read" in door.log_path.read_text()


def test_message_passes_byte_for_byte_without_the_forged(filtering):
    door = filtering(policy(tag="always"))
    begin(door, GATEWAY)
    assert door.rcpt(SESSION, USER) == b"proceed"
    odd = [b"Subject: a\rb", b"X-8: \xff\xfe", FORGED, b"\tcontinued", b"..Folded-with-dot: x", b"", b"\xff", b"."[:0], b"...", b" ."]
    found = door.data(SESSION, odd)
    assert found[0].startswith(b"Authentication-Results: mxguard.example.test;") and b"x-mxguard=pass" in found[1]
    assert found[-8:] == [line for line in odd if line not in (FORGED, b"\tcontinued")]
    assert not any(FORGED == line for line in found)
    assert door.commit(SESSION) == b"proceed"


@pytest.mark.parametrize("line_break", [b"\r", b"\v", b"\xc2\x85", b"\xe2\x80\xa8"])
def test_a_hidden_field_stays_within_the_one_around_it(filtering, line_break):
    door = filtering()
    begin(door, GATEWAY)
    assert door.rcpt(SESSION, USER) == b"proceed"
    found = door.data(SESSION, [b"X-A: b", b"..Subject: a" + line_break + FORGED, b"\tand" + line_break + FORGED, b"",
                                b"x" + line_break + FORGED])
    assert found == [b"X-A: b", b"..Subject: a" + FORGED, b"\tand" + FORGED, b"", b"x" + line_break + FORGED]
    assert door.commit(SESSION) == b"proceed"


def test_refused_by_its_header_at_the_end(filtering):
    door = filtering()
    for token, expected in ((b"s3cret", b"proceed"), (b"guess", b"reject|550 5.7.1 ")):
        begin(door, "198.51.100.5")
        assert door.rcpt(SESSION, USER) == b"proceed"
        found = door.data(SESSION, [b"X-Gateway-Token: " + token, *MESSAGE])
        assert found == (MESSAGE if expected == b"proceed" else [])
        assert door.commit(SESSION).startswith(expected)
        door.report("tx-commit" if expected == b"proceed" else "tx-rollback", SESSION, "deadbeef", "100")


def test_put_aside_by_a_field_that_smtpd_knows(filtering):
    door = filtering(policy(on_direct="quarantine"))
    begin(door, SPAMMER)
    assert door.rcpt(SESSION, USER) == b"proceed"
    found = door.data(SESSION, MESSAGE)
    assert found[0] == b"X-Spam: yes" and found[-len(MESSAGE):] == MESSAGE
    assert door.commit(SESSION) == b"proceed"


def test_whom_smtpd_refuses_has_no_say(filtering):
    door = filtering(policy(gateways=[SHARED], exempt=["postmaster@"]))
    begin(door, "198.51.100.5")
    assert door.rcpt(SESSION, USER) == door.rcpt(SESSION, "postmaster@example.test") == b"proceed"
    door.report("tx-rcpt", SESSION, "deadbeef", "permfail", "postmaster@example.test")
    door.data(SESSION, MESSAGE)
    assert door.commit(SESSION).startswith(b"reject|550")


def test_a_recipient_that_we_were_not_asked_for_takes_no_other_away(filtering):
    door = filtering(policy(gateways=[SHARED], exempt=["postmaster@"]))
    begin(door, "198.51.100.5")
    assert door.rcpt(SESSION, USER) == b"proceed"
    door.report("tx-rcpt", SESSION, "deadbeef", "ok", USER)
    door.report("tx-rcpt", SESSION, "deadbeef", "permfail", "nobody@@")
    assert door.data(SESSION, MESSAGE) == []
    assert door.commit(SESSION).startswith(b"reject|550")


def test_a_message_without_a_recipient_is_not_taken(filtering):
    door = filtering()
    begin(door, GATEWAY)
    assert door.rcpt(SESSION, USER) == b"proceed"
    door.report("tx-rcpt", SESSION, "deadbeef", "permfail", USER)
    assert door.data(SESSION, MESSAGE) == []
    assert door.commit(SESSION).startswith(b"reject|451")


def test_sessions_do_not_wait_for_each_other(filtering, scripted_dns):
    """One of them asks a silent DNS, the others go on; then it is deferred."""
    scripted_dns.set("slow.test", "MX", timeout())
    scripted_dns.set("slower.test", "MX", timeout())
    door = filtering(policy(gateways=[{"name": "own", "allow": f"ip4:{GATEWAY}"}], policies=(
        {"domains": ["slow.test", "slower.test"], "gateways": [{"name": "mx", "allow": "mx"}]},),
        dns={"timeout": "2s", "servers": [scripted_dns.server]}))
    begin(door, SPAMMER)
    door.request("rcpt-to", SESSION, "aa", b"x@slow.test")
    for number in range(20):
        session = f"{number:016x}"
        begin(door, GATEWAY, session=session)
        assert door.rcpt(session, USER) == b"proceed"
        assert door.data(session, MESSAGE) == MESSAGE and door.commit(session) == b"proceed"
    assert door.answer("filter-result", SESSION, "aa").startswith(b"reject|451 4.4.3")
    door.request("rcpt-to", SESSION, "ab", b"x@slower.test")
    door.report("link-disconnect", SESSION)  # gone while it waits
    begin(door, GATEWAY, session=OTHER)
    assert door.rcpt(OTHER, USER) == b"proceed"
    assert door.silent(2.5)


def test_lines_come_while_dns_is_asked(filtering, scripted_dns):
    """Behind a relay the header tells, and DNS answers slowly: lines are kept, in order, and no more than that."""
    scripted_dns.set("example.test", "MX", delayed(1, servfail()))
    door = filtering(policy(gateways=[{"name": "mx", "allow": "mx"}], internal=["10.0.0.0/8"], domains=["example.test"],
                            on_unknown="tag", dns={"timeout": "100s", "servers": [scripted_dns.server]},
                            trace={"mta": ["postfix", "opensmtpd"], "by": ["relay.example.com", "mail.example.test"]}))
    received = [OWN[0] % b"10.0.0.5", *OWN[1:], b"Received: from x (x [203.0.113.66]) by relay.example.com (Postfix) with ESMTP id 4X1;",
                b"\tMon, 23 Nov 2026 10:00:00 +0000"]
    begin(door, "10.0.0.5")
    assert door.rcpt(SESSION, USER) == b"proceed"
    found = door.data(SESSION, [*received, *MESSAGE, *[b"line %d" % number for number in range(2000)]])
    assert found[0].startswith(b"Authentication-Results: ") and found[-1] == b"line 1999"
    assert b'\tx-mxguard=temperror reason="dns-servfail"' in found and b'\tpolicy.peer="203.0.113.66"' in found
    assert [line for line in found if line.startswith(b"line ")] == [b"line %d" % number for number in range(2000)]
    assert door.commit(SESSION) == b"proceed"
    door.report("tx-commit", SESSION, "deadbeef", "1")
    scripted_dns.set("example.test", "MX", timeout())
    door.mail(SESSION, "a@b.example")
    assert door.rcpt(SESSION, "b@example.test") == b"proceed"
    assert door.data(SESSION, [*received, *MESSAGE, *[b"x" * 60_000] * 100]) == []  # 6 MB while it waits
    assert door.commit(SESSION).startswith(b"reject|451 4.3.1")


# Hostile and strange

def test_header_of_any_size(filtering):
    door = filtering()
    begin(door, GATEWAY)
    for header, expected in (([b"X-%d: y" % number for number in range(10_000)], b"proceed"),
                             ([b"X: " + b"y" * 1000] * 262, b"proceed"),
                             ([b"X: " + b"y" * 60_000] * 4, b"proceed"),
                             ([b"X: " + b"y" * 1000] * 1100, b"reject|552 5.3.4")):
        door.mail(SESSION, "a@b.example")
        assert door.rcpt(SESSION, USER) == b"proceed"
        found = door.data(SESSION, [*header, *MESSAGE])
        assert door.commit(SESSION).startswith(expected)
        assert found == ([*header, *MESSAGE] if expected == b"proceed" else [])
        door.report("tx-commit", SESSION, "deadbeef", "1")


def test_many_fields_of_ours_are_refused(filtering):
    door = filtering()
    begin(door, GATEWAY)
    assert door.rcpt(SESSION, USER) == b"proceed"
    lines = [line for number in range(1100) for line in (FORGED, b"X: y")]
    assert door.data(SESSION, [*lines, *MESSAGE]) == []
    assert door.commit(SESSION).startswith(b"reject|550 5.6.0")


STRANGE = [b"", b"|", b"nonsense", b"filter", b"report|0.7", b"report|x|1|smtp-in|link-connect|zz|a|b|c|d",
           b"config", b"config|unheard-of|1", b"report|0.7|1|smtp-out|link-connect|aa|a|b|c|d",
           b"filter|0.7|1|smtp-in|brandnew|%s|aa|x" % SESSION.encode(), b"report|0.7|1|smtp-in|brandnew|%s|x" % SESSION.encode(),
           b"filter|0.7|1|smtp-in|rcpt-to|%s" % SESSION.encode(), b"\xff" * 300, b"report|0.7|1|smtp-in|tx-mail|%s" % b"a" * 40]


def test_lines_that_no_smtpd_says(filtering, folder):
    """They are told and stepped over; nobody is let in by them."""
    door = filtering()
    door.say(*STRANGE)
    begin(door, SPAMMER, session=OTHER)
    assert door.rcpt(OTHER, USER).startswith(b"reject|550")
    assert "what cannot be read" in (folder / "filter.log").read_text()


def test_a_request_that_cannot_be_read_is_refused(filtering):
    door = filtering()
    begin(door, GATEWAY)
    door.say(f"filter|0.7|1|smtp-in|rcpt-to|{SESSION}|aa".encode())  # no recipient
    assert door.answer("filter-result", SESSION, "aa").startswith(b"reject|451")
    assert door.rcpt(SESSION, USER).startswith(b"reject|451")  # nobody knows the session any more
    assert door.rcpt("1234", USER).startswith(b"reject|451")  # nobody ever did
    assert door.data("1234", MESSAGE) == [] and door.commit("1234").startswith(b"reject|451")


def test_a_line_without_an_end(filtering):
    door = filtering()
    begin(door, GATEWAY)
    assert door.rcpt(SESSION, USER) == b"proceed"
    door.request("data-line", SESSION, "2ef1c203cc576e5d", b"X: " + b"y" * 600_000)
    begin(door, GATEWAY, session=OTHER)
    assert door.rcpt(OTHER, USER) == b"proceed"
    door.request("data-line", SESSION, "2ef1c203cc576e5d", b".")
    assert door.answer("filter-dataline", SESSION, "2ef1c203cc576e5d") == b"."
    assert door.commit(SESSION).startswith(b"reject|451")


def test_smtpd_that_does_not_read(filtering):
    """What is said is kept, in bounds, and nothing is lost when smtpd reads again."""
    door = filtering()
    begin(door, GATEWAY)
    assert door.rcpt(SESSION, USER) == b"proceed"
    door.request("data-line", SESSION, "aa", b"")
    lines = [b"%06d " % number + b"z" * 900 for number in range(3000)]
    for each in lines:
        door.request("data-line", SESSION, "aa", each)
    assert door.answer("filter-dataline", SESSION, "aa") == b""
    assert [door.answer("filter-dataline", SESSION, "aa") for _ in lines] == lines


def test_configuration(filtering, folder):
    """SIGHUP takes a new one; a wrong one leaves the old in force."""
    door = filtering(policy())
    log = (folder / "filter.log").read_text
    door.policy.write_text(door.policy.read_text() + "nonsense = 1;\n")
    door.process.send_signal(signal.SIGHUP)
    wait_for_text(log, "nonsense")
    begin(door, SPAMMER)
    assert door.rcpt(SESSION, USER).startswith(b"reject|550")
    door.policy.write_text(door.policy.read_text().replace("nonsense = 1;\n", "").replace('"enforce"', '"monitor"'))
    door.process.send_signal(signal.SIGHUP)
    wait_for_text(log, "configuration was (read|reload)|reloaded")
    begin(door, SPAMMER, session=OTHER)
    assert door.rcpt(OTHER, USER) == b"proceed"
    door.process.stdin.close()
    wait_until(lambda: door.process.poll() is not None, "it ends with smtpd")
    assert door.process.returncode == 0


def test_trap(filtering, folder):
    trap = Trap(folder / "trap")
    door = filtering(policy(trap=trap.settings()))
    begin(door, SPAMMER)
    assert door.rcpt(SESSION, USER) == b"proceed"
    assert door.data(SESSION, [OWN[0] % SPAMMER.encode(), *OWN[1:], *MESSAGE]) == []
    assert door.commit(SESSION).startswith(b"reject|550 5.7.1")
    undotted = [line[1:] if line.startswith(b".") else line for line in MESSAGE]
    wait_until(trap.files, "a copy")
    assert trap.originals() == [b"".join(line + b"\r\n" for line in undotted)]
    door.report("tx-rollback", SESSION, "deadbeef")
    trap.path.chmod(0o755)
    door.mail(SESSION, "a@b.example")
    assert door.rcpt(SESSION, USER) == b"proceed" and door.data(SESSION, MESSAGE) == []
    assert door.commit(SESSION).startswith(b"reject|550 5.7.1")
    door.report("tx-rollback", SESSION, "deadbeef")
    wait_for_text((folder / "filter.log").read_text, "trap: no copy is kept: .* has mode 0755")
    trap.path.chmod(0o700)
    door.mail(SESSION, "a@b.example")
    assert door.rcpt(SESSION, USER) == b"proceed"
    door.request("data-line", SESSION, "aa", b"Subject: half")
    door.request("data-line", SESSION, "aa", b"")
    door.report("link-disconnect", SESSION)
    begin(door, SPAMMER, session=OTHER)
    assert door.rcpt(OTHER, USER) == b"proceed"
    assert len(trap.files()) == 1 and not trap.files("tmp")


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed: script/install test")
def test_the_thread_that_answers_never_waits_for_the_trap_s_disk(filtering, folder):
    """Another one opens, locks and writes there."""
    trap = Trap(folder / "trap")
    door = filtering(policy(trap=trap.settings()))
    begin(door, SPAMMER)
    main, calls = door.process.pid, folder / "calls"
    with subprocess.Popen(["strace", "-f", "-qq", "-e", "trace=fdatasync,flock,linkat,mkdirat", "-o", calls, "-p", str(main)]) as strace:
        wait_until(lambda: "TracerPid:\t0" not in pathlib.Path(f"/proc/{main}/status").read_text(), "it is watched")
        assert door.rcpt(SESSION, USER) == b"proceed"
        assert door.data(SESSION, MESSAGE) == []
        assert door.commit(SESSION).startswith(b"reject|550 5.7.1")
        wait_until(trap.files, "a copy")
        strace.terminate()
    lines = calls.read_text().splitlines()
    assert {"fdatasync", "flock", "linkat", "mkdirat"} <= {line.split()[1].partition("(")[0] for line in lines}
    assert str(main) not in {line.split()[0] for line in lines}
