# SPDX-License-Identifier: MIT
"""Real DNS servers: NSD with zones of ours, and Unbound, a caching resolver before it."""
from __future__ import annotations

import itertools
import pathlib
import re

from . import dns_client
from .process import Daemon, Server, free_port, program, run, wait_until

HEAD = "$ORIGIN {zone}.\n$TTL {ttl}\n@ IN SOA ns hostmaster {serial} 3600 900 604800 {negative}\n" \
       "@ IN NS ns\nns IN A 127.0.0.1\n"


def _soa_serial(server: tuple[str, int], zone: str) -> int | None:
    try:
        reply = dns_client.ask(server, zone, "SOA", seconds=0.3)
    except (OSError, ValueError):
        return None
    return next((int(str(record.data).split()[2]) for record in reply.answers
                 if record.type == "SOA"), None)


def _nsd_version() -> tuple[int, ...]:
    """Before 4.8 NSD has a database, which has to be switched off."""
    result = run([program("nsd") or "nsd", "-v"])
    found = re.search(rb"version (\d+)\.(\d+)", result.stdout + result.stderr)
    return tuple(map(int, found.groups())) if found else ()


class _Dns(Server):
    """A name server on ADDRESS:PORT, with its files in FOLDER."""

    def __init__(self, folder: pathlib.Path, address: str, port: int, argv: list[str]) -> None:
        name = argv[0]
        path = program(name)
        assert path, f"{name} is not installed"
        self.folder, self.address, self.port = folder, address, port or free_port(address)
        self._daemon = Daemon([path, *argv[1:], "-c", str(folder / f"{name}.conf")], folder / f"{name}.out")

    @property
    def endpoint(self) -> tuple[str, int]:
        return self.address, self.port

    @property
    def server(self) -> str:
        """As the setting dns.servers has it."""
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"

    def stop(self) -> None:
        self._daemon.stop()


class RealDns(_Dns):
    """NSD on ADDRESS:PORT. A zone is text in the form of a zone file, without SOA and NS:

        RealDns(folder, {"example.test": "@ MX 10 mail\\nmail A 192.0.2.1\\n"})
    """

    def __init__(self, folder: pathlib.Path, zones: dict[str, str], address: str = "127.0.0.1",
                 port: int = 0, ttl: int = 60, negative: int = 60) -> None:
        super().__init__(folder, address, port, ["nsd", "-d"])
        self.ttl, self.negative = ttl, negative
        self.zones = dict(zones)
        self._serial = itertools.count(1)
        self._serials: dict[str, int] = {}

    @staticmethod
    def available() -> bool:
        return program("nsd") is not None

    def start(self) -> "RealDns":
        self.folder.mkdir(parents=True, exist_ok=True)
        for zone in self.zones:
            self._write_zone(zone)
        self._write_config()
        self._daemon.start(self._current, f"nsd answers on {self.server}")
        return self

    def set_zone(self, zone: str, text: str) -> None:
        """Change a zone, or add one; returns when the server answers with it."""
        self.zones[zone] = text
        # a restart, not a reload: the old process of a reloading NSD may still answer for a moment
        self.stop()
        self.start()

    def _current(self) -> bool:
        return all(_soa_serial(self.endpoint, zone) == serial
                   for zone, serial in self._serials.items())

    def _write_zone(self, zone: str) -> None:
        self._serials[zone] = next(self._serial)
        head = HEAD.format(zone=zone, ttl=self.ttl, serial=self._serials[zone],
                           negative=self.negative)
        new = self.folder / f"{zone}.new"
        new.write_text(head + self.zones[zone].rstrip("\n") + "\n", encoding="utf-8")
        new.rename(self.folder / f"{zone}.zone")

    def _write_config(self) -> None:
        at = f"{self.address}@{self.port}"
        lines = ["server:", f"  ip-address: {at}", f'  zonesdir: "{self.folder}"',
                 '  username: ""', '  chroot: ""', '  pidfile: ""',
                 *(['  database: ""'] if _nsd_version() < (4, 8) else []),
                 f'  zonelistfile: "{self.folder}/zone.list"',
                 f'  xfrdfile: "{self.folder}/xfrd.state"', f'  xfrdir: "{self.folder}"',
                 "  server-count: 1", "  hide-version: yes", "  rrl-ratelimit: 0",
                 "remote-control:", "  control-enable: no"]
        for zone in self.zones:
            lines += ["zone:", f'  name: "{zone}"', f'  zonefile: "{zone}.zone"']
        (self.folder / "nsd.conf").write_text("\n".join(lines) + "\n", encoding="utf-8")


class CachingDns(_Dns):
    """Unbound, that takes each of ZONES from an authoritative server and keeps the answers."""

    def __init__(self, folder: pathlib.Path, upstream: RealDns, address: str = "127.0.0.1",
                 port: int = 0) -> None:
        super().__init__(folder, address, port, ["unbound", "-d", "-p"])
        self.upstream = upstream

    @staticmethod
    def available() -> bool:
        return program("unbound") is not None

    def start(self) -> "CachingDns":
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "unbound.conf").write_text(self._config(), encoding="utf-8")
        zone = next(iter(self.upstream.zones))
        self._daemon.start(lambda: _soa_serial(self.endpoint, zone), "unbound answers")
        return self

    def follow(self, name: str, kind: str) -> None:
        """Wait until the answer for NAME is the authoritative server's. It counts in whole seconds: an answer with a
        TTL of one second is kept for up to two."""
        def said(endpoint: tuple[str, int]) -> tuple[int, list[str]]:
            reply = dns_client.ask(endpoint, name, kind)
            return reply.rcode, sorted(str(record.data) for record in reply.answers)
        wait_until(lambda: said(self.endpoint) == said(self.upstream.endpoint), f"{name} {kind} as it is now")

    def _config(self) -> str:
        lines = ["server:", f"  interface: {self.address}@{self.port}", '  username: ""',
                 '  chroot: ""', f'  directory: "{self.folder}"', '  pidfile: ""',
                 "  use-syslog: no", "  do-daemonize: no", "  do-not-query-localhost: no",
                 "  access-control: 0.0.0.0/0 allow", "  access-control: ::0/0 allow",
                 '  module-config: "iterator"', "  num-threads: 1", "  so-reuseport: no",
                 '  local-zone: "test." transparent', "  unblock-lan-zones: yes",
                 "remote-control:", "  control-enable: no"]
        for zone in self.upstream.zones:
            lines += ["stub-zone:", f'  name: "{zone}"',
                      f"  stub-addr: {self.upstream.address}@{self.upstream.port}"]
        return "\n".join(lines) + "\n"
