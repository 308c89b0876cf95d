# SPDX-License-Identifier: MIT
"""A client for SMTP and LMTP that says exactly what it is told, and can stop anywhere.

    with Client(("192.0.2.1", 24), source="203.0.113.66") as client:
        client.greet()
        client.mail("a@b.example")
        assert client.rcpt("user@example.test").code == 550

Every reply is returned, and client.dialogue has both sides, a line each.
"""
from __future__ import annotations

import base64
import ipaddress
import pathlib
import re
import socket
import ssl
import struct
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from .process import PATIENCE, family_of

Server = tuple[str, int] | str | pathlib.Path


class Closed(ConnectionError):
    """The server closed the connection before it should; the text is the end of the dialogue."""


@dataclass(frozen=True)
class Reply:
    code: int
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def enhanced(self) -> str | None:
        """The enhanced status code (RFC 3463), such as 5.7.1, wherever it stands first."""
        found = re.match(r"(?:<[^>]*> )?([245]\.\d{1,3}\.\d{1,3})\b", self.lines[0])
        return found[1] if found else None

    @property
    def ok(self) -> bool:
        return 200 <= self.code < 400

    def __str__(self) -> str:
        return f"{self.code} {self.text}"


@dataclass
class Delivery:
    """One transaction: the replies to RCPT and those after the data, by recipient."""
    mail: Reply
    rcpt: dict[str, Reply]
    data: dict[str, Reply] = field(default_factory=dict)
    dialogue: list[str] = field(default_factory=list)

    def final(self, recipient: str) -> Reply:
        """What became of this recipient: the last reply that it got."""
        return self.data.get(recipient) or self.rcpt[recipient]

    @property
    def codes(self) -> dict[str, int]:
        return {recipient: self.final(recipient).code for recipient in self.rcpt}


def proxy_v1(source: str, destination: str = "192.0.2.1", source_port: int = 40000,
             destination_port: int = 24) -> bytes:
    kind = "TCP6" if ":" in source else "TCP4"
    return f"PROXY {kind} {source} {destination} {source_port} {destination_port}\r\n".encode()


def proxy_v2(source: str | None, destination: str = "192.0.2.1", source_port: int = 40000,
             destination_port: int = 24) -> bytes:
    """Without SOURCE the LOCAL command: the proxy speaks for itself."""
    magic = b"\r\n\r\n\0\r\nQUIT\n"
    if source is None:
        return magic + bytes([0x20, 0]) + struct.pack("!H", 0)
    first, second = ipaddress.ip_address(source), ipaddress.ip_address(destination)
    if first.version != second.version:
        second = type(first)(1)
    data = first.packed + second.packed + struct.pack("!HH", source_port, destination_port)
    return magic + bytes([0x21, 0x11 if first.version == 4 else 0x21]) \
        + struct.pack("!H", len(data)) + data


def xtext(value: str) -> str:
    return "".join(f"+{ord(char):02X}" if char in "+= " or not 0x21 <= ord(char) <= 0x7E else char
                   for char in value)


def dot_stuffed(message: bytes) -> bytes:
    """MESSAGE as DATA wants it, with its end; lines that end in LF get CR LF."""
    lines = re.sub(rb"\r?\n", b"\r\n", message)
    if lines and not lines.endswith(b"\r\n"):
        lines += b"\r\n"
    return re.sub(rb"(?m)^\.", b"..", lines) + b".\r\n"


