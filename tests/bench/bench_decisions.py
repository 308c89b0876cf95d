#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""bench_decisions.py [--seconds N] [--rounds N] [--domains N …]: decisions per second.

Live with a warm caching resolver (Unbound before NSD), from a snapshot with 100, 10,000 and
100,000 domains, and static; beside it, in turns, the same record by libspf2 (a chain of three
includes with an mx at its end), as a library and, a process a decision, `mxguard check` and
`spfquery`. Then the refreshes that wrote the snapshots: time, memory, questions. libspf2 asks
whom /etc/resolv.conf names, so that file is bound over, for this process alone. Run it as
root, from a release build: MXGUARD_BUILD=… script/netns tests/bench/bench_decisions.py
"""
from __future__ import annotations

import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

from mxg import build  # noqa: E402
from mxg.dns_real import CachingDns, RealDns  # noqa: E402
from mxg.mxguard import write_config  # noqa: E402
from mxg.process import temporary_folder  # noqa: E402

GATEWAY, RESOLVER = "192.0.2.10", "192.0.2.53"
CHAIN = "".join(f'{name} TXT "v=spf1 {term} -all"\n' for name, term in (
    ("chain", "include:i1.chain.test"), ("i1.chain", "include:i2.chain.test"),
    ("i2.chain", "include:i3.chain.test"), ("i3.chain", "mx:mail.chain.test"))) + \
    f"mail.chain MX 10 gw\ngw A {GATEWAY}\ngw AAAA 2001:db8::10\n" \
    "own A 192.0.2.11\nown AAAA 2001:db8::11\n"  # the domains' MX: the chain is walked behind it


def program(name: str) -> str:
    path = build.find(name)
    assert path, f"{name} is not built"
    return str(path)


def per_second(*command: str) -> float:
    result = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stderr
    return float(result.stdout)


def processes(seconds: float, *command: str) -> float:
    """Runs of a command a second, one after the other."""
    done, begin = 0, time.monotonic()
    while time.monotonic() - begin < seconds:
        result = subprocess.run(command, capture_output=True, timeout=60)
        assert result.returncode in (0, 2), (result.stdout + result.stderr).decode()  # spfquery: 2 is pass
        done += 1
    return done / (time.monotonic() - begin)


def config(folder: pathlib.Path, name: str, allow: str, **more: object) -> str:
    return str(write_config(folder / f"{name}.conf", {
        "mode": "enforce", "self": ["198.51.100.200"], "state_dir": str(folder / name),
        "gateways": [{"name": "filter", "allow": allow}], "dns": {"servers": [RESOLVER]}, **more}))


def refresh(folder: pathlib.Path, count: int) -> str:
    names = folder / f"domains{count}"
    names.write_text("".join(f"d{i}.test\n" for i in range(count)))
    conf = config(folder, f"snapshot{count}", "mx include:chain.test", domains_file=str(names))
    out = folder / "refresh.json"
    begin = time.monotonic()
    with open(out, "w") as stdout:
        child = subprocess.Popen([program("mxguard"), "refresh", "-c", conf, "--json"], stdout=stdout)
        _, status, usage = os.wait4(child.pid, 0)
    took = time.monotonic() - begin
    assert status == 0, out.read_text()
    found = json.loads(out.read_text())
    size = (folder / f"snapshot{count}" / "snapshot.cdb").stat().st_size
    print(f"refresh of {count:>7,} domains: {took:6.2f} s, {usage.ru_utime + usage.ru_stime:5.2f} s CPU, "
          f"{usage.ru_maxrss / 1024:6.1f} MiB, {found['questions']:,} questions, file {size / 1e6:.1f} MB", flush=True)
    return conf


def cases(folder: pathlib.Path, seconds: float, domains: list[int]) -> dict[str, object]:
    bench, each = program("bench-decisions"), str(seconds)
    live, static = config(folder, "live", "include:chain.test"), config(folder, "static", f"ip4:{GATEWAY}")
    runs = {"live": lambda: per_second(bench, "live", live, "x.test", GATEWAY, each, "1"),
            "static": lambda: per_second(bench, "snapshot", static, "x.test", GATEWAY, each, "1")}
    for count in domains:
        conf = refresh(folder, count)
        runs[f"snapshot, {count:,} domains"] = lambda conf=conf, count=count: per_second(
            bench, "snapshot", conf, "d%d.test", GATEWAY, each, str(count))
    runs["live, a process each (mxguard check)"] = lambda: processes(
        seconds, program("mxguard"), "check", "-c", live, "--peer", GATEWAY, "--rcpt", "a@x.test")
    if build.find("bench-spf2"):
        for kind, text in (("resolv", "libspf2"), ("cache", "libspf2, its own cache")):
            runs[text] = lambda kind=kind: per_second(program("bench-spf2"), kind, "chain.test", GATEWAY, each)
    query = shutil.which("spfquery.libspf2") or shutil.which("spfquery")
    if query:
        runs["libspf2, a process each (spfquery)"] = lambda: processes(
            seconds, query, "-ip", GATEWAY, "-sender", "a@chain.test")
    return runs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--domains", type=int, nargs="*", default=[100, 10_000, 100_000])
    arguments = parser.parse_args()
    if "MXGUARD_BENCH_MOUNTS" not in os.environ:  # /etc/resolv.conf is bound over for us alone
        os.environ["MXGUARD_BENCH_MOUNTS"] = "own"
        os.execvp("unshare", ["unshare", "--mount", sys.executable, *sys.argv])
    zone = CHAIN + "".join(f"d{i} MX 10 own\n" for i in range(max(arguments.domains, default=0)))
    with temporary_folder() as folder:
        (folder / "resolv.conf").write_text(f"nameserver {RESOLVER}\n")
        with RealDns(folder / "nsd", {"test": zone}, ttl=86400) as authority, \
                CachingDns(folder / "unbound", authority, RESOLVER, 53):
            subprocess.run(["mount", "--bind", str(folder / "resolv.conf"), "/etc/resolv.conf"], check=True)
            try:
                runs = cases(folder, arguments.seconds, arguments.domains)
                taken: dict[str, list[float]] = {name: [] for name in runs}
                for _ in range(arguments.rounds):
                    for name, run in runs.items():
                        taken[name].append(run())
            finally:
                subprocess.run(["umount", "/etc/resolv.conf"], check=True)
    for name, values in taken.items():
        print(f"{name:<40} {statistics.median(values):>12,.0f} a second  ({min(values):,.0f} to {max(values):,.0f})")


if __name__ == "__main__":
    main()
