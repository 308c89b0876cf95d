# SPDX-License-Identifier: MIT
"""A real Postfix with mxguard milter: who is refused at RCPT, who at the dot, and what the others' messages lose
and gain."""
from __future__ import annotations

import contextlib
import re

import pytest

from mxg import postfix as postfix_config
from mxg import smtp
from mxg.dns_script import answer, delayed, garbage, refused, servfail, timeout, truncated, wrong_id
from mxg.mxguard import write_config
from mxg.process import wait_until
from mxg.sink import LmtpSink

SMTP = ("192.0.2.1", 25)
GATEWAY, SPAMMER, SHARED, RELAY = "192.0.2.10", "203.0.113.66", "198.51.100.7", "198.51.100.20"
USER, SENDER = "user@example.test", "a@sender.example"
DOMAINS = "example.test mon.example junk.example late.example"
TOKEN = "X-Gateway-Token: open-sesame\n"
OURS = "Authentication-Results: mxguard.example.test; x-mxguard=pass\n"
THEIRS = "Authentication-Results: other.example; spf=pass\n"


def settings(**more):
    return {"mode": "enforce", "self": ["198.51.100.1"], "state_dir": "/nonexistent/mxguard",
            "authserv_id": "mxguard.example.test", "exempt": ["postmaster@"], "internal": [RELAY],
            "gateways": ({"name": "filters", "allow": f"ip4:{GATEWAY} ip6:2001:db8::10"},
                         {"name": "shared", "allow": f"ip4:{SHARED}",
                          "header": {"name": "X-Gateway-Token", "value": "open-sesame"}}),
            "trace": {"mta": ["postfix"], "by": ["relay.example.test", "mail.example.test"]},
            "policies": ({"domains": ["mon.example"], "mode": "monitor"},
                         {"domains": ["late.example"], "on_direct": "defer"},
                         {"domains": ["junk.example"], "on_direct": "quarantine"}), **more}


def put_off(source):
    """Whether the client is told to come again, at the latest at RCPT."""
    codes = []
    with contextlib.suppress(ConnectionError), smtp.Client(SMTP, source=source, lmtp=False) as client:
        codes += [client.reply().code, client.hello().code, client.mail(SENDER).code]
        codes.append(client.rcpt(USER).code)
    return any(400 <= each < 500 for each in codes) and codes[3:] != [250]


def served_again(wanted):
    """WANTED: {source: code}. What is still short of time may be put off; nobody gets the other's answer."""
    def settled(source, code):
        try:
            done = deliver(source)
        except (ConnectionError, AssertionError):  # put off before it could say anything
            return False
        found = done.final(USER).code
        assert found == code or 400 <= found < 500, (source, found)
        return found == code
    for source, code in wanted.items():
        wait_until(lambda: settled(source, code), f"{source} is answered as before")


def received(client):
    """What the relay writes."""
    return (f"Received: from client.example (unknown [{client}])\n\tby relay.example.test (Postfix) with ESMTP "
            "id 4XyZ12345Nz1\n\tfor <user@example.test>; Mon,  2 Nov 2026 10:00:00 +0000 (UTC)\n")


def main(service):
    return {"virtual_mailbox_domains": DOMAINS, "smtpd_milters": service.address, "milter_default_action": "tempfail",
            "smtpd_error_sleep_time": "0", "smtpd_soft_error_limit": "1000", "smtpd_hard_error_limit": "1000"}


@pytest.fixture
def guarded(milter, mxguard_config, postfix, folder, stack):
    """guarded(settings, …) -> milter, postfix, what was delivered"""
    def start(config=None, options=(), **keywords):
        service = milter(mxguard_config(config or settings()), options=options)
        sink = stack.enter_context(LmtpSink(folder / "sink"))
        more = keywords.pop("main", {})
        mta = postfix(main={**main(service), **postfix_config.lmtp_to(folder / "sink"), **more}, **keywords)
        return service, mta, sink
    return start


def deliver(source, recipients=USER, **keywords):
    return smtp.deliver(SMTP, recipients, lmtp=False, source=source, **keywords)


