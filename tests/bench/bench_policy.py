#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Figures of mxguard policy. Run it as: script/netns tests/bench/bench_policy.py [--quick]

Everything is measured side by side in one run; the client is this program, so latencies
include its own work, and "service CPU" is what the kernel charged to the service alone."""
from __future__ import annotations

import argparse
import contextlib
import os
import pathlib
import selectors
import shutil
import statistics
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from mxg import build, smtp  # noqa: E402
from mxg import postfix as postfix_config  # noqa: E402
from mxg.dns_script import ScriptedDns, answer  # noqa: E402
from mxg.mxguard import mxguard, write_config  # noqa: E402
from mxg.policy_service import PolicyService, request  # noqa: E402
from mxg.postfix import Postfix  # noqa: E402
from mxg.process import temporary_folder  # noqa: E402

GATEWAY, SPAMMER = "192.0.2.10", "203.0.113.66"
TICKS = os.sysconf("SC_CLK_TCK")


def cpu(pid: int) -> float:
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident(pid: int) -> int:
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0])


def closed_loop(service: PolicyService, connections: int, count: int, recipient: str) -> tuple[float, list[float]]:
    """Each connection asks again as soon as it is answered. Seconds, and each latency."""
    clients = [service.client() for _ in range(connections)]
    asked = [request(peer, recipient) for peer in (GATEWAY, SPAMMER)]
    selector, started, latencies, sent = selectors.DefaultSelector(), {}, [], 0
    for client in clients:
        selector.register(client.sock, selectors.EVENT_READ, client)
    begin = time.perf_counter()
    for client in clients:
        started[client] = time.perf_counter()
        client.sock.send(asked[sent & 1])
        sent += 1
    while len(latencies) < count:
        for key, _ in selector.select():
            client = key.data
            assert client.sock.recv(4096).endswith(b"\n\n")
            now = time.perf_counter()
            latencies.append(now - started[client])
            if sent < count:
                started[client] = time.perf_counter()
                client.sock.send(asked[sent & 1])
                sent += 1
    seconds = time.perf_counter() - begin
    for client in clients:
        client.sock.close()
    return seconds, latencies


def pipelined(service: PolicyService, count: int, recipient: str) -> float:
    """Throughput without waiting: batches of 20."""
    batch = b"".join(request(GATEWAY, recipient) for _ in range(20))
    with service.client() as client:
        begin = time.perf_counter()
        for _ in range(count // 20):
            client.send(batch)
            for _ in range(20):
                client.answer()
        return time.perf_counter() - begin


def latency_table(service: PolicyService, title: str, recipient: str, count: int) -> None:
    print(f"\n{title}\n  connections   requests/s   p50 µs   p99 µs   service CPU µs/request")
    for connections in (1, 10, 100):
        closed_loop(service, connections, 200, recipient)
        before = cpu(service.pid)
        seconds, latencies = closed_loop(service, connections, count, recipient)
        used = (cpu(service.pid) - before) / count * 1e6
        cuts = statistics.quantiles(latencies, n=100)
        print(f"  {connections:11}   {count / seconds:10.0f}   {cuts[49] * 1e6:6.0f}   {cuts[98] * 1e6:6.0f}   {used:6.1f}")
    before, seconds = cpu(service.pid), pipelined(service, count, recipient)
    print(f"  pipelined     {count / seconds:10.0f}{'':20}{(cpu(service.pid) - before) / count * 1e6:6.1f}")


class Unread(PolicyService):
    """The same loop around somebody who answers DUNNO and has read nothing."""

    def __init__(self, folder: pathlib.Path) -> None:
        super().__init__(folder, pathlib.Path("/nonexistent"))
        self._daemon.argv = [str(build.folder() / "tests" / "bench" / "unread-policy"), f"unix:{self.socket}"]


class Other(PolicyService):
    """Of another build."""

    def __init__(self, folder: pathlib.Path, config: pathlib.Path) -> None:
        super().__init__(folder, config)
        self._daemon.argv[0] = os.environ["MXGUARD_OTHER"]


def beside_unread(folder: pathlib.Path, configs: dict[str, pathlib.Path], count: int, rounds: int = 5) -> None:
    """Requests a second of the service's CPU time, of those of the same loop that reads nothing."""
    print(f"\nRequests per second of CPU, of a service that answers DUNNO unread in the same loop ({rounds} x {count})")
    with contextlib.ExitStack() as stack:
        services = {name: stack.enter_context(PolicyService(folder / f"unread-{name}", config))
                    for name, config in configs.items()}
        services["unread"] = stack.enter_context(Unread(folder / "unread"))
        used: dict[str, list[float]] = {name: [] for name in services}
        for _ in range(rounds):
            for name, service in services.items():
                closed_loop(service, 10, 200, "user@example.test")
                before = cpu(service.pid)
                closed_loop(service, 10, count, "user@example.test")
                used[name].append(cpu(service.pid) - before)
    bare = statistics.median(used["unread"])
    for name, times in used.items():
        median = statistics.median(times)
        print(f"  {name:10} {median / count * 1e6:6.1f} µs/request   {bare / median:5.2f}")


def idle_memory(service: PolicyService) -> None:
    before = resident(service.pid)
    clients = [service.client() for _ in range(1000)]
    for client in clients:
        client.ask(GATEWAY)
    after = resident(service.pid)
    print(f"\nMemory: {before} KiB before, {after} KiB with 1,000 idle connections that have asked "
          f"({(after - before) * 1024 / 1000:.0f} bytes each)")
    for client in clients:
        client.sock.close()


