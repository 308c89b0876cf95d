# SPDX-License-Identifier: MIT
"""mxguard check on a real and a scripted DNS server: what DNS trouble may and may not do."""
from __future__ import annotations

import contextlib
import socket
import time

import pytest

from mxg.dns_script import (ScriptedDns, answer, delayed, drop_first, garbage, nodata, nxdomain, oversized, refused,
                            servfail, timeout, truncated, wrong_id, wrong_question)
from mxg.mxguard import check, mxguard
from mxg.process import free_port

GATEWAY, SPAMMER = "192.0.2.10", "203.0.113.66"


def settings(servers, wait="20s", **more):
    return {"mode": "enforce", "self": ["198.51.100.1"], "state_dir": "/nonexistent/mxguard",
            "gateways": ({"name": "current-mx", "allow": "mx"},),
            "dns": {"servers": list(servers), "timeout": wait}, **more}


@pytest.fixture
def moved(scripted_dns):
    """example.test, whose MX is a gateway."""
    scripted_dns.update({("example.test", "MX"): answer("10 gw.example.test"),
                         ("gw.example.test", "A"): answer(GATEWAY)})
    return scripted_dns


def decide(mxguard_config, servers, peer=SPAMMER, wait="20s", **more):
    return check(mxguard_config(settings(servers, wait)), peer=peer, rcpt="alice@example.test", **more)


def test_gateway_and_spammer(moved, mxguard_config):
    good = decide(mxguard_config, [moved.server], GATEWAY)
    assert (good["verdict"], good["action"], good.status) == ("authorized", "accept", 0)
    assert (good["gateway"], good["term"], good["hop"]) == ("current-mx", "mx", 0)
    bad = decide(mxguard_config, [moved.server])
    assert (bad["verdict"], bad["action"], bad.status) == ("direct", "reject", 1)
    assert bad["peer"] == bad["boundary_peer"] == SPAMMER


def test_certificate(mxguard_config):
    """What is not given is not told."""
    bound = {"fingerprint": "5a" * 32, "subject": "mail.filter.example", "verified": True}
    config = mxguard_config({**settings(["127.0.0.1"]), "gateways": ({"name": "cloud", "certificate": bound},)})
    given = ["--cert-fingerprint", "SHA256:" + "5A:" * 31 + "5A", "--cert-subject", "mail.filter.example"]
    for extra, verdict, reason, step in (
            ([*given, "--cert-verified"], "authorized", "gateway-match", "the client's certificate is the gateway's"),
            (given, "direct", "peer-not-a-gateway", "the client's certificate is not verified"),
            ([*given[:2], "--cert-verified"], "direct", "certificate-not-told", "not told the certificate's subject"),
            (["--cert-subject", ""], "direct", "certificate-not-told", "not told the certificate's fingerprint"),
            ([], "direct", "certificate-not-told", "not told the client's certificate")):
        found = check(config, peer=SPAMMER, rcpt="alice@example.test", extra=extra)
        assert (found["verdict"], found["reason"]) == (verdict, reason), extra
        assert any(step in each for each in found["steps"]), found["steps"]
        assert (found["term"] == "certificate") == (reason != "peer-not-a-gateway")


def test_object_has_every_field_of_the_contract(moved, mxguard_config):
    fields = {"verdict", "action", "would", "mode", "place", "reason", "text", "peer", "boundary_peer", "hop",
              "gateway", "term", "recipient", "steps"}
    outcome = decide(mxguard_config, [moved.server])
    assert fields <= set(outcome.object)
    assert isinstance(outcome["steps"], list) and outcome["steps"]


def test_questions_are_exactly_those_needed(moved, mxguard_config):
    decide(mxguard_config, [moved.server], GATEWAY)
    assert sorted(moved.asked()) == [("example.test", "MX"), ("gw.example.test", "A")]


@pytest.mark.parametrize("reply, reason", [
    (timeout(), "dns-timeout"), (servfail(), "dns-servfail"), (refused(), "dns-refused"),
    (garbage(b"\x00" * 3), "dns-timeout dns-broken"),  # c-ares 1.18 drops it, 1.34 tells of it
    (wrong_id(answer("10 gw.example.test")), "dns-timeout"),
    (wrong_question(answer("10 gw.example.test")), "dns-timeout"),
    (truncated(answer("10 gw.example.test"), tcp="silent"), "dns-timeout"),
    (truncated(answer("10 gw.example.test"), tcp="close"), "dns-timeout"),
])
def test_trouble_is_neither_yes_nor_no(moved, mxguard_config, reply, reason):
    moved.set("example.test", "MX", reply)
    for peer in (GATEWAY, SPAMMER):
        outcome = decide(mxguard_config, [moved.server], peer, wait="1s")
        assert (outcome["verdict"], outcome["action"], outcome.status) == ("unknown", "defer", 75)
        assert outcome["reason"] in reason.split()


