# SPDX-License-Identifier: MIT
"""One driver asks DNS for all: what `check` can cope with, `refresh` and `gateways` can, too."""
from __future__ import annotations

import collections
import json

import pytest

from mxg.dns_script import ScriptedDns, answer, raw, servfail, timeout, truncated
from mxg.mxguard import check, mxguard

OUTSIDE = "192.0.2.53"  # no loopback: as a resolver on another host
SET = {"192.0.2.10/32", "2001:db8::10/128", "198.51.100.0/25", "203.0.113.8/32"}


def gateways(site, *options, status=0):
    result = mxguard("gateways", "-c", site.config, "--json", "--no-snapshot", "example.test", *options)
    assert result.returncode == status, (result.stdout + result.stderr).decode()
    return {each["prefix"] for each in json.loads(result.stdout)["gateways"]}


def everybody_knows(site):
    """All three ask, and get it all."""
    assert check(site.config, peer="203.0.113.8", rcpt="a@example.test")["verdict"] == "authorized"
    assert gateways(site) == SET
    found = site.refresh()
    assert found["failures"] == [] and found["stored"] == 6


def test_server_without_edns(site):
    site.dns.knows_edns = False
    everybody_knows(site)
    assert {question.edns for question in site.dns.questions} == {True, False}


def test_truncated(site):
    for key in list(site.dns.script):
        site.dns.set(*key, truncated(site.dns.script[key]))
    everybody_knows(site)
    assert {question.protocol for question in site.dns.questions} == {"udp", "tcp"}


@pytest.mark.parametrize("first", [servfail(), timeout(), raw(lambda reply: reply[:30])])
def test_next_server(site, first):
    with ScriptedDns() as other:
        other.default = first
        site.configure(dns={"servers": [other.server, site.dns.server], "timeout": "4s"})
        everybody_knows(site)
        assert other.questions


def test_silent_server_is_asked_last(site):
    """It is waited for by those questions that are out at first, not by each of the others."""
    site.settings["domains"] = [f"d{i}.test" for i in range(300)]
    site.dns.update({(f"d{i}.test", "MX"): answer("10 gw.example.test") for i in range(300)})
    with ScriptedDns() as other:
        other.default = timeout()
        site.configure(dns={"servers": [other.server, site.dns.server], "timeout": "4s"})
        found = site.refresh("--concurrency", "10")
        assert found["failures"] == [] and len(other.questions) <= 10


@pytest.mark.parametrize("over_tcp", [False, True])
def test_empty_text_beside_a_record(site, over_tcp):
    """RDLENGTH 0: not even an empty string. The record beside it counts."""
    def prepend(reply):
        head = bytearray(reply[:12])
        if head[6:8] == b"\0\0":  # cut, over UDP
            return reply
        head[6:8] = (2).to_bytes(2, "big")
        end = reply.index(b"\0", 12) + 5
        return bytes(head) + reply[12:end] + b"\xc0\x0c\0\x10\0\1\0\0\1\x2c\0\0" + reply[end:]
    reply = raw(prepend, answer("v=spf1 ip4:203.0.113.8 ~all"))
    site.dns.set("more.filter.test", "TXT", truncated(reply) if over_tcp else reply)
    everybody_knows(site)
    asked = {question.protocol for question in site.dns.questions if question.name == "more.filter.test"}
    assert asked == ({"udp", "tcp"} if over_tcp else {"udp"})


def test_empty_text_in_a_cut_reply(site):
    """What a cut reply holds does not count, whatever it is."""
    def append(reply):
        if reply[6:8] != b"\0\0":
            return reply
        end = reply.index(b"\0", 12) + 5
        return reply[:6] + b"\0\1" + reply[8:end] + b"\xc0\x0c\0\x10\0\1\0\0\1\x2c\0\0" + reply[end:]
    site.dns.set("more.filter.test", "TXT", truncated(raw(append, answer("v=spf1 ip4:203.0.113.8 ~all"))))
    everybody_knows(site)


def test_other_ports_outside(site, network):
    """Seven hundred questions do not all leave by one port, which would have to be guessed once."""
    with ScriptedDns(OUTSIDE) as dns:
        dns.update(dict(site.dns.script))
        dns.update({(f"d{i}.test", "MX"): answer("10 gw.example.test") for i in range(700)})
        site.configure(dns={"servers": [dns.server], "timeout": "4s"}, domains=[f"d{i}.test" for i in range(700)])
        found = site.refresh()
        assert found["failures"] == []
        ports = collections.Counter(question.port for question in dns.questions)
        assert sum(ports.values()) >= 700 and max(ports.values()) <= 64, ports
