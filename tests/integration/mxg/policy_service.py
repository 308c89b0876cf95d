# SPDX-License-Identifier: MIT
"""`mxguard policy` as a service, and a client that asks as Postfix does."""
from __future__ import annotations

import pathlib
import re
import signal
import socket
from collections.abc import Mapping, Sequence

from . import build
from .process import PATIENCE, Daemon, Server, listening, listening_unix, wait_for_text


class PolicyService(Server):
    """Listens on a unix socket in FOLDER, and on loopback at PORT where one is given. ARGV stands before the command."""

    def __init__(self, folder: pathlib.Path, config: pathlib.Path, *, port: int | None = None,
                 options: Sequence[str] = (), argv: Sequence[str] = (), environment: Mapping[str, str] | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.socket, self.port, self.config = folder / "socket", port, config
        argv = [*argv, str(build.command()), "policy", "-c", str(config), "--listen", f"unix:{self.socket}"]
        if port:
            argv += ["--listen", f"inet:127.0.0.1:{port}"]
        self._daemon = Daemon([*argv, *options], folder / "policy.log", environment)

    def start(self) -> "PolicyService":
        self._daemon.start(lambda: listening_unix(self.socket)
                           and (not self.port or listening("127.0.0.1", self.port)),
                           "mxguard policy listens")
        return self

    def stop(self) -> int | None:
        return self._daemon.stop()

    def kill(self) -> None:
        self._daemon.kill()

    def reload(self) -> None:
        count = self.log().count("reloaded")
        self._daemon.signal(signal.SIGHUP)
        wait_for_text(lambda: "".join(re.findall("reloaded", self.log())[count:]), "reloaded")

    @property
    def pid(self) -> int:
        return self._daemon.pid

    @property
    def running(self) -> bool:
        return self._daemon.running

    def terminate(self) -> None:
        self._daemon.signal(signal.SIGTERM)

    def log(self) -> str:
        path = self._daemon.output
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def wait_log(self, pattern: str, seconds: float = PATIENCE) -> re.Match[str]:
        return wait_for_text(self.log, pattern, seconds)

    def client(self, seconds: float = PATIENCE) -> "PolicyClient":
        return PolicyClient(self.socket, seconds)

    def ask(self, peer: str, recipient: str = "user@example.test", **attributes: str) -> str:
        with self.client() as client:
            return client.ask(peer, recipient, **attributes)


def request(peer: str, recipient: str = "user@example.test", **attributes: str) -> bytes:
    values = {"request": "smtpd_access_policy", "protocol_state": "RCPT", "protocol_name": "ESMTP",
              "client_address": peer, "client_name": "unknown", "helo_name": "client.example",
              "sender": "a@sender.example", "recipient": recipient, "sasl_username": "",
              "queue_id": "", **attributes}
    return "".join(f"{key}={value}\n" for key, value in values.items()).encode(
        "utf-8", "surrogateescape") + b"\n"


class PolicyClient:
    def __init__(self, path: pathlib.Path, seconds: float = PATIENCE) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(seconds)
        self.sock.connect(str(path))
        self._rest = b""

    def __enter__(self) -> "PolicyClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def answer(self) -> str:
        """The next action; "" where the service hung up instead."""
        while b"\n\n" not in self._rest:
            try:
                more = self.sock.recv(65536)
            except ConnectionResetError:
                more = b""
            if not more:
                assert not self._rest, self._rest
                return ""
            self._rest += more
        one, self._rest = self._rest.split(b"\n\n", 1)
        assert one.startswith(b"action=") and b"\n" not in one, one
        return one[len(b"action="):].decode("ascii")

    def ask(self, peer: str, recipient: str = "user@example.test", **attributes: str) -> str:
        self.send(request(peer, recipient, **attributes))
        return self.answer()
