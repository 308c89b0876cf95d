# SPDX-License-Identifier: MIT
"""A private Postfix in a temporary folder, with a master.cf of ours."""
from __future__ import annotations

import grp
import json
import os
import pathlib
import pwd
import re
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence

from .process import (PATIENCE, Daemon, Server, listening, program, resolver_file, run, wait_for_text, wait_until,
                      with_files)

DAEMONS = pathlib.Path("/usr/lib/postfix/sbin")
QUEUES = ("active bounce corrupt defer deferred flush hold incoming private saved trace").split()

MASTER = """\
pickup     unix  n  -  n  60    1  pickup
cleanup    unix  n  -  n  -     0  cleanup
qmgr       unix  n  -  n  300   1  qmgr
tlsmgr     unix  -  -  n  1000? 1  tlsmgr
rewrite    unix  -  -  n  -     -  trivial-rewrite
bounce     unix  -  -  n  -     0  bounce
defer      unix  -  -  n  -     0  bounce
trace      unix  -  -  n  -     0  bounce
verify     unix  -  -  n  -     1  verify
flush      unix  n  -  n  1000? 0  flush
proxymap   unix  -  -  n  -     -  proxymap
smtp       unix  -  -  n  -     -  smtp
relay      unix  -  -  n  -     -  smtp
showq      unix  n  -  n  -     -  showq
error      unix  -  -  n  -     -  error
retry      unix  -  -  n  -     -  error
discard    unix  -  -  n  -     -  discard
local      unix  -  n  n  -     -  local
virtual    unix  -  n  n  -     -  virtual
lmtp       unix  -  -  n  -     -  lmtp
anvil      unix  -  -  n  -     1  anvil
scache     unix  -  -  n  -     1  scache
postlog    unix-dgram n - n -   1  postlogd
"""


def _write(path: pathlib.Path, text: str) -> None:
    """Postfix waits until a file has not been changed for a second or two; so it is old."""
    path.write_text(text, encoding="utf-8")
    past = time.time() - 60
    os.utime(path, (past, past))


def lmtp_to(socket: pathlib.Path) -> dict[str, str]:
    """Settings: mail for example.test goes to this LMTP socket."""
    return {"virtual_transport": f"lmtp:unix:{socket}"}


def sasl_by(auth_socket: pathlib.Path) -> dict[str, str]:
    """Settings for an smtpd: Dovecot's auth socket checks logins (PLAIN, without TLS too)."""
    return {"smtpd_sasl_auth_enable": "yes", "smtpd_sasl_type": "dovecot",
            "smtpd_sasl_path": f"unix:{auth_socket}"}


