# SPDX-License-Identifier: MIT
"""A DNS server that says what a script tells it to, faults included, and notes each question.

    dns.set("example.test", "MX", answer("10 gw.example.test"))
    dns.set("gw.example.test", "A", delayed(0.5, answer("192.0.2.10", ttl=60)))
    dns.set("dead.test", "MX", timeout())

It answers as a resolver does: it follows its CNAMEs and puts the chain into the answer. A name
that is not in the script is refused and kept in `unexpected`; a name that has other types only
gets an empty answer.
"""
from __future__ import annotations

import asyncio
import random
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from . import dns_wire
from .dns_wire import AD, QR, RA, RCODES, RD, TC, Record
from .process import Server, family_of

Raw = Callable[[bytes], bytes]


@dataclass(frozen=True)
class Reply:
    """What to say to one question. The functions below make the usual ones."""
    data: tuple[str | bytes, ...] = ()
    ttl: int = 300
    rcode: str = "NOERROR"
    authenticated: bool = False
    negative_ttl: int = 300
    negative_minimum: int = 300
    soa: bool = True                  # a negative answer carries its SOA record
    delay: float = 0.0
    held: threading.Event | None = None  # no reply until then
    silent: bool = False
    truncated: bool = False           # over UDP only the question, with TC
    tcp: str = "answer"               # or "silent": read, say nothing; or "close"
    wrong_id: bool = False
    wrong_question: str | None = None
    ignore_size: bool = False         # over UDP more than the asker said it can take
    raw: Raw | None = None            # from the whole well-formed reply to the bytes sent
    records: tuple[Record, ...] = ()  # whole records, beside or instead of data
    after_drops: int = 0              # the first N questions get no reply


def answer(*data: str | bytes, ttl: int = 300, authenticated: bool = False) -> Reply:
    return Reply(data=data, ttl=ttl, authenticated=authenticated)


def records(*those: Record, **keywords: object) -> Reply:
    """Whole records, whatever their names and types."""
    return Reply(records=those, **keywords)  # type: ignore[arg-type]


def nodata(ttl: int = 300, minimum: int = 300, soa: bool = True) -> Reply:
    return Reply(negative_ttl=ttl, negative_minimum=minimum, soa=soa)


def nxdomain(ttl: int = 300, minimum: int = 300, soa: bool = True) -> Reply:
    return Reply(rcode="NXDOMAIN", negative_ttl=ttl, negative_minimum=minimum, soa=soa)


def servfail() -> Reply:
    return Reply(rcode="SERVFAIL")


def refused() -> Reply:
    return Reply(rcode="REFUSED")


def timeout() -> Reply:
    return Reply(silent=True)


def delayed(seconds: float, reply: Reply) -> Reply:
    return replace(reply, delay=seconds)


def held(until: threading.Event, reply: Reply) -> Reply:
    return replace(reply, held=until)


def truncated(reply: Reply, tcp: str = "answer") -> Reply:
    return replace(reply, truncated=True, tcp=tcp)


def wrong_id(reply: Reply) -> Reply:
    return replace(reply, wrong_id=True)


def wrong_question(reply: Reply, name: str = "other.test") -> Reply:
    return replace(reply, wrong_question=name)


def oversized(reply: Reply) -> Reply:
    return replace(reply, ignore_size=True)


def drop_first(count: int, reply: Reply) -> Reply:
    return replace(reply, after_drops=count)


def garbage(data: bytes = b"\xff" * 40) -> Reply:
    """The right id, then DATA."""
    return Reply(raw=lambda reply: reply[:2] + data)


def raw(function: Raw, reply: Reply = Reply()) -> Reply:
    """What FUNCTION makes of the well-formed bytes of REPLY: cut, bent, prolonged."""
    return replace(reply, raw=function)


@dataclass(frozen=True)
class Question:
    name: str
    type: str
    protocol: str
    time: float
    flags: int
    edns: bool
    source: str
    port: int                         # of the asker


