# SPDX-License-Identifier: MIT
"""contrib/fail2ban, contrib/rsyslog, contrib/logrotate and contrib/dovecot, in the real programs."""
from __future__ import annotations

import json
import re
import shutil
import socket
import time
import urllib.request

import pytest

from mxg import build, smtp
from mxg.dovecot import version
from mxg.process import Daemon, program, run, wait_for_text, wait_until
from test_dovecot_rcpt import GATEWAY, LMTP, SPAMMER, USER, policy, server  # noqa: F401

CONTRIB = build.ROOT / "contrib"
VICTIM = "198.51.100.99"
FORMATS = pytest.mark.parametrize("form", ["text", "json"])


def banned(folder, lines: list[str]) -> list[str]:
    """The addresses in the lines that the filter matches, as fail2ban-regex tells."""
    log = folder / "fail2ban.log"
    log.write_text("".join(f"{line}\n" for line in lines))
    shutil.copytree("/etc/fail2ban/filter.d", folder / "f2b" / "filter.d", dirs_exist_ok=True)
    shutil.copy(CONTRIB / "fail2ban" / "filter.d" / "mxguard.conf", folder / "f2b" / "filter.d")
    done = run(["fail2ban-regex", "-c", str(folder / "f2b"), "-o", "row", "--no-check-all", str(log), "mxguard"])
    assert done.returncode in (0, 1), done.stderr
    found = [re.match(r"\['([^']*)',", row) for row in done.stdout.decode().splitlines() if row.startswith("['")]
    return [match[1] for match in found]


needs_fail2ban = pytest.mark.skipif(not program("fail2ban-regex"), reason="fail2ban is not installed")


@pytest.fixture
def rsyslog(folder, stack):
    """The kit's rule in a real rsyslogd, with its socket and its file in FOLDER: say(tag, line), lines()."""
    if not program("rsyslogd"):
        pytest.skip("rsyslog is not installed")
    rule = (CONTRIB / "rsyslog" / "mxguard.conf").read_text().replace("/var/log/mxguard.log", str(folder / "mxguard.log"))
    (folder / "rsyslog.conf").write_text(
        f'global(workDirectory="{folder}")\nmodule(load="imuxsock" SysSock.Use="off")\n'
        f'input(type="imuxsock" Socket="{folder}/log")\n{rule}\n*.* {folder}/all.log\n')
    assert run(["rsyslogd", "-N1", "-f", str(folder / "rsyslog.conf")]).returncode == 0
    daemon = Daemon(["rsyslogd", "-n", "-f", str(folder / "rsyslog.conf"), "-i", str(folder / "rsyslog.pid")], folder / "rsyslog.out")
    daemon.start(lambda: (folder / "log").exists(), "rsyslogd listens")
    stack.callback(daemon.stop)

    class Log:
        @staticmethod
        def say(tag, line):
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.connect(str(folder / "log"))
                sock.send(f"<22>{time.strftime('%b %e %H:%M:%S')} {tag}: {line}".encode())

        @staticmethod
        def lines(count, name="mxguard"):
            path = folder / f"{name}.log"
            return wait_until(lambda: path.exists() and len(found := path.read_text().splitlines()) >= count and found,
                              f"{count} lines in {path}")
    return Log


@FORMATS
@needs_fail2ban
def test_from_the_service_to_the_ban(rsyslog, policy_service, mxguard_config, folder, form):
    """What the real service says of each decision goes by syslog into the kit's file; one kind of line bans."""
    service = policy_service(mxguard_config(policy(
        log_format=form, internal=["198.51.100.7"], policies=({"domains": ["watched.test"], "mode": "monitor"},))))
    for peer, rcpt in ((SPAMMER, USER), (GATEWAY, USER), (VICTIM, "a@watched.test"), ("198.51.100.7", USER), ("2001:db8::66", USER)):
        service.ask(peer, rcpt, helo_name="client.example")
    said = [line for line in service.log().splitlines() if "verdict" in line]
    assert len(said) == 4  # of the internal host only the header can tell
    for line in said:
        rsyslog.say("mxguard[77]", line)
    rsyslog.say("postfix/smtpd[9]", said[0].replace(SPAMMER, VICTIM))
    rsyslog.lines(5, "all")
    kept = rsyslog.lines(4)
    assert len(kept) == 4 and all("mxguard[77]: " in line for line in kept)
    assert banned(folder, kept) == [SPAMMER, "2001:db8::66"]
    assert banned(folder, rsyslog.lines(5, "all")) == [SPAMMER, "2001:db8::66"]


