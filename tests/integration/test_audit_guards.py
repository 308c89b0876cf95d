# SPDX-License-Identifier: MIT
"""mxguard audit with real servers behind the names: which guard it sees, and that a probe hears the same."""
from __future__ import annotations

import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys

import pytest

from mxg import build
from mxg import exim as exim_config
from mxg.certificates import Authority
from mxg.dns_script import nxdomain
from mxg.exim import path as exim_path
from mxg.exim import policy_acl
from mxg.mxguard import mxguard
from mxg.postfix import lmtp_to, pipe_service
from mxg.process import listening, program, run, wait_until, with_files

OURS, USER = "192.0.2.1", "user@example.test"


@pytest.fixture
def host(scripted_dns, mxguard_config, folder):
    """config(…) -> the path of one; host.audit(config, …) -> rows of mail.example.test, which leads here"""
    scripted_dns.default = nxdomain()
    scripted_dns.update({("example.test", "MX"): "10 gw.filter.test", ("gw.filter.test", "A"): "198.51.100.9",
                         ("mail.example.test", "A"): OURS, ("other.test", "MX"): "10 gw.filter.test"})
    (folder / "state").mkdir(mode=0o755)

    class Host:
        dns = scripted_dns

        def config(self, **more):
            return mxguard_config({"mode": "enforce", "domains": ["example.test"], "state_dir": str(folder / "state"),
                                   "gateways": [{"name": "filters", "allow": "ip4:192.0.2.10"}],
                                   "trace": {"by": ["localhost"]}, "dns": {"servers": [scripted_dns.server]}, **more})

        def audit(self, config, *arguments, status):
            result = mxguard("audit", "-c", config, "--json", *arguments)
            self.text = result.stdout.decode() + result.stderr.decode()
            assert result.returncode == status, self.text
            return [json.loads(line) for line in result.stdout.splitlines()]

        def guards(self, config, *arguments, status):
            return {row["port"]: row["guard"] for row in self.audit(config, *arguments, status=status)
                    if row["name"] == "mail.example.test" and row["leak"] == "guessable"}
    return Host()


def probe(recipient=USER, where=f"{OURS}:25"):
    result = mxguard("audit", "--probe", where, "--rcpt", recipient, "--json")
    (row,) = map(json.loads, result.stdout.splitlines())
    return row["guard"], result.returncode, row


def recipients(*restrictions):
    return {"smtpd_recipient_restrictions": ", ".join(restrictions), "smtpd_peername_lookup": "no"}


def test_postfix_unguarded(host, postfix):
    mta = postfix(smtpd=[(OURS, 25, {}), (OURS, 587, {"smtpd_client_restrictions": "permit_sasl_authenticated, reject"}),
                         ("127.0.0.1", 2525, {})])
    rows = host.audit(host.config(), status=1)
    # its configuration was found by the process that listens; port 587 wants a login
    assert {(row["name"], row["leak"], row["port"], row["guard"]) for row in rows} == {
        ("mail.example.test", "guessable", 25, "none"), ("mail.example.test", "hostname", 25, "none")}
    assert all(row["domain"] == "example.test" and row["address"] == OURS for row in rows)
    host.dns.update({("mail.example.test", "A"): "198.51.100.9"})
    assert host.audit(host.config(), status=0) == []  # it is not this host any more
    assert probe()[:2] == ("none", 1)
    assert mta.waiting() == [] and "data" not in mta.log().lower().replace("data_directory", "")