class ScriptedDns(Server):
    """Runs in a thread of its own; the script can be changed at any time."""

    def __init__(self, address: str = "127.0.0.1", port: int = 0) -> None:
        self.address, self.port = address, port
        self.script: dict[tuple[str, str], Reply] = {}
        self.default = refused()
        self.knows_edns = True            # else FORMERR to whoever uses it
        self._questions: list[Question] = []
        self._drops: dict[tuple[str, str], int] = {}
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def server(self) -> str:
        """As the setting dns.servers has it."""
        return f"[{self.address}]:{self.port}" if ":" in self.address else \
            f"{self.address}:{self.port}"

    @property
    def endpoint(self) -> tuple[str, int]:
        return self.address, self.port

    # The script

    def set(self, name: str, kind: str, reply: Reply | str | list[str]) -> None:
        """A string or a list of them is short for answer(…)."""
        if isinstance(reply, str):
            reply = answer(reply)
        elif isinstance(reply, list):
            reply = answer(*reply)
        with self._lock:
            self.script[_key(name, kind)] = reply
            self._drops.pop(_key(name, kind), None)

    def update(self, script: dict[tuple[str, str], Reply | str | list[str]]) -> None:
        for (name, kind), reply in script.items():
            self.set(name, kind, reply)

    def clear(self) -> None:
        with self._lock:
            self.script.clear()
            self._drops.clear()
            self._questions.clear()

    # What was asked

    @property
    def questions(self) -> list[Question]:
        with self._lock:
            return list(self._questions)

    def asked(self) -> list[tuple[str, str]]:
        """Name and type of each question, in order."""
        return [(question.name, question.type) for question in self.questions]

    @property
    def unexpected(self) -> list[tuple[str, str]]:
        """Questions about names that the script does not have."""
        return [key for key in self.asked() if not self._knows(key[0])]

    def unasked(self) -> list[tuple[str, str]]:
        """Script entries that nobody asked for."""
        asked = set(self.asked())
        return [key for key in self.script if key not in asked]

    def forget_questions(self) -> None:
        with self._lock:
            self._questions.clear()

    def _knows(self, name: str) -> bool:
        with self._lock:
            return any(known == name for known, _ in self.script)

    # The server

    def start(self) -> "ScriptedDns":
        ready: list[BaseException | None] = []
        up = threading.Event()

        def serve() -> None:
            self._loop = asyncio.new_event_loop()
            try:
                self._loop.run_until_complete(self._open())
                ready.append(None)
            except BaseException as error:  # handed to the caller of start()
                ready.append(error)
                return
            finally:
                up.set()
            self._loop.run_forever()
            self._loop.run_until_complete(self._close())
            self._loop.close()

        self._thread = threading.Thread(target=serve, daemon=True)
        self._thread.start()
        assert up.wait(10)
        if ready[0] is not None:
            raise ready[0]
        return self

    def stop(self) -> None:
        if self._loop and self._thread and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)
        self._thread = None

    async def _open(self) -> None:
        assert self._loop
        for attempt in range(20):  # the UDP and the TCP port have to be the same
            self._tcp = await asyncio.start_server(self._on_tcp, self.address, self.port,
                                                   family=family_of(self.address))
            port = self._tcp.sockets[0].getsockname()[1]
            try:
                self._udp, _ = await self._loop.create_datagram_endpoint(
                    lambda: _Datagrams(self), local_addr=(self.address, port))
            except OSError:
                self._tcp.close()
                if self.port or attempt == 19:
                    raise
                continue
            self.port = port
            return

    async def _close(self) -> None:
        self._tcp.close()
        self._udp.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def spawn(self, work: "asyncio._CoroutineLike[None]") -> None:
        assert self._loop
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def on_udp(self, query: bytes, peer: tuple, transport: asyncio.DatagramTransport) -> None:
        reply = await self._reply(query, "udp", peer)
        if reply is not None:
            transport.sendto(reply, peer)

    async def _on_tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername")
        try:
            while True:
                (length,) = struct.unpack("!H", await reader.readexactly(2))
                query = await reader.readexactly(length)
                reply = await self._reply(query, "tcp", peer)
                if reply == b"":
                    break
                if reply is not None:
                    writer.write(struct.pack("!H", len(reply)) + reply)
                    await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _reply(self, query: bytes, protocol: str, source: tuple) -> bytes | None:
        """The bytes to send; None for silence, empty for closing the connection."""
        asked = dns_wire.decode(query)
        if not asked.question:
            return None
        name, kind = _key(*asked.question)
        with self._lock:
            self._questions.append(Question(name, kind, protocol, time.monotonic(), asked.flags,
                                            asked.edns, source[0], source[1]))
        reply, answers = self._find(name, kind)
        if asked.edns and not self.knows_edns:
            reply, answers = Reply(rcode="FORMERR"), []
        if reply.delay:
            await asyncio.sleep(reply.delay)
        while reply.held and not reply.held.is_set():
            await asyncio.sleep(0.01)
        if reply.silent or self._dropped(name, kind, reply):
            return None
        if protocol == "tcp" and reply.tcp != "answer":
            return None if reply.tcp == "silent" else b""
        return _encode(query, asked, reply, answers, protocol)

    def _dropped(self, name: str, kind: str, reply: Reply) -> bool:
        with self._lock:
            count = self._drops[name, kind] = self._drops.get((name, kind), 0) + 1
        return count <= reply.after_drops

    def _find(self, name: str, kind: str) -> tuple[Reply, list[Record]]:
        """What the script has for a question; the records of a CNAME chain come first."""
        chain: list[Record] = []
        with self._lock:
            for _ in range(16):
                found = self.script.get((name, kind))
                alias = self.script.get((name, "CNAME"))
                if found is not None or alias is None or not alias.data:
                    break
                chain += _records(name, "CNAME", alias)
                name = str(alias.data[0]).rstrip(".").lower()
            if found is None:
                known = any(other == name for other, _ in self.script)
                found = nodata() if known or chain else self.default
        return found, chain + _records(name, kind, found)


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: ScriptedDns) -> None:
        self.server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple) -> None:
        self.server.spawn(self.server.on_udp(data, addr, self.transport))  # type: ignore[arg-type]


