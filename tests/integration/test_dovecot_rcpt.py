# SPDX-License-Identifier: MIT
"""The Dovecot plugin at RCPT: what the peer alone decides, per recipient."""
import re

import pytest

from mxg import smtp
from mxg.dns_script import answer, garbage, servfail, timeout
from mxg.dovecot import version

LMTP = ("192.0.2.1", 24)
GATEWAY, OTHER, SPAMMER = "192.0.2.10", "198.51.100.7", "203.0.113.66"
USER = "user@example.test"
FILTERS = {"name": "filters", "allow": f"ip4:{GATEWAY} ip6:2001:db8:25::/48"}
MX = {"name": "current-mx", "allow": "mx"}


def policy(**settings):
    return {"mode": "enforce", "authserv_id": "mxguard.example.test", "gateways": [FILTERS],
            "state_dir": "/nonexistent", **settings}


@pytest.fixture
def server(dovecot, mxguard_config):
    """server(settings, **Dovecot's) -> Dovecot with that policy; its file is server.policy"""
    def start(settings=None, **keywords):
        path = mxguard_config(settings or policy())
        overrides = keywords.pop("mxguard", {})
        running = dovecot(mxguard={"mxguard_config": str(path), **overrides}, **keywords)
        running.policy = path
        return running
    return start


def dns_policy(dns, seconds=20, **settings):
    return policy(**{"gateways": [MX], "dns": {"timeout": f"{seconds}s", "servers": [dns.server]},
                     **settings})


def line(server, **fields):
    """The log line of a decision that has all these fields."""
    wanted = "".join(rf"(?=.* {key}={re.escape(value)}(?:\s|$))" for key, value in fields.items())
    return server.wait_log(rf"mxguard:{wanted} verdict=.*$")[0]


def test_each_recipient_for_itself(server):
    running = server(policy(exempt=["postmaster@", "open@example.test"], policies=(
        {"domains": ["watched.test"], "mode": "monitor"},
        {"domains": ["off.test"], "mode": "off"},
        {"domains": [".sub.test"], "gateways": [{"name": "own", "allow": f"ip4:{SPAMMER}"}]},
        {"domains": ["later.test"], "on_direct": "defer"})))
    expected = {USER: 550, "open@example.test": 250, "postmaster@example.test": 250,
                "Postmaster@later.test": 250, "a@watched.test": 250, "a@off.test": 250,
                "a@mail.sub.test": 250, "a@later.test": 451, "a@other.test": 550}
    done = smtp.deliver(LMTP, list(expected), source=SPAMMER)
    assert done.codes == expected
    assert done.rcpt[USER].enhanced == "5.7.1" and done.rcpt["a@later.test"].enhanced == "4.7.1"
    assert SPAMMER in done.rcpt[USER].text
    assert running.count(USER) == 0 and running.count("open@example.test") == 1
    assert "action=reject would=- mode=enforce place=door" in line(
        running, rcpt=f"<{USER}>", peer=SPAMMER, reason="peer-not-a-gateway")
    assert "verdict=direct action=accept would=reject mode=monitor" in line(
        running, rcpt="<a@watched.test>", msgid="<test@sender.example>")
    for recipient in expected:
        line(running, rcpt=f"<{recipient}>")
    assert len(re.findall("mxguard: verdict=", running.log())) == len(expected)


def test_the_gateway_delivers(server):
    running = server(lmtp=[LMTP, ("2001:db8::1", 24)])
    assert smtp.deliver(LMTP, USER, source=GATEWAY).codes == {USER: 250}
    assert smtp.deliver(("2001:db8::1", 24), USER, source="2001:db8:25::7").codes == {USER: 250}
    assert smtp.deliver(("2001:db8::1", 24), USER, source="2001:db8:26::7").codes == {USER: 550}
    assert "gateway=filters term=ip4:192.0.2.10" in line(running, verdict="authorized", peer=GATEWAY)
    assert running.count(USER) == 2


