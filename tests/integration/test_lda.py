# SPDX-License-Identifier: MIT
"""mxguard-lda run as an MTA runs it: decisions, contracts, hostile surroundings, faults."""
from __future__ import annotations

import contextlib
import itertools
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import subprocess
import time

import pytest

from mxg import build
from mxg.dns_script import servfail, timeout
from mxg.hidden import HIDDEN, seen, shown
from mxg.process import PATIENCE

GATEWAY, SPAMMER, RELAY = "192.0.2.10", "203.0.113.66", "198.51.100.7"
USER = "user@example.test"
VOLUME = int(os.environ.get("MXGUARD_VOLUME", "1"))  # 10: ten times as much flows
TOP = f"Received: from gw.example (gw.example [{GATEWAY}])\n\tby mail.example.test (Postfix) with ESMTP id 4Xabc\n" \
      "\tfor <user@example.test>; Mon, 02 Nov 2026 10:00:00 +0000 (UTC)\n"
SPAM_TOP = TOP.replace("gw.example", "spam.example").replace(GATEWAY, SPAMMER)
BODY = "From: <a@sender.example>\nSubject: test\n\nHello.\n.\nFrom here on\n"
FORGED = "Authentication-Results: mxguard.example.test; x-mxguard=pass\n\treason=\"forged\"\n"


def settings(**more):
    return {"mode": "enforce", "self": ["198.51.100.1"], "state_dir": "/nonexistent/mxguard",
            "authserv_id": "mxguard.example.test", "internal": [RELAY],
            "gateways": ({"name": "filters", "allow": f"ip4:{GATEWAY}"},),
            "trace": {"mta": ["postfix"], "by": ["mail.example.test"]}, **more}