def code(source, header="", **keywords):
    done = deliver(source, content=smtp.message(header=header), **keywords)
    assert done.rcpt[USER].code == 250
    return done.final(USER)


def the_message(sink):
    wait_until(lambda: sink.kept[SENDER], "it is delivered")
    assert len(sink.kept[SENDER]) == 1
    return sink.kept[SENDER].pop()


def fields(message, name):
    head = message.partition(b"\n\n")[0] + b"\n"
    return re.findall(rb"^" + name.encode() + rb":.*\n(?:[ \t].*\n)*", head, re.M | re.I)


def test_at_rcpt(guarded):
    service, mta, sink = guarded()
    everybody = [USER, "user@mon.example", "user@late.example", "user@junk.example", "postmaster@example.test"]
    done = deliver(SPAMMER, everybody)
    assert [reply.code for reply in done.rcpt.values()] == [550, 250, 451, 250, 250]
    assert (done.rcpt[USER].enhanced, done.rcpt["user@late.example"].enhanced) == ("5.7.1", "4.7.1")
    assert "203.0.113.66 is not an authorized gateway for example.test" in done.rcpt[USER].text
    text = the_message(sink)
    assert len(fields(text, "Authentication-Results")) == 1 and b"x-mxguard=fail" in text
    assert text.startswith(b"Authentication-Results: mxguard.example.test;\n")
    assert code(GATEWAY).code == 250
    assert fields(the_message(sink), "Authentication-Results") == []
    assert len(re.findall(r"verdict=direct action=reject .* place=door", service.log())) == 1
    line = service.wait_log(r"verdict=authorized .*")[0]
    assert re.search(r"id=<[0-9A-Za-z]{6,}> msgid=<test@sender\.example>", line)


def test_secret_of_a_shared_gateway(guarded):
    _, _, sink = guarded()
    assert code(SHARED, TOKEN).code == 250
    text = the_message(sink)
    assert fields(text, "X-Gateway-Token") == [] and b"open-sesame" not in text
    for header in ("", "X-Gateway-Token: open\n", "X-Gateway-Token: other-customer\n"):
        reply = code(SHARED, header)
        assert (reply.code, reply.enhanced) == (550, "5.7.1")
    assert not sink.kept[SENDER]


def test_trace_behind_a_relay(guarded):
    service, _, sink = guarded()
    assert code(RELAY, received(GATEWAY)).code == 250
    the_message(sink)
    reply = code(RELAY, received(SPAMMER))
    assert (reply.code, reply.enhanced) == (550, "5.7.1")
    service.wait_log(r"verdict=direct .* peer=198\.51\.100\.20 boundary=203\.0\.113\.66 hop=1")
    assert code(RELAY).code == 451


def test_a_relay_that_has_queued(guarded):
    """Its refusal would be a bounce: the message is put aside instead, by on_direct_queued."""
    _, _, sink = guarded(options=["--relays", "queue"])
    assert code(RELAY, received(SPAMMER)).code == 250
    assert b"x-mxguard=fail" in the_message(sink)
    assert deliver(SPAMMER).rcpt[USER].code == 550


def test_forged_fields_go(guarded):
    _, _, sink = guarded()
    forged = OURS + THEIRS + OURS.upper() + TOKEN + "authentication-results:\n mxguard.example.test; x-mxguard=pass\n"
    assert code(GATEWAY, forged + received("203.0.113.7") + OURS + THEIRS).code == 250
    text = the_message(sink)
    assert fields(text, "Authentication-Results") == [THEIRS.encode()] * 2
    assert len(fields(text, "Received")) == 2 and b"open-sesame" not in text
    assert deliver(SPAMMER, "user@mon.example", content=smtp.message(header=forged)).final("user@mon.example").ok
    text = the_message(sink)
    found = fields(text, "Authentication-Results")
    assert text.startswith(found[0]) and b"x-mxguard=fail" in found[0] and found[1:] == [THEIRS.encode()]


