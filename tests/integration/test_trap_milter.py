# SPDX-License-Identifier: MIT
"""The trap at the milter, under a real Postfix: refused at the dot, a copy kept, byte for byte; whatever becomes
of it, the reply is the same."""
import pytest

from mxg import smtp
from mxg.process import wait_until
from mxg.trap import Trap
from test_milter_postfix import GATEWAY, SPAMMER, USER, deliver, guarded, settings, the_message  # noqa: F401

CONTENT = (b"From: a@b.example\r\nSubject:no blank\r\nX-Folded:  two\r\n\tlines\r\nX-Mxguard-Trap: forged\r\n"
           b"Authentication-Results: mxguard.example.test; x-mxguard=pass\r\nMessage-ID: <x@y>\r\nDate: Mon, 2 Nov 2026 10:00:00 +0000\r\n\r\n"
           b"8-bit \xff\xfe\r\n.leading dot\r\n\r\nend\r\n")


@pytest.fixture
def trap(folder):
    """Its folder belongs to who runs the milter."""
    return Trap(folder / "trap")


def refused(done):
    return done.rcpt[USER].ok and done.final(USER).code == 550 and done.final(USER).enhanced == "5.7.1"


def test_refused_at_the_dot_and_kept(guarded, trap):
    _, _, sink = guarded(settings(trap=trap.settings()))
    assert refused(deliver(SPAMMER, content=CONTENT))
    wait_until(trap.files, "a copy")
    assert trap.originals() == [CONTENT]
    assert f"peer={SPAMMER}; domain=example.test;" in trap.field()
    assert deliver(SPAMMER, sender="").rcpt[USER].code == 550  # a bounce
    assert deliver(SPAMMER, "user@late.example").rcpt["user@late.example"].code == 451
    assert deliver(GATEWAY).final(USER).ok
    the_message(sink)
    assert len(trap.files()) == 1


def test_broken_changes_no_reply(guarded, trap):
    service, _, _ = guarded(settings(trap=trap.settings(max_total="1M")))
    for content in (smtp.message(body=("x" * 70 + "\n") * 20_000), smtp.message()):
        assert refused(deliver(SPAMMER, content=content))
    wait_until(lambda: len(trap.files()) == 1, "the one that fits")
    trap.path.chmod(0o755)
    assert refused(deliver(SPAMMER))
    with smtp.Client(("192.0.2.1", 25), source=SPAMMER, lmtp=False) as client:
        client.greet()
        client.mail("a@b.example")
        assert client.rcpt(USER).ok
        client.line("DATA")
        client.reply()
        client.send(b"Subject: half\r\n\r\nx\r\n")
    assert refused(deliver(SPAMMER))
    assert len(trap.files()) == 1 and not trap.files("tmp")
