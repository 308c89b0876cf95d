# SPDX-License-Identifier: MIT
"""A private amavisd that looks at nothing: a content filter between two smtpds of a Postfix."""
from __future__ import annotations

import pathlib
import shutil

from .process import Daemon, listening, program

CONFIG = """use strict;
$max_servers = 1;
$daemon_user = 'amavis'; $daemon_group = 'amavis';
$mydomain = 'gateway.example'; $myhostname = '{hostname}';
$MYHOME = '{folder}'; $TEMPBASE = "$MYHOME/tmp"; $QUARANTINEDIR = undef; $lock_file = "$MYHOME/lock";
$pid_file = "$MYHOME/pid"; $enable_db = 0; $enable_zmq = 0; $do_syslog = 0; $LOGFILE = "$MYHOME/log"; $log_level = 1;
$inet_socket_bind = '127.0.0.1'; $inet_socket_port = {port}; @inet_acl = qw(127.0.0.0/8 192.0.2.0/24);
@bypass_virus_checks_maps = (1); @bypass_spam_checks_maps = (1); @bypass_banned_checks_maps = (1);
@bypass_header_checks_maps = (1); @av_scanners = (); @local_domains_maps = ([".example.test"]);
$forward_method = 'smtp:[127.0.0.1]:{back}'; $notify_method = $forward_method;
1;
"""


class Amavis:
    def __init__(self, folder: pathlib.Path, *, hostname: str, port: int = 10024, back: int = 10025) -> None:
        self.folder, self.port = folder, port
        home, config = folder / "home", folder / "amavisd.conf"  # it refuses a file that it could change
        (home / "tmp").mkdir(parents=True)
        text = CONFIG.replace("{folder}", str(home)).replace("{hostname}", hostname)
        config.write_text(text.replace("{port}", str(port)).replace("{back}", str(back)), encoding="utf-8")
        for path in (home, home / "tmp"):
            shutil.chown(path, "amavis", "amavis")
        self._daemon = Daemon([program("amavisd") or "", "-c", str(config), "foreground"], folder / "amavis.out")

    @staticmethod
    def available() -> bool:
        return program("amavisd") is not None

    def __enter__(self) -> "Amavis":
        self._daemon.start(lambda: listening("127.0.0.1", self.port), "amavisd listens")
        return self

    def __exit__(self, *_: object) -> None:
        self._daemon.stop()
