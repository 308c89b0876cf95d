# SPDX-License-Identifier: MIT
"""mxguard-lda as the mda of a real OpenSMTPD, in front of real delivery agents: messages in,
mailboxes out. The action is the manual's."""
from __future__ import annotations

import os
import pathlib
import shutil
import signal
import ssl

import pytest

from mxg import build, smtp
from mxg.dns_script import answer, timeout
from mxg.opensmtpd import mda
from mxg.process import run, wait_until
from test_lda_mta import (FETCHED, GATEWAY, SMTP, SPAMMER, USER, Boxes, deliver, dovecot_lda,  # noqa: F401
                          maildrop, procmail, settings)

ALIAS = "alias@example.test"
PEOPLE = f'table people {{ "{USER}" = nobody, "{ALIAS}" = "{USER}" }}\n'


@pytest.fixture
def mail_maildir(folder):
    """OpenSMTPD's own."""
    def start():
        box = folder / "box"
        box.mkdir()
        shutil.chown(box, "nobody", "nogroup")
        return f"/usr/libexec/opensmtpd/mail.maildir {box}/%{{mailbox}}", Boxes(
            lambda name: [path.read_bytes() for path in box.glob(f"{name}/new/*")])
    return start


@pytest.fixture
def agent(request, dovecot_lda, maildrop, procmail, mail_maildir):  # noqa: F811
    command, boxes = {"dovecot-lda": dovecot_lda, "maildrop": maildrop, "procmail": procmail,
                      "mail.maildir": mail_maildir}[request.param]()
    command = command.replace(f"-d {USER}", "-d %{dest}")
    return command.replace("procmail -p", "procmail -f - -p"), boxes  # nobody else writes the line "From "


def action(config, command: str, wrapper=None) -> str:
    """mxguard-lda's %{mailbox} gets its percent sign doubled; %{dest} and %{rcpt} are OpenSMTPD's."""
    return mda(f"exec {wrapper or build.wrapper()} -c {config} \\\n    --rcpt=%{{dest}} --original-rcpt=%{{rcpt}} -- \\\n    "
               + command.replace("%{mailbox}", "%%{mailbox}")) + " \\\n    virtual <people> user nobody"


def guarded(opensmtpd, config, command, before="", **more):
    return opensmtpd(action=action(config, command), before=PEOPLE + before, **more)


def no_bounce(mta):
    assert "injecting failure report" not in mta.log() and not mta.returned.exists()


def returned(mta) -> bytes:
    wait_until(mta.returned.exists, "a bounce")
    mta.wait_empty()
    return mta.returned.read_bytes()


@pytest.mark.parametrize("agent", ["dovecot-lda", "maildrop", "procmail", "mail.maildir"], indirect=True)
def test_mda(opensmtpd, mxguard_config, agent):
    command, boxes = agent
    mta = guarded(opensmtpd, mxguard_config(settings("opensmtpd")), command)
    assert deliver(GATEWAY, content=smtp.message(subject="gateway")) == 250
    boxes.wait("INBOX", 1)
    assert deliver(SPAMMER, content=smtp.message(subject="direct")) == 250
    junk = boxes.wait("Junk", 1)[0]
    assert b"Subject: direct" in junk and junk.count(b"\tx-mxguard=fail") == 1
    mta.sendmail(smtp.message(subject="local"), USER)
    boxes.wait("INBOX", 2)
    fetched = smtp.deliver(("127.0.0.1", 25), USER, smtp.message(subject="fetched", header=FETCHED), lmtp=False,
                           helo="localhost")
    assert fetched.final(USER).code == 250
    boxes.wait("INBOX", 3)
    assert smtp.deliver(SMTP, [USER, ALIAS], smtp.message(subject="two"), lmtp=False, source=GATEWAY,
                        sender="").codes == {USER: 250, ALIAS: 250}
    boxes.wait("INBOX", 5)
    mta.wait_empty()
    no_bounce(mta)
    assert len(boxes["Junk"]) == 1 and mta.tries() == ["Ok"] * 6


