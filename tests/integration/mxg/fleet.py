# SPDX-License-Identifier: MIT
"""A fleet on one machine: one host that asks and publishes, and others, each in a network namespace of its own behind it.
The clock that all of them see is the test's."""
from __future__ import annotations

import contextlib
import functools
import glob
import http.server
import json
import os
import pathlib
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from . import build
from .dns_script import ScriptedDns
from .mxguard import write_config
from .policy_service import PolicyService, request
from .process import PATIENCE, program, run, wait_until

ASKER = "10.77.0.1"  # the address of the asker's name server and of its web server
LIBRARY = next(iter(glob.glob("/usr/lib/*/faketime/libfaketime.so.1")), None)


def available() -> bool:
    """Sanitizers and libfaketime, both of them loaded first, do not get along."""
    linked = run(["ldd", str(build.command())]).stdout if program("ldd") else b""
    return all(map(program, ("nsenter", "unshare", "ip", "curl"))) and LIBRARY is not None and b"libasan" not in linked


FAKED = {"LD_PRELOAD": LIBRARY, "TZ": "UTC", "NO_FAKE_STAT": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


def clock(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(moment))


def at(moment: float | None) -> dict[str, str]:
    """For a program's environment: it is MOMENT now. Only the time of day is; time-outs are real."""
    return dict(os.environ) if moment is None else os.environ | FAKED | {"FAKETIME": f"@{clock(moment)}"}


class Host:
    """It decides by what it fetches. ENTER is how a program is run where it is."""

    def __init__(self, folder: pathlib.Path, settings: dict, enter: Sequence[str] = ()) -> None:
        self.folder, self.enter = folder, list(enter)
        self.state = folder / "state"
        self.state.mkdir(mode=0o755, parents=True)
        self.config = write_config(folder / "mxguard.conf", settings | {"state_dir": str(self.state)})

    def run(self, *arguments: str, now: float | None = None) -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run([*self.enter, *arguments], capture_output=True, timeout=PATIENCE, env=at(now))

    def mxguard(self, command: str, *arguments: str, now: float | None = None) -> "subprocess.CompletedProcess[bytes]":
        return self.run(str(build.command()), command, "-c", str(self.config), *arguments, now=now)

    def refresh(self, *arguments: str, now: float | None = None) -> dict:
        result = self.mxguard("refresh", "--json", *arguments, now=now)
        found = json.loads(result.stdout) if result.stdout else {}
        return found | {"status": result.returncode, "said": result.stderr.decode()}

    def fetch(self, url: str, now: float | None = None) -> dict:
        """As a timer does it: curl, then refresh --fetch."""
        copy = self.folder / "copy"
        got = self.run("curl", "-sSf", "-o", str(copy), url)
        assert got.returncode == 0, got.stderr
        copy.chmod(0o644)
        return self.refresh("--fetch", str(copy), now=now)

    def decide(self, peer: str, recipients: Sequence[str], now: float | None = None) -> list[dict]:
        options = [word for each in recipients for word in ("--rcpt", each)]
        result = self.mxguard("check", "--json", "--peer", peer, *options, now=now)
        found = [json.loads(line) for line in result.stdout.splitlines()]
        assert len(found) == len(recipients), result
        return found


class Door(PolicyService):
    """`mxguard policy` on a host, for as long as the test lasts: it finds new snapshots by itself, and it is what time
    its file says. Settings: log_format = "json"."""

    def __init__(self, host: Host) -> None:
        self.clock, self._asked = host.folder / "clock", 0
        super().__init__(host.folder / "door", host.config, argv=host.enter, environment=FAKED | {
            "FAKETIME_TIMESTAMP_FILE": str(self.clock), "FAKETIME_NO_CACHE": "1"})

    def start(self) -> "Door":
        """What listens in another namespace is not in our /proc/net/unix."""
        self._daemon.start(self._answers, "mxguard policy answers")
        return self

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), self.client():
            return True
        return False

    def turn(self, now: float) -> None:
        new = self.clock.with_suffix(".new")
        new.write_text(clock(now))
        new.rename(self.clock)

    def decide(self, questions: Sequence[tuple[str, str]]) -> list[dict]:
        """What it logs of each (peer, recipient), in their order."""
        ids = [f"Q{self._asked + number}" for number in range(len(questions))]
        self._asked += len(ids)
        begin = self._daemon.output.stat().st_size
        with self.client() as client:
            for id, (peer, recipient) in zip(ids, questions):
                client.send(request(peer, recipient, queue_id=id))
            assert all(client.answer() for _ in ids)

        def logged() -> dict[str, dict]:
            text = self._daemon.output.read_bytes()[begin:].decode()
            lines = [json.loads(line[line.index("{"):]) for line in text.splitlines(True) if "{" in line and line.endswith("}\n")]
            return {line["id"]: line for line in lines}
        wait_until(lambda: logged().keys() >= set(ids), "it logs all of them")
        return [found[id] for found in [logged()] for id in ids]


