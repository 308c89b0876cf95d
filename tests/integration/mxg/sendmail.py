# SPDX-License-Identifier: MIT
"""A private sendmail in a temporary folder.

Only one mail transport agent can be installed on Debian, so this one is unpacked beside
(script/install), with the m4 files that its configuration is made of. It runs in a mount namespace of
its own, which has its users and a name for the host that is known, and it asks no DNS server; the machine's files stay
as they are. It logs to syslog only: what is of interest is asked of its queue.
"""
from __future__ import annotations

import os
import pathlib
import shutil
import subprocess

from . import build
from .process import Daemon, listening, program, run, wait_until, with_files
from .users import user_files

HOST = "mail.example.test"


def unpacked(package: str, path: str) -> pathlib.Path | None:
    folder = os.environ.get("MXGUARD_MTA_DIR") or build.ROOT / ".cache" / "mta"
    found = pathlib.Path(folder) / package / path
    return found.resolve() if found.exists() else None


class Sendmail:
    """MAILER: the definition of the mailer Mguarded, which gets the mail for example.test. Mail for
    sender.example, where bounces go, is appended to the file folder/"out"/"returned"."""

    def __init__(self, folder: pathlib.Path, *, mailer: str) -> None:
        self.folder, self.mailer = folder, mailer
        self.queue, self.returned = folder / "queue", folder / "out" / "returned"
        self._daemon = Daemon([], folder / "sendmail.out")
        self._files: dict[str, pathlib.Path] = {}

    @staticmethod
    def available() -> bool:
        return bool(unpacked("sendmail-bin", "usr/libexec/sendmail/sendmail") and
                    unpacked("sendmail-cf", "usr/share/sendmail/cf") and program("m4"))

    def __enter__(self) -> "Sendmail":
        self.folder.mkdir(parents=True, exist_ok=True)
        self.queue.mkdir(mode=0o700)
        self.returned.parent.mkdir()
        shutil.chown(self.returned.parent, "nobody")
        self._files = user_files(self.folder, ("smmta", "smmsp"))
        (self.folder / "hosts").write_text(f"192.0.2.1 {HOST} mail\n127.0.0.1 localhost\n", encoding="ascii")
        self._files["/etc/hosts"] = self.folder / "hosts"
        (self.folder / "switch").write_text("hosts files\naliases files\n", encoding="ascii")
        self._make_configuration()
        self._daemon.argv = self._argv("-bD")
        self._daemon.start(lambda: listening("192.0.2.1", 25) and listening("127.0.0.1", 25),
                           "sendmail listens", 30)
        return self

    def __exit__(self, *_: object) -> None:
        self._daemon.stop()

    def _argv(self, *arguments: str) -> list[str]:
        named = ["unshare", "--uts", "sh", "-c", f'hostname {HOST} && exec "$@"', "sh"]
        found = str(unpacked("sendmail-bin", "usr/libexec/sendmail/sendmail"))
        return named + with_files([found, "-C", str(self.folder / "cf"), *arguments], self._files)

    def _make_configuration(self) -> None:
        cf, keep = unpacked("sendmail-cf", "usr/share/sendmail/cf"), self.folder / "keep"
        keep.write_text(f"#!/bin/sh\nexec cat >>{self.returned}\n", encoding="ascii")
        keep.chmod(0o755)
        (self.folder / "mc").write_text(f"""\
define(`_CF_DIR_', `{cf}/')dnl
include(`{cf}/m4/cf.m4')dnl
OSTYPE(`linux')dnl
FEATURE(`nocanonify')dnl
FEATURE(`accept_unqualified_senders')dnl
FEATURE(`accept_unresolvable_domains')dnl
FEATURE(`promiscuous_relay')dnl
undefine(`ALIAS_FILE')dnl
define(`confDOMAIN_NAME', `{HOST}')dnl
define(`confTO_IDENT', `0')dnl
define(`confSERVICE_SWITCH_FILE', `{self.folder}/switch')dnl
define(`confDONT_PROBE_INTERFACES', `True')dnl
define(`QUEUE_DIR', `{self.queue}')dnl
define(`STATUS_FILE', `')dnl
define(`confPID_FILE', `{self.folder}/pid')dnl
define(`confDONT_BLAME_SENDMAIL', `GroupWritableDirPathSafe')dnl
define(`confCW_FILE', `-o {self.folder}/none')dnl
DAEMON_OPTIONS(`Name=MTA, Addr=192.0.2.1, Port=25')dnl
DAEMON_OPTIONS(`Name=own, Addr=127.0.0.1, Port=25')dnl
MAILER(`smtp')dnl
LOCAL_RULE_0
R$* < @ example.test $* > $*\t$#guarded $@ example.test $: $1 @ example.test
R$* < @ sender.example $* > $*\t$#returned $@ sender.example $: $1 @ sender.example
MAILER_DEFINITIONS
{self.mailer}
Mreturned, P={keep}, F=lsDFMqn, U=nobody:nogroup, T=DNS/RFC822/X-Unix, A=keep $u
""", encoding="utf-8")
        made = subprocess.run(["m4", str(self.folder / "mc")], capture_output=True, check=True)
        (self.folder / "cf").write_bytes(made.stdout)

    def sendmail(self, content: bytes, *recipients: str, sender: str = "local@example.test") -> None:
        """Hand in a message as a local user does."""
        run(self._argv("-i", "-f", sender, *recipients), data=content, check=True)

    def run_queue(self) -> None:
        """Try everything in the queue now."""
        run(self._argv("-q"), check=True)

    def waiting(self) -> list[bytes]:
        """The control files in the queue; the reason why a message waits is on the line M."""
        return [path.read_bytes() for path in self.queue.glob("qf*")]

    def wait_empty(self, seconds: float = 15.0) -> None:
        wait_until(lambda: not list(self.queue.iterdir()), "the queue is empty", seconds, 0.2)