def test_login(opensmtpd, mxguard_config, mail_maildir, folder):
    """OpenSMTPD takes a login only inside TLS, which 6.8 cannot do with OpenSSL 3 (its issue 1171)."""
    command, boxes = mail_maildir()
    secret = run(["openssl", "passwd", "-6", "secret"], check=True).stdout.decode().strip()
    cert, key = folder / "certificate.pem", folder / "key.pem"
    run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=mail.example.test", "-days", "30",
         "-keyout", str(key), "-out", str(cert)], check=True)
    key.chmod(0o600)  # it insists
    mta = guarded(opensmtpd, mxguard_config(settings("opensmtpd")), command,
                  before=f'table logins {{ "{USER}" = "{secret}" }}\n'
                         f'pki mail.example.test cert "{cert}"\npki mail.example.test key "{key}"\n',
                  listen=("192.0.2.1 tls pki mail.example.test auth-optional <logins>", "127.0.0.1"))
    with smtp.Client(SMTP, source=SPAMMER, lmtp=False) as client:
        client.greet()
        try:
            assert client.starttls().code == 220
        except ssl.SSLError:
            assert "OpenSMTPD 6." in mta.log()
            pytest.skip("OpenSMTPD 6 cannot do TLS with OpenSSL 3")
        client.hello()
        assert client.auth_plain(USER, "secret").code == 235
        client.mail(USER)
        client.rcpt(USER)
        assert client.data(smtp.message(subject="login"))[USER].ok
    assert b"with ESMTPSA id" in boxes.wait("INBOX", 1)[0]
    # TLS alone is no login.
    with smtp.Client(SMTP, source=SPAMMER, lmtp=False) as client:
        client.greet()
        assert client.starttls().code == 220
        client.hello()
        client.mail(USER)
        client.rcpt(USER)
        assert client.data(smtp.message(subject="TLS"))[USER].ok
    assert b"with ESMTPS id" in boxes.wait("Junk", 1)[0]
    mta.wait_empty()
    no_bounce(mta)


def test_what_the_mda_gets(opensmtpd, folder):
    """No variable has the client's address, and the trace has it: the first Received is OpenSMTPD's."""
    out = folder / "out"
    out.mkdir()
    shutil.chown(out, "nobody")
    mta = opensmtpd(action=mda(f"env >{out}/variables; cat >{out}/message; echo %{{dest}} %{{rcpt}} >{out}/words")
                    + " virtual <people> user nobody", before=PEOPLE)
    assert smtp.deliver(SMTP, ALIAS, lmtp=False, source=SPAMMER).final(ALIAS).code == 250
    mta.wait_log("result=Ok")
    variables = dict(line.split("=", 1) for line in (out / "variables").read_text().splitlines())
    assert not [value for value in variables.values() if SPAMMER in value]
    assert variables["RECIPIENT"] == USER and variables["SENDER"] == "a@sender.example"
    assert f"{variables['LOCAL']}@{variables['DOMAIN']}" == ALIAS
    assert (out / "words").read_text() == f"{USER} {ALIAS}\n"
    trace = (out / "message").read_text().partition("Received:")
    assert [line.split(":")[0] for line in trace[0].splitlines()] == ["Return-Path", "Delivered-To"]
    assert trace[2].startswith(f" from client.example (<unknown> [{SPAMMER}])")


WRITERS = ("pony express", "dispatcher")  # by version


@pytest.mark.parametrize("victim", ["the one that writes", "the first", "nobody"])
@pytest.mark.parametrize("begin", ["exec", ""])
def test_killed_while_it_writes(opensmtpd, mxguard_config, mail_maildir, folder, victim, begin):
    """A shell and mail.mda stand between smtpd and the wrapper and outlive it: half a message would be delivered, and
    the whole one later."""
    command, boxes = mail_maildir()
    wait = folder / "wait"
    wait.write_text(f"#!/bin/sh\nsleep 0.5\n{begin} {build.wrapper()} \"$@\"\n")
    wait.chmod(0o755)
    folder.chmod(0o755)
    mta = opensmtpd(action=action(mxguard_config(settings("opensmtpd")), command, wait), before=PEOPLE)
    mta.sendmail(smtp.message(body="x" * 70 + "\n" * 30000), USER)
    first = min(processes(b"smtpd -d"))  # for a moment, a child of it that becomes another program has its name, too
    wait_until(lambda: processes(b"mail.mda"), "it delivers")
    writer = [pid for pid in processes(b"smtpd: ") if cmdline(pid)[7:].decode().startswith(WRITERS)][0]
    if victim == "nobody":
        boxes.wait("INBOX", 1)
        return
    os.kill(writer if victim != "the first" else first, signal.SIGKILL)
    wait_until(lambda: not processes(b"mail.mda"), "the wrapper has ended")
    assert boxes["INBOX"] in (None, []) and boxes["Junk"] in (None, [])


