# SPDX-License-Identifier: MIT
"""mxguard-lda as a mailer of a real sendmail: messages in, mailboxes and bounces out.

What decides is the client's address, which sendmail knows while the client's own process delivers
and forgets when the message waits; then the message's Received fields decide."""
from __future__ import annotations

import shutil

import pytest

from mxg import build, smtp
from mxg.dns_script import answer, timeout
from mxg.process import wait_until
from test_lda_mta import (FETCHED, GATEWAY, SPAMMER, USER, Boxes, agent, dovecot_lda, maildrop,  # noqa: F401
                          procmail, settings)

SMTP = ("192.0.2.1", 25)
SENDER = "a@sender.example"
NO_ETRN = "define(`confPRIVACY_FLAGS', `authwarnings,noetrn')"
MAILER = """\
Mguarded, P={wrapper}, F=lDFMPnu9, U=nobody,
\tS=EnvFromSMTP/HdrFromSMTP, R=EnvToSMTP/HdrFromSMTP,
\tT=DNS/RFC822/X-Unix,
\tA=mxguard-lda -c {config} --peer=${{client_addr}} --helo=$s --from=$g
\t  --rcpt=$u --login=${{auth_authen}} --id=$i {options} -- {command}
Mbounces, P=/bin/sh, F=lFn, U=nobody, A=sh {folder}/keep-bounce $u
"""


@pytest.fixture
def keep(folder):
    """A delivery agent that keeps each message in the folder of a mailbox, or does what it is told."""
    box = folder / "kept"
    box.mkdir()
    shutil.chown(box, "nobody", "nogroup")
    script = folder / "keep"
    script.write_text(f'#!/bin/sh\n[ -e {folder}/trouble ] && . {folder}/trouble\n'
                      f'mkdir -p "{box}/$1" && cat >"{box}/$1/.$$" && mv "{box}/$1/.$$" "{box}/$1/$$"\n')
    script.chmod(0o755)
    return f"{script} %{{mailbox}}", Boxes(lambda name: [file.read_bytes() for file in (box / name).glob("[0-9]*")])


@pytest.fixture
def guarded(sendmail, mxguard_config, folder):
    """guarded(command, settings…) -> sendmail that delivers by it; what bounces goes to bounced()."""
    def start(command, *, options="", mailer=MAILER, mta=None, **more):
        bounces = folder / "bounces"
        bounces.mkdir()
        shutil.chown(bounces, "nobody", "nogroup")
        (folder / "keep-bounce").write_text(f'cat >"{bounces}/.$$" && mv "{bounces}/.$$" "{bounces}/$$"\n')
        daemon = sendmail(
            mailers=mailer.format(wrapper=build.wrapper(), folder=folder, options=options, command=command,
                                  config=mxguard_config(settings("sendmail", **more))),
            routes={"example.test": "guarded:example.test", "sender.example": "bounces:sender.example"},
            passwords={USER: "secret"}, **{"features": NO_ETRN, **(mta or {})})
        daemon.bounced = lambda: [file.read_bytes() for file in bounces.glob("[0-9]*")]
        return daemon
    return start


def deliver(source, server=SMTP, **keywords):
    return smtp.deliver(server, USER, lmtp=False, source=source, **keywords).final(USER).code


def wait_empty(mta):
    wait_until(lambda: not mta.waiting(), "the queue is empty")


def wait_deferred(mta, count=1):
    """COUNT messages were tried, and wait."""
    wait_until(lambda: len(mta.tried()) == count, f"{count} were tried")


def down(scripted_dns):
    scripted_dns.default = timeout()
    return {"gateways": ({"name": "mx", "allow": "mx"},), "dns": {"servers": [scripted_dns.server], "timeout": "1s"}}


def up(scripted_dns):
    scripted_dns.update({("example.test", "MX"): answer("10 gw.example.test"), ("gw.example.test", "A"): answer(GATEWAY)})


def test_mailer_with_dovecot_lda(guarded, dovecot_lda):  # noqa: F811
    command, boxes = dovecot_lda()
    mta = guarded(command)
    assert deliver(GATEWAY, content=smtp.message(subject="gateway")) == 250
    boxes.wait("INBOX", 1)
    assert deliver(SPAMMER, content=smtp.message(subject="direct")) == 250
    junk = boxes.wait("Junk", 1)[0]
    assert b"Subject: direct" in junk and junk.count(b"\tx-mxguard=fail") == 1
    mta.sendmail(smtp.message(subject="local"), USER)
    boxes.wait("INBOX", 2)
    assert deliver(GATEWAY, sender="") == 250
    boxes.wait("INBOX", 3)
    wait_empty(mta)
    assert mta.bounced() == [] and len(boxes["Junk"]) == 1


