# SPDX-License-Identifier: MIT
"""A real Exim that asks mxguard policy by ${readsocket}: the ACL of mxguard-policy(8)."""
from __future__ import annotations

import re

import pytest

from mxg import smtp
from mxg.exim import policy_acl
from mxg.mxguard import write_config
from mxg.process import wait_until

SMTP = ("192.0.2.1", 25)
GATEWAY, SPAMMER = "192.0.2.10", "203.0.113.66"
USER = "user@example.test"


@pytest.fixture
def guarded(exim, policy_service, mxguard_config):
    def start(**more):
        service = policy_service(mxguard_config(
            {"mode": "enforce", "self": ["198.51.100.1"], "state_dir": "/nonexistent/mxguard",
             "authserv_id": "mxguard.example.test",
             "gateways": ({"name": "filters", "allow": f"ip4:{GATEWAY}"},), **more}))
        return service, exim(acl=policy_acl(service.socket))
    return start


@pytest.mark.parametrize("acl,code", [
    (lambda text: text, 550),
    (lambda text: text.replace("${quote:$sender_helo_name}", "$sender_helo_name"), 451),  # twice: not understood
    (lambda text: text.replace("${quote:$sender_helo_name}", "$sender_helo_name").replace(
        "sasl_username=${quote:$authenticated_id}", ""), 250),  # what the manual warns of
], ids=["manual", "unquoted", "unquoted-no-login"])
def test_helo_adds_no_attribute(exim, policy_service, mxguard_config, acl, code):
    service = policy_service(mxguard_config({"mode": "enforce", "self": ["198.51.100.1"], "state_dir": "/nonexistent/mxguard",
                                             "gateways": ({"name": "filters", "allow": f"ip4:{GATEWAY}"},)}))
    exim(acl=acl(policy_acl(service.socket)), main="helo_accept_junk_hosts = *\n")
    assert deliver(SPAMMER, helo="x sasl_username=admin").rcpt[USER].code == code
    assert ("came twice" in service.log()) == (code == 451)
    assert ("verdict=authenticated" in service.log()) == (code == 250)


def deliver(source, recipients=USER, **keywords):
    return smtp.deliver(SMTP, recipients, lmtp=False, source=source, **keywords)


def test_gateway_and_spammer(guarded):
    service, mta = guarded()
    assert deliver(GATEWAY).final(USER).code == 250
    reply = deliver(SPAMMER).rcpt[USER]
    assert (reply.code, reply.enhanced) == (550, "5.7.1")
    assert "203.0.113.66 is not an authorized gateway for\n5.7.1 example.test" in reply.text
    mta.wait_log("Completed")
    assert service.log().count("verdict=") == 2


def test_tag_once_on_top(guarded):
    _, mta = guarded(mode="monitor")
    both = [USER, "other@example.test"]
    assert set(deliver(SPAMMER, both).codes.values()) == {250}
    mta.wait_log("Completed")
    text = mta.delivered.read_text()
    fields = re.findall(r"^Authentication-Results: mxguard\.example\.test; x-mxguard=fail", text, re.M)
    assert len(fields) == text.count("Message-ID: ") == 2  # two recipients, a copy each
    assert text.index("Authentication-Results:") < text.index("Received:")


def test_odd_addresses(guarded):
    service, mta = guarded()
    odd = ['"a b"@example.test', '"a\\"b"@example.test', "a'b=c{d}$e@example.test", '"x\\\\y"@example.test']
    for address in odd:
        assert deliver(GATEWAY, address).rcpt[address].code in (250, 501)
        assert deliver(SPAMMER, address).rcpt[address].code in (550, 501)
    assert "cannot be understood" not in service.log()


def test_service_dead_and_configuration_reloaded(guarded):
    service, mta = guarded()
    service.stop()
    reply = deliver(GATEWAY).rcpt[USER]
    assert reply.code == 451
    service.start()
    assert deliver(GATEWAY).rcpt[USER].code == 250
    write_config(service.config, {"mode": "monitor", "gateways": ({"name": "x", "allow": f"ip4:{GATEWAY}"},),
                                  "state_dir": "/nonexistent/mxguard"})
    service.reload()
    assert deliver(SPAMMER).rcpt[USER].code == 250
    wait_until(lambda: mta.log().count("Completed") == 2, "both are delivered")
