# SPDX-License-Identifier: MIT
"""Accounting: senders that try again, as MTAs do, while everything around Dovecot fails. Each
message ends up delivered or refused, byte for byte; a second copy is there only where our reply
was lost; and what is put aside is never in INBOX, whatever Junk says to it. MXGUARD_ACCOUNTING is
the number of messages."""
import collections
import concurrent.futures
import contextlib
import itertools
import os
import random
import re
import signal
import threading
import time

import pytest

from mxg import smtp
from mxg.dns_script import answer, delayed, servfail, timeout
from mxg.dovecot import version
from mxg.mxguard import mxguard
from mxg.process import run, wait_until
from test_dovecot_async import KNOWN, MANY
from test_dovecot_faults import RECEIVED, STAGES, TRACE
from test_dovecot_rcpt import GATEWAY, LMTP, MX, SPAMMER, dns_policy, server  # noqa: F401

MESSAGES = int(os.environ.get("MXGUARD_ACCOUNTING", "300"))
TRIES_UNDER_FAULTS = 3
FORGED = "Authentication-Results: mxguard.example.test; x-mxguard=pass\n"
# What Dovecot and mxguard put on top; nothing else may differ from what was sent.
ON_TOP = re.compile(rb"(?:(?:Return-Path|Delivered-To|Received|Authentication-Results):"
                    rb".*\n(?:[ \t].*\n)*)*")
FULL = "full@example.test"  # whose disk is full
LOCKED = "locked@example.test"  # who may not put anything into Junk
if version() >= (2, 4):
    LIMITS = {"extra": "acl_driver = vfile\nquota \"User quota\" {\n  driver = count\n}\n"}
    TIGHT = "quota \"User quota\" {\n  storage_size = 2M\n}\nquota_storage_grace = 0\n" \
            "namespace inbox {\n  mailbox Junk {\n    quota_storage_percentage = 1\n  }\n}\n"
else:
    LIMITS = {"plugin": {"acl": "vfile", "quota": "maildir:User quota"}}
    TIGHT = "plugin {\n  quota_rule = *:bytes=100000000\n  quota_rule2 = Junk:bytes=-99990000\n  quota_grace = 0\n}\n"
OWN_PANIC = re.compile(
    r" lmtp\(\S+\)<(?P<refused>\d+)><\S+>: Error: auth-master: .*connect\(\S+/auth-userdb\) failed: Connection refused$|"
    r" lmtp\(\S+\)<(?P<panics>\d+)><\S+>: Panic: file auth-master\.c: line \d+ \(auth_master_connect\): assertion failed: "
    r"\(conn->to_connect == NULL\)$|"
    r"service\(lmtp\): child (?P<killed>\d+) killed with signal 6 ")
GOOD = answer("10 gw.example.test", ttl=0)


def numbered(number: int, top: str) -> bytes:
    rng = random.Random(number)
    body = "".join(f"{rng.getrandbits(256):064x}\n" for _ in range(rng.randrange(1, 400)))
    return smtp.message(subject=f"number {number}", header=top, body=body)