def session(recipients: int, codes: dict[int, int], port: int = 25) -> float:
    """How long it took."""
    begin = time.perf_counter()
    with smtp.Client(("192.0.2.1", port), source=GATEWAY, lmtp=False) as client:
        client.greet()
        client.mail("a@sender.example")
        for _ in range(recipients):
            code = client.rcpt("user@example.test").code
            codes[code] = codes.get(code, 0) + 1
        client.quit()
    return time.perf_counter() - begin


def smtp_load(sessions: int, port: int, threads: int) -> tuple[float, list[float]]:
    """Seconds in all, and of each session."""
    codes: dict[int, int] = {}
    took: list[float] = []
    work = [threading.Thread(target=lambda: took.extend(session(5, codes, port) for _ in range(sessions // threads)))
            for _ in range(threads)]
    begin = time.perf_counter()
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    assert set(codes) == {250}, codes
    return time.perf_counter() - begin, took


def postfix_compared(folder: pathlib.Path, services: dict[str, PolicyService], sessions: int, rounds: int = 10) -> None:
    """In turns, so that whatever else the machine does hits all alike. One at a time a session waits for nothing but its
    own work; at several at a time both cores are full, and what the client and Postfix do is measured with it."""
    checks = {"no policy service": "", **{name: f"check_policy_service unix:{each.socket}" for name, each in services.items()}}
    other, more = shutil.which("policyd-spf"), ""
    if other:
        more = postfix_config.spawn_service("spf", other)
        checks["policyd-spf"] = "check_policy_service unix:private/spf"
    else:
        print("  (policyd-spf is not installed: postfix-policyd-spf-python)")
    ports = {name: 2500 + number for number, name in enumerate(checks)}
    smtpd = [("192.0.2.1", ports[name], {"smtpd_recipient_restrictions": f"{check}, permit" if check else "permit"})
             for name, check in checks.items()]
    with Postfix(folder / "compared", services=more, smtpd=smtpd, main={
            "virtual_transport": "discard:", "smtpd_policy_service_request_limit": "0"}):
        for threads in (1, 4):
            seconds: dict[str, list[float]] = {name: [] for name in ports}
            took: dict[str, list[float]] = {name: [] for name in ports}
            used = {name: -cpu(each.pid) for name, each in services.items()}
            for turn in range(rounds + 1):
                for name, port in ports.items():
                    each, all_of_it = smtp_load(max(sessions // rounds, threads), port, threads)
                    if turn > 0:  # the first one warms up
                        seconds[name].append(each)
                        took[name] += all_of_it
            print(f"\nPostfix, SMTP sessions of 5 recipients, {threads} at a time, {rounds} rounds in turns")
            bare = statistics.median(took["no policy service"])
            for name, each in took.items():
                median = statistics.median(each)
                own = f"{(used[name] + cpu(services[name].pid)) / len(each) * 1e6 * rounds / (rounds + 1):6.0f} µs of the " \
                      "service's CPU" if name in used else ""
                print(f"  {name:20} {len(each) / sum(seconds[name]):7.1f} sessions/s   p50 {median * 1e3:6.3f} ms "
                      f"({(median - bare) * 1e3:+.3f})   {own}")


def restarts(folder: pathlib.Path, service: PolicyService, wanted: int) -> None:
    """What Postfix answers while the service is restarted over and over."""
    codes: dict[int, int] = {}
    stop = threading.Event()
    with Postfix(folder / "restarts", main={
            "smtpd_recipient_restrictions": f"check_policy_service unix:{service.socket}, permit",
            "virtual_transport": "discard:", "smtpd_policy_service_retry_delay": "1s"}):
        def run() -> None:
            while sum(codes.values()) < wanted and not stop.is_set():
                session(50, codes)
        work = [threading.Thread(target=run) for _ in range(4)]
        for thread in work:
            thread.start()
        count = 0
        while any(thread.is_alive() for thread in work):
            time.sleep(0.5)
            (service.kill if count % 2 else service.stop)()
            service.start()
            count += 1
    print(f"\n{sum(codes.values())} requests with {count} restarts: {codes}; other than 250 and 4xx: "
          f"{sum(number for code, number in codes.items() if code != 250 and code // 100 != 4)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of everything")
    parser.add_argument("--unread", action="store_true", help="beside a service that reads nothing, and no more")
    parser.add_argument("--postfix", action="store_true", help="Postfix with and without it, and no more; MXGUARD_OTHER: "
                        "the command of another build, to be measured beside it")
    options = parser.parse_args()
    part = 10 if options.quick else 1
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
        refreshed = mxguard("refresh", "-c", kept)
        print(build.command(), "refresh:", refreshed.returncode, refreshed.stderr.decode()[-300:].strip())
        if options.unread:
            beside_unread(folder, {"static": static, "snapshot": kept}, 20000 // part)
            return
        if options.postfix:
            with PolicyService(folder / "a", static) as service:
                beside = {"mxguard policy": service}
                if os.environ.get("MXGUARD_OTHER"):
                    beside["the other"] = stack.enter_context(Other(folder / "other", static))
                postfix_compared(folder, beside, 1000 // part)
            return
        with PolicyService(folder / "a", static) as service:
            latency_table(service, "Static peers", "user@example.test", 20000 // part)
            idle_memory(service)
            postfix_compared(folder, {"mxguard policy": service}, 1000 // part)
            restarts(folder, service, 20000 // part)
        with PolicyService(folder / "b", kept) as service:
            latency_table(service, "From the snapshot (mx)", "user@example.test", 20000 // part)
        beside_unread(folder, {"static": static, "snapshot": kept}, 20000 // part)
        print("DNS questions by deliveries:", len(dns.asked()) - 3)


if __name__ == "__main__":
    main()