def log_in_and_deliver(source):
    with smtp.Client(SMTP, source=source, lmtp=False) as client:
        client.greet()
        assert client.auth_plain(USER, "secret").code == 235
        client.mail(USER)
        client.rcpt(USER)
        assert client.data(smtp.message(subject="login"))[USER].ok


def test_logged_in_at_once_and_after_waiting(guarded, keep, scripted_dns):
    """${auth_authen} says so at once; the queue does not keep it, and sendmail's own field tells."""
    command, boxes = keep
    mta = guarded(command, **down(scripted_dns))
    log_in_and_deliver(SPAMMER)
    boxes.wait("INBOX", 1)
    wait_empty(mta)
    trouble = mta.folder.parent / "trouble"
    trouble.write_text("exit 75\n")
    log_in_and_deliver(SPAMMER)
    wait_deferred(mta)
    trouble.unlink()
    mta.run_queue()
    boxes.wait("INBOX", 2)
    assert not boxes["Junk"] and mta.bounced() == []


def test_two_recipients_are_two_deliveries(guarded, keep):
    command, boxes = keep
    mta = guarded(command)
    both = smtp.deliver(SMTP, [USER, "other@example.test"], lmtp=False, source=GATEWAY)
    assert set(both.codes.values()) == {250}
    boxes.wait("INBOX", 2)
    wait_empty(mta)


def test_loopback_and_ipv6(guarded, keep):
    """The address of an IPv6 client has "IPv6:" before it; loopback is internal, and what the
    fields say of fetched mail counts."""
    command, boxes = keep
    mta = guarded(command, mta={"addresses": ("192.0.2.1", "127.0.0.1", "2001:db8::1")},
                  gateways=({"name": "filters", "allow": "ip6:2001:db8::10"},))
    assert deliver("2001:db8::10", ("2001:db8::1", 25)) == 250
    boxes.wait("INBOX", 1)
    assert deliver("2001:db8::66", ("2001:db8::1", 25)) == 250
    boxes.wait("Junk", 1)
    assert deliver("127.0.0.1", ("127.0.0.1", 25), helo="localhost",
                   content=smtp.message(subject="fetched", header=FETCHED)) == 250
    boxes.wait("INBOX", 2)
    wait_empty(mta)


def test_quarantine_command_is_one_word(guarded, keep, folder):
    """sendmail parts A= at blanks, and knows no quotes there: a command with arguments is a script."""
    command, boxes = keep
    script = folder / "put-aside"
    script.write_text(f"#!/bin/sh\nexec {folder}/keep Aside\n")
    script.chmod(0o755)
    mta = guarded(command.replace("%{mailbox}", "INBOX"), options=f"--quarantine-command={script}")
    assert deliver(SPAMMER) == 250
    assert b"\tx-mxguard=fail" in boxes.wait("Aside", 1)[0]
    assert deliver(GATEWAY) == 250
    boxes.wait("INBOX", 1)
    wait_empty(mta)


def test_refusal_bounces(guarded, keep):
    command, boxes = keep
    mta = guarded(command, on_direct_queued="reject")
    assert deliver(SPAMMER) == 250
    wait_until(mta.bounced, "the bounce")
    assert b"203.0.113.66 is not an authorized gateway" in mta.bounced()[0]
    wait_empty(mta)
    assert not boxes["INBOX"] and not boxes["Junk"] and len(mta.bounced()) == 1


def test_waits_while_dns_is_down(guarded, keep, scripted_dns):
    """The client's address is forgotten while it waits: --peer is empty, and the field that this
    sendmail wrote has it."""
    command, boxes = keep
    mta = guarded(command, **down(scripted_dns))
    assert deliver(GATEWAY) == 250
    assert deliver(SPAMMER) == 250
    wait_deferred(mta, 2)
    mta.run_queue()
    assert len(mta.waiting()) == 2 and not boxes["INBOX"] and not boxes["Junk"]
    up(scripted_dns)
    mta.run_queue()
    boxes.wait("INBOX", 1)
    junk = boxes.wait("Junk", 1)[0]
    assert b"from client.example ([203.0.113.66])" in junk
    wait_empty(mta)
    assert mta.bounced() == []


def test_the_daemon_runs_the_queue(guarded, keep, scripted_dns):
    """Its own queue runs know no client either, whoever is connected meanwhile."""
    command, boxes = keep
    mta = guarded(command, mta={"runs": "1s"}, **down(scripted_dns))
    assert deliver(SPAMMER) == 250
    wait_deferred(mta)
    with smtp.Client(SMTP, source=GATEWAY, lmtp=False) as client:
        client.greet()
        up(scripted_dns)
        boxes.wait("Junk", 1)
    wait_empty(mta)
    assert not boxes["INBOX"]


