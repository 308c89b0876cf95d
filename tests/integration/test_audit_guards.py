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
from mxg import smtp
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

        def placed(self, argv):  # a Dovecot 2.4's is where its modules are
            return argv

        def audit(self, config, *arguments, status):
            result = run(self.placed([str(build.command()), "audit", "-c", str(config), "--json", *map(str, arguments)]))
            self.text = result.stdout.decode() + result.stderr.decode()
            assert result.returncode == status, self.text
            return [json.loads(line) for line in result.stdout.splitlines()]

        def guards(self, config, *arguments, status):
            return {row["port"]: row["guard"] for row in self.audit(config, *arguments, status=status)
                    if row["name"] == "mail.example.test" and row["leak"] == "guessable"}
    return Host()


def probe(recipient=USER, where=f"{OURS}:25", config=None, rows=1):
    result = mxguard("audit", "--probe", where, "--rcpt", recipient, "--json", *([] if config is None else ["-c", config]))
    found = [json.loads(line) for line in result.stdout.splitlines()] or [{"guard": None}]
    assert len(result.stdout.splitlines()) == rows
    return found[0]["guard"], result.returncode, found[0]


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
    rows = host.audit(host.config(on_direct="tag"), status=0)
    assert [row["guard"] for row in rows] == ["policy"] * 2 and all("nothing is refused" in row["advice"] for row in rows)
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


@pytest.mark.parametrize("restrictions, status, guard", [
    ("warn_if_reject check_policy_service inet:127.0.0.1:10033", 1, "none"),
    ("check_policy_service { inet:127.0.0.1:10099, default_action=DUNNO }", 75, "unknown"),
    ("check_policy_service { inet:127.0.0.1:10099, default_action = { 200 OK } }", 75, "unknown"),
    ("check_recipient_access inline:{ { example.test = OK } }, reject", 75, "unknown"),
    ("check_client_access static:OK, check_policy_service { inet:127.0.0.1:10099, default_action=OK }, reject", 75, "unknown"),
    ("permit_mx_backup, reject", 75, "unknown"),
    ("warn_if_reject reject", 1, "none"),
    ("warn_if_reject defer, check_policy_service inet:127.0.0.1:10033", 0, "policy"),
    ("check_policy_service inet:[2001:db8::1]:10033", 75, "unknown"),  # another host's, whoever has the port here
    ("check_policy_service inet:localhost.filter.test:10033", 75, "unknown"),
    ("check_policy_service inet:LOCALHOST:10033", 0, "policy"),
    ("check_policy_service inet:[::1]:10033", 0, "policy"),
    ("check_recipient_access inline:{ { a.test = { x } reject } }, permit", 1, "none"),  # braces within braces
    ("check_recipient_access inline:{ { a.test = { x } permit } }, check_policy_service inet:127.0.0.1:10033", 0, "policy"),
])
def test_restrictions(host, postfix, policy_service, restrictions, status, guard):
    """What only looks like a guard, in Postfix's own words."""
    config = host.config()
    policy_service(config, port=10033)
    postfix(main=recipients(restrictions))
    assert host.guards(config, status=status) == {25: guard}
    assert guard == "unknown" or (stranger() == 250) == (guard == "none")


@pytest.mark.parametrize("action, status, guard", [
    ("OK", 1, "none"), ("200", 1, "none"), ("PREPEND X-Policy: none", 1, "none"), ("permit_auth_destination", 1, "none"),
    ("451 4.3.5 later", 0, "policy"), ("reject", 0, "policy"), ("DEFER_IF_PERMIT later", 0, "policy"),
])
def test_what_postfix_does_without_the_service(host, postfix, action, status, guard):
    postfix(main={"smtpd_policy_service_default_action": action,
                  **recipients("check_policy_service inet:127.0.0.1:10033")})
    assert host.guards(host.config(), status=status) == {25: guard}
    assert (stranger() == 250) == (guard == "none")


def stranger(port=25):
    """What a server says to one whom nobody knows."""
    with smtp.Client((OURS, port), source="203.0.113.66", lmtp=False) as client:
        client.greet()
        client.mail("a@sender.example")
        return client.rcpt(USER).code


