# SPDX-License-Identifier: MIT
"""A real sendmail with mxguard milter."""
from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from mxg import smtp
from mxg.dns_script import timeout
from mxg.process import wait_until
from test_milter_postfix import (GATEWAY, OURS, RELAY, SENDER, SHARED, SMTP, SPAMMER, THEIRS, TOKEN, USER, fields,
                                 received, settings)

FILTER = "INPUT_MAIL_FILTER(`mxguard', `S=inet:10034@127.0.0.1, F=T, T=C:30s;S:30s;R:30s;E:5m')"
MAILER = "Mkeep, P=/bin/sh, F=lDFMPn9, U=nobody, A=sh {folder}/keep $u\n"
DOMAINS = ("example.test", "mon.example", "junk.example", "late.example")


class Kept:
    """The messages that were delivered."""

    def __init__(self, box):
        self.box = box

    def __call__(self):
        return [file.read_bytes() for file in sorted(self.box.glob("[0-9]*"))]

    def the_message(self):
        wait_until(self, "it is delivered")
        texts = self()
        assert len(set(texts)) == 1
        for file in self.box.glob("[0-9]*"):
            file.unlink()
        return texts[0]


@pytest.fixture
def guarded(milter, mxguard_config, sendmail, folder):
    """guarded(settings, …) -> milter, sendmail, what was delivered"""
    def start(config=None, options=(), features="", **keywords):
        box = folder / "kept"
        box.mkdir()
        shutil.chown(box, "nobody", "nogroup")
        (folder / "keep").write_text(f'cat >"{box}/.$$" && mv "{box}/.$$" "{box}/$$"\n')
        service = milter(mxguard_config(config or settings()), options=options)
        mta = sendmail(mailers=MAILER.format(folder=folder), features=f"{FILTER}\n{features}",
                       routes={domain: f"keep:{domain}" for domain in DOMAINS}, **keywords)
        return service, mta, Kept(box)
    return start


def deliver(source, recipients=USER, **keywords):
    return smtp.deliver(SMTP, recipients, lmtp=False, source=source, **keywords)


def code(source, header="", **keywords):
    done = deliver(source, content=smtp.message(header=header), **keywords)
    assert done.rcpt[USER].code == 250
    return done.final(USER)


def test_at_rcpt(guarded):
    service, _, kept = guarded()
    everybody = [USER, "user@mon.example", "user@late.example"]
    done = deliver(SPAMMER, everybody)
    assert [reply.code for reply in done.rcpt.values()] == [550, 250, 451]
    assert (done.rcpt[USER].enhanced, done.rcpt["user@late.example"].enhanced) == ("5.7.1", "4.7.1")
    assert "203.0.113.66 is not an authorized gateway for example.test" in done.rcpt[USER].text
    text = kept.the_message()
    found = fields(text, "Authentication-Results")
    assert len(found) == 1 and b"x-mxguard=fail" in found[0]
    assert text.index(found[0]) < text.index(b"Received:")
    assert code(GATEWAY).code == 250
    assert fields(kept.the_message(), "Authentication-Results") == []
    line = service.wait_log(r"verdict=authorized .*")[0]
    assert re.search(r"id=<[0-9A-Za-z]{6,}> msgid=<test@sender\.example>", line)


def test_the_header_decides(guarded):
    service, _, kept = guarded()
    assert code(SHARED, TOKEN).code == 250
    assert b"open-sesame" not in kept.the_message()
    for source, header in ((SHARED, ""), (SHARED, "X-Gateway-Token: other-customer\n"), (RELAY, received(SPAMMER))):
        reply = code(source, header)
        assert (reply.code, reply.enhanced) == (550, "5.7.1")
    service.wait_log(r"verdict=direct .* peer=198\.51\.100\.20 boundary=203\.0\.113\.66 hop=1")
    assert code(RELAY, received(GATEWAY)).code == 250
    kept.the_message()
    assert code(RELAY).code == 451


def test_forged_fields_go(guarded):
    _, _, kept = guarded()
    forged = OURS + THEIRS + OURS.upper() + TOKEN + "authentication-results:\n mxguard.example.test; x-mxguard=pass\n"
    assert code(GATEWAY, forged + received("203.0.113.7") + OURS + THEIRS).code == 250
    text = kept.the_message()
    assert fields(text, "Authentication-Results") == [THEIRS.encode()] * 2
    assert len(fields(text, "Received")) == 2 and b"open-sesame" not in text
    assert deliver(SPAMMER, "user@mon.example", content=smtp.message(header=forged)).final("user@mon.example").ok
    found = fields(kept.the_message(), "Authentication-Results")
    assert b"x-mxguard=fail" in found[0] and found[1:] == [THEIRS.encode()]


