# SPDX-License-Identifier: MIT
"""The plugin in every process that loads mail plugins, and lmtp under valgrind."""
import imaplib
import pathlib
import poplib
import re

import pytest

from mxg import build, smtp
from mxg.dovecot import PASSWORD, own_modules, version
from mxg.dns_script import answer, delayed
from mxg.process import program, run
from test_dovecot_async import MANY
from test_dovecot_rcpt import GATEWAY, LMTP, SPAMMER, USER, dns_policy, server  # noqa: F401

EVERYWHERE = "mail_plugins {\n  mxguard = yes\n}\n" if version() >= (2, 4) else "mail_plugins = mxguard\n"


@pytest.fixture
def everywhere(server):
    return server(imap=[("192.0.2.1", 143)], pop3=[("192.0.2.1", 110)], extra=EVERYWHERE,
                  extra_lmtp="", users={USER: {}})


def test_imap_pop3_doveadm(everywhere):
    assert smtp.deliver(LMTP, USER, source=GATEWAY).codes == {USER: 250}
    imap = imaplib.IMAP4("192.0.2.1")
    imap.login(USER, PASSWORD)
    assert imap.select()[1] == [b"1"]
    assert b"Subject: test" in imap.fetch("1", "(BODY[HEADER])")[1][0][1]
    imap.append("INBOX", None, None, b"Subject: own\r\n\r\nbody\r\n")
    imap.logout()
    pop3 = poplib.POP3("192.0.2.1")
    pop3.user(USER)
    pop3.pass_(PASSWORD)
    assert pop3.stat()[0] == 2
    pop3.quit()
    assert b"INBOX" in everywhere.doveadm("mailbox", "list", "-u", USER).stdout
    assert b"mxguard" in everywhere.doveadm("-D", "mailbox", "list", "-u", USER).stderr
    assert not everywhere.crashes()
    assert smtp.deliver(LMTP, USER, source=SPAMMER).codes == {USER: 550}


def test_dovecot_of_another_version(dovecot):
    """Dovecot compares versions itself: no greeting, nothing taken."""
    running = dovecot(mxguard={"mxguard_config": "/nonexistent"})
    module = running.modules / build.PLUGIN
    data = module.read_bytes()
    wrong = re.sub(rb"2\.(3|4)\.ABIv", rb"1.0.ABIv", data)
    assert wrong != data
    module.unlink()
    module.write_bytes(wrong)
    with pytest.raises((smtp.Closed, AssertionError, OSError)):
        smtp.deliver(LMTP, USER, source=GATEWAY)
    running.wait_log("(?i)version mismatch|ABI version")
    running.may_crash = True


def test_without_its_settings_module(server):
    if version() < (2, 4):
        pytest.skip("2.3 has no settings modules")
    with pytest.raises(AssertionError, match="Unknown setting"):
        server(settings_module=False)


LINES = "protocol lmtp {\n  mail_plugins {\n    mxguard = yes\n  }\n}\n"  # the block of the manual: no setting of ours


def imap_works():
    client = imaplib.IMAP4("192.0.2.1")
    assert client.login(USER, PASSWORD)[0] == "OK"
    client.logout()


def test_the_manuals_block_without_the_settings_module(dovecot):
    """2.4: no line of it needs that file. LMTP defers, and IMAP goes on."""
    if version() < (2, 4):
        pytest.skip("2.3 has no settings modules")
    dovecot(place_mxguard=True, settings_module=False, imap=[("192.0.2.1", 143)], extra=LINES, users={USER: {}})
    imap_works()
    assert set(smtp.deliver(LMTP, USER, source=GATEWAY).codes.values()) == {451}


def test_settings_module_of_another_version(dovecot, tmp_path):
    """2.4: it counts as none. IMAP goes on, and LMTP defers; with a setting of ours nothing starts."""
    if version() < (2, 4):
        pytest.skip("2.3 has no settings modules")
    module = build.settings_modules()[0]
    wrong = tmp_path / module.name
    data = module.read_bytes()
    wrong.write_bytes(re.sub(rb"2\.4\.ABIv", rb"1.0.ABIv", data))
    assert wrong.read_bytes() != data
    files = {str(own_modules() / "settings" / module.name): wrong}
    with pytest.raises(AssertionError, match="Unknown setting"):
        dovecot(mxguard={"mxguard_mode": "off"}, imap=[("192.0.2.1", 143)], users={USER: {}}, files=files)
    running = dovecot(place_mxguard=True, imap=[("192.0.2.1", 143)], extra=LINES, users={USER: {}}, files=files)
    imap_works()
    running.wait_log("different ABI version 1.0")
    assert set(smtp.deliver(LMTP, USER, source=GATEWAY).codes.values()) == {451}


# valgrind

VALGRIND = ["--trace-children=yes", "--leak-check=full", "--show-leak-kinds=definite,indirect",
            "--errors-for-leak-kinds=definite,indirect", "--keep-debuginfo=yes"]


