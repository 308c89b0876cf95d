# SPDX-License-Identifier: MIT
"""A private OpenSMTPD in a temporary folder.

Only one mail transport agent can be installed on Debian, so this one is unpacked beside
(script/install). Its users, its spool, its socket and the folder that it locks itself into are
compiled in. So it runs in a mount namespace of its own, where /etc/passwd and /etc/group have its
users added and /run, /var/lib, /var/spool and /usr/libexec are folders of ours; the machine's stay as
they are. Without /etc/mailname it calls itself by the host's name, so the host has another name in there.
"""
from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess

from . import build
from .process import PATIENCE, Daemon, Server, listening, run, wait_for_text, wait_until, with_files
from .users import user_files

USERS = ("opensmtpd", "opensmtpq")
CLIENTS = ("smtpctl", "sendmail")  # one program by two names
HOST = "mail.example.test"


def path() -> pathlib.Path | None:
    folder = os.environ.get("MXGUARD_MTA_DIR") or build.ROOT / ".cache" / "mta"
    unpacked = pathlib.Path(folder) / "opensmtpd" / "usr" / "sbin" / "smtpd"
    return unpacked.resolve() if unpacked.exists() else None


def mda(command: str) -> str:
    """`mda "COMMAND"`, as it stands in smtpd.conf. OpenSMTPD puts it between double quotes for one
    shell, and a second one reads what that made of it: so here are no quotes and no variables."""
    assert not set(command) & set("\"'$`"), command
    return f'mda "{command}"'


class OpenSmtpd(Server):
    """ACTION is what is done with mail for example.test, such as `mda "…"`, with `virtual`,
    `user` and so on after it. Mail for sender.example, where bounces go, is appended to the file
    folder/"returned". BEFORE: lines before the rules, such as tables. PASSWD: more lines of
    /etc/passwd. LISTEN: what stands after "listen on". RULES: more lines, before the rules here."""

    def __init__(self, folder: pathlib.Path, *, action: str, before: str = "", passwd: str = "", rules: str = "",
                 listen: tuple[str, ...] = ("192.0.2.1", "127.0.0.1")) -> None:
        self.folder, self.action, self.before, self.listen = folder, action, before, listen
        self.passwd, self.rules = passwd, rules
        self.config = folder / "smtpd.conf"
        self.returned = folder / "out" / "returned"
        self._daemon = Daemon([], folder / "smtpd.out")
        self._files: dict[str, pathlib.Path] = {}

    @staticmethod
    def available() -> bool:
        return path() is not None

    def start(self) -> "OpenSmtpd":
        self._make_folders()
        self.write_config()
        self._daemon.argv = self._argv("smtpd", "-d", "-f", str(self.config))
        address = self.listen[-1].split()[0]
        self._daemon.start(lambda: listening(address, 25) and self._answers(),
                           "OpenSMTPD listens", 30)
        return self

    def _answers(self) -> bool:
        return self.smtpctl("show", "status", check=False).returncode == 0

    def stop(self) -> None:
        self._daemon.stop()

    def _argv(self, program: str, *arguments: str) -> list[str]:
        named = ["unshare", "--uts", "sh", "-c", f'hostname {HOST} && exec "$@"', "sh"]
        found = self.folder / program if program in CLIENTS else path()
        return named + with_files([str(found), *arguments], self._files)

    def _make_folders(self) -> None:
        for name in ("run", "lib/opensmtpd/empty", "spool", "out"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        run(["chown", "nobody", str(self.folder / "out")], check=True)
        self._files = {f"/{name}": self.folder / name.split("/")[-1]
                       for name in ("run", "var/lib", "var/spool")}
        smtpd = path()
        assert smtpd, "not unpacked"
        self._files["/usr/libexec"] = smtpd.parents[1] / "libexec"
        if os.path.exists("/etc/mailname"):
            (self.folder / "mailname").write_text(HOST + "\n", encoding="ascii")
            self._files["/etc/mailname"] = self.folder / "mailname"
        # Whom a client's address belongs to is asked of nobody, and answered at once.
        (self.folder / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n",
                                                 encoding="ascii")
        self._files["/etc/resolv.conf"] = self.folder / "resolv.conf"
        self._files |= user_files(self.folder, USERS, self.passwd)
        self._private_clients()

    def _private_clients(self) -> None:
        """smtpctl wants to be setgid to the queue's group, which is a package's affair."""
        smtpd = path()
        assert smtpd, "not unpacked"
        group = re.search(rf"(?m)^{USERS[1]}:[^:]*:(\d+):", self._files["/etc/group"].read_text("utf-8"))
        assert group
        for name in CLIENTS:
            shutil.copyfile(smtpd.parent / "smtpctl", self.folder / name)
            os.chown(self.folder / name, 0, int(group[1]))
            (self.folder / name).chmod(0o2755)

    def write_config(self) -> None:
        listen = "".join(f"listen on {each} hostname {HOST}\n" for each in self.listen)
        self.config.write_text(f"""\
{self.before}
{listen}
action "ours" {self.action}
action "returned" {mda(f"cat >>{self.returned}")} virtual {{ "@sender.example" = nobody }}
{self.rules}
match from any for domain "example.test" action "ours"
match from any for domain "sender.example" action "returned"
""", encoding="utf-8")
        self.config.chmod(0o600)  # it insists

    def smtpctl(self, *arguments: str, check: bool = True) -> "subprocess.CompletedProcess[bytes]":
        return run(self._argv("smtpctl", *arguments), check=check)

    def sendmail(self, content: bytes, *recipients: str,
                 sender: str = "local@example.test") -> None:
        """Hand in a message as a local user does, by the local socket."""
        run(self._argv("sendmail", "-f", sender, *recipients), data=content, check=True)

    def run_queue(self) -> None:
        """Try everything in the queue now."""
        self.smtpctl("schedule", "all")

    def waiting(self) -> list[list[str]]:
        """The envelopes in the queue: the fields of smtpctl(8)'s "show queue"."""
        listing = self.smtpctl("show", "queue").stdout.decode()
        return [line.split("|") for line in listing.splitlines()]

    def wait_empty(self, seconds: float = PATIENCE) -> None:
        wait_until(lambda: not self.waiting(), "the queue is empty", seconds, 0.2)

    def log(self) -> str:
        return self._daemon.output.read_text(encoding="utf-8", errors="replace")

    def wait_log(self, pattern: str, seconds: float = PATIENCE) -> re.Match[str]:
        return wait_for_text(self.log, pattern, seconds)

    def tries(self) -> list[str]:
        """The result of each delivery, in order: Ok, TempFail or PermFail."""
        return re.findall(r"(?m) mda delivery .* result=(\w+) ", self.log())
