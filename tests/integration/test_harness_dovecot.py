# SPDX-License-Identifier: MIT
"""The test harness itself: Dovecot without our plugin, and the LMTP client."""
from mxg import smtp

LMTP = ("192.0.2.1", 24)
USER = "user@example.test"


def test_lmtp_from_an_outside_address(dovecot):
    server = dovecot(lmtp=[LMTP, ("2001:db8::1", 24)])
    done = smtp.deliver(LMTP, USER, smtp.message(subject="four"), source="203.0.113.66")
    assert done.final(USER).code == 250
    done = smtp.deliver(("2001:db8::1", 24), USER, smtp.message(subject="six"),
                        source="2001:db8:66::1")
    assert done.codes == {USER: 250}
    assert b"Subject: four\n" in server.messages(USER)[0]
    server.wait_log(r"lmtp\(.*Connect from 203\.0\.113\.66")
    server.wait_log(r"lmtp\(.*Connect from 2001:db8:66::1")
    assert server.mailboxes(USER) == ["INBOX"] and server.count(USER) == 2


def test_unix_socket_xclient_haproxy_and_reload(dovecot):
    server = dovecot(lmtp=[LMTP], lmtp_haproxy=[("192.0.2.1", 2424)], trusted="192.0.2.9",
                     haproxy_trusted="192.0.2.8", users={USER: {"extra": "1"}})
    assert smtp.deliver(server.socket, USER).final(USER).ok
    assert smtp.deliver(LMTP, USER, source="192.0.2.9",
                        xclient={"ADDR": "203.0.113.7"}).final(USER).ok
    for header in (smtp.proxy_v1("203.0.113.8"), smtp.proxy_v2("203.0.113.9"),
                   smtp.proxy_v2("2001:db8::9"), smtp.proxy_v2(None)):
        done = smtp.deliver(("192.0.2.1", 2424), USER, source="192.0.2.8", proxy=header)
        assert done.final(USER).ok
    server.wait_log("Connect from 203.0.113.8")
    server.wait_log("Connect from 203.0.113.9")
    server.wait_log("Connect from 2001:db8::9")
    server.reload()
    assert smtp.deliver(server.socket, USER).final(USER).ok
    assert server.count(USER) == 7


def test_pipelining_chunks_and_leaving_early(dovecot):
    server = dovecot(lmtp=[LMTP])
    with smtp.Client(LMTP, source="203.0.113.5") as client:
        client.greet()
        replies = client.pipeline(["MAIL FROM:<a@b.example>", f"RCPT TO:<{USER}>",
                                   "RCPT TO:<two@example.test>"])
        assert [reply.code for reply in replies] == [250, 250, 250]
        client.accepted = [USER, "two@example.test"]
        content = smtp.message().replace(b"\n", b"\r\n")
        replies = client.bdat([content[:40], content[40:]])
        assert {reply.enhanced for reply in replies.values()} == {"2.0.0"}
        assert len(replies) == 2
        client.mail("a@b.example")
        client.abort()
    assert server.count(USER) == server.count("two@example.test") == 1


def test_starttls_imap_and_a_proxy_before_a_backend(dovecot, certificate):
    backend = dovecot(lmtp=[("192.0.2.2", 24)], trusted="192.0.2.0/24", tls=certificate,
                      imap=[("192.0.2.2", 143)], pop3=[("192.0.2.2", 110)])
    dovecot(lmtp=[LMTP], proxy_to=("192.0.2.2", 24))
    assert smtp.deliver(LMTP, USER, source="203.0.113.66").final(USER).ok
    backend.wait_log(r"Disconnect from 203\.0\.113\.66: Logged out")
    with smtp.Client(("192.0.2.2", 24), source="203.0.113.4") as client:
        client.greet()
        assert client.starttls().ok
        client.hello()
        client.mail("a@b.example")
        assert client.rcpt(USER).ok and client.data(smtp.message())[USER].ok
    assert backend.count(USER) == 2