class Box:
    """A COMMAND that keeps what it gets: folder/INBOX and folder/Junk, args and environment."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.script = folder / "deliver"
        self.script.write_text('#!/bin/sh\ncat >"$1.part" && mv "$1.part" "$1" || exit 75\nshift\n'
                               f'printf "%s\\n" "$@" >"{folder}/args"\nenv >"{folder}/env"\n')
        self.script.chmod(0o755)
        self.command = [str(self.script), f"{folder}/%{{mailbox}}", "%{verdict}", "%{rcpt}"]

    def __getitem__(self, name: str) -> bytes | None:
        path = self.folder / name
        return path.read_bytes() if path.exists() else None


class Result:
    def __init__(self, process: subprocess.CompletedProcess[bytes]) -> None:
        self.status, self.output, self.errors = process.returncode, process.stdout, process.stderr


@pytest.fixture
def box(folder):
    return Box(folder / "box")


def lda(config, command, *options, data=b"", peer=None, rcpt=USER, env=None, seconds=120, **keywords):
    argv = [str(build.wrapper()), "-c", str(config), "--log", "none", *options]
    argv += [] if peer is None else ["--peer", peer]
    argv += [] if rcpt is None else ["--rcpt", rcpt]
    given = {"stdin": data} if not isinstance(data, (bytes, str)) else \
        {"input": data.encode() if isinstance(data, str) else data}
    return Result(subprocess.run([*argv, "--", *command], capture_output=True, timeout=seconds,
                                 env={"PATH": "/usr/bin:/bin"} if env is None else env, **given, **keywords))


@pytest.fixture
def config(mxguard_config):
    return mxguard_config(settings())


# ---- decisions ------------------------------------------------------------------------------

@pytest.mark.parametrize("peer, mailbox, verdict", [
    (GATEWAY, "INBOX", b"authorized"), (SPAMMER, "Junk", b"direct"), ("unknown", "Junk", b"unknown"),
    ("127.0.0.1", "INBOX", b"internal"), (f"::ffff:{GATEWAY}", "INBOX", b"authorized"),
    ("IPv6:2001:db8::66", "Junk", b"direct")])
def test_peer_decides(config, box, peer, mailbox, verdict):
    message = "Received: from localhost (localhost [127.0.0.1]) by mail.example.test (Postfix) with ESMTP id 1\n" + BODY
    result = lda(config, box.command, data=message, peer=peer)
    assert (result.status, result.output, result.errors) == (0, b"", b"")
    assert box["args"] == verdict + b"\n" + USER.encode() + b"\n"
    stored = box[mailbox]
    assert stored and stored.endswith(message.encode())
    if mailbox == "INBOX":
        assert stored == message.encode()
    else:
        assert stored.startswith(b"Authentication-Results: mxguard.example.test;\n\tx-mxguard=")
    assert f"MXGUARD_VERDICT={verdict.decode()}\n".encode() in box["env"]


@pytest.mark.parametrize("top, mailbox", [(TOP, "INBOX"), (SPAM_TOP, "Junk"), ("", "Junk")])
@pytest.mark.parametrize("kind", ["pipe", "file"])
def test_trace_decides(config, box, folder, top, mailbox, kind):
    message = (top + BODY).encode()
    path = folder / "message"
    path.write_bytes(b"skipped" + message)
    with open(path, "rb") as file:
        os.lseek(file.fileno(), len("skipped"), os.SEEK_SET)
        result = lda(config, box.command, data=file if kind == "file" else message, peer="")
    assert (result.status, result.output) == (0, b"")
    assert box[mailbox].endswith(message)
    assert (box[mailbox] == message) == (mailbox == "INBOX")


def test_client_address_of_the_environment(config, box):
    env = {"CLIENT_ADDRESS": SPAMMER, "RECIPIENT": USER, "SENDER": "a@b.example"}
    assert lda(config, box.command, data=TOP + BODY, rcpt=None, env=env).status == 0
    assert box["Junk"] and not box["INBOX"]


def test_an_explicit_empty_peer_asks_nobody_else(config, box):
    assert lda(config, box.command, data=TOP + BODY, peer="", env={"CLIENT_ADDRESS": SPAMMER}).status == 0
    assert box["INBOX"] == (TOP + BODY).encode()


def test_login_and_place(config, box):
    assert lda(config, box.command, "--login", "alice", data=BODY, peer=SPAMMER).status == 0
    assert box["INBOX"] == BODY.encode()
    result = lda(config, box.command, "--place", "door", data=BODY, peer=SPAMMER)
    assert result.status == 77


def test_reject_and_defer(mxguard_config, box, scripted_dns):
    refuse = mxguard_config(settings(on_direct_queued="reject"))
    result = lda(refuse, box.command, data=BODY, peer=SPAMMER)
    assert result.status == 77 and result.output.startswith(b"5.7.1 Refused: 203.0.113.66 is not ")
    assert result.output.count(b"\n") == 1
    scripted_dns.default = timeout()
    dead = mxguard_config(settings(gateways=({"name": "mx", "allow": "mx"},),
                                   dns={"servers": [scripted_dns.server], "timeout": "1s"}))
    result = lda(dead, box.command, data=BODY, peer=SPAMMER)
    assert result.status == 75 and result.output.startswith(b"4.4.3 ")
    scripted_dns.default = servfail()
    assert lda(dead, box.command, data=BODY, peer=SPAMMER).output.startswith(b"4.4.3 ")
    assert not box["INBOX"] and not box["Junk"]


def test_timeout_is_hard(mxguard_config, box, scripted_dns):
    scripted_dns.default = timeout()
    dead = mxguard_config(settings(gateways=({"name": "mx", "allow": "mx"},),
                                   dns={"servers": [scripted_dns.server], "timeout": "30s"}))
    start = time.monotonic()
    assert lda(dead, box.command, "--timeout", "1", data=BODY, peer=SPAMMER).status == 75
    assert time.monotonic() - start < 20


def test_message_that_never_comes(config, box):
    read, write = os.pipe()
    with open(read, "rb") as stalled, open(write, "wb"):
        start = time.monotonic()
        result = lda(config, box.command, "--timeout", "1", data=stalled, peer="")
    assert result.status == 75 and b"nothing came" in result.output and time.monotonic() - start < 20


def test_several_recipients(mxguard_config, box):
    config = mxguard_config(settings(on_direct_queued="reject", policies=(
        {"domains": ["off.example"], "mode": "off"}, {"domains": ["later.example"], "on_direct_queued": "defer"})))

    def run(*recipients):
        options = [word for each in recipients for word in ("--rcpt", each)]
        return lda(config, box.command, *options, data=BODY, peer=SPAMMER, rcpt=None).status
    assert run("a@off.example", "b@off.example") == 0 and box["INBOX"]
    assert run(USER, "other@example.test") == 77
    assert run(USER, "a@later.example") == 75 and run("a@later.example", USER) == 75
    assert not box["Junk"]
    assert run("a@off.example", USER) == 0 and box["Junk"]


# ---- the message ---------------------------------------------------------------------------------

@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_tag_on_top_forged_ones_gone_everything_else_as_it_was(mxguard_config, box, end):
    config = mxguard_config(settings(tag="always"))
    other = "Authentication-Results: other.example; spf=pass\n"
    message = "From a@sender.example Mon Nov  2 10:00:00 2026\n" + FORGED + TOP + other + FORGED + "X-Odd\n" + BODY + FORGED
    kept = "From a@sender.example Mon Nov  2 10:00:00 2026\n|" + TOP + other + "X-Odd\n" + BODY + FORGED
    assert lda(config, box.command, data=message.replace("\n", end), peer=GATEWAY).status == 0
    first, rest = kept.replace("\n", end).split("|", 1)
    stored = box["INBOX"].decode()
    assert stored.startswith(f"{first}Authentication-Results: mxguard.example.test;{end}\tx-mxguard=pass")
    assert stored.endswith(rest) and stored.count("mxguard.example.test") == 2


def test_forged_field_goes_where_the_header_was_read(config, box):
    assert lda(config, box.command, data=TOP + FORGED + BODY, peer="").status == 0
    assert box["INBOX"] == (TOP + BODY).encode()


@pytest.mark.parametrize("data", [
    b"", b"\n", b"\r\n\r\n", b"no header at all", b"Subject: x", b"A: b\n\n\0\xff\r bare\r\n", b"From \n", b"From x\n\nbody",
    b"X: " + b"y" * 200000 + b"\n\nbody", b"X: y\n" + b" folded\n" * 50000 + b"\nbody",
    b"".join(b"X-%d: y\n" % number for number in range(10000)) + b"\nbody", b"Subject: x\n" * 200000],
    ids=lambda data: f"{len(data)}-{data[:8]!r}")
@pytest.mark.parametrize("tag", ["always", "never"])
def test_odd_messages_arrive_byte_for_byte(mxguard_config, box, data, tag):
    config = mxguard_config(settings(tag=tag, on_untraced="direct", on_direct_queued="tag" if tag == "always" else "accept",
                                     on_unreadable="tag" if tag == "always" else "accept"))
    assert lda(config, box.command, data=data, peer="").status == 0
    stored = box["INBOX"]
    if tag == "always":
        before, _, rest = stored.partition(b"Authentication-Results: mxguard.example.test;")
        lines = rest.split(b"\n")
        count = 1 + next(number for number, line in enumerate(lines[1:]) if not line.startswith(b"\tpolicy")
                         and not line.startswith(b"\tx-mxguard"))
        stored = before + b"\n".join(lines[count:])
    assert stored == data


@pytest.mark.parametrize("size", [1 << 20, (1 << 20) - 200, 3 << 20, 25 << 20])
@pytest.mark.parametrize("peer", [GATEWAY, SPAMMER, ""])
def test_large_messages(config, box, size, peer):
    message = (TOP + BODY).encode() + os.urandom(size)
    assert lda(config, box.command, data=message, peer=peer).status == 0
    assert box["Junk" if peer == SPAMMER else "INBOX"].endswith(message)


# ---- COMMAND ----------------------------------------------------------------------------------------

def test_status_and_output_are_commands_own(config):
    result = lda(config, ["/bin/sh", "-c", "echo out; echo err >&2; exit 42", "%{mailbox}"], data=BODY, peer=GATEWAY)
    assert (result.status, result.output, result.errors) == (42, b"out\n", b"err\n")


def test_signals_are_commands_own(config):
    script = ["/bin/sh", "-c", "kill -9 $$", "%{mailbox}"]
    assert lda(config, script, data=BODY, peer=GATEWAY).status == -9
    assert lda(config, script, "--signal-exit", "75", data=BODY, peer=GATEWAY).status == 75
    assert lda(config, ["/bin/sh", "-c", "exit 3", "%{mailbox}"], "--signal-exit", "75", data=BODY, peer=GATEWAY).status == 3


def test_status_is_commands_own_where_its_end_is_ignored(config):
    """Whoever starts us may ignore SIGCHLD: a delivered message must not look like one to try again."""
    def ignore():
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for script, status in (("exit 0", 0), ("exit 3", 3), ("kill -9 $$", 75)):
        assert lda(config, ["/bin/sh", "-c", script, "%{mailbox}"], "--signal-exit", "75", data=BODY, peer=GATEWAY,
                   preexec_fn=ignore).status == status


@pytest.mark.parametrize("peer", [GATEWAY, SPAMMER])
@pytest.mark.parametrize("options", [(), ("--signal-exit", "75")], ids=["itself", "signal-exit"])
def test_command_ignores_the_signals_that_it_would_have_ignored(config, options, peer):
    """Postfix's servers ignore SIGPIPE and SIGXFSZ, others SIGCHLD; COMMAND is left what its starter has given."""
    look = ["/bin/grep", "Sig[BIC]", "/proc/self/status", "--label=%{mailbox}"]
    seen = set()
    numbers = (signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ, signal.SIGTERM)
    for handlers in itertools.product((signal.SIG_DFL, signal.SIG_IGN), repeat=len(numbers)):
        def start():
            for number, handler in zip(numbers, handlers):
                signal.signal(number, handler)
        plain = subprocess.run(look[:3], stdin=subprocess.DEVNULL, capture_output=True, preexec_fn=start).stdout
        assert lda(config, look, *options, data=BODY, peer=peer, preexec_fn=start).output == plain
        seen.add(plain)
    assert len(seen) == 16


