# SPDX-License-Identifier: MIT
"""The Dovecot plugin while DNS is slow: one process must not stand still for one client."""
import concurrent.futures
import select
import threading
import time

import pytest

from mxg import smtp
from mxg.dns_script import answer, delayed, held, timeout
from mxg.dovecot import version
from test_dovecot_rcpt import (GATEWAY, LMTP, MX, OTHER, SPAMMER, USER, dns_policy,
                               server)  # noqa: F401

SLOW = 1.0
# 2.4 ends a process after one connection unless it is told otherwise.
MANY = "  restart_request_count = 1000\n" if version() >= (2, 4) else ""
KNOWN = "192.0.2.20"  # a gateway that needs no DNS; GATEWAY is the MX of slow.test


@pytest.fixture
def dns(scripted_dns):
    """slowN.test answers after a second; dead.test never does."""
    for domain in ("slow.test", "slow2.test", "slow3.test"):
        scripted_dns.set(domain, "MX", delayed(SLOW, answer("10 gw.slow.test", ttl=0)))
    scripted_dns.set("gw.slow.test", "A", GATEWAY)
    scripted_dns.set("gw.slow.test", "AAAA", answer())
    scripted_dns.set("dead.test", "MX", timeout())
    return scripted_dns


@pytest.fixture
def one_process(server, dns, request):
    """All connections in one process: what blocks, blocks all."""
    gateways = [{"name": "known", "allow": f"ip4:{KNOWN}"}, MX]
    return server(dns_policy(dns, seconds=getattr(request, "param", 5), gateways=gateways), client_limit=200, process_limit=1,
                  extra_service_lmtp=MANY)


def start_rcpt(recipient, source=OTHER):
    client = smtp.Client(LMTP, source=source)
    client.greet()
    client.mail("a@b.example")
    client.line(f"RCPT TO:<{recipient}>")
    return client


@pytest.mark.parametrize("one_process", [10], indirect=True)
def test_others_go_on_meanwhile(one_process, dns):
    answered = threading.Event()
    dns.set("slow.test", "MX", held(answered, answer("10 gw.slow.test")))
    began = time.monotonic()
    with start_rcpt("a@slow.test") as slow, start_rcpt("a@dead.test") as dead:
        for _ in range(5):
            assert smtp.deliver(LMTP, USER, source=KNOWN).codes == {USER: 250}
        assert not select.select([slow.sock, dead.sock], [], [], 0)[0]
        answered.set()
        assert slow.reply().code == 550
        assert dead.reply().enhanced == "4.4.3"
        # Not at once; c-ares 1.34 waits for a server by what it has measured, and may be through with all tries before.
        assert 5 < time.monotonic() - began < 60


def test_pipelined_recipients_wait_once(one_process):
    recipients = [f"user{number}@slow.test" for number in range(20)]
    with smtp.Client(LMTP, source=GATEWAY) as client:
        client.greet()
        began = time.monotonic()
        replies = client.pipeline(["MAIL FROM:<a@b.example>",
                                   *(f"RCPT TO:<{each}>" for each in recipients)])
        assert [reply.code for reply in replies] == [250] * 21
        assert time.monotonic() - began < 15 * SLOW  # one by one would be 20
        client.accepted = recipients
        assert all(reply.ok for reply in client.data(smtp.message()).values())
    assert one_process.count("user19@slow.test") == 1


def test_pipelined_with_several_domains(one_process):
    expected = {"a@slow.test": 550, "a@unknown.test": 451, "a@slow2.test": 550, "a@dead.test": 451,
                "b@slow3.test": 550}
    with smtp.Client(LMTP, source=SPAMMER) as client:
        client.greet()
        replies = client.pipeline(["MAIL FROM:<a@b.example>",
                                   *(f"RCPT TO:<{each}>" for each in expected)])
        assert [reply.code for reply in replies[1:]] == list(expected.values())


@pytest.mark.parametrize("leave", [smtp.Client.abort, smtp.Client.close])
@pytest.mark.parametrize("recipient", ["a@slow.test", "a@dead.test"])
def test_client_leaves_while_it_waits(one_process, leave, recipient):
    clients = [start_rcpt(recipient) for _ in range(5)]
    time.sleep(0.2)
    for client in clients:
        leave(client)
    assert smtp.deliver(LMTP, USER, source=KNOWN).codes == {USER: 250}
    assert smtp.deliver(LMTP, "z@slow.test", source=GATEWAY).codes == {"z@slow.test": 250}
    for _ in clients:
        one_process.wait_log("Disconnect from 198.51.100.7")


def test_rset_and_quit_behind_a_waiting_rcpt(one_process):
    with start_rcpt("a@slow.test", GATEWAY) as client:
        client.send(b"RSET\r\nMAIL FROM:<b@b.example>\r\nRCPT TO:<b@slow2.test>\r\nQUIT\r\n")
        assert [client.reply().code for _ in range(5)] == [250, 250, 250, 250, 221]


def test_thirty_connections_at_once(one_process):
    def deliver(number):
        source = GATEWAY if number % 2 else SPAMMER
        recipient = f"c{number}@slow.test"
        return smtp.deliver(LMTP, recipient, source=source).codes == {recipient: 250 if number % 2 else 550}
    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(30) as pool:
        assert all(pool.map(deliver, range(30)))
    assert time.monotonic() - began < 25 * SLOW  # one by one would be 30
    assert one_process.count("c9@slow.test") == 1


def test_reload_and_stop_meanwhile(one_process):
    with start_rcpt("a@slow.test", GATEWAY) as first, start_rcpt("b@dead.test") as second:
        time.sleep(0.1)
        one_process.doveadm("reload")
        assert first.reply().code in (250, 421)
        assert second.reply().code in (451, 421)
    assert smtp.deliver(LMTP, "c@slow.test", source=GATEWAY).codes == {"c@slow.test": 250}
    with start_rcpt("d@dead.test") as third:
        time.sleep(0.1)
        one_process.doveadm("stop", check=False)
        third.sock.settimeout(120)
        try:
            assert third.reply().code in (451, 421)
        except smtp.Closed:
            pass


def test_configuration_changes_meanwhile(one_process):
    with start_rcpt("a@slow.test", GATEWAY) as client:
        time.sleep(0.1)
        changed = one_process.policy.read_text().replace(f"ip4:{KNOWN}", "ip4:192.0.2.11")
        one_process.policy.write_text(changed)
        assert smtp.deliver(LMTP, "x@dead.test", source="192.0.2.11").codes == {"x@dead.test": 250}
        assert client.reply().code == 250
