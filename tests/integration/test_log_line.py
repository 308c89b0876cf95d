# SPDX-License-Identifier: MIT
"""The log line in every front end: the same keys in the same order, as text and as JSON."""
from __future__ import annotations

import json
import re
import subprocess

import pytest

from mxg import build, smtp
from mxg.dns_script import answer
from mxg.mxguard import check, mxguard
from test_dovecot_rcpt import GATEWAY, LMTP, SPAMMER, USER, policy, server  # noqa: F401

KEYS = ["verdict", "action", "would", "mode", "place", "peer", "boundary", "hop", "gateway", "term", "helo", "from",
        "rcpt", "id", "msgid", "gen", "origin", "reason"]
HELO = 'x"} {"verdict":"authorized"}'
FORMATS = pytest.mark.parametrize("form", ["text", "json"])


def fields(line: str, form: str) -> dict[str, object]:
    """The fields in their order; of a text as JSON has them."""
    if form == "json":
        return json.loads(line, object_pairs_hook=dict)
    head, *words = line.split(" ")
    assert head == "mxguard:"
    found = {}
    for key, value in (word.split("=", 1) for word in words):
        found[key] = None if value == "-" else int(value) if key in ("hop", "gen") else \
            re.sub(r"\\x(..)", lambda m: chr(int(m[1], 16)), value.removeprefix("<").removesuffix(">"))
    return found


def decisions(log: str, form: str) -> list[dict[str, object]]:
    start = r'\{"verdict":' if form == "json" else "mxguard: verdict="
    return [fields(line, form) for line in re.findall(rf"{start}.*$", log, re.M)]


def is_as_expected(line, **more):
    assert list(line) == KEYS
    expected = {"verdict": "direct", "action": "reject", "would": None, "mode": "enforce", "place": "door",
                "peer": SPAMMER, "boundary": SPAMMER, "hop": 0, "gateway": None, "term": None, "rcpt": USER,
                "gen": None, "origin": None, "reason": "peer-not-a-gateway", **more}
    assert {key: line[key] for key in expected} == expected
    return True


@FORMATS
def test_policy_service(policy_service, mxguard_config, form):
    service = policy_service(mxguard_config(policy(log_format=form)))
    assert service.ask(SPAMMER, USER, helo_name=HELO, sender="a b@x.example", queue_id="4F2").startswith("550 ")
    line, = decisions(service.log(), form)
    assert is_as_expected(line, helo=HELO, id="4F2", msgid="", **{"from": "a b@x.example"})


@FORMATS
def test_wrapper(mxguard_config, form):
    config = mxguard_config(policy(log_format=form, on_direct_queued="reject"))
    done = subprocess.run([str(build.wrapper()), "-c", str(config), "--log", "stderr", "--peer", SPAMMER, "--rcpt",
                           USER, "--helo", HELO, "--from", "", "--id", "4F2", "--", "/bin/true", "%{mailbox}"],
                          input=b"Subject: x\n\nx\n", capture_output=True, timeout=60)
    line, = decisions(done.stderr.decode("ascii"), form)
    assert is_as_expected(line, place="queued", helo=HELO, id="4F2", **{"from": ""})


@FORMATS
def test_dovecot(server, form):
    running = server(policy(log_format=form))
    assert smtp.deliver(LMTP, USER, source=SPAMMER, helo="client.example").codes == {USER: 550}
    assert smtp.deliver(LMTP, USER, source=GATEWAY).codes == {USER: 250}
    running.wait_log("authorized.*test@sender.example")
    refused, taken = decisions(running.log(), form)
    assert is_as_expected(refused, helo="client.example", msgid="")
    assert is_as_expected(taken, verdict="authorized", action="accept", peer=GATEWAY, boundary=GATEWAY,
                          gateway="filters", term=f"ip4:{GATEWAY}", msgid="test@sender.example",
                          reason="gateway-match", rcpt=USER)


def test_dovecot_without_a_configuration(server):
    running = server(policy(log_format="json"))
    running.policy.write_text("mode = 7;\n")
    assert smtp.deliver(LMTP, USER, source=SPAMMER, helo="client.example").codes == {USER: 451}
    running.wait_log("reason=configuration")
    line, = decisions(running.log(), "text")
    assert is_as_expected(line, verdict="undecided", action="defer", mode=None, place=None, boundary=None,
                          helo="client.example", reason="configuration")


@FORMATS
def test_generation(policy_service, mxguard_config, scripted_dns, folder, form):
    """Each snapshot has a higher one, and the line says which one was there."""
    scripted_dns.set("example.test", "MX", answer("10 gw.example.test."))
    scripted_dns.set("gw.example.test", "A", answer(GATEWAY))
    config = mxguard_config(policy(gateways=({"name": "mx", "allow": "mx"},), domains=["example.test"],
                                   state_dir=str(folder / "state"), self=["198.51.100.1"], log_format=form,
                                   dns={"servers": [scripted_dns.server], "timeout": "20s"}))
    seen = [check(config, peer=GATEWAY, rcpt=USER)["gen"]]
    service = None
    for _ in range(2):
        assert mxguard("refresh", "-c", config).returncode == 0
        service = service or policy_service(config)
        seen.append(check(config, peer=GATEWAY, rcpt=USER)["gen"])
    assert seen[0] is None and seen[1] > 1700000000 and seen[2] > seen[1]
    assert service.ask(GATEWAY, USER) == "DUNNO"
    line, = decisions(service.log(), form)
    assert is_as_expected(line, verdict="authorized", action="accept", peer=GATEWAY, boundary=GATEWAY, gateway="mx",
                          term="mx", gen=line["gen"], reason="gateway-match")
    assert line["gen"] in seen[1:]


def test_check_says_what_the_line_says(mxguard_config):
    outcome = check(mxguard_config(policy()), peer=SPAMMER, rcpt=USER, helo="client.example")
    assert (outcome["helo"], outcome["gen"]) == ("client.example", None)
