# SPDX-License-Identifier: MIT
"""What an MTA hands on, and what it asks at the door: an LMTP server and a policy service that only write down."""
from __future__ import annotations

import contextlib
import pathlib
import re
import socketserver
import threading
from collections import defaultdict


class _UnixServer(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    request_queue_size = 128


class _TcpServer(socketserver.ThreadingTCPServer):
    daemon_threads = allow_reuse_address = True
    request_queue_size = 128


class _Listener:
    """Everything is kept by the envelope sender, which tells one message from another."""

    def __init__(self, path: pathlib.Path | tuple[str, int]) -> None:
        self.path = path
        owner = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    owner.talk(self.rfile, self.wfile)

        if isinstance(path, tuple):
            self._server = _TcpServer(path, Handler)
        else:
            self._server = _UnixServer(str(path), Handler)
            path.chmod(0o777)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def talk(self, lines, out) -> None:
        raise NotImplementedError

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class LmtpSink(_Listener):
    """Takes everything; `got` has the recipients of each sender, as they stood between < and >, and `kept` the
    messages, with LF for CRLF."""

    def __init__(self, path: pathlib.Path | tuple[str, int]) -> None:
        self.got: dict[str, list[str]] = defaultdict(list)
        self.kept: dict[str, list[bytes]] = defaultdict(list)
        super().__init__(path)

    def talk(self, lines, out) -> None:
        sender, recipients = "", []
        out.write(b"220 sink LMTP\r\n")
        while line := lines.readline():
            word, reply = line[:4].upper(), b"250 2.0.0 ok\r\n"
            text = line.decode("utf-8", "surrogateescape").rstrip("\r\n")
            if word == b"LHLO":
                reply = b"250-sink\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-PIPELINING\r\n250 ENHANCEDSTATUSCODES\r\n"
            elif word == b"MAIL":
                sender, recipients = _path(text), []
            elif word == b"RCPT":
                recipients.append(_path(text))
            elif word == b"DATA":
                out.write(b"354 go on\r\n")
                content = b""
                while (part := lines.readline()) and part != b".\r\n":
                    content += part[part.startswith(b".."):]
                self.kept[sender].append(content.replace(b"\r\n", b"\n"))
                self.got[sender] += recipients
                reply = b"250 2.0.0 ok\r\n" * len(recipients)
            elif word == b"QUIT":
                out.write(b"221 2.0.0 bye\r\n")
                return
            out.write(reply)


def _path(line: str) -> str:
    """What stands in MAIL FROM:<…> or RCPT TO:<…>, before the parameters."""
    found = re.search(r":\s*<(.*)>", line)
    return found[1] if found else line


class DoorRecorder(_Listener):
    """Answers like `mxguard policy` that it has no objection, to Postfix and to Exim's ACL alike; `asked` has the
    requests of each sender, byte for byte."""

    def __init__(self, path: pathlib.Path) -> None:
        self.asked: dict[str, list[bytes]] = defaultdict(list)
        super().__init__(path)

    def talk(self, lines, out) -> None:
        request = b""
        while line := lines.readline():
            request += line
            if request.startswith(b"check "):
                self._keep(request)
                out.write(b"accept\n")
                return
            if line == b"\n":
                self._keep(request)
                out.write(b"action=DUNNO\n\n")
                request = b""

    def _keep(self, request: bytes) -> None:
        sender = re.search(rb'(?:^| )sender="?([^"\n ]*)', request, re.M)
        self.asked[sender[1].decode() if sender else ""].append(request)


def unquoted(recipient: str) -> str:
    """An address as the MTA means it: without quotes and escapes in the local part."""
    local, at, domain = recipient.rpartition("@")
    if local[:1] == local[-1:] == '"' and len(local) > 1:
        local = re.sub(r"\\(.)", r"\1", local[1:-1])
    return local + at + domain
