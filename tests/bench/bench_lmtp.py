#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""bench_lmtp.py [--pairs N] [--case NAME]: what the Dovecot plugin costs an LMTP delivery.

Three Dovecots, two of them without the plugin, get the same message in turn; a round's ratios
are P/A (with the plugin against without) and A/A (the two without). Printed are the medians of
the ratios over all rounds: throughput of separate runs differs by a factor of two on a shared
machine, medians of paired ratios by about one per cent. The same is printed of the processor time
of the lmtp processes (from /proc): where others use the machine, latencies are mostly waiting,
and A2/A1 of the latencies tells how little they say then. The mailboxes are emptied as they fill,
since delivery takes longer in a large one, and nothing is fsynced: waiting for the disk would hide
the difference. Run it alone, as root: script/netns tests/bench/bench_lmtp.py; for Dovecot 2.4, after
script/debian trixie test: script/netns script/debian trixie run /usr/bin/python3 tests/bench/bench_lmtp.py
"""
from __future__ import annotations

import argparse
import contextlib
import math
import pathlib
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

from mxg import smtp  # noqa: E402
from mxg.dovecot import Dovecot, Settings, version  # noqa: E402
from mxg.mxguard import write_config  # noqa: E402
from mxg.process import temporary_folder  # noqa: E402

GATEWAY, USER = "192.0.2.10", "user@example.test"
EMPTY_EVERY, WARM = 50, 20
HOPS = "".join(f"""Received: from relay{n}.example ([198.51.100.{n}])
\tby relay{n + 1}.example (Postfix) with ESMTPS id 4ABC{n}
\tfor <user@example.test>; Mon,  2 Nov 2026 10:00:0{n} +0000 (UTC)
""" for n in range(5))
OURS = f"""Received: from gw.example (unknown [{GATEWAY}])
\tby mail.example.test (Postfix) with ESMTP id 4ABCDE1234
\tfor <user@example.test>; Mon,  2 Nov 2026 10:00:09 +0000 (UTC)
"""
BODY = "A line of text.\n" * 60
POLICY = {"mode": "enforce", "authserv_id": "mail.example.test", "state_dir": "/nonexistent",
          "trace": {"mta": ["postfix"], "by": ["mail.example.test"]},
          "gateways": [{"name": "filters", "allow": f"ip4:{GATEWAY} ip4:198.51.100.0/24"}]}
CASES = {
    "peer": ("the peer decides", {}, HOPS, True, True),
    "header": ("the header decides", {}, OURS + HOPS, False, True),
    "tag": ("header decides, tag added", {"tag": "always"}, OURS + HOPS, False, True),
    "connection": ("the peer decides, one message a connection", {}, HOPS, True, False),
}


class Instance:
    def __init__(self, folder: pathlib.Path, number: int, config: pathlib.Path | None,
                 tcp: bool) -> None:
        self.tcp, self.address = tcp, (f"192.0.2.{number + 1}", 24)
        mxguard = {"mxguard_config": str(config)} if config else {}
        more = "  restart_request_count = 1000\n" if version() >= (2, 4) else ""
        self.server = Dovecot(folder / f"dovecot{number}", Settings(
            lmtp=[self.address], mxguard=mxguard, users={USER: {}}, extra_service_lmtp=more,
            process_limit=1, extra="mail_fsync = never\n"))
        self.client: smtp.Client | None = None

    def connect(self) -> smtp.Client:
        where = self.address if self.tcp else self.server.socket
        client = smtp.Client(where, source=GATEWAY if self.tcp else None, seconds=60)
        client.greet()
        return client

    def deliver(self, content: bytes, keep: bool) -> float:
        """Seconds from MAIL to the last reply, or from connect to QUIT."""
        began = time.perf_counter()
        client = (self.client or self.connect()) if keep else self.connect()
        client.dialogue.clear()
        if keep:
            if self.client is None:
                began = time.perf_counter()
            self.client = client
        client.mail("a@sender.example")
        assert client.rcpt(USER).ok, client.dialogue
        assert client.data(content)[USER].ok, client.dialogue
        if not keep:
            client.quit()
            client.close()
        return time.perf_counter() - began

    def cpu(self) -> dict[int, int]:
        """Nanoseconds that each lmtp process has run."""
        found = {}
        for pid in self.server._processes("lmtp"):
            with contextlib.suppress(OSError):
                found[pid] = int(pathlib.Path(f"/proc/{pid}/schedstat").read_text().split()[0])
        return found

    def measured(self, content: bytes, keep: bool) -> tuple[float, float]:
        """Seconds that a delivery took, and of processor time; nan where a process ended."""
        before = self.cpu()
        latency = self.deliver(content, keep)
        after = self.cpu()
        if before.keys() != after.keys():
            return latency, math.nan
        return latency, (sum(after.values()) - sum(before.values())) / 1e9

    def empty(self) -> None:
        for name in ("new", "cur"):
            for path in (self.server.maildir(USER) / name).iterdir():
                path.unlink()


def run_rounds(instances: dict[str, Instance], content: bytes, keep: bool,
               rounds: int) -> list[dict[str, tuple[float, float]]]:
    """Latency and processor time of each instance, round by round; each is first in turn."""
    names = tuple(instances)
    for instance in instances.values():
        instance.server.start()
    try:
        taken = []
        for round in range(rounds + WARM):
            order = names[round % 3:] + names[:round % 3]
            taken.append({name: instances[name].measured(content, keep) for name in order})
            if round % EMPTY_EVERY == 0:
                for instance in instances.values():
                    instance.empty()
        return taken[WARM:]
    finally:
        for instance in instances.values():
            instance.server.stop()


def medians(taken: list[dict[str, tuple[float, float]]], what: int, scale: float) -> str:
    """P/A1, P/A2, A2/A1, and A1 itself; of latencies (0) or processor times (1)."""
    rounds = [{name: value[what] for name, value in round.items()} for round in taken]
    rounds = [round for round in rounds if all(value > 0 for value in round.values())]
    ratios = [statistics.median(round[over] / round[under] for round in rounds)
              for over, under in (("P", "A1"), ("P", "A2"), ("A2", "A1"))]
    own = statistics.median(round["A1"] for round in rounds) * scale
    return "".join(f"{ratio:>7.3f}" for ratio in ratios) + f"{own:>9.3f}"


def measure(case: str, pairs: int) -> str:
    text, settings, header, tcp, keep = CASES[case]
    content = smtp.message(header=header, body=BODY)
    with temporary_folder() as folder:
        config = write_config(folder / "mxguard.conf", {**POLICY, **settings})
        instances = {name: Instance(folder, number, config if name == "P" else None, tcp)
                     for number, name in enumerate(("A1", "A2", "P"))}
        taken = run_rounds(instances, content, keep, pairs)
    return f"{text:<43}{len(taken):>6} {medians(taken, 0, 1e3)} {medians(taken, 1, 1e3)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pairs", type=int, default=3000)
    parser.add_argument("--case", choices=CASES, action="append")
    arguments = parser.parse_args()
    print(f"Dovecot {'.'.join(map(str, version()))}")
    columns = f"{'P/A1':>7}{'P/A2':>7}{'A2/A1':>7}{'A1 ms':>9}"
    print(f"{'':<49} {'latency':^30} {'processor time':^30}")
    print(f"{'case':<43}{'pairs':>6} {columns} {columns}")
    for case in arguments.case or CASES:
        print(measure(case, arguments.pairs), flush=True)


if __name__ == "__main__":
    main()