def test_postfix_started_by_its_own_command(host, postfix, folder):
    """master(8) is told no folder in its command line then, and always one in its environment."""
    mta = postfix(main=recipients("check_policy_service unix:/run/mxguard/policy"))
    mta.stop()
    shutil.copytree(mta.config, folder / "other")
    text = (folder / "other" / "main.cf").read_text()
    (folder / "other" / "main.cf").write_text(text.replace("check_policy_service", "permit, check_policy_service"))
    mta.command("postfix", "start")
    try:
        wait_until(lambda: listening(OURS, 25), "Postfix listens")
        master = (mta.queue / "pid" / "master.pid").read_text().strip()
        assert str(folder) not in pathlib.Path(f"/proc/{master}/cmdline").read_text()
        assert host.guards(host.config(), status=0) == {25: "policy"}
        # it is asked about its own, whatever the option says
        assert host.guards(host.config(), "--postfix", folder / "other", status=0) == {25: "policy"}
    finally:
        mta.command("postfix", "stop")


def test_policy_service(host, postfix, policy_service):
    config = host.config()
    service = policy_service(config, port=10033)
    mta = postfix(main=recipients("permit_mynetworks", "check_policy_service inet:127.0.0.1:10033"))
    assert host.guards(config, status=0) == {25: "policy"}
    guard, status, row = probe()
    assert (guard, status) == ("unknown", 0) and "550 5.7.1" in row["advice"]
    assert probe("nobody@elsewhere.test")[1] == 75  # relay denied is no guard's reply
    mta.main.update(recipients("permit_mynetworks", "permit", "check_policy_service inet:127.0.0.1:10033"))
    mta.reload()
    assert host.guards(config, status=1) == {25: "none"}  # it is not asked
    mta.main.update(recipients("check_policy_service inet:127.0.0.1:10033"))
    mta.reload()
    service.stop()
    assert host.guards(config, status=0) == {25: "policy"}  # Postfix defers everything then
    mta.main["smtpd_policy_service_default_action"] = "DUNNO"
    mta.reload()
    assert host.guards(config, status=1) == {25: "none"}


def test_another_policy_service(host, postfix):
    with socket.create_server(("127.0.0.1", 10033)):
        postfix(main=recipients("check_policy_service inet:127.0.0.1:10033"))
        assert host.guards(host.config(), status=1) == {25: "none"}


def test_what_is_asked_elsewhere_is_not_known(host, postfix):
    postfix(main=recipients("check_policy_service unix:private/postgrey"))
    assert host.guards(host.config(), status=75) == {25: "unknown"}


def test_mode(host, postfix, policy_service):
    config = host.config(domains=["example.test", "other.test"], policies=({"domains": ["other.test"], "mode": "off"},),
                         mode="monitor")
    policy_service(config, port=10033)
    postfix(main={"virtual_mailbox_domains": "example.test other.test",
                  **recipients("check_policy_service inet:127.0.0.1:10033")})
    host.dns.update({("mail.other.test", "A"): OURS})
    rows = {row["domain"]: row for row in host.audit(config, status=1) if row["leak"] == "guessable"}
    assert (rows["example.test"]["guard"], rows["other.test"]["guard"]) == ("policy", "none")
    assert "monitor" in rows["example.test"]["advice"]


def test_milter(host, postfix, milter):
    config = host.config()
    milter(config, port=10034)
    mta = postfix(main={"smtpd_milters": "inet:127.0.0.1:10034"})
    assert host.guards(config, status=0) == {25: "milter"}
    assert probe()[1] == 0
    mta.main["smtpd_milters"] = "inet:127.0.0.1:10099"
    mta.main["milter_default_action"] = "accept"
    mta.reload()
    assert host.guards(config, status=1) == {25: "none"}


def test_plugin(host, postfix, dovecot):
    store = dovecot(lmtp=[(OURS, 24)], mxguard={"mxguard_config": str(host.config())}, imap=[(OURS, 143)])
    postfix(main=lmtp_to(store.socket))
    assert host.guards(host.config(), status=0) == {24: "plugin", 25: "plugin"}


def test_dovecot_without_plugin(host, postfix, dovecot):
    store = dovecot(lmtp=[(OURS, 24)])
    postfix(main=lmtp_to(store.socket))
    assert host.guards(host.config(), status=1) == {24: "none", 25: "none"}


