# SPDX-License-Identifier: MIT
"""What docs/design.md says of a message, by place: the one table that every front end is held against. It is written by
hand from "The decision" and "Action", never from what a front end has said."""
from __future__ import annotations

from dataclasses import dataclass
from email.utils import formatdate
from typing import Any

from .dns_script import ScriptedDns, answer, nodata, servfail, timeout
from .hidden import HIDDEN, OURS

GATEWAY, MX, OLD_MX, SECOND_MX = "192.0.2.10", "192.0.2.20", "192.0.2.21", "192.0.2.22"
SPAMMER, SHARED, RELAY, CLOUD, PROXY = ("203.0.113.66", "198.51.100.7", "198.51.100.20", "198.51.100.8", "198.51.100.30")
SELF, NAME = "198.51.100.1", "mail.filter.example"
USER = "user@example.test"
TOKEN = "X-Gateway-Token: open-sesame\n"
THEIRS = "Authentication-Results: other.example; spf=pass\n"
FORGED = f"{OURS}\n{THEIRS}{OURS.upper()}\n"
"""Below the header of each row."""
NOW = formatdate()
HOP = f"\tby {{by}} (Postfix) with {{protocol}} id 4XyZ12345Nz1\n\tfor <user@example.test>; {NOW} (UTC)\n"
FOREIGN = ("foreign.example",)
BLOCKS: tuple[dict[str, Any], ...] = (
    {"domains": ["mon.example"], "mode": "monitor"}, {"domains": ["off.example"], "mode": "off"},
    {"domains": ["late.example"], "on_direct": "defer", "on_direct_queued": "defer"},
    {"domains": ["junk.example"], "on_direct": "quarantine"},
    {"domains": ["tagged.example"], "on_direct": "tag", "on_direct_queued": "tag"},
    {"domains": ["bounce.example"], "on_direct_queued": "reject"},
    {"domains": ["kind.example"], "on_unreadable": "accept"},
    {"domains": ["wide.example"], "gateways": ({"name": "wide", "allow": "include:_spf.wide.example"},)},
    {"domains": ["none.example"], "gateways": ({"name": "mx", "allow": "mx"},)},
    {"domains": ["alone.example"], "gateways": ({"name": "alone", "certificate": {"subject": NAME, "verified": True}},)},
    {"domains": ["bound.example"], "gateways": ({"name": "bound", "allow": f"ip4:{CLOUD}",
                                                 "certificate": {"subject": NAME, "verified": True}},)})
OWN = ("example.test", "second.example", "self.example", "dead.example", "failing.example", "kept.example", "stale.example",
       "moved.example")
DOMAINS = (*OWN, *(each["domains"][0] for each in BLOCKS), *FOREIGN)


def settings(dns: ScriptedDns, state: str) -> dict[str, Any]:
    return {"mode": "enforce", "self": [SELF], "state_dir": state, "authserv_id": "mxguard.example.test",
            "exempt": ["postmaster@"], "internal": [RELAY, PROXY], "domains": list(OWN),
            "gateways": ({"name": "filters", "allow": f"ip4:{GATEWAY}"},
                         {"name": "shared", "allow": f"ip4:{SHARED}",
                          "header": {"name": "X-Gateway-Token", "value": "open-sesame"}},
                         {"name": "mx", "allow": "mx"}),
            "trace": {"mta": ["postfix", "sendmail", "opensmtpd"], "by": ["relay.example.test", "mail.example.test"]},
            "dns": {"servers": [dns.server], "timeout": "4s"}, "policies": BLOCKS}


def before_the_move(dns: ScriptedDns) -> None:
    """What refresh finds at first."""
    dns.update({(f"{domain}.example", "MX"): answer(f"10 gw.{domain}.example", ttl=ttl)
                for domain, ttl in (("kept", 86400), ("stale", 1), ("second", 86400))})
    dns.update({("example.test", "MX"): "10 gw.kept.example", ("moved.example", "MX"): answer("10 old.moved.example", ttl=1),
                ("gw.kept.example", "A"): answer(MX, ttl=86400), ("gw.stale.example", "A"): answer(MX, ttl=1),
                ("gw.second.example", "A"): answer(SECOND_MX, ttl=86400), ("old.moved.example", "A"): answer(OLD_MX, ttl=1),
                ("self.example", "MX"): "10 me.example", ("me.example", "A"): SELF,
                ("dead.example", "MX"): servfail(), ("failing.example", "MX"): servfail()})
    dns.update({(each["domains"][0], "MX"): "10 gw.second.example" for each in BLOCKS if "gateways" not in each})
    dns.update({("none.example", "MX"): nodata(), ("none.example", "A"): nodata(), ("none.example", "AAAA"): nodata(),
                ("_spf.wide.example", "TXT"): "v=spf1 +all"})
    for host in ("gw.kept", "gw.stale", "gw.second", "old.moved", "gw.moved", "me"):
        dns.set(f"{host}.example", "AAAA", nodata())