def test_all_refused_ends_the_transaction(server):
    server()
    with smtp.Client(LMTP, source=SPAMMER) as client:
        client.greet()
        client.mail("a@b.example")
        assert client.rcpt(USER).code == 550
        assert client.command("DATA").code == 503
        client.mail("a@b.example")
        assert client.rcpt("second@example.test").code == 550


def test_modes_and_overrides_of_dovecot(server):
    running = server(mxguard={"mxguard_mode": "monitor", "mxguard_exempt": "free@example.test"},
                     users={"strict@example.test": {"mxguard_mode": "enforce"},
                            "off@example.test": {"mxguard_mode": "off"},
                            "wrong@example.test": {"mxguard_mode": "sometimes"}})
    expected = {USER: 250, "free@example.test": 250, "strict@example.test": 550,
                "off@example.test": 250, "wrong@example.test": 451}
    done = smtp.deliver(LMTP, list(expected), source=SPAMMER)
    assert done.codes == expected
    assert done.rcpt["wrong@example.test"].enhanced == "4.3.5"
    line(running, rcpt="<free@example.test>", verdict="exempt")
    line(running, rcpt="<off@example.test>", verdict="exempt", mode="off")
    running.wait_log("the user's settings: .*mode: found \"sometimes\"")


def test_userdb_that_fails_is_called_so(server):
    """Not by the name of our own configuration."""
    fails = {"users": {USER: {}}, "extra": "userdb passwd-file {\n  result_internalfail = return-fail\n"
                                           "  fields {\n    uid = nobody-at-all\n  }\n}\n"} \
        if version() >= (2, 4) else {"users": {USER: {"mail_max_lock_timeout": "soon"}}}
    running = server(**fails)
    done = smtp.deliver(LMTP, USER, source=SPAMMER)
    assert done.codes == {USER: 451} and done.rcpt[USER].enhanced == "4.3.0"
    line(running, rcpt=f"<{USER}>", verdict="undecided", action="defer", reason="userdb")
    running.wait_log("deferred with 451 4.3.0: the user's settings: userdb lookup failed: .+")


def test_unreadable_overrides_let_nothing_in(server):
    running = server(mxguard={"mxguard_mode": "enforec"})
    done = smtp.deliver(LMTP, [USER, "b@example.test"], source=GATEWAY)
    assert {reply.enhanced for reply in done.rcpt.values()} == {"4.3.5"}
    running.wait_log("deferred with 451 4.3.5: .*mode: found \"enforec\"")


@pytest.mark.parametrize("content", [None, b"", b"mode = ", b'mode = "sometimes";', b"\0", b"nothing = 1;"])
def test_broken_configuration(server, content):
    running = server()
    assert smtp.deliver(LMTP, USER, source=GATEWAY).codes == {USER: 250}
    good = running.policy.read_bytes()
    running.policy.unlink() if content is None else running.policy.write_bytes(content)
    for _ in range(2):
        done = smtp.deliver(LMTP, [USER, "b@example.test"], source=GATEWAY)
        assert {(reply.code, reply.enhanced) for reply in done.rcpt.values()} == {(451, "4.3.5")}
    running.wait_log("all recipients are deferred with 451 4.3.5: .*mxguard/0.conf")
    line(running, rcpt=f"<{USER}>", reason="configuration")
    running.policy.write_bytes(good)
    running.policy.chmod(0o644)
    assert smtp.deliver(LMTP, USER, source=GATEWAY).codes == {USER: 250}
    assert smtp.deliver(LMTP, USER, source=SPAMMER).codes == {USER: 550}


def test_broken_from_the_start_until_reloaded(server):
    running = server('mode = "enforce";\n')
    assert smtp.deliver(LMTP, USER, source=GATEWAY).rcpt[USER].enhanced == "4.3.5"
    running.reload()
    assert smtp.deliver(LMTP, USER, source=GATEWAY).rcpt[USER].enhanced == "4.3.5"


# Addresses as Dovecot established them