def test_a_socket_with_our_name(host, postfix, policy_service, folder):
    """Where Postfix lets in what it cannot ask about, the name of a socket is not enough."""
    config = host.config()
    service = policy_service(config)
    mta = postfix(main={"smtpd_policy_service_default_action": "DUNNO",
                        **recipients(f"check_policy_service unix:{service.socket}")})
    (folder / "mxguard-run").mkdir()
    named = folder / "mxguard-run" / "policy"
    named.symlink_to(service.socket)
    for path, status, guard in (named, 0, "policy"), (folder / "mxguard-gone" / "policy", 75, "unknown"):
        for action, open_door in ("DUNNO", True), ("451 4.3.5 later", False):
            mta.main.update(recipients(f"check_policy_service unix:{path}"), smtpd_policy_service_default_action=action)
            mta.reload()
            assert host.guards(config, status=status if open_door else 0) == {25: guard if open_door else "policy"}


def test_asked_before_there_is_a_recipient(host, postfix, policy_service):
    """With smtpd_delay_reject = no, restrictions of the client are asked at the connection."""
    config = host.config()
    policy_service(config, port=10033)
    mta = postfix(main={"smtpd_client_restrictions": "check_policy_service inet:127.0.0.1:10033",
                        "smtpd_peername_lookup": "no"})
    assert host.guards(config, status=0) == {25: "policy"}
    mta.main["smtpd_delay_reject"] = "no"
    mta.reload()
    assert host.guards(config, status=1) == {25: "none"}


def test_milter_maps(host, postfix, milter):
    """Clients for whom smtpd_milter_maps has something else do not meet the milters."""
    config = host.config()
    milter(config, port=10034)
    mta = postfix(main={"smtpd_milters": "inet:127.0.0.1:10034"})
    assert host.guards(config, status=0) == {25: "milter"}
    mta.main["smtpd_milter_maps"] = "static:DISABLE"
    mta.reload()
    assert host.guards(config, status=75) == {25: "unknown"}


def test_a_policy_service_that_others_may_write(host, postfix, folder):
    """Whoever may write a program may call it mxguard."""
    fake = folder / "bin" / "mxguard"
    fake.parent.mkdir()
    shutil.copyfile(os.path.realpath(sys.executable), fake)
    fake.chmod(0o777)
    code = "import socket, time; s = socket.create_server(('127.0.0.1', 10033)); print(flush=True); time.sleep(600)"
    server = subprocess.Popen([fake, "-c", code], stdout=subprocess.PIPE)
    try:
        assert server.stdout.readline()
        postfix(main=recipients("check_policy_service inet:127.0.0.1:10033"))
        assert host.guards(host.config(), status=1) == {25: "none"}
    finally:
        server.kill()
        server.wait()


@pytest.mark.parametrize("address", ["0.0.0.0", "192.0.2.1"])
def test_a_second_port_without_a_guard(host, postfix, policy_service, address):
    config = host.config()
    policy_service(config, port=10033)
    postfix(smtpd=[(OURS, 25, recipients("check_policy_service inet:127.0.0.1:10033")), (address, 2626, {})])
    assert host.guards(config, status=1) == {25: "policy", 2626: "none"}


def test_a_name_of_the_host_for_all_of_its_domains(host, postfix, policy_service):
    """Whether mail gets in by the host's own name is not said by the domain that happens to come first."""
    config = host.config(domains=["a.test", "b.test", "example.test"], trace={"by": ["box.elsewhere.test"]})
    host.dns.update({("box.elsewhere.test", "A"): OURS, ("mail.example.test", "A"): nxdomain(),
                     ("a.test", "MX"): "10 gw.filter.test", ("b.test", "MX"): "10 gw.filter.test"})

    def rows(status):
        return [(row["port"], row["guard"]) for row in host.audit(config, status=status) if row["name"] == "box.elsewhere.test"]
    mta = postfix(main={"virtual_mailbox_domains": "example.test"})
    assert rows(1) == [(25, "none")]  # it takes none for the first
    policy_service(config, port=10033)
    mta.main["smtpd_recipient_restrictions"] = "check_policy_service inet:127.0.0.1:10033"
    mta.reload()
    assert rows(0) == [(25, "policy")]
    config = host.config(domains=["b.test", "example.test"], trace={"by": ["box.elsewhere.test"]},
                         policies=({"domains": ["example.test"], "mode": "off"},))
    mta.main["virtual_mailbox_domains"] = "b.test example.test"
    mta.reload()
    assert rows(1) == [(25, "none")]  # for one of them