def test_quarantine_is_sendmail_s(guarded):
    _, mta, kept = guarded(options=["--quarantine", "mta"])
    assert deliver(SPAMMER, "user@junk.example").final("user@junk.example").code == 250
    wait_until(lambda: list(mta.queue.glob("hf*")), "it is in quarantine")
    assert b"mxguard: not by an authorized gateway" in mta.sendmail_command("-bp", "-qQ").stdout
    both = ["user@junk.example", "postmaster@example.test"]
    assert set(deliver(SPAMMER, both).codes.values()) == {250}
    assert b"x-mxguard=fail" in kept.the_message()
    assert len(list(mta.queue.glob("hf*"))) == 1


def test_answers_that_differ(guarded):
    _, _, kept = guarded()
    both = [USER, "postmaster@example.test"]
    assert set(deliver(RELAY, both, content=smtp.message(header=received(SPAMMER))).codes.values()) == {250}
    assert b"x-mxguard=fail" in kept.the_message()
    late = [USER, "user@late.example"]
    assert set(deliver(RELAY, late, content=smtp.message(header=received(SPAMMER))).codes.values()) == {451}


def test_one_connection_many_transactions(guarded):
    _, _, kept = guarded(features="define(`confMAX_RCPTS_PER_MESSAGE', `200')")
    many = [f"user{number}@example.test" for number in range(100)]
    with smtp.Client(SMTP, source=SHARED, lmtp=False) as client:
        client.greet()
        for header, wanted in ((TOKEN, 250), ("", 550), (TOKEN, 250)):
            client.mail(SENDER)
            assert {client.rcpt(each).code for each in many[:100 if wanted == 550 else 1]} == {250}
            assert {reply.code for reply in client.data(smtp.message(header=header)).values()} == {wanted}
        client.mail(SENDER)
        client.rcpt(USER)
        assert client.command("RSET").code == 250
        client.mail(SENDER)
        client.rcpt(USER)
        assert client.data(smtp.message())[USER].code == 550
    wait_until(lambda: len(kept()) == 2, "two are delivered")


def test_login_and_local_mail(guarded):
    service, mta, kept = guarded(passwords={USER: "secret"}, addresses=("192.0.2.1", "127.0.0.1"))
    with smtp.Client(SMTP, source=SPAMMER, lmtp=False) as client:
        client.greet()
        assert client.auth_plain(USER, "secret").code == 235
        client.mail(SENDER)
        assert client.rcpt(USER).code == 250
        assert client.data(smtp.message())[USER].code == 250
    service.wait_log(r"verdict=authenticated .* peer=203\.0\.113\.66")
    kept.the_message()
    assert smtp.deliver(("127.0.0.1", 25), USER, lmtp=False, source="127.0.0.1").final(USER).code == 250
    kept.the_message()
    service.wait_log(r"verdict=internal action=accept .* peer=127\.0\.0\.1")


def test_a_client_on_a_pipe(guarded):
    """sendmail -bs: there is no peer, and the message is a local user's."""
    service, mta, kept = guarded()
    talk = ["HELO me", f"MAIL FROM:<{SENDER}>", f"RCPT TO:<{USER}>", "DATA", "Subject: x\r\n\r\n.", "QUIT"]
    said = []
    with subprocess.Popen(mta._argv("-bs"), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as client:
        for each in talk:
            said.append(client.stdout.readline())
            client.stdin.write(f"{each}\r\n".encode())
            client.stdin.flush()
    assert said[3].startswith(b"250"), said
    kept.the_message()
    service.wait_log("verdict=internal action=accept .* peer=- .* reason=local-origin")


def test_trouble_is_4xx(guarded, scripted_dns):
    scripted_dns.default = timeout()
    service, _, _ = guarded(settings(gateways=({"name": "mx", "allow": "mx"},),
                                     dns={"servers": [scripted_dns.server], "timeout": "300ms"}))
    reply = deliver(SPAMMER).rcpt[USER]
    assert (reply.code, reply.enhanced) == (451, "4.4.3")
    service.stop()
    with smtp.Client(SMTP, source=GATEWAY, lmtp=False) as client:
        client.greet()
        assert client.mail(SENDER).code == 451