def cmdline(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")
    except OSError:
        return b""


def processes(text):
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit() and text in cmdline(entry)]


def test_waits_while_dns_is_down(opensmtpd, mxguard_config, mail_maildir, scripted_dns):
    command, boxes = mail_maildir()
    scripted_dns.default = timeout()
    config = mxguard_config(settings("opensmtpd", gateways=({"name": "mx", "allow": "mx"},),
                                     dns={"servers": [scripted_dns.server], "timeout": "1s"}))
    mta = guarded(opensmtpd, config, command)
    assert deliver(GATEWAY) == 250
    mta.wait_log(r"result=TempFail stat=Error \(temporary failure: \"4\.4\.3 Try again later")
    assert not boxes["INBOX"] and len(mta.waiting()) == 1
    scripted_dns.update({("example.test", "MX"): answer("10 gw.example.test"), ("gw.example.test", "A"): answer(GATEWAY)})
    mta.run_queue()
    boxes.wait("INBOX", 1)
    mta.wait_empty()
    no_bounce(mta)
    assert mta.tries() == ["TempFail", "Ok"]


def test_refusal_and_trouble(opensmtpd, mxguard_config, mail_maildir):
    """A refusal bounces, with the text of the reply; a broken configuration waits."""
    command, boxes = mail_maildir()
    config = mxguard_config(settings("opensmtpd", on_direct_queued="reject"))
    mta = guarded(opensmtpd, config, command)
    text = config.read_text()
    config.write_text("mode = nonsense;\n")
    assert deliver(GATEWAY) == 250
    mta.wait_log(r"result=TempFail stat=Error \(temporary failure: \"4\.3\.5 .*mode")
    no_bounce(mta)
    config.write_text(text)
    mta.run_queue()
    boxes.wait("INBOX", 1)
    assert deliver(SPAMMER) == 250
    mta.wait_log(r"result=PermFail stat=Error \(.*5\.7\.1 .*203\.0\.113\.66 is not an authorized gateway")
    report = returned(mta)
    assert report.count(b"message/delivery-status") == 1 and b"Final-Recipient: rfc822; user@example.test" in report
    assert b"5.7.1 Refused: 203.0.113.66 is not an authorized gateway" in report
    assert not boxes["Junk"] and len(boxes["INBOX"]) == 1


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_killed_it_waits(opensmtpd, mxguard_config, folder, number):
    """The delivery command, which mxguard-lda became, dies by a signal."""
    mark, done = folder / "out" / "mark", folder / "out" / "done"
    mark.parent.mkdir()
    shutil.chown(mark.parent, "nobody")
    dies = folder / "dies"
    dies.write_text(f"#!/bin/sh\n[ -e {mark} ] || {{ >{mark}; kill -{int(number)} $$; }}\nexec cat >{done}\n")
    dies.chmod(0o755)
    mta = guarded(opensmtpd, mxguard_config(settings("opensmtpd")), f"{dies} %{{mailbox}}")
    assert deliver(GATEWAY) == 250
    mta.wait_log("result=TempFail")
    mta.run_queue()
    wait_until(done.exists, "a second delivery")
    mta.wait_empty()
    assert mta.tries() == ["TempFail", "Ok"]
    no_bounce(mta)