def test_little_stack(config):
    """What is moved from memory to a file, too, needs none of it."""
    def limit():
        resource.setrlimit(resource.RLIMIT_STACK, (65536, 65536))
    body = "x" * 75 + "\n"
    for command, status in ((["/bin/true", "%{mailbox}"], 0), (["/nonexistent/deliver", "%{mailbox}"], 75)):
        assert lda(config, command, data=BODY + body * 30000, peer=GATEWAY, preexec_fn=limit).status == status


@pytest.mark.parametrize("command", ["/nonexistent/deliver", "nonexistent-deliver"])
def test_command_that_is_missing_is_told_to_nobody(config, command):
    """Whoever hears nothing any more gets the status all the same, and no death by SIGPIPE."""
    for stream in ("stdout", "stderr"):
        read, write = os.pipe()
        os.close(read)
        process = subprocess.run([str(build.wrapper()), "-c", str(config), "--log", "none", "--peer", GATEWAY, "--rcpt", USER,
                                  "--", command, "%{mailbox}"], input=BODY.encode(),
                                 **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, stream: write})
        os.close(write)
        assert process.returncode == 75


def test_no_process_in_between_and_nothing_left_open(config):
    script = ["/bin/sh", "-c", "echo $PPID; echo /proc/$$/fd/*; exec grep -E 'Sig(Blk|Ign|Cgt)' /proc/self/status", "%{mailbox}"]
    def without_pids(output):
        lines = output.decode().split("\n")
        return lines[0], [re.sub("/proc/[0-9]+/", "", line) for line in lines[1:]]

    _, plain = without_pids(subprocess.run(script[:3], stdin=subprocess.DEVNULL, capture_output=True).stdout)
    assert plain[0].startswith("fd/0 fd/1 fd/2")
    for peer in (GATEWAY, SPAMMER):
        assert without_pids(lda(config, script, data=BODY, peer=peer).output) == (str(os.getpid()), plain)


