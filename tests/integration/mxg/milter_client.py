# SPDX-License-Identifier: MIT
"""The MTA's side of the milter protocol, version 6, as far as the tests need it."""
from __future__ import annotations

import pathlib
import socket
import struct

ALL_ACTIONS, ALL_STEPS = 0x1FF, 0x1FFFFF
NO_REPLY = {b"L": 0x80, b"C": 0x1000, b"H": 0x2000, b"M": 0x4000}  # what it may agree on, by command


class MilterClient:
    """One connection; ADDRESS is (host, port) or the path of a unix socket."""

    def __init__(self, address: tuple[str, int] | pathlib.Path, seconds: float = 30, *,
                 actions: int = ALL_ACTIONS, steps: int = ALL_STEPS) -> None:
        local = isinstance(address, pathlib.Path)
        self.sock = socket.socket(socket.AF_UNIX if local else socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
        self.sock.settimeout(seconds)
        self.sock.connect(str(address) if local else address)
        self.send(b"O", struct.pack("!III", 6, actions, steps))
        kind, data = self.read()
        assert kind == b"O"
        self.actions, self.steps = struct.unpack("!II", data[4:12])

    def __enter__(self) -> "MilterClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def send(self, kind: bytes, data: bytes = b"") -> None:
        self.sock.sendall(struct.pack("!I", len(data) + 1) + kind + data)

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = self.sock.recv(count - len(data))
            if not more:
                raise ConnectionError("the milter hung up")
            data += more
        return data

    def read(self) -> tuple[bytes, bytes]:
        data = self._exactly(struct.unpack("!I", self._exactly(4))[0])
        return data[:1], data[1:]

    def connect(self, peer: str) -> "MilterClient":
        family = b"6" if ":" in peer else b"4"
        self.send(b"C", b"client.example\0" + family + struct.pack("!H", 4711) + peer.encode() + b"\0")
        self._go_on(b"C")
        self.send(b"H", b"client.example\0")
        self._go_on(b"H")
        return self

    def _go_on(self, kind: bytes) -> None:
        if not self.steps & NO_REPLY[kind]:
            assert self.read()[0] == b"c"

    def mail(self, sender: str = "a@sender.example", **macros: str) -> None:
        self.send(b"D", b"M" + b"".join(f"{name}\0{value}\0".encode() for name, value in macros.items()))
        self.send(b"M", f"<{sender}>\0".encode())
        self._go_on(b"M")

    def rcpt(self, recipient: str = "user@example.test") -> bytes:
        """b"" where it is let in, else the reply."""
        self.send(b"R", f"<{recipient}>\0".encode())
        return self._reply()

    def _reply(self) -> bytes:
        kind, data = self.read()
        assert kind in b"cyrt", (kind, data)
        return {b"c": b"", b"y": data.rstrip(b"\0"), b"r": b"550", b"t": b"451"}[kind]

    def header(self, *fields: tuple[str, str]) -> bytes:
        """The fields and the header's end."""
        for name, value in fields:
            self.send(b"L", f"{name}\0{value}\0".encode())
            self._go_on(b"L")
        self.send(b"N")
        return self._reply()

    def end(self) -> list[tuple[bytes, bytes]]:
        """The changes of a message that is let in."""
        self.send(b"E")
        changes = []
        while True:
            kind, data = self.read()
            if kind in b"ca":
                return changes
            changes.append((kind, data))
