# SPDX-License-Identifier: MIT
"""Who handed the message to the gateway: real gateways of one and two hosts, with and without a content filter, in
front of a real Postfix whose mailboxes are guarded; honest clients, and such that forge what a gateway writes.

MXGUARD_ORIGINS=FILE: all messages go there, with what is true of them, for tests/bench/compare_origin.py."""
from __future__ import annotations

import json
import os
import re
import shutil

import pytest

from mxg import build, smtp
from mxg import postfix as postfix_config
from mxg.amavis import Amavis
from mxg.mxguard import check, mxguard
from mxg.process import run
from test_lda_mta import Boxes, settings

US, FIRST, SECOND = "192.0.2.1", "192.0.2.11", "192.0.2.10"
USER = "user@example.test"
NAMES = {FIRST: "gw1.gateway.example", SECOND: "gw2.gateway.example"}
CLIENTS = ("203.0.113.66", "198.51.100.7")


def forged(address: str, by: str, name: str = "mx.bank.example") -> str:
    return f"Received: from {name} ({name} [{address}])\n\tby {by} (Postfix) with ESMTPS id 4F\n" \
           f"\tfor <{USER}>; Mon, 02 Nov 2026 10:00:00 +0000 (UTC)\n"


LOOPED = "Received: from localhost (localhost [127.0.0.1])\n\tby gw2.gateway.example (Postfix) with ESMTP id 4G\n" \
         f"\tfor <{USER}>; Mon, 02 Nov 2026 10:00:01 +0000 (UTC)\n"
# (HELO, header in front of the message)
TRICKS = {
    "honest": ("mx.sender.example", ""),
    "honest with a trace": ("mx.sender.example", forged("192.168.1.7", "mx.sender.example", "desk.sender.example")),
    "calls itself the gateway": (NAMES[SECOND], ""),
    "literal of the gateway": (f"[{SECOND}]", ""),
    "forged one field": ("mx.sender.example", forged("198.51.100.99", NAMES[SECOND])),
    "forged a chain": (NAMES[FIRST], forged(FIRST, NAMES[SECOND], NAMES[FIRST]) + forged("198.51.100.99", NAMES[FIRST])),
    "forged a filter": (NAMES[SECOND], LOOPED + forged("198.51.100.99", NAMES[SECOND])),
    "forged us": ("mx.sender.example", forged(SECOND, "mail.example.test", NAMES[SECOND])
                  + forged("198.51.100.99", NAMES[SECOND])),
    "phished": ("mx.bank.example", forged("198.51.100.99", "mx.bank.example")),
}


@pytest.fixture
def hosts(network, root, stack):
    """Postfix only listens on addresses that an interface has."""
    for address in NAMES:
        run(["ip", "addr", "add", f"{address}/32", "dev", "lo"], check=True)
        stack.callback(run, ["ip", "addr", "del", f"{address}/32", "dev", "lo"])


@pytest.fixture
def mailbox(hosts, postfix, mxguard_config, folder):
    """The mailbox server's configuration, and what arrives in its mailbox."""
    box, script = folder / "kept", folder / "keep"
    box.mkdir()
    shutil.chown(box, "nobody", "nogroup")
    script.write_text(f'#!/bin/sh\nmkdir -p "{box}/$1" && cat >"{box}/$1/.$$" && mv "{box}/$1/.$$" "{box}/$1/$$"\n')
    script.chmod(0o755)
    config = mxguard_config(settings(
        gateways=({"name": "filters", "allow": f"ip4:{FIRST} ip4:{SECOND}"},), trace={"by": ["mail.example.test"]},
        origin={"by": [".gateway.example"], "tag": True}))
    postfix(main={"virtual_transport": "guarded", "inet_interfaces": US, "smtp_bind_address": US},
            smtpd=[(US, 25, {})],
            services=postfix_config.pipe_service(
                "guarded", f"{build.wrapper()} -c {config} --peer=${{client_address}} --helo=${{client_helo}} "
                           f"--from=${{sender}} --rcpt=${{recipient}} -- {script} %{{mailbox}}", more="null_sender="))
    return config, Boxes(lambda name: [file.read_bytes() for file in sorted((box / name).glob("[0-9]*"),
                                                                            key=lambda each: each.stat().st_mtime_ns)])


