# SPDX-License-Identifier: MIT
"""The examples for docker-mailserver, mailcow and Mailu, and the image's entrypoint: the same configuration, merged as each
of them merges it, in plain processes."""
from __future__ import annotations

import os
import re

import pytest

from mxg import build, smtp
from mxg.dns_script import answer
from mxg.process import Daemon, listening_unix, run, wait_until

CONTRIB = build.ROOT / "contrib"
SMTP = ("192.0.2.1", 25)
GATEWAY, SPAMMER, FRONT = "192.0.2.10", "203.0.113.66", "198.51.100.7"
USER = "user@example.test"

# What stands in their main.cf around it, where it has a say in what happens at RCPT.
OURS = {"smtpd_relay_restrictions": "permit_mynetworks permit_sasl_authenticated defer_unauth_destination",
        "smtpd_delay_reject": "yes", "smtpd_helo_required": "yes", "smtpd_error_sleep_time": "0"}
DMS = {**OURS, "smtpd_recipient_restrictions": "permit_sasl_authenticated, permit_mynetworks, reject_unauth_destination, "
       "reject_unauth_pipelining, reject_invalid_helo_hostname, reject_non_fqdn_helo_hostname",
       "smtpd_client_restrictions": "permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination, reject_unauth_pipelining"}
MAILCOW = {**OURS, "mynetworks": "127.0.0.0/8 [::1]/128 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16", "postscreen_greet_wait": "1s",
           "smtpd_recipient_restrictions": "permit_sasl_authenticated, permit_mynetworks, reject_invalid_helo_hostname, "
           "reject_unauth_destination", "postscreen_upstream_proxy_timeout": "5s", "postscreen_bare_newline_enable": "no"}
MAILU = {**OURS, "mynetworks": "127.0.0.1/32 [::1]/128 198.51.100.0/24", "smtpd_authorized_xclient_hosts": "198.51.100.0/24",
         "smtpd_client_restrictions": "permit_mynetworks, reject_non_fqdn_sender, permit"}
POSTSCREEN = ("192.0.2.1:2525 inet n - n - 1 postscreen\nsmtpd pass - - n - - smtpd\n  -o smtpd_sasl_auth_enable=no\n"
              "dnsblog unix - - n - 0 dnsblog\ntlsproxy unix - - n - 0 tlsproxy\n")


@pytest.fixture
def policy(folder, stack, mxguard_config):
    """The image's entrypoint, with its sockets in FOLDER."""
    config = mxguard_config({"mode": "enforce", "state_dir": "/nonexistent", "domains": ["example.test"],
                             "exempt": ["postmaster@"], "gateways": ({"name": "filters", "allow": f"ip4:{GATEWAY}"},)})
    environment = {"PATH": f"{build.command().parent}:{os.environ['PATH']}", "MXGUARD_SOCKETS": str(folder)}
    daemon = Daemon([str(CONTRIB / "container" / "entrypoint"), "policy", "-c", str(config)], folder / "policy.log", environment)
    daemon.start(lambda: listening_unix(folder / "policy"), "the entrypoint serves")
    stack.callback(daemon.stop)
    return folder / "policy"


def overrides(name, policy) -> str:
    """A kit's lines, with the socket of this test."""
    text = (CONTRIB / name).read_text()
    assert text.count("unix:/run/mxguard/policy") == 1
    return text.replace("/run/mxguard/policy", str(policy))


def append(mta, text: str) -> None:
    path = mta.config / "main.cf"
    path.write_text(path.read_text() + text)
    os.utime(path, (0, 0))
    mta.read_again()


def rcpt(source, rcpts=(USER,), server=SMTP, **xclient):
    with smtp.Client(server, source=source, lmtp=False) as client:
        client.greet()
        if xclient:
            assert client.xclient(**xclient).code == 220
            client.hello()
        client.mail("a@sender.example")
        return [client.rcpt(each).code for each in rcpts]


