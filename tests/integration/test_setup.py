# SPDX-License-Identifier: MIT
"""mxguard setup: what it prints is a configuration that loads, fits the servers that are here, and decides
right once the servers have the lines that it prints."""
from __future__ import annotations

import json
import os
import re
import stat

import pytest

from mxg import build, exim as exim_config, smtp
from mxg import postfix as postfix_config
from mxg.dns_script import answer, nxdomain, servfail
from mxg.dovecot import version
from mxg.mxguard import check, mxguard
from mxg.process import run, wait_until

SMTP = ("192.0.2.1", 25)
GATEWAY, SPAMMER = "192.0.2.10", "203.0.113.66"
USER = "user@example.test"
ZONE = {("example.test", "MX"): answer("10 eu-smtp-inbound-1.mimecast.com"),
        ("_netblocks.mimecast.com", "TXT"): f"v=spf1 ip4:{GATEWAY} -all"}
HERE = ["--postfix", "/nonexistent", "--exim", "/nonexistent", "--dovecot", "/nonexistent"]


def parts(*options, status=0, argv=None):
    """The JSON of `mxguard setup`."""
    command = [str(build.command()), "setup", "--json", *map(str, options)]
    result = run([*(argv or []), *command])
    assert result.returncode == status, result
    return json.loads(result.stdout) if status == 0 else result


def settings_of(lines):
    """Lines of main.cf as a dict."""
    return dict(re.fullmatch(r"(\w+) = (.*)", line).groups() for line in lines.splitlines())


def test_postfix_and_dovecot(postfix, dovecot, policy_service, scripted_dns, folder, network):
    """From nothing to a message that is decided, by what is printed alone."""
    scripted_dns.update(ZONE)
    before = dovecot(lmtp=[])
    lmtp = postfix_config.lmtp_to(before.socket)
    mta = postfix(main={**lmtp, "mynetworks": "127.0.0.0/8 [::1]/128 198.51.100.0/28", "virtual_mailbox_domains": "example.test"})
    conf = folder / "here" / "mxguard.conf"
    options = ["-c", conf, "--postfix", mta.config, "--dovecot", before.config, "--server", scripted_dns.server]
    found = parts(*options, "--write")
    assert conf.read_text() == found["config"] and stat.S_IMODE(conf.stat().st_mode) == 0o644
    assert found["mta"] == ["postfix"] and found["domains"] == ["example.test"] and found["by"] == ["mail.example.test"]
    assert found["origins"] == ["198.51.100.0/28"] and 'mode = "monitor"' in found["config"]
    assert check(conf, peer=GATEWAY, rcpt=USER)["verdict"] == "authorized"
    assert check(conf, peer=SPAMMER, rcpt=USER)["would"] == "reject"

    service = policy_service(conf, port=10033)
    mta.main.update(settings_of(found["postfix_lines"]))
    before.stop()
    after = dovecot(lmtp=[], extra=found["dovecot_lines"], place_mxguard=True)
    mta.main.update(postfix_config.lmtp_to(after.socket))
    mta.reload()
    doctor = [str(build.command()), "doctor", "-c", str(conf), "--postfix", str(mta.config), "--dovecot", str(after.config)]
    told = [json.loads(line) for line in run([*after.placed(doctor), "--json"]).stdout.splitlines()]
    assert {"dovecot-plugin", "snapshot"} <= {each["check"] for each in told}
    assert not [each for each in told if each["level"] in ("warning", "error") and each["check"] != "snapshot"], told

    for source in (GATEWAY, SPAMMER):
        assert smtp.deliver(SMTP, USER, lmtp=False, source=source).final(USER).code == 250
    wait_until(lambda: after.count(USER) == 2, "both are delivered")
    assert re.search(rf"verdict=authorized .*place=door peer={re.escape(GATEWAY)} ", service.log())
    assert re.search(rf"verdict=direct action=accept would=reject mode=monitor place=door peer={re.escape(SPAMMER)} ", service.log())
    after.wait_log(rf"verdict=authorized .*place=queued .*boundary={re.escape(GATEWAY)}")
    after.wait_log(rf"verdict=direct action=accept would=quarantine .*place=queued .*boundary={re.escape(SPAMMER)}")