def test_without_the_program_mail_bounces(opensmtpd, mxguard_config, mail_maildir):
    """Only 71 and 75 are temporary for OpenSMTPD, and the shell's 127 is not."""
    command, boxes = mail_maildir()
    mta = opensmtpd(action=action(mxguard_config(settings("opensmtpd")), command, wrapper="/nonexistent/mxguard-lda"),
                    before=PEOPLE)
    assert deliver(GATEWAY) == 250
    mta.wait_log(r"result=PermFail .*not found")
    assert b"Final-Recipient: rfc822; user@example.test" in returned(mta)
    assert not boxes["INBOX"]


def test_the_form_of_the_field_tells(opensmtpd, mxguard_config, mail_maildir):
    """Nothing about the trace has to be configured."""
    command, boxes = mail_maildir()
    mta = guarded(opensmtpd, mxguard_config(settings("opensmtpd", trace={})), command)
    assert deliver(GATEWAY) == 250
    boxes.wait("INBOX", 1)
    assert deliver(SPAMMER) == 250
    assert b"\tx-mxguard=fail" in boxes.wait("Junk", 1)[0]
    mta.sendmail(smtp.message(subject="local"), USER)
    boxes.wait("INBOX", 2)
    mta.wait_empty()


def test_mask_src_hides_the_client(opensmtpd, mxguard_config, mail_maildir):
    """So nothing is known to come from a gateway, and what comes from one is put aside too."""
    command, boxes = mail_maildir()
    mta = guarded(opensmtpd, mxguard_config(settings("opensmtpd")), command, listen=("192.0.2.1 mask-src", "127.0.0.1"))
    assert deliver(GATEWAY) == 250
    assert b"\tx-mxguard=permerror" in boxes.wait("Junk", 1)[0]
    mta.wait_empty()
    no_bounce(mta)
    assert not boxes["INBOX"]


def test_a_command_in_forward_goes_around_the_mda(opensmtpd, folder):
    """Of a user of the system. With "virtual", as in the manual, only the one user's counts."""
    home = folder / "home"
    home.mkdir()
    (home / ".forward").write_text(f"|cat >{home}/forwarded\n")
    for path in (home, home / ".forward"):
        os.chown(path, 65534, 65534)
    mta = opensmtpd(action=mda(f"cat >{home}/delivered"), passwd=f"somebody:x:65534:65534::{home}:/bin/sh\n")
    assert smtp.deliver(SMTP, "somebody@example.test", lmtp=False, source=SPAMMER).codes == {"somebody@example.test": 250}
    mta.wait_log("result=Ok")
    assert (home / "forwarded").exists() and not (home / "delivered").exists()


@pytest.mark.parametrize("word, run_it", [("%{rcpt}", False), ("$LOCAL", True), ("\"$LOCAL\"", True)])
def test_only_format_specifiers_are_safe_in_a_command(opensmtpd, folder, word, run_it):
    """OpenSMTPD replaces what a shell would read in its %{…}; a variable is text of the inner
    shell's command by then, with or without quotes, and anybody chooses the recipient."""
    out = folder / "out"
    out.mkdir()
    shutil.chown(out, "nobody")
    mta = opensmtpd(action=f"mda 'cat >{out}/message; echo {word} >{out}/words' virtual <everybody> user nobody",
                    before='table everybody { "@example.test" = nobody }')
    hostile = f"`touch${{IFS}}{out}/mark`@example.test"
    assert smtp.deliver(SMTP, hostile, lmtp=False, source=SPAMMER).final(hostile).code == 250
    mta.wait_log("result=Ok")
    assert (out / "mark").exists() == run_it


def test_hostile_recipient(opensmtpd, mxguard_config, mail_maildir):
    command, boxes = mail_maildir()
    mta = opensmtpd(action=action(mxguard_config(settings("opensmtpd")), command),
                    before='table people { "@example.test" = nobody }')
    for hostile in ("`id`@example.test", "a'b|c&d@example.test", "-x@example.test", "%{mailbox}@example.test"):
        assert smtp.deliver(SMTP, hostile, lmtp=False, source=GATEWAY).final(hostile).code == 250
    boxes.wait("INBOX", 4)
    mta.wait_empty()
    assert mta.tries() == ["Ok"] * 4
