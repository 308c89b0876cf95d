# SPDX-License-Identifier: MIT
"""mxguard smtpd-filter under a real OpenSMTPD: refused at RCPT and at the message's end, and otherwise byte
for byte; what happens when DNS, the client or the filter itself fails."""
import contextlib
import json
import os
import pathlib
import re
import select
import shutil
import signal
import threading

import pytest

from mxg import build, smtp
from mxg.dns_script import ScriptedDns, answer, held, servfail
from mxg.mxguard import mxguard
from mxg.process import wait_until
from mxg.trap import Trap
from test_dovecot_rcpt import GATEWAY, SPAMMER, USER, policy
from test_smtpd_filter import SHARED

SMTP = ("192.0.2.1", 25)
PEOPLE = f'table people {{ "{USER}" = nobody, "b@example.test" = nobody }}\n'
FORGED = "Authentication-Results: mxguard.example.test; x-mxguard=pass\n"


@pytest.fixture
def door(opensmtpd, mxguard_config, folder):
    """door(settings) -> OpenSMTPD with the filter; what it delivers is door.stored()."""
    box = folder / "box"
    box.mkdir()
    shutil.chown(box, "nobody", "nogroup")

    def start(settings=None, options="", action="", **more):
        path = mxguard_config(settings or policy(gateways=[{"name": "own", "allow": f"ip4:{GATEWAY}"}, SHARED]))
        running = opensmtpd(action=(action or f'maildir "{box}"') + " virtual <people> user nobody", listen=(
            '192.0.2.1 filter "mxguard"', "127.0.0.1"), before=PEOPLE
            + f'filter "mxguard" proc-exec "{build.command()} smtpd-filter -c {path} {options}" user root group root\n', **more)
        running.policy = path
        return running
    start.box = box
    start.stored = lambda: [path.read_bytes() for path in sorted(box.glob("new/*"), key=os.path.getmtime)]
    return start


def deliver(recipients=USER, content=None, source=SPAMMER, **more):
    return smtp.deliver(SMTP, recipients, *([] if content is None else [content]), source=source, lmtp=False, **more)


def stored(door, count=1):
    wait_until(lambda: len(door.stored()) == count, "it is delivered")
    return door.stored()


def test_at_rcpt_and_at_the_end(door):
    running = door()
    assert deliver().rcpt[USER].enhanced == "5.7.1"
    right = smtp.message(header="X-Gateway-Token: s3cret\n" + FORGED, body="a\n.dot\n..two\n\xff\n")
    wrong = smtp.message(header="X-Gateway-Token: guess\n")
    done = deliver(content=wrong, source="198.51.100.5")
    assert done.rcpt[USER].ok and done.final(USER).code == 550 and done.final(USER).enhanced == "5.7.1"
    assert deliver(content=right, source="198.51.100.5").final(USER).ok
    assert deliver(content=right, source=GATEWAY).final(USER).ok
    for message in stored(door, 2):
        assert b"X-Gateway-Token" not in message and b"x-mxguard=pass" not in message
        assert message.endswith(b"\na\n.dot\n..two\n\xff\n") or message.endswith("\na\n.dot\n..two\n\xff\n".encode())
    assert re.search(r"mxguard: verdict=direct.*reason=peer-not-a-gateway", running.log())


def test_report_reads_what_smtpd_logs_of_it(door):
    """smtpd writes what its filter says on standard error into its own log, behind the filter's name."""
    running = door()
    assert deliver().rcpt[USER].enhanced == "5.7.1"
    assert deliver(source=GATEWAY).final(USER).ok
    said = running.wait_log("verdict=authorized") or running.log()
    log = "".join(f"Nov 28 10:11:12 mail smtpd[77]: {line}\n" for line in running.log().splitlines())
    result = mxguard("report", "--json", "-", data=log.encode())
    assert json.loads(result.stdout)["verdicts"] == {"authorized": 1, "direct": 1}, said


