# SPDX-License-Identifier: MIT
"""mxguard-lda behind real MTAs, in front of real delivery agents: messages in, mailboxes out."""
from __future__ import annotations

import contextlib
import hashlib
import os
import pathlib
import random
import re
import shutil
import signal
import threading
import time

import pytest

from mxg import build, smtp
from mxg import postfix as postfix_config
from mxg.dns_script import answer, refused, timeout
from mxg.process import wait_until

SMTP = ("192.0.2.1", 25)
GATEWAY, SPAMMER = "192.0.2.10", "203.0.113.66"
USER = "user@example.test"
VOLUME = int(os.environ.get("MXGUARD_VOLUME", "1"))  # 10: ten times as much flows
MACROS = ("--peer=${client_address} --helo=${client_helo} --from=${sender} --rcpt=${recipient} "
          "--original-rcpt=${original_recipient} --login=${sasl_username} --id=${queue_id}")
FETCHED = ("Received: from imap.example.net [198.51.100.99]\n\tby mail.example.test with IMAP (fetchmail-6.4.37)\n"
           "\tfor <user@example.test> (single-drop); Mon, 02 Nov 2026 10:00:00 +0000 (UTC)\n")


def unpacked(name: str, path: str) -> pathlib.Path:
    folder = pathlib.Path(os.environ.get("MXGUARD_MTA_DIR") or build.ROOT / ".cache" / "mta")
    found = folder / name / path
    if not found.exists():
        pytest.skip(f"{name} is not unpacked: script/install test")
    return found


def settings(mta="postfix", **more):
    return {"mode": "enforce", "self": ["198.51.100.1"], "state_dir": "/nonexistent/mxguard",
            "authserv_id": "mxguard.example.test",
            "gateways": ({"name": "filters", "allow": f"ip4:{GATEWAY}"},),
            "trace": {"mta": [mta, "fetchmail"], "by": ["mail.example.test"]}, **more}


class Boxes:
    """Where an agent delivers to, whichever it is."""

    def __init__(self, read) -> None:
        self._read = read

    def __getitem__(self, name: str) -> list[bytes]:
        return self._read(name)

    def wait(self, name: str, count: int) -> list[bytes]:
        wait_until(lambda: len(self[name]) >= count, f"{count} in {name}")
        assert len(self[name]) == count
        return self[name]


def mbox(path: pathlib.Path) -> list[bytes]:
    text = path.read_bytes() if path.exists() else b""
    return re.split(rb"(?m)(?=^From \S+ )", text)[1:]


@pytest.fixture
def dovecot_lda(dovecot):
    def start(**more):
        lookups = "service auth {\n  unix_listener auth-userdb {\n    mode = 0666\n  }\n}\n"
        lookups += "service stats {\n  unix_listener stats-writer {\n    mode = 0666\n  }\n}\n"
        store = dovecot(lmtp=[], extra=lookups, **more)
        store.log_path.chmod(0o666)
        command = f"/usr/lib/dovecot/dovecot-lda -c {store.config} -d {USER} -m %{{mailbox}} " \
                  "-o lda_mailbox_autocreate=yes -o lda_mailbox_autosubscribe=yes"
        return command, Boxes(lambda name: store.messages(USER, name))
    return start


@pytest.fixture
def maildrop(folder):
    def start():
        program = unpacked("maildrop", "usr/bin/maildrop")
        library = unpacked("courier-authlib", "usr/lib/libcourierauth.so.0")
        box = folder / "box"
        box.mkdir(mode=0o700)
        own = box / "maildrop"  # without the bit that makes the loader ignore LD_LIBRARY_PATH
        shutil.copyfile(program, own)
        own.chmod(0o755)
        (box / "filter").write_text(f'HOME="{box}"\nto "{box}/$MXGUARD_MAILBOX"\n')
        (box / "filter").chmod(0o600)
        run = box / "run"  # the library is not where the loader looks, and LD_… does not pass the wrapper
        run.write_text(f"#!/bin/sh\nexport HOME={box} LD_LIBRARY_PATH={library.parent}\nexec {own} {box}/filter\n")
        run.chmod(0o755)
        for path in (box, box / "filter"):
            shutil.chown(path, "nobody", "nogroup")
        return f"{run} %{{mailbox}}", Boxes(lambda name: mbox(box / name))
    return start