def test_whole_output_is_a_configuration(postfix, dovecot, scripted_dns, folder, network):
    """Who redirects it into the file has the same; what is for others stands there as comments."""
    scripted_dns.update(ZONE)
    running, mta = dovecot(lmtp=[]), postfix()
    result = mxguard("setup", "-c", "/etc/mxguard/mxguard.conf", "--postfix", mta.config, "--dovecot", running.config,
                     "--server", scripted_dns.server)
    text = result.stdout.decode()
    conf = folder / "mxguard.conf"
    conf.write_text(text)
    assert result.returncode == 0 and check(conf, peer=GATEWAY, rcpt=USER)["verdict"] == "authorized"
    wanted = ["# smtpd_recipient_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination, "
              "check_policy_service { inet:127.0.0.1:10033, timeout=30s }", "# smtpd_sasl_authenticated_header = yes",
              "# mxguard setup --write", "# mxguard doctor"]
    wanted += ["#     mxguard = yes"] if version() >= (2, 4) else ["#   mail_plugins = $mail_plugins mxguard"]
    assert set(wanted) <= set(text.splitlines()), text
    assert "mxguard_config" not in text  # a line that can keep all of Dovecot 2.4 from starting, for a value that is the default
    for line in text.splitlines():
        assert line.startswith("#") or not re.search("smtpd_|mail_plugins|systemctl", line)


@pytest.mark.parametrize("now, then", [
    ("permit_mynetworks, reject_unauth_destination, permit", "permit_mynetworks, reject_unauth_destination, {}, permit"),
    ("reject_unauth_pipelining", "reject_unauth_pipelining, {}"),
    ("permit_mynetworks, permit", "permit_mynetworks, {}, permit"),
    ("permit_mynetworks, reject_unauth_destination, check_policy_service inet:127.0.0.1:10023",
     "permit_mynetworks, reject_unauth_destination, {}, check_policy_service inet:127.0.0.1:10023"),
    ("permit_auth_destination, reject_unauth_destination", "{}, permit_auth_destination, reject_unauth_destination"),
    ("warn_if_reject reject, reject_unauth_destination", "warn_if_reject reject, reject_unauth_destination, {}"),
    ("warn_if_reject reject, reject", "warn_if_reject reject, {}, reject"),
    ("warn_if_reject permit", "{}, warn_if_reject permit"),
    ("check_recipient_access inline:{ { a.test = { x } permit } }, reject_unauth_destination, permit",
     "check_recipient_access inline:{ { a.test = { x } permit } }, reject_unauth_destination, {}, permit"),
    ("check_recipient_access inline:{ { a.test = reject_unauth_destination } }, reject",
     "check_recipient_access inline:{ { a.test = reject_unauth_destination } }, {}, reject"),
    ("check_policy_service unix:private/postgrey, permit_auth_destination, reject",
     "check_policy_service unix:private/postgrey, {}, permit_auth_destination, reject"),
])
def test_restrictions_are_kept(folder, now, then):
    etc = folder / "etc"
    etc.mkdir()
    (etc / "main.cf").write_text(f"myhostname = mail.example.test\nsmtpd_recipient_restrictions = {now}\n")
    (etc / "master.cf").write_text(postfix_config.MASTER)
    lines = settings_of(parts("--postfix", etc, "--no-dns")["postfix_lines"])
    assert lines["smtpd_recipient_restrictions"] == then.replace("{}", "check_policy_service { inet:127.0.0.1:10033, timeout=30s }")
    (etc / "main.cf").write_text("smtpd_recipient_restrictions = check_policy_service inet:127.0.0.1:10033\n"
                                 "smtpd_sasl_authenticated_header = yes\n")
    assert parts("--postfix", etc, "--no-dns")["postfix_lines"] is None