def test_xclient_from_a_trusted_host(server):
    running = server(policy(internal=["192.0.2.9"]), trusted="192.0.2.9")
    done = smtp.deliver(LMTP, USER, source="192.0.2.9", xclient={"ADDR": SPAMMER})
    assert done.codes == {USER: 550}
    assert "real=192.0.2.9" in line(running, peer=SPAMMER, place="door")
    assert smtp.deliver(LMTP, USER, source="192.0.2.9", xclient={"ADDR": GATEWAY}).codes == {USER: 250}
    login = {"ADDR": SPAMMER, "LOGIN": "me"}
    assert smtp.deliver(LMTP, USER, source="192.0.2.9", xclient=login).codes == {USER: 250}
    line(running, verdict="authenticated")


def test_xclient_between_transactions(server):
    server(policy(internal=["192.0.2.9"]), trusted="192.0.2.9")
    with smtp.Client(LMTP, source="192.0.2.9") as client:
        client.greet()
        for address, code in ((SPAMMER, 550), (GATEWAY, 250), (SPAMMER, 550)):
            assert client.xclient(ADDR=address).ok
            client.hello()
            client.mail("a@b.example")
            assert client.rcpt(USER).code == code
            assert client.command("RSET").ok


def authenticated(client):
    """Whether mail of the client that XCLIENT has told is let in; a recipient that is refused leaves
    no transaction behind."""
    client.hello()
    client.mail("a@b.example")
    code = client.rcpt(USER).code
    assert code in (250, 550)
    if code == 250:
        assert client.data(smtp.message())[USER].ok
    else:
        assert client.command("RSET").ok
    return code == 250


OTHERS = [{"ADDR": SPAMMER}, {"ADDR": "203.0.113.67", "HELO": "x.example"}, {"ADDR": "IPV6:2001:db8::66"},
          {"ADDR": SPAMMER, "LOGIN": "[UNAVAILABLE]"}, {"ADDR": SPAMMER, "LOGIN": "[tempunavail]"},
          {"LOGIN": "[UNAVAILABLE]"}, {"LOGIN": "[TEMPUNAVAIL]"}, {"LOGIN": ""}, {"LOGIN": " "},
          {"LOGIN": "\t"}, {"LOGIN": "ali\x01ce"}]


@pytest.mark.parametrize("delivered", [True, False])
@pytest.mark.parametrize("another", OTHERS, ids=str)
def test_login_goes_with_its_client(server, another, delivered):
    server(policy(internal=["192.0.2.9"]), trusted="192.0.2.9")
    with smtp.Client(LMTP, source="192.0.2.9") as client:
        client.greet()
        assert client.xclient(ADDR=OTHER, LOGIN="alice").ok
        assert not delivered or authenticated(client)
        assert client.xclient(**another).ok
        assert not authenticated(client)
        assert client.xclient(ADDR=OTHER, LOGIN="bob").ok
        assert authenticated(client)


def test_login_that_is_none(server):
    server(policy(internal=["192.0.2.9"]), trusted="192.0.2.9")
    for none in ("[UNAVAILABLE]", "[TEMPUNAVAIL]", "[TempUnavail]", "", " ", "\x7f"):
        with smtp.Client(LMTP, source="192.0.2.9") as client:
            client.greet()
            assert client.xclient(ADDR=SPAMMER, LOGIN=none).ok
            assert not authenticated(client)


def test_login_that_is_told_before_its_address(server):
    """So does Dovecot's proxy, where the line would be too long; the address is told again."""
    server(policy(internal=["192.0.2.9"]), trusted="192.0.2.9")
    with smtp.Client(LMTP, source="192.0.2.9") as client:
        client.greet()
        assert client.xclient(LOGIN="alice").ok and client.xclient(ADDR=OTHER, PORT="2525").ok
        assert authenticated(client)
        assert client.xclient(HELO="x.example").ok and client.xclient(ADDR=OTHER).ok
        assert authenticated(client)
        assert client.xclient(ADDR=SPAMMER).ok
        assert not authenticated(client)


def test_login_of_a_host_that_is_not_ours_counts_for_nothing(server):
    running = server(trusted="192.0.2.9")  # may say XCLIENT, but is not internal
    done = smtp.deliver(LMTP, USER, source="192.0.2.9", xclient={"ADDR": SPAMMER, "LOGIN": "me"})
    assert done.codes == {USER: 550}
    line(running, peer=SPAMMER, verdict="direct")


