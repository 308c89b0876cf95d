# SPDX-License-Identifier: MIT
"""Says recipients to a real server as a stranger does, and looks where the mail ends."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from . import smtp
from .sink import DoorRecorder, LmtpSink
from .spellings import Spelling

STRANGER = "203.0.113.66"
SENDER = "s{}@sender.example"


@dataclass
class Fate:
    """What became of one spelling: the reply, what was asked at the door, byte for byte, and the recipients that the
    server handed on, each with the sink that got it."""
    spelling: Spelling
    reply: smtp.Reply
    asked: list[bytes] = field(default_factory=list)
    ended: list[tuple[str, str]] = field(default_factory=list)


class Talk:
    """One spelling after the other, at most MOST of them on a connection."""

    def __init__(self, server: smtp.Server, *, lmtp: bool = False, most: int = 1000, data: bool = True) -> None:
        self.server, self.lmtp, self.most, self.data = server, lmtp, most, data
        self._client: smtp.Client | None = None
        self._left, self._utf8 = 0, False

    def __enter__(self) -> "Talk":
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def _close(self) -> None:
        if self._client:
            self._client.close()
        self._client = None

    def _connection(self) -> smtp.Client:
        if self._client and self._left > 0:
            return self._client
        self._close()
        self._client = smtp.Client(self.server, source=STRANGER, lmtp=self.lmtp, seconds=60)
        self._utf8 = "SMTPUTF8" in self._client.greet().text.upper()
        self._left = self.most
        return self._client

    def say(self, spelling: Spelling, sender: str) -> smtp.Reply:
        """The reply to RCPT, or to the message where that was refused. A server that has had enough of us (421, or
        it hangs up) is tried again."""
        for _ in range(3):
            try:
                reply = self._once(self._connection(), spelling, sender)
                if reply.code != 421:
                    return reply
            except ConnectionError:
                pass
            self._close()
        return smtp.Reply(421, ("it hangs up",))

    def _once(self, client: smtp.Client, spelling: Spelling, sender: str) -> smtp.Reply:
        self._left -= 1
        client.command("RSET")
        client.mail(sender, *(["SMTPUTF8"] if self._utf8 and not spelling.text.isascii() else []))
        reply = client.rcpt(spelling.text)
        if not (reply.ok and self.data):
            return reply
        taken = list(client.data(smtp.message(sender, "undisclosed@sender.example")).values())
        return reply if all(each.ok for each in taken) else taken[0]


def fates(spellings: Iterable[Spelling], server: smtp.Server, sinks: Mapping[str, LmtpSink],
          settle: Callable[[], object], door: DoorRecorder | None = None, most: int = 1000) -> list[Fate]:
    """Say every spelling; SETTLE waits until nothing is under way any more."""
    with Talk(server, most=most) as talk:
        found = [Fate(each, talk.say(each, SENDER.format(number))) for number, each in enumerate(spellings)]
    settle()
    for number, fate in enumerate(found):
        sender = SENDER.format(number)
        fate.asked = list(door.asked[sender]) if door else []
        fate.ended = [(name, each) for name, sink in sinks.items() for each in sink.got[sender]]
    return found