def test_what_postfix_says(folder, network):
    """Domains out of tables, relays, a NAT, LMTP over an address of this host; hostile words are no settings."""
    etc = folder / "etc"
    etc.mkdir()
    (etc / "domains").write_text("one.example ok\n# two.example\nuser@three.example ok\n")
    (etc / "main.cf").write_text(
        "myhostname = mail.example.test\nmydestination = $myhostname, localhost\n"
        f"virtual_mailbox_domains = texthash:{etc}/domains, mysql:/nonexistent/sql.cf, a\"b.example\n"
        "mynetworks = 127.0.0.0/8 [::1]/128 203.0.113.0/28 0.0.0.0/0\nproxy_interfaces = 198.51.100.99\n"
        "smtpd_authorized_xforward_hosts = 192.0.2.77\nvirtual_transport = lmtp:inet:192.0.2.1:24\n")
    (etc / "master.cf").write_text(postfix_config.MASTER)
    conf = folder / "new" / "mxguard.conf"
    found = parts("--postfix", etc, "--no-dns", "-c", conf, "--write")
    assert found["domains"] == ["one.example", "mail.example.test", "localhost"]
    assert found["internal"] == ["192.0.2.77", "192.0.2.1"] and found["origins"] == ["203.0.113.0/28"]
    assert '"198.51.100.99"' in found["config"] and "mysql:/nonexistent/sql.cf cannot be listed" in found["config"]
    assert check(conf, peer="192.0.2.77", rcpt="a@one.example")["reason"] != "configuration"
    assert check(conf, peer="203.0.113.7", rcpt="a@one.example")["verdict"] == "internal"


@pytest.mark.skipif(not exim_config.path(), reason="Exim is not unpacked")
def test_exim(exim, policy_service, scripted_dns, folder, root, network):
    scripted_dns.update(ZONE)
    plain = exim_config.Exim(folder / "plain")
    plain._make_folders()
    plain.write_config()
    script = f"mount -t tmpfs none /usr/local/sbin && ln -s {exim_config.path()} /usr/local/sbin/exim4 && exec \"$@\""
    conf = folder / "here" / "mxguard.conf"
    found = parts("-c", conf, "--write", "--exim", plain.config, "--server", scripted_dns.server,
                  argv=[*plain._argv()[:-1], "unshare", "-m", "sh", "-c", script, "sh"])
    assert found["mta"] == ["exim"] and found["domains"] == ["example.test"] and found["by"] == ["mail.example.test"]
    assert 'mta = [ "exim" ]' in found["config"]
    service = policy_service(conf)
    acl = "acl_check_rcpt:\n" + found["exim_lines"].replace("/run/mxguard/policy", str(service.socket)) + \
        "  accept domains = +local_domains\n  deny message = relay not permitted\n"
    mta = exim(acl=acl)
    for source in (GATEWAY, SPAMMER):
        assert smtp.deliver(SMTP, USER, lmtp=False, source=source).final(USER).code == 250
    wait_until(lambda: mta.log().count("Completed") == 2, "both are delivered")
    assert re.search(rf"verdict=authorized .*peer={re.escape(GATEWAY)} ", service.log())
    assert re.search(rf"verdict=direct action=accept would=reject .*peer={re.escape(SPAMMER)} ", service.log())
    again = parts("--exim", mta.config, "--no-dns", argv=[*mta._argv()[:-1], "unshare", "-m", "sh", "-c", script, "sh"])
    assert again["mta"] == ["exim"] and again["exim_lines"] is None


