# SPDX-License-Identifier: MIT
"""Faults: whatever fails, a message is delivered, refused or deferred; never lost or cut."""
import concurrent.futures
import os
import time

import pytest

from mxg import smtp
from mxg.dns_script import answer, delayed
from mxg.process import run
from test_dovecot_async import MANY
from test_dovecot_rcpt import (GATEWAY, LMTP, SPAMMER, USER, dns_policy, policy,
                               server)  # noqa: F401

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
        return smtp.deliver(LMTP, recipient, source=source, seconds=120).codes == {
            recipient: 250 if number % 2 else 550}
    with concurrent.futures.ThreadPoolExecutor(200) as pool:
        assert all(pool.map(deliver, range(200)))


def test_50_mib(server):
    running = server(policy(authserv_id="mxguard.example.test", tag="always"))
    forged = "Authentication-Results: mxguard.example.test; x-mxguard=pass\n"
    line = "0123456789abcde" * 5 + "\n"
    body = line * ((50 << 20) // len(line))
    content = smtp.message(header=forged, body=body)
    assert smtp.deliver(LMTP, USER, content, source=GATEWAY, seconds=600).final(USER).ok
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
    running.wait_log("mxguard: verdict=.*rcpt=<b@example.test>")
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
    running = server(dns_policy(scripted_dns, trace=TRACE), client_limit=20, process_limit=1,
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