class Message:
    """One message, its recipients, and what came of every attempt."""

    def __init__(self, number: int) -> None:
        rng = random.Random(number * 7919)
        self.number = number
        self.source = rng.choice((GATEWAY, GATEWAY, KNOWN, SPAMMER))
        self.outside = rng.random() < 0.5
        domains = ("example.test", "example.test", "slow.test")
        names = [f"{letter}{number}@{rng.choice(domains)}" for letter in "abc"[:rng.randrange(1, 4)]]
        if rng.random() < 0.05:
            names.append(FULL)
        if rng.random() < 0.05:
            names.append(LOCKED)
        self.stage = rng.choice(STAGES) if rng.random() < 0.3 else ""  # where the client goes
        self.leave = rng.choice((smtp.Client.abort, smtp.Client.close))
        self.cut = rng.random()
        self.top = RECEIVED.format(self.source)
        self.outcomes = {name: [] for name in names}

    @property
    def aside(self) -> bool:
        """It is to be put aside wherever it is delivered."""
        return self.source == SPAMMER and not self.outside

    @property
    def pending(self) -> list[str]:
        return [name for name, outcomes in self.outcomes.items()
                if not outcomes or outcomes[-1] not in (250, 550)]

    def attempt(self, running) -> None:
        """Outcomes: a code; "cut", it was not sent whole; "lost", it was, without a reply."""
        state = dict.fromkeys(self.pending, "cut")
        stage, self.stage = self.stage, ""
        try:
            where, source = (LMTP, self.source) if self.outside else (running.socket, None)
            with smtp.Client(where, source=source, seconds=120) as client:
                self._talk(client, state, stage)
                if stage:
                    self.leave(client)
        except (OSError, AssertionError):
            pass  # a reload or stop ended the connection
        for name, outcome in state.items():
            self.outcomes[name].append(outcome)

    def _talk(self, client, state, stage) -> None:
        if stage == "connect":
            return
        client.greet()
        if stage == "greet":
            return
        client.mail("a@sender.example")
        if stage == "mail":
            return
        if stage in ("rcpt", "pipelined"):
            lines = [f"RCPT TO:<{name}>" for name in state] + ["DATA"]
            client.line(lines[0] if stage == "rcpt" else "\r\n".join(lines))
            return
        for name in state:
            reply = client.rcpt(name)
            state[name] = "cut" if reply.ok else reply.code
        if client.accepted:
            self._send(client, state, stage)

    def _send(self, client, state, stage) -> None:
        wire = smtp.dot_stuffed(numbered(self.number, self.top + FORGED))
        reply = client.command("DATA")
        if stage == "data" or reply.code != 354:
            return
        if stage in ("half", "dot"):
            client.send(wire[:-3 if stage == "dot" else int(self.cut * (len(wire) - 4))])
            return
        state.update(dict.fromkeys(client.accepted, "lost"))
        client.send(wire)
        if stage == "end":
            return
        for name in client.accepted:
            code = client.reply().code
            # With 421 Dovecot ends; it may have delivered before.
            state[name] = "lost" if code == 421 else code


def large_and_aside(first) -> Message:
    """One that no tight Junk takes and a locked one neither, whose client stays to its end."""
    return next(message for message in map(Message, itertools.count(first)) if message.aside and not message.stage
                and LOCKED in message.outcomes and len(numbered(message.number, "")) > 21_000)


class Trouble(threading.Thread):
    """Everything that can fail does, in turn, until `ended` is set; then all is well again."""

    def __init__(self, running, dns, state) -> None:
        super().__init__()
        self.running, self.dns, self.state = running, dns, state
        self.good = running.policy.read_bytes()
        self.usual = running.config.read_text()
        self.ended = threading.Event()
        self.more = []  # messages
        self.happened = collections.Counter()
        self.failure = None

    def run(self) -> None:
        faults = [self.slow, self.servfail, self.silent, self.dns_dead, self.broken, self.broken_at_reload,
                  self.snapshot_gone, self.snapshot_rubbish, self.reload, self.stop, self.junk_full]
        rng = random.Random(1)
        try:
            while not self.ended.is_set() or len(self.happened) < len(faults):
                for fault in rng.sample(faults, len(faults)):
                    fault()
                    self.happened[fault.__name__] += 1
                    self.calm()
                    self.ended.wait(0.2)
        except BaseException as failure:  # the test raises it
            self.failure = failure
            self.calm()

    def calm(self) -> None:
        self.running.policy.write_bytes(self.good)
        if self.running.config.read_text() != self.usual:
            self.configure(self.usual)
        self.dns.default = self.refused
        self.dns.set("slow.test", "MX", GOOD)
        self.refresh()

    def begin(self) -> None:
        self.refused = self.dns.default
        for name in ("example.test", "slow.test"):
            self.dns.set(name, "MX", GOOD)
        self.dns.set("gw.example.test", "A", GATEWAY)
        self.dns.set("gw.example.test", "AAAA", answer())
        self.refresh()
        assert (self.state / "snapshot.cdb").exists()
        self.start()

    def refresh(self) -> None:
        mxguard("refresh", "-c", self.running.policy, "--json")

    def configure(self, text) -> None:
        self.running.config.write_text(text)
        self.running.doveadm("reload", check=False)

    def junk_full(self) -> None:
        """With a message of its own, so that there is one to be refused."""
        self.configure(self.usual + TIGHT)
        self.more.append(large_and_aside(self.more[-1].number + 1 if self.more else MESSAGES))
        for _ in range(3):
            time.sleep(0.3)
            self.more[-1].attempt(self.running)

    def slow(self) -> None:
        self.dns.set("slow.test", "MX", delayed(0.3, GOOD))
        self.ended.wait(0.4)

    def servfail(self) -> None:
        self.dns.set("slow.test", "MX", servfail())
        self.ended.wait(0.2)

    def silent(self) -> None:
        self.dns.set("slow.test", "MX", timeout())
        self.ended.wait(0.4)

    def dns_dead(self) -> None:
        """With the snapshot gone too, nobody's gateways are known."""
        script, self.dns.script, self.dns.default = self.dns.script, {}, timeout()
        self.snapshot_gone()
        self.ended.wait(0.3)
        self.dns.script = script

    def broken(self) -> None:
        self.running.policy.write_bytes(b"mode = ")
        self.ended.wait(0.1)

    def broken_at_reload(self) -> None:
        self.running.policy.write_bytes(b"mode = ")
        self.running.doveadm("reload", check=False)
        self.ended.wait(0.1)

    def snapshot_gone(self) -> None:
        (self.state / "snapshot.cdb").unlink(missing_ok=True)
        self.ended.wait(0.2)

    def snapshot_rubbish(self) -> None:
        (self.state / "snapshot.cdb").write_bytes(random.Random(2).randbytes(5000))
        self.ended.wait(0.2)

    def reload(self) -> None:
        self.dns.set("slow.test", "MX", delayed(0.5, GOOD))  # so that decisions are pending
        self.snapshot_gone()
        self.running.doveadm("reload", check=False)

    def stop(self) -> None:
        self.dns.set("slow.test", "MX", delayed(0.5, GOOD))
        self.snapshot_gone()
        self.running.doveadm("stop", check=False)
        self.running.stop()
        self.running.start()