@pytest.mark.skipif(not exim_config.path(), reason="Exim is not unpacked")
@pytest.mark.parametrize("split, where", [("false", "exim4.conf.localmacros"), ("true", "conf.d/main/000_mxguard")])
def test_exim_of_debian(folder, root, split, where):
    """Its configuration is put together from parts, and takes in a file that a macro names."""
    plain = exim_config.Exim(folder / "plain")
    plain._make_folders()
    plain.write_config()
    script = f"""set -e; cp -a /etc {folder}/etc; rm -rf {folder}/etc/exim4; mkdir {folder}/etc/exim4
        echo "dc_use_split_config='{split}'" >{folder}/etc/exim4/update-exim4.conf.conf; mount --bind {folder}/etc /etc
        mount -t tmpfs none /usr/local/sbin; ln -s {exim_config.path()} /usr/local/sbin/exim4; exec "$@" """
    result = run([*plain._argv()[:-1], "unshare", "-m", "--pid", "--fork", "--mount-proc", "sh", "-c", script, "sh",
                  str(build.command()), "setup", "-c", str(folder / "mxguard.conf"), "--no-dns", "--dovecot", "/nonexistent"])
    acl = "".join("# " + line for line in (build.ROOT / "data" / "exim.acl").read_text().splitlines(keepends=True))
    assert (f"# ---- Exim: a new file, /etc/exim4/mxguard.acl\n{acl}\n# ---- Exim: in /etc/exim4/{where}, then "
            "update-exim4.conf && systemctl restart exim4\n# CHECK_RCPT_LOCAL_ACL_FILE = /etc/exim4/mxguard.acl\n"
            ) in result.stdout.decode(), result


def test_exim_lines_are_those_of_the_manual():
    acl = exim_config.policy_acl("/run/mxguard/policy")
    text = (build.ROOT / "data" / "exim.acl").read_text()
    assert len(text) > 500 and acl.startswith("acl_check_rcpt:\n" + text)


def test_nothing_here(folder, root):
    """No MTA, no Dovecot: a configuration all the same, and not a word about servers."""
    conf = folder / "mxguard.conf"
    script = "mount -t tmpfs none /usr/sbin && mount -t tmpfs none /usr/local/sbin && exec \"$@\""
    found = parts("-c", conf, "--write", "--no-dns", argv=["unshare", "-m", "--propagation", "private", "sh", "-c", script, "sh"])
    assert found["mta"] == [] and found["dovecot"] is None and found["domains"] == []
    assert found["postfix_lines"] is found["exim_lines"] is found["dovecot_lines"] is None
    assert check(conf, peer=SPAMMER, rcpt="a@example.test")["action"] in ("accept", "tag")  # monitor


def test_dns_that_fails_is_no_gateway_that_is_known(folder, scripted_dns):
    etc = folder / "etc"
    etc.mkdir()
    (etc / "main.cf").write_text("myhostname = mail.example.test\nmydestination = example.test\n")
    (etc / "master.cf").write_text(postfix_config.MASTER)
    scripted_dns.set("example.test", "MX", servfail())
    found = parts("--postfix", etc, "--server", scripted_dns.server, "-c", folder / "new.conf", "--write")
    assert "DNS does not say" in found["config"] and 'name = "current-mx"; allow = "mx"' in found["config"]
    assert check(folder / "new.conf", peer=SPAMMER, rcpt="a@example.test")["mode"] == "monitor"


def test_domains_that_differ(folder, scripted_dns):
    etc = folder / "etc"
    etc.mkdir()
    (etc / "main.cf").write_text("myhostname = mail.example.test\nmydestination = example.test, g.test, n.test\n")
    (etc / "master.cf").write_text(postfix_config.MASTER)
    scripted_dns.update({**ZONE, ("g.test", "MX"): answer("1 aspmx.l.google.com"), ("n.test", "MX"): nxdomain(),
                         ("_spf.google.com", "TXT"): "v=spf1 ip4:192.0.2.200 -all"})
    conf = folder / "new.conf"
    parts("--postfix", etc, "--server", scripted_dns.server, "-c", conf, "--write")
    assert check(conf, peer=GATEWAY, rcpt="a@example.test")["verdict"] == "authorized"
    assert check(conf, peer="192.0.2.200", rcpt="a@g.test")["verdict"] == "authorized"
    assert check(conf, peer="192.0.2.200", rcpt="a@example.test")["verdict"] == "direct"


