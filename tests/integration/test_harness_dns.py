# SPDX-License-Identifier: MIT
"""The test harness itself: DNS, real and scripted."""
import time

import pytest

from mxg import dns_client, dns_script, dns_wire
from mxg.dns_script import answer


def test_real_dns_answers_and_reloads(real_dns):
    dns = real_dns({"example.test": "@ MX 10 mail\nmail A 192.0.2.1\nmail AAAA 2001:db8::1\n"})
    assert dns_client.answers(dns.endpoint, "example.test", "MX") == ["10 mail.example.test"]
    assert dns_client.answers(dns.endpoint, "mail.example.test", "AAAA") == ["2001:db8::1"]
    dns.set_zone("example.test", "@ MX 10 gw\ngw A 198.51.100.9\n")
    assert dns_client.answers(dns.endpoint, "example.test", "MX") == ["10 gw.example.test"]
    dns.set_zone("other.test", '@ TXT "v=spf1 -all"\n')
    assert dns_client.answers(dns.endpoint, "other.test", "TXT") == ["v=spf1 -all"]
    assert dns_client.ask(dns.endpoint, "mail.example.test", "A", tcp=True).rcode == 3


def test_caching_dns_keeps_answers(real_dns, caching_dns):
    dns = real_dns({"example.test": "@ MX 10 old\n"})
    cache = caching_dns(dns)
    assert dns_client.answers(cache.endpoint, "example.test", "MX") == ["10 old.example.test"]
    dns.set_zone("example.test", "@ MX 10 new\n")
    assert dns_client.answers(dns.endpoint, "example.test", "MX") == ["10 new.example.test"]
    assert dns_client.answers(cache.endpoint, "example.test", "MX") == ["10 old.example.test"]


def test_caching_dns_is_waited_for(real_dns, caching_dns):
    dns = real_dns({"example.test": "@ MX 10 old\n"}, ttl=1, negative=1)
    cache = caching_dns(dns)
    for _ in range(2):
        assert dns_client.answers(cache.endpoint, "example.test", "MX") == ["10 old.example.test"]
    dns.set_zone("example.test", "@ TXT other\n")
    cache.follow("example.test", "MX")
    assert dns_client.answers(cache.endpoint, "example.test", "MX") == []


def test_answers_of_each_type(scripted_dns):
    data = {"A": "192.0.2.1", "AAAA": "2001:db8::1", "MX": "10 gw.test", "PTR": "gw.test",
            "TXT": "v=spf1 " + "x" * 300}
    for kind, value in data.items():
        scripted_dns.set("a.test", kind, value)
    for kind, value in data.items():
        assert dns_client.answers(scripted_dns.endpoint, "A.test", kind) == [value]
    assert scripted_dns.asked() == [("a.test", kind) for kind in data]
    assert {question.protocol for question in scripted_dns.questions} == {"udp"}
    assert not scripted_dns.unexpected and not scripted_dns.unasked()


def test_aliases_are_followed(scripted_dns):
    scripted_dns.update({("www.test", "CNAME"): "mid.test", ("mid.test", "CNAME"): "end.test",
                         ("end.test", "A"): ["192.0.2.1", "192.0.2.2"]})
    reply = dns_client.ask(scripted_dns.endpoint, "www.test", "A")
    assert [record.type for record in reply.answers] == ["CNAME", "CNAME", "A", "A"]


def test_negative_answers(scripted_dns):
    scripted_dns.set("no.example.test", "A", dns_script.nxdomain(ttl=7, minimum=5))
    scripted_dns.set("empty.example.test", "A", dns_script.nodata())
    scripted_dns.set("broken.test", "A", dns_script.servfail())
    reply = dns_client.ask(scripted_dns.endpoint, "no.example.test", "A")
    assert reply.rcode == 3 and not reply.answers
    assert (reply.authority[0].type, reply.authority[0].ttl) == ("SOA", 7)
    assert str(reply.authority[0].data).endswith(" 5")
    reply = dns_client.ask(scripted_dns.endpoint, "empty.example.test", "A")
    assert reply.rcode == 0 and not reply.answers and reply.authority
    assert dns_client.ask(scripted_dns.endpoint, "broken.test", "A").rcode == 2
    assert dns_client.ask(scripted_dns.endpoint, "nobody-said.test", "A").rcode == 5
    assert scripted_dns.unexpected == [("nobody-said.test", "A")]


def test_silence_delay_and_drops(scripted_dns):
    scripted_dns.set("dead.test", "A", dns_script.timeout())
    scripted_dns.set("late.test", "A", dns_script.delayed(0.2, answer("192.0.2.1")))
    scripted_dns.set("lossy.test", "A", dns_script.drop_first(1, answer("192.0.2.1")))
    with pytest.raises(TimeoutError):
        dns_client.ask(scripted_dns.endpoint, "dead.test", "A", seconds=0.1)
    start = time.monotonic()
    assert dns_client.answers(scripted_dns.endpoint, "late.test", "A") == ["192.0.2.1"]
    assert time.monotonic() - start >= 0.2
    with pytest.raises(TimeoutError):
        dns_client.ask(scripted_dns.endpoint, "lossy.test", "A", seconds=0.1)
    assert dns_client.answers(scripted_dns.endpoint, "lossy.test", "A") == ["192.0.2.1"]


def test_truncation_and_size(scripted_dns):
    many = answer(*[f"192.0.2.{n}" for n in range(200)])
    scripted_dns.set("cut.test", "A", dns_script.truncated(answer("192.0.2.1")))
    scripted_dns.set("mute.test", "A", dns_script.truncated(answer("192.0.2.1"), tcp="silent"))
    scripted_dns.set("shut.test", "A", dns_script.truncated(answer("192.0.2.1"), tcp="close"))
    scripted_dns.set("many.test", "A", many)
    scripted_dns.set("flood.test", "A", dns_script.oversized(many))
    where = scripted_dns.endpoint
    assert dns_client.ask(where, "cut.test", "A").flags & dns_wire.TC
    assert dns_client.answers(where, "cut.test", "A", tcp=True) == ["192.0.2.1"]
    with pytest.raises(TimeoutError):
        dns_client.ask(where, "mute.test", "A", tcp=True, seconds=0.1)
    with pytest.raises(ConnectionError):
        dns_client.ask(where, "shut.test", "A", tcp=True)
    assert dns_client.ask(where, "many.test", "A").flags & dns_wire.TC
    assert len(dns_client.answers(where, "many.test", "A", tcp=True)) == 200
    assert len(dns_client.ask(where, "flood.test", "A").answers) == 200


def test_hostile_replies(scripted_dns):
    good = answer("192.0.2.1", authenticated=True)
    scripted_dns.set("id.test", "A", dns_script.wrong_id(good))
    scripted_dns.set("question.test", "A", dns_script.wrong_question(good))
    scripted_dns.set("garbage.test", "A", dns_script.garbage(b"\1\2\3"))
    scripted_dns.set("ab.test", "A", dns_script.raw(lambda wire: wire[:-15], good))
    scripted_dns.set("ad.test", "A", good)
    where = scripted_dns.endpoint
    assert dns_client.ask(where, "question.test", "A").question == ("other.test", "A")
    assert len(dns_client.ask_raw(where, "garbage.test", "A")) == 5
    assert dns_client.ask(where, "ad.test", "A").flags & dns_wire.AD
    assert dns_client.ask_raw(where, "id.test", "A")
    whole, half = (dns_client.ask_raw(where, name, "A") for name in ("ad.test", "ab.test"))
    assert len(half) == len(whole) - 15