def _key(name: str, kind: str) -> tuple[str, str]:
    return name.rstrip(".").lower(), kind.upper()


def _records(name: str, kind: str, reply: Reply) -> list[Record]:
    return [Record(name, kind, data, reply.ttl) for data in reply.data] + list(reply.records)


def _authority(reply: Reply, name: str, answers: list[Record]) -> list[Record]:
    if answers and answers[-1].type != "CNAME" or not reply.soa or \
            reply.rcode not in ("NOERROR", "NXDOMAIN"):
        return []
    zone = ".".join(name.split(".")[-2:])
    data = f"ns.{zone} hostmaster.{zone} 1 3600 900 604800 {reply.negative_minimum}"
    return [Record(zone, "SOA", data, reply.negative_ttl)]


def _encode(query: bytes, asked: dns_wire.Message, reply: Reply, answers: list[Record],
            protocol: str) -> bytes:
    assert asked.question
    question = dns_wire.question_bytes(query)
    if reply.wrong_question:
        question = dns_wire.encode_question(reply.wrong_question, asked.question[1])
    id = asked.id ^ random.randrange(1, 65536) if reply.wrong_id else asked.id
    flags = QR | RA | (asked.flags & RD) | (AD if reply.authenticated else 0) | RCODES[reply.rcode]
    authority = _authority(reply, asked.question[0].lower(), answers)
    wire = dns_wire.encode_reply(id, flags, question, answers, authority, asked.edns)
    room = asked.udp_size if protocol == "udp" and not reply.ignore_size else 65535
    if protocol == "udp" and reply.truncated or len(wire) > room:
        wire = dns_wire.encode_reply(id, flags | TC, question, [], [], asked.edns)
    return reply.raw(wire) if reply.raw else wire
