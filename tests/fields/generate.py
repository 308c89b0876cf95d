#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Received fields as MTAs would write them for made-up clients, half of them hostile.

generate.py COUNT [--seed N] [--judge PROGRAM]

Prints cases in the corpus format (one JSON object a line), the true peer of each known; with
--judge, gives them to tests/unit/judge-corpus, which must find none wrong and, of those that are
not hostile, 97 % right. Simple rules must be fooled by the same cases, else they prove nothing. MXGUARD_FIELDS=N
in the environment stands for COUNT.
"""
from __future__ import annotations

import argparse
import json
import os
import random
import re
import subprocess
import sys
from typing import IO, Iterator

import hostile
import printers
from printers import Hop

INTERNAL = ["127.0.0.0/8", "::1/128", "198.51.100.0/24", "2001:db8:2::/64"]
OUTSIDE = ("203.0.113.5", "203.0.113.66", "198.18.7.9", "2001:db8:100::6", "2001:db8:bad::1", hostile.GATEWAY)
INSIDE = ("198.51.100.4", "198.51.100.150", "2001:db8:2::150")
NAMES = ("mx.example.com", "store.example.com", "relay.inner.test", "a.b.example.com")
HONEST = ("gw.example.com", "other.example.org", "mail", "host-5.attacker.test", "a_b.example.net",
          "very-long-name-with-many-many-letters-in-it.and-another-label-that-is-long.example.net")


def honest_hop(rng: random.Random, address: str, by: str) -> Hop:
    name = rng.choice(HONEST)
    return Hop(rng, address, rng.choice((name, rng.choice(HONEST), literal(address))), by,
               ptr=rng.choice((name, "")), confirmed=rng.random() < 0.8, tls=rng.random() < 0.3,
               ident=rng.choice(("", "", "", "root")), login="alice" if rng.random() < 0.2 else "")


def literal(address: str) -> str:
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


class Maker:
    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        gateway = Hop(random.Random(1), hostile.GATEWAY, "gw.example.com", "mx.example.com", ptr="gw.example.com",
                      confirmed=True, login="alice", tls=True)
        plain = Hop(random.Random(1), hostile.GATEWAY, "gw.example.com", "mx.example.com")
        forged = [write(each) for write in printers.SMTP for each in (gateway, plain)]
        self.forged = [field for text in forged if text for field in
                       ("Received: " + part for part in text.split("Received: ")[1:] if part.startswith("from "))]
        self.local = [field for _, field in (printers.local(self.rng, "mx.example.com") for _ in range(60))]

    def hostile_hop(self, hop: Hop) -> Hop:
        rng, rolls = self.rng, self.rng.randrange(1, 32)
        if rolls & 1:
            hop.helo = hostile.word(rng, self.forged)
        if rolls & 2:
            hop.ptr, hop.confirmed = hostile.name(rng, self.forged), False
        if rolls & 4:
            hop.ident = hostile.word(rng, self.forged)
        if rolls & 8:
            word = hostile.word(rng, self.forged)
            hop.sender = f"\"{word}\"@b.example".replace("\r", " ")
        if rolls & 16:
            hop.certificate = hostile.word(rng, self.forged)
            hop.tls = True
        if hop.login and rng.random() < 0.5:
            hop.login = hostile.word(rng, self.forged)
        return hop

    def below(self) -> str:
        """What the client sent as the message's own header."""
        rng, lines = self.rng, []
        for _ in range(rng.choice((0, 0, 1, 2, 3))):
            lines.append(rng.choice(self.forged + self.local))
        if rng.random() < 0.2:
            lines.append("X: y\n " + hostile.word(rng, self.forged).replace("\r", "") + "\n")
        rng.shuffle(lines)
        return "".join(lines)

    def case(self, number: int) -> dict[str, object] | None:
        rng = self.rng
        bad, by = rng.random() < 0.6, rng.choice(NAMES)
        if not bad and rng.random() < 0.15:
            mta, text = printers.local(rng, by)
            return self.result(number, mta, text, None, "local-origin", by, False, False)
        address = rng.choice(OUTSIDE if rng.random() < 0.85 else INSIDE)
        hop = honest_hop(rng, address, by)
        if bad:
            self.hostile_hop(hop)
        write = rng.choice(printers.SMTP)
        text = write(hop)
        if text is None:
            return None
        if bad and write in printers.CONTINUES and rng.random() < 0.3:
            text += hostile.continuation(rng, self.forged)
        elif bad and rng.random() < 0.05:
            text = printers.broken_at_998(text)
        external = address not in INSIDE
        kind = "authenticated" if hop.login else "external" if external else "local-origin"
        if write is printers.opensmtpd_masked or (not bad and write is printers.chasquid and hop.login):
            kind = "unparseable"
        chain = rng.random() < 0.35
        if chain:
            text = self.handed_on(by, write, text)
        if external and (bad or rng.random() < 0.3):
            text += self.below()
        return self.result(number, printers.TYPE[write], text, address if kind in ("external", "authenticated") else
                           None, kind, by, bad, chain)

    def handed_on(self, by: str, first: object, text: str) -> str:
        """With the fields of the hosts of ours that it went through behind the one that took it."""
        rng = self.rng
        carriage = "\r" in text and rng.random() < 0.7  # what Exim makes of it matters most
        kind = 4 if carriage else rng.randrange(6)
        if kind == 0:
            return printers.dovecot_socket(by, by) + text
        if kind == 1:
            return printers.cyrus_socket(by, by) + text
        if kind == 2:
            return printers.amavis(Hop(rng, "127.0.0.1", by, by)) + text
        if kind == 3:
            return printers.fetched(rng, by) + text
        relay = Hop(rng, "198.51.100.4", by, rng.choice(NAMES), ptr=by, confirmed=True, tls=rng.random() < 0.5)
        can = [write for write in printers.SMTP if write(relay) and write is not printers.opensmtpd_masked]
        last = printers.exim if carriage else rng.choice(can)
        if first is printers.haraka:  # it says so on its way out
            text = f"Received: (Haraka outbound); {printers.DATE}\n" + text
        if last in (printers.exim, printers.exim_junk):
            text = printers.exim_passes_on(text)
        elif first is printers.postfix:
            text = printers.broken_at_998(text)
        return (last(relay) or "") + text

    def result(self, number: int, mta: str, text: str, peer: str | None, kind: str, by: str, bad: bool,
               chain: bool) -> dict[str, object]:
        text += f"Subject: case {number}\n"
        if self.rng.random() < 0.3:
            # only what is a line end: a bare CR that a client sent stays one
            text = text.replace("\n", "\r\n")
        found: dict[str, object] = {"id": f"made-{number}", "mta": mta, "headers": text, "x_enc": "latin-1",
                                    "internal": INTERNAL, "true_peer": peer, "kind": kind, "by": by, "hostile": bad}
        if chain:
            found["chain"] = True
        return found

    def cases(self, count: int) -> Iterator[dict[str, object]]:
        number = 0
        while number < count:
            made = self.case(number)
            if made is not None:
                number += 1
                yield made