def test_quarantine_is_postfix_s_hold(guarded):
    _, mta, sink = guarded(options=["--quarantine", "mta"])
    assert deliver(SPAMMER, "user@junk.example").final("user@junk.example").code == 250
    wait_until(lambda: [each["queue_name"] for each in mta.waiting()] == ["hold"], "it is held")
    mta.wait_log(r"milter triggers HOLD action|NOQUEUE: hold|: milter-hold: ")
    both = ["user@junk.example", "postmaster@example.test"]
    assert set(deliver(SPAMMER, both).codes.values()) == {250}
    assert b"x-mxguard=fail" in the_message(sink)  # their answers differ: it goes on, tagged
    assert len(mta.waiting()) == 1


def test_answers_that_differ(guarded):
    service, _, sink = guarded()
    both = [USER, "postmaster@example.test"]
    assert set(deliver(RELAY, both, content=smtp.message(header=received(SPAMMER))).codes.values()) == {250}
    assert b"x-mxguard=fail" in the_message(sink)
    assert sorted(sink.got[SENDER]) == sorted(both)
    service.wait_log(r"verdict=direct action=reject .*rcpt=<user@example\.test>")
    service.wait_log(r"verdict=exempt action=accept .*rcpt=<postmaster@example\.test>")
    late = [USER, "user@late.example"]
    assert set(deliver(RELAY, late, content=smtp.message(header=received(SPAMMER))).codes.values()) == {451}


def test_one_connection_many_transactions(guarded):
    """Also recipients by the hundred, RSET, and a transaction that ends in between."""
    service, _, sink = guarded()
    many = [f"user{number}@example.test" for number in range(100)]
    with smtp.Client(SMTP, source=SHARED, lmtp=False) as client:
        client.greet()
        for header, wanted in ((TOKEN, 250), ("", 550), (TOKEN, 250)):
            client.mail(SENDER)
            assert {client.rcpt(each).code for each in many} == {250}
            assert {reply.code for reply in client.data(smtp.message(header=header)).values()} == {wanted}
        client.mail(SENDER)
        client.rcpt(USER)
        assert client.command("RSET").code == 250
        client.mail(SENDER)
        client.rcpt(USER)
        assert client.data(smtp.message())[USER].code == 550
        client.mail(SENDER)
        client.rcpt(USER)
        client.close()
    wait_until(lambda: len(sink.got[SENDER]) == 200, "two are delivered to all")
    assert len(re.findall("verdict=direct action=reject", service.log())) == 101


def test_pipelining_smtputf8_and_chunking(guarded):
    _, _, sink = guarded()
    with smtp.Client(SMTP, source=SPAMMER, lmtp=False) as client:
        client.greet()
        many = [f"RCPT TO:<user{number}@{'mon.example' if number % 2 else 'example.test'}>" for number in range(20)]
        replies = client.pipeline(["MAIL FROM:<a@sender.example> SMTPUTF8", *many])
        assert [reply.code for reply in replies] == [250, *[550, 250] * 10]
        client.accepted = ["user1@mon.example"]
        content = smtp.message(subject="Grüße", header=OURS).replace(b"\n", b"\r\n")
        assert set(client.bdat([content[:50], content[50:90], content[90:]]).values()).pop().code == 250
        text = the_message(sink)
        assert "Subject: Grüße".encode() in text and len(fields(text, "Authentication-Results")) == 1
        client.mail("jürgen@sender.example", "SMTPUTF8")
        assert client.rcpt("jürgen@example.test").code == 550
        assert client.rcpt("jürgen@mon.example").code == 250


def test_login(guarded, dovecot):
    store = dovecot(lmtp=[])
    service, _, _ = guarded(smtpd=[(*SMTP, postfix_config.sasl_by(store.auth_socket))])
    with smtp.Client(SMTP, source=SPAMMER, lmtp=False) as client:
        client.greet()
        assert client.auth_plain(USER, "secret").code == 235
        client.mail(SENDER)
        assert client.rcpt(USER).code == 250
        assert client.data(smtp.message())[USER].code == 250
    service.wait_log(r"verdict=authenticated .* peer=203\.0\.113\.66")


