# SPDX-License-Identifier: MIT
"""A private sendmail in a temporary folder.

Only one mail transport agent can be installed on Debian, so this one is unpacked beside, and its
m4 files with it (script/install). What it knows of hosts is in files: it asks no DNS. It wants a
full name of its host before it reads any configuration, and waits a minute without: it runs in
a mount namespace of its own, where /etc/hosts is ours.
"""
from __future__ import annotations

import contextlib
import fcntl
import os
import pathlib
import re
import shutil
import socket
import subprocess
from collections.abc import Mapping

from . import build
from .process import Daemon, Server, listening, program, run, with_files
from .saslauthd import Saslauthd

# A loaded machine is none of its business: by default it would queue, wait and refuse.
OPTIONS = {"QUEUE_LA": "10000", "REFUSE_LA": "10000", "DELAY_LA": "0",
           "DOMAIN_NAME": "mail.example.test", "AUTH_MECHANISMS": "PLAIN", "DEF_USER_ID": "nobody:nogroup", "TO_IDENT": "0",
           "TO_QUEUERETURN": "5d", "DONT_PROBE_INTERFACES": "True",
           "DONT_BLAME_SENDMAIL": "TrustStickyBit,GroupWritableDirPathSafe,MapInUnsafeDirPath,RunProgramInUnsafeDirPath,"
                                 "ForwardFileInUnsafeDirPath,IncludeFileInUnsafeDirPath"}
FILES = {"QUEUE_DIR": "queue", "ALIAS_FILE": "aliases", "STATUS_FILE": "statistics", "confPID_FILE": "pid",
         "confSERVICE_SWITCH_FILE": "switch"}


def _unpacked(package: str, path: str) -> pathlib.Path:
    return pathlib.Path(os.environ.get("MXGUARD_MTA_DIR") or build.ROOT / ".cache" / "mta") / package / path


def path() -> pathlib.Path:
    return _unpacked("sendmail-bin", "usr/libexec/sendmail/sendmail")


def _m4() -> pathlib.Path:
    return _unpacked("sendmail-cf", "usr/share/sendmail/cf")


