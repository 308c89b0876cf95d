# SPDX-License-Identifier: MIT
"""A site whose gateways `mxguard refresh` keeps: configuration, scripted DNS, state directory."""
from __future__ import annotations

import json
import pathlib

from .dns_script import ScriptedDns, servfail
from .mxguard import check, mxguard

RECORD = "v=spf1 ip4:198.51.100.0/25 include:more.filter.test -all"


class Site:
    """A configuration, its DNS and its state directory."""

    def __init__(self, folder: pathlib.Path, dns: ScriptedDns, write_config) -> None:
        self.folder, self.dns, self.write_config = folder, dns, write_config
        self.state = folder / "state"
        self.state.mkdir(mode=0o755)
        self.settings = {
            "mode": "enforce", "domains": ["example.test", "other.test"],
            "gateways": [{"name": "mx", "allow": "mx"},
                         {"name": "filter", "allow": "include:_spf.filter.test"}],
            "dns": {"servers": [dns.server], "timeout": "20s"}, "state_dir": str(self.state)}
        dns.update({
            ("example.test", "MX"): "10 gw.example.test", ("other.test", "MX"): "10 gw.example.test",
            ("gw.example.test", "A"): "192.0.2.10", ("gw.example.test", "AAAA"): "2001:db8::10",
            ("_spf.filter.test", "TXT"): RECORD,
            ("more.filter.test", "TXT"): "v=spf1 ip4:203.0.113.8 ~all"})
        self.configure()

    def waits(self, seconds: int) -> None:
        """How long for DNS: less where it is to say nothing."""
        self.configure(dns={**self.settings["dns"], "timeout": f"{seconds}s"})

    def configure(site, /, **changes) -> None:
        site.settings.update(changes)
        site.config = site.write_config(site.settings)

    @property
    def snapshot(self) -> pathlib.Path:
        return self.state / "snapshot.cdb"

    def refresh(self, *arguments: str, status: int = 0, **keywords) -> dict:
        result = mxguard("refresh", "-c", self.config, "--json", *arguments, **keywords)
        assert result.returncode == status, (result.stdout + result.stderr).decode()
        return json.loads(result.stdout) if result.stdout.strip() else {}

    def verdict(self, peer: str, **keywords) -> str:
        return check(self.config, peer=peer, rcpt="a@example.test", **keywords)["verdict"]

    def offline(self, peer: str) -> str:
        """The verdict while no question is answered."""
        script, self.dns.script = self.dns.script, {}
        self.dns.default = servfail()
        try:
            return self.verdict(peer)
        finally:
            self.dns.script = script