def test_command_starts_when_the_message_is_whole(config, box):
    """Also where the peer alone decides: what comes by a pipe may still break off."""
    read, write = os.pipe()
    process = subprocess.Popen([str(build.wrapper()), "-c", str(config), "--log", "none", "--peer", GATEWAY, "--rcpt", USER,
                                "--", "/bin/sh", "-c", f"touch {box.folder}/started; cat", "%{mailbox}"], stdin=read,
                               stdout=subprocess.PIPE)
    os.close(read)
    os.write(write, b"Subject: x\n\nearly ")
    time.sleep(0.3)
    assert box["started"] is None
    os.write(write, b"late")
    os.close(write)
    assert process.stdout.read() == b"Subject: x\n\nearly late" and process.wait(120) == 0
    assert box["started"] is not None


ID = "mxguard.example.test"


@pytest.mark.parametrize("kind", ["pipe", "file"])
@pytest.mark.parametrize("peer", [GATEWAY, ""])
def test_hidden_fields_are_shown(config, box, folder, peer, kind):
    """Whoever decides, and however the message comes."""
    argv = [str(build.wrapper()), "-c", str(config), "--log", "none", "--peer", peer, "--rcpt", USER, "--", *box.command]
    path = folder / "message"
    # Each version of Python sees others of them.
    assert any(ID in value for field in HIDDEN.values() for value in seen((TOP + field + BODY).encode()))
    for end, field in itertools.product(("\n", "\r\n"), HIDDEN.values()):
        message = (TOP + field + BODY).replace("\n", end).encode()
        path.write_bytes(message)
        with path.open("rb") as file:
            source = {"stdin": file} if kind == "file" else {"input": message}
            assert subprocess.run(argv, timeout=PATIENCE, **source).returncode == 0
        assert box["INBOX"] == (TOP + shown(field) + BODY).replace("\n", end).encode()
        assert seen(box["INBOX"]) == []


