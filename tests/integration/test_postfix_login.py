# SPDX-License-Identifier: MIT
"""What Postfix writes of a client that has logged in, with and without smtpd_sasl_authenticated_header, and what is
read of it."""
import json

import pytest

from mxg import postfix as postfix_config
from mxg import smtp
from mxg.mxguard import check
from mxg.process import wait_until

FRONT, ROAD, USER = "198.51.100.30", "203.0.113.66", "user@example.test"


def by_auth(client):
    client.greet()
    assert client.auth_plain(USER, "secret").code == 235


def by_a_front(client):
    client.greet()
    assert client.xclient(ADDR=ROAD, NAME="road.example", LOGIN=USER).code == 220
    client.hello()


def after_helo(client):
    """RFC 3848 has a word for a login in ESMTP alone."""
    assert client.reply().ok and client.command("HELO road.example").code == 250
    assert client.auth_plain(USER, "secret").code == 235


def nobody(client):
    client.greet()


def queued(mta, number):
    entries = mta.command("postqueue", "-j").stdout.decode().splitlines()
    return entries if len(entries) == number else None


@pytest.mark.parametrize("named", ["yes", "no"])
def test_a_login_is_told(postfix, dovecot, mxguard_config, folder, named):
    config = mxguard_config({"mode": "enforce", "domains": ["example.test"],
                             "trace": {"mta": ["postfix"], "by": ["mail.example.test"]},
                             "gateways": [{"name": "gw", "allow": "ip4:192.0.2.10"}]})
    mta = postfix(main={**postfix_config.sasl_by(dovecot(lmtp=[]).auth_socket),
                        "smtpd_sasl_authenticated_header": named, "smtpd_authorized_xclient_hosts": FRONT,
                        "virtual_transport": "virtual", "defer_transports": "virtual"})
    known = set()
    for number, (login, parameters, source, protocol, verdict) in enumerate((
            (by_auth, (), ROAD, "ESMTPA", "authenticated"),
            (by_auth, ("SMTPUTF8",), ROAD, "UTF8SMTPA", "authenticated"),
            (by_a_front, (), FRONT, "ESMTPA", "authenticated"), (nobody, (), ROAD, "ESMTP", "direct"),
            (after_helo, (), ROAD, "SMTP", "authenticated" if named == "yes" else "direct")), 1):
        with smtp.Client(("192.0.2.1", 25), source=source, lmtp=False) as client:
            login(client)
            client.mail(USER, *parameters)
            assert client.rcpt(USER).code == 250 and client.data(smtp.message())[USER].code == 250
        entries = wait_until(lambda: queued(mta, number), "it is queued")  # pylint: disable=cell-var-from-loop
        new, = {json.loads(line)["queue_id"] for line in entries} - known
        known.add(new)
        header = mta.command("postcat", "-q", "-h", new).stdout
        header = header[header.index(b"Received:"):]
        assert f"(Postfix) with {protocol} id".encode() in header, header
        assert (b"(Authenticated sender: " in header) == (named == "yes" and login is not nobody), header
        (folder / "message").write_bytes(header + b"\n")
        assert check(config, peer="", rcpt=USER, message=folder / "message")["verdict"] == verdict, header
