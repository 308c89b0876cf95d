# SPDX-License-Identifier: MIT
"""mxguard doctor: what breaks the guard is found, and a good set-up is left in peace."""
from __future__ import annotations

import json
import pathlib
import subprocess
import time

import pytest

from mxg import build, exim
from mxg import postfix as postfix_config
from mxg.dns_script import answer, nxdomain
from mxg.dovecot import first_lines
from mxg.mxguard import mxguard
from mxg.process import program, run
from mxg.trap import Trap

LINE = ("guarded unix - n n - - pipe\n  flags=Rq user=nobody null_sender=\n  argv=/usr/bin/mxguard-lda --peer=${client_address} "
        "--helo=${client_helo} --from=${sender} --rcpt=${recipient} --original-rcpt=${original_recipient} "
        "--login=${sasl_username} -- /usr/lib/dovecot/dovecot-lda -d ${recipient} -m %{mailbox}\n")
GOOD = {"myhostname": "mail.example.test", "mynetworks": "127.0.0.0/8 [::1]/128", "guarded_destination_recipient_limit": "1",
        "smtpd_recipient_restrictions": "check_policy_service inet:127.0.0.1:10033", "virtual_transport": "guarded"}


def settings(**more):
    return {"mode": "enforce", "self": ["198.51.100.1"], "state_dir": "/nonexistent/mxguard",
            "gateways": ({"name": "filters", "allow": "ip4:192.0.2.10"},),
            "trace": {"mta": ["postfix"], "by": ["mail.example.test"]}, **more}


@pytest.fixture
def doctor(folder, mxguard_config):
    """doctor(main, master, config) -> {check: level}, status"""
    if not program("postconf"):
        pytest.skip("Postfix is not installed")

    def run(main=None, master=LINE, dovecot="protocols = imap\n", ask_dns=False, **config):
        etc = folder / "postfix"
        etc.mkdir(exist_ok=True)
        etc.joinpath("main.cf").write_text("".join(f"{key} = {value}\n" for key, value in {**GOOD, **(main or {})}.items()
                                                   if value is not None))
        etc.joinpath("master.cf").write_text(postfix_config.MASTER + master)
        (folder / "dovecot.conf").write_text(first_lines() + dovecot)
        options = [] if ask_dns else ["--no-dns"]
        result = mxguard("doctor", "-c", mxguard_config(settings(**config)), "--postfix", etc, "--dovecot", folder / "dovecot.conf",
                         "--json", *options)
        found = [json.loads(line) for line in result.stdout.decode().splitlines()]
        run.text = result.stdout.decode() + result.stderr.decode()
        return {each["check"]: each["level"] for each in found if each["check"] != "snapshot"}, result.returncode
    return run


def test_good(doctor):
    found, _ = doctor()
    assert program("doveconf") is None or "dovecot-plugin" in found
    found.pop("dovecot", None)  # not installed
    assert not {"warning", "error"} & set(found.values()), doctor.text
    assert found["postfix-door"] == "ok"


@pytest.mark.parametrize("main, master, check, level", [
    ({"guarded_destination_recipient_limit": None}, LINE, "postfix-recipient-limit", "warning"),
    ({}, LINE.replace(" null_sender=", ""), "postfix-null-sender", "warning"),
    ({}, LINE.replace("${client_address}", "x"), "postfix-macro", "warning"),
    ({}, LINE.replace("--login=${sasl_username}", ""), "postfix-macro", "warning"),
    ({}, LINE.replace("${recipient}", "x"), "postfix-macro", "error"),
    ({}, LINE.replace("-m %{mailbox}", ""), "postfix-quarantine", "error"),
    ({"smtpd_authorized_xforward_hosts": "203.0.113.0/24"}, LINE, "postfix-xforward", "warning"),
    ({"smtpd_authorized_xclient_hosts": "198.51.100.7"}, LINE, "postfix-xforward", "warning"),
    ({"mynetworks": "127.0.0.0/8 10.0.0.0/8"}, LINE, "postfix-mynetworks", "warning"),
    ({"myhostname": "other.example.test"}, LINE, "postfix-myhostname", "warning"),
    ({"proxy_interfaces": "203.0.113.5"}, LINE, "postfix-nat", "warning"),
    ({"smtpd_recipient_restrictions": "permit"}, LINE, "postfix-door", "note"),
    ({"content_filter": "filter:dummy"}, LINE, "resubmission", "note"),
    ({}, LINE + "smtp inet n - n - - smtpd -o content_filter=filter:dummy\n", "resubmission", "note"),
    ({}, LINE + "smtp inet n - n - - smtpd -o smtpd_hide_client_session=yes\n", "postfix-hidden", "error"),
    ({}, LINE + "192.0.2.1:25 inet n - n - - smtpd -o { smtpd_hide_client_session = yes }\n", "postfix-hidden", "error")])
