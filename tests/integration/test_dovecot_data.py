# SPDX-License-Identifier: MIT
"""The Dovecot plugin after DATA: refused, put aside, tagged, and otherwise byte for byte."""
import random
import re

import pytest

from mxg import smtp
from mxg.hidden import HIDDEN, seen, shown
from test_dovecot_rcpt import (GATEWAY, LMTP, SPAMMER, USER, line, policy,
                               server)  # noqa: F401

ID = "mxguard.example.test"
SHARED = {"name": "shared", "allow": "ip4:198.51.100.0/24",
          "header": {"name": "X-Gateway-Token", "value": "s3cret"}}


def untraced(action="quarantine", **settings):
    """Mail from the unix socket without any Received field is `direct`, with this action."""
    return policy(on_untraced="direct", on_direct_queued=action, **settings)


def body_of(stored: bytes) -> bytes:
    """What was stored, without what Dovecot put on top."""
    own = re.match(rb"(?:(?:Return-Path|Delivered-To|Received):.*\n(?:[ \t].*\n)*)+", stored)
    return stored[own.end():]


# Put aside

def test_special_use_junk(server):
    running = server(untraced())
    assert smtp.deliver(running.socket, USER).final(USER).ok
    assert running.count(USER, "Junk") == 1 and running.count(USER) == 0
    line(running, verdict="direct", action="quarantine", place="queued", peer="-", rcpt=f"<{USER}>")


def test_configured_mailbox_is_made_and_subscribed(server):
    running = server(untraced(quarantine_mailbox="Suspicious"), special_use="\\Archive")
    for _ in range(2):
        assert smtp.deliver(running.socket, USER).final(USER).ok
    assert running.count(USER, "Suspicious") == 2 and running.count(USER) == 0
    assert b"Suspicious" in running.doveadm("mailbox", "list", "-s", "-u", USER).stdout


def test_never_silently_to_inbox(server):
    """A mailbox that cannot be opened: the message waits."""
    running = server(untraced())
    assert smtp.deliver(running.socket, USER).final(USER).ok
    junk = running.maildir(USER, "Junk")
    (junk / "cur").chmod(0)
    for name in ("new", "cur", "tmp"):
        (junk / name).chmod(0)
    junk.chmod(0)
    done = smtp.deliver(running.socket, USER)
    assert done.final(USER).code == 451
    assert running.count(USER) == 0


# Refused

def test_refused_after_data_one_by_one(server):
    running = server(untraced("reject", policies=(
        {"domains": ["aside.test"], "on_direct_queued": "quarantine"},
        {"domains": ["later.test"], "on_direct_queued": "defer"},
        {"domains": ["watched.test"], "mode": "monitor"})))
    expected = {USER: 550, "a@aside.test": 250, "a@later.test": 451, "a@watched.test": 250}
    done = smtp.deliver(running.socket, list(expected))
    assert {reply.code for reply in done.rcpt.values()} == {250}
    assert done.codes == expected
    assert done.data[USER].enhanced == "5.7.1" and done.data["a@later.test"].enhanced == "4.7.1"
    assert running.count("a@aside.test", "Junk") == 1 and running.count("a@watched.test") == 1
    assert not running.mailboxes(USER) or running.count(USER) == 0


def test_all_refused_after_data(server):
    running = server(untraced("reject"))
    with smtp.Client(running.socket) as client:
        client.greet()
        for _ in range(2):
            client.mail("a@b.example")
            assert client.rcpt(USER).ok and client.rcpt("b@example.test").ok
            assert [reply.code for reply in client.data(smtp.message()).values()] == [550, 550]
    assert running.count(USER) == 0


def test_same_recipient_twice(server):
    running = server(untraced("reject", policies=({"domains": ["watched.test"], "mode": "monitor"},)))
    with smtp.Client(running.socket) as client:
        client.greet()
        client.mail("a@b.example")
        for each in (USER, USER, "a@watched.test", "a@watched.test"):
            assert client.rcpt(each).ok
        client.line("DATA")
        client.reply()
        client.send(smtp.dot_stuffed(smtp.message()))
        assert [client.reply().code for _ in range(4)] == [550, 550, 250, 250]
    assert running.count("a@watched.test") == 1