def test_a_recipient_that_nobody_can_read_takes_no_other_away(door):
    """smtpd refuses it without asking us, and tells us only that."""
    door()
    with smtp.Client(SMTP, source="198.51.100.5", lmtp=False) as client:
        client.greet()
        client.mail("a@b.example")
        assert client.rcpt(USER).ok
        assert client.command("RCPT TO:<nobody@@>").code == 501
        (reply,) = set(client.data(smtp.message(header="X-Gateway-Token: guess\n")).values())
        assert reply.code == 550 and reply.enhanced == "5.7.1"
    assert not door.stored()


def test_several_recipients_and_transactions(door):
    door(policy(policies=({"domains": ["sender.example"], "mode": "off"},)))
    with smtp.Client(SMTP, source=SPAMMER, lmtp=False) as client:
        client.greet()
        for _ in range(3):
            client.mail("a@b.example")
            assert client.rcpt(USER).code == 550 and client.rcpt("b@example.test").code == 550
            assert client.rcpt("x@sender.example").ok
            client.command("RSET")
    with smtp.Client(SMTP, source=GATEWAY, lmtp=False) as client:
        client.greet()
        for _ in range(3):
            client.mail("a@b.example")
            assert client.rcpt(USER).ok and client.rcpt("b@example.test").ok
            assert all(reply.ok for reply in client.data(smtp.message()).values())
    stored(door, 6)


def test_junk(door):
    door(policy(on_direct="quarantine"))
    assert deliver().final(USER).ok
    (message,) = stored(door)
    assert b"\nX-Spam: yes\n" in message and b"x-mxguard=fail" in message


def test_slow_dns_holds_up_one_and_not_the_others(door, scripted_dns):
    answered = threading.Event()
    scripted_dns.set("example.test", "MX", held(answered, servfail()))
    door(policy(gateways=[{"name": "mx", "allow": f"mx ip4:{GATEWAY}"}],
                dns={"timeout": "100s", "servers": [scripted_dns.server]}))
    with smtp.Client(SMTP, source=SPAMMER, lmtp=False) as slow:
        slow.greet()
        slow.mail("a@b.example")
        slow.line(f"RCPT TO:<{USER}>")
        wait_until(scripted_dns.asked, "the question is out")
        assert deliver(source=GATEWAY).final(USER).ok
        assert not select.select([slow.sock], [], [], 0)[0]
        answered.set()
        reply = slow.reply()
        assert reply.code == 451 and reply.enhanced == "4.4.3"


@pytest.mark.parametrize("header", ["many", "long", "huge"])
def test_large_headers(door, header):
    door()
    text = {"many": "".join(f"X-{number}: y\n" for number in range(10_000)),
            "long": ("X: " + "y" * 900 + "\n") * 290, "huge": ("X: " + "y" * 900 + "\n") * 1200}[header]
    done = deliver(content=smtp.message(header=text, body="end\n"), source=GATEWAY)
    if header == "huge":
        assert done.final(USER).code in (552, 550)
    else:
        assert done.final(USER).ok
        assert stored(door)[0].endswith((text + "\nend\n").encode()) or text.encode() in stored(door)[0]


def test_nul_and_bare_cr(door):
    """smtpd itself has a say in these; what is delivered has no forged field, and the filter goes on."""
    door()
    for body in (b"Subject: a\0b\r\n\r\nx\r\n.\r\n", b"Subject: a\rAuthentication-Results: mxguard.example.test; "
                 b"x-mxguard=pass\r\n\r\nx\r\n.\r\n"):
        with contextlib.suppress(smtp.Closed), smtp.Client(SMTP, source=GATEWAY, lmtp=False) as client:
            client.greet()
            client.mail("a@b.example")
            assert client.rcpt(USER).ok
            client.line("DATA")
            client.reply()
            client.send(body)
            client.reply()
    assert deliver().rcpt[USER].code == 550
    assert deliver(source=GATEWAY).final(USER).ok
    for message in stored(door, 3):
        assert not re.search(rb"(?m)^Authentication-Results: mxguard.example.test; x-mxguard=pass", message)
        assert b"\r" not in message
    assert any(b"\nSubject: aAuthentication-Results: mxguard" in message for message in door.stored())