@pytest.fixture
def procmail(folder):
    def start():
        program = unpacked("procmail", "usr/bin/procmail")
        own = folder / "procmail"  # without the bits that make it another user
        shutil.copyfile(program, own)
        own.chmod(0o755)
        box = folder / "box"
        box.mkdir(mode=0o755)
        (box / "rc").write_text(f"MAILDIR={box}\nDEFAULT={box}/INBOX\nORGMAIL={box}/INBOX\nLOCKFILE={box}/lock\n"
                                ":0\n* ! 1 ?? ^INBOX$\n$1\n")
        for path in (box, box / "rc"):
            shutil.chown(path, "nobody", "nogroup")
        return f"{own} -p -a %{{mailbox}} {box}/rc", Boxes(lambda name: mbox(box / name))
    return start


@pytest.fixture
def agent(request, dovecot_lda, maildrop, procmail):
    return {"dovecot-lda": dovecot_lda, "maildrop": maildrop, "procmail": procmail}[request.param]()


def guarded(postfix, dovecot, config, command, main=(), more="null_sender="):
    auth = dovecot(lmtp=[]).auth_socket
    return postfix(main={"virtual_transport": "guarded", "guarded_destination_recipient_limit": "1", **dict(main)},
                   smtpd=[(*SMTP, postfix_config.sasl_by(auth)), ("127.0.0.1", 25, {})],
                   services=postfix_config.pipe_service(
                       "guarded", f"{build.wrapper()} -c {config} {MACROS} -- {command}",
                       flags="FRq" if "procmail" in command else "Rq", more=more))


def deliver(source, **keywords):
    return smtp.deliver(SMTP, USER, lmtp=False, source=source, **keywords).final(USER).code


def deliver_logged_in(source, to=USER):
    with smtp.Client(SMTP, source=source, lmtp=False) as client:
        client.greet()
        assert client.auth_plain(USER, "secret").code == 235
        client.mail(USER)
        client.rcpt(to)
        assert client.data(smtp.message(subject="login"))[to].ok


def deliver_fetched(server=("127.0.0.1", 25), user=USER):
    """As fetchmail does: what it got elsewhere, by SMTP from this host."""
    fetched = smtp.deliver(server, user, smtp.message(subject="fetched", header=FETCHED), lmtp=False, helo="localhost",
                           source="127.0.0.1")
    assert fetched.final(user).code == 250


def no_bounce(mta):
    assert "status=bounced" not in mta.log() and "non-delivery notification" not in mta.log()


AGENTS = pytest.mark.parametrize("agent", ["dovecot-lda", "maildrop", "procmail"], indirect=True)


@AGENTS
def test_postfix_pipe(postfix, dovecot, mxguard_config, agent):
    command, boxes = agent
    mta = guarded(postfix, dovecot, mxguard_config(settings()), command)
    assert deliver(GATEWAY, content=smtp.message(subject="gateway")) == 250
    boxes.wait("INBOX", 1)
    assert deliver(SPAMMER, content=smtp.message(subject="direct")) == 250
    junk = boxes.wait("Junk", 1)[0]
    assert b"Subject: direct" in junk and junk.count(b"\tx-mxguard=fail") == 1
    deliver_logged_in(SPAMMER)
    boxes.wait("INBOX", 2)
    mta.sendmail(smtp.message(subject="local"), USER)
    boxes.wait("INBOX", 3)
    deliver_fetched()
    boxes.wait("INBOX", 4)
    mta.wait_empty()
    no_bounce(mta)
    assert len(boxes["Junk"]) == 1


def nobodys_box(folder, line):
    """A folder that pipe(8)'s user may write into, and a script that does: LINE, with {box}."""
    box, script = folder / "box", folder / "script"
    box.mkdir()
    shutil.chown(box, "nobody")
    script.write_text(f"#!/bin/sh\n{line.replace('{box}', str(box))}\n")
    script.chmod(0o755)
    return box, script


def test_command_ignores_what_it_ignores_behind_postfix_alone(postfix, mxguard_config, folder):
    """One transport with mxguard-lda, one without."""
    box, look = nobodys_box(folder, "grep SigIgn /proc/self/status >{box}/part.$1 && mv {box}/part.$1 {box}/$1")
    services = postfix_config.pipe_service("guarded", f"{build.wrapper()} -c {mxguard_config(settings())} {MACROS} -- "
                                                      f"{look} INBOX %{{mailbox}}") + \
        postfix_config.pipe_service("plain", f"{look} plain")
    postfix(main={"virtual_transport": "guarded", "guarded_destination_recipient_limit": "1",
                  "transport_maps": "inline:{ plain@example.test=plain: }"},
            smtpd=[(*SMTP, {}), ("127.0.0.1", 25, {})], services=services)
    for user in (USER, "plain@example.test"):
        assert smtp.deliver(SMTP, user, lmtp=False, source=GATEWAY).final(user).code == 250
    seen = [wait_until(lambda: (box / name).exists() and (box / name).read_text(), f"{name} is there") for name in ("INBOX", "plain")]
    ignored = int(seen[1].split()[1], 16)
    assert seen[0] == seen[1] and all(ignored & 1 << number - 1 for number in (signal.SIGPIPE, signal.SIGXFSZ))


