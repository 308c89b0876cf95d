# SPDX-License-Identifier: MIT
"""A private Dovecot, 2.3 or 2.4, in a temporary folder: LMTP over TCP and a unix socket, the
users' Maildirs beside it."""
from __future__ import annotations

import contextlib
import functools
import grp
import os
import pathlib
import pwd
import re
import shlex
import shutil
import signal
import subprocess
from dataclasses import dataclass, field

from . import build
from .process import (PATIENCE, Daemon, Timeout, listening, listening_unix, program, run, wait_for_text,
                      wait_until, with_files)

MAIL_USER, MAIL_GROUP = "nobody", "nogroup"
PASSWORD = "secret"
Listener = tuple[str, int]


@functools.cache
def version() -> tuple[int, ...]:
    """(2, 3, 19) and the like; () where Dovecot is not installed."""
    dovecot = program("dovecot")
    if not dovecot:
        return ()
    text = run([dovecot, "--version"]).stdout.decode()
    return tuple(int(part) for part in re.findall(r"\d+", text.split()[0])[:3])


def first_lines() -> str:
    """What a whole dovecot.conf has to begin with: 2.4 wants to be told for which version it is."""
    number = ".".join(map(str, version()))
    return f"dovecot_config_version = {number}\ndovecot_storage_version = {number}\n" if version() >= (2, 4) else ""


INSTALLED = "*mxguard*"
"""Modules of ours that a package has brought: another version than the one that is tested."""


@functools.cache
def own_modules() -> pathlib.Path:
    """The folder of Dovecot's own modules."""
    config = pathlib.Path("/usr/lib/dovecot/dovecot-config")
    if config.exists():
        found = re.search(r"^dovecot_moduledir=(.*)$", config.read_text(), re.M)
        if found:
            return pathlib.Path(shlex.split(found[1])[0])
    return pathlib.Path("/usr/lib/dovecot/modules")


@dataclass
class Settings:
    """What a test chooses; everything else is the same for all."""
    lmtp: list[Listener] = field(default_factory=lambda: [("192.0.2.1", 24)])
    lmtp_haproxy: list[Listener] = field(default_factory=list)
    imap: list[Listener] = field(default_factory=list)
    pop3: list[Listener] = field(default_factory=list)
    trusted: str = ""                  # login_trusted_networks: may say XCLIENT
    haproxy_trusted: str = ""
    mxguard: dict[str, str] = field(default_factory=dict)  # mxguard_… settings; empty: no plugin
    special_use: str = "\\Junk"        # of the mailbox Junk
    settings_module: bool = True       # 2.4: our settings module is where it belongs
    load_mxguard: bool | None = None   # load the plugin or not, whatever `mxguard` has
    place_mxguard: bool = False        # the plugin is where it belongs, whatever the configuration names
    lmtp_plugins: list[str] = field(default_factory=list)  # such as sieve
    plugin: dict[str, str] = field(default_factory=dict)   # other plugins' settings (2.3)
    users: dict[str, dict[str, str]] = field(default_factory=dict)  # user -> userdb fields
    proxy_to: Listener | None = None   # LMTP proxy: everybody's mail goes on to this backend
    tls: tuple[pathlib.Path, pathlib.Path] | None = None   # certificate, key
    client_limit: int = 1
    process_limit: int = 20
    extra: str = ""                    # at the end of the file
    extra_lmtp: str = ""               # in protocol lmtp { }
    extra_service_lmtp: str = ""       # in service lmtp { }
    hostname: str = "mail.example.test"
    files: dict[str, pathlib.Path] = field(default_factory=dict)  # what stands at these paths for Dovecot alone


