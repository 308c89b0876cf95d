# SPDX-License-Identifier: MIT
"""Real servers that serve a zone file as it is: NSD as primary or secondary, and rbldnsd."""
from __future__ import annotations

import os
import pathlib
import signal
import socket
from collections.abc import Sequence

from . import dns_wire
from .dns_real import _nsd_version, _soa_serial
from .process import PATIENCE, Daemon, free_port, program


class ZoneServer:
    """What they have in common."""

    def __init__(self, folder: pathlib.Path, zone: str, port: int = 0) -> None:
        self.folder, self.zone, self.port = folder, zone, port or free_port()
        folder.mkdir(parents=True, exist_ok=True)
        self._daemon: Daemon | None = None

    address = "127.0.0.1"

    @property
    def endpoint(self) -> tuple[str, int]:
        return self.address, self.port

    @property
    def server(self) -> str:
        """As the setting dns.servers has it."""
        return f"127.0.0.1:{self.port}"

    @property
    def zones(self) -> list[str]:
        return [self.zone]

    def serial(self) -> int | None:
        return _soa_serial(self.endpoint, self.zone)

    def has(self, names: Sequence[str]) -> list[bool]:
        """Whether each of NAMES, in the zone, is an answer. Many questions are out at a time."""
        found: dict[int, bool] = {}
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(PATIENCE)
            sock.connect(self.endpoint)
            for start in range(0, len(names), 32):
                some = range(start, min(start + 32, len(names)))
                for number in some:
                    sock.send(dns_wire.encode_query(number, f"{names[number]}.{self.zone}", "A", True))
                for _ in some:
                    reply = dns_wire.decode(sock.recv(65535))
                    data = [str(record.data) for record in reply.answers]
                    assert data in ([], ["127.0.0.2"]) and reply.rcode in (0, 3), (names[reply.id], reply)
                    found[reply.id] = bool(data)
        return [found[number] for number in range(len(names))]

    def reload(self) -> None:
        self._daemon.signal(signal.SIGHUP)

    def __exit__(self, *_: object) -> None:
        self._daemon.stop()


class Nsd(ZoneServer):
    """FILE: the zone file of a primary. Without: a secondary, whose zone comes from elsewhere. LINES: more in the zone's
    clause of nsd.conf."""

    def __init__(self, folder: pathlib.Path, zone: str, file: pathlib.Path | None = None, lines: tuple[str, ...] = (),
                 port: int = 0) -> None:
        super().__init__(folder, zone, port)
        self.file, self.lines = file, lines
        self._daemon = Daemon([program("nsd") or "nsd", "-d", "-c", str(folder / "nsd.conf")], folder / "nsd.out")

    @staticmethod
    def available() -> bool:
        return program("nsd") is not None

    def __enter__(self) -> "Nsd":
        (self.folder / "nsd.conf").write_text("\n".join([
            "server:", f"  ip-address: 127.0.0.1@{self.port}", f'  zonesdir: "{self.folder}"', '  username: ""',
            '  chroot: ""', '  pidfile: ""', *(['  database: ""'] if _nsd_version() < (4, 8) else []),
            f'  zonelistfile: "{self.folder}/zone.list"', f'  xfrdfile: "{self.folder}/xfrd.state"',
            f'  xfrdir: "{self.folder}"', "  server-count: 1", "  rrl-ratelimit: 0", "  xfrd-reload-timeout: 0",
            "remote-control:", "  control-enable: no", "zone:", f'  name: "{self.zone}"',
            f'  zonefile: "{self.file or self.folder / "got.zone"}"', *(f"  {each}" for each in self.lines)]) + "\n")
        self._daemon.start(lambda: self.serial() is not None, f"NSD has the zone {self.zone}")
        return self


class Rbldnsd(ZoneServer):
    """FILE is a combined data set. It looks at the file again each second."""

    def __init__(self, folder: pathlib.Path, zone: str, file: pathlib.Path, port: int = 0) -> None:
        super().__init__(folder, zone, port)
        user = ["-u", "rbldns"] if os.geteuid() == 0 else []
        self._daemon = Daemon([program("rbldnsd") or "rbldnsd", "-n", *user, "-b", f"127.0.0.1/{self.port}", "-c", "1s",
                               f"{zone}:combined:{file}"], folder / "rbldnsd.out")

    @staticmethod
    def available() -> bool:
        return program("rbldnsd") is not None

    def __enter__(self) -> "Rbldnsd":
        self._daemon.start(lambda: self.serial() is not None, f"rbldnsd has the zone {self.zone}")
        return self