def decides(server=SMTP, sources=((GATEWAY, {}), (SPAMMER, {}))):
    (gateway, with_gateway), (spammer, with_spammer) = sources
    assert rcpt(gateway, server=server, **with_gateway) == [250]
    assert rcpt(spammer, (USER, "postmaster@example.test", "a@elsewhere.example"), server, **with_spammer) == [550, 250, 554]


def test_docker_mailserver(policy, postfix):
    mta = postfix(main=DMS)
    assert rcpt(SPAMMER) == [250]
    append(mta, overrides("docker-mailserver/postfix-main.cf", policy))
    normal = mta.command("postconf", "-n").stdout.decode()  # as it writes main.cf anew
    (mta.config / "main.cf").write_text(normal)
    os.utime(mta.config / "main.cf", (0, 0))
    mta.read_again()
    decides()


def test_mailcow(policy, postfix):
    """Behind postscreen, as there."""
    mta = postfix(main=MAILCOW, services=POSTSCREEN)
    append(mta, overrides("mailcow/extra.cf", policy))
    decides(("192.0.2.1", 2525))


def test_mailu(policy, postfix):
    """By its front, which tells the client by XCLIENT."""
    mta = postfix(main=MAILU)
    for line in overrides("mailu/postfix.cf", policy).splitlines():
        if line and not line.startswith("#"):
            done = run(["sh", "-c", f'postconf -c {mta.config} -e "{line}"'])
            assert done.returncode == 0, done.stderr
    os.utime(mta.config / "main.cf", (0, 0))
    mta.read_again()
    decides(sources=((FRONT, {"ADDR": GATEWAY, "NAME": "gw.example"}), (FRONT, {"ADDR": SPAMMER, "NAME": "x.example"})))


@pytest.mark.parametrize("name,server", [("docker-mailserver/compose.override.yaml", "mailserver"),
                                         ("mailcow/docker-compose.override.yml", "postfix-mailcow"),
                                         ("mailu/docker-compose.override.yml", "smtp")])
def test_compose(name, server):
    yaml = pytest.importorskip("yaml")
    found = yaml.safe_load((CONTRIB / name).read_text())
    services = found["services"]
    assert services[server] == {"volumes": ["mxguard-run:/run/mxguard"]}
    assert "mxguard-run:/run/mxguard" in services["mxguard"]["volumes"]
    named = {each.split(":")[0] for service in services.values() for each in service["volumes"] if not each.startswith(".")}
    assert named == set(found["volumes"])
    entrypoint = (CONTRIB / "container" / "entrypoint").read_text()
    for service in ("mxguard", "mxguard-refresh"):
        assert re.search(rf"^  (policy \| )?{services[service]['command']}", entrypoint, re.M)


def test_the_entrypoint_refreshes_again_and_again(folder, stack, scripted_dns, mxguard_config):
    scripted_dns.set("example.test", "MX", answer("10 gw.example.test."))
    scripted_dns.set("gw.example.test", "A", answer(GATEWAY))
    config = mxguard_config({"state_dir": str(folder / "state"), "domains": ["example.test"],
                             "dns": {"servers": [scripted_dns.server], "timeout": "20s"}, "gateways": ({"name": "mx", "allow": "mx"},)})
    environment = {"PATH": f"{build.command().parent}:{os.environ['PATH']}", "MXGUARD_INTERVAL": "0.2"}
    daemon = Daemon([str(CONTRIB / "container" / "entrypoint"), "refresh", "-c", str(config)], folder / "refresh.log", environment)
    daemon.start(lambda: (folder / "state" / "snapshot.cdb").exists(), "a snapshot")
    stack.callback(daemon.stop)
    first = (folder / "state" / "snapshot.cdb").stat().st_mtime_ns
    wait_until(lambda: (folder / "state" / "snapshot.cdb").stat().st_mtime_ns != first, "another snapshot")
    assert daemon.stop() == 0