@pytest.mark.parametrize("agent", ["dovecot-lda"], indirect=True)
def test_postfix_waits_while_dns_is_down(postfix, dovecot, mxguard_config, agent, scripted_dns):
    command, boxes = agent
    scripted_dns.default = timeout()
    config = mxguard_config(settings(gateways=({"name": "mx", "allow": "mx"},),
                                     dns={"servers": [scripted_dns.server], "timeout": "1s"}))
    mta = guarded(postfix, dovecot, config, command)
    assert deliver(GATEWAY) == 250
    mta.wait_log(r"status=deferred \(.*")
    assert re.search(r"dsn=4\.4\.3, status=deferred \(4\.4\.3 Try again later", mta.log()) or \
        re.search(r"dsn=4\.4\.3, status=deferred \(.*Try again later", mta.log()), mta.log()[-1500:]
    assert not boxes["INBOX"] and len(mta.waiting()) == 1
    scripted_dns.update({("example.test", "MX"): answer("10 gw.example.test"), ("gw.example.test", "A"): answer(GATEWAY)})
    mta.flush()
    boxes.wait("INBOX", 1)
    mta.wait_empty()
    no_bounce(mta)


@pytest.mark.parametrize("agent", ["dovecot-lda"], indirect=True)
def test_postfix_refusal_and_trouble(postfix, dovecot, mxguard_config, agent):
    """A refusal is the one thing that bounces; a broken configuration and a missing COMMAND wait."""
    command, boxes = agent
    config = mxguard_config(settings(on_direct_queued="reject"))
    mta = guarded(postfix, dovecot, config, command)
    assert deliver(SPAMMER) == 250
    mta.wait_log(r"dsn=5\.7\.1, status=bounced \(.*203\.0\.113\.66 is not an authorized gateway")
    text = config.read_text()
    config.write_text("mode = nonsense;\n")
    assert deliver(GATEWAY) == 250
    mta.wait_log(r"dsn=4\.3\.5, status=deferred \(.*mode")
    config.write_text(text)
    mta.flush()
    boxes.wait("INBOX", 1)


def test_dovecot_lda_without_junk(postfix, dovecot, dovecot_lda, mxguard_config):
    """Without lda_mailbox_autocreate dovecot-lda puts it into INBOX by itself, though with our field
    in it: so the manual's snippet has the setting, and the mailbox is made."""
    command, boxes = dovecot_lda(special_use="\\Archive")
    config = mxguard_config(settings(quarantine_mailbox="Suspicious"))
    mta = guarded(postfix, dovecot, config, command)
    assert deliver(SPAMMER) == 250
    boxes.wait("Suspicious", 1)
    mta.wait_empty()
    no_bounce(mta)
    assert not boxes["INBOX"]
    mta.stop()
    without = command.replace("lda_mailbox_autocreate=yes", "lda_mailbox_autocreate=no")
    config = mxguard_config(settings(quarantine_mailbox="Missing"))
    mta = guarded(postfix, dovecot, config, without)
    assert deliver(SPAMMER) == 250
    assert b"\tx-mxguard=fail" in boxes.wait("INBOX", 1)[0]
    mta.wait_empty()
    no_bounce(mta)
    assert not boxes["Missing"]


def test_null_sender(postfix, dovecot, dovecot_lda, mxguard_config):
    command, boxes = dovecot_lda()
    mta = guarded(postfix, dovecot, mxguard_config(settings()), command)
    assert deliver(GATEWAY, sender="") == 250
    boxes.wait("INBOX", 1)
    mta.wait_empty()


def by_mailbox_command(postfix, config, command, auth=None):
    return postfix(main={"mydestination": "example.test", "virtual_mailbox_domains": "", "local_recipient_maps": "",
                         "mailbox_command": f"{build.wrapper()} -c {config} -- {command}"},
                   smtpd=[(*SMTP, postfix_config.sasl_by(auth) if auth else {}), ("127.0.0.1", 25, {})])


