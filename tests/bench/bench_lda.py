#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Figures of mxguard-lda, paired with the bare COMMAND: script/netns tests/bench/bench_lda.py [--quick]"""
from __future__ import annotations

import argparse
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from mxg import build  # noqa: E402
from mxg.dns_script import ScriptedDns, answer  # noqa: E402
from mxg.mxguard import mxguard, write_config  # noqa: E402
from mxg.process import temporary_folder  # noqa: E402

GATEWAY, SPAMMER = "192.0.2.10", "203.0.113.66"
HEADER = (f"Received: from gw.example (gw.example [{GATEWAY}])\n\tby mail.example.test (Postfix) with ESMTP id 4Xabc\n"
          "\tfor <user@example.test>; Mon, 02 Nov 2026 10:00:00 +0000 (UTC)\nSubject: x\n\n").encode()
TRUE = ["/bin/cat"]


def once(argv: list[str], path: pathlib.Path, piped: bool) -> tuple[float, float, int]:
    begin = time.perf_counter()
    with open(path, "rb") as file, open(os.devnull, "wb") as null:
        if piped:
            feeder = subprocess.Popen(["/bin/cat"], stdin=file, stdout=subprocess.PIPE)
            process = subprocess.Popen(argv, stdin=feeder.stdout, stdout=null)
            feeder.stdout.close()
        else:
            process = subprocess.Popen(argv, stdin=file, stdout=null)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - begin
        if piped:
            feeder.wait()
    assert process.returncode == 0, argv
    return wall, used.ru_utime + used.ru_stime


def paired(title: str, wrapped: list[str], path: pathlib.Path, piped: bool, count: int) -> None:
    """The bare COMMAND and the wrapped one in turn, so that both see the same machine."""
    bare, ours = [], []
    for _ in range(count):
        bare.append(once(TRUE, path, piped))
        ours.append(once(wrapped, path, piped))
    wall = [statistics.median(run[0] for run in runs) * 1e3 for runs in (bare, ours)]
    cpu = [statistics.mean(run[1] for run in runs) * 1e3 for runs in (bare, ours)]
    print(f"  {title:44} {wall[0]:8.2f} {wall[1]:8.2f} {wall[1] - wall[0]:+8.2f}   {cpu[0]:7.2f} {cpu[1]:7.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    part = 10 if parser.parse_args().quick else 1
    with temporary_folder() as folder, ScriptedDns() as dns:
        dns.update({("example.test", "MX"): answer("10 gw.example.test", ttl=86400),
                    ("gw.example.test", "A"): answer(GATEWAY, ttl=86400)})
        common = {"mode": "enforce", "self": ["198.51.100.1"], "trace": {"mta": ["postfix"], "by": ["mail.example.test"]},
                  "dns": {"servers": [dns.server]}, "state_dir": str(folder / "none"),
                  "gateways": ({"name": "filters", "allow": f"ip4:{GATEWAY}"},)}
        configs = {
            "static": common, "10 domains": {**common, "domains": [f"d{n}.test" for n in range(10)]},
            "1,000 domains": {**common, "domains": [f"d{n}.test" for n in range(1000)]}}
        paths = {name: write_config(folder / f"{number}.conf", each) for number, (name, each) in enumerate(configs.items())}
        (folder / "state").mkdir()
        (folder / "domains").write_text("example.test\n" + "".join(f"d{n}.test\n" for n in range(100000 // part)))
        kept = write_config(folder / "kept.conf", {
            **common, "state_dir": str(folder / "state"), "domains_file": str(folder / "domains"),
            "gateways": ({"name": "mx", "allow": "mx"},)})
        dns.default = answer()
        mxguard("refresh", "-c", kept, seconds=300)
        small, large = folder / "small", folder / "large"
        small.write_bytes(HEADER + b"Hello.\n" * 100)
        large.write_bytes(HEADER + os.urandom(1 << 16) * 400)

        def wrapped(config, peer: str) -> list[str]:
            return [str(build.wrapper()), "-c", str(config), "--log", "none", "--peer", peer, "--rcpt", "user@example.test",
                    "--quarantine-command", "/bin/cat", "--", *TRUE]
        print(f"  {'':44} {'bare':>8} {'wrapped':>8} {'more':>8}   {'CPU':>7} {'CPU':>7}   (ms)")
        print("  --help", end="")
        runs = [once([str(build.wrapper()), "--help"], small, False)[0] for _ in range(300 // part)]
        bare = [once(["/bin/true"], small, False)[0] for _ in range(300 // part)]
        print(f" (linking alone): {statistics.median(runs) * 1e3:.2f} ms; /bin/true {statistics.median(bare) * 1e3:.2f} ms")
        for name, path in paths.items():
            paired(f"known peer, {name}", wrapped(path, GATEWAY), small, False, 300 // part)
        paired(f"known peer, snapshot with {100000 // part:,} domains", wrapped(kept, GATEWAY), small, False, 300 // part)
        for size, path, count in (("small", small, 300), ("25 MB", large, 20)):
            count = max(count // part, 3)
            paired(f"known peer, pipe, {size}", wrapped(paths["static"], GATEWAY), path, True, count)
            paired(f"header, file, {size}", wrapped(paths["static"], ""), path, False, count)
            paired(f"header, pipe, {size}", wrapped(paths["static"], ""), path, True, count)
            paired(f"header and tag, pipe, {size}", wrapped(paths["static"], SPAMMER), path, True, count)


if __name__ == "__main__":
    main()