def test_user_settings_after_data(server):
    running = server(untraced("reject"), users={"off@example.test": {"mxguard_mode": "off"},
                                                "aside@example.test": {"mxguard_on_direct_queued": "quarantine"}})
    done = smtp.deliver(running.socket, [USER, "off@example.test", "aside@example.test"])
    assert list(done.codes.values()) == [550, 250, 250]
    assert running.count("off@example.test") == 1 and running.count("aside@example.test", "Junk") == 1


# A second condition in the header

def test_shared_gateway_needs_its_token(server):
    running = server(policy(gateways=[SHARED]))
    right = smtp.message(header="X-Gateway-Token: s3cret\n")
    wrong = smtp.message(header="X-Gateway-Token: guess\n")
    assert smtp.deliver(LMTP, USER, right, source="198.51.100.5").codes == {USER: 250}
    done = smtp.deliver(LMTP, USER, wrong, source="198.51.100.5")
    assert done.rcpt[USER].ok and done.data[USER].enhanced == "5.7.1"
    line(running, reason="token-missing", place="door")
    assert smtp.deliver(LMTP, USER, right, source=SPAMMER).rcpt[USER].code == 550
    assert b"X-Gateway-Token" not in running.messages(USER)[0]


# Header fields

def deliver_tagged(server, content, **settings):
    running = server(untraced(authserv_id=ID, **settings))
    assert smtp.deliver(running.socket, USER, content).final(USER).ok
    return running.messages(USER, "Junk")[0]


def test_tag_stands_above_the_message(server):
    stored = body_of(deliver_tagged(server, smtp.message()))
    assert stored.startswith(b"Authentication-Results: mxguard.example.test;\n\tx-mxguard=fail reason=")
    assert stored.endswith(smtp.message())


@pytest.mark.parametrize("tag,mode,source,tagged", [
    ("never", "enforce", None, False), ("always", "enforce", GATEWAY, True),
    ("not-accepted", "enforce", GATEWAY, False), ("not-accepted", "monitor", SPAMMER, True),
    ("never", "monitor", SPAMMER, False), ("always", "off", SPAMMER, False)])
def test_when_to_tag(server, tag, mode, source, tagged):
    running = server(untraced(authserv_id=ID, tag=tag, mode=mode))
    where = LMTP if source else running.socket
    assert smtp.deliver(where, USER, source=source).final(USER).ok
    stored = (running.messages(USER) + running.messages(USER, "Junk"))[0]
    assert (b"x-mxguard=" in stored) == tagged
    assert body_of(stored).endswith(smtp.message()) and (tagged or body_of(stored) == smtp.message())


FORGED = [
    "Authentication-Results: mxguard.example.test; x-mxguard=pass\n",
    "authentication-results:mxguard.EXAMPLE.test;x-mxguard=pass\n",
    "AUTHENTICATION-RESULTS : mxguard.example.test 1; x-mxguard=pass\n",
    "Authentication-Results:\n mxguard.example.test;\n x-mxguard=pass\n",
    "Authentication-Results: (a (nested) comment\n\tfolded) mxguard.example.test (x); none\n",
    'Authentication-Results: "mxguard.example.test"; x-mxguard=pass\n',
]
KEPT = [
    "Authentication-Results: other.example.test; spf=pass\n",
    "Authentication-Results: (mxguard.example.test) other.test; x-mxguard=pass\n",
    "X-Authentication-Results: mxguard.example.test; x-mxguard=pass\n",
    "Authentication-Results: mxguard.example.test.evil.test; x-mxguard=pass\n",
    "ARC-Authentication-Results: i=1; mxguard.example.test; none\n",
]


def test_forged_fields_go_and_others_stay(server):
    fields = [field for pair in zip(FORGED, KEPT + [""]) for field in pair]
    stored = body_of(deliver_tagged(server, smtp.message(header="".join(fields))))
    kept = smtp.message(header="".join(KEPT))
    tag = stored[:-len(kept)]
    assert stored.endswith(kept)
    assert re.fullmatch(rb"Authentication-Results: mxguard\.example\.test;\n(?:\t.*\n)+", tag)


def test_removed_for_accepted_mail_too(server):
    running = server(policy(authserv_id=ID))
    content = smtp.message(header="".join(FORGED + KEPT))
    assert smtp.deliver(LMTP, USER, content, source=GATEWAY).codes == {USER: 250}
    assert body_of(running.messages(USER)[0]) == smtp.message(header="".join(KEPT))


def long_header():
    return "".join(f"X-Field-{number}: {'x' * 200}\n\t{number}\n" for number in range(1300))