def tally(running) -> collections.Counter:
    """How often each message lies in each user's mailboxes; every one is compared."""
    found = collections.Counter()
    for path in running.mail.glob("*/Maildir/**/*"):
        if path.parent.name not in ("new", "cur") or not path.is_file():
            continue
        stored, user = path.read_bytes(), path.relative_to(running.mail).parts[0]
        number = int(re.search(rb"^Subject: number (\d+)$", stored, re.M)[1])
        message = Message(number)
        content = numbered(number, message.top)
        on_top = stored[:-len(content)]
        if not (stored == on_top + content and ON_TOP.fullmatch(on_top) and FORGED.encode() not in on_top):
            raise AssertionError(f"{path} is not what was sent: {stored[:2000].decode()}")
        if message.aside and path.parent.parent.name != ".Junk":
            raise AssertionError(f"{path} was to be put aside")
        found[number, user] += 1
    return found


@pytest.fixture
def crippled(server):
    """Dovecot, with 200 KiB of disk for the user FULL, and a Junk that takes nothing for LOCKED; heal()
    makes room, and ends that."""
    homes = []

    def start(*arguments, **keywords):
        running = server(*arguments, **keywords)
        running.doveadm("mailbox", "create", "-u", LOCKED, "Junk")
        acl = running.maildir(LOCKED, "Junk") / "dovecot-acl"
        acl.write_text("owner lrwstekx\n")
        acl.chmod(0o644)
        home = running.mail / FULL
        home.mkdir()
        run(["mount", "-t", "tmpfs", "-o", "size=200k,mode=777", "tmpfs", str(home)], check=True)
        homes.append(home)
        running.heal = lambda: (run(["mount", "-o", "remount,size=100m", str(home)], check=True), acl.unlink())
        return running
    yield start
    for home in homes:
        run(["umount", "-l", str(home)], check=True)


def panics_of_dovecot(log: str) -> list[str]:
    """Lines of the one crash that is Dovecot's own (2.4.2 to 2.4.5, with no plugin at all: the last test here).
    While Dovecot stops, its auth service refuses connections. lmtp's user lookup then fails at once and leaves a
    timeout behind, for the next turn of its ioloop; a second lookup in the same turn finds it there and panics.
    So it counts between the master's end and its next start, in a process that has just been refused."""
    stopping, refused, dead, found = False, set(), set(), []
    for line in log.splitlines():
        told = OWN_PANIC.search(line)
        if " master: Warning: Killed with signal 15 " in line:
            stopping = True
        elif " master: Info: Dovecot v" in line:
            stopping, refused, dead = False, set(), set()
        elif told and told["refused"] and stopping:
            refused.add(told["refused"])
        elif told and (told["panics"] in refused or told["killed"] in dead):
            dead.add(told["panics"] or told["killed"])
            found.append(line)
    return found