def after_the_move(dns: ScriptedDns) -> None:
    dns.update({("moved.example", "MX"): answer("10 gw.moved.example", ttl=86400),
                ("gw.moved.example", "A"): answer(MX, ttl=86400)})


def from_now_on(dns: ScriptedDns) -> None:
    """What deliveries find: of some names only the snapshot knows."""
    for domain in ("kept", "stale", "moved"):
        dns.update({(f"{domain}.example", "MX"): timeout(), (f"gw.{domain}.example", "A"): timeout(),
                    (f"old.{domain}.example", "A"): timeout()})
    dns.update({("dead.example", "MX"): timeout(), ("foreign.example", "MX"): "10 spam.foreign.example",
                ("spam.foreign.example", "A"): SPAMMER})


def received(client: str, by: str = "relay.example.test", protocol: str = "ESMTP", login: str = "") -> str:
    return f"Received: from client.example (unknown [{client}])\n{login}{HOP.format(by=by, protocol=protocol)}"


@dataclass(frozen=True)
class Row:
    name: str
    peer: str
    recipient: str
    header: str
    verdict: str
    reason: str
    door: str
    queued: str
    would: str = "-"             # at the door; "-" behind a queue only where it is "-" here
    login: bool = False
    certificate: str | None = None  # of those that the test has issued; "": TLS without one
    body: str = "Hello.\n"
    untraced: bool = False       # there is no Received field but what our own MTA writes
    by_certificate: bool = False  # only who is told certificates can tell

    @property
    def rests_on_header(self) -> bool:
        """The peer and the envelope do not decide it."""
        return self.peer in (RELAY, SHARED) and self.verdict != "exempt"


def row(name: str, peer: str, recipient: str, header: str, verdict: str, reason: str, actions: str, **more: Any) -> Row:
    """ACTIONS: at the door, and queued."""
    door, queued = actions.split()
    return Row(name, peer, recipient, header, verdict, reason, door, queued, **more)


ACCEPT, DIRECT, LASTING, TROUBLE = "accept accept", "reject quarantine", "defer quarantine", "defer defer"
"""By default: see "Action"."""
STRANGER, MATCH = ("direct", "peer-not-a-gateway"), ("authorized", "gateway-match")
PICKUP = f"Received: by relay.example.test (Postfix, from userid 1000)\n\tid 4XyZ12345Nz1; {NOW} (UTC)\n"
TWO = received(f"{SPAMMER}] [{GATEWAY}")
AUTHENTICATED = received(SPAMMER, protocol="ESMTPSA", login="\t(Authenticated sender: user@example.test)\n")

