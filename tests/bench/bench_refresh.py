#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""bench_refresh.py [--domains N …] [--hosts N] [--brief]: what refresh costs, by the number of domains.

Each domain has an MX host of its own, three questions a domain, of which none is another's; or with --hosts all share
so many. A small server on this machine makes up the answers (answer_dns.c), and counts the questions itself. For each
number: the first run; one that is interrupted half-way, and its other half (not with --brief); everything asked again by
hand (the same); `--due` with one answer in a hundred expired, with one in a hundred another than before, with one new
domain, and with nothing to do: time, processor time of refresh alone, memory, questions, bytes. Then decisions from that
snapshot, with its newer part beside it: with the file open, and by a process each, also after the page cache was dropped
(as root).
MXGUARD_BUILD=… script/netns tests/bench/bench_refresh.py
"""
from __future__ import annotations

import argparse
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

from mxg import build  # noqa: E402
from mxg.mxguard import write_config  # noqa: E402
from mxg.process import temporary_folder  # noqa: E402

SOON = 1
COLUMNS = "{:<26} {:>9} {:>9} {:>9} {:>9} {:>11} {:>10} {:>10}"


def command(name: str) -> str:
    path = build.find(name)
    assert path, f"{name} is not built"
    return str(path)


class Dns:
    """answer-dns, which makes up what it answers."""

    def __init__(self, hosts: int) -> None:
        self.child = subprocess.Popen([command("answer-dns"), str(hosts)], stdout=subprocess.PIPE, text=True)
        self.server = f"127.0.0.1:{self.child.stdout.readline().strip()}"

    def live_long(self) -> None:
        self.child.send_signal(signal.SIGUSR1)

    def change(self) -> None:
        self.child.send_signal(signal.SIGUSR2)

    def end(self) -> int:
        """Returns the number of questions that it was asked."""
        self.child.terminate()
        return int(self.child.communicate(timeout=10)[0])


class Run:
    def __init__(self, conf: str, folder: pathlib.Path, *arguments: str, ended_after: float = 0) -> None:
        out = folder / "refresh.json"
        begin = time.monotonic()
        with open(out, "wb") as stdout:
            child = subprocess.Popen([command("mxguard"), "refresh", "-c", conf, "--json", "--per-second", "1000000",
                                      "--concurrency", "256", *arguments], stdout=stdout)
            if ended_after:
                time.sleep(ended_after)
                child.terminate()
            _, status, usage = os.wait4(child.pid, 0)
        self.wall = time.monotonic() - begin
        assert os.waitstatus_to_exitcode(status) == (75 if ended_after else 0), out.read_text()[-2000:]
        self.found = json.loads(out.read_text())
        self.cpu, self.memory = usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def row(label: str, domains: int, run: Run, state: pathlib.Path) -> None:
    sizes = [(state / name).stat().st_size if (state / name).exists() else 0
             for name in ("snapshot.cdb", "snapshot.since.cdb")]
    print(COLUMNS.format(label, f"{run.wall:.2f} s", f"{run.cpu:.2f} s", f"{run.cpu / domains * 1e6:.1f} us",
                         f"{run.memory:.0f} MiB", f"{run.found['questions']:,}", f"{sizes[0] / 1e6:.1f} MB",
                         f"{sizes[1] / 1e6:.2f} MB"), flush=True)


def decisions(conf: str, domains: int) -> None:
    result = subprocess.run([command("bench-snapshot"), conf, "d%d.test", "203.0.113.9", "100000"], capture_output=True,
                            text=True, timeout=600)
    print(f"  {result.stdout.strip()}{result.stderr.strip()}")

    def check() -> float:
        begin = time.monotonic()
        done = subprocess.run([command("mxguard"), "check", "-c", conf, "--peer", "203.0.113.9", "--rcpt",
                               f"a@d{domains // 2 + 1}.test"], capture_output=True, timeout=60)
        assert done.returncode in (0, 1), done.stderr
        return (time.monotonic() - begin) * 1e3

    warm = sorted(check() for _ in range(20))[10]
    cold = []
    for _ in range(3):
        subprocess.run(["sync"], check=True)
        try:
            pathlib.Path("/proc/sys/vm/drop_caches").write_text("1\n")
        except OSError:
            break
        cold.append(check())
    print(f"  a process that decides once: {warm:.1f} ms" +
          (f"; nothing in the page cache: {min(cold):.1f} ms" if cold else ""), flush=True)


def configure(folder: pathlib.Path, name: str, dns: Dns, names: pathlib.Path) -> tuple[str, pathlib.Path]:
    state = folder / name
    return str(write_config(folder / f"{name}.conf", {
        "mode": "enforce", "self": ["203.0.113.200"], "state_dir": str(state), "domains_file": str(names),
        "gateways": [{"name": "mx", "allow": "mx"}], "dns": {"servers": [dns.server]}})), state


def interrupted(folder: pathlib.Path, count: int, hosts: int, names: pathlib.Path, whole: float) -> None:
    """What was asked by then is not asked again, and nothing is missing in the end."""
    dns = Dns(hosts)
    dns.live_long()
    conf, state = configure(folder, "interrupted", dns, names)
    halves = [Run(conf, folder, ended_after=whole / 2), Run(conf, folder)]
    row("  interrupted", count, halves[0], state)
    row("  … and resumed", count, halves[1], state)
    questions, asked = dns.end(), sum(half.found["questions"] for half in halves)
    print(f"  in both: {asked:,} questions; {questions:,} came to the server", flush=True)
    shutil.rmtree(state)


def measure(folder: pathlib.Path, count: int, hosts: int, brief: bool) -> None:
    names, dns = folder / "domains", Dns(hosts)
    names.write_text("".join(f"d{i}.test\n" for i in range(count)))
    conf, state = configure(folder, "state", dns, names)
    first = Run(conf, folder)
    row(f"{count:,}: first", count, first, state)
    if not brief:
        interrupted(folder, count, hosts, names, first.wall)
        row("  everything again", count, Run(conf, folder), state)
    time.sleep(SOON + 1)
    row("  --due, 1 % expired", count, Run(conf, folder, "--due"), state)
    time.sleep(SOON + 1)
    dns.change()
    row("  --due, 1 % changed", count, Run(conf, folder, "--due"), state)
    names.write_text("".join(f"d{i}.test\n" for i in range(count + 1)))
    row("  --domain, one is new", count, Run(conf, folder, "--domain", f"d{count}.test"), state)
    time.sleep(SOON + 1)
    dns.live_long()
    Run(conf, folder, "--due")
    row("  --due, nothing to do", count, Run(conf, folder, "--due"), state)
    decisions(conf, count)
    dns.end()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--domains", type=int, nargs="*", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--hosts", type=int, default=1 << 30)
    parser.add_argument("--brief", action="store_true")
    arguments = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f}")
    print(COLUMNS.format("domains", "time", "CPU", "a domain", "memory", "questions", "snapshot", "newer part"))
    for count in arguments.domains:
        with temporary_folder() as folder:
            measure(folder, count, arguments.hosts, arguments.brief)


if __name__ == "__main__":
    main()