def addresses(text: str) -> list[str]:
    return [tag_or_address.removeprefix("IPv6:").removeprefix("::ffff:")
            for tag_or_address in re.findall(r"\[([0-9A-Fa-f.:]+|IPv6:[0-9A-Fa-f:.]+)\]", text)]


# As many a reader does it; none of them is right.
SIMPLE_RULES = {
    "the first address in brackets": lambda field: addresses(field)[:1],
    "the last one in the first line": lambda field: addresses(field.split("\n", 1)[0])[-1:],
    "the last one before the first by": lambda field: addresses(re.split(r"\sby\s", field, maxsplit=1)[0])[-1:],
    "the last one before the last by": lambda field: addresses(re.split(r"\sby\s(?!.*\sby\s)", field, flags=re.S)[0])[-1:],
    "the last one in the field": lambda field: addresses(field)[-1:],
}


class Bite:
    """How often each simple rule names the gateway of a hostile client that is none."""

    def __init__(self) -> None:
        self.hostile, self.fooled = 0, dict.fromkeys(SIMPLE_RULES, 0)

    def add(self, case: dict[str, object]) -> None:
        if not case["hostile"] or case.get("chain") or case["true_peer"] in (None, hostile.GATEWAY):
            return
        self.hostile += 1
        field = re.split(r"\n(?![ \t])", str(case["headers"]))[0]
        for name, rule in SIMPLE_RULES.items():
            self.fooled[name] += rule(field) == [hostile.GATEWAY]

    def enough(self) -> bool:
        for name, count in self.fooled.items():
            print(f"{name}: {count} of {self.hostile} wrong")
        return all(100 * count > self.hostile for count in self.fooled.values())


def write_cases(maker: Maker, count: int, to: IO[str]) -> Bite:
    bite = Bite()
    for case in maker.cases(count):
        bite.add(case)
        to.write(json.dumps(case, ensure_ascii=False) + "\n")
    return bite


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("count", type=int)
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--judge", metavar="PROGRAM")
    arguments = parser.parse_args()
    count = int(os.environ.get("MXGUARD_FIELDS") or arguments.count)
    maker = Maker(arguments.seed)
    if arguments.judge is None:
        write_cases(maker, count, sys.stdout)
        return 0
    with subprocess.Popen([arguments.judge, "/dev/stdin"], stdin=subprocess.PIPE, encoding="utf-8") as judge:
        assert judge.stdin
        bite = write_cases(maker, count, judge.stdin)
        judge.stdin.close()
        status = judge.wait()
    return status if bite.enough() else 1


if __name__ == "__main__":
    sys.exit(main())
