# SPDX-License-Identifier: MIT
"""Faults: whatever fails, a message is delivered, refused or deferred; never lost or cut."""
import concurrent.futures
import os
import random
import shutil
import socket
import threading
import time
from collections import Counter

import pytest

from mxg import smtp
from mxg.dns_script import answer, delayed, servfail, timeout
from mxg.mxguard import mxguard
from mxg.process import run
from test_dovecot_async import MANY
from test_dovecot_rcpt import (GATEWAY, LMTP, MX, SPAMMER, USER, dns_policy, policy,
                               server)  # noqa: F401

MESSAGES = int(os.environ.get("MXGUARD_ACCOUNTING", "600"))
RECEIVED = """Received: from x.example (unknown [{}]) by mail.example.test (Postfix)
\twith ESMTP id 4ABCDE1234; Mon,  2 Nov 2026 10:00:00 +0000 (UTC)
"""
TRACE = {"mta": ["postfix"], "by": ["mail.example.test"]}


@pytest.mark.parametrize("client_limit", [1, 20])
def test_200_connections(server, client_limit):
    server(client_limit=client_limit, process_limit=220 if client_limit == 1 else 20,
           extra_service_lmtp=MANY)

    def deliver(number):
        source = GATEWAY if number % 2 else SPAMMER
        recipient = f"u{number % 7}@example.test"
        return smtp.deliver(LMTP, recipient, source=source, seconds=60).codes == {
            recipient: 250 if number % 2 else 550}
    with concurrent.futures.ThreadPoolExecutor(200) as pool:
        assert all(pool.map(deliver, range(200)))


def test_50_mib(server):
    running = server(policy(authserv_id="mxguard.example.test", tag="always"))
    forged = "Authentication-Results: mxguard.example.test; x-mxguard=pass\n"
    body = ("0123456789abcde\n" * 65536) * 50
    content = smtp.message(header=forged, body=body)
    assert smtp.deliver(LMTP, USER, content, source=GATEWAY, seconds=120).final(USER).ok
    assert running.messages(USER)[0].endswith(smtp.message(body=body))


def test_disk_full_at_delivery(server):
    running = server(policy(tag="always"))
    home = running.mail / USER
    home.mkdir()
    run(["mount", "-t", "tmpfs", "-o", "size=300k,mode=777", "tmpfs", str(home)], check=True)
    try:
        done = smtp.deliver(LMTP, USER, smtp.message(body="x" * 70 + "\n" * 1_000_000), source=GATEWAY)
        assert 400 <= done.final(USER).code < 500
        assert running.count(USER) == 0
    finally:
        run(["umount", "-l", str(home)], check=True)


def test_temporary_folder_full(server):
    """The message does not fit where Dovecot keeps it while it decides: Dovecot goes on in
    memory, or fails; the message is there whole or not at all."""
    running = server(policy(tag="always"), extra="mail_temp_dir = /tmp/mxg-full\n")
    full = "/tmp/mxg-full"
    os.makedirs(full, exist_ok=True)
    run(["mount", "-t", "tmpfs", "-o", "size=100k,mode=777", "tmpfs", full], check=True)
    try:
        content = smtp.message(body="x" * 70 + "\n" * 1_000_000)
        code = smtp.deliver(LMTP, USER, content, source=GATEWAY).final(USER).code
        assert code == 250 or 400 <= code < 500
        assert [stored.endswith(content) for stored in running.messages(USER)] == [True] * (code == 250)
    finally:
        run(["umount", "-l", full], check=True)
        os.rmdir(full)


def test_loaded_twice(server):
    running = server(lmtp_plugins=["mxguard"])
    assert smtp.deliver(LMTP, [USER, "b@example.test"], source=SPAMMER).codes == {
        USER: 550, "b@example.test": 550}
    assert running.log().count("mxguard: verdict=") == 2


