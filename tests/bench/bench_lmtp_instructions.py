#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""bench_lmtp_instructions.py [--messages N] [--case NAME] [--functions N]: instructions of lmtp
per message, with and without the plugin, counted by valgrind's callgrind. Unlike times they do
not depend on what else the machine does. What starting and ending take is not in the figures:
they are differences of a long and a short run. With --functions the plugin's dearest functions
are listed, each with what it calls. Run it as root: script/netns tests/bench/…
"""
from __future__ import annotations

import argparse
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from bench_lmtp import BODY, CASES, POLICY, Instance  # noqa: E402
from mxg import smtp  # noqa: E402
from mxg.dovecot import version  # noqa: E402
from mxg.mxguard import write_config  # noqa: E402
from mxg.process import program, run, temporary_folder  # noqa: E402

CALLGRIND = "--tool=callgrind --dump-line=no"


def count(folder: pathlib.Path, case: str, plugin: bool, messages: int) -> tuple[int, list[pathlib.Path]]:
    """Instructions of all lmtp processes for so many messages, and callgrind's files."""
    folder.mkdir()
    _, settings, header, tcp, keep = CASES[case]
    config = write_config(folder / "mxguard.conf", {**POLICY, **settings}) if plugin else None
    instance = Instance(folder, 0, config, tcp)
    instance.server.settings.extra_service_lmtp += (
        f"  executable = {program('valgrind')} {CALLGRIND} "
        f"--callgrind-out-file={folder}/callgrind.%p /usr/lib/dovecot/lmtp\n")
    instance.server.start()
    try:
        content = smtp.message(header=header, body=BODY)
        for number in range(messages):
            instance.deliver(content, keep)
            if number % 10 == 0:
                instance.empty()
        if instance.client:
            instance.client.quit()
            instance.client.close()
    finally:
        instance.server.stop()
    files = list(folder.glob("callgrind.*"))
    totals = [re.findall(r"^(?:summary|totals): (\d+)", path.read_text(errors="replace"), re.M) for path in files]
    return sum(int(total[-1]) for total in totals if total), files


def per_message(folder: pathlib.Path, case: str, plugin: bool, messages: int) -> tuple[float, list[pathlib.Path]]:
    name = f"{case}-{plugin}"
    short, _ = count(folder / f"{name}-short", case, plugin, messages)
    long, files = count(folder / f"{name}-long", case, plugin, messages * 3)
    return (long - short) / (messages * 2), files


def functions(files: list[pathlib.Path], most: int, messages: int) -> None:
    done = run(["callgrind_annotate", "--inclusive=yes", "--threshold=100", *map(str, files)], seconds=120)
    rows = re.findall(r"^\s*([\d,]+) \([^)]*\)\s+(.*)$", done.stdout.decode(errors="replace"), re.M)
    ours = [row for row in rows if "mxguard" in row[1]]
    for instructions, where in ours[:most]:
        print(f"    {int(instructions.replace(',', '')) / messages:>12,.0f}  {where[:110]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--messages", type=int, default=30)
    parser.add_argument("--case", choices=CASES, action="append")
    parser.add_argument("--functions", type=int, default=0)
    arguments = parser.parse_args()
    print(f"Dovecot {'.'.join(map(str, version()))}: instructions per message, thousands")
    print(f"{'case':<45} {'without':>10} {'with':>10} {'ours':>8} {'ratio':>7}")
    for case in arguments.case or CASES:
        with temporary_folder() as folder:
            without, _ = per_message(folder, case, False, arguments.messages)
            with_plugin, files = per_message(folder, case, True, arguments.messages)
            print(f"{CASES[case][0]:<45} {without / 1e3:>10,.1f} {with_plugin / 1e3:>10,.1f} "
                  f"{(with_plugin - without) / 1e3:>8,.1f} {with_plugin / without:>7.3f}", flush=True)
            functions(files, arguments.functions, arguments.messages * 3)


if __name__ == "__main__":
    main()