def crashes_of_ours(running) -> list[str]:
    log = running.log()
    theirs = panics_of_dovecot(log)
    if theirs:
        print(f"Dovecot's own panic, while it was stopped: {sum('Panic' in line for line in theirs)} times")
    running.may_crash = True  # told here
    return [line for line in running.crashes() if line not in theirs]


def send_all(running, messages, tries):
    def send(message):
        for _ in range(tries):
            if message.pending:
                message.attempt(running)
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        list(pool.map(send, messages))


def test_accounting(crippled, folder, scripted_dns):
    state = folder / "state"
    state.mkdir(mode=0o755)
    gateways = [{"name": "known", "allow": f"ip4:{KNOWN}"}, MX]
    running = crippled(
        dns_policy(scripted_dns, seconds=1, gateways=gateways, trace=TRACE, tag="always", state_dir=str(state),
                   domains=["example.test", "slow.test"], authserv_id="mxguard.example.test"),
        client_limit=5, process_limit=10, extra_service_lmtp=MANY,
        lmtp_plugins=["acl", "quota"], **LIMITS)
    messages = [Message(number) for number in range(MESSAGES)]
    trouble = Trouble(running, scripted_dns, state)
    trouble.begin()
    try:
        send_all(running, messages, TRIES_UNDER_FAULTS)
    finally:
        trouble.ended.set()
        trouble.join()
    if trouble.failure:
        raise trouble.failure
    messages += trouble.more
    waited = sum(len(message.pending) for message in messages)
    running.heal()
    send_all(running, messages, 5)
    delivered = None
    while delivered != (delivered := tally(running)):  # what a sender left after the dot is delivered yet
        time.sleep(2)
    outcomes = {(message.number, name): each for message in messages
                for name, each in message.outcomes.items()}
    found = tally(running)
    kinds = collections.Counter(code for each in outcomes.values() for code in each)
    print(f"accounting: {len(messages)} messages, {len(outcomes)} recipients, {waited} of them deferred to the "
          f"end; attempts {dict(kinds)}; {found.total()} copies in mailboxes; {dict(trouble.happened)}")
    assert not [message.outcomes for message in messages if message.pending]
    assert kinds[250] and kinds[550] and kinds[451] and kinds["cut"]
    assert not set(found) - set(outcomes)
    refused = re.findall(r"mxguard: cannot quarantine, deferred: mailbox Junk: .*", running.log())
    assert any("uota" in each for each in refused) and any("ermission" in each for each in refused), set(refused)
    wrong = {}
    for key, each in outcomes.items():
        copies, sure = found[key], each.count(250)
        if not sure <= copies <= sure + each.count("lost"):
            wrong[key] = (copies, each)
    assert not wrong, wrong
    assert not crashes_of_ours(running)


@pytest.mark.skipif(not (2, 4, 2) <= version() <= (2, 4, 5), reason="before, one command at a time")
def test_dovecot_panics_without_us(dovecot):
    """That is why the accounting forgives this one panic, and only where it comes like this."""
    running = dovecot(client_limit=5, process_limit=1, extra_service_lmtp=MANY)
    with smtp.Client(running.socket, seconds=120) as client:
        client.greet()
        client.mail("a@sender.example")
        lmtp, = running._processes("lmtp")
        os.kill(lmtp, signal.SIGSTOP)
        client.line("\r\n".join(f"RCPT TO:<{name}@example.test>" for name in "abcd"))
        os.kill(running.pid, signal.SIGTERM)
        wait_until(lambda: not running._processes("auth"), "auth ends")
        os.kill(lmtp, signal.SIGCONT)
        with contextlib.suppress(smtp.Closed):
            while client.reply():
                pass
    running.stop()
    assert not crashes_of_ours(running)
    log = running.log()
    assert "assertion failed: (conn->to_connect == NULL)" in panics_of_dovecot(log)[0]
    for gone, instead in ((" Killed with signal 15 ", " "), ("Connection refused", "Permission denied"),
                          ("to_connect == NULL", "to_idle == NULL"), ("auth_master_connect", "auth_master_ref")):
        assert not panics_of_dovecot(log.replace(gone, instead))