def test_truncated_reply_is_fetched_over_tcp(moved, mxguard_config):
    moved.set("example.test", "MX", truncated(answer("10 gw.example.test")))
    assert decide(mxguard_config, [moved.server], GATEWAY)["verdict"] == "authorized"
    assert [q.protocol for q in moved.questions if q.type == "MX"] == ["udp", "tcp"]


@pytest.mark.parametrize("cut", [False, True])
def test_names_hold_any_byte(moved, mxguard_config, cut):
    """RFC 2181 §11; c-ares 1.34 would send none of these."""
    labels = [b"a+b", b"a=b", b"a*b", b"a-b", b"!\"#$%&'()+,/:;<=>?@[]^`{|} ~", b"\x01\t\x7f\xfc"]
    targets = [b"\0\x0a" + bytes([len(label)]) + label + b"\x07example\x04test\0" for label in labels]
    moved.set("example.test", "MX", answer(*targets))
    for number, label in enumerate(labels):
        reply = answer(f"192.0.2.{20 + number}")
        shown = "".join(chr(byte) if 0x20 < byte < 0x7f else f"\\{byte:03d}" for byte in label)
        moved.set(f"{shown}.example.test", "A", truncated(reply) if cut else reply)
    for number in range(len(labels)):
        found = decide(mxguard_config, [moved.server], f"192.0.2.{20 + number}")
        assert found["verdict"] == "authorized", (labels[number], found["reason"], found["steps"])
    assert decide(mxguard_config, [moved.server])["verdict"] == "direct"


def test_a_lost_packet_is_sent_again(moved, mxguard_config):
    moved.set("example.test", "MX", drop_first(1, answer("10 gw.example.test")))
    assert decide(mxguard_config, [moved.server], GATEWAY)["verdict"] == "authorized"


def test_slow_but_in_time(moved, mxguard_config):
    moved.set("example.test", "MX", delayed(0.3, answer("10 gw.example.test")))
    assert decide(mxguard_config, [moved.server], GATEWAY)["verdict"] == "authorized"


@pytest.mark.parametrize("reply", [nxdomain(), nodata(), answer("0 .")])
def test_no_gateway_published_is_never_direct(moved, mxguard_config, reply):
    moved.set("example.test", "MX", reply)
    moved.set("example.test", "A", nodata())
    moved.set("example.test", "AAAA", nodata())
    outcome = decide(mxguard_config, [moved.server])
    assert (outcome["verdict"], outcome["reason"]) == ("unknown", "no-gateway-published")


def test_second_server_answers_where_the_first_fails(moved, mxguard_config):
    with ScriptedDns() as broken:
        for first in (servfail(), refused()):
            broken.default = first
            outcome = decide(mxguard_config, [broken.server, moved.server], GATEWAY)
            assert outcome["verdict"] == "authorized"


def test_dead_first_server(moved, mxguard_config):
    dead = f"127.0.0.1:{free_port('127.0.0.1', socket.SOCK_DGRAM)}"
    assert decide(mxguard_config, [dead, moved.server], GATEWAY)["verdict"] == "authorized"


def test_eight_silent_servers_end_in_time(mxguard_config):
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(ScriptedDns()) for _ in range(8)]
        for server in silent:
            server.default = timeout()
        before = time.monotonic()
        outcome = decide(mxguard_config, [server.server for server in silent], wait="1s")
        took = time.monotonic() - before
    assert (outcome["verdict"], outcome["reason"]) == ("unknown", "dns-timeout")
    assert took < 20, "far past the whole decision's second"


def test_server_that_accepts_tcp_and_says_nothing(moved, mxguard_config):
    moved.set("example.test", "MX", truncated(answer("10 gw.example.test"), tcp="silent"))
    before = time.monotonic()
    assert decide(mxguard_config, [moved.server], wait="1s")["verdict"] == "unknown"
    assert time.monotonic() - before < 20