def test_wrapper(host, postfix):
    service = pipe_service("guarded", f"{build.wrapper()} --peer=${{client_address}} --rcpt=${{recipient}} -- /bin/cat")
    mta = postfix(main={"virtual_transport": "guarded"}, services=service)
    assert host.guards(host.config(), status=0) == {25: "wrapper"}
    mta.main["transport_maps"] = mta.table("transport", "example.test virtual:\n")
    mta.reload()
    assert host.guards(host.config(), status=75) == {25: "unknown"}


def test_opensmtpd(host, opensmtpd, folder):
    config = host.config()
    config.chmod(0o644)
    guard = f'filter "mxguard" proc-exec "{build.command()} smtpd-filter -c {config}" user root group root\n'
    opensmtpd(action='mda "/bin/cat" virtual { "user@example.test" = nobody }', before=guard,
              listen=(f'{OURS} filter "mxguard"', "127.0.0.1"))
    path = str(folder / "opensmtpd0" / "smtpd.conf")
    assert host.guards(config, "--opensmtpd", path, status=0) == {25: "filter"}
    text = (folder / "opensmtpd0" / "smtpd.conf").read_text()
    (folder / "other.conf").write_text(text.replace('filter "mxguard"\n', "\n", 1).replace(f'{OURS} filter "mxguard"', OURS))
    assert host.guards(config, "--opensmtpd", folder / "other.conf", status=75) == {25: "unknown"}  # /bin/cat


def test_exim(host, exim, policy_service, folder):
    """Exim tells its ACLs and transports by -bP; its program is put where the system's would be."""
    config = host.config()
    service = policy_service(config)
    bin = folder / "sbin"
    bin.mkdir()
    (bin / "exim4").write_text(f'#!/bin/sh\nexec {exim_path()} "$@"\n')
    (bin / "exim4").chmod(0o755)
    mta = exim(acl=policy_acl(service.socket))

    def guards(status):
        argv = with_files([str(build.command()), "audit", "-c", str(config), "--json"],
                          {**mta._files, "/usr/local/sbin": bin})
        result = run(argv)
        assert result.returncode == status, result.stdout + result.stderr
        return {row["port"]: row["guard"] for row in map(json.loads, result.stdout.splitlines())}
    assert guards(0) == {25: "policy"}
    mta.acl = exim_config.DEFAULT_ACL
    mta.write_config()
    assert guards(1) == {25: "none"}


def test_firewall(host, postfix):
    if not program("nft"):
        pytest.skip("nftables is not installed")
    rules = ("table inet mxguard {\n set gateways4 { type ipv4_addr; flags interval; elements = { 192.0.2.10 } }\n"
             " chain door {\n  type filter hook input priority 0; policy accept;\n  iif lo tcp dport 2525 accept\n"
             "  tcp dport 25 ip saddr @gateways4 accept\n  tcp dport 25 counter drop\n }\n}\n")
    postfix()
    assert host.guards(host.config(), status=1) == {25: "none"}
    if run(["nft", "-f", "-"], data=rules.encode()).returncode != 0:
        pytest.skip("nftables cannot be used here")
    try:
        assert host.guards(host.config(), status=0) == {25: "firewall"}
        run(["nft", "insert", "rule", "inet", "mxguard", "door", "tcp", "dport", "25", "ip", "saddr", "203.0.113.0/24",
             "accept"], check=True)
        assert host.guards(host.config(), status=1) == {25: "none"}
    finally:
        run(["nft", "delete", "table", "inet", "mxguard"])


def test_nobody_known(host, network):
    """A server that no configuration tells of."""
    with socket.create_server((OURS, 25)):
        assert host.guards(host.config(), status=75) == {25: "unknown"}


