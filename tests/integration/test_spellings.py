# SPDX-License-Identifier: MIT
"""However a recipient is spelled: where real servers deliver it to a mailbox of a domain, mxguard is not
kinder to it than to the plain address there.

The servers are asked first, without mxguard (mxg.routing); then mxguard is, at each of its doors.
MXGUARD_SPELLINGS=N takes every named spelling around every domain and N random ones; otherwise it is a
sample, another one each day, or that of MXGUARD_SPELLINGS_SEED. MXGUARD_SPELLINGS_REPORT=FILE gets the counts
by server and door."""
from __future__ import annotations

import datetime
import functools
import os
import random
import re

import pytest

from mxg import build, routing, smtp
from mxg.dovecot import version as dovecot_version
from mxg.dns_script import ScriptedDns, nxdomain
from mxg.fate import STRANGER, Talk
from mxg.mxguard import check, write_config
from mxg.policy_service import PolicyService
from mxg.process import run, wait_until
from mxg.routing import BELOW, DOMAINS, DOVECOTS, SETUPS, SOFT, STREET, STRICT
from mxg.sink import unquoted
from mxg.spellings import HOST, Spelling, named, random_ones

GATEWAY = "192.0.2.10"
ACCEPT, QUARANTINE, DEFER, REJECT = range(4)
NAMES = ("accept", "quarantine", "defer", "reject")
RANK = {"accept": ACCEPT, "tag": ACCEPT, "quarantine": QUARANTINE, "defer": DEFER, "reject": REJECT}
LARGE = int(os.environ.get("MXGUARD_SPELLINGS") or 0)
SEED = os.environ.get("MXGUARD_SPELLINGS_SEED") or datetime.date.today().isoformat()
# What a stranger's own zone may say, and what the domains say.
ZONE = {(STRICT, "MX"): "10 gw.example.test", (STREET, "MX"): "10 gw.example.test", (SOFT, "MX"): "10 gw.example.test",
        (BELOW, "MX"): "10 gw.example.test",
        ("gw.example.test", "A"): GATEWAY, (HOST, "A"): "192.0.2.1",
        ("elsewhere.example", "MX"): "10 spam.example", ("xn--strae-oqa.example", "MX"): "10 spam.example",
        ("localhost.localdomain", "MX"): "10 spam.example", ("spam.example", "A"): STRANGER}
MX = ({"name": "mx", "allow": "mx"},)
CONFIGS = {
    "mx": {"mode": "enforce", "gateways": MX, "domains": list(DOMAINS)},
    "no-domains": {"mode": "enforce", "gateways": MX},
    "monitor": {"mode": "monitor", "gateways": MX, "domains": list(DOMAINS),
                "policies": ({"domains": [STRICT, STREET, BELOW], "mode": "enforce"},)},
    "off": {"mode": "off", "gateways": MX, "domains": list(DOMAINS), "exempt": ["postmaster@", "abuse@soft.example"],
            "policies": ({"domains": [STRICT, BELOW], "mode": "enforce"},
                         {"domains": [STREET], "mode": "enforce",
                          "on_direct": "quarantine", "on_direct_queued": "defer"},
                         {"domains": [SOFT], "mode": "enforce",
                          "on_direct": "defer", "on_direct_queued": "tag"})}}


def spellings(setup) -> list[Spelling]:
    """Each once. The sample has a third of the kinds, each with one of the domains around it, or for the slow servers a
    seventh of them."""
    everything = [*named("alice", STRICT), *named("alice", STREET, (HOST, "soft.example"))]
    if not LARGE:
        random.Random(f"{SEED} {setup.name}").shuffle(everything)
        kinds = {(each.kind, each.kind == "local" and each.text): each for each in everything}
        everything = list(kinds.values())[:24 if setup.slow else 60]
    mixed = random_ones(LARGE or SEED, LARGE or (8 if setup.slow else 60), "alice", (STRICT, STREET))
    return list({each.text: each for each in [Spelling("plain", f"alice@{STRICT}"), *everything, *mixed]}.values())


@functools.cache
def fates(setup):
    if not setup.available():
        pytest.skip(f"{setup.name} is not unpacked: script/install test")
    found = setup.fates(spellings(setup))
    assert any(fate.ended for fate in found), "nothing was delivered"
    return found


@pytest.fixture(params=SETUPS, ids=lambda setup: setup.name)
def setup(request, network, root):
    return request.param


@pytest.fixture(params=CONFIGS)
def config(request, folder, stack):
    """A configuration file whose DNS runs."""
    dns = stack.enter_context(ScriptedDns())
    dns.update(ZONE)
    dns.default = nxdomain()
    return write_config(folder / f"{request.param}.conf", {
        **CONFIGS[request.param], "state_dir": "/nonexistent/mxguard", "hostname": HOST,
        "dns": {"servers": [dns.server], "timeout": "5s"}})