def test_an_empty_line_that_does_not_end_every_header(config, box):
    """SpamAssassin reads on behind a CR LF where the lines end with LF."""
    message = TOP + "\r\n" + FORGED + "X-More: y\n\n" + BODY + FORGED
    assert lda(config, box.command, data=message, peer=GATEWAY).status == 0
    assert box["INBOX"] == message.replace(FORGED, "", 1).encode()


@pytest.mark.parametrize("kind", ["pipe", "socket", "file"])
@pytest.mark.parametrize("forged", [
    FORGED,
    "Authentication-Results: " + "(c)\n " * 30000 + f"{ID}; x-mxguard=pass\n",
    f"Authentication-Results: \v{ID}; x-mxguard=pass\n",
    f"Authentication-Results: \f{ID}; x-mxguard=pass\n",
    f"Authentication-Results: \0{ID}; x-mxguard=pass\n",
    f"Authentication-Results (c): {ID}; x-mxguard=pass\n",
    f"Authentication-Results: {ID}.; x-mxguard=pass\n",
    f"\rAuthentication-Results: {ID}; x-mxguard=pass\n",
], ids=["plain", "long", "vt", "ff", "nul", "comment", "dot", "cr"])
def test_forged_field_goes_also_where_the_peer_decides(config, box, folder, forged, kind):
    other = "Authentication-Results: other.example; spf=pass\n"
    message = (other + TOP + forged + BODY).encode()
    argv = [str(build.wrapper()), "-c", str(config), "--log", "none", "--peer", GATEWAY, "--rcpt", USER, "--", *box.command]
    path = folder / "message"
    path.write_bytes(message)
    if kind == "socket":
        ours, theirs = socket.socketpair()
        process = subprocess.Popen(argv, stdin=theirs)
        theirs.close()
        ours.sendall(message)
        ours.close()
        assert process.wait(30) == 0
    elif kind == "pipe":
        assert subprocess.run(argv, input=message, timeout=30).returncode == 0
    else:
        with path.open("rb") as file:
            assert subprocess.run(argv, stdin=file, timeout=30).returncode == 0
    assert box["INBOX"] == (other + TOP + BODY).encode()


def test_token_after_a_bare_cr_counts_and_is_removed(mxguard_config, box):
    config = mxguard_config(f'''mode = "enforce"; authserv_id = "{ID}"; tag = "never";
gateways = ( {{ name = "shared"; allow = "ip4:{GATEWAY}"; header = {{ name = "X-Token"; value = "s3cret"; }}; }} );''')
    message = b"Subject: x\n\rodd: line\nX-Token: s3cret\n\nbody\n"
    assert lda(config, box.command, data=message, peer=GATEWAY).status == 0
    assert box["INBOX"] == b"Subject: x\n\rodd: line\n\nbody\n"


@pytest.mark.parametrize("command, text", [
    (["/nonexistent", "%{mailbox}"], b"No such file"), (["/etc/passwd", "%{mailbox}"], b"Permission denied"),
    (["no-such-command", "%{mailbox}"], b"No such file"), (["/tmp", "%{mailbox}"], b"Permission denied")])
@pytest.mark.parametrize("peer", [GATEWAY, SPAMMER])
def test_command_that_cannot_start(config, command, text, peer):
    result = lda(config, command, data=BODY, peer=peer)
    assert result.status == 75 and result.output.startswith(b"4.3.5 ") and text in result.output


def test_arguments_are_never_split(config, box):
    rcpt = '"a b; $(touch x) %{mailbox}"@example.test'
    assert lda(config, box.command, data=BODY, peer=GATEWAY, rcpt=rcpt).status == 0
    # a local part with a "%" may be routed on, and this one nobody can read: not `authorized`
    assert box["args"].decode() == f"unknown\n{rcpt}\n" and box["Junk"] is not None