@AGENTS
def test_postfix_mailbox_command(postfix, dovecot, mxguard_config, agent):
    """local(8) exports what it knows of the client by itself, the login too."""
    command, boxes = agent
    config = mxguard_config(settings(default_domain="example.test"))
    mta = by_mailbox_command(postfix, config, command, dovecot(lmtp=[]).auth_socket)
    user = "nobody@example.test"
    for source in (GATEWAY, SPAMMER):
        assert smtp.deliver(SMTP, user, lmtp=False, source=source).final(user).code == 250
    boxes.wait("INBOX", 1)
    junk = boxes.wait("Junk", 1)[0]
    assert b"\tx-mxguard=fail" in junk
    mta.sendmail(smtp.message(subject="local"), user)
    boxes.wait("INBOX", 2)
    deliver_fetched(user=user)
    boxes.wait("INBOX", 3)
    deliver_logged_in(SPAMMER, to=user)
    boxes.wait("INBOX", 4)
    mta.wait_empty()
    no_bounce(mta)
    assert len(boxes["Junk"]) == 1


@pytest.mark.parametrize("agent", ["dovecot-lda"], indirect=True)
@pytest.mark.parametrize("patience", ["3s", "1h"])
def test_postfix_waiting_has_an_end(postfix, dovecot, mxguard_config, agent, scripted_dns, patience):
    """Whose reverse zone never answers waits for a while, and then in Junk; with more patience than
    the queue has, a bounce goes to the forged sender."""
    command, boxes = agent
    scripted_dns.default = refused()
    config = mxguard_config(settings(gateways=({"name": "filter", "allow": "ptr:filter.example"},), patience=patience,
                                     dns={"servers": [scripted_dns.server], "timeout": "1s"}))
    mta = guarded(postfix, dovecot, config, command,
                  main={"maximal_queue_lifetime": "300s" if patience == "3s" else "4s", "maximal_backoff_time": "2s"})
    assert deliver(SPAMMER, sender="forged@elsewhere.test") == 250
    mta.wait_log(r"dsn=4\.4\.3, status=deferred \(.*")
    assert not boxes["INBOX"] and not boxes["Junk"]
    if patience == "1h":
        wait_until(lambda: mta.flush() or "status=expired, returned to sender" in mta.log(), "the bounce", pause=1)
        assert not boxes["Junk"]
        return
    wait_until(lambda: mta.flush() or boxes["Junk"], "the end of waiting", pause=1)
    junk = boxes.wait("Junk", 1)[0]
    assert b"x-mxguard=temperror" in junk and b"reason=\"dns-refused\"" in junk
    mta.wait_empty()
    no_bounce(mta)
    assert not boxes["INBOX"]


def test_postfix_mailbox_command_waits_while_dns_is_down(postfix, mxguard_config, procmail, scripted_dns):
    command, boxes = procmail()
    scripted_dns.default = timeout()
    config = mxguard_config(settings(gateways=({"name": "mx", "allow": "mx"},),
                                     dns={"servers": [scripted_dns.server], "timeout": "1s"}))
    mta = by_mailbox_command(postfix, config, command)
    user = "nobody@example.test"
    for source in (GATEWAY, SPAMMER):
        assert smtp.deliver(SMTP, user, lmtp=False, source=source).final(user).code == 250
    wait_until(lambda: mta.log().count("dsn=4.4.3, status=deferred") >= 2, "both wait")
    assert not boxes["INBOX"] and not boxes["Junk"] and len(mta.waiting()) == 2
    scripted_dns.update({("example.test", "MX"): answer("10 gw.example.test"), ("gw.example.test", "A"): answer(GATEWAY)})
    mta.flush()
    boxes.wait("INBOX", 1)
    boxes.wait("Junk", 1)
    mta.wait_empty()
    no_bounce(mta)


EXIM_PIPE = """file:
  driver = pipe
  command = {wrapper} -c {config} --signal-exit 75 -- {command}
  environment = <; CLIENT_ADDRESS=$sender_host_address ; SASL_USERNAME=${{listquote{{;}}{{$authenticated_id}}}}
  user = nobody
  group = nogroup
  return_fail_output
  timeout_defer
"""


EXIM_LOGIN = """plain:
  driver = plaintext
  public_name = PLAIN
  server_condition = ${if eq{$auth3}{secret}}
  server_set_id = $auth2
"""


def exim_pipe(config, command):
    """Exim takes nothing that a client chose into a command's arguments: it goes by the
    environment, where Exim itself puts RECIPIENT and SENDER."""
    return EXIM_PIPE.format(wrapper=build.wrapper(), config=config, command=command)


