#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Figures of mxguard milter. Run it as: script/netns tests/bench/bench_milter.py [--quick]

SMTP sessions of five recipients and a message of twelve hops through a real Postfix, side by side in one run and in
turns: without a milter, with one that accepts everything, with ours by static ranges and from a snapshot, and with
opendmarc, where it is installed."""
from __future__ import annotations

import argparse
import contextlib
import pathlib
import resource
import shutil
import socket
import statistics
import struct
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from mxg import build, smtp  # noqa: E402
from mxg.dns_script import ScriptedDns, answer  # noqa: E402
from mxg.milter_service import MilterService  # noqa: E402
from mxg.mxguard import mxguard, write_config  # noqa: E402
from mxg.postfix import Postfix  # noqa: E402
from mxg.process import Daemon, listening, temporary_folder  # noqa: E402
from bench_policy import GATEWAY, cpu, resident  # noqa: E402

HOPS = "".join(f"Received: from h{n}.example (h{n}.example [198.51.100.{n}])\n\tby g{n}.example (Postfix) with ESMTP id "
               f"4XyZ{n:05}Nz1\n\tfor <user@example.test>; Mon,  2 Nov 2026 10:00:00 +0000 (UTC)\n" for n in range(12))
PORTS = {"accepts everything": 10040, "mxguard, static": 10041, "mxguard, snapshot": 10042, "opendmarc": 10043}


def session(port: int, took: list[float]) -> None:
    begin = time.perf_counter()
    with smtp.Client(("192.0.2.1", port), source=GATEWAY, lmtp=False, seconds=60) as client:
        client.greet()
        client.mail("a@sender.example")
        for number in range(5):
            assert client.rcpt(f"user{number}@example.test").code == 250
        assert {reply.code for reply in client.data(smtp.message(header=HOPS)).values()} == {250}
        client.quit()
    took.append(time.perf_counter() - begin)


def load(port: int, sessions: int, threads: int) -> tuple[float, list[float]]:
    took: list[float] = []
    work = [threading.Thread(target=lambda: [session(port, took) for _ in range(sessions // threads)])
            for _ in range(threads)]
    begin = time.perf_counter()
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    return time.perf_counter() - begin, took


def compared(ports: dict[str, int], pids: dict[str, int], sessions: int, rounds: int, threads: int) -> None:
    """In turns, so that whatever else the machine does hits all alike."""
    seconds: dict[str, list[float]] = {name: [] for name in ports}
    latencies: dict[str, list[float]] = {name: [] for name in ports}
    used = {name: 0.0 for name in ports}
    for name, port in ports.items():
        load(port, 2 * threads, threads)
    for _ in range(rounds):
        for name, port in ports.items():
            before = cpu(pids[name]) if name in pids else 0
            each, took = load(port, sessions, threads)
            seconds[name].append(each)
            latencies[name] += took
            used[name] += (cpu(pids[name]) - before) if name in pids else 0
    print(f"\n{rounds} rounds of {sessions} sessions, {threads} at a time\n"
          f"  {'':20} sessions/s   p50 ms   p99 ms   milter's CPU, µs a session")
    for name in ports:
        cuts = statistics.quantiles(latencies[name], n=100)
        print(f"  {name:20} {sessions / statistics.median(seconds[name]):10.1f} {cuts[49] * 1e3:8.2f} {cuts[98] * 1e3:8.2f} "
              f"{used[name] / (sessions * rounds) * 1e6:10.0f}")


def packet(kind: bytes, data: bytes) -> bytes:
    return struct.pack("!I", len(data) + 1) + kind + data


def connect(port: int) -> socket.socket:
    """A connection as an MTA makes it, up to HELO; it stays as long as the SMTP session does."""
    sock = socket.create_connection(("127.0.0.1", port), 30)
    sock.sendall(packet(b"O", struct.pack("!III", 6, 0x1FF, 0x1FFFFF)))
    sock.recv(4096)
    sock.sendall(packet(b"C", b"client.example\0" + b"4" + struct.pack("!H", 4711) + b"192.0.2.10\0"))
    return sock


def memory(name: str, pid: int, port: int) -> None:
    before = resident(pid)
    held = [connect(port) for _ in range(1000)]
    time.sleep(2)
    after = resident(pid)
    threads = int(pathlib.Path(f"/proc/{pid}/status").read_text().split("Threads:")[1].split()[0])
    print(f"  {name:20} {before} KiB before, {after} KiB with 1,000 connections, {threads} threads")
    for each in held:
        each.close()


def opendmarc(folder: pathlib.Path, stack: contextlib.ExitStack) -> Daemon | None:
    program = shutil.which("opendmarc")
    if not program:
        print("opendmarc is not installed")
        return None
    (folder / "opendmarc.conf").write_text(f"Socket inet:{PORTS['opendmarc']}@127.0.0.1\nBackground false\n"
                                           "AuthservID mail.example.test\nSyslog false\nSPFIgnoreResults false\n"
                                           "IgnoreAuthenticatedClients false\n")
    daemon = Daemon([program, "-f", "-c", str(folder / "opendmarc.conf")], folder / "opendmarc.log")
    daemon.start(lambda: listening("127.0.0.1", PORTS["opendmarc"]), "opendmarc listens")
    stack.callback(daemon.stop)
    return daemon


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a fifth of everything")
    part = 5 if parser.parse_args().quick else 1
    resource.setrlimit(resource.RLIMIT_NOFILE, (8192, max(8192, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
    with temporary_folder() as folder, ScriptedDns() as dns, contextlib.ExitStack() as stack:
        dns.update({("example.test", "MX"): answer("10 gw.example.test", ttl=86400),
                    ("gw.example.test", "A"): answer(GATEWAY, ttl=86400),
                    ("gw.example.test", "AAAA"): answer("2001:db8::10", ttl=86400)})
        common = {"mode": "enforce", "self": ["198.51.100.1"], "domains": ["example.test"],
                  "dns": {"servers": [dns.server]}}
        static = write_config(folder / "static.conf", {
            **common, "state_dir": str(folder / "none"), "gateways": ({"name": "filters", "allow": f"ip4:{GATEWAY}"},)})
        (folder / "state").mkdir()
        kept = write_config(folder / "kept.conf", {
            **common, "state_dir": str(folder / "state"), "gateways": ({"name": "mx", "allow": "mx"},)})
        assert mxguard("refresh", "-c", kept).returncode == 0
        bare = Daemon([str(build.find("accept-milter")), f"inet:{PORTS['accepts everything']}@127.0.0.1"],
                      folder / "bare.log")
        bare.start(lambda: listening("127.0.0.1", PORTS["accepts everything"]), "the bare milter listens")
        stack.callback(bare.stop)
        ours = {"mxguard, static": static, "mxguard, snapshot": kept}
        pids = {"accepts everything": bare.pid}
        for name, config in ours.items():
            pids[name] = stack.enter_context(MilterService(folder / name[-6:], config, port=PORTS[name])).pid
        other = opendmarc(folder, stack)
        if other:
            pids["opendmarc"] = other.pid
        milters = {"no milter": None, **{name: f"inet:127.0.0.1:{PORTS[name]}" for name in pids}}
        smtpd = [("192.0.2.1", 2500 + number, {"smtpd_milters": where} if where else {})
                 for number, where in enumerate(milters.values())]
        stack.enter_context(Postfix(folder / "postfix", smtpd=smtpd, main={
            "virtual_transport": "discard:", "milter_default_action": "tempfail"}))
        ports = {name: 2500 + number for number, name in enumerate(milters)}
        compared(ports, pids, 100 // part, 5, 1)
        compared(ports, pids, 200 // part, 3, 4)
        print("\nMemory")
        for name, pid in pids.items():
            memory(name, pid, PORTS[name])


if __name__ == "__main__":
    main()