def test_quarantine_command(config, box, folder):
    other = [str(box.script), f"{folder}/box/plain"]
    line = f"{box.script}  {folder}/box/aside %{{mailbox}} %{{rcpt}}"
    rcpt = '"a b"@example.test'
    assert lda(config, other, "--quarantine-command", line, data=BODY, peer=GATEWAY, rcpt=rcpt).status == 0
    assert box["plain"] and not box["aside"]
    assert lda(config, other, "--quarantine-command", line, data=BODY, peer=SPAMMER, rcpt=rcpt).status == 0
    assert box["aside"] and box["args"].decode() == f"Junk\n{rcpt}\n"


# ---- wrong use ------------------------------------------------------------------------------------------

@pytest.mark.parametrize("options, text", [
    (["--peer", GATEWAY, "--rcpt", USER, "--", "/bin/cat"], b"no way to put a message aside"),
    (["--peer", GATEWAY, "--rcpt", USER, "--", "/bin/cat", "%{mail}"], b"no way to put a message aside"),
    (["--peer", GATEWAY, "--", "/bin/cat", "%{mailbox}"], b"--rcpt is missing"),
    (["--peer", GATEWAY, "--rcpt", USER], b"COMMAND is missing"),
    (["--bogus", "--rcpt", USER, "--", "/bin/cat", "%{mailbox}"], b"there is no option '--bogus'"),
    (["--timeout", "0", "--rcpt", USER, "--", "/bin/cat", "%{mailbox}"], b"--timeout"),
    (["--place", "window", "--rcpt", USER, "--", "/bin/cat", "%{mailbox}"], b"--place"),
    (["-c", "/nonexistent/x.conf", "--rcpt", USER, "--", "/bin/cat", "%{mailbox}"], b"/nonexistent/x.conf")])
def test_wrong_use_defers(config, options, text):
    result = Result(subprocess.run([str(build.wrapper()), "-c", str(config), "--log", "none", *options], input=BODY.encode(),
                                   capture_output=True, env={}, timeout=120))
    assert result.status == 75 and result.output.startswith(b"4.3.5 mxguard-lda: ") and text in result.output


@pytest.mark.parametrize("value", [b"${sasl_username}", b"$&{auth_authen}", b"%{login}", b"\x82\xab", b"a\x01b", b"a\xc3"])
@pytest.mark.parametrize("option", [b"--login", b"--peer"])
def test_a_macro_that_the_mta_left_is_no_login_and_no_peer(config, box, option, value):
    """As sendmail does with $& in a mailer's definition: everybody would have logged in."""
    result = lda(config, box.command, option, value, data=BODY, peer=SPAMMER if option == b"--login" else None)
    assert result.status == 75 and result.output.startswith(b"4.3.5 mxguard-lda: " + option + b" holds a macro")
    assert not box["INBOX"] and not box["Junk"]


def test_a_login_may_be_utf_8(config, box):
    assert lda(config, box.command, "--login", "jos\u00e9@b\u00fccher.example", data=BODY, peer=SPAMMER).status == 0
    assert box["INBOX"]


def test_broken_configuration_defers(mxguard_config, box):
    result = lda(mxguard_config("mode = 7;\n"), box.command, data=BODY, peer=GATEWAY)
    assert result.status == 75 and result.output.startswith(b"4.3.5 ") and b":1: " in result.output


# ---- surroundings -------------------------------------------------------------------------------------------

@pytest.mark.parametrize("closed", [[1], [2], [1, 2]])
@pytest.mark.parametrize("peer", [GATEWAY, SPAMMER])
def test_closed_descriptors(config, box, closed, peer):
    def close():
        for fd in closed:
            os.close(fd)
    assert lda(config, box.command, data=BODY, peer=peer, preexec_fn=close).status == 0
    assert box["Junk" if peer == SPAMMER else "INBOX"].endswith(BODY.encode())


def test_closed_standard_input_defers(config, box):
    result = lda(config, box.command, peer=GATEWAY, preexec_fn=lambda: os.close(0))
    assert result.status == 75 and not box["INBOX"]


def test_hostile_environment(config, box):
    env = {"LD_LIBRARY_PATH": "/nonexistent", "IFS": "/", "PATH": "/nonexistent", "LC_ALL": "xx_YY.bogus", "TMPDIR": "/nonexistent",
           "MXGUARD_VERDICT": "forged", "BASH_ENV": "/nonexistent", "RES_OPTIONS": "attempts:99", "KEPT": "1",
           "POSIXLY_CORRECT": "1"}
    message = (TOP + BODY).encode() + os.urandom(2 << 20)
    command = ["sh", "-c", f'export PATH=/usr/bin:/bin; exec "{box.script}" "$@"', "sh", *box.command[1:]]
    assert lda(config, command, data=message, peer="", env=env).status == 0
    assert box["INBOX"] == message
    seen = box["env"].decode()
    assert "KEPT=1\n" in seen and "forged" not in seen and "LD_LIBRARY_PATH" not in seen and "BASH_ENV" not in seen


