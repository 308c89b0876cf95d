#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""bench_scan.py [--build FOLDER] [--rounds N] [COUNT]: messages a second that `mxguard scan` reads.

COUNT messages (1,000 without it; try 1000000) are laid into Maildirs in a temporary folder.
`mxguard scan` and bare-scan, which opens and reads the same bytes and does nothing with them, run in
turn; printed are the medians and the median of the rounds' ratios, which other work on the
machine disturbs less, and the peak memory of both. Most messages are hard links to a thousand
different ones: making a million would take longer than reading them, and both sides find the same.
"""
from __future__ import annotations

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

DIFFERENT = 1000
A_FOLDER = 10000
MONTH = 30 * 86400
POLICY = """mode = "enforce";
state_dir = "/nonexistent";
internal = [ "10.0.0.0/8" ];
trace = { by = [ ".example.com" ]; };
gateways = ( { name = "filter"; allow = "ip4:198.51.100.0/24"; } );
"""


def hop(number: int, address: str) -> str:
    return (f"Received: from relay{number}.example.com (relay{number}.example.com [{address}])\n"
            "\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)\n"
            "\t key-exchange X25519 server-signature RSA-PSS (2048 bits))\n"
            f"\tby mx{number}.example.com (Postfix) with ESMTPS id 4Zq8Xk{number:02}1Jz3wNf\n"
            f"\tfor <alice@example.com>; Mon, 23 Nov 2026 22:15:{59 - number} +0100 (CET)\n")


def message(number: int) -> str:
    """Two hops of ours, the boundary (every eighth time no gateway), three that nobody believes."""
    boundary = f"203.0.113.{number % 250}" if number % 8 == 0 else f"198.51.100.{number % 250}"
    hops = [hop(1, "10.0.0.1"), hop(2, "10.0.0.2"), hop(3, boundary)]
    hops += [hop(n, f"192.0.2.{n}") for n in range(4, 7)]
    return ("Return-Path: <bob@example.org>\nDelivered-To: alice@example.com\n" + "".join(hops) +
            "From: Bob <bob@example.org>\nTo: alice@example.com\nSubject: minutes of Monday\n"
            f"Message-ID: <{number}@example.org>\n\n" + "Nothing new.\n" * 40)


def require_room(folder: str, count: int) -> None:
    free = os.statvfs(folder)
    names = count // A_FOLDER + DIFFERENT + 100
    if free.f_favail < names or free.f_bavail * free.f_frsize < DIFFERENT * 8192 + count * 200:
        sys.exit(f"bench_scan: not enough room in {folder}")


def make_maildirs(root: pathlib.Path, count: int) -> list[str]:
    folders, first = [], []
    for number in range(count):
        if number % A_FOLDER == 0:
            folders.append(root / f"user{number // A_FOLDER}" / "Maildir" / "cur")
            folders[-1].mkdir(parents=True)
        stamp = 1700000000 + number % 24 * MONTH
        path = f"{folders[-1]}/{stamp}.M{number}P1.mail:2,S"
        if number < DIFFERENT:
            pathlib.Path(path).write_text(message(number))
            first.append(path)
        else:
            os.link(first[number % DIFFERENT], path)
    return [str(folder) for folder in folders]


def run(command: list[str]) -> tuple[float, int, bytes]:
    """Seconds, peak KiB, output."""
    start = time.monotonic()
    done = subprocess.run(command, capture_output=True, check=False)
    elapsed = time.monotonic() - start
    if done.returncode != 0:
        sys.exit(f"bench_scan: {' '.join(command[:3])} ended with {done.returncode}")
    return elapsed, int(done.stderr.split()[-1]), done.stdout


def check(output: bytes, count: int) -> None:
    paths = json.loads(output)["paths"]
    if paths["gateway"] + paths["direct"] != count or paths["direct"] == 0:
        sys.exit(f"bench_scan: wrong result: {paths}")


def measure(scan: list[str], bare: list[str], count: int, rounds: int) -> None:
    rates: dict[str, list[float]] = {"scan": [], "bare": []}
    peak = {"scan": 0, "bare": 0}
    for number in range(rounds + 1):  # the first one warms the caches
        for name, command in (("scan", scan), ("bare", bare))[::1 if number % 2 else -1]:
            seconds, memory, output = run(command)
            peak[name] = max(peak[name], memory)
            if name == "scan":
                check(output, count)
            if number > 0:
                rates[name].append(count / seconds)
    ratio = statistics.median(s / b for s, b in zip(rates["scan"], rates["bare"]))
    for name, values in rates.items():
        print(f"{name}: {statistics.median(values):,.0f} messages/s, peak {peak[name]:,} KiB")
    print(f"ratio: {ratio:.2f} (median of {rounds} rounds, {count:,} messages)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", nargs="?", type=int, default=1000)
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build-rel"))
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-scan-") as folder:
        require_room(folder, options.count)
        config = pathlib.Path(folder) / "mxguard.conf"
        config.write_text(POLICY)
        folders = make_maildirs(pathlib.Path(folder) / "mail", options.count)
        bare = str(options.build / "tests/bench/bare-scan")
        scan = [bare, "--peak", str(options.build / "tools/mxguard"), "scan", "-c", str(config),
                "--json", "--workers", "2", str(pathlib.Path(folder) / "mail")]
        measure(scan, [bare, "--peak", bare, *folders], options.count, options.rounds)


if __name__ == "__main__":
    main()