def test_snapshot_of_rubbish_and_gone(server, folder, scripted_dns):
    state = folder / "state"
    state.mkdir()
    scripted_dns.set("example.test", "MX", "10 gw.example.test")
    scripted_dns.set("gw.example.test", "A", GATEWAY)
    scripted_dns.set("gw.example.test", "AAAA", answer())
    running = server(dns_policy(scripted_dns, state_dir=str(state)))
    for content in (None, b"", b"rubbish" * 1000, None):
        for path in state.iterdir():
            path.unlink()
        if content is not None:
            for name in ("snapshot", "snapshot.cdb"):
                (state / name).write_bytes(content)
        assert smtp.deliver(LMTP, USER, source=GATEWAY).codes == {USER: 250}
        assert smtp.deliver(LMTP, USER, source=SPAMMER).codes == {USER: 550}
    assert not running.crashes()


STAGES = ("connect", "greet", "mail", "rcpt", "pipelined", "data", "half", "dot", "end")


@pytest.mark.parametrize("stage", STAGES)
def test_client_gone_at_every_stage(server, scripted_dns, stage):
    """With lookups pending at RCPT (TCP) and after DATA (unix socket)."""
    scripted_dns.set("slow.test", "MX", delayed(0.4, answer("10 gw.slow.test", ttl=0)))
    scripted_dns.set("gw.slow.test", "A", GATEWAY)
    scripted_dns.set("gw.slow.test", "AAAA", answer())
    running = server(dns_policy(scripted_dns, seconds=2, trace=TRACE), client_limit=20, process_limit=1,
                     extra_service_lmtp=MANY)
    content = smtp.message(header=RECEIVED.format(GATEWAY))
    for where, source in ((LMTP, GATEWAY), (running.socket, None)):
        for leave in (smtp.Client.abort, smtp.Client.close):
            walk(smtp.Client(where, source=source), content, stage)(leave)
    time.sleep(0.6)
    assert smtp.deliver(LMTP, "z@slow.test", source=GATEWAY).codes == {"z@slow.test": 250}
    assert not running.crashes()


def walk(client, content, stage):
    """Goes as far as STAGE; returns what leaves then."""
    def until():
        if stage == "connect":
            return
        client.greet()
        if stage == "greet":
            return
        client.mail("a@b.example")
        if stage == "mail":
            return
        if stage in ("rcpt", "pipelined"):
            client.line("RCPT TO:<a@slow.test>" + "\r\nRCPT TO:<b@slow.test>\r\nDATA" * (stage == "pipelined"))
            return
        client.rcpt("a@slow.test")
        client.line("DATA")
        if stage == "data":
            return
        client.reply()
        client.send(smtp.dot_stuffed(content)[:60 if stage == "half" else -3 if stage == "dot" else None])
    until()
    return lambda leave: leave(client)


# Accounting

class Ledger:
    """What became of each message, by its number."""

    def __init__(self):
        self.outcomes = {}
        self.lock = threading.Lock()

    def note(self, key, outcome):
        with self.lock:
            self.outcomes[key] = outcome


def numbered(number: int, received: str) -> bytes:
    rng = random.Random(number)
    body = "".join(f"{rng.getrandbits(256):064x}\n" for _ in range(rng.randrange(1, 400)))
    return smtp.message(subject=f"number {number}", header=received, body=body)


def deliver_one(running, ledger, number):
    """One message from somewhere, by somebody who may leave at any moment."""
    rng = random.Random(number * 7919)
    source = rng.choice((GATEWAY, GATEWAY, SPAMMER))
    outside = rng.random() < 0.5
    recipients = [f"{rng.choice('abc')}{number}@{rng.choice(('example.test', 'slow.test'))}"
                  for _ in range(rng.randrange(1, 4))]
    recipients = list(dict.fromkeys(recipients))
    content = numbered(number, RECEIVED.format(source))
    leave_at = rng.choice(("", "", "", "", "rcpt", "data", "replies"))
    state = dict.fromkeys(recipients, "not sent")
    try:
        with smtp.Client(LMTP if outside else running.socket, source=source if outside else None,
                         seconds=30) as client:
            client.greet()
            client.mail("a@sender.example")
            for each in recipients:
                if leave_at == "rcpt" and each == recipients[-1]:
                    client.line(f"RCPT TO:<{each}>")
                    client.abort()
                    return
                reply = client.rcpt(each)
                state[each] = "not sent" if reply.ok else reply.code
            if client.accepted:
                reply = client.command("DATA")
                wire = smtp.dot_stuffed(content)
                if leave_at == "data":
                    client.send(wire[:rng.randrange(len(wire) - 4)])
                    state.update(dict.fromkeys(client.accepted, "not sent"))
                    client.abort()
                    return
                if reply.code == 354:
                    state.update(dict.fromkeys(client.accepted, "unknown"))
                    client.send(wire)
                    if leave_at == "replies":
                        client.sock.shutdown(socket.SHUT_RDWR)
                        return
                    for each in client.accepted:
                        state[each] = client.reply().code
    except (OSError, AssertionError):
        pass  # a reload or stop ended the connection: what has no reply is unknown
    finally:
        for each, outcome in state.items():
            ledger.note((number, each), outcome)