def test_oversized_reply(moved, mxguard_config):
    moved.set("example.test", "MX", oversized(answer(*(f"10 m{i}.long-name-of-a-host.example.test" for i in range(60)))))
    assert decide(mxguard_config, [moved.server], wait="1s")["verdict"] == "unknown"


def test_server_dies_and_comes_back(mxguard_config):
    port = free_port("127.0.0.1", socket.SOCK_DGRAM)
    server = f"127.0.0.1:{port}"
    assert decide(mxguard_config, [server], GATEWAY, wait="1s")["verdict"] == "unknown"
    with ScriptedDns("127.0.0.1", port) as dns:
        dns.update({("example.test", "MX"): answer("10 gw.example.test"),
                    ("gw.example.test", "A"): answer(GATEWAY)})
        assert decide(mxguard_config, [server], GATEWAY)["verdict"] == "authorized"
    assert decide(mxguard_config, [server], GATEWAY, wait="1s")["verdict"] == "unknown"


def test_several_recipients_one_evaluation_a_domain(moved, mxguard_config):
    outcome = check(mxguard_config(settings([moved.server])), peer=SPAMMER,
                    rcpt=[f"user{i}@example.test" for i in range(20)])
    assert [each["verdict"] for each in outcome.objects] == ["direct"] * 20
    assert len(moved.questions) == 2


def test_real_server_and_its_cnames(real_dns, mxguard_config):
    dns = real_dns({"example.test": "@ MX 10 alias\nalias CNAME gw\ngw A 192.0.2.10\n"})
    assert decide(mxguard_config, [dns.server], GATEWAY)["verdict"] == "authorized"
    assert decide(mxguard_config, [dns.server])["verdict"] == "direct"
    dns.set_zone("example.test", "@ MX 10 other\nother A 192.0.2.20\n")
    assert decide(mxguard_config, [dns.server], GATEWAY)["verdict"] == "direct"


@pytest.mark.parametrize("arguments, status", [
    ([], 64), (["--peer", "192.0.2.1"], 64), (["--rcpt", "a@b.test"], 64), (["--bogus"], 64),
    (["--peer", "0300.0.2.1", "--rcpt", "a@b.test"], 64), (["--peer", "::1%lo", "--rcpt", "a@b.test"], 64),
    (["--peer", "192.0.2.1", "--rcpt", "a@b.test", "--place", "roof"], 64),
])
def test_wrong_use(mxguard_config, arguments, status):
    config = mxguard_config(settings(["127.0.0.1"]))
    result = mxguard("check", "-c", config, *arguments)
    assert result.returncode == status and result.stderr and not result.stdout


def test_wrong_configuration_is_78_and_says_where(mxguard_config):
    result = mxguard("check", "-c", mxguard_config("mode = \"enforce\";\ngatways = ();\n"), "--peer", "192.0.2.1",
                     "--rcpt", "a@b.test")
    assert result.returncode == 78
    assert b".conf:2: gatways" in result.stderr and b"gateways" in result.stderr
    assert mxguard("check", "-c", "/nonexistent", "--peer", "192.0.2.1", "--rcpt", "a@b.test").returncode == 78


def test_table_for_people(moved, mxguard_config):
    result = mxguard("check", "-c", mxguard_config(settings([moved.server])), "--peer", SPAMMER, "--rcpt",
                     "alice@example.test", "--color=never")
    assert result.returncode == 1
    assert b"alice@example.test: direct, reject" in result.stdout
    assert b"\033" not in result.stdout


def test_domains_file_that_is_missing_is_said_once(mxguard_config, folder):
    config = mxguard_config({"mode": "enforce", "self": ["198.51.100.1"], "state_dir": "/nonexistent/mxguard",
                             "domains_file": str(folder / "domains"),
                             "gateways": ({"name": "filters", "allow": f"ip4:{GATEWAY}"},)})
    outcome = mxguard("check", "-c", config, "--peer", GATEWAY, "--rcpt", "alice@example.test", "--json")
    assert outcome.stderr.decode().count(f"warning: domains_file: {folder}/domains: ") == 1
    (folder / "domains").write_text("example.test\n")
    outcome = mxguard("check", "-c", config, "--peer", GATEWAY, "--rcpt", "alice@example.test", "--json")
    assert "domains_file" not in outcome.stderr.decode() and outcome.returncode == 0