def test_postfix(doctor, main, master, check, level):
    found, status = doctor(main, master)
    assert found[check] == level, doctor.text
    assert status == (1 if level != "note" else status)


def test_hidden_clients_of_submission_are_fine(doctor):
    found, _ = doctor({}, LINE + "submission inet n - n - - smtpd -o smtpd_hide_client_session=yes\n")
    assert "postfix-hidden" not in found


TLS = {"smtpd_tls_security_level": "may", "smtpd_tls_ask_ccert": "yes", "smtpd_tls_CAfile": "/etc/ssl/ca.pem",
       "smtpd_tls_fingerprint_digest": "sha256"}
BOUND = ({"name": "cloud", "certificate": {"fingerprint": "5a" * 32, "verified": True}},)


@pytest.mark.parametrize("main, check", [
    ({}, None), ({"smtpd_tls_fingerprint_digest": "md5"}, "certificate-digest"),
    ({"smtpd_tls_fingerprint_digest": None, "compatibility_level": "3.5"}, "certificate-digest"),
    ({"smtpd_tls_fingerprint_digest": None, "compatibility_level": "3.6"}, None),
    ({"smtpd_tls_ask_ccert": "no"}, "certificate-not-asked"), ({"smtpd_tls_CAfile": None}, "certificate-authorities"),
    ({"smtpd_recipient_restrictions": "permit"}, "certificate-not-told"),
    ({"smtpd_recipient_restrictions": "permit", "smtpd_milters": "inet:127.0.0.1:10034"}, None)])
def test_certificates(doctor, main, check):
    found, _ = doctor({**TLS, **main}, master="", gateways=BOUND)
    assert {each for each in found if each.startswith("certificate")} == ({check} if check else set()), doctor.text
    assert not check or found[check] == "warning"
    found, _ = doctor({**TLS, **main}, master="")  # no such gateway
    assert not any(each.startswith("certificate") for each in found)


def test_certificates_that_the_wrapper_is_not_told(doctor):
    assert doctor(TLS, gateways=BOUND)[0]["certificate-queued"] == "warning"


def test_resubmitted(doctor):
    assert "resubmitted" not in doctor()[0]
    assert doctor(resubmitted="accept")[0]["resubmitted"] == "warning"


@pytest.mark.parametrize("main, master", [
    ({"content_filter": "scan:dummy"}, LINE),
    ({}, LINE + "smtp inet n - n - - smtpd\n  -o content_filter=scan:[127.0.0.1]:10025\n"),
    ({}, LINE + "smtp inet n - n - - smtpd\n  -o { content_filter = scan:dummy }\n")])
def test_postfix_content_filter(doctor, main, master):
    assert doctor(main, master)[0]["resubmission"] == "note" and "scan:" in doctor.text


@pytest.mark.parametrize("master", [LINE, LINE + "smtp inet n - n - - smtpd\n  -o content_filter=\n",
                                    LINE + "#smtp inet n - n - - smtpd -o content_filter=scan:dummy\n"])
def test_no_content_filter(doctor, master):
    assert "resubmission" not in doctor(None, master)[0]


def resubmissions(result):
    found = [json.loads(line) for line in result.stdout.decode().splitlines()]
    return [each["text"] for each in found if each["check"] == "resubmission"]


