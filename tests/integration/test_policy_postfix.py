# SPDX-License-Identifier: MIT
"""A real Postfix that asks mxguard policy at RCPT."""
from __future__ import annotations

import re
import shutil
import threading
import time

import pytest

from mxg import build, smtp
from mxg import postfix as postfix_config
from mxg.dns_script import answer, held, timeout
from mxg.mxguard import write_config
from mxg.process import wait_until

SMTP = ("192.0.2.1", 25)
GATEWAY, SPAMMER = "192.0.2.10", "203.0.113.66"
USER = "user@example.test"
DOMAINS = "example.test mon.example off.example junk.example"


def settings(**more):
    return {"mode": "enforce", "self": ["198.51.100.1"], "state_dir": "/nonexistent/mxguard",
            "authserv_id": "mxguard.example.test", "exempt": ["postmaster@"],
            "gateways": ({"name": "filters", "allow": f"ip4:{GATEWAY}"},),
            "trace": {"mta": ["postfix"], "by": ["mail.example.test"]},
            "policies": ({"domains": ["mon.example"], "mode": "monitor"},
                         {"domains": ["off.example"], "mode": "off"},
                         {"domains": ["junk.example"], "on_direct": "quarantine"}), **more}


def main(service, order="{policy}, permit_mynetworks, permit_sasl_authenticated"):
    check = f"check_policy_service {{ unix:{service.socket}, timeout=10s, max_idle=300s }}"
    return {"virtual_mailbox_domains": DOMAINS, "smtpd_recipient_restrictions": order.format(policy=check),
            "smtpd_policy_service_retry_delay": "1s", "smtpd_error_sleep_time": "0",
            "smtpd_soft_error_limit": "1000", "smtpd_hard_error_limit": "1000"}


def rcpt(*recipients, source=SPAMMER, login=None, server=SMTP):
    """The replies to RCPT alone."""
    with smtp.Client(server, source=source, lmtp=False) as client:
        client.greet()
        if login:
            assert client.auth_plain(login, "secret").code == 235
        client.mail("a@sender.example")
        replies = [client.rcpt(each) for each in recipients]
        client.quit()
    return replies


@pytest.fixture
def guarded(policy_service, mxguard_config, postfix, dovecot):
    """guarded(settings, …) -> service, postfix, dovecot"""
    def start(config=None, plugin=None, **keywords):
        service = policy_service(mxguard_config(config or settings()))
        store = dovecot(lmtp=[], mxguard=plugin or {})
        more = keywords.pop("main", {})
        mta = postfix(main={**main(service), **postfix_config.lmtp_to(store.socket), **more},
                      smtpd=[(*SMTP, postfix_config.sasl_by(store.auth_socket))], **keywords)
        return service, mta, store
    return start


def test_who_gets_in(guarded):
    service, mta, store = guarded()
    assert smtp.deliver(SMTP, USER, lmtp=False, source=GATEWAY).final(USER).code == 250
    refused = smtp.deliver(SMTP, USER, lmtp=False, source=SPAMMER)
    assert (refused.rcpt[USER].code, refused.rcpt[USER].enhanced) == (550, "5.7.1")
    assert "203.0.113.66 is not an authorized gateway for example.test" in refused.rcpt[USER].text
    assert rcpt(USER, login=USER)[0].code == 250
    assert rcpt("postmaster@example.test")[0].code == 250
    mta.sendmail(smtp.message(subject="local"), USER)
    wait_until(lambda: store.count(USER) == 2, "the gateway's and the local one are delivered")
    mta.wait_empty()
    assert mta.log().count("NOQUEUE: reject: RCPT") == 1
    service.wait_log(r"verdict=authenticated .* peer=203\.0\.113\.66")


def test_xclient_without_a_login(guarded):
    """Postfix makes a SASL name of [TEMPUNAVAIL]."""
    guarded(main={"smtpd_authorized_xclient_hosts": GATEWAY})
    for login, code in (("[TEMPUNAVAIL]", 550), ("[UNAVAILABLE]", 550), ("alice", 250)):
        with smtp.Client(SMTP, source=GATEWAY, lmtp=False) as client:
            client.greet()
            assert client.xclient(ADDR=SPAMMER, LOGIN=login).ok
            client.greet()
            client.mail("a@sender.example")
            assert client.rcpt(USER).code == code, login


def test_mynetworks_first(guarded, folder):
    """A relay of ours that mynetworks lets through is never asked about."""
    service, mta, _ = guarded(main={"mynetworks": "127.0.0.0/8 198.51.100.0/24"})
    mta.main["smtpd_recipient_restrictions"] = main(service, "permit_mynetworks, {policy}")[
        "smtpd_recipient_restrictions"]
    mta.reload()
    assert rcpt(USER, source="198.51.100.7")[0].code == 250
    assert rcpt(USER)[0].code == 550
    assert "198.51.100.7" not in service.log()


def test_recipients_in_different_domains_and_policies(guarded):
    service, mta, store = guarded()
    everybody = [USER, "user@mon.example", "user@off.example", "user@junk.example", "postmaster@example.test"]
    replies = rcpt(*everybody)
    assert [reply.code for reply in replies] == [550, 250, 250, 250, 250]
    done = smtp.deliver(SMTP, everybody[1:4], lmtp=False, source=SPAMMER)
    assert set(done.codes.values()) == {250}
    wait_until(lambda: store.count("user@mon.example") == 1, "it is delivered")
    text = store.messages("user@mon.example")[0]
    fields = re.findall(rb"^Authentication-Results: .*(?:\n\s.*)*", text, re.M)
    assert len(fields) == 1 and b"x-mxguard=fail" in fields[0]
    assert text.index(b"Authentication-Results:") < text.index(b"client.example")