def test_little_memory(config, box):
    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (64 << 20, 64 << 20))
    message = (TOP + BODY).encode() + os.urandom(40 << 20)
    assert lda(config, box.command, data=message, peer="", preexec_fn=limit).status == 0
    assert box["INBOX"] == message


def test_unprivileged(mxguard_config, folder, box):
    config = mxguard_config(settings())
    os.chmod(box.folder, 0o777)

    def drop():
        os.setgid(65534)
        os.setuid(65534)
    if os.geteuid() != 0:
        pytest.skip("needs root")
    assert lda(config, box.command, data=(TOP + BODY).encode() + os.urandom(2 << 20), peer="", preexec_fn=drop).status == 0
    assert box["INBOX"]


def test_in_a_chroot(mxguard_config, folder):
    """Nothing but the wrapper, COMMAND, their libraries and the configuration: no /proc, no /dev, no
    resolv.conf. What is too large for memory needs a temporary folder."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    jail = folder / "jail"
    places = {"bin/mxguard-lda": build.wrapper(), "bin/cat": pathlib.Path("/bin/cat"),
              "mxguard.conf": mxguard_config(settings())}
    found = subprocess.run(["ldd", str(build.wrapper()), "/bin/cat"], capture_output=True, check=True, text=True).stdout
    places |= {path.lstrip("/"): path for path in re.findall(r"(/\S+) \(0x", found)}
    for name, source in places.items():
        (jail / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, jail / name)
    argv = ["/bin/mxguard-lda", "-c", "/mxguard.conf", "--log", "none", "--peer", "", "--rcpt", USER, "--",
            "/bin/cat", "-", "%{mailbox}"]

    def enter():
        os.chroot(jail)
        os.chdir("/")

    def deliver(size, **files):
        message = (TOP + BODY).encode() + b"x" * size
        for name, content in files.items():
            (jail / name).write_bytes(content)
        done = subprocess.run(argv, input=message, capture_output=True, preexec_fn=enter)
        return done.returncode, done.stdout.removesuffix(b"inbox"), message
    status, delivered, message = deliver(100, INBOX=b"inbox")
    if build.portable():  # nothing of it is in memory: even a short message needs a place
        assert (status, delivered[:6]) == (75, b"4.3.0 ")
    else:
        assert (status, delivered) == (0, message)
    assert deliver(3 << 20)[0] == 75
    (jail / "tmp").mkdir(exist_ok=True)
    status, delivered, message = deliver(3 << 20)
    assert (status, delivered) == (0, message)


@pytest.mark.parametrize("limit, value", [(resource.RLIMIT_FSIZE, 100000), (resource.RLIMIT_NOFILE, 4)])
def test_limits_defer(config, box, limit, value):
    message = (TOP + BODY).encode() + os.urandom(3 << 20)
    result = lda(config, box.command, data=message, peer="", preexec_fn=lambda: resource.setrlimit(limit, (value, value)))
    assert result.status == 75
    assert not box["INBOX"] and not box["Junk"]


def test_full_disk(config, box, folder):
    """A spool folder on a file system that is too small."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    small = folder / "small"
    small.mkdir()
    message = (TOP + BODY).encode() + os.urandom(5 << 20)
    command = f'mount -t tmpfs -o size=2m none {small} && exec "$@"'
    argv = [str(build.wrapper()), "-c", str(config), "--log", "none", "--peer", "", "--rcpt", USER, "--spool-dir", str(small),
            "--", *box.command]
    result = subprocess.run(["unshare", "-m", "sh", "-c", command, "sh", *argv], input=message, capture_output=True)
    assert result.returncode == 75 and result.stdout.startswith(b"4.3.1 ") and b"No space left" in result.stdout
    assert not box["INBOX"]