def test_a_strangers_server(host, network, root, folder):
    """A user's process that looks like Postfix: its configuration is not handed to programs that root runs."""
    evil = folder / "postfix" / "evil"
    evil.mkdir(parents=True)
    (evil / "main.cf").write_text("compatibility_level = 3.6\nmyhostname = evil.example.test\n"
                                  "smtpd_recipient_restrictions = check_policy_service unix:private/mxguard\n")
    (evil / "master.cf").write_text(f"{OURS}:2525 inet n - n - - smtpd\n")
    python = folder / "postfix" / "master"
    shutil.copyfile(os.path.realpath(sys.executable), python)
    python.chmod(0o755)
    code = f"import socket, time; s = socket.create_server(('{OURS}', 2525)); print(flush=True); time.sleep(600)"
    server = subprocess.Popen([python, "-c", code, "-c", str(evil)], user="nobody", group="nogroup",
                              stdout=subprocess.PIPE, env={})
    try:
        assert server.stdout.readline()
        assert host.guards(host.config(), status=75) == {2525: "unknown"}
        assert "evil" not in host.text
    finally:
        server.kill()
        server.wait()


def test_certificates(host, postfix, dovecot, folder):
    authority = Authority(folder / "ca")
    cert, key = authority.by_itself("mail", "/CN=box.example.test")
    other, other_key = folder / "other.pem", folder / "other.key"
    run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "9",
         "-subj", "/CN=imap", "-addext", "subjectAltName=DNS:alt.example.test,DNS:*.example.test,IP:192.0.2.1",
         "-keyout", other_key, "-out", other], check=True)
    host.dns.update({("box.example.test", "A"): OURS, ("alt.example.test", "A"): OURS})
    mta = postfix(main={"smtpd_tls_cert_file": str(cert), "smtpd_tls_key_file": str(key), "smtpd_tls_security_level": "may"})
    dovecot(lmtp=[], imap=[(OURS, 143)], tls=(other, other_key))
    rows = host.audit(host.config(), status=1)
    assert {row["name"] for row in rows if row["leak"] == "certificate"} == {"box.example.test", "alt.example.test"}
    mta.main["smtpd_tls_cert_file"] = str(folder / "gone.pem")
    mta.main["smtpd_recipient_restrictions"] = "check_policy_service unix:/run/mxguard/policy"
    mta.reload()
    host.audit(host.config(), status=75)
    assert "gone.pem" in host.text


def test_probe_says_no_more_than_rcpt(folder, network):
    """Line by line what a server hears, and what is made of its replies."""
    import socketserver
    import threading
    heard, replies = [], {}

    class Server(socketserver.StreamRequestHandler):
        def handle(self):
            self.wfile.write(replies.get("", b"220 here\r\n"))
            while line := self.rfile.readline():
                heard.append(line.split(b" ")[0].strip().upper())
                if heard[-1] == b"QUIT":
                    return
                self.wfile.write(replies.get(heard[-1].decode(), b"250-more\r\n250 fine\r\n"))

    class Threads(socketserver.ThreadingTCPServer):
        allow_reuse_address = daemon_threads = True

    with Threads((OURS, 2525), Server) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        where = f"{OURS}:2525"
        assert probe(where=where)[:2] == ("none", 1)
        assert heard == [b"EHLO", b"MAIL", b"RCPT", b"RSET", b"QUIT"]
        for reply, status in ((b"550 5.7.1 go to our MX\r\n", 0), (b"550 5.1.1 nobody\r\n", 75), (b"451 4.7.1 later\r\n", 75),
                              (b"554 5.7.1 relay\r\n", 75), (b"250-\x1b[2J\r\nnonsense\r\n", 75)):
            replies["RCPT"] = reply
            guard, got, row = probe(where=where)
            assert (guard, got) == ("unknown", status), reply
        replies["MAIL"] = b"550 5.7.1 not you\r\n"
        assert probe(where=where)[1] == 75  # that is about the sender
        replies[""] = b"220 " + b"x" * 100000 + b"\r\n"
        assert probe(where=where)[1] == 75
        assert b"DATA" not in heard
        server.shutdown()
    assert probe(where=where)[1] == 75