def test_pipelining(guarded):
    guarded()
    with smtp.Client(SMTP, source=SPAMMER, lmtp=False) as client:
        client.greet()
        many = [f"RCPT TO:<user{number}@{'mon.example' if number % 2 else 'example.test'}>" for number in range(40)]
        replies = client.pipeline(["MAIL FROM:<a@sender.example>", *many])
    assert [reply.code for reply in replies] == [250, *[550, 250] * 20]


def test_tag_comes_once_a_message_on_one_connection(guarded):
    _, mta, store = guarded()
    with smtp.Client(SMTP, source=SPAMMER, lmtp=False) as client:
        client.greet()
        for number in range(3):
            client.mail("a@sender.example")
            for user in ("one", "two"):
                client.rcpt(f"{user}@mon.example")
            client.data(smtp.message(subject=f"message {number}"))
    wait_until(lambda: store.count("one@mon.example") == 3, "they are delivered")
    assert all(text.count(b"x-mxguard=fail") == 1 for text in store.messages("one@mon.example"))


def test_dead_dns_is_451(guarded, scripted_dns):
    scripted_dns.default = timeout()
    guarded(settings(gateways=({"name": "mx", "allow": "mx"},),
                     dns={"servers": [scripted_dns.server], "timeout": "1s"}))
    reply = rcpt(USER)[0]
    assert (reply.code, reply.enhanced) == (451, "4.4.3")


def test_slow_dns_holds_nobody_else_up(guarded, scripted_dns):
    answered = threading.Event()
    scripted_dns.update({("example.test", "MX"): held(answered, answer("10 gw.example.test")),
                         ("gw.example.test", "A"): answer(GATEWAY)})
    guarded(settings(gateways=({"name": "mx", "allow": "mx"},),
                     dns={"servers": [scripted_dns.server], "timeout": "100s"}))
    replies = []
    slow = threading.Thread(target=lambda: replies.append(rcpt(USER, source=GATEWAY)[0].code))
    slow.start()
    wait_until(lambda: scripted_dns.questions, "the slow one waits for DNS")
    assert rcpt("user@off.example")[0].code == 250
    assert not replies
    answered.set()
    slow.join()
    assert replies == [250]


def test_dead_service_is_4xx(guarded):
    service, mta, _ = guarded()
    service.stop()
    for source in (GATEWAY, SPAMMER):
        assert rcpt(USER, source=source)[0].code == 451
    service.start()
    assert [rcpt(USER, source=source)[0].code for source in (GATEWAY, SPAMMER)] == [250, 550]


def test_broken_configuration_is_4xx(guarded):
    service, mta, _ = guarded()
    service.stop()
    write_config(service.config, "mode = nonsense;\n")
    with pytest.raises(AssertionError, match="ended with status 78"):
        service.start()
    assert rcpt(USER, source=GATEWAY)[0].code == 451


def test_restarts_and_reloads_under_load(guarded):
    """Whatever happens to the service: the gateway never gets a 5xx, the spammer never a 250."""
    service, _, _ = guarded()
    codes = {GATEWAY: [], SPAMMER: []}
    stop = threading.Event()

    def load(source):
        while not stop.is_set():
            codes[source] += [reply.code for reply in rcpt(*[USER] * 20, source=source)]

    threads = [threading.Thread(target=load, args=(source,)) for source in (GATEWAY, SPAMMER) * 3]
    for thread in threads:
        thread.start()
    for number in range(6):
        wanted = {source: len(replies) + 20 for source, replies in codes.items()}
        wait_until(lambda: all(len(codes[source]) >= wanted[source] for source in codes), "both are answered")
        if number % 3 == 0:
            service.kill()
            service.start()
        elif number % 3 == 1:
            service.stop()
            service.start()
        else:
            service.reload()
    stop.set()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive()
    assert set(codes[GATEWAY]) <= {250, 451} and 250 in codes[GATEWAY]
    assert set(codes[SPAMMER]) <= {550, 451} and 550 in codes[SPAMMER]


def test_spawn(mxguard_config, postfix, folder):
    path = mxguard_config(settings())
    # spawn(8) runs it as an unprivileged user, who may not see the checkout
    command = shutil.copy(build.command(), folder / "mxguard-command")
    mta = postfix(main={"virtual_mailbox_domains": DOMAINS, "virtual_transport": "discard:",
                        "smtpd_recipient_restrictions": "check_policy_service unix:private/mxguard"},
                  services=postfix_config.spawn_service("mxguard", f"{command} policy -c {path}"))
    assert rcpt(USER)[0].code == 550
    assert rcpt(USER, source=GATEWAY)[0].code == 250


def test_guards_agree(guarded, mxguard_config):
    """What the service accepted is not decided differently by the plugin behind LMTP; and what
    the service left to it (quarantine) the plugin puts aside."""
    plugin = mxguard_config(settings())
    service, mta, store = guarded(plugin={"mxguard_config": str(plugin)})
    everybody = [USER, "user@junk.example"]
    assert set(smtp.deliver(SMTP, everybody, lmtp=False, source=GATEWAY).codes.values()) == {250}
    wait_until(lambda: store.count(USER) == 1 and store.count("user@junk.example") == 1, "delivered")
    done = smtp.deliver(SMTP, everybody, lmtp=False, source=SPAMMER)
    assert done.codes == {USER: 550, "user@junk.example": 250}
    wait_until(lambda: store.count("user@junk.example", "Junk") == 1, "put aside")
    mta.wait_empty()
    assert len(re.findall("verdict=authorized", store.log())) == 2
    assert len(re.findall("verdict=direct action=quarantine", store.log())) == 1
    text = store.messages("user@junk.example", "Junk")[0]
    assert text.count(b"x-mxguard=fail") == 1
