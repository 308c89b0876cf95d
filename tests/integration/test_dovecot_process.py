# SPDX-License-Identifier: MIT
"""One lmtp process and many connections, one after the other: what the first one leaves behind must not
be inherited by the next. MXGUARD_TRIES is the number of tries."""
import os

import pytest

from mxg import smtp
from mxg.dns_script import answer, delayed
from test_dovecot_async import KNOWN, MANY
from test_dovecot_faults import RECEIVED, TRACE
from test_dovecot_rcpt import GATEWAY, LMTP, MX, SPAMMER, dns_policy, server  # noqa: F401

TRIES = int(os.environ.get("MXGUARD_TRIES", "100"))
ASKED = "a@asked.test"  # DNS answers at once, and nothing is kept
HEADER = RECEIVED.format(GATEWAY)


@pytest.fixture
def one_process(server, scripted_dns):
    scripted_dns.set("asked.test", "MX", answer("10 gw.asked.test", ttl=0))
    scripted_dns.set("slow.test", "MX", delayed(0.05, answer("10 gw.asked.test", ttl=0)))
    scripted_dns.set("gw.asked.test", "A", answer(GATEWAY, ttl=0))
    scripted_dns.set("gw.asked.test", "AAAA", answer())
    gateways = [{"name": "known", "allow": f"ip4:{KNOWN}"}, MX]
    return server(dns_policy(scripted_dns, gateways=gateways, trace=TRACE), client_limit=1, process_limit=1,
                  extra_service_lmtp=MANY)


def test_after_a_message_that_waited_for_dns(one_process):
    """An internal peer's message waits at DATA; then a gateway comes to the same process."""
    for _ in range(TRIES):
        assert smtp.deliver(one_process.socket, ASKED, smtp.message(header=HEADER)).codes == {ASKED: 250}
        assert smtp.deliver(LMTP, "b@asked.test", source=KNOWN).codes == {"b@asked.test": 250}
    assert one_process.count(ASKED) == one_process.count("b@asked.test") == TRIES
    assert not one_process.crashes()


@pytest.mark.parametrize("recipients", [["a@slow.test"], ["a@slow.test", "b@slow.test", "c@asked.test"]])
def test_several_transactions_of_one_connection(one_process, recipients):
    with smtp.Client(one_process.socket) as client:
        client.greet()
        for _ in range(5):
            client.mail("a@sender.example")
            assert all(client.rcpt(each).ok for each in recipients)
            assert all(reply.ok for reply in client.data(smtp.message(header=HEADER)).values())
            assert client.command("NOOP").ok
    assert one_process.count("a@slow.test") == 5


@pytest.mark.parametrize("source", [GATEWAY, SPAMMER])
def test_next_command_is_sent_before_the_reply(one_process, source):
    """QUIT behind the message, while the decision waits: every reply comes, and then the end."""
    for _ in range(10):
        with smtp.Client(one_process.socket) as client:
            client.greet()
            client.mail("a@sender.example")
            assert client.rcpt("a@slow.test").ok and client.command("DATA").code == 354
            client.send(smtp.dot_stuffed(smtp.message(header=RECEIVED.format(source))) + b"NOOP\r\nQUIT\r\n")
            assert [client.reply().code for _ in range(3)] == [250, 250, 221]
        assert smtp.deliver(LMTP, "b@asked.test", source=KNOWN).codes == {"b@asked.test": 250}
    mailbox = "INBOX" if source == GATEWAY else "Junk"
    assert one_process.count("a@slow.test", mailbox) == 10
    assert not one_process.crashes()
