# SPDX-License-Identifier: MIT
"""Whom the answers are believed from, who may read them, and what the refresh may do."""
from __future__ import annotations

import json
import socket
import subprocess
import threading

import pytest

from mxg import build
from mxg.dns_script import answer
from mxg.process import program

DOMAIN, GATEWAY = "a@example.test", "192.0.2.10"


def validated(site, yes: bool = True) -> None:
    for key, reply in list(site.dns.script.items()):
        site.dns.set(*key, answer(*reply.data, authenticated=yes))


def test_unvalidated_answers_are_failures(site):
    """The refresh that comes first under require_dnssec does not take over what was not validated."""
    site.refresh()
    assert site.offline(GATEWAY) == "authorized"
    site.configure(dns=site.settings["dns"] | {"require_dnssec": True})
    site.refresh(status=75)
    assert site.offline(GATEWAY) == "unknown"
    assert site.verdict(GATEWAY) == "unknown"


def test_validated_answers_are_kept(site):
    site.configure(dns=site.settings["dns"] | {"require_dnssec": True})
    validated(site)
    site.refresh()
    assert site.offline(GATEWAY) == "authorized"
    validated(site, False)  # the resolver does not validate any more: as if it did not answer
    site.refresh(status=75)
    assert site.offline(GATEWAY) == "authorized"
    assert site.offline("203.0.113.66") == "direct"


@pytest.mark.parametrize("user", [65534, 12345])
def test_deliveries_of_any_user_read_it(site, root, user):
    site.refresh()
    site.dns.stop()
    result = subprocess.run(
        [str(build.command()), "check", "-c", str(site.config), "--peer", GATEWAY, "--rcpt", DOMAIN, "--json"],
        capture_output=True, user=user, group=user, extra_groups=[], timeout=120)
    assert json.loads(result.stdout)["verdict"] == "authorized", result.stderr
    assert result.stderr == b""


class Listener:
    """A server that says nothing: what it hears is (id, source port)."""

    def __enter__(self) -> "Listener":
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.server = f"127.0.0.1:{self.socket.getsockname()[1]}"
        self.heard: list[tuple[int, int]] = []
        self.thread = threading.Thread(target=self.listen)
        self.thread.start()
        return self

    def listen(self) -> None:
        while True:
            query, peer = self.socket.recvfrom(4096)
            if not query:
                return
            self.heard.append((int.from_bytes(query[:2], "big"), peer[1]))

    def __exit__(self, *_: object) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
            end.sendto(b"", self.socket.getsockname())
        self.thread.join()
        self.socket.close()


def test_ids_and_ports_are_random(folder, mxguard_config):
    """An enemy who answers faster than the resolver has to guess both, each time anew."""
    with Listener() as listener:
        config = mxguard_config({"mode": "enforce", "gateways": [{"name": "mx", "allow": "mx"}],
                                 "dns": {"servers": [listener.server], "timeout": "50ms"}})
        for _ in range(20):
            subprocess.run([str(build.command()), "check", "-c", str(config), "--peer", GATEWAY, "--rcpt",
                            DOMAIN], capture_output=True, timeout=120)
    ids, ports = {id for id, _ in listener.heard}, {port for _, port in listener.heard}
    assert len(listener.heard) >= 20
    assert len(ids) >= 19 and len(ports) >= 10, listener.heard
    steps = {b - a for a, b in zip(sorted(ids), sorted(ids)[1:])}
    assert len(steps) > 10  # not one after the other


def test_its_unit_is_hardened():
    unit = build.find("mxguard-refresh.service")
    assert unit
    if program("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not there")
    exposure = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--threshold=20", str(unit)],
                              capture_output=True)
    assert exposure.returncode == 0, exposure.stdout.decode()[-500:] + exposure.stderr.decode()
