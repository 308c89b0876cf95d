# SPDX-License-Identifier: MIT
"""Ask a DNS server one question, over UDP or TCP."""
from __future__ import annotations

import random
import socket
import struct

from . import dns_wire
from .process import PATIENCE, family_of


def ask(server: tuple[str, int], name: str, kind: str, *, tcp: bool = False,
        seconds: float = PATIENCE, source: str | None = None, edns: bool = True) -> dns_wire.Message:
    """The reply, decoded. TimeoutError if none came; ValueError if it cannot be read."""
    return dns_wire.decode(ask_raw(server, name, kind, tcp=tcp, seconds=seconds, source=source,
                                   edns=edns))


def ask_raw(server: tuple[str, int], name: str, kind: str, *, tcp: bool = False,
            seconds: float = PATIENCE, source: str | None = None, edns: bool = True) -> bytes:
    query = dns_wire.encode_query(random.randrange(65536), name, kind, edns)
    sort = socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM
    with socket.socket(family_of(server[0]), sort) as sock:
        sock.settimeout(seconds)
        if source:
            sock.bind((source, 0))
        sock.connect(server)
        if not tcp:
            sock.send(query)
            return sock.recv(65535)
        sock.sendall(struct.pack("!H", len(query)) + query)
        with sock.makefile("rb") as stream:
            head = stream.read(2)
            if len(head) < 2:
                raise ConnectionError("closed without a reply")
            return stream.read(struct.unpack("!H", head)[0])


def answers(server: tuple[str, int], name: str, kind: str, **keywords: object) -> list[str]:
    """The data of the answer records, sorted."""
    reply = ask(server, name, kind, **keywords)  # type: ignore[arg-type]
    return sorted(str(record.data) for record in reply.answers)
