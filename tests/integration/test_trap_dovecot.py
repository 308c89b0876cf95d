# SPDX-License-Identifier: MIT
"""The trap, by the Dovecot plugin: what is refused for certain is refused behind the message, and a copy
is kept. Whatever becomes of the copy, the replies are the same."""
import contextlib
import os
import re

import pytest

from mxg import smtp
from mxg.dovecot import version
from mxg.mxguard import write_config
from mxg.process import run, wait_until
from mxg.trap import Trap, small_disk
from test_dovecot_rcpt import GATEWAY, LMTP, OTHER, SPAMMER, USER, line, policy, server  # noqa: F401

HOSTILE = (b"Received: from x (y [1.2.3.4]) by z\r\n\tid 1\r\nX-Mxguard-Trap: forged\r\nsubject:folded\r\n \t \r\n"
           b"Authentication-Results: mxguard.example.test; x-mxguard=pass\r\n\r\n"
           b"8-bit \xff\xfe\r\n.leading dot\r\nlong " + b"x" * 5000 + b"\r\n" * 3)


ON_A_DISK = ("full", "share", "read-only")


@pytest.fixture
def trap(folder):
    return Trap(folder / "trap")


def trapping(trap, settings=None, **more):
    return policy(trap=trap.settings(**(settings or {})), **more)


def refused(done, recipient=USER):
    """Behind the message, and nowhere else."""
    return done.rcpt[recipient].ok and done.data[recipient].code == 550 and done.data[recipient].enhanced == "5.7.1"


def test_refused_behind_the_message_and_kept(server, trap):
    running = server(trapping(trap))
    done = smtp.deliver(LMTP, [USER, "b@example.test"], HOSTILE, source=SPAMMER)
    assert refused(done) and refused(done, "b@example.test")
    assert trap.originals() == [HOSTILE]
    assert re.fullmatch(rf"X-Mxguard-Trap: peer={SPAMMER}; domain=example.test; time=\d+; "
                        r'reason=peer-not-a-gateway; helo="[\w.]+"', trap.field())
    for path in (trap.path, *trap.path.iterdir()):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600)
    assert trap.files()[0].stat().st_mode & 0o777 == 0o600
    assert trap.files()[0].name.endswith(f",S={trap.files()[0].stat().st_size}")
    assert not trap.files("tmp") and running.count(USER) == 0
    assert len(re.findall("mxguard: verdict=direct action=reject", running.log())) == 2
    running.wait_log(r"mxguard: trap: kept \d+\.M")


def test_line_ends_of_the_message(server, trap):
    """Dovecot hands on what came, and takes a bare LF."""
    server(trapping(trap))
    with smtp.Client(LMTP, source=SPAMMER) as client:
        client.greet()
        client.mail("a@b.example")
        assert client.rcpt(USER).ok
        client.line("DATA")
        client.reply()
        client.send(b"Subject: x\n\nbody\n\r\n.\r\n")
        assert client.reply().code == 550
    (path,) = trap.files()
    field = path.read_bytes().partition(b"Subject: x\n")[0]
    assert field.startswith(b"X-Mxguard-Trap: ") and b"\r" not in field


def test_gateway_delivers_and_nothing_is_kept(server, trap):
    running = server(trapping(trap))
    assert smtp.deliver(LMTP, USER, source=GATEWAY).codes == {USER: 250}
    assert running.count(USER) == 1 and not trap.path.exists()


def test_what_is_not_certain_is_not_kept(server, trap):
    """… and is refused where it was."""
    running = server(trapping(trap, exempt=["postmaster@"], policies=(
        {"domains": ["other.test"], "gateways": [{"name": "own", "allow": f"ip4:{OTHER}"}]},
        {"domains": ["watched.test"], "mode": "monitor"}, {"domains": ["later.test"], "on_direct": "defer"})))

    def codes(*recipients, source=SPAMMER, sender="a@b.example"):
        done = smtp.deliver(LMTP, list(recipients), sender=sender, source=source)
        return [(done.rcpt[each].code, done.codes[each]) for each in recipients]
    assert codes(USER, sender="") == [(550, 550)]
    assert codes(USER, source=OTHER) == [(550, 550)]
    assert codes("a@watched.test") == [(250, 250)]
    assert codes("a@later.test") == [(451, 451)]
    assert codes(USER, "a@later.test") == [(250, 550), (451, 451)]
    assert len(trap.files()) == 1  # whose other recipient was told to come again
    assert codes(USER, "postmaster@example.test") == [(250, 550), (250, 250)]
    assert len(trap.files()) == 1
    line(running, rcpt=f"<{USER}>", peer=OTHER, verdict="direct")


def test_user_who_is_not_checked_keeps_it_out(server, trap):
    running = server(trapping(trap), users={"off@example.test": {"mxguard_mode": "off"}})
    done = smtp.deliver(LMTP, [USER, "off@example.test"], source=SPAMMER)
    assert done.codes == {USER: 550, "off@example.test": 250}
    assert running.count("off@example.test") == 1 and not trap.files()


def test_client_that_never_sends_it(server, trap):
    running = server(trapping(trap))
    with smtp.Client(LMTP, source=SPAMMER) as client:
        client.greet()
        client.mail("a@b.example")
        assert client.rcpt(USER).ok
    assert "action=reject" in line(running, rcpt=f"<{USER}>")
    for end in (60, -3):
        with smtp.Client(LMTP, source=SPAMMER) as client:
            client.greet()
            client.mail("a@b.example")
            client.rcpt(USER)
            client.line("DATA")
            client.reply()
            client.send(smtp.dot_stuffed(smtp.message())[:end])
    assert refused(smtp.deliver(LMTP, USER, source=SPAMMER))
    assert trap.originals() == [smtp.message().replace(b"\n", b"\r\n").replace(b"\r\r", b"\r")]