CONTAINER = """
mount -t tmpfs none "$1" && cd "$1" && mkdir usr proc dev opt opt/postfix && ln -s usr/bin usr/lib usr/lib64 . &&
mount --bind /usr usr && cp -L "$2" opt/postfix/master && exec chroot "$1" /opt/postfix/master -c "$3"
"""


def test_a_server_in_a_container(host, network, root, folder):
    """It has the host's network, and files of its own, which nobody asks the host about."""
    etc, inside = folder / "etc", folder / "inside"
    etc.mkdir()
    inside.mkdir()
    (etc / "main.cf").write_text("compatibility_level = 3.6\nvirtual_mailbox_domains = example.test\n"
                                 "smtpd_recipient_restrictions = check_policy_service unix:/run/mxguard/policy\n")
    (etc / "master.cf").write_text(f"{OURS}:25 inet n - n - - smtpd\n{OURS}:2626 inet n - n - - smtpd\n")
    code = (f"import socket, time; s = [socket.create_server(('{OURS}', p)) for p in (25, 2626)]; print(flush=True);"
            " time.sleep(600)")
    server = subprocess.Popen(["unshare", "-m", "sh", "-c", CONTAINER, "sh", inside, os.path.realpath(sys.executable), code],
                              stdout=subprocess.PIPE)
    try:
        assert server.stdout.readline()

        def guards(*more, status):
            result = run(with_files([str(build.command()), "audit", "-c", str(host.config()), "--json", *more],
                                    {"/etc/postfix": etc}))
            assert result.returncode == status, result.stdout + result.stderr
            return {row["port"]: row["guard"] for row in map(json.loads, result.stdout.splitlines())}, result.stderr
        found, err = guards(status=75)
        assert found == {25: "unknown", 2626: "unknown"} and b"runs in a container" in err
        found, err = guards("--postfix", "/etc/postfix", status=0)
        assert found == {25: "policy", 2626: "policy"} and b"container" not in err
    finally:
        server.kill()
        server.wait()


def test_a_domain_below_one_of_relay_domains(host, postfix):
    mta = postfix(main={"virtual_mailbox_domains": "", "relay_domains": "test",
                        "parent_domain_matches_subdomains": "relay_domains"})
    assert 25 in host.guards(host.config(), status=75)  # where it is handed on to is not known
    mta.main["parent_domain_matches_subdomains"] = ""
    mta.reload()
    assert 25 not in host.guards(host.config(), status=0)  # then it is none of Postfix's


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
    host.placed = store.placed
    postfix(main=lmtp_to(store.socket))
    assert host.guards(host.config(), status=0) == {24: "plugin", 25: "plugin"}


def test_plugin_that_is_switched_off(host, dovecot):
    """As the manual says, where it has to be quick."""
    store = dovecot(lmtp=[(OURS, 24)], mxguard={"mxguard_config": str(host.config()), "mxguard_mode": "off"}, imap=[(OURS, 143)])
    host.placed = store.placed
    assert host.guards(host.config(), status=1) == {24: "none"}


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
    named = (folder / "other.conf").read_text().replace(f"listen on {OURS}", f"listen on {OURS} hostname auth.example.test")
    (folder / "other.conf").write_text(named)
    assert host.guards(config, "--opensmtpd", folder / "other.conf", status=75) == {25: "unknown"}  # that is no login