def trouble(running, dns, state, stop):
    """Until STOP: DNS that stalls and fails, the policy broken for a moment, the snapshot there,
    rubbish or gone, reloads, and now and then everything stopped and started."""
    rng = random.Random(1)
    good = running.policy.read_bytes()
    replies = (answer("10 gw.slow.test", ttl=0), delayed(0.3, answer("10 gw.slow.test", ttl=0)),
               servfail(), timeout())
    snapshot = state / "snapshot.cdb"
    kept = snapshot.read_bytes()
    while not stop.wait(0.25):
        what = rng.randrange(16)
        if what < 8:
            dns.set("slow.test", "MX", replies[what % 4])
        elif what < 10:
            running.policy.write_bytes(b"mode = ")
            stop.wait(0.1)
            running.policy.write_bytes(good)
        elif what < 13:
            snapshot.unlink(missing_ok=True)
            if what > 10:
                (state / "new").write_bytes(kept if what == 11 else kept[:len(kept) // 2])
                (state / "new").rename(snapshot)
        elif what < 15:
            running.doveadm("reload", check=False)
        else:
            running.stop()
            running.start()
    running.policy.write_bytes(good)


def test_accounting(server, scripted_dns, folder):
    for domain in ("slow.test", "example.test"):
        scripted_dns.set(domain, "MX", answer("10 gw.slow.test", ttl=0))
    scripted_dns.set("gw.slow.test", "A", GATEWAY)
    scripted_dns.set("gw.slow.test", "AAAA", answer())
    gateways = [{"name": "example", "allow": "mx:slow.test"}, MX]
    state = folder / "state"
    state.mkdir()
    running = server(dns_policy(scripted_dns, gateways=gateways, trace=TRACE, tag="always",
                                authserv_id="mxguard.example.test", state_dir=str(state),
                                domains=["example.test", "slow.test"]),
                     client_limit=5, process_limit=10, extra_service_lmtp=MANY)
    mxguard("refresh", "-c", running.policy)
    ledger, stop = Ledger(), threading.Event()
    disturber = threading.Thread(target=trouble, args=(running, scripted_dns, state, stop))
    disturber.start()
    try:
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda number: deliver_one(running, ledger, number), range(MESSAGES)))
    finally:
        stop.set()
        disturber.join()
    time.sleep(2)  # messages whose sender left after the dot are delivered yet
    kinds = Counter(str(outcome)[0] for outcome in ledger.outcomes.values())
    print(f"accounting: {len(ledger.outcomes)} recipients, {dict(kinds)}")
    assert len(ledger.outcomes) >= MESSAGES and kinds["2"] and kinds["5"] and kinds["4"]
    for (number, recipient), outcome in ledger.outcomes.items():
        copies = [stored for mailbox in running.mailboxes(recipient)
                  for stored in running.messages(recipient, mailbox)]
        # 421: Dovecot stopped, and may have dropped the reply to a message that it has delivered
        allowed = {250: (1,), 421: (0, 1), "unknown": (0, 1)}.get(outcome, (0,))
        assert len(copies) in allowed, (number, recipient, outcome)
        for stored in copies:
            source = numbered(number, RECEIVED.format("")).partition(b"Subject:")[2]
            assert stored.partition(b"Subject:")[2] == source, (number, recipient)
        shutil.rmtree(running.mail / recipient, ignore_errors=True)
    assert not running.crashes()
