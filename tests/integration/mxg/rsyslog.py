# SPDX-License-Identifier: MIT
"""rsyslogd with a configuration of its own, that takes lines by TCP on loopback."""
from __future__ import annotations

import pathlib
import socket

from .process import Daemon, free_port, listening, program

HEAD = """module(load="imptcp")
global(workDirectory="{folder}/spool" maxMessageSize="16k")
input(type="imptcp" address="127.0.0.1" port="{port}")
{before}
"""


class Rsyslog:
    """MORE is its configuration; BEFORE it stands what the test wants of each line, such as a file."""

    def __init__(self, folder: pathlib.Path, more: str, before: str = "") -> None:
        (folder / "spool").mkdir(parents=True)
        self.port = free_port()
        self.config = folder / "rsyslog.conf"
        self.config.write_text(HEAD.format(folder=folder, port=self.port, before=before) + more)
        self._daemon = Daemon([program("rsyslogd") or "rsyslogd", "-n", "-f", str(self.config), "-i", str(folder / "pid")],
                              folder / "rsyslog.out")

    @staticmethod
    def available() -> bool:
        return program("rsyslogd") is not None

    def __enter__(self) -> "Rsyslog":
        self._daemon.start(lambda: listening("127.0.0.1", self.port), "rsyslogd listens")
        return self

    def __exit__(self, *_: object) -> None:
        self._daemon.stop()

    def send(self, lines: bytes) -> None:
        with socket.create_connection(("127.0.0.1", self.port)) as connection:
            connection.sendall(lines)

    def said(self) -> str:
        return self._daemon.said()