class Client:
    """One connection. SERVER is (address, port) or the path of a unix socket."""

    def __init__(self, server: Server, *, source: str | None = None, lmtp: bool = True,
                 proxy: bytes = b"", seconds: float = PATIENCE) -> None:
        self.lmtp = lmtp
        self.dialogue: list[str] = []
        self.accepted: list[str] = []
        self.sock = self._connect(server, source, seconds)
        self._input = b""
        if proxy:
            self.send(proxy)

    @staticmethod
    def _connect(server: Server, source: str | None, seconds: float) -> socket.socket:
        """A server that is being reloaded is away for a moment."""
        for _ in range(200):
            try:
                return Client._connect_once(server, source, seconds)
            except (FileNotFoundError, ConnectionRefusedError):
                time.sleep(0.05)
        return Client._connect_once(server, source, seconds)

    @staticmethod
    def _connect_once(server: Server, source: str | None, seconds: float) -> socket.socket:
        local = not isinstance(server, tuple)
        sock = socket.socket(socket.AF_UNIX if local else family_of(server[0]),
                             socket.SOCK_STREAM)
        try:
            sock.settimeout(seconds)
            if source:
                sock.bind((source, 0))
            sock.connect(str(server) if local else server)
        except OSError:
            sock.close()
            raise
        return sock

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Bytes and lines

    def send(self, data: bytes) -> None:
        """Bytes as they are; in the dialogue in full where they are short text."""
        note = data if len(data) <= 2000 else data[:200] + b"... (%d bytes)" % len(data)
        self.dialogue += ["C: " + line for line in note.decode("latin-1").splitlines()]
        try:
            self.sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise self._closed() from error

    def _closed(self) -> Closed:
        self.dialogue.append("S: (closed)")
        return Closed("\n".join(self.dialogue[-20:]))

    def line(self, text: str) -> None:
        self.send(text.encode("utf-8", "surrogateescape") + b"\r\n")

    def _read_line(self) -> str:
        while b"\n" not in self._input:
            try:
                data = self.sock.recv(65536)
            except ConnectionResetError as error:
                raise self._closed() from error
            if not data:
                raise self._closed()
            self._input += data
        line, _, self._input = self._input.partition(b"\n")
        text = line.rstrip(b"\r").decode("utf-8", "replace")
        self.dialogue.append("S: " + text)
        return text

    def reply(self) -> Reply:
        lines: list[str] = []
        while True:
            line = self._read_line()
            if not re.match(r"\d{3}([ -]|$)", line):
                raise AssertionError(f"not a reply: {line!r}")
            lines.append(line[4:])
            if line[3:4] != "-":
                return Reply(int(line[:3]), tuple(lines))

    def command(self, text: str) -> Reply:
        self.line(text)
        return self.reply()

    def pipeline(self, commands: Iterable[str]) -> list[Reply]:
        """All commands in one write, then their replies."""
        commands = list(commands)
        self.send("".join(command + "\r\n" for command in commands).encode())
        return [self.reply() for _ in commands]

    # Commands

    def greet(self, helo: str = "client.example") -> Reply:
        """Read the greeting, and say LHLO or EHLO."""
        greeting = self.reply()
        if not greeting.ok:
            raise AssertionError(f"greeted with {greeting}")
        return self.hello(helo)

    def hello(self, helo: str = "client.example") -> Reply:
        return self.command(f"{'LHLO' if self.lmtp else 'EHLO'} {helo}")

    def xclient(self, **attributes: str) -> Reply:
        """XCLIENT ADDR=… NAME=… HELO=… LOGIN=…; say hello again afterwards."""
        return self.command("XCLIENT " + " ".join(f"{key}={xtext(value)}"
                                                  for key, value in attributes.items()))

    def starttls(self, certificate: tuple[pathlib.Path, pathlib.Path] | None = None) -> Reply:
        """STARTTLS, and the handshake where the server agrees; the server's certificate is not
        checked. CERTIFICATE: what is shown, and its key."""
        reply = self.command("STARTTLS")
        if reply.ok:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            if certificate:
                context.load_cert_chain(*map(str, certificate))
            self.sock = context.wrap_socket(self.sock)
        return reply

    def auth_plain(self, user: str, password: str) -> Reply:
        token = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
        return self.command(f"AUTH PLAIN {token}")

    def mail(self, sender: str, *parameters: str) -> Reply:
        self.accepted = []
        return self.command(" ".join([f"MAIL FROM:<{sender}>", *parameters]))

    def rcpt(self, recipient: str, *parameters: str) -> Reply:
        reply = self.command(" ".join([f"RCPT TO:<{recipient}>", *parameters]))
        if reply.ok:
            self.accepted.append(recipient)
        return reply

    def data(self, message: bytes) -> dict[str, Reply]:
        """DATA and the message; LMTP gives a reply for each accepted recipient, SMTP one for all.
        A refused DATA is the reply of every recipient."""
        reply = self.command("DATA")
        if reply.code != 354:
            return dict.fromkeys(self.accepted, reply)
        self.send(dot_stuffed(message))
        return self._final_replies()

    def bdat(self, chunks: Sequence[bytes]) -> dict[str, Reply]:
        """The message in CHUNKS, the last one marked LAST."""
        for chunk in chunks[:-1]:
            self.send(b"BDAT %d\r\n" % len(chunk) + chunk)
            reply = self.reply()
            if not reply.ok:
                return dict.fromkeys(self.accepted, reply)
        self.send(b"BDAT %d LAST\r\n" % len(chunks[-1]) + chunks[-1])
        return self._final_replies()

    def _final_replies(self) -> dict[str, Reply]:
        if self.lmtp:
            return {recipient: self.reply() for recipient in self.accepted}
        return dict.fromkeys(self.accepted, self.reply())

    def quit(self) -> Reply:
        return self.command("QUIT")

    def close(self) -> None:
        self.sock.close()

    def abort(self) -> None:
        """Go away with RST, in the middle of whatever it is."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


def message(sender: str = "a@sender.example", recipient: str = "user@example.test",
            subject: str = "test", body: str = "Hello.\n", header: str = "") -> bytes:
    """A small message with LF line ends; HEADER is put on top, and ends in LF."""
    return (f"{header}From: <{sender}>\nTo: <{recipient}>\nSubject: {subject}\n"
            f"Message-ID: <{subject.replace(' ', '-')}@sender.example>\n"
            f"Date: Mon, 02 Nov 2026 10:00:00 +0000\n\n{body}").encode()


def deliver(server: Server, recipients: str | Sequence[str], content: bytes | None = None, *,
            source: str | None = None, sender: str = "a@sender.example",
            helo: str = "client.example", lmtp: bool = True, proxy: bytes = b"",
            xclient: dict[str, str] | None = None, seconds: float = PATIENCE) -> Delivery:
    """One whole transaction, from connect to QUIT."""
    recipients = [recipients] if isinstance(recipients, str) else list(recipients)
    with Client(server, source=source, lmtp=lmtp, proxy=proxy, seconds=seconds) as client:
        client.greet(helo)
        if xclient:
            reply = client.xclient(**xclient)
            assert reply.ok, reply
            client.hello(helo)
        result = Delivery(client.mail(sender), {}, dialogue=client.dialogue)
        if result.mail.ok:
            result.rcpt = {each: client.rcpt(each) for each in recipients}
        else:
            result.rcpt = dict.fromkeys(recipients, result.mail)
        if client.accepted:
            result.data = client.data(content or message(sender, recipients[0]))
        client.quit()
        return result


def reply_to_rcpt(server, sender, recipient, certificate=None, tls=True, source="203.0.113.66"):
    """Of one who says STARTTLS first, with his certificate if he has one."""
    with Client(server, source=source, lmtp=False) as client:
        client.greet()
        if tls:
            assert client.starttls(certificate).ok
            client.hello()
        client.mail(sender)
        reply = client.rcpt(recipient)
        client.quit()
    return reply