def test_xclient_and_proxy(guarded):
    """The client is whom Postfix takes for it."""
    guarded(smtpd=[(*SMTP, {"smtpd_authorized_xclient_hosts": "198.51.100.30"}),
                   ("192.0.2.1", 26, {"smtpd_upstream_proxy_protocol": "haproxy"})])
    for real, claimed, wanted in (("198.51.100.30", GATEWAY, 250), ("198.51.100.30", SPAMMER, 550),
                                  ("198.51.100.30", "IPV6:2001:db8::10", 250)):
        assert deliver(real, xclient={"ADDR": claimed}).final(USER).code == wanted
    for claimed, wanted in ((GATEWAY, 250), (SPAMMER, 550)):
        line = f"PROXY TCP4 {claimed} 192.0.2.1 4711 26\r\n".encode()
        done = smtp.deliver(("192.0.2.1", 26), USER, lmtp=False, source=SPAMMER, proxy=line)
        assert done.final(USER).code == wanted


def test_what_is_handed_in_here(guarded):
    """Where Postfix asks about local mail, too, the message is an origin's."""
    service, mta, sink = guarded(main={"non_smtpd_milters": "inet:127.0.0.1:10034"},
                                 smtpd=[(*SMTP, {}), ("127.0.0.1", 25, {})])
    mta.sendmail(smtp.message(), USER, sender=SENDER)
    the_message(sink)
    service.wait_log("verdict=internal action=accept")
    done = smtp.deliver(("127.0.0.1", 25), USER, lmtp=False, source="127.0.0.1")
    assert done.final(USER).code == 250


def test_ipv6(guarded):
    guarded(smtpd=[("2001:db8::1", 25, {})])
    for source, wanted in (("2001:db8::10", 250), ("2001:db8::66", 550)):
        done = smtp.deliver(("2001:db8::1", 25), USER, lmtp=False, source=source)
        assert done.final(USER).code == wanted


TROUBLES = {"silent": timeout(), "servfail": servfail(), "refused": refused(), "slow": delayed(5, servfail()),
            "garbage": garbage(), "short": garbage(b"\0" * 3), "other id": wrong_id(answer("10 gw.example.test")),
            "shut": truncated(answer("10 gw.example.test"), tcp="close"),
            "no name": answer(b"\0\x0a\x3fgw"), "loop": answer(b"\0\x0a\xc0\xff")}


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
def test_dns_trouble(guarded, scripted_dns, trouble):
    scripted_dns.default = trouble
    service, _, _ = guarded(settings(gateways=({"name": "mx", "allow": "mx"},),
                     dns={"servers": [scripted_dns.server], "timeout": "1s"}))
    reply = deliver(SPAMMER).rcpt[USER]
    assert (reply.code, reply.enhanced) == (451, "4.4.3")
    assert code(RELAY, received(SPAMMER)).code == 451
    assert service.running


def test_slow_dns_answers_in_the_end(guarded, scripted_dns):
    scripted_dns.update({("example.test", "MX"): delayed(0.5, answer("10 gw.example.test")),
                         ("gw.example.test", "A"): answer(GATEWAY)})
    guarded(settings(gateways=({"name": "mx", "allow": "mx"},), dns={"servers": [scripted_dns.server]}))
    assert deliver(GATEWAY).final(USER).code == 250
    assert deliver(SPAMMER).rcpt[USER].code == 550
    assert code(RELAY, received(SPAMMER)).code == 550


def test_without_the_milter_nobody_gets_in(guarded):
    service, _, _ = guarded()
    service.stop()
    assert put_off(GATEWAY) and put_off(SPAMMER)
    service.start()
    assert deliver(GATEWAY).final(USER).code == 250
    assert deliver(SPAMMER).final(USER).code == 550


def test_a_bad_configuration_at_reload(guarded):
    service, _, _ = guarded()
    write_config(service.config, "mode = nonsense;\n")
    service._daemon.signal(1)
    service.wait_log("the configuration was not reloaded, the old one stays in force")
    assert deliver(SPAMMER).rcpt[USER].code == 550
    write_config(service.config, settings(on_direct="defer"))
    service.reload()
    assert deliver(SPAMMER).rcpt[USER].code == 451
    assert service.running