ETRN = pytest.mark.parametrize("allowed", [True, False])


@ETRN
def test_etrn(guarded, keep, scripted_dns, allowed):
    """A client that starts a queue run is taken for the client of what waits there: whoever says
    ETRN decides. So it is to be switched off, as the manual says."""
    command, boxes = keep
    mta = guarded(command, mta={"features": "" if allowed else NO_ETRN},
                  **down(scripted_dns))
    assert deliver(GATEWAY) == 250
    wait_deferred(mta)
    up(scripted_dns)
    with smtp.Client(SMTP, source=SPAMMER, lmtp=False) as client:
        client.greet()
        assert client.command("ETRN example.test").code == (250 if allowed else 502)
        if allowed:
            boxes.wait("Junk", 1)
    if not allowed:
        mta.run_queue()
        boxes.wait("INBOX", 1)
    wait_empty(mta)


@pytest.mark.parametrize("macro", ["client_addr", "auth_authen"])
def test_dollar_ampersand_is_not_for_mailers(guarded, keep, macro):
    """$& is for rulesets alone: in A= it stays as a byte and the macro's number, which is neither
    an address nor a login. Nothing is lost and nobody let in: the first message waits and says so."""
    command, boxes = keep
    mta = guarded(command, mailer=MAILER.replace(f"${{{{{macro}}}}}", f"$&{{{{{macro}}}}}"))
    assert deliver(SPAMMER) == 250
    wait_deferred(mta)
    assert mta.bounced() == [] and not boxes["INBOX"] and not boxes["Junk"]


@pytest.mark.parametrize("agent", ["maildrop", "procmail"], indirect=True)
def test_other_agents(guarded, agent):  # noqa: F811
    command, boxes = agent
    mta = guarded(command.replace("procmail -p", "procmail -f - -p"))
    assert deliver(GATEWAY) == 250
    boxes.wait("INBOX", 1)
    assert deliver(SPAMMER) == 250
    boxes.wait("Junk", 1)
    wait_empty(mta)
    assert mta.bounced() == []


@pytest.mark.parametrize("trouble", ["kill -9 $$", "kill -15 $$", "exit 75"])
def test_trouble_of_the_command_waits(guarded, keep, folder, trouble):
    """A death by signal is temporary for sendmail, so --signal-exit is not needed."""
    command, boxes = keep
    file = folder / "trouble"
    file.write_text(trouble + "\n")
    mta = guarded(command)
    for source in (GATEWAY, SPAMMER):
        assert deliver(source) == 250
    wait_deferred(mta, 2)
    file.unlink()
    mta.run_queue()
    boxes.wait("INBOX", 1)
    boxes.wait("Junk", 1)
    wait_empty(mta)
    assert mta.bounced() == []


def test_what_cannot_be_started_waits(guarded, keep):
    """Neither a COMMAND nor a wrapper that is missing makes a bounce."""
    command, boxes = keep
    mta = guarded(f"/nonexistent{command}")
    assert deliver(GATEWAY) == 250
    wait_deferred(mta)
    text = mta.config.read_text()
    mta.config.write_text(text.replace(f"P={build.wrapper()}", "P=/nonexistent/mxguard-lda"))
    mta.run_queue()
    assert len(mta.waiting()) == 1
    mta.config.write_text(text.replace("/nonexistent/", "/"))
    mta.run_queue()
    boxes.wait("INBOX", 1)
    wait_empty(mta)
    assert mta.bounced() == []


def test_local_mailer(guarded, keep, mxguard_config):
    """FEATURE(local_procmail) with the wrapper: $u is a login here, so default_domain is needed."""
    command, boxes = keep
    config = mxguard_config(settings("sendmail", default_domain="example.test"))
    arguments = f"mxguard-lda -c {config} --peer=${{client_addr}} --from=$g --rcpt=$u -- {command}"
    mta = guarded(command, mta={"features": "LOCAL_DOMAIN(`local.test')\n"
                                f"FEATURE(`local_procmail', `{build.wrapper()}', `{arguments}', `SPhn9')"})
    for source in (GATEWAY, SPAMMER):
        assert smtp.deliver(SMTP, "nobody@local.test", lmtp=False, source=source).final("nobody@local.test").code == 250
    boxes.wait("INBOX", 1)
    boxes.wait("Junk", 1)
    mta.sendmail(smtp.message(subject="local"), "nobody@local.test")
    boxes.wait("INBOX", 2)
    wait_empty(mta)
    assert mta.bounced() == []