@pytest.mark.parametrize("reply", [servfail(), nxdomain()])
def test_the_filter_of_one_domain_is_not_that_of_another(folder, scripted_dns, reply):
    """… whose own is not known: who rents space at that filter would pass for its gateway."""
    etc, conf = folder / "etc", folder / "new.conf"
    etc.mkdir()
    (etc / "main.cf").write_text("myhostname = mail.example.test\nmydestination = example.test, other.test\n")
    (etc / "master.cf").write_text(postfix_config.MASTER)
    scripted_dns.update({**ZONE, ("other.test", "MX"): reply})
    parts("--postfix", etc, "--server", scripted_dns.server, "-c", conf, "--write")
    assert check(conf, peer=GATEWAY, rcpt="a@example.test")["verdict"] == "authorized"
    assert check(conf, peer=GATEWAY, rcpt="a@other.test")["verdict"] != "authorized"


def test_domains_that_were_not_asked_for(folder, scripted_dns):
    etc, conf = folder / "etc", folder / "new.conf"
    etc.mkdir()
    names = [f"d{i}.test" for i in range(51)]
    (etc / "main.cf").write_text(f"myhostname = mail.example.test\nmydestination = {', '.join(names)}\n")
    (etc / "master.cf").write_text(postfix_config.MASTER)
    scripted_dns.update({**ZONE, **{(name, "MX"): ZONE["example.test", "MX"] for name in names[:50]}})
    scripted_dns.set("d50.test", "MX", "10 own.test")
    scripted_dns.set("own.test", "A", "192.0.2.201")
    parts("--postfix", etc, "--server", scripted_dns.server, "-c", conf, "--write")
    assert check(conf, peer=GATEWAY, rcpt="a@d49.test")["verdict"] == "authorized"
    assert check(conf, peer=GATEWAY, rcpt="a@d50.test")["verdict"] == "direct"
    assert check(conf, peer="192.0.2.201", rcpt="a@d50.test")["verdict"] == "authorized"


def test_write_only_where_there_is_none(folder):
    conf = folder / "etc" / "mxguard.conf"
    assert f"editor {conf} " in parts(*HERE, "--no-dns", "-c", conf, "--write")["next"]
    before = conf.read_text()
    result = parts(*HERE, "--no-dns", "-c", conf, "--write", status=73)
    assert b"--exim /nonexistent: No such file or directory; nothing is read from there" in result.stderr
    assert b"is there already" in result.stderr and result.stdout == b"" and conf.read_text() == before


def test_what_comes_next_is_right_where_a_file_is_there(folder):
    """As a package installs one: the commands, run as they stand, end in the new file, and the old one is kept."""
    conf = folder / "an etc" / "mxguard.conf"
    kept = conf.with_name("mxguard.conf.before")
    steps = parts(*HERE, "--no-dns", "-c", conf)["next"].splitlines()
    assert steps[0] == f"mxguard setup --write -c '{conf}'"
    conf.parent.mkdir()
    conf.write_text("# as shipped\n")
    steps = parts(*HERE, "--no-dns", "-c", conf)["next"].splitlines()
    assert steps[0].startswith(f"mv -n '{conf}' '{kept}' ") and steps[1] == f"mxguard setup --write -c '{conf}'"
    refused = parts(*HERE, "--no-dns", "-c", conf, "--write", status=73).stderr.decode()
    assert f"(mv -n '{conf}' '{kept}')" in refused
    commands = f"PATH={build.command().parent}:$PATH\n{steps[0]}\n{steps[1]} --no-dns {' '.join(HERE)}"
    assert run(["sh", "-c", commands]).returncode == 0 and kept.read_text() == "# as shipped\n"
    written = conf.read_text()
    assert 'mode = "monitor"' in written
    assert run(["sh", "-c", commands]).returncode == 73  # and nothing is lost by the second time
    assert kept.read_text() == "# as shipped\n" and conf.read_text() == written