@pytest.mark.skipif(not exim.path(), reason="Exim is not unpacked")
@pytest.mark.parametrize("transport, told", [
    ("command = /usr/sbin/exim4 -oMr spam-scanned -bS\n  use_bsmtp", "command = /usr/sbin/exim4 -oMr spam-scanned -bS"),
    ("command = /usr/bin/spamc -u $local_part -e /usr/sbin/sendmail -i $local_part", "command = /usr/bin/spamc"),
    ("command = /usr/bin/delivery\n  transport_filter = /usr/bin/spamc -x", "transport_filter = /usr/bin/spamc -x"),
    ("command = /usr/lib/dovecot/dovecot-lda -d $local_part", None)])
def test_exim_filters(folder, mxguard_config, root, transport, told):
    """What a real Exim says of its transports."""
    mta = exim.Exim(folder / "exim", transports=f"file:\n  driver = pipe\n  {transport}\n  user = nobody\n")
    mta._make_folders()
    mta.write_config()
    script = f"mount -t tmpfs none /usr/local/sbin && ln -s {exim.path()} /usr/local/sbin/exim4 && exec \"$@\""
    result = run(mta._argv()[:-1] + ["unshare", "-m", "sh", "-c", script, "sh", str(build.command()), "doctor", "-c",
                                     str(mxguard_config(settings())), "--exim", str(mta.config), "--no-dns", "--json"])
    found = resubmissions(result)
    assert len(found) == (told is not None), result
    assert told is None or told in found[0] and "Exim hands mail" in found[0]


@pytest.mark.parametrize("path, line, told", [
    ("/home/vpopmail/etc/tcp.smtp", ':allow,QMAILQUEUE="/var/qmail/bin/qmail-scanner-queue.pl"', True),
    ("/home/vpopmail/etc/tcp.smtp", '127.:allow,RELAYCLIENT=""', False),
    ("/home/vpopmail/etc/tcp.smtp", '#:allow,QMAILQUEUE="/var/qmail/bin/simscan"', False),
    ("/var/qmail/supervise/qmail-smtpd/run", 'QMAILQUEUE="/var/qmail/bin/simscan"; export QMAILQUEUE', True)])
def test_qmail_queue(mxguard_config, root, path, line, told):
    """Real files, at their places in a mount namespace."""
    script = f'mount -t tmpfs none /{path.split("/")[1]} && mkdir -p "$(dirname {path})" && printf "%s\\n" "$LINE" >{path} && exec "$@"'
    result = run(["unshare", "-m", "env", f"LINE={line}", "sh", "-c", script, "sh", str(build.command()), "doctor", "-c",
                  str(mxguard_config(settings())), "--no-dns", "--json"])
    found = [text for text in resubmissions(result) if "qmail" in text]
    assert len(found) == told, result
    assert not told or line[line.index("QMAILQUEUE"):] in found[0]


def test_trusted_relays_are_fine(doctor):
    found, _ = doctor({"smtpd_authorized_xforward_hosts": "198.51.100.7", "mynetworks": "127.0.0.0/8 198.51.100.7 10.9.0.0/16"},
                      internal=["198.51.100.7"], origins=["127.0.0.0/8", "10.9.0.0/16"])
    assert not {"warning", "error"} & set(found.values()), doctor.text


def test_received_stripped(doctor, folder):
    table = folder / "checks"
    table.write_text("/^X-Mailer:/ IGNORE\n/^Received:.*internal/ IGNORE\n")
    found, _ = doctor({"header_checks": f"regexp:{table}"})
    assert found["postfix-received-stripped"] == "error"
    table.write_text("# /^Received:/ IGNORE\n/^Received:/ WARN\n")
    found, _ = doctor({"header_checks": f"regexp:{table}"})
    assert "postfix-received-stripped" not in found


@pytest.mark.skipif(not program("doveconf"), reason="Dovecot is not installed")
def test_dovecot(doctor):
    found, _ = doctor(dovecot="login_trusted_networks = 198.51.100.7 192.0.2.0/24\nhaproxy_trusted_networks = 192.0.2.0/28\n")
    assert found["dovecot-haproxy-trusted"] == "error" and found["dovecot-trusted"] == "warning"
    found, _ = doctor(dovecot="login_trusted_networks = 198.51.100.7\n", internal=["198.51.100.7"])
    assert "dovecot-trusted" not in found


STRICT = ({"domains": ["strict.example"], "mode": "enforce"},)


