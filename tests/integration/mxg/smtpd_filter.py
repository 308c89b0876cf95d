# SPDX-License-Identifier: MIT
"""`mxguard smtpd-filter` on pipes, and what an smtpd of this or that version says to it."""
from __future__ import annotations

import os
import pathlib
import select
import subprocess
import time

from . import build
from .process import PATIENCE


class Filter:
    def __init__(self, config: pathlib.Path, log: pathlib.Path, version: str = "0.7", *options: str) -> None:
        self.version, self.log_path = version, log
        self.process = subprocess.Popen([str(build.command()), "smtpd-filter", "-c", str(config), *options],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=open(log, "ab"))
        self._input = b""
        assert self.process.stdin and self.process.stdout
        os.set_blocking(self.process.stdout.fileno(), False)
        self.say(b"config|smtpd-version|7.6.0", b"config|protocol|" + version.encode(), b"config|smtp-session-timeout|300",
                 b"config|subsystem|smtp-in", b"config|admd|mail.example.test", b"config|ready")
        self.registered = []
        while not self.registered or self.registered[-1] != b"register|ready":
            self.registered.append(self.line())

    def __enter__(self) -> "Filter":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    def say(self, *lines: bytes) -> None:
        assert self.process.stdin
        self.process.stdin.write(b"".join(line + b"\n" for line in lines))
        self.process.stdin.flush()

    def line(self, seconds: float = PATIENCE) -> bytes:
        assert self.process.stdout
        end = time.monotonic() + seconds
        while b"\n" not in self._input:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0.0, end - time.monotonic()))
            assert ready, "no answer"
            piece = os.read(self.process.stdout.fileno(), 65536)
            assert piece, f"it has ended: {self.log_path.read_text()}"
            self._input += piece
        line, _, self._input = self._input.partition(b"\n")
        return line

    def silent(self, seconds: float = 0.3) -> bool:
        assert self.process.stdout
        return not self._input and not select.select([self.process.stdout], [], [], seconds)[0]

    def report(self, event: str, session: str, *payload: str) -> None:
        self.say("|".join(["report", self.version, "1576146008.006099", "smtp-in", event, session, *payload]).encode())

    def request(self, event: str, session: str, token: str, payload: bytes | None = None) -> None:
        head = f"filter|{self.version}|1576146008.006099|smtp-in|{event}|{session}|{token}".encode()
        self.say(head if payload is None else head + b"|" + payload)

    def answer(self, kind: str, session: str, token: str) -> bytes:
        """What stands behind the ids."""
        first, second = (token, session) if self.version < "0.5" else (session, token)
        line, head = self.line(), f"{kind}|{first}|{second}|".encode()
        assert line.startswith(head), line
        return line[len(head):]

    # A session, as smtpd tells of it

    def connect(self, session: str, address: str, helo: str = "client.example") -> None:
        source = address if address.startswith("unix:") else f"[{address}]:40000" if ":" in address else f"{address}:40000"
        self.report("link-connect", session, "rdns.example", "pass", source, "192.0.2.1:25")
        self.report("link-identify", session, *(["EHLO"] if self.version > "0.4" else []), helo)

    def mail(self, session: str, sender: str, message: str = "deadbeef") -> None:
        self.report("tx-begin", session, message)
        self.report("tx-mail", session, message, *(["ok", sender] if self.version >= "0.6" else [sender, "ok"]))

    def rcpt(self, session: str, recipient: str) -> bytes:
        self.request("rcpt-to", session, "1ef1c203cc576e5d", recipient.encode())
        return self.answer("filter-result", session, "1ef1c203cc576e5d")

    def data(self, session: str, lines: list[bytes]) -> list[bytes]:
        """The lines that go on."""
        for each in [*lines, b"."]:
            self.request("data-line", session, "2ef1c203cc576e5d", each)
        found = []
        while not found or found[-1] != b".":
            found.append(self.answer("filter-dataline", session, "2ef1c203cc576e5d"))
        return found[:-1]

    def commit(self, session: str) -> bytes:
        self.request("commit", session, "3ef1c203cc576e5d", b"")
        return self.answer("filter-result", session, "3ef1c203cc576e5d")