ROWS = [
    # peers
    row("gateway", GATEWAY, USER, "", *MATCH, ACCEPT),
    row("mx", MX, USER, "", *MATCH, ACCEPT),
    row("spammer", SPAMMER, USER, "", *STRANGER, DIRECT),
    row("forged-trace", SPAMMER, USER, received(GATEWAY), *STRANGER, DIRECT),
    row("relay-gateway", RELAY, USER, received(GATEWAY), *MATCH, ACCEPT),
    row("relay-spammer", RELAY, USER, received(SPAMMER), *STRANGER, DIRECT),
    row("relay-forged", RELAY, USER, received(SPAMMER) + received(GATEWAY), *STRANGER, DIRECT),
    row("relay-untraced", RELAY, USER, "", "unknown", "no-field-below-internal", LASTING, untraced=True),
    row("relay-stranger", RELAY, USER, received(GATEWAY, by="relay.example.net"), "unknown", "field-not-ours", LASTING),
    row("relay-unreadable", RELAY, USER, TWO, "unknown", "field-unreadable", LASTING),
    row("relay-login", RELAY, USER, AUTHENTICATED, "authenticated", "trace-login", ACCEPT),
    row("relay-pickup", RELAY, USER, PICKUP, "internal", "local-origin", ACCEPT),
    row("login", SPAMMER, USER, "", "authenticated", "login", ACCEPT, login=True),
    # the secret of a shared gateway
    row("token", SHARED, USER, TOKEN, *MATCH, ACCEPT),
    row("token-missing", SHARED, USER, "", "direct", "token-missing", DIRECT),
    row("token-wrong", SHARED, USER, "X-Gateway-Token: other-customer\n", "direct", "token-missing", DIRECT),
    row("token-in-body", SHARED, USER, "", "direct", "token-missing", DIRECT, body=TOKEN),
    row("token-stranger", SPAMMER, USER, TOKEN, *STRANGER, DIRECT),
    row("relay-token", RELAY, USER, received(SHARED) + TOKEN, *MATCH, ACCEPT),
    row("relay-token-missing", RELAY, USER, received(SHARED), "direct", "token-missing", DIRECT),
    # recipients and policies
    row("exempt", SPAMMER, "postmaster@example.test", "", "exempt", "recipient-exempt", ACCEPT),
    row("exempt-relay", RELAY, "postmaster@example.test", received(SPAMMER), "exempt", "recipient-exempt", ACCEPT),
    row("off", SPAMMER, "user@off.example", "", "exempt", "mode-off", ACCEPT),
    row("monitor", SPAMMER, "user@mon.example", "", *STRANGER, ACCEPT, would=DIRECT),
    row("late", SPAMMER, "user@late.example", "", *STRANGER, "defer defer"),
    row("junk", SPAMMER, "user@junk.example", "", *STRANGER, "quarantine quarantine"),
    row("tagged", SPAMMER, "user@tagged.example", "", *STRANGER, "tag tag"),
    row("bounce", SPAMMER, "user@bounce.example", "", *STRANGER, "reject reject"),
    row("kind", RELAY, "user@kind.example", TWO, "unknown", "field-unreadable", "accept accept"),
    row("self", SPAMMER, "user@self.example", "", "exempt", "mx-is-self", ACCEPT),
    row("foreign", SPAMMER, "user@foreign.example", "", "unknown", "foreign-domain", LASTING),
    row("foreign-gateway", GATEWAY, "user@foreign.example", "", *MATCH, ACCEPT),
    row("second", SECOND_MX, "alias@second.example", "", *MATCH, ACCEPT),  # an alias of USER's
    row("second-not", SECOND_MX, USER, "", *STRANGER, DIRECT),
    row("second-spammer", SPAMMER, "alias@second.example", "", *STRANGER, DIRECT),
    # DNS and snapshot
    row("dead", SPAMMER, "user@dead.example", "", "unknown", "dns-timeout", TROUBLE),
    row("dead-gateway", GATEWAY, "user@dead.example", "", *MATCH, ACCEPT),
    row("dead-relay", RELAY, "user@dead.example", received(SPAMMER), "unknown", "dns-timeout", TROUBLE),
    row("failing", SPAMMER, "user@failing.example", "", "unknown", "dns-servfail", TROUBLE),
    row("wide", SPAMMER, "user@wide.example", "", "unknown", "record-too-wide", TROUBLE),
    row("none", SPAMMER, "user@none.example", "", "unknown", "no-gateway-published", TROUBLE),
    row("kept", MX, "user@kept.example", "", *MATCH, ACCEPT),
    row("kept-spammer", SPAMMER, "user@kept.example", "", *STRANGER, DIRECT),
    row("stale", MX, "user@stale.example", "", "authorized", "gateway-match-stale", ACCEPT),
    row("stale-spammer", SPAMMER, "user@stale.example", "", "unknown", "stale-unconfirmed", TROUBLE),
    row("moved", MX, "user@moved.example", "", *MATCH, ACCEPT),
    row("moved-grace", OLD_MX, "user@moved.example", "", "authorized", "gateway-match-grace", ACCEPT),
    row("moved-settle", SPAMMER, "user@moved.example", "", *STRANGER, "defer quarantine"),
    row("moved-relay", RELAY, "user@moved.example", received(SPAMMER), *STRANGER, "defer quarantine"),
    # certificates
    row("certified", SPAMMER, "user@alone.example", "", *MATCH, ACCEPT, certificate="gateway", by_certificate=True),
    row("certified-not", SPAMMER, "user@alone.example", "", *STRANGER, DIRECT, certificate="customer", by_certificate=True),
    row("certified-forged", SPAMMER, "user@alone.example", "", *STRANGER, DIRECT, certificate="forged", by_certificate=True),
    row("no-certificate", SPAMMER, "user@alone.example", "", *STRANGER, DIRECT, by_certificate=True),
    row("bound", CLOUD, "user@bound.example", "", *MATCH, ACCEPT, certificate="gateway", by_certificate=True),
    row("bound-not", CLOUD, "user@bound.example", "", "direct", "certificate-missing", DIRECT, by_certificate=True),
    row("bound-stranger", SPAMMER, "user@bound.example", "", *STRANGER, DIRECT),
    # fields that some readers see
    *(row(f"hidden-{name}", GATEWAY, USER, field, *MATCH, ACCEPT) for name, field in HIDDEN.items()),
]