@pytest.mark.parametrize("setting, value", [
    ("mydestination", "$myhostname, other.example, strict.example"), ("mydestination", "/etc/hostname {folder}/list"),
    ("mydestination", "texthash:{folder}/table"), ("virtual_alias_domains", "other.example"),
    ("virtual_alias_maps", "texthash:{folder}/table")])
def test_other_names_of_the_same_mailboxes(doctor, folder, setting, value):
    (folder / "list").write_text("# no.example\nother.example\nstrict.example\n")
    (folder / "table").write_text("other.example x\nuser@nobody.example alice\nstrict.example x\n")
    main = {"mydestination": "", setting: value.format(folder=folder)}
    found, status = doctor(main, domains=["strict.example"])
    assert (found["postfix-other-names"], status) == ("warning", 1)
    text = next(json.loads(line)["text"] for line in doctor.text.splitlines() if "postfix-other-names" in line)
    assert "other.example" in text and "outside domains" in text
    assert not any(name in text for name in ("strict.example,", " strict.example:", "no.example", "nobody.example"))
    found, _ = doctor(main, mode="monitor", policies=STRICT)
    assert found["postfix-other-names"] == "warning" and "milder than that of strict.example" in doctor.text
    assert "postfix-other-names" not in doctor(main, domains=["other.example", "strict.example", "mail.example.test", "vm"])[0]
    assert "postfix-other-names" not in doctor(main)[0]  # every domain is held to the same


def test_tables_that_cannot_be_listed(doctor):
    found, _ = doctor({"mydestination": "pcre:/nonexistent/table"}, domains=["strict.example"])
    assert found["postfix-other-names"] == "note"


@pytest.mark.skipif(not exim.path(), reason="Exim is not unpacked")
@pytest.mark.parametrize("value", ["@ : localhost : other.example : strict.example", "<; @ ; other.example ; *.pattern.example"])
def test_exim_local_domains(folder, mxguard_config, root, value):
    mta = exim.Exim(folder / "exim", main=f"domainlist more = {value}")
    mta._make_folders()
    mta.write_config()
    text = mta.config.read_text().replace("domainlist local_domains = example.test", f"domainlist local_domains = {value}")
    mta.config.write_text(text)
    config = mxguard_config(settings(domains=["strict.example"]))
    # a private place among the system's folders, for the Exim that is unpacked beside
    script = f"mount -t tmpfs none /usr/local/sbin && ln -s {exim.path()} /usr/local/sbin/exim4 && exec \"$@\""
    result = run(mta._argv()[:-1] + ["unshare", "-m", "sh", "-c", script, "sh", str(build.command()), "doctor", "-c", str(config),
                                     "--exim", str(mta.config), "--no-dns", "--json"])
    found = [json.loads(line) for line in result.stdout.decode().splitlines()]
    told = [each["text"] for each in found if each["check"] == "exim-other-names"]
    assert len(told) == 1 and "mail.example.test" in told[0] and "other.example" in told[0], result
    assert "strict.example" not in told[0] and "pattern" not in told[0]


@pytest.mark.skipif(not program("doveconf"), reason="Dovecot is not installed")
@pytest.mark.parametrize("format, dropped", [("%Ln", True), ("%n", True), ("%{username}", True),
                                             ("%{user | username | lower}", True), ("%{user | lower}", False), ("%Lu", False), ("%u", False),
                                             ("%n@%d", False), ("%{user}", False), ("", False)])
def test_every_domain_is_the_same_mailbox(doctor, format, dropped):
    dovecot = f"auth_username_format = {format}\n"
    levels = []
    for config in ({"mode": "monitor", "policies": STRICT}, {"mode": "off", "policies": STRICT, "domains": ["strict.example"]},
                   {}, {"domains": ["strict.example"]}):
        found, _ = doctor({"mydestination": ""}, dovecot=dovecot, **config)
        levels.append(found.get("dovecot-username-format"))
    assert levels == (["error", "error", "warning", "note"] if dropped else [None] * 4), doctor.text


def test_own_configuration(doctor, mxguard_config):
    found, status = doctor(internal=["10.0.0.0/8"], trace={"mta": ["courier"]})
    assert (found["internal-wide"], found["trace-limits"], found["trace-by"], status) == ("warning", "warning", "note", 1)
    broken = mxguard("doctor", "-c", mxguard_config("mode = 7;\n"), "--json")
    assert broken.returncode == 78 and json.loads(broken.stdout)["check"] == "configuration"


