# SPDX-License-Identifier: MIT
"""Cyrus SASL's password checker: a server that asks this one knows the logins that it is told."""
from __future__ import annotations

import contextlib
import pathlib
import socket
import struct
import threading
from collections.abc import Mapping

from .process import PATIENCE


class Saslauthd:
    """Answers on a unix socket. A question is four texts, each after its length: login, password,
    service and realm; the answer is one."""

    def __init__(self, path: pathlib.Path, passwords: Mapping[str, str]) -> None:
        self.path, self.passwords = path, dict(passwords)
        self._listener = socket.socket(socket.AF_UNIX)
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> "Saslauthd":
        self._listener.bind(str(self.path))
        self.path.chmod(0o666)
        self._listener.listen()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # which ends accept()
        self._thread.join(5)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError, struct.error):
                connection.settimeout(PATIENCE)
                self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        with connection.makefile("rb") as question:
            login, password, _, realm = (question.read(*struct.unpack(">H", question.read(2))).decode()
                                         for _ in range(4))
        known = self.passwords.get(f"{login}@{realm}" if realm else login)
        text = b"OK" if known is not None and known == password else b"NO"
        connection.sendall(struct.pack(">H", len(text)) + text)
