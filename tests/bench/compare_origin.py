#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Who handed a message to the gateway: what mxguard, rspamd's external_relay and SpamAssassin say of the same messages.

    MXGUARD_ORIGINS=FILE pytest … tests/integration/test_origin.py    # real gateways write them
    compare_origin.py MXGUARD FILE

Each message came through gw1 (192.0.2.11) and gw2 (192.0.2.10).gateway.example, or one of them, to us. Wrong is an address
that did not hand it to them. Needs Debian's spamassassin and rspamd."""
from __future__ import annotations

import collections
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
CONF = """mode = "enforce"; state_dir = "/nonexistent"; trace = { by = [ "mail.example.test" ]; };
gateways = ( { name = "filters"; allow = "ip4:192.0.2.10 ip4:192.0.2.11"; } );
origin = { by = [ ".gateway.example" ]; };
"""
NAMES = ["gw1.gateway.example", "gw2.gateway.example", "localhost"]  # with what a filter calls itself
OURS = ["127.0.0.0/8", "::1/128", "192.0.2.10/32", "192.0.2.11/32"]


def below(headers: str) -> str:
    """As a filter sees it that our MTA asks: without our own field."""
    return re.sub(r"\AReceived: [^\n]*\n(?:[ \t][^\n]*\n)*", "", headers)


def lines(argv: list[str], found: list[dict]) -> list[str]:
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        file.writelines(json.dumps(case) + "\n" for case in found)
        file.flush()
        return subprocess.run(argv, stdin=open(file.name, encoding="utf-8"), stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, env={**os.environ, "CASES": file.name},
                              check=True, text=True).stdout.splitlines()


def mxguard(program: str, found: list[dict]) -> list[str]:
    answers = []
    with tempfile.TemporaryDirectory() as folder:
        config, message = pathlib.Path(folder, "conf"), pathlib.Path(folder, "message")
        config.write_text(CONF)
        for case in found:
            message.write_bytes(case["headers"].encode("latin-1"))
            out = subprocess.run([program, "check", "-c", config, "--peer", "", "--rcpt", "user@example.test", "--message",
                                  message, "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout
            origin = json.loads(out)["origin"]
            answers.append(origin["address"] if origin else "none")
    return answers


def main() -> int:
    found = [{**json.loads(line), "names": NAMES, "internal": OURS, "peer": "192.0.2.10", "peer_name": NAMES[1]}
             for line in open(sys.argv[2], encoding="utf-8")]
    for case in found:
        case["headers"] = case["headers"].split("\n\n")[0] + "\n"
        case["below"] = below(case["headers"])
    readers = {
        "mxguard": mxguard(sys.argv[1], found),
        "rspamd": [line[1:] for line in lines(["rspamadm", "lua", "-b", str(HERE / "compare_origin_rspamd.lua")], found)
                   if line.startswith("=")],
        "SpamAssassin": [line.split()[-1] if line.startswith(("external", "authenticated")) else "none" for line in
                         lines(["perl", str(HERE / "compare_spamassassin.pl")], found)],
    }
    for name, answers in readers.items():
        assert len(answers) == len(found), (name, len(answers), len(found))
        tally = collections.Counter("right" if answer == case["origin"] else "none" if answer == "none" else "wrong"
                                    for case, answer in zip(found, answers))
        print(name, *(f"{tally[what]} {what}" for what in ("right", "none", "wrong")), sep=", ")
        if "-v" in sys.argv:
            for case, answer in zip(found, answers):
                if answer not in (case["origin"], "none"):
                    print("   ", case["id"], answer)
    return 1 if readers and any(answer not in (case["origin"], "none")
                                for case, answer in zip(found, readers["mxguard"])) else 0


if __name__ == "__main__":
    sys.exit(main())