def test_domains_file_that_is_missing(doctor, folder):
    found, status = doctor(domains_file=str(folder / "domains"))
    assert (found["configuration"], status) == ("warning", 1)
    assert doctor.text.count(f"domains_file: {folder}/domains: ") == 1


@pytest.mark.skipif(not exim.path(), reason="Exim is not unpacked")
@pytest.mark.parametrize("acl, level", [
    (exim.policy_acl(pathlib.Path("/run/mxguard/policy")), "ok"), (exim.DEFAULT_ACL, "note"),
    ("acl_check_rcpt:\n  accept domains = +local_domains\n    condition = ${readsocket{/run/other}{x}}\n", None)],
    ids=["asks", "asks not", "asks something"])
def test_whether_exim_asks(folder, mxguard_config, root, acl, level):
    mta = exim.Exim(folder / "exim", acl=acl)
    mta._make_folders()
    mta.write_config()
    script = f"mount -t tmpfs none /usr/local/sbin && ln -s {exim.path()} /usr/local/sbin/exim4 && exec \"$@\""
    result = run(mta._argv()[:-1] + ["unshare", "-m", "sh", "-c", script, "sh", str(build.command()), "doctor", "-c",
                                     str(mxguard_config(settings())), "--exim", str(mta.config), "--no-dns", "--json"])
    found = [json.loads(line) for line in result.stdout.decode().splitlines()]
    assert [each["level"] for each in found if each["check"] == "exim-door"] == ([level] if level else []), result


@pytest.mark.skipif(not program("doveconf"), reason="Dovecot is not installed")
def test_a_dovecot_that_does_not_start(folder, mxguard_config, root):
    """As 2.4 with a setting of ours and without the settings module."""
    (folder / "dovecot.conf").write_text(first_lines() + "mxguard_nothing = 1\n")
    script = f"mount --bind {folder} /etc/dovecot && exec \"$@\""
    result = run(["unshare", "-m", "sh", "-c", script, "sh", str(build.command()), "doctor", "-c",
                  str(mxguard_config(settings())), "--no-dns", "--json"])
    found = [json.loads(line) for line in result.stdout.decode().splitlines()]
    assert [each["level"] for each in found if each["check"] == "dovecot"] == ["error"] and result.returncode == 1, result


def test_what_an_option_names_is_missing(mxguard_config):
    for options, level in ((["--exim", "/nonexistent", "--dovecot", "/nonexistent", "--postfix", "/nonexistent"], "warning"),
                           ([], "note")):
        result = mxguard("doctor", "-c", mxguard_config(settings()), "--no-dns", "--json", *options)
        found = [json.loads(line) for line in result.stdout.decode().splitlines()]
        levels = {each["check"]: each["level"] for each in found if each["check"] in ("exim", "dovecot", "postfix")}
        assert set(levels.values()) <= {level} and (level == "note" or len(levels) == 3), result.stdout


def test_snapshot(doctor, mxguard_config, folder):
    result = mxguard("doctor", "-c", mxguard_config(settings(state_dir=str(folder))), "--no-dns", "--json")
    assert '"check":"snapshot"' in result.stdout.decode().replace(" ", "") and result.returncode == 1


def test_own_address_in_the_mx(doctor, scripted_dns):
    scripted_dns.update({("own.example", "MX"): answer("10 here.example"), ("here.example", "A"): answer("198.51.100.1"),
                         ("other.example", "MX"): answer("10 gw.example"), ("gw.example", "A"): answer("192.0.2.10"),
                         ("here.example", "AAAA"): nxdomain(), ("gw.example", "AAAA"): nxdomain()})
    found, _ = doctor(ask_dns=True, domains=["own.example", "other.example"], dns={
        "servers": [scripted_dns.server], "timeout": "20s"})
    assert found["mx-is-self"] == "warning" and "own.example" in doctor.text and "other.example" not in doctor.text


GOOGLE = {("g.example", "MX"): answer("1 aspmx.l.google.com"), ("aspmx.l.google.com", "A"): answer("192.0.2.1"),
          ("aspmx.l.google.com", "AAAA"): nxdomain()}