class Verdicts:
    """What a door answered, held against what it answers (ASK) for the plain address of the mailbox."""

    def __init__(self, setup, config, ask) -> None:
        self.setup, self.ask = setup, functools.cache(ask)
        self.settings = CONFIGS[config.stem]
        self.asked = 0
        self.kinder: list[str] = []

    def hold(self, spelling: Spelling, shown: str, ended: tuple[str, str], answer: int) -> None:
        demanded = min(self.ask(f"alice@{self.setup.domain(*ended)}"), self._most(shown, ended))
        self.asked += 1
        if answer < demanded:
            self.kinder.append(f"{NAMES[answer]} instead of {NAMES[demanded]}: {spelling.kind} {spelling.text!r} "
                               f"(asked {shown!r}, ends at {ended[1]!r})")

    def _most(self, shown: str, ended: tuple[str, str]) -> int:
        """What nobody can know from the address is at most `unknown`, whose action may be any but accept: what stands
        deeper than eight domains, and whose mailbox it is where the address names no domain of ours. A domain
        that nobody listed has no policy of its own."""
        nameless = not re.search(rf"(^|[@%!]){re.escape(STRICT)}($|[@%!.\"])", shown.casefold())
        listed = "domains" in self.settings
        if self.setup.catch_all and nameless:
            return DEFER if listed and self.settings["mode"] == "enforce" else ACCEPT
        if not listed and (self.setup.domain(*ended) == HOST or self.setup.system and nameless):
            return QUARANTINE
        return QUARANTINE if deeper_than_eight(shown) else REJECT

    def all_hold(self) -> None:
        report = os.environ.get("MXGUARD_SPELLINGS_REPORT")
        if report:
            with open(report, "a", encoding="utf-8") as out:
                out.write(f"{self.setup.name}\t{os.environ['PYTEST_CURRENT_TEST'].split('::')[1]}\t{self.asked}\t"
                          f"{len(self.kinder)}\n")
        assert self.asked >= (10 if LARGE else 4), "hardly anything was delivered"
        assert not self.kinder, f"{len(self.kinder)} of {self.asked} (MXGUARD_SPELLINGS={LARGE or ''} " \
            f"MXGUARD_SPELLINGS_SEED={SEED}):\n" + "\n".join(self.kinder[:60])


def deeper_than_eight(address: str) -> bool:
    return len(re.findall("[@%!]", address)) > 9


# The doors

def rank_of_policy(answer: str) -> int:
    if re.match("450|451|DEFER", answer):
        return DEFER
    if re.match("550|REJECT", answer):
        return REJECT
    assert re.match("DUNNO|PREPEND|accept|add ", answer), answer
    return ACCEPT


class Door:
    """Asks the service again what the MTA asked, byte for byte: Postfix on one connection, Exim on one each."""

    def __init__(self, service: PolicyService) -> None:
        self.service, self.client = service, service.client()

    def ask(self, request: bytes) -> int:
        if not request.startswith(b"check "):
            self.client.send(request)
            return rank_of_policy(self.client.answer())
        with self.service.client() as client:
            client.send(request)
            data = b""
            while part := client.sock.recv(4096):
                data += part
            return rank_of_policy(data.decode())


def recipient_asked(request: bytes) -> str:
    found = re.search(rb'(?:^| )recipient="?(.*?)"?(?:\n| sender=)', request, re.M)
    return found[1].decode("utf-8", "surrogateescape")


def checked(config, place: str, recipients: list[str]) -> dict[str, int]:
    """`mxguard check`, a hundred recipients a run."""
    ranks = {}
    for start in range(0, len(recipients), 100):
        part = recipients[start:start + 100]
        outcome = check(config, peer=STRANGER, rcpt=part, place=place, sender="a@sender.example")
        assert len(outcome.objects) == len(part), outcome.stderr
        ranks |= {each: RANK[answer["action"]] for each, answer in zip(part, outcome.objects)}
    return ranks


def test_policy_service(setup, config, policy_service):
    """Postfix and Exim ask the policy service; what they ask was written down."""
    found = [fate for fate in fates(setup) if fate.ended]
    if not any(fate.asked for fate in found):
        pytest.skip("asks no policy service")
    door = Door(policy_service(config))
    plain = next(fate.asked[0] for fate in found if fate.spelling.text == f"alice@{STRICT}")
    verdicts = Verdicts(setup, config, lambda address: door.ask(
        plain.replace(f"alice@{STRICT}".encode(), address.encode())))
    for fate in found:
        assert fate.asked, f"{fate.spelling} was not asked about"
        answer = door.ask(fate.asked[0])
        for ended in fate.ended:
            verdicts.hold(fate.spelling, recipient_asked(fate.asked[0]), ended, answer)
    verdicts.all_hold()


@pytest.mark.parametrize("place", ["door", "queued"])
def test_check(setup, config, place):
    """What milters, filters and the command get: the recipient as the client wrote it."""
    found = [fate for fate in fates(setup) if fate.ended]
    answers = checked(config, place, [fate.spelling.text for fate in found])
    verdicts = Verdicts(setup, config, lambda address: checked(config, place, [address])[address])
    for fate in found:
        for ended in fate.ended:
            verdicts.hold(fate.spelling, fate.spelling.text, ended, answers[fate.spelling.text])
    verdicts.all_hold()