@FORMATS
@needs_fail2ban
def test_no_client_bans_another(policy_service, mxguard_config, folder, form):
    """A line of ours in a name that a client gives, in our lines and in other programs' lines."""
    service = policy_service(mxguard_config(policy(log_format=form)))
    lie = {"text": f"mxguard: verdict=direct action=reject would=- mode=enforce place=door peer={VICTIM} boundary={VICTIM} hop=0 gateway=- ",
           "json": '{"verdict":"direct","action":"reject","would":null,"mode":"enforce","place":"door",'
                   f'"peer":"{VICTIM}","boundary":"{VICTIM}","hop":0,"gateway":null'}
    stamp = time.strftime("%b %e %H:%M:%S")
    lines = []
    for each in (*lie.values(), f"{stamp} host mxguard[1]: {lie['text']}", f"\n{stamp} host mxguard[1]: {lie[form]}"):
        service.ask(SPAMMER, USER, helo_name=each.replace("\n", "\r"), sender=f"{each}@x".replace("\n", "\r"), queue_id=each.strip())
        each = each.replace("\n", " ")
        lines += [f"{stamp} host postfix/smtpd[5]: NOQUEUE: reject: RCPT from unknown[{SPAMMER}]: helo=<{each}>",
                  f"{stamp} host postfix/smtpd[5]: {each}", f"{stamp} host sshd[5]: Invalid user mxguard[1]: {each} from {SPAMMER}",
                  f"{stamp} host dovecot: lmtp(a b): x mxguard[1]: {each}", f"{stamp} host dovecot: imap-login: {each}",
                  f"{stamp} host dovecot: lmtp(5): Disconnect: mxguard[1]: {each}", f"{stamp} host xmxguard[1]: {each}",
                  f"{stamp} host x mxguard[1]: {each}", f"{stamp} host mxguard[1]: warning: {each}"]
    ours = [f"{stamp} host mxguard[1]: {line}" for line in service.log().splitlines()]
    assert len([line for line in ours if "verdict" in line]) == 4
    assert banned(folder, lines) == []
    assert banned(folder, ours) == [SPAMMER] * 4


@FORMATS
@needs_fail2ban
def test_what_dovecot_writes_bans(server, folder, form):
    running = server(policy(log_format=form))
    smtp.deliver(LMTP, USER, source=SPAMMER)
    smtp.deliver(LMTP, USER, source=GATEWAY)
    running.wait_log("authorized")
    own = running.log().splitlines()
    by_syslog = [re.sub(r"^\S+ \S+ (lmtp\S+) Info: ", time.strftime("%b %e %H:%M:%S host dovecot[1]: ") + r"\1 ", line) for line in own]
    assert banned(folder, own + by_syslog) == [SPAMMER, SPAMMER]


@needs_fail2ban
def test_the_jail_is_read(folder):
    for kind in ("filter.d", "jail.d"):
        shutil.copytree(f"/etc/fail2ban/{kind}", folder / "f2b" / kind)
        shutil.copy(CONTRIB / "fail2ban" / kind / "mxguard.conf", folder / "f2b" / kind)
    for name in ("fail2ban.conf", "jail.conf", "paths-common.conf", "paths-debian.conf", "action.d"):
        (folder / "f2b" / name).symlink_to(f"/etc/fail2ban/{name}")
    (folder / "f2b" / "jail.d" / "defaults-debian.conf").unlink()
    done = run(["fail2ban-client", "-c", str(folder / "f2b"), "-d"])
    said = done.stdout.decode()
    assert done.returncode == 0, said + done.stderr.decode()
    assert re.search(r"\['add', 'mxguard', 'systemd'\]", said) and re.search(r"'mxguard', 'maxretry', 10\]", said), said
    assert re.search(r"'mxguard', 'addjournalmatch',.*mxguard-policy.service", said)


@pytest.mark.skipif(not program("logrotate"), reason="logrotate is not installed")
def test_logrotate(folder):
    kit = (CONTRIB / "logrotate" / "mxguard").read_text()
    log = folder / "mxguard.log"
    log.write_text("one line\n")
    (folder / "kit").write_text(kit.replace("/var/log/mxguard.log", str(log)).replace(
        "/usr/lib/rsyslog/rsyslog-rotate", f"touch {folder}/rotated"))
    (folder / "kit").chmod(0o644)
    checked = run(["logrotate", "-d", "-s", str(folder / "state"), str(folder / "kit")])
    assert checked.returncode == 0 and b"error" not in checked.stderr, checked.stderr
    for _ in range(2):
        done = run(["logrotate", "-f", "-s", str(folder / "state"), str(folder / "kit")])
        assert done.returncode == 0, done.stderr
        log.write_text("another line\n")
    assert (folder / "rotated").exists() and (folder / "mxguard.log.2.gz").exists()
    assert log.stat().st_mode & 0o777 == 0o640


def test_dovecot_counts_and_exports(server):
    kit = CONTRIB / "dovecot" / ("mxguard-metrics-2.4.conf" if version() >= (2, 4) else "mxguard-metrics-2.3.conf")
    running = server(extra=kit.read_text())
    for source in (GATEWAY, SPAMMER, SPAMMER):
        smtp.deliver(LMTP, USER, source=source)

    def scraped():
        with urllib.request.urlopen("http://127.0.0.1:9900/metrics") as reply:
            text = reply.read().decode()
        found = dict(re.findall(r'^dovecot_mxguard_decisions_total\{verdict="(\w+)",action="\w+"\} (\d+)$', text, re.M))
        return found if sum(map(int, found.values())) == 3 else None
    assert wait_until(scraped, "Dovecot has counted") == {"authorized": "1", "direct": "2"}
    assert re.search(r"^mxguard_refused\t\w+\t2\t", running.doveadm("stats", "dump").stdout.decode(), re.M)
    exported = [json.loads(line) for line in re.findall(r"(\{.*mxguard_decision.*\})", wait_for_text(
        running.log, r"(?s).*mxguard_decision.*mxguard_decision.*")[0])]
    assert [(each["fields"]["peer"], each["fields"]["reason"]) for each in exported] == [(SPAMMER, "peer-not-a-gateway")] * 2