@pytest.mark.parametrize("socket, flags, more, status, guard", [
    ("local:/nonexistent/mxguard/milter", "F=T", "", 0, "milter"),  # then it tells everybody to come again
    ("local:/nonexistent/mxguard/milter", "T=S:30s", "", 1, "none"),  # then it lets everybody in
    ("inet:10099@127.0.0.1", "T=S:30s", "", 1, "none"),
    ("inet:10034@127.0.0.1", "T=S:30s", "", 0, "milter"),
    ("inet:10034@127.0.0.1", "F=T", "O DaemonPortOptions=Name=MTA\nO DaemonPortOptions=Port=2525, InputMailFilters=, Name=A", 75,
     "unknown"),
    ("inet:10034@127.0.0.1", "F=T", "O DaemonPortOptions=Name=InputMTA, Port=25", 0, "milter"),
])
def test_sendmail(host, sendmail, milter, folder, socket, flags, more, status, guard):
    config = host.config()
    sendmail(routes={"example.test": "local:user"})
    if "10034" in socket:
        milter(config, port=10034)
    name = "other" if "10099" in socket else "mxguard"
    file = folder / "told.cf"
    file.write_text(f"X{name}, S={socket}, {flags}\nO InputMailFilters={name}\n{more}\n")
    assert host.guards(config, "--sendmail", file, status=status) == {25: guard}


@pytest.mark.parametrize("flags, lets_in", [("F=T", False), ("F=R", False), ("T=S:30s", True)])
def test_what_sendmail_does_without_the_milter(sendmail, flags, lets_in):
    sendmail(routes={"example.test": "local:nobody"},
             features=f"INPUT_MAIL_FILTER(`mxguard', `S=local:/nonexistent/milter, {flags}')")
    try:
        assert (stranger() == 250) == lets_in
    except AssertionError as greeting:
        assert not lets_in and "greeted with 554" in str(greeting)


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
    asking = policy_acl(service.socket)
    mta.acl = exim_config.DEFAULT_ACL + asking.replace("acl_check_rcpt:", "acl_check_other:", 1)
    mta.write_config()
    assert guards(75) == {25: "unknown"}  # it stands there, and nobody asks it
    mta.acl = "acl_check_rcpt:\n  require acl = acl_check_other\n" + asking.replace("acl_check_rcpt:", "acl_check_other:", 1)
    mta.write_config()
    assert guards(0) == {25: "policy"}


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
    assert f"not known: the names in the certificate {folder}/gone.pem: No such file or directory\n" in host.text
    assert "could not ask" not in host.text
    assert "gone.pem" in host.text


def test_probe_says_no_more_than_rcpt(folder, network, mxguard_config):
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
        wait_until(lambda: heard[-1:] == [b"QUIT"], "it has read the last line, to whose reply nobody listens")
        assert heard == [b"EHLO", b"MAIL", b"RCPT", b"RSET", b"QUIT"]
        ours = b"5.7.1 <user@example.test>: Recipient address rejected: Refused: 192.0.2.9 is not an authorized gateway for " \
               b"example.test; deliver to the hosts in the domain's MX record\r\n"
        for reply, status in ((b"550 " + ours, 0), (b"550-" + ours + b"550 5.7.1 call the postmaster\r\n", 0),
                              (b"550 5.7.1 listed in bl.test\r\n", 75), (b"550 5.7.1 go to our MX\r\n", 75),
                              (b"550 5.1.1 nobody\r\n", 75), (b"451 4.7.1 later\r\n", 75), (b"450 " + ours, 75),
                              (b"554 5.7.1 relay\r\n", 75), (b"250-\x1b[2J\r\nnonsense\r\n", 75)):
            replies["RCPT"] = reply
            guard, got, row = probe(where=where)
            assert (guard, got) == ("unknown", status), reply
        replies["RCPT"] = b"550 5.7.1 go to our MX\r\n"
        config = mxguard_config({"gateways": [{"name": "a", "allow": "mx"}], "reply_text": "go to our MX"})
        assert probe(where=where, config=config)[1] == 0
        config = mxguard_config({"gateways": [{"name": "a", "allow": "mx"}], "reply_text": "MX"})
        assert probe(where=where, config=config)[1] == 75
        assert probe(where=where, config=folder / "none.conf", rows=0)[1] == 78
        replies["MAIL"] = b"550 5.7.1 not you\r\n"
        assert probe(where=where)[1] == 75  # that is about the sender
        replies[""] = b"220 " + b"x" * 100000 + b"\r\n"
        assert probe(where=where)[1] == 75
        assert b"DATA" not in heard
        server.shutdown()
    assert probe(where=where)[1] == 75
