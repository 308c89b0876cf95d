#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Debian's Mailman 3 in one process: mailman_runners.py FOLDER LIST MEMBER makes a list with one member, takes its
mail by LMTP at port 8024 of 127.0.0.1, and sends it on to port 25, until it is ended."""
from __future__ import annotations

import pathlib
import sys

from mailman.app.lifecycle import create_list
from mailman.config import config
from mailman.core.initialize import initialize
from mailman.interfaces.action import Action
from mailman.interfaces.domain import IDomainManager
from mailman.interfaces.usermanager import IUserManager
from mailman.runners.incoming import IncomingRunner
from mailman.runners.lmtp import LMTPRunner
from mailman.runners.outgoing import OutgoingRunner
from mailman.runners.pipeline import PipelineRunner
from mailman.utilities.datetime import now
from zope.component import getUtility

SETTINGS = """\
[mailman]
layout: test
site_owner: postmaster@example.test
[paths.test]
var_dir: {folder}/var
[database]
url: sqlite:///{folder}/mailman.db
[mta]
incoming: mailman.mta.null.NullMTA
lmtp_host: 127.0.0.1
lmtp_port: 8024
smtp_host: 127.0.0.1
smtp_port: 25
"""


def start(folder: pathlib.Path) -> None:
    path = folder / "mailman.cfg"
    path.write_text(SETTINGS.format(folder=folder), encoding="ascii")
    initialize(str(path))


def make_list(name: str, member: str) -> None:
    getUtility(IDomainManager).add(name.partition("@")[2])
    made = create_list(name, ["postmaster@example.test"])
    made.default_nonmember_action = Action.accept
    user = getUtility(IUserManager).create_user(member)
    address = next(iter(user.addresses))
    address.verified_on = now()
    made.subscribe(address, send_welcome_message=False)
    config.db.commit()


def run() -> None:
    server = LMTPRunner("lmtp")
    runners = [IncomingRunner("in"), PipelineRunner("pipeline"), OutgoingRunner("out")]
    server.lmtp.start()
    while True:
        for runner in runners:
            runner._one_iteration()  # pylint: disable=protected-access
        server._snooze(0)  # pylint: disable=protected-access


if __name__ == "__main__":
    start(pathlib.Path(sys.argv[1]))
    make_list(*sys.argv[2:4])
    run()