def wrapped(config, recipient: str, *original: str) -> int:
    """mxguard-lda with a command that says which mailbox it was given."""
    result = run([str(build.wrapper()), "-c", str(config), "--log", "none", "--peer", STRANGER,
                  "--from", "a@sender.example", f"--rcpt={recipient}",
                  *(f"--original-rcpt={each}" for each in original), "--", "/bin/echo", "%{mailbox}"],
                 data=smtp.message())
    if result.returncode == 0:
        return {"INBOX": ACCEPT, "Junk": QUARANTINE}[result.stdout.decode().strip()]
    if re.match(rb"4\.", result.stdout):
        return DEFER
    assert re.match(rb"5\.7\.1", result.stdout), result
    return REJECT


@pytest.mark.parametrize("config", ["mx", "off"], indirect=True)
def test_wrapper(setup, config):
    """What the server hands on to a delivery command, with the address that it came for beside it."""
    verdicts = Verdicts(setup, config, lambda address: wrapped(config, address))
    pairs = {(each, unquoted(fate.spelling.text)): (fate, each) for fate in fates(setup) for each in fate.ended}
    for (_, original), (fate, ended) in list(pairs.items())[:200 if LARGE else 6]:
        verdicts.hold(fate.spelling, ended[1], ended, wrapped(config, ended[1], original))
    verdicts.all_hold()


# Dovecot, which strangers reach

@pytest.fixture(params=DOVECOTS, ids=lambda setup: setup.name)
def store(request, network, root):
    if dovecot_version() >= (2, 4):
        pytest.skip("the set-ups are written for Dovecot 2.3")
    return request.param


@pytest.mark.parametrize("config", CONFIGS if LARGE else ["mx", "off"], indirect=True)
def test_dovecot(store, config, folder):
    """The plugin answers at RCPT, where the peer decides."""
    found = [fate for fate in fates(store) if fate.ended]
    with routing.dovecot(store, folder, {"mxguard_config": str(config)}), \
            Talk(("192.0.2.1", 24), lmtp=True, data=False) as talk:
        def ask(text: str) -> int:
            code = talk.say(Spelling("", text), "a@sender.example").code
            return {250: ACCEPT, 501: ACCEPT, 451: DEFER, 550: REJECT}[code]  # 501: not a plain address of anybody's
        verdicts = Verdicts(store, config, ask)
        for fate in found:
            for ended in fate.ended:
                verdicts.hold(fate.spelling, fate.spelling.text, ended, ask(fate.spelling.text))
    verdicts.all_hold()


# The whole, with mxguard in it

@pytest.mark.parametrize("config", ["mx", "monitor"], indirect=True)
def test_postfix_refuses(postfix, policy_service, config):
    """Postfix itself, asking mxguard, about all that it takes without."""
    setup = SETUPS[0]
    service = policy_service(config)
    postfix(main=routing.postfix_main(setup, f"unix:{service.socket}"))
    with Talk(routing.SMTP, data=False) as talk:
        def ask(text: str) -> int:
            return {2: ACCEPT, 4: DEFER, 5: REJECT}[talk.say(Spelling("", text), "a@sender.example").code // 100]
        verdicts = Verdicts(setup, config, ask)
        for fate in fates(setup):
            for ended in fate.ended:
                verdicts.hold(fate.spelling, recipient_asked(fate.asked[0]), ended, ask(fate.spelling.text))
    verdicts.all_hold()


@pytest.mark.parametrize("domain", [HOST, "localhost", "LOCALHOST", "[192.0.2.1]", "[127.0.0.1]",
                                    "[IPv6:2001:db8::1]", ""])
def test_host_s_own_name(postfix, policy_service, mxguard_config, scripted_dns, folder, domain):
    """A user of the system has one mailbox, whatever name of the host stands behind the @."""
    scripted_dns.update(ZONE)
    scripted_dns.default = nxdomain()
    spool = folder / "spool"
    spool.mkdir()
    spool.chmod(0o1777)
    config = {**CONFIGS["monitor"], "hostname": HOST, "state_dir": "/nonexistent/mxguard",
              "dns": {"servers": [scripted_dns.server], "timeout": "5s"}}
    service = policy_service(mxguard_config({**config, "mode": "off", "policies": ()}))
    postfix(main={"mydestination": f"$myhostname, localhost, {STRICT}", "virtual_mailbox_domains": "",
                  "mail_spool_directory": f"{spool}", "smtpd_recipient_restrictions":
                  f"reject_unauth_destination, check_policy_service unix:{service.socket}"})
    recipient = f"nobody@{domain}" if domain else "nobody"
    for number, each in enumerate((f"nobody@{STRICT}", recipient)):
        assert smtp.deliver(routing.SMTP, each, lmtp=False, source=STRANGER).final(each).code == 250
        wait_until(lambda: (spool / "nobody").exists()
                   and (spool / "nobody").read_bytes().count(b"\nMessage-ID:") == number + 1,
                   f"{each} is delivered")
    write_config(service.config, config)
    service.reload()
    for each in (f"nobody@{STRICT}", recipient):
        assert smtp.deliver(routing.SMTP, each, lmtp=False, source=STRANGER).final(each).code == 550
