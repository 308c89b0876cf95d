#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How other programs' readers of Received fields fare on our cases, by hand, beside judge-corpus:

    compare_readers.py CORPUS…

A wrong answer is an address that did not connect, or mail from outside taken for local or logged in. A
login that is only not noticed is no error here, nor is mail that nobody sent taken for local. Needs Debian's spamassassin and rspamd.
"""
from __future__ import annotations

import collections
import ipaddress
import json
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
NOT_SCORED = ("x_limit", "x_disputed")


def cases(paths: list[str]) -> list[dict]:
    found = [json.loads(line) for path in paths for line in open(path, encoding="utf-8")]
    return [case for case in found if not any(name in case for name in NOT_SCORED) and case.get("x_recoverable", True)]


def plain(address: str) -> str:
    try:
        found = ipaddress.ip_address(address.removeprefix("IPv6:"))
    except ValueError:
        return address
    return str(getattr(found, "ipv4_mapped", None) or found)


def score(case: dict, answer: str) -> str:
    kind, _, address = answer.partition(" ")
    accepted = {plain(text) for text in case.get("x_accept", ())}
    peer = plain(case["true_peer"]) if case["true_peer"] else None
    if kind == "unparseable":
        return "right" if case["kind"] == kind else "unreadable"
    if kind == "authenticated" and case["kind"] != kind:
        return "wrong"
    if kind == "local-origin":
        return "right" if peer is None or kind in accepted else "wrong"
    return "right" if plain(address) == peer or plain(address) in accepted else "wrong"


def answers(argv: list[str], found: list[dict]) -> list[str]:
    """CASES: the same with the messages' own bytes, for what knows nothing of encodings."""
    lines = [json.dumps(case, ensure_ascii=False) + "\n" for case in found]
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as file:
        file.writelines(line.encode("latin-1" if case.get("x_enc") else "utf-8") for case, line in zip(found, lines))
        file.flush()
        out = subprocess.run(argv, input="".join(lines).encode(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                             env={**os.environ, "CASES": file.name}, check=True).stdout
    return out.decode().splitlines()


def main() -> int:
    found = cases(sys.argv[1:])
    readers = {"SpamAssassin": answers(["perl", str(HERE / "compare_spamassassin.pl")], found),
               "rspamd": [line[1:] for line in answers(["rspamadm", "lua", "-b", str(HERE / "compare_rspamd.lua")], found)
                          if line.startswith("=")]}
    for name, given in readers.items():
        assert len(given) == len(found), (name, len(given), len(found))
        tally = collections.Counter((case["hostile"], score(case, answer)) for case, answer in zip(found, given))
        print(name, *(f"{'hostile' if hostile else 'not hostile'}: " +
                      ", ".join(f"{tally[hostile, what]} {what}" for what in ("right", "unreadable", "wrong"))
                      for hostile in (False, True)), sep="; ")
    return 0


if __name__ == "__main__":
    sys.exit(main())