class Dovecot:
    def __init__(self, folder: pathlib.Path, settings: Settings) -> None:
        self.folder, self.settings = folder, settings
        self.config = folder / "dovecot.conf"
        self.log_path = folder / "dovecot.log"
        self.socket = folder / "lmtp"            # LMTP, for an MTA
        self.auth_socket = folder / "sasl"       # SASL for Postfix or Exim
        self.modules = folder / "modules"
        self.mail = folder / "mail"
        self.may_crash = False                   # otherwise a crash fails the test at its end
        dovecot = program("dovecot")
        assert dovecot, "Dovecot is not installed"
        self._daemon = Daemon(self.placed([dovecot, "-F", "-c", str(self.config)]),
                              folder / "dovecot.out")

    # Running it

    def start(self) -> "Dovecot":
        self.folder.mkdir(parents=True, exist_ok=True)
        self.mail.mkdir(exist_ok=True)
        run(["chown", f"{MAIL_USER}:{MAIL_GROUP}", str(self.mail)], check=True)
        self.write_config()
        self._daemon.start(self._ready, "Dovecot listens")
        return self

    def _ready(self) -> bool:
        settings = self.settings
        return listening_unix(self.socket) and all(
            listening(*where) for where in settings.lmtp + settings.lmtp_haproxy
            + settings.imap + settings.pop3)

    def stop(self) -> None:
        """All services end in an orderly way. Then the master would sleep for a second, with
        only anvil and log left; that is cut short. The log ends when it has read everything."""
        if self._daemon.running:
            self._daemon.signal(signal.SIGTERM)
            anvil = self._processes("anvil")
            last = {*anvil, *self._processes("log")}
            with contextlib.suppress(OSError):
                wait_until(lambda: set(self._processes()) <= last, "Dovecot's processes end")
            self._daemon.kill()
            for pid in filter(_alive, anvil):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)
            wait_until(lambda: not any(map(_alive, last)), "Dovecot's log ends")
        self._daemon.stop()
        (self.folder / "run" / "master.pid").unlink(missing_ok=True)

    def __enter__(self) -> "Dovecot":
        return self.start()

    def __exit__(self, kind: object, *_: object) -> None:
        self.stop()
        if kind is None:
            assert not self.crashes() or self.may_crash, "\n".join(self.crashes())

    def crashes(self) -> list[str]:
        """Lines of the log that tell of a process that panicked or was killed."""
        return re.findall(r"^.*(?:Panic|killed with signal|AddressSanitizer|runtime error).*$",
                          self.log(), re.M)

    @property
    def pid(self) -> int:
        return self._daemon.pid

    def reload(self) -> None:
        """Read the configuration again (write_config() first); returns when that is done and
        the lmtp processes of before, which could still take a connection, are gone. One that
        does not go within five seconds, having work to do, is left alone."""
        before, old = self.log().count("SIGHUP received"), set(self._processes("lmtp"))
        self._daemon.signal(signal.SIGHUP)
        wait_until(lambda: self.log().count("SIGHUP received") > before, "Dovecot reloads")
        # It says so at once and reads on; what connects before it listens anew is closed. When it answers it has done so.
        wait_until(lambda: self.doveadm("service", "status", "lmtp", check=False).returncode == 0 and self._ready(),
                   "Dovecot has reloaded")
        with contextlib.suppress(Timeout):
            wait_until(lambda: not old & set(self._processes("lmtp")), "old lmtp ends", 5)

    def _processes(self, name: str | None = None) -> list[int]:
        """The processes of the master that have not ended, all or those of one service."""
        children = pathlib.Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        found = []
        for child in children:
            with contextlib.suppress(OSError):
                _, _, rest = pathlib.Path(f"/proc/{child}/stat").read_text().partition("(")
                comm, _, state = rest.rpartition(") ")
                if state[0] != "Z" and name in (None, comm):
                    found.append(int(child))
        return found

    def doveadm(self, *arguments: str, check: bool = True) -> "subprocess.CompletedProcess[bytes]":
        doveadm = program("doveadm")
        assert doveadm
        return run(self.placed([doveadm, "-c", str(self.config), *arguments]), check=check)

    def placed(self, argv: list[str]) -> list[str]:
        """ARGV, where Dovecot finds our modules. 2.4 looks for settings modules in the folder
        that was compiled in: there, ours is mounted over it, for this program alone."""
        modules = {} if version() < (2, 4) or not self._places_mxguard else {str(own_modules()): self.modules}
        return with_files(argv, {**modules, **self.settings.files})

    def write_config(self) -> None:
        self._link_modules()
        self._write_users()
        text = config_24(self) if version() >= (2, 4) else config_23(self)
        self.config.write_text(text, encoding="utf-8")

    @property
    def loads_mxguard(self) -> bool:
        wanted = self.settings.load_mxguard
        return bool(self.settings.mxguard) if wanted is None else wanted

    @property
    def _places_mxguard(self) -> bool:
        return self.loads_mxguard or self.settings.place_mxguard

    def _link_modules(self) -> None:
        """mail_plugin_dir: Dovecot's own modules and ours, side by side."""
        if version() >= (2, 4):
            self._copy_modules()
            return
        self.modules.mkdir(exist_ok=True)
        own = [each for each in own_modules().iterdir() if not each.match(INSTALLED)]
        for source in [*own, *([build.plugin()] * self._places_mxguard)]:
            _link(self.modules / source.name, source)

    def _copy_modules(self) -> None:
        """Copies: links into the folder that this one is mounted over would lead back here."""
        if not self.modules.exists():
            shutil.copytree(own_modules(), self.modules, ignore=shutil.ignore_patterns(INSTALLED))
        if self._places_mxguard:
            shutil.copy(build.plugin(), self.modules)
            for module in build.settings_modules() * self.settings.settings_module:
                shutil.copy(module, self.modules / "settings")

    def _write_users(self) -> None:
        uid, gid = pwd.getpwnam(MAIL_USER).pw_uid, grp.getgrnam(MAIL_GROUP).gr_gid
        lines = []
        for user, fields in self.settings.users.items():
            extra = " ".join(f"userdb_{key}={value}" for key, value in fields.items())
            lines.append(f"{user}:{{PLAIN}}{PASSWORD}:{uid}:{gid}::"
                         f"{self.mail}/{user}::{extra}")
        (self.folder / "users").write_text("\n".join(lines) + "\n", encoding="utf-8")

    # What happened

    def log(self) -> str:
        if not self.log_path.exists():
            return ""
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def wait_log(self, pattern: str, seconds: float = PATIENCE) -> re.Match[str]:
        """The first match of PATTERN in the log, as soon as it is there."""
        return wait_for_text(self.log, pattern, seconds)

    def maildir(self, user: str, mailbox: str = "INBOX") -> pathlib.Path:
        base = self.mail / user.lower() / "Maildir"
        return base if mailbox == "INBOX" else base / f".{mailbox}"

    def messages(self, user: str, mailbox: str = "INBOX") -> list[bytes]:
        """The messages in a mailbox as they are on disk, oldest first; none if there is no such
        mailbox."""
        folder = self.maildir(user, mailbox)
        files = [path for part in ("new", "cur") if (folder / part).is_dir()
                 for path in (folder / part).iterdir()]
        return [path.read_bytes() for path in sorted(files, key=lambda path: path.stat().st_mtime_ns)]

    def mailboxes(self, user: str) -> list[str]:
        base = self.maildir(user)
        if not base.is_dir():
            return []
        return ["INBOX", *sorted(path.name[1:] for path in base.glob(".*")
                                 if (path / "cur").is_dir())]

    def count(self, user: str, mailbox: str = "INBOX") -> int:
        return len(self.messages(user, mailbox))