def test_a_proxy_refuses_at_once(server, trap):
    """The message of one recipient cannot be refused behind DATA where another one's goes on."""
    server(trapping(trap), proxy_to=("192.0.2.1", 2500))
    assert smtp.deliver(LMTP, USER, source=SPAMMER).rcpt[USER].code == 550
    assert not trap.files()


# Quotas, and what is broken

@pytest.mark.parametrize("setting, value, line, lines, fit", [
    ("per_hour", 1, "", 1, 1), ("max_total", "1M", "", 100_000, 4), ("max_total", "1024G", "x" * 98, 171_000, 0)],
    ids=["per_hour", "max_total", "large"])
def test_full_by_quota(server, trap, setting, value, line, lines, fit):
    running = server(trapping(trap, {setting: value}))
    for _ in range(fit + 1):
        assert refused(smtp.deliver(LMTP, USER, smtp.message(body=f"{line}\n" * lines), source=SPAMMER))
    assert len(trap.files()) == fit and not trap.files("tmp")
    why = f"trap.{setting} is reached" if fit else "the message is larger than 16777216 bytes"
    running.wait_log("mxguard: trap: no copy is kept: " + why)


@contextlib.contextmanager
def disk(trap, kind):
    if kind in ON_A_DISK:
        with small_disk(trap.path, "256k" if kind == "full" else "4m"):
            if kind == "full":
                (trap.path / "filler").write_bytes(b"x" * 150_000)
            if kind == "read-only":
                run(["mount", "-o", "remount,ro", str(trap.path)], check=True)
            yield
            return
    if kind == "readable by others":
        trap.path.mkdir(mode=0o755)
    elif kind == "a link":
        (trap.path.parent / "elsewhere").mkdir(mode=0o700)
        trap.path.symlink_to(trap.path.parent / "elsewhere")
    elif kind == "a file":
        trap.path.write_bytes(b"")
    elif kind == "in a folder for all":
        trap.path.mkdir(mode=0o700)
        trap.path.parent.chmod(0o777)
    elif kind == "another's parts":
        (trap.path / "new").mkdir(mode=0o700, parents=True)
        trap.path.chmod(0o700)
        os.chown(trap.path / "new", 65534, 65534)
    elif kind == "linked ledger":
        trap.path.mkdir(mode=0o700)
        (trap.path / "usage").symlink_to("/etc/passwd")
    yield


def test_broken_changes_no_reply(server, folder):
    kinds = ["full", "share", "read-only", "readable by others", "a link", "a file", "in a folder for all",
             "another's parts", "linked ledger"]
    if version() >= (2, 4):  # these run in a mount namespace of their own, and see no file system that is mounted later
        kinds = [kind for kind in kinds if kind not in ON_A_DISK]
    running = server(policy())
    for number, kind in enumerate(kinds):
        trap = Trap(folder / kind.replace(" ", "-").replace("'", "") / "trap")
        trap.path.parent.mkdir()
        write_config(running.policy, trapping(trap, {"share": "1%"} if kind == "share" else None))
        with disk(trap, kind):
            content = smtp.message(body="x" * 70 + "\n" * 150_000)
            assert refused(smtp.deliver(LMTP, USER, content, source=SPAMMER)), kind
            assert not trap.originals() and not trap.files("tmp"), kind
        wait_until(lambda: running.log().count("mxguard: trap: no copy is kept: ") == number + 1, kind)
        if kind == "a link":
            assert not list((trap.path.parent / "elsewhere").iterdir())
    assert smtp.deliver(LMTP, USER, source=GATEWAY).codes == {USER: 250}


def test_ledger_of_rubbish_is_made_anew(server, trap):
    server(trapping(trap, {"max_total": "1M"}))
    body = smtp.message(body="\n" * 100_000)
    for rubbish in (b"", b"\xff" * 300, b"x"):
        assert refused(smtp.deliver(LMTP, USER, body, source=SPAMMER))
        (trap.path / "usage").write_bytes(rubbish)
    for _ in range(2):
        assert refused(smtp.deliver(LMTP, USER, body, source=SPAMMER))
    assert len(trap.files()) == 4  # as without the rubbish


def test_killed_while_it_writes(server, trap):
    """What is there is whole; what was reserved for the dead is counted away."""
    running = server(trapping(trap), process_limit=20)
    content = smtp.message(body=("x" * 99 + "\n") * 50_000)
    for _ in range(4):
        with contextlib.suppress(smtp.Closed, OSError), smtp.Client(LMTP, source=SPAMMER) as client:
            client.greet()
            client.mail("a@b.example")
            assert client.rcpt(USER).ok
            client.line("DATA")
            client.reply()
            client.send(smtp.dot_stuffed(content))
            for pid in running._processes("lmtp"):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, 9)
            client.reply()
    running.may_crash = True
    wait_until(lambda: not running._processes("lmtp"), "the killed are gone")
    wire = content.replace(b"\n", b"\r\n")
    assert all(found == wire for found in trap.originals()) and not trap.files("tmp")
    assert refused(smtp.deliver(LMTP, USER, source=SPAMMER))