@pytest.mark.parametrize("entry, check, level", [
    ({"allow": "mx"}, "vendor", "warning"),
    ({"allow": "mx mx:other.example"}, "vendor", "warning"),
    ({"allow": "ip4:192.0.2.10"}, "vendor", "note"),
    ({"allow": "include:_spf.filter.example"}, "vendor", "note"),
    ({"allow": "mx include:_spf.google.com"}, "vendor-shared", "note"),
    ({"allow": "include:_netblocks2.google.com"}, "vendor-shared", "note"),
    ({"allow": "include:_spf.google.com", "certificate": {"subject": "smtp.google.com", "verified": True}}, "vendor", "ok"),
])
def test_vendor(doctor, scripted_dns, entry, check, level):
    scripted_dns.update(GOOGLE)
    found, _ = doctor(ask_dns=True, domains=["g.example"], gateways=({"name": "x", **entry},),
                      dns={"servers": [scripted_dns.server], "timeout": "20s"})
    if level == "ok":
        assert not {"vendor", "vendor-shared"} & {key for key, value in found.items() if value != "ok"}, found
    else:
        assert found[check] == level and "Google Workspace" in doctor.text and "mxguard suggest g.example" in doctor.text


def test_vendor_is_told_once(doctor, scripted_dns):
    """For all domains that are with it under the same gateways."""
    names = [f"d{number}.example" for number in range(7)]
    scripted_dns.update({**GOOGLE, **{(name, "MX"): answer("1 aspmx.l.google.com") for name in names}})
    doctor(ask_dns=True, domains=names, gateways=({"name": "x", "allow": "mx"},), dns={"servers": [scripted_dns.server], "timeout": "20s"})
    assert doctor.text.count('"vendor"') == 1 and "d0.example and 6 more" in doctor.text


def test_resolver_outside(doctor):
    mx = ({"name": "mx", "allow": "mx"},)
    assert doctor(gateways=mx, dns={"servers": ["192.0.2.53"]})[0]["resolver"] == "warning"
    assert doctor(gateways=mx, dns={"servers": ["127.0.0.1", "[2001:db8::53]:53"]})[0]["resolver"] == "warning"
    assert "resolver" not in doctor(gateways=mx, dns={"servers": ["127.0.0.53", "[::1]:5353"]})[0]
    assert "resolver" not in doctor(gateways=mx, dns={"servers": ["192.0.2.53"], "require_dnssec": True})[0]
    assert "resolver" not in doctor(dns={"servers": ["192.0.2.53"]})[0]  # nothing is asked


def test_bridge(doctor, network, root):
    if subprocess.run(["ip", "link", "add", "br-test", "type", "bridge"], capture_output=True).returncode != 0:
        pytest.skip("no bridge can be made here")
    try:
        subprocess.run(["ip", "addr", "add", "172.19.0.1/16", "dev", "br-test"], check=True)
        assert doctor()[0]["bridge"] == "note"
        assert doctor(internal=["172.19.0.1"])[0]["bridge-internal"] == "error"
        assert doctor(origins=["172.19.0.0/16"])[0]["bridge-origins"] == "warning"
    finally:
        subprocess.run(["ip", "link", "del", "br-test"], check=False)


def test_trap(doctor, folder):
    """What privacy demands of copies of other people's mail."""
    trap = Trap(folder / "trap")
    assert "trap" not in doctor(trap=trap.settings())[0]  # nothing was kept yet
    trap.put(b"x\n", time=int(time.time()) - 40 * 86400)
    found, status = doctor(trap=trap.settings())
    assert found["trap-keep"] == found["trap-backups"] == "warning" and status == 1
    (trap.path / "CACHEDIR.TAG").write_bytes(b"")
    trap.files()[0].unlink()
    trap.put(b"x\n", time=int(time.time()))
    found, _ = doctor(trap=trap.settings())
    assert found["trap"] == "ok" and "trap-keep" not in found and "trap-backups" not in found
    assert doctor(trap=trap.settings(keep="91d"))[0]["trap-keep"] == "warning"
    trap.path.chmod(0o750)
    assert doctor(trap=trap.settings())[0]["trap"] == "warning" and "0750" in doctor.text