class Fleet:
    """COUNT hosts behind one that asks."""

    def __init__(self, folder: pathlib.Path, settings: dict, count: int = 10) -> None:
        self.folder, self.count = folder, count
        self.dns = ScriptedDns(ASKER)
        self.settings = settings
        self.published = folder / "web" / "snapshot"
        self.workers = ThreadPoolExecutor(count + 1)

    @contextlib.contextmanager
    def running(self) -> Iterator["Fleet"]:
        ip = str(program("ip"))
        with contextlib.ExitStack() as stack:
            stack.callback(self.workers.shutdown)
            run([ip, "addr", "add", f"{ASKER}/32", "dev", "lo"], check=True)
            stack.callback(run, [ip, "addr", "del", f"{ASKER}/32", "dev", "lo"])
            stack.enter_context(self.dns)
            self.settings = self.settings | {"dns": self.settings.get("dns", {}) | {"servers": [self.dns.server]}}
            self.asker = Host(self.folder / "asker", self.settings)
            self.hosts = [self._host(stack, ip, number) for number in range(1, self.count + 1)]
            self.url = self._serve(stack)
            yield self

    def _host(self, stack: contextlib.ExitStack, ip: str, number: int) -> Host:
        """A namespace lives as long as a process in it."""
        holder = subprocess.Popen(["unshare", "-n", "sh", "-c", "echo; exec sleep 100000"], stdout=subprocess.PIPE)
        stack.callback(holder.wait)
        stack.callback(holder.kill)
        holder.stdout.readline()
        enter, near = ["nsenter", "-n", "-t", str(holder.pid)], f"fleet{number}"
        for line in (f"{ip} link add {near} type veth peer name eth0 netns {holder.pid}",
                     f"{ip} addr add 10.77.{number}.1/30 dev {near}", f"{ip} link set {near} up"):
            run(line.split(), check=True)
        for line in (f"{ip} link set lo up", f"{ip} addr add 10.77.{number}.2/30 dev eth0", f"{ip} link set eth0 up",
                     f"{ip} route add default via 10.77.{number}.1"):
            run([*enter, *line.split()], check=True)
        return Host(self.folder / f"host{number}", self.settings, enter)

    def _serve(self, stack: contextlib.ExitStack) -> str:
        self.published.parent.mkdir()

        class Quiet(http.server.SimpleHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass
        server = http.server.ThreadingHTTPServer((ASKER, 0), functools.partial(Quiet, directory=str(self.published.parent)))
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        stack.callback(thread.join)
        stack.callback(server.shutdown)
        stack.callback(server.server_close)
        return f"http://{ASKER}:{server.server_port}/{self.published.name}"

    def each(self, hosts: Sequence[Host], what) -> list:
        """WHAT(host) for each, several at a time, in their order."""
        return list(self.workers.map(what, hosts))