def _tried(file: pathlib.Path) -> bool:
    """A line N is the number of attempts; who makes one holds a lock, and replaces the file."""
    with contextlib.suppress(FileNotFoundError, BlockingIOError), file.open("rb") as lines:
        if re.search(rb"(?m)^N[1-9]", lines.read()):
            fcntl.flock(lines, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return True
    return False


class Sendmail(Server):
    """MAILERS stands behind MAILER_DEFINITIONS, FEATURES before the mailers. ROUTES: domain ->
    mailer:host, the mailertable; these domains are accepted. ADDRESSES: where it listens, port 25.
    RUNS: how often it runs the queue by itself. PASSWORDS: who may log in, without TLS too. ALIASES:
    more lines for that file."""

    def __init__(self, folder: pathlib.Path, *, mailers: str = "", features: str = "",
                 routes: dict[str, str] | None = None, addresses: tuple[str, ...] = ("192.0.2.1",),
                 runs: str | None = None, passwords: Mapping[str, str] | None = None, aliases: str = "") -> None:
        self._passwords = Saslauthd(folder / "saslauthd", passwords or {})
        self.folder, self.mailers, self.features, self.aliases = folder, mailers, features, aliases
        self.routes, self.addresses, self.runs = routes or {}, addresses, runs
        self.config, self.queue = folder / "sendmail.cf", folder / "queue"
        self._daemon = Daemon([], folder / "sendmail.out")

    @staticmethod
    def available() -> bool:
        return path().exists() and _m4().exists() and program("m4") is not None

    def start(self) -> "Sendmail":
        self.folder.mkdir(parents=True, exist_ok=True)
        self.queue.mkdir(mode=0o700, exist_ok=True)
        (self.folder / "aliases").write_text("postmaster: /dev/null\nmailer-daemon: postmaster\n" + self.aliases,
                                             encoding="ascii")
        (self.folder / "switch").write_text("hosts files\naliases files\n", encoding="ascii")
        (self.folder / "hosts").write_text("127.0.0.1 localhost\n::1 localhost\n192.0.2.1 mail.example.test "
                                           f"{socket.gethostname()}\n", encoding="ascii")
        self._write_routes()
        self._make_login()
        self.write_config()
        self.sendmail_command("-bi")
        self._daemon.argv = self._argv("-bD", *([f"-q{self.runs}"] if self.runs else []))
        self._daemon.start(lambda: all(listening(each, 25) for each in self.addresses), "sendmail listens")
        return self

    def stop(self) -> None:
        self._daemon.stop()
        self._passwords.__exit__()

    def _make_login(self) -> None:
        """Where Cyrus SASL looks for a program's settings is compiled in."""
        sasl = self.folder / "sasl"
        sasl.mkdir()
        (sasl / "Sendmail.conf").write_text(
            f"pwcheck_method: saslauthd\nmech_list: plain\nsaslauthd_path: {self._passwords.path}\n", encoding="ascii")
        self._passwords.__enter__()

    def _argv(self, *arguments: str) -> list[str]:
        return with_files([str(path()), "-C", str(self.config), *arguments],
                          {"/etc/hosts": self.folder / "hosts", "/usr/lib/sasl2": self.folder / "sasl"})

    def _write_routes(self) -> None:
        table = "".join(f"{domain}\t{route}\n" for domain, route in self.routes.items())
        run([str(path().with_name("makemap")), "-C", os.devnull, "hash", str(self.folder / "mailertable")],
            data=table.encode(), check=True)

    def write_submit_config(self, user: str) -> pathlib.Path:
        """submit.cf, by which a program that USER runs hands in mail: to the daemon on loopback."""
        queue, path = self.folder / "submit-queue", self.folder / "submit.cf"
        queue.mkdir(mode=0o700)
        shutil.chown(queue, user)
        self._make(path, [f"include(`{_m4()}/m4/cf.m4')", "define(`confCF_VERSION', `Submit')",
                          "define(`__OSTYPE__', `')", "define(`_USE_DECNET_SYNTAX_', `1')",
                          "define(`confTIME_ZONE', `USE_TZ')", "define(`confDONT_INIT_GROUPS', `True')",
                          f"define(`confRUN_AS_USER', `{user}')", f"define(`confTRUSTED_USER', `{user}')",
                          "define(`confDOMAIN_NAME', `mail.example.test')", f"define(`MSP_QUEUE_DIR', `{queue}')",
                          f"define(`confPID_FILE', `{queue}/pid')", f"define(`STATUS_FILE', `{queue}/statistics')",
                          "define(`confDONT_BLAME_SENDMAIL', `GroupWritableDirPathSafe,MapInUnsafeDirPath')",
                          f"define(`confSERVICE_SWITCH_FILE', `{self.folder}/switch')",
                          "FEATURE(`msp', `[127.0.0.1]')"])
        return path

    def write_config(self) -> None:
        lines = [f"include(`{_m4()}/m4/cf.m4')", "OSTYPE(`linux')"]
        lines += [f"define(`conf{name}', `{value}')" for name, value in OPTIONS.items()]
        lines += [f"define(`{name}', `{self.folder}/{file}')" for name, file in FILES.items()]
        lines += [f"FEATURE(`{name}')" for name in ("no_default_msa", "nocanonify", "accept_unresolvable_domains")]
        lines += [f"FEATURE(`mailertable', `hash -o {self.folder}/mailertable')"]
        lines += [f"RELAY_DOMAIN(`{domain}')" for domain in self.routes]
        for number, address in enumerate(self.addresses):
            family = "inet6" if ":" in address else "inet"
            lines.append(f"DAEMON_OPTIONS(`Family={family}, Name=d{number}, Port=25, Addr={address}')")
        lines += [self.features.strip(), "MAILER_DEFINITIONS", "MAILER(`local')", "MAILER(`smtp')", self.mailers]
        self._make(self.config, lines)

    def _make(self, config: pathlib.Path, lines: list[str]) -> None:
        text = "\n".join(lines) + "\n"
        config.with_suffix(".mc").write_text(text, encoding="utf-8")
        made = run(["m4", f"-D_CF_DIR_={_m4()}/", "-D_NO_MAKEINFO_", "-"], data=text.encode(), check=True, cwd=_m4())
        assert not made.stderr, made.stderr.decode()
        config.write_bytes(made.stdout)
        config.chmod(0o644)

    def sendmail_command(self, *arguments: str, data: bytes | None = None, check: bool = True,
                         **keywords: object) -> "subprocess.CompletedProcess[bytes]":
        """Run this sendmail with other arguments, such as -bp, -bi, -bt."""
        return run(self._argv(*arguments), data=data, check=check, **keywords)

    def sendmail(self, content: bytes, *recipients: str, sender: str = "local@example.test") -> None:
        """Hand in a message as a local user does."""
        self.sendmail_command("-oi", "-f", sender, *recipients, data=content)

    def run_queue(self) -> None:
        """Try everything in the queue now, and wait until it was tried."""
        self.sendmail_command("-q")

    def waiting(self) -> list[str]:
        """The ids of the messages in the queue, without those that are only being taken."""
        return [file.name[2:] for file in self.queue.glob("qf*")]

    def tried(self) -> list[str]:
        """Those of them that were tried at least once, and that nobody is trying now."""
        return [file.name[2:] for file in self.queue.glob("qf*") if _tried(file)]
