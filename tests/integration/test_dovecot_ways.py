# SPDX-License-Identifier: MIT
"""Every way in which mail reaches Dovecot, through the real programs."""
import os

import pytest

from mxg import postfix as postfix_config
from mxg import smtp
from mxg.dovecot import PASSWORD, version
from mxg.dns_script import answer, delayed
from mxg.process import run, wait_until
from test_dovecot_rcpt import (GATEWAY, LMTP, SPAMMER, USER, dns_policy, line, policy,
                               server)  # noqa: F401

SMTP = ("192.0.2.1", 25)
BY = {"trace": {"mta": ["postfix"], "by": ["mail.example.test"]}}
LOCAL = "local@example.test"


def arrives(running, count, mailbox="INBOX", user=USER):
    wait_until(lambda: running.count(user, mailbox) == count, f"{count} in {mailbox}")


@pytest.fixture
def behind_postfix(server, postfix):
    """Dovecot's unix socket behind a Postfix that faces the world."""
    def start(settings=None, main=None, smtpd=((*SMTP, {}),), services="", **keywords):
        running = server(settings or policy(domains=["example.test", "other.test"], **BY),
                         users={USER: {}, LOCAL: {}}, **keywords)
        smtpd = [(address, port, {**postfix_config.sasl_by(running.auth_socket), **more})
                 for address, port, more in smtpd]
        running.mta = postfix(main={**postfix_config.lmtp_to(running.socket), **(main or {})},
                              smtpd=smtpd, services=services)
        return running
    return start


def send(source, recipients=USER, content=None, where=SMTP, **keywords):
    done = smtp.deliver(where, recipients, content, source=source, lmtp=False, **keywords)
    assert all(reply.ok for reply in done.data.values()), done
    return done


def test_gateway_and_spammer_through_postfix(behind_postfix):
    running = behind_postfix()
    send(GATEWAY)
    arrives(running, 1)
    assert "place=queued" in line(running, verdict="authorized", peer="-", boundary=GATEWAY, hop="1")
    send(SPAMMER)
    arrives(running, 1, "Junk")
    assert "action=quarantine" in line(running, verdict="direct", boundary=SPAMMER)
    send(SPAMMER, helo="[192.0.2.10]",
         content=smtp.message(header=f"Received: from gw.example ([{GATEWAY}]) by mail.example.test\n"
                                     "\t(Postfix) with ESMTP id 4ABC; Mon, 2 Nov 2026 10:00:00 +0000\n"))
    arrives(running, 2, "Junk")
    running.mta.wait_empty()


def test_refusal_behind_postfix_becomes_a_bounce_only_by_choice(behind_postfix):
    running = behind_postfix(policy(on_direct_queued="reject", **BY))
    send(SPAMMER, sender="victim@elsewhere.test")
    running.mta.wait_log(r"status=bounced .*550 5\.7\.1")
    assert running.count(USER) == running.count(USER, "Junk") == 0


def test_submission_local_mail_and_bounce(behind_postfix):
    running = behind_postfix(main={
        "smtpd_sasl_authenticated_header": "yes",
        "transport_maps": "inline:{ {gone@example.test=error:5.1.1 no such user} }"})
    with smtp.Client(SMTP, source=SPAMMER, lmtp=False) as client:
        client.greet()
        assert client.auth_plain(USER, PASSWORD).ok
        client.mail(USER)
        assert client.rcpt(USER).ok and client.data(smtp.message())[USER].ok
    arrives(running, 1)
    line(running, verdict="authenticated")
    running.mta.sendmail(smtp.message(subject="local"), USER)
    arrives(running, 2)
    line(running, verdict="internal")
    running.mta.sendmail(smtp.message(subject="bounces"), "gone@example.test", sender=USER)
    arrives(running, 3)
    assert b"MAILER-DAEMON" in b"".join(running.messages(USER))


