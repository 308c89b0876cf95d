#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bench_report.py BUILD LINES: `mxguard report` beside `grep -c verdict=` and, where it is installed, pflogsumm on the
same made-up logs, which are in the page cache: one of decisions mostly, and one of a whole server, of which a tenth is.
Wall time, best of five, and peak memory. By hand, on a quiet machine."""
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile
import time


def best(command, turns=5):
    times = []
    for _ in range(turns):
        begin = time.monotonic()
        subprocess.run(command, stdout=subprocess.PIPE, check=True)  # grep stops early where nobody reads
        times.append(time.monotonic() - begin)
    return min(times)


def compare(build, log, lines):
    grep = best(["grep", "-c", "verdict=", log])
    report = best([build / "tools" / "mxguard", "report", "--json", "--no-dns", log])
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    print(f"{lines} lines, {log.stat().st_size >> 20} MiB")
    print(f"grep -c         {grep:8.2f} s")
    print(f"mxguard report  {report:8.2f} s  {lines / report:,.0f} lines/s, {grep / report:.2f} of grep; {memory} MiB at most")
    if shutil.which("pflogsumm"):
        other = best(["pflogsumm", log], 1)
        print(f"pflogsumm       {other:8.2f} s  {other / report:.0f} times as long")


def main():
    build, lines = pathlib.Path(sys.argv[1]), int(sys.argv[2])
    make = pathlib.Path(__file__).with_name("make_log.py")
    with tempfile.TemporaryDirectory() as folder:
        for kind in ([], ["1", "whole"]):
            log = pathlib.Path(folder) / "mail.log"
            with open(log, "wb") as to:
                subprocess.run([sys.executable, make, str(lines), *kind], stdout=to, check=True)
            compare(build, log, lines)


main()