@pytest.mark.parametrize("content", [
    pytest.param(b"no header at all\n", id="no-header"), pytest.param(b"\nbody only\n", id="body-only"),
    pytest.param(b"Subject: x\n\n", id="no-body"), pytest.param(b"Subject: no end", id="no-end"),
    pytest.param(smtp.message(body="\u00e4" * 100 + "\n"), id="8bit"),
    pytest.param(smtp.message(body="y" * 300_000 + "\n"), id="long-line"),
    pytest.param(smtp.message(header=long_header()), id="long-header"),
    pytest.param(smtp.message(header="X: " + "z" * 290_000 + "\n"), id="long-field"),
    pytest.param(b"Subject: a\nno colon here\n\tfolded\nX: y\n\nbody\n", id="no-colon"),
    pytest.param(smtp.message(body=("".join(random.Random(7).choices("abc .\n", k=2_000_000))) + "\n"),
                 id="2MB")])
@pytest.mark.parametrize("bdat", [False, True])
def test_byte_for_byte(server, content, bdat):
    """With a forged field cut out, and without anything to do."""
    running = server(policy(authserv_id=ID))
    forged = FORGED[4].encode()
    for message in (content, forged + content):
        with smtp.Client(LMTP, source=GATEWAY, seconds=120) as client:
            client.greet()
            client.mail("a@sender.example")
            assert client.rcpt(USER).ok
            wire = re.sub(rb"\r?\n", b"\r\n", message)
            chunks = [wire[at:at + 70_001] for at in range(0, len(wire), 70_001)]
            assert (client.bdat(chunks) if bdat else client.data(message))[USER].ok
    expected = content if content.endswith(b"\n") or bdat else content + b"\n"
    first, second = (body_of(stored) for stored in running.messages(USER))
    assert first == expected
    assert second == expected


def test_bytes_that_only_bdat_can_carry(server):
    running = server(policy(authserv_id=ID))
    content = b"Subject: x\r\nX: a\rb\r\n" + b"Authentication-Results: mxguard.example.test; none\r\n" \
        b"Y: \xff\xfe\r\n\r\nbare\rcr\x00nul\nlf\r\n"
    with smtp.Client(LMTP, source=GATEWAY) as client:
        client.greet()
        client.mail("a@sender.example")
        assert client.rcpt(USER).ok
        assert client.bdat([content[:13], content[13:47], content[47:]])[USER].ok
    stored = running.messages(USER)[0]
    assert b"mxguard.example.test; none" not in stored
    assert stored.replace(b"\x80", b"\x00").endswith(
        b"Subject: x\nX: a\rb\nY: \xff\xfe\n\nbare\rcr\x00nul\nlf\n")


def test_hidden_fields_are_shown(server):
    """Neither Python's reader nor Dovecot's own finds one of ours in what is stored."""
    running = server(policy(authserv_id=ID))
    # Each version of Python sees others of them.
    assert any(ID in value for field in HIDDEN.values() for value in seen(smtp.message(header=field)))
    for field in HIDDEN.values():
        content = smtp.message(header=field)
        with smtp.Client(LMTP, source=GATEWAY) as client:
            client.greet()
            client.mail("a@sender.example")
            assert client.rcpt(USER).ok
            assert client.bdat([content.replace(b"\n", b"\r\n")])[USER].ok
    stored = [body_of(each) for each in running.messages(USER)]
    assert sorted(stored) == sorted(smtp.message(header=shown(field)) for field in HIDDEN.values())
    assert [seen(each) for each in stored] == [[]] * len(HIDDEN)
    found = running.doveadm("fetch", "-u", USER, "hdr.authentication-results hdr.subject", "mailbox", "INBOX").stdout
    assert found.count(b"hdr.authentication-results: \n") == len(HIDDEN)


def test_one_message_for_several_users_leaks_nothing(server):
    """The field is about those who get the message, not about one who was refused."""
    running = server(policy(authserv_id=ID, tag="always", policies=(
        {"domains": ["watched.test"], "mode": "monitor"},
        {"domains": ["own.test"], "gateways": [{"name": "own", "allow": f"ip4:{SPAMMER}"}]})))
    done = smtp.deliver(LMTP, [USER, "a@own.test", "b@own.test"], source=SPAMMER)
    assert list(done.codes.values()) == [550, 250, 250]
    for recipient in ("a@own.test", "b@own.test"):
        stored = running.messages(recipient)[0]
        assert stored.count(b"x-mxguard=") == 1 and b"x-mxguard=pass" in stored