# ---- killed ---------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGPIPE])
@pytest.mark.parametrize("peer", [GATEWAY, SPAMMER, ""])
def test_killed_at_any_moment_nothing_truncated_is_delivered(config, box, number, peer):
    message = (TOP + BODY).encode() + os.urandom(25 << 20)
    for step in range(12):
        process = subprocess.Popen([str(build.wrapper()), "-c", str(config), "--log", "none", "--peer", peer, "--rcpt", USER,
                                    "--", *box.command], stdin=subprocess.PIPE)
        part = len(message) * step // 11
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(message[:part])
            process.stdin.flush()
        time.sleep(0.003 * step)
        process.send_signal(number)
        with contextlib.suppress(BrokenPipeError):
            # COMMAND has the pipe itself: it is for the MTA to end it. SIGPIPE does not end us.
            if peer == GATEWAY or number == signal.SIGPIPE:
                process.stdin.write(message[part:])
            process.stdin.close()
        process.wait(120)
        for name in ("INBOX", "Junk"):
            if box[name] is not None:
                assert box[name].endswith(message)


def test_command_that_never_reads(config):
    message = (TOP + BODY).encode() + os.urandom(4 << 20)
    assert lda(config, ["/bin/sh", "-c", "exit 0", "%{mailbox}"], data=message, peer="").status == 0


def test_decisions_are_logged(config, box):
    process = subprocess.run([str(build.wrapper()), "-c", str(config), "--log", "stderr", "--peer", SPAMMER, "--rcpt", USER, "--id",
                              "4Xabc", "--from", "a@b.example", "--", *box.command], input=BODY.encode(), capture_output=True)
    assert process.stderr.startswith(b"mxguard: verdict=direct action=quarantine would=- mode=enforce place=queued peer=203.0.113.66")
    assert b"id=<4Xabc>" in process.stderr and process.stderr.count(b"\n") == 1


def test_what_is_doubtful_in_the_configuration_is_logged(mxguard_config, box):
    config = mxguard_config({"mode": "enforce", "gateways": ({"name": "mx", "allow": "mx"},)})
    process = subprocess.run([str(build.wrapper()), "-c", str(config), "--log", "stderr", "--peer", "", "--login", USER, "--rcpt",
                              USER, "--", *box.command], input=BODY.encode(), capture_output=True)
    warning, decision = process.stderr.decode().splitlines()
    assert warning.startswith("mxguard: ") and "no domain is listed" in warning and "verdict=authenticated" in decision
    assert process.returncode == 0


@pytest.mark.slow
def test_a_gigabyte_in_64_megabytes(config):
    """By a pipe, through the spool, to a COMMAND that counts."""
    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (64 << 20, 64 << 20))
    process = subprocess.Popen([str(build.wrapper()), "-c", str(config), "--log", "none", "--peer", "", "--rcpt", USER, "--",
                                "/bin/sh", "-c", "wc -c", "%{mailbox}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               preexec_fn=limit)
    piece = b"x" * 76 + b"\n"
    piece *= 10000
    process.stdin.write(TOP.encode() + b"\n")
    for _ in range((1 << 30) // len(piece)):
        process.stdin.write(piece)
    process.stdin.close()
    assert int(process.stdout.read()) == len(TOP) + 1 + (1 << 30) // len(piece) * len(piece)
    assert process.wait(60) == 0


@pytest.mark.slow
def test_many_deliveries_at_once(config, box):
    """Batches of 50, as an MTA runs them."""
    counter = ["/bin/sh", "-c", f"cat >/dev/null; echo >>{box.folder}/count", "%{mailbox}"]
    total = 1000 * VOLUME
    for _ in range(total // 50):
        batch = [subprocess.Popen([str(build.wrapper()), "-c", str(config), "--log", "none", "--peer", peer, "--rcpt", USER, "--",
                                   *counter], stdin=subprocess.PIPE) for peer in (GATEWAY, SPAMMER) * 25]
        for process in batch:
            process.stdin.write(BODY.encode())
            process.stdin.close()
        assert {process.wait(120) for process in batch} == {0}
    assert len(box["count"]) == total


def test_no_process_can_be_made(config, box):
    """--signal-exit needs one. The user is nobody else's: the limit counts all processes of a user."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    user = 100000 + os.getpid()

    def limit():
        resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
        os.setgid(65534)
        os.setuid(user)
    hold = subprocess.Popen(["/bin/sleep", "30"], preexec_fn=lambda: os.setuid(user))
    try:
        result = lda(config, box.command, "--signal-exit", "75", data=BODY, peer=GATEWAY, preexec_fn=limit)
        assert result.status == 75 and result.output.startswith(b"4.3.0 mxguard-lda: fork: ")
    finally:
        hold.kill()
        hold.wait()