class Postfix(Server):
    """MAIN: settings over the defaults below. SMTPD: (address, port, settings) of each smtpd.
    ETC: its programs find it in /etc/postfix, so that any user may hand in mail. SERVICES: more lines for master.cf, as they are, e.g. from pipe_service() and
    spawn_service(). RESOLVER: an address where a DNS server answers at port 53."""

    def __init__(self, folder: pathlib.Path, main: Mapping[str, str] | None = None,
                 smtpd: Sequence[tuple[str, int, Mapping[str, str]]] = (("192.0.2.1", 25, {}),),
                 services: str = "", resolver: str | None = None, etc: bool = False) -> None:
        self.folder, self.smtpd, self.services, self.resolver = folder, smtpd, services, resolver
        self.etc = etc
        self.config = folder / "etc"
        self.queue = folder / "queue"
        self.log_path = folder / "maillog"
        self.main = {**self._defaults(), **(main or {})}
        self._daemon = Daemon([], folder / "postfix.out")

    @staticmethod
    def available() -> bool:
        return (DAEMONS / "master").exists()

    def _defaults(self) -> dict[str, str]:
        return {
            "compatibility_level": "3.6",
            "queue_directory": str(self.queue),
            "data_directory": str(self.folder / "data"),
            "daemon_directory": str(DAEMONS),
            "mail_owner": "postfix",
            "setgid_group": "postdrop",
            "maillog_file": str(self.log_path),
            "maillog_file_prefixes": f"/var, /dev/stdout, {self.folder}",
            "myhostname": "mail.example.test",
            "mydomain": "example.test",
            "mydestination": "",
            "mynetworks": "127.0.0.0/8 [::1]/128",
            "virtual_mailbox_domains": "example.test",
            "smtpd_relay_restrictions": "permit_mynetworks, permit_sasl_authenticated, "
                                        "reject_unauth_destination",
            "smtpd_peername_lookup": "yes" if self.resolver else "no",
            # Mail for elsewhere (a bounce, a redirect) stays in the queue, where it can be seen.
            "default_transport": "retry:4.4.1 nothing leaves the test network",
            "alias_maps": "",
            "alias_database": "",
            "biff": "no",
            "inet_protocols": "all",
            "smtpd_client_connection_count_limit": "0",
            "smtpd_client_connection_rate_limit": "0",
            "in_flow_delay": "0",
            "minimal_backoff_time": "1s",
            "queue_run_delay": "1s",
            "import_environment": "MAIL_CONFIG MAIL_DEBUG MAIL_LOGTAG TZ LANG=C",
        }

    # Running it

    def start(self) -> "Postfix":
        self._make_folders()
        self.write_config()
        files = resolver_file(self.folder, self.resolver) if self.resolver else {}
        if self.etc:
            files["/etc/postfix"] = self.config
        self._daemon.argv = with_files([str(DAEMONS / "master"), "-c", str(self.config), "-d"],
                                       files)
        self._daemon.start(self._ready, "Postfix listens")
        return self

    def _make_folders(self) -> None:
        postfix, postdrop = pwd.getpwnam("postfix").pw_uid, grp.getgrnam("postdrop").gr_gid
        for path in (self.folder, self.config, self.queue, self.queue / "pid"):
            path.mkdir(parents=True, exist_ok=True)
        for path in [self.folder / "data", *(self.queue / name for name in QUEUES)]:
            path.mkdir(exist_ok=True, mode=0o700)
            os.chown(path, postfix, -1)
        for name, mode in (("maildrop", 0o730), ("public", 0o710)):
            path = self.queue / name
            path.mkdir(exist_ok=True)
            os.chown(path, postfix, postdrop)
            path.chmod(mode)

    def write_config(self) -> None:
        lines = [f"{key} = {value}" for key, value in self.main.items()]
        _write(self.config / "main.cf", "\n".join(lines) + "\n")
        text = MASTER
        for address, port, settings in self.smtpd:
            where = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
            text += f"{where} inet n - n - - smtpd\n"
            text += "".join(f"  -o {{ {key} = {value} }}\n" for key, value in settings.items())
        text += self.services.rstrip("\n") + "\n"
        _write(self.config / "master.cf", text)

    def _ready(self) -> bool:
        return all(listening(address, port) for address, port, _ in self.smtpd) \
            and (self.queue / "public" / "pickup").exists()

    def reload(self) -> None:
        """write_config(), and have it read."""
        self.write_config()
        self.read_again()

    def read_again(self) -> None:
        count = self.log().count("reload -- version")
        self._daemon.signal(signal.SIGHUP)
        wait_until(lambda: self.log().count("reload -- version") > count, "Postfix reloads")

    def stop(self) -> None:
        self._daemon.stop()

    @property
    def pid(self) -> int:
        return self._daemon.pid

    # Using it

    def command(self, name: str, *arguments: str, data: bytes | None = None,
                check: bool = True) -> "subprocess.CompletedProcess[bytes]":
        """postqueue, postsuper, postmap …, on this instance."""
        path = program(name)
        assert path, f"{name} is not installed"
        return run([path, "-c", str(self.config), *arguments], data=data, check=check)

    def table(self, name: str, content: str) -> str:
        """Write a lookup table, and return its name for a setting."""
        path = self.config / name
        self.config.mkdir(parents=True, exist_ok=True)
        _write(path, content)
        return f"texthash:{path}"

    def sendmail(self, content: bytes, *recipients: str,
                 sender: str = "local@example.test") -> None:
        """Hand in a message as a local user does."""
        sendmail = program("sendmail")
        assert sendmail
        run([sendmail, "-C", str(self.config), "-i", "-f", sender, *recipients], data=content,
            check=True)

    def flush(self) -> None:
        """Try again now what was deferred."""
        self.command("postqueue", "-f")

    def waiting(self) -> list[dict]:
        """What is in the queue, an object a message: queue_id, sender, recipients …"""
        output = self.command("postqueue", "-j").stdout.decode()
        return [json.loads(line) for line in output.splitlines()]

    def wait_empty(self, seconds: float = PATIENCE) -> None:
        wait_until(lambda: not self.waiting(), "the queue is empty", seconds, 0.1)

    def log(self) -> str:
        if not self.log_path.exists():
            return ""
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def wait_log(self, pattern: str, seconds: float = PATIENCE) -> re.Match[str]:
        return wait_for_text(self.log, pattern, seconds)


def pipe_service(name: str, argv: str, user: str = "nobody", flags: str = "Rq",
                 more: str = "") -> str:
    """A line of master.cf: transport NAME runs ARGV (with Postfix's macros) by pipe(8)."""
    return f"{name} unix - n n - - pipe\n  flags={flags} user={user} {more} argv={argv}\n"


def spawn_service(name: str, argv: str, user: str = "nobody") -> str:
    """A line of master.cf: a policy service behind check_policy_service unix:private/NAME."""
    return f"{name} unix - n n - 0 spawn\n  user={user} argv={argv}\n"
