# SPDX-License-Identifier: MIT
"""A private Exim in a temporary folder.

Only one mail transport agent can be installed on Debian, so this one is unpacked beside
(script/install). It looks up its compiled-in user before it reads any configuration: in its own
mount namespace /etc/passwd and /etc/group have that user added, and the machine's stay as they
are.
"""
from __future__ import annotations

import os
import pathlib
import re
import subprocess

from . import build
from .process import Daemon, listening, program, resolver_file, run, wait_until, with_files

USER = "Debian-exim"

DEFAULT_ACL = "acl_check_rcpt:\n  accept domains = +local_domains\n  accept hosts = +relay_from\n" \
              "  deny message = relay not permitted\n"


def path() -> str | None:
    folder = os.environ.get("MXGUARD_MTA_DIR") or build.ROOT / ".cache" / "mta"
    unpacked = pathlib.Path(folder) / "exim4-daemon-heavy" / "usr" / "sbin" / "exim4"
    return str(unpacked) if unpacked.exists() else program("exim4")


class Exim:
    """ROUTERS and TRANSPORTS are parts of an Exim configuration; without them the mail for
    example.test is appended to the file folder/"delivered". MAIN: more main settings. ACL: the
    ACLs, with acl_check_rcpt among them."""

    def __init__(self, folder: pathlib.Path, *, address: str = "192.0.2.1", port: int = 25,
                 main: str = "", acl: str = DEFAULT_ACL, routers: str = "", transports: str = "",
                 authenticators: str = "", resolver: str | None = None) -> None:
        self.folder, self.address, self.port = folder, address, port
        self.main, self.acl, self.resolver = main, acl, resolver
        self.routers = routers or "all:\n  driver = accept\n  domains = +local_domains\n" \
                                  "  transport = file\n"
        self.transports = transports or \
            f"file:\n  driver = appendfile\n  file = {folder}/out/delivered\n  user = nobody\n" \
            "  create_directory = false\n"
        self.authenticators = authenticators
        self.config = folder / "exim.conf"
        self.delivered = folder / "out" / "delivered"
        self._exim = path() or ""
        self._daemon = Daemon([], folder / "exim.out")
        self._files: dict[str, pathlib.Path] = {}

    @staticmethod
    def available() -> bool:
        return path() is not None

    def start(self) -> "Exim":
        self._make_folders()
        self.write_config()
        self._daemon.argv = self._argv("-bdf", "-q1s")
        self._daemon.start(lambda: listening(self.address, self.port), "Exim listens")
        return self

    def stop(self) -> None:
        self._daemon.stop()

    def __enter__(self) -> "Exim":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _argv(self, *arguments: str) -> list[str]:
        return with_files([self._exim, "-C", str(self.config), *arguments], self._files)

    def _make_folders(self) -> None:
        for path in (self.folder, self.folder / "spool", self.folder / "log", self.folder / "out"):
            path.mkdir(parents=True, exist_ok=True)
        self._files = resolver_file(self.folder, self.resolver) if self.resolver else {}
        uid = self._private_user()
        for name in ("spool", "log"):
            os.chown(self.folder / name, uid, uid)
        run(["chown", "nobody", str(self.folder / "out")], check=True)

    def _private_user(self) -> int:
        """Exim's user: the machine's, or one that only the mount namespace has."""
        entries = pathlib.Path("/etc/passwd").read_text(encoding="utf-8").splitlines()
        taken = {int(entry.split(":")[2]) for entry in entries if entry.count(":") == 6}
        for entry in entries:
            if entry.startswith(USER + ":"):
                return int(entry.split(":")[2])
        uid = next(number for number in range(900, 60000) if number not in taken)
        for name, line in (("passwd", f"{USER}:x:{uid}:{uid}::/nonexistent:/usr/sbin/nologin"),
                           ("group", f"{USER}:x:{uid}:")):
            ours = self.folder / name
            machines = pathlib.Path("/etc", name).read_text(encoding="utf-8")
            ours.write_text(machines.rstrip("\n") + f"\n{line}\n", encoding="utf-8")
            self._files[f"/etc/{name}"] = ours
        return uid

    def write_config(self) -> None:
        self.config.write_text(f"""\
exim_path = {self._exim}
spool_directory = {self.folder}/spool
log_file_path = {self.folder}/log/%s
pid_file_path = {self.folder}/exim.pid
primary_hostname = mail.example.test
qualify_domain = example.test
domainlist local_domains = example.test
hostlist relay_from = <; 127.0.0.1 ; ::1
local_interfaces = <; {self.address}
daemon_smtp_ports = {self.port}
acl_smtp_rcpt = acl_check_rcpt
host_lookup = {"*" if self.resolver else ""}
rfc1413_query_timeout = 0s
tls_advertise_hosts =
keep_environment =
add_environment = PATH=/usr/sbin:/usr/bin:/sbin:/bin
smtp_accept_max_per_connection = 0
message_size_limit = 100M
log_selector = +received_recipients +delivery_size
{self.main}
begin acl
{self.acl}
begin routers
{self.routers}
begin transports
{self.transports}
begin retry
* * F,1h,1s
begin authenticators
{self.authenticators}
""", encoding="utf-8")
        self.config.chmod(0o644)

    def exim(self, *arguments: str, data: bytes | None = None,
             check: bool = True) -> "subprocess.CompletedProcess[bytes]":
        """Run this Exim with other arguments, such as -bV, -bp, -be TEXT."""
        return run(self._argv(*arguments), data=data, check=check)

    def sendmail(self, content: bytes, *recipients: str,
                 sender: str = "local@example.test") -> None:
        """Hand in a message as a local user does."""
        self.exim("-oi", "-f", sender, *recipients, data=content)

    def run_queue(self) -> None:
        """Try everything in the queue now, and wait until it was tried."""
        self.exim("-qff")

    def waiting(self) -> list[str]:
        """The ids of the messages in the queue."""
        listing = self.exim("-bp").stdout.decode()
        return re.findall(r"^\s*\S+\s+\S+ ([0-9A-Za-z]+-[0-9A-Za-z]+-[0-9A-Za-z]+) ", listing, re.M)

    def log(self, name: str = "main") -> str:
        path = self.folder / "log" / name
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def wait_log(self, pattern: str, seconds: float = 15.0) -> re.Match[str]:
        return wait_until(lambda: re.search(pattern, self.log(), re.M), f"log has {pattern}",
                          seconds)  # type: ignore[return-value]