def test_alias_of_another_local_domain(behind_postfix, scripted_dns):
    """The address before the alias counts by the `for` of our own field; a forged ORCPT not."""
    for domain, gateway in (("example.test", "gw1"), ("other.test", "gw2"), ("evil.test", "evil")):
        scripted_dns.set(domain, "MX", f"10 {gateway}.example.test")
    for name, address in (("gw1", GATEWAY), ("gw2", "198.51.100.20"), ("evil", SPAMMER)):
        scripted_dns.set(f"{name}.example.test", "A", address)
        scripted_dns.set(f"{name}.example.test", "AAAA", answer())
    running = behind_postfix(
        dns_policy(scripted_dns, domains=["example.test", "other.test"], **BY),
        main={"virtual_alias_domains": "other.test",
              "virtual_alias_maps": "inline:{ {box@other.test=user@example.test} }"})
    send("198.51.100.20", "box@other.test")
    arrives(running, 1)
    with smtp.Client(SMTP, source=SPAMMER, lmtp=False) as client:
        client.greet()
        client.mail("a@b.example")
        assert client.rcpt(USER, "ORCPT=rfc822;x@evil.test").ok
        client.accepted = [USER]
        assert client.data(smtp.message())[USER].ok
    arrives(running, 1, "Junk")


def test_content_filter_that_gives_it_back(behind_postfix):
    """amavis-like: Postfix hands on to a filter, which comes back on a loopback port."""
    running = behind_postfix(
        smtpd=[(*SMTP, {"content_filter": "smtp:[127.0.0.1]:10025"}),
               ("127.0.0.1", 10025, {"smtpd_authorized_xforward_hosts": "127.0.0.0/8",
                                     "smtpd_client_restrictions": ""})])
    send(GATEWAY)
    arrives(running, 1)
    assert "boundary=192.0.2.10" in line(running, verdict="authorized", hop="2")
    send(SPAMMER)
    arrives(running, 1, "Junk")


def test_exim_before_dovecot(server, exim):
    running = server(policy(trace={"mta": ["exim"], "by": ["mail.example.test"]}))
    exim(routers="all:\n  driver = accept\n  domains = +local_domains\n  transport = lmtp\n",
         transports=f"lmtp:\n  driver = lmtp\n  socket = {running.socket}\n  batch_max = 20\n")
    send(GATEWAY)
    arrives(running, 1)
    line(running, verdict="authorized", boundary=GATEWAY)
    send(SPAMMER)
    arrives(running, 1, "Junk")


def test_dns_asked_after_data(behind_postfix, scripted_dns):
    scripted_dns.set("example.test", "MX", delayed(0.5, answer("10 gw.example.test", ttl=0)))
    scripted_dns.set("gw.example.test", "A", GATEWAY)
    scripted_dns.set("gw.example.test", "AAAA", answer())
    running = behind_postfix(dns_policy(scripted_dns, **BY))
    for source in (GATEWAY, SPAMMER, GATEWAY):
        send(source)
    arrives(running, 2)
    arrives(running, 1, "Junk")
    scripted_dns.clear()
    send("198.51.100.77")
    line(running, boundary="198.51.100.77", verdict="unknown", action="defer")
    running.mta.wait_log("status=deferred .*451 4")


# Dovecot before Dovecot

def test_proxy_before_a_backend(server, dovecot, mxguard_config):
    """The proxy says XCLIENT; the backend believes it, and decides like a door."""
    inner = policy(internal=["192.0.2.0/29"])
    backend = server(inner, lmtp=[("192.0.2.2", 24)], trusted="192.0.2.0/29")
    dovecot(lmtp=[LMTP], proxy_to=("192.0.2.2", 24))
    assert smtp.deliver(LMTP, USER, source=GATEWAY).codes == {USER: 250}
    assert smtp.deliver(LMTP, USER, source=SPAMMER).codes == {USER: 550}
    assert "place=door" in line(backend, verdict="direct", peer=SPAMMER)


def test_postfix_before_the_proxy(server, dovecot, postfix):
    """By the proxy's unix socket there is no address for XCLIENT: the proxy is the peer, and its own field
    stands above Postfix's."""
    trace = {"mta": ["postfix", "dovecot"], "by": ["mail.example.test", "proxy.example.test"]}
    backend = server(policy(internal=["192.0.2.0/29"], domains=["example.test"], trace=trace),
                     lmtp=[("192.0.2.2", 24)], trusted="192.0.2.0/29")
    proxy = dovecot(lmtp=[LMTP], proxy_to=("192.0.2.2", 24), hostname="proxy.example.test")
    postfix(main=postfix_config.lmtp_to(proxy.socket), smtpd=[(*SMTP, {})])
    for source, mailbox in ((GATEWAY, "INBOX"), (SPAMMER, "Junk")):
        send(source)
        arrives(backend, 1, mailbox)
        line(backend, boundary=source, place="queued")