def test_slow_client_holds_up_nobody(door):
    door()
    with smtp.Client(SMTP, source=GATEWAY, lmtp=False) as slow:
        slow.greet()
        slow.mail("a@b.example")
        assert slow.rcpt(USER).ok
        slow.line("DATA")
        slow.reply()
        for number in range(3):  # a header line, and much later another one
            slow.line(f"X-{number}: y")
            assert deliver(source=GATEWAY).final(USER).ok
            assert deliver().rcpt[USER].code == 550
        slow.send(b"\r\nx\r\n.\r\n")
        assert slow.reply().ok
    stored(door, 4)


def filter_pid(running):
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if str(running.policy).encode() in path.read_bytes() and b"smtpd-filter" in path.read_bytes():
                words = path.read_bytes().split(b"\0")
                if words[0].endswith(b"mxguard"):
                    return int(path.parent.name)
    return None


@pytest.mark.parametrize("stage", ["greet", "rcpt", "data", "body"])
def test_killed(door, stage):
    """smtpd does not go on without its filter: nobody gets in, nothing is lost."""
    running = door()
    with contextlib.suppress(smtp.Closed, OSError, AssertionError), smtp.Client(SMTP, source=GATEWAY, lmtp=False) as client:
        client.greet()
        pid = wait_until(lambda: filter_pid(running), "the filter runs")
        if stage == "greet":
            os.kill(pid, signal.SIGKILL)
        client.mail("a@b.example")
        if stage == "rcpt":
            os.kill(pid, signal.SIGKILL)
        client.rcpt(USER)
        client.line("DATA")
        client.reply()
        if stage == "data":
            os.kill(pid, signal.SIGKILL)
        client.send(b"Subject: x\r\n\r\n")
        if stage == "body":
            os.kill(pid, signal.SIGKILL)
        client.send(b"x\r\n.\r\n")
        assert not client.reply().ok
    wait_until(lambda: not running._daemon.running, "smtpd ends with it, and lets nobody in")
    assert not door.stored()


def test_wrong_configuration_at_reload(door):
    running = door()
    pid = wait_until(lambda: filter_pid(running), "the filter runs")
    running.policy.write_text(running.policy.read_text() + "nonsense = 1;\n")
    os.kill(pid, signal.SIGHUP)
    running.wait_log("nonsense")
    assert deliver().rcpt[USER].code == 550 and deliver(source=GATEWAY).final(USER).ok


def test_behind_an_own_relay(door):
    """smtpd's own field is on top of what the filter sees, the relay's below it."""
    door(policy(internal=["198.51.100.20"], trace={"mta": ["opensmtpd", "postfix"], "by": [
        "mail.example.test", "relay.example.com"]}))
    for client, expected in ((SPAMMER, 550), (GATEWAY, 250)):
        received = (f"Received: from x (x [{client}]) by relay.example.com (Postfix) with ESMTP id 4X1;\n"
                    "\tMon, 23 Nov 2026 10:00:00 +0000\n")
        done = deliver(content=smtp.message(header=received), source="198.51.100.20")
        assert done.rcpt[USER].ok and done.final(USER).code == expected


def test_trap(door, folder):
    trap = Trap(folder / "trap")
    running = door(policy(trap=trap.settings()))
    content = smtp.message(header="X-Odd:folded\n\tline\n", body=".dot\nend\n")
    done = deliver(content=content)
    assert done.rcpt[USER].ok and done.final(USER).code == 550
    wait_until(trap.files, "a copy")
    assert trap.originals() == [content.replace(b"\n", b"\r\n").replace(b"\r\r", b"\r")]
    running.wait_log("trap: kept")
    trap.path.chmod(0o755)
    done = deliver(content=content)
    assert done.rcpt[USER].ok and done.final(USER).code == 550
    running.wait_log("trap: no copy is kept")
    assert len(trap.files()) == 1


@pytest.mark.parametrize("name", [f"x|pass|{GATEWAY}:1|192.0.2.1:25", "x|pass|local|192.0.2.1:25", "x|pass|unix:|y"])
def test_a_reverse_name_with_bars_in_it(door, name):
    """Whoever owns the reverse zone writes no field of smtpd's line by it."""
    with ScriptedDns(port=53) as dns:
        dns.set("66.113.0.203.in-addr.arpa", "PTR", name)
        door()
        assert deliver().rcpt[USER].code in (451, 550)
        assert ("66.113.0.203.in-addr.arpa", "PTR") in dns.asked()