def test_xclient_from_elsewhere_is_refused(server):
    server()
    with smtp.Client(LMTP, source=SPAMMER) as client:
        client.greet()
        assert not client.xclient(ADDR=GATEWAY).ok
        client.mail("a@b.example")
        assert client.rcpt(USER).code == 550


def test_haproxy(server):
    proxy = ("192.0.2.1", 2424)
    running = server(policy(internal=["192.0.2.8"]), lmtp_haproxy=[proxy], haproxy_trusted="192.0.2.8",
                     trusted="192.0.2.8")
    for header, code in ((smtp.proxy_v1(SPAMMER), 550), (smtp.proxy_v1(GATEWAY), 250),
                         (smtp.proxy_v2(SPAMMER), 550), (smtp.proxy_v2(GATEWAY), 250),
                         (smtp.proxy_v2("2001:db8:25::1"), 250), (smtp.proxy_v2("2001:db8::66"), 550)):
        assert smtp.deliver(proxy, USER, source="192.0.2.8", proxy=header).codes == {USER: code}
    assert "real=192.0.2.8" in line(running, peer=SPAMMER)
    # who stands behind the proxy may not say who is logged in
    done = smtp.deliver(proxy, USER, source="192.0.2.8", proxy=smtp.proxy_v1(SPAMMER),
                        xclient={"ADDR": SPAMMER, "LOGIN": "me"})
    assert done.codes == {USER: 550}


def test_hostile_values_stay_on_one_line(server):
    running = server()
    with smtp.Client(LMTP, source=SPAMMER) as client:
        client.greet("x action=accept")
        client.line('MAIL FROM:<"a verdict=authorized b"@b.example>')
        client.reply()
        client.line('RCPT TO:<"x> rcpt=<y"@example.test>')
        assert client.reply().code == 550
    found = running.wait_log("mxguard: verdict=.*$")[0]
    assert found.count("verdict=") == 1 or "verdict=direct" in found
    assert not re.search(r" rcpt=<y", found)


# DNS

def test_mx_is_self_then_moves(server, scripted_dns):
    dns = scripted_dns
    dns.set("example.test", "MX", answer("10 mail.example.test", ttl=0))
    dns.set("mail.example.test", "A", answer("192.0.2.1", ttl=0))
    dns.set("mail.example.test", "AAAA", answer())
    dns.set("gw.example.test", "A", GATEWAY)
    dns.set("gw.example.test", "AAAA", answer())
    running = server(dns_policy(dns))
    assert smtp.deliver(LMTP, USER, source=SPAMMER).codes == {USER: 250}
    line(running, reason="mx-is-self", verdict="exempt")
    dns.set("example.test", "MX", answer("10 gw.example.test", ttl=0))
    assert smtp.deliver(LMTP, USER, source=SPAMMER).codes == {USER: 550}
    assert smtp.deliver(LMTP, USER, source=GATEWAY).codes == {USER: 250}
    line(running, verdict="authorized", gateway="current-mx", term="mx")


def test_no_gateway_published(server, scripted_dns):
    scripted_dns.set("example.test", "MX", answer())
    scripted_dns.set("example.test", "A", answer())
    scripted_dns.set("example.test", "AAAA", answer())
    running = server(dns_policy(scripted_dns))
    done = smtp.deliver(LMTP, USER, source=SPAMMER)
    assert done.codes == {USER: 451}
    line(running, reason="no-gateway-published", verdict="unknown")


@pytest.mark.parametrize("reply", [servfail(), timeout(), garbage()])
def test_dns_trouble_defers(server, scripted_dns, reply):
    scripted_dns.set("example.test", "MX", reply)
    running = server(dns_policy(scripted_dns, seconds=1, gateways=[FILTERS, MX]))
    done = smtp.deliver(LMTP, [USER, "b@example.test"], source=OTHER)
    assert set(done.codes.values()) == {451}
    assert smtp.deliver(LMTP, USER, source=GATEWAY).codes == {USER: 250}  # needs no DNS
    line(running, verdict="unknown", peer=OTHER)