@pytest.mark.parametrize("name", ["mxguard.conf", "it's 100% $HOME \"x\".conf"])
def test_units_read_another_file_by_drop_ins(folder, name):
    """Run as they stand, but for the folder, the commands make what systemd takes; for the usual file there are none."""
    conf, units = folder / name, folder / "units"
    etc = folder / "postfix"
    etc.mkdir()
    (etc / "main.cf").write_text("myhostname = mail.example.test\nmydestination = a.test\n")
    (etc / "master.cf").write_text(postfix_config.MASTER)
    steps = parts("--postfix", etc, "--no-dns", "-c", conf)["next"].splitlines()
    commands = [step for step in steps if step.startswith(("mkdir", "printf"))]
    assert len(commands) == 4 and steps[-2].startswith("systemctl enable --now mxguard-refresh.timer mxguard-policy.socket")
    assert steps[-3] == "systemctl daemon-reload" and any("/tmp" in step and step.startswith("# ") for step in steps)
    assert run(["sh", "-ec", "\n".join(commands).replace("/etc/systemd/system", str(units))]).returncode == 0
    quoted = str(conf).replace("%", "%%").replace("$", "$$").replace('"', '\\"')
    for unit, what in (("mxguard-refresh", "refresh --due --quiet"), ("mxguard-policy", "policy")):
        written = (units / f"{unit}.service.d" / "config.conf").read_text()
        assert written == f'[Unit]\nConditionPathExists=\n[Service]\nExecStart=\nExecStart=mxguard {what} -c "{quoted}"\n'
    usual = parts("--postfix", etc, "--no-dns")["next"]
    assert "systemd/system" not in usual and "mxguard-refresh.timer" in usual


def test_write_follows_no_link(folder):
    target, conf = folder / "elsewhere", folder / "mxguard.conf"
    conf.symlink_to(target)
    parts(*HERE, "--no-dns", "-c", conf, "--write", status=73)
    assert not target.exists() and conf.is_symlink()
    (folder / "real").mkdir()
    (folder / "link").symlink_to(folder / "real")
    parts(*HERE, "--no-dns", "-c", folder / "link" / "mxguard.conf", "--write", status=73)
    assert not os.listdir(folder / "real")


def test_write_with_a_strict_umask(folder):
    conf = folder / "mxguard.conf"
    parts(*HERE, "--no-dns", "-c", conf, "--write", argv=["sh", "-c", "umask 077 && exec \"$@\"", "sh"])
    assert stat.S_IMODE(conf.stat().st_mode) == 0o644


def test_a_full_disk_leaves_nothing(folder, root):
    where = folder / "small"
    where.mkdir()
    script = f"mount -t tmpfs -o size=4k,nr_inodes=20 none {where} && head -c 4096 /dev/zero > {where}/full; \"$@\"; s=$?; ls {where}; exit $s"
    result = parts(*HERE, "--no-dns", "-c", where / "mxguard.conf", "--write", status=73,
                   argv=["unshare", "-m", "--propagation", "private", "sh", "-c", script, "sh"])
    assert result.stdout == b"full\n" and b"cannot be written" in result.stderr


def test_wrong_use():
    assert mxguard("setup", "more").returncode == 64
    for path in ("relative.conf", "", "/etc/x\nauth_mechanisms = anonymous", "/etc/x\x1b[2J", "/etc/x\x7f"):
        done = mxguard("setup", "-c", path)  # it becomes a line of dovecot.conf
        assert done.returncode == 64 and b"whole path" in done.stderr and done.stdout == b"" and b"\x1b" not in done.stderr
    assert mxguard("setup", "--server", '127.0.0.1"; mode = "off').returncode == 64