def relay(postfix, address, to, filtered=False):
    """A host of the gateway that runs Postfix."""
    back = [("127.0.0.1", 10025, {"content_filter": "", "mynetworks": "127.0.0.0/8"})] if filtered else []
    postfix(main={"myhostname": NAMES[address], "inet_interfaces": address + (", 127.0.0.1" if filtered else ""),
                  "smtp_bind_address": address, "virtual_mailbox_domains": "", "relay_domains": "example.test",
                  "mynetworks": "192.0.2.8/29", "relay_transport": f"smtp:[{to}]:25", "smtp_dns_support_level": "disabled"},
            smtpd=[(address, 25, {"content_filter": "toamavis:[127.0.0.1]:10024"} if filtered else {}), *back],
            services="toamavis unix - - n - 2 smtp\n  -o smtp_bind_address=127.0.0.1\n")


@pytest.fixture(params=["postfix", "two hosts", "amavis", "exim"])
def gateway(request, postfix, mailbox, folder, stack):
    """-> the address that clients connect to; the gateway hands on to the mailbox server."""
    if request.param == "exim":
        exim = request.getfixturevalue("exim")
        exim(address=SECOND, hostname=NAMES[SECOND], domains="", main="helo_accept_junk_hosts = *\n",
             acl="acl_check_rcpt:\n  accept\n",
             routers=f"on:\n  driver = manualroute\n  route_list = * {US}\n  self = send\n  transport = on\n",
             transports=f"on:\n  driver = smtp\n  interface = {SECOND}\n  allow_localhost\n  hosts_try_fastopen =\n")
        return SECOND
    if request.param == "amavis":
        if not Amavis.available():
            pytest.skip("amavisd-new is not installed")
        stack.enter_context(Amavis(folder / "amavis", hostname=NAMES[SECOND]))
    relay(postfix, SECOND, US, filtered=request.param == "amavis")
    if request.param != "two hosts":
        return SECOND
    relay(postfix, FIRST, SECOND)
    return FIRST


def told(message: bytes) -> str | None:
    """What the field on top of the message says."""
    top = re.match(rb"Authentication-Results: .*?\n(?=[^ \t])", message.replace(b"\r", b""), re.S)
    found = top and re.search(rb'smtp\.remote-ip="([^"]*)"', top[0])
    return found[1].decode() if found else None


def keep(message: bytes, trick: str, gateway: str, source: str) -> None:
    if "MXGUARD_ORIGINS" in os.environ:
        headers = re.sub(rb"\AAuthentication-Results: .*?\n(?=[^ \t])", b"", message.replace(b"\r", b""), flags=re.S)
        with open(os.environ["MXGUARD_ORIGINS"], "a", encoding="utf-8") as file:
            file.write(json.dumps({"id": f"{gateway} {trick} {source}", "headers": headers.decode("latin-1"),
                                   "origin": source}) + "\n")


def test_chains(gateway, mailbox, folder, request):
    config, boxes = mailbox
    count = 0
    for trick, (helo, header) in TRICKS.items():
        for source in CLIENTS:
            done = smtp.deliver((gateway, 25), USER, smtp.message(subject=trick, header=header), lmtp=False,
                                source=source, helo=helo)
            assert done.final(USER).code == 250, (trick, done.final(USER))
            count += 1
            message = boxes.wait("INBOX", count)[-1]
            assert told(message) == source, (trick, message.decode("latin-1"))
            keep(message, trick, request.node.name, source)
    assert not boxes["Junk"]
    (folder / "message").write_bytes(message)
    outcome = check(config, peer="", rcpt=USER, message=folder / "message")
    assert (outcome["verdict"], outcome["origin"]["address"], outcome["origin"]["helo"]) == ("authorized", source, helo)
    traced = json.loads(mxguard("trace", "-c", config, "--json", "--rcpt", USER, folder / "message").stdout)
    assert traced["origin"] == outcome["origin"]


def test_past_the_gateway(mailbox):
    """Who comes past the gateway has no origin, whatever he writes."""
    _, boxes = mailbox
    header = TRICKS["forged a chain"][1]
    assert smtp.deliver((US, 25), USER, smtp.message(subject="x", header=header), lmtp=False,
                        source=CLIENTS[0]).final(USER).ok
    message, = boxes.wait("Junk", 1)
    assert b"x-mxguard=fail" in message and told(message) is None
