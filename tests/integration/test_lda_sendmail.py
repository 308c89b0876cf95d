# SPDX-License-Identifier: MIT
"""mxguard-lda as a mailer of a real sendmail, in front of real delivery agents: messages in,
mailboxes out. The mailer is the manual's."""
from __future__ import annotations

import pytest

from mxg import build, smtp
from mxg.dns_script import answer, timeout
from mxg.process import wait_until
from test_lda_mta import (FETCHED, GATEWAY, SPAMMER, USER, agent, deliver, dovecot_lda, maildrop,  # noqa: F401
                          procmail, settings)


def guarded(sendmail, config, command):
    return sendmail(mailer=f"""\
Mguarded, P={build.wrapper()}, F=lsuDFMPqn9, U=nobody:nogroup, T=DNS/RFC822/X-Unix,
\tA=mxguard-lda -c {config} --peer=${{client_addr}} --helo=$s --from=$g --rcpt=$u --login=${{auth_authen}} --id=$i -- {
    command.replace("procmail -p", "procmail -f - -p")}""")


def no_bounce(mta):
    assert not mta.returned.exists()


@pytest.mark.parametrize("agent", ["dovecot-lda", "maildrop", "procmail"], indirect=True)
def test_mailer(sendmail, mxguard_config, agent):  # noqa: F811
    command, boxes = agent
    mta = guarded(sendmail, mxguard_config(settings("sendmail")), command)
    assert deliver(GATEWAY, content=smtp.message(subject="gateway")) == 250
    boxes.wait("INBOX", 1)
    assert deliver(SPAMMER, content=smtp.message(subject="direct")) == 250
    junk = boxes.wait("Junk", 1)[0]
    assert b"Subject: direct" in junk and junk.count(b"\tx-mxguard=fail") == 1
    assert deliver(SPAMMER, helo="[192.0.2.10]", content=smtp.message(subject="forged")) == 250
    boxes.wait("Junk", 2)
    mta.sendmail(smtp.message(subject="local"), USER)
    boxes.wait("INBOX", 2)
    fetched = smtp.deliver(("127.0.0.1", 25), USER, smtp.message(subject="fetched", header=FETCHED), lmtp=False,
                           helo="localhost")
    assert fetched.final(USER).code == 250
    boxes.wait("INBOX", 3)
    assert deliver(GATEWAY, sender="", content=smtp.message(subject="bounce of somebody's")) == 250
    boxes.wait("INBOX", 4)
    mta.wait_empty()
    no_bounce(mta)
    assert len(boxes["Junk"]) == 2


def test_waits_while_dns_is_down(sendmail, mxguard_config, dovecot_lda, scripted_dns):  # noqa: F811
    """… and what it waited with is judged by who brought it: a queue run knows no client address,
    and sendmail's own Received field tells."""
    command, boxes = dovecot_lda()
    scripted_dns.set("example.test", "MX", timeout())
    scripted_dns.set("gw.example.test", "A", GATEWAY)
    scripted_dns.set("gw.example.test", "AAAA", answer())
    mta = guarded(sendmail, mxguard_config(settings(
        "sendmail", gateways=({"name": "mx", "allow": "mx"},),
        dns={"servers": [scripted_dns.server], "timeout": "500ms"})), command)
    for source in (GATEWAY, SPAMMER):
        assert deliver(source, content=smtp.message(subject=f"from {source}")) == 250
    wait_until(lambda: sum(b"\nM" in control for control in mta.waiting()) == 2, "two messages wait")
    assert not boxes["INBOX"] and not boxes["Junk"]
    scripted_dns.set("example.test", "MX", answer("10 gw.example.test"))
    mta.run_queue()
    assert f"Subject: from {GATEWAY}".encode() in boxes.wait("INBOX", 1)[0]
    assert f"Subject: from {SPAMMER}".encode() in boxes.wait("Junk", 1)[0]
    mta.wait_empty()
    no_bounce(mta)


def test_refusal_bounces_by_choice_and_trouble_waits(sendmail, mxguard_config, dovecot_lda):  # noqa: F811
    command, boxes = dovecot_lda()
    config = mxguard_config(settings("sendmail", on_direct_queued="reject"))
    mta = guarded(sendmail, config, command)
    good = config.read_bytes()
    config.write_bytes(b"mode = ")
    assert deliver(GATEWAY) == 250
    wait_until(lambda: any(b"\nM" in control for control in mta.waiting()), "the message waits")
    no_bounce(mta)
    config.write_bytes(good)
    mta.run_queue()
    boxes.wait("INBOX", 1)
    mta.wait_empty()
    assert deliver(SPAMMER) == 250
    wait_until(mta.returned.exists, "a bounce")
    mta.wait_empty()
    bounce = mta.returned.read_bytes()
    assert b"5.7.1 " in bounce and SPAMMER.encode() in bounce
    assert len(boxes["INBOX"]) == 1 and not boxes["Junk"]