def _alive(pid: int, name: str | None = None) -> bool:
    """The process runs (a zombie does not), and has this name."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    comm, _, rest = text.partition("(")[2].rpartition(") ")
    return rest[0] != "Z" and name in (None, comm)


def _link(target: pathlib.Path, source: pathlib.Path) -> None:
    target.unlink(missing_ok=True)
    target.symlink_to(source)


# The two dialects of dovecot.conf

def _listeners(address_key: str, settings: Settings) -> str:
    plain = [(where, "") for where in settings.lmtp]
    proxied = [(where, "    haproxy = yes\n") for where in settings.lmtp_haproxy]
    return "".join(f"  inet_listener lmtp{number} {{\n    {address_key} = {address}\n"
                   f"    port = {port}\n{more}  }}\n"
                   for number, ((address, port), more) in enumerate(plain + proxied))


def _login_service(name: str, address_key: str, listeners: list[Listener]) -> str:
    """The first listener has the standard name; the TLS one is switched off."""
    blocks = [f"  inet_listener {name}s {{\n    port = 0\n  }}\n"]
    for number, (address, port) in enumerate(listeners):
        blocks.append(f"  inet_listener {name}{number or ''} {{\n    {address_key} = {address}\n"
                      f"    port = {port}\n  }}\n")
    return f"service {name}-login {{\n{''.join(blocks)}}}\n"


def _services(dovecot: Dovecot, address_key: str) -> str:
    settings = dovecot.settings
    text = f"""service lmtp {{
  client_limit = {settings.client_limit}
  process_limit = {settings.process_limit}
  unix_listener {dovecot.socket} {{
    mode = 0666
  }}
{_listeners(address_key, settings)}{settings.extra_service_lmtp}
}}
service auth {{
  unix_listener {dovecot.auth_socket} {{
    mode = 0666
  }}
}}
"""
    for name, listeners in (("imap", settings.imap), ("pop3", settings.pop3)):
        if listeners:
            text += _login_service(name, address_key, listeners)
    return text


def _protocols(settings: Settings) -> list[str]:
    return ["lmtp"] + ["imap"] * bool(settings.imap) + ["pop3"] * bool(settings.pop3)


def _assignments(values: dict[str, str], indent: str = "  ") -> str:
    return "".join(f"{indent}{key} = {value}\n" for key, value in values.items())


def _common(dovecot: Dovecot) -> str:
    settings, folder = dovecot.settings, dovecot.folder
    return f"""base_dir = {folder}/run