def test_plugin_on_the_proxy(server, dovecot):
    """Decided at RCPT; what only the header tells is tagged, and the backend acts on that."""
    backend = dovecot(lmtp=[("192.0.2.2", 24)])
    proxy = server(policy(on_untraced="direct", authserv_id="mxguard.example.test"), lmtp=[LMTP],
                   proxy_to=("192.0.2.2", 24))
    assert smtp.deliver(LMTP, USER, source=GATEWAY).codes == {USER: 250}
    assert smtp.deliver(LMTP, USER, source=SPAMMER).codes == {USER: 550}
    assert backend.count(USER) == 1
    assert smtp.deliver(proxy.socket, [USER, "b@example.test"]).codes == {USER: 250, "b@example.test": 250}
    assert "x-mxguard=fail" in backend.messages(USER)[1].decode()
    line(proxy, verdict="direct", action="tag")


def test_starttls(server, certificate):
    running = server(tls=certificate)
    for source, code in ((GATEWAY, 250), (SPAMMER, 550)):
        with smtp.Client(LMTP, source=source) as client:
            client.greet()
            assert client.starttls().ok
            client.hello()
            client.mail("a@b.example")
            assert client.rcpt(USER).code == code
    assert not running.crashes()


# dovecot-lda

@pytest.fixture
def lda(server):
    """lda(content, environment) -> exit status; dovecot-lda as root's -d, so that it becomes
    the user."""
    def start(settings):
        plugins = "mail_plugins {\n    mxguard = yes\n  }" if version() >= (2, 4) else "mail_plugins = mxguard"
        names = "CLIENT_ADDRESS CLIENT_HELO SASL_USERNAME"
        imports = ("import_environment {\n" + "".join(f"  {name} = %{{env:{name}}}\n" for name in names.split())
                   + "}\n") if version() >= (2, 4) else \
            f"import_environment = {names} TZ CORE_OUTOFMEM CORE_ERROR\n"
        running = server(settings, extra=f"protocol lda {{\n  {plugins}\n}}\n{imports}", users={USER: {}})

        def deliver(content, **environment):
            argv = running.placed(["/usr/lib/dovecot/dovecot-lda", "-c", str(running.config), "-d", USER,
                                   "-f", "a@sender.example", "-e"])
            return run(argv, data=content, env={**os.environ, **environment}).returncode
        running.deliver = deliver
        return running
    return start


RECEIVED = """Received: from client.example (unknown [{}])
\tby mail.example.test (Postfix) with ESMTP id 4ABCDE1234
\tfor <user@example.test>; Mon,  2 Nov 2026 10:00:00 +0000 (UTC)
"""


def test_lda_by_environment_and_by_header(lda):
    running = lda(policy(**BY))
    assert running.deliver(smtp.message(), CLIENT_ADDRESS=GATEWAY) == 0
    assert running.count(USER) == 1
    assert running.deliver(smtp.message(), CLIENT_ADDRESS=SPAMMER) == 0
    assert running.count(USER, "Junk") == 1
    assert running.deliver(smtp.message(header=RECEIVED.format(GATEWAY))) == 0
    assert running.count(USER) == 2
    assert running.deliver(smtp.message(header=RECEIVED.format(SPAMMER))) == 0
    assert running.count(USER, "Junk") == 2
    line(running, boundary=SPAMMER, peer="-", place="queued")


def test_lda_exit_codes(lda, scripted_dns):
    running = lda(policy(on_direct_queued="reject", on_unreadable="defer", **BY))
    assert running.deliver(smtp.message(), CLIENT_ADDRESS=SPAMMER) == 77
    assert running.deliver(smtp.message(), CLIENT_ADDRESS="010.1.2.3") == 75
    assert running.deliver(smtp.message()) == 75  # no trace
    running.policy.write_text("mode =")
    assert running.deliver(smtp.message(), CLIENT_ADDRESS=GATEWAY) == 75
    assert running.count(USER) == 0