def check_reports(folder: pathlib.Path, least: int = 1) -> None:
    """At least so many lmtp processes came to their end under valgrind, none with an error of
    ours. The standalone lmtp runs doveconf, which runs lmtp: those are other processes."""
    reports = [path.read_text(errors="replace") for path in folder.glob("valgrind.*")]
    ended = [text for text in reports if "/lmtp" in text.partition("Parent PID")[0]
             and "ERROR SUMMARY" in text]
    assert len(ended) >= least, reports
    for text in ended:
        assert "mxguard" not in text.partition("Parent PID")[2] and "ERROR SUMMARY: 0 errors" in text, text


def lmtp_under_valgrind(running, dialogue: bytes, seconds: float = 90):
    """What the standalone lmtp says to DIALOGUE; fails on any error or leak."""
    valgrind = program("valgrind") or pytest.skip("valgrind is not installed")
    argv = [valgrind, *VALGRIND, f"--log-file={running.folder}/valgrind.%p",
            "/usr/lib/dovecot/lmtp", "-c", str(running.config)]
    done = run(running.placed(argv), data=dialogue, seconds=seconds)
    check_reports(running.folder)
    return (done.stdout + done.stderr).decode(errors="replace")  # and what it logs


HELLO = b"LHLO me.example\r\n"


def transaction(recipients, content=None):
    text = b"MAIL FROM:<a@b.example>\r\n" + b"".join(b"RCPT TO:<%s>\r\n" % each.encode()
                                                   for each in recipients)
    return text if content is None else text + b"DATA\r\n" + smtp.dot_stuffed(content)


@pytest.fixture
def slow(server, scripted_dns):
    scripted_dns.set("slow.test", "MX", delayed(0.5, answer("10 gw.slow.test")))
    scripted_dns.set("gw.slow.test", "A", GATEWAY)
    scripted_dns.set("gw.slow.test", "AAAA", answer())
    trace = {"mta": ["postfix"], "by": ["mail.example.test"]}
    return server(dns_policy(scripted_dns, trace=trace),
                  users={USER: {"mxguard_mode": "monitor"}})


RECEIVED = f"""Received: from x.example (unknown [{SPAMMER}]) by mail.example.test (Postfix)
\twith ESMTP id 4ABCDE1234; Mon,  2 Nov 2026 10:00:00 +0000 (UTC)
"""


def test_valgrind_whole_transactions(slow):
    recipients = [USER, "a@slow.test", "postmaster@slow.test"]
    forged = RECEIVED + "Authentication-Results: mxguard.example.test; x-mxguard=pass\n"
    said = lmtp_under_valgrind(slow, HELLO + transaction(recipients, smtp.message(header=forged)) * 2
                               + b"QUIT\r\n")
    assert said.count("354 ") == 2 and "221 " in said


def test_valgrind_ends_while_deciding(slow):
    """The standard input ends before DATA, and while the lookup after DATA is pending."""
    lmtp_under_valgrind(slow, HELLO + transaction(["a@slow.test", "b@slow.test"]))
    message = smtp.message(header=RECEIVED)
    said = lmtp_under_valgrind(slow, HELLO + transaction([USER, "b@slow.test"], message))
    assert "boundary=203.0.113.66" in said and "Disconnect from local" in said, said


def test_valgrind_as_a_service(server, scripted_dns):
    """The lmtp that Dovecot starts, with peers, lookups, and clients that leave."""
    valgrind = program("valgrind") or pytest.skip("valgrind is not installed")
    scripted_dns.set("slow.test", "MX", delayed(0.5, answer("10 gw.slow.test", ttl=0)))
    scripted_dns.set("gw.slow.test", "A", GATEWAY)
    scripted_dns.set("gw.slow.test", "AAAA", answer())
    running = server(dns_policy(scripted_dns), trusted="192.0.2.9",
                     users={USER: {"mxguard_mode": "monitor"}}, process_limit=1, client_limit=20)
    running.settings.extra_service_lmtp = MANY + (
        f"  executable = {valgrind} {' '.join(VALGRIND)} --log-file={running.folder}/valgrind.%p "
        f"/usr/lib/dovecot/lmtp\n")
    running.write_config()
    running.reload()
    recipients = ["a@slow.test", "b@slow.test", USER]
    assert smtp.deliver(LMTP, recipients, source=GATEWAY, seconds=120).codes["a@slow.test"] == 250
    assert smtp.deliver(LMTP, recipients, source=SPAMMER, seconds=120).codes == {
        "a@slow.test": 550, "b@slow.test": 550, USER: 250}
    assert smtp.deliver(running.socket, recipients, seconds=120).final(USER).ok
    for leave in (smtp.Client.abort, smtp.Client.close):
        client = smtp.Client(LMTP, source=SPAMMER, seconds=120)
        client.greet()
        client.mail("a@b.example")
        client.line("RCPT TO:<c@slow.test>")
        leave(client)
    with smtp.Client(LMTP, source=SPAMMER, seconds=120) as client:
        client.greet()
        client.mail("a@b.example")
        client.line("RCPT TO:<d@slow.test>")
        running.wait_log("Disconnect from 203.0.113.66: .*RCPT")
        running.stop()  # while the last one waits
    check_reports(running.folder)


def test_valgrind_broken_configuration(slow):
    slow.policy.write_text("mode = ")
    said = lmtp_under_valgrind(slow, HELLO + transaction([USER]) + b"QUIT\r\n")
    assert "451 4.3.5" in said