@AGENTS
def test_exim_pipe(exim, mxguard_config, agent, folder):
    command, boxes = agent
    config = mxguard_config(settings("exim"))
    mta = exim(transports=exim_pipe(config, command), authenticators=EXIM_LOGIN)
    assert deliver(GATEWAY) == 250
    boxes.wait("INBOX", 1)
    assert deliver(SPAMMER) == 250
    junk = boxes.wait("Junk", 1)[0]
    assert junk.count(b"\tx-mxguard=fail") == 1
    mta.sendmail(smtp.message(subject="local"), USER)
    boxes.wait("INBOX", 2)
    deliver_logged_in(SPAMMER)
    boxes.wait("INBOX", 3)
    deliver_fetched(SMTP)
    boxes.wait("INBOX", 4)
    wait_until(lambda: mta.log().count("Completed") == 5, "all are done")
    assert mta.waiting() == [] and "**" not in mta.log() and len(boxes["Junk"]) == 1


def test_exim_waits_and_refuses(exim, mxguard_config, scripted_dns, dovecot_lda):
    scripted_dns.default = timeout()
    command, boxes = dovecot_lda()
    config = mxguard_config(settings("exim", on_direct_queued="reject", gateways=({"name": "mx", "allow": "mx"},),
                                     dns={"servers": [scripted_dns.server], "timeout": "1s"}))
    mta = exim(transports=exim_pipe(config, command))
    assert deliver(GATEWAY) == 250
    mta.wait_log(r"== user@example\.test .*Child process of file transport returned 75")
    scripted_dns.update({("example.test", "MX"): answer("10 gw.example.test"), ("gw.example.test", "A"): answer(GATEWAY)})
    mta.run_queue()
    boxes.wait("INBOX", 1)
    assert deliver(SPAMMER) == 250
    mta.wait_log(r"\*\* user@example\.test .*returned 77")


# ---- killed while mail flows ---------------------------------------------------------------------

def wrappers(wrapper: str) -> list[int]:
    """The pids of mxguard-lda, which are pipe(8)'s children, in this namespace."""
    found = []
    for name in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            if name.isdigit() and os.readlink(f"/proc/{name}/exe") == wrapper:
                found.append(int(name))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("source", [GATEWAY, SPAMMER])
def test_killed_while_mail_flows_nothing_is_lost_or_truncated(postfix, dovecot, mxguard_config, folder, source):
    if os.getpid() > 100000 or len(list(pathlib.Path("/proc").glob("[0-9]*"))) > 200:
        pytest.skip("not in a process namespace of its own")
    box, keep = nobodys_box(folder, "cat >{box}/part.$$ && mv {box}/part.$$ {box}/done.$$.$(date +%s%N)")
    mta = guarded(postfix, dovecot, mxguard_config(settings()), f"{keep} %{{mailbox}}",
                  main={"guarded_destination_concurrency_limit": "10", "minimal_backoff_time": "1s", "maximal_backoff_time": "2s"})
    bodies = {}
    stop = threading.Event()
    killed = []

    def kill():
        wrapper = str(build.wrapper())
        while not stop.is_set():
            for pid in wrappers(wrapper):
                if random.random() < 0.5:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, random.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGPIPE]))
                        killed.append(pid)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        with smtp.Client(SMTP, source=source, lmtp=False) as client:
            client.greet()
            for number in range(200 * VOLUME):
                body = random.randbytes(random.choice([300, 60000, 1500000])).hex()
                text = "\n".join(body[at:at + 76] for at in range(0, len(body), 76)) + "\n"
                bodies[f"message-{number}"] = hashlib.sha256(text.encode()).digest()
                client.mail("a@sender.example")
                client.rcpt(USER)
                assert client.data(smtp.message(subject=f"message {number}", body=text))[USER].ok
    finally:
        stop.set()
        killer.join()
    wait_until(lambda: mta.flush() or not mta.waiting(), "the queue is empty", 60 * VOLUME, 0.5)
    no_bounce(mta)
    seen = set()
    for path in box.glob("done.*"):
        header, _, body = path.read_bytes().partition(b"\n\n")
        name = re.search(rb"(?m)^Subject: message (\d+)$", header)[1].decode()
        assert hashlib.sha256(body).digest() == bodies[f"message-{name}"], path
        seen.add(f"message-{name}")
    assert seen == set(bodies) and len(killed) > 20
