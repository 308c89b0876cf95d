# SPDX-License-Identifier: MIT
"""Programs started by the tests, bounded waits, free ports.

A program runs in the foreground as our child, in a process group of its own, and is ended by
its pid. Nothing is ever looked for by name.
"""
from __future__ import annotations

import contextlib
import os
import pathlib
import re
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")
SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
PATIENCE = 120.0
"""How long to wait for what must come. It costs nothing where it comes, and a machine with other work
to do may take a hundred times as long as an idle one."""


class Server:
    """What is started where it is entered, and stopped where it is left."""

    def __enter__(self):
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


class Timeout(AssertionError):
    """What was waited for did not come."""


def wait_until(condition: Callable[[], T], what: str, seconds: float = PATIENCE,
               pause: float = 0.02) -> T:
    """Poll CONDITION until it is true, and return its value; fail after SECONDS."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= end:
            raise Timeout(f"waited {seconds:g} s in vain: {what}")
        time.sleep(pause)


def wait_for_text(read: Callable[[], str], pattern: str, seconds: float = PATIENCE) -> re.Match[str]:
    """Poll READ() until PATTERN matches in it; a failure shows the end of the text."""
    with contextlib.suppress(Timeout):
        return wait_until(lambda: re.search(pattern, read(), re.M), pattern,
                          seconds)  # type: ignore[return-value]
    raise Timeout(f"waited {seconds:g} s in vain for {pattern!r}\n{read()[-4000:]}")


def family_of(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def free_port(address: str = "127.0.0.1", kind: int = socket.SOCK_STREAM) -> int:
    """A port that nothing uses on ADDRESS, for TCP and UDP both."""
    for _ in range(50):
        with socket.socket(family_of(address), kind) as first:
            first.bind((address, 0))
            port = first.getsockname()[1]
            other = socket.SOCK_DGRAM if kind == socket.SOCK_STREAM else socket.SOCK_STREAM
            with contextlib.suppress(OSError), socket.socket(family_of(address), other) as second:
                second.bind((address, port))
                return port
    raise Timeout(f"no free port on {address}")


def listening(address: str, port: int) -> bool:
    """A TCP server waits there. No connection is made: it would be in the server's log."""
    family = family_of(address)
    packed = socket.inet_pton(family, address)
    words = [packed[at:at + 4][::-1].hex().upper() for at in range(0, len(packed), 4)]
    wanted = {f"{''.join(words)}:{port:04X}", f"{'0' * 8 * len(words)}:{port:04X}"}
    table = "/proc/net/tcp6" if family == socket.AF_INET6 else "/proc/net/tcp"
    with open(table, encoding="ascii") as lines:
        next(lines)
        return any(field[1] in wanted and field[3] == "0A" for field in map(str.split, lines))


def listening_unix(path: pathlib.Path) -> bool:
    """The same for a unix stream socket."""
    with open("/proc/net/unix", encoding="utf-8", errors="replace") as lines:
        return any(field[-1] == str(path) and field[3] == "00010000"
                   for field in map(str.split, lines))


def program(name: str) -> str | None:
    """The path of a program that may stand in an sbin folder, or None."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:{SYSTEM_PATH}")


def new_folder(prefix: str = "mxg-") -> pathlib.Path:
    """A temporary folder that servers running as other users can reach; short, since the
    path of a unix socket has room for 107 bytes."""
    path = pathlib.Path(tempfile.mkdtemp(prefix=prefix))
    path.chmod(0o755)
    return path


@contextlib.contextmanager
def temporary_folder(prefix: str = "mxg-") -> Iterator[pathlib.Path]:
    path = new_folder(prefix)
    try:
        yield path
    finally:
        if not os.environ.get("MXGUARD_KEEP"):
            shutil.rmtree(path, ignore_errors=True)


def with_files(argv: Sequence[str], files: Mapping[str, pathlib.Path]) -> list[str]:
    """ARGV, run in a mount namespace of its own where each path of FILES is ours: a program
    gets its own /etc/resolv.conf without the machine's being touched."""
    if not files:
        return list(argv)
    mounts = [f"mount --bind {shlex.quote(str(ours))} {shlex.quote(path)}"
              for path, ours in files.items()]
    return ["unshare", "-m", "--propagation", "private", "sh", "-c",
            " && ".join([*mounts, 'exec "$@"']), "sh", *argv]


def resolver_file(folder: pathlib.Path, server: str) -> dict[str, pathlib.Path]:
    """For with_files(): SERVER (port 53) answers the program's lookups."""
    path = folder / "resolv.conf"
    path.write_text(f"nameserver {server}\noptions timeout:2 attempts:1\n", encoding="ascii")
    return {"/etc/resolv.conf": path}


class Daemon:
    """One server in the foreground; what it says on stdout and stderr goes to a file."""

    def __init__(self, argv: Sequence[str], output: pathlib.Path,
                 environment: Mapping[str, str] | None = None) -> None:
        self.argv = list(argv)
        self.output = output
        self.environment = dict(environment or {})
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, ready: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
        """Start, and wait until READY() is true; a program that ends before that is a failure."""
        environment = {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:{SYSTEM_PATH}",
                       "LC_ALL": "C.UTF-8", **self.environment}
        with open(self.output, "ab") as log:
            self.process = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, env=environment, start_new_session=True)
        try:
            wait_until(lambda: self._ended() or ready(), what, seconds)
            if self._ended():
                raise AssertionError(f"{self.argv[0]} ended with status {self.process.poll()}")
        except AssertionError as error:
            self.stop()
            raise type(error)(f"{error}\n{self.said()}") from None

    def _ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    @property
    def pid(self) -> int:
        assert self.process is not None, "not started"
        return self.process.pid

    def said(self) -> str:
        return self.output.read_text(encoding="utf-8", errors="replace")[-8000:]

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    @property
    def running(self) -> bool:
        return not self._ended()

    def kill(self) -> None:
        """SIGKILL to the program alone."""
        if self.process and not self._ended():
            self.process.kill()
            self.process.wait(PATIENCE)

    def stop(self, seconds: float = PATIENCE / 2) -> int | None:
        """SIGTERM to the program, SIGKILL to its group if that was not enough; its status."""
        process, self.process = self.process, None
        if process is None:
            return None
        if process.poll() is None:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(seconds)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        return process.wait(seconds)


def run(argv: Sequence[str], *, data: bytes | None = None, seconds: float = PATIENCE,
        check: bool = False, **keywords: object) -> subprocess.CompletedProcess[bytes]:
    """Run a program to its end, with a limit; its output is captured."""
    stdin = {"stdin": subprocess.DEVNULL} if data is None else {"input": data}
    result = subprocess.run(list(argv), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            timeout=seconds, **stdin, **keywords)  # type: ignore[call-overload]
    if check and result.returncode != 0:
        raise AssertionError(f"{argv[0]} ended with status {result.returncode}\n"
                             f"{result.stdout.decode(errors='replace')}"
                             f"{result.stderr.decode(errors='replace')}")
    return result