state_dir = {folder}/state
instance_name = {folder.name}
log_path = {dovecot.log_path}
log_timestamp = "%Y-%m-%d %H:%M:%S "
hostname = {settings.hostname}
mail_plugin_dir = {dovecot.modules}
login_trusted_networks = {settings.trusted}
haproxy_trusted_networks = {settings.haproxy_trusted}
lmtp_proxy = {"yes" if settings.proxy_to else "no"}
postmaster_address = postmaster@example.test
verbose_proctitle = no
shutdown_clients = yes
"""


def config_23(dovecot: Dovecot) -> str:
    settings, folder = dovecot.settings, dovecot.folder
    plugins = settings.lmtp_plugins + ["mxguard"] * dovecot.loads_mxguard
    if settings.proxy_to:
        host, port = settings.proxy_to
        passdb = f"args = proxy=y host={host} port={port} nopassword=y"
    else:
        passdb = f"args = password={PASSWORD}"
    tls = "ssl = no\n"
    if settings.tls:
        tls = f"ssl = yes\nssl_cert = <{settings.tls[0]}\nssl_key = <{settings.tls[1]}\n"
    return f"""{_common(dovecot)}protocols = {" ".join(_protocols(settings))}
listen = 127.0.0.1
mail_location = maildir:~/Maildir
disable_plaintext_auth = no
auth_mechanisms = plain login
{tls}passdb {{
  driver = static
  {passdb}
}}
userdb {{
  driver = passwd-file
  args = username_format=%Lu {folder}/users
}}
userdb {{
  driver = static
  args = uid={MAIL_USER} gid={MAIL_GROUP} home={dovecot.mail}/%Lu allow_all_users=yes
}}
namespace inbox {{
  inbox = yes
  mailbox Junk {{
    special_use = {settings.special_use}
  }}
}}
{_services(dovecot, "address")}protocol lmtp {{
  mail_plugins = {" ".join(plugins)}
{settings.extra_lmtp}
}}
plugin {{
{_assignments(settings.plugin)}{_assignments(settings.mxguard)}}}
{settings.extra}
"""


def config_24(dovecot: Dovecot) -> str:
    settings, folder = dovecot.settings, dovecot.folder
    plugins = settings.lmtp_plugins + ["mxguard"] * dovecot.loads_mxguard
    enabled = "".join(f"    {name} = yes\n" for name in plugins)
    protocols = "".join(f"  {name} = yes\n" for name in _protocols(settings))
    if settings.proxy_to:
        host, port = settings.proxy_to
        passdb = f"  fields {{\n    proxy = y\n    host = {host}\n    port = {port}\n" \
                 f"    nopassword = y\n  }}\n"
    else:
        passdb = f"  passdb_static_password = {PASSWORD}\n"
    tls = "ssl = no\n"
    if settings.tls:
        tls = f"ssl = yes\nssl_server_cert_file = {settings.tls[0]}\n" \
              f"ssl_server_key_file = {settings.tls[1]}\n"
    return f"""{first_lines()}{_common(dovecot)}protocols {{
{protocols}}}
listen = 127.0.0.1
mail_driver = maildir
mail_path = ~/Maildir
auth_allow_cleartext = yes
auth_mechanisms = plain login
{tls}passdb static {{
{passdb}}}
userdb passwd-file {{
  passwd_file_path = {folder}/users
}}
userdb static {{
  userdb_static_allow_all_users = yes
  fields {{
    uid = {MAIL_USER}
    gid = {MAIL_GROUP}
    home = {dovecot.mail}/%{{user | lower}}
  }}
}}
namespace inbox {{
  inbox = yes
  mailbox Junk {{
    special_use = {settings.special_use}
  }}
}}
{_services(dovecot, "listen")}protocol lmtp {{
  mail_plugins {{
{enabled}  }}
{settings.extra_lmtp}
}}
{_assignments(settings.mxguard, "")}{settings.extra}
"""
