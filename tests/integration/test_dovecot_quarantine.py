# SPDX-License-Identifier: MIT
"""What is put aside and cannot be saved where it belongs is deferred: never in INBOX, never lost. With the
same answer by LMTP and by dovecot-lda, with Sieve and without."""
import os
import re

import pytest

from mxg import smtp
from mxg.dovecot import MAIL_GROUP, MAIL_USER, version
from mxg.process import run
from test_dovecot_rcpt import USER, line, policy, server  # noqa: F401
from test_dovecot_sieve import SIEVE, with_scripts
from test_dovecot_ways import RECEIVED, SPAMMER

NEW = version() >= (2, 4)
BY = {"trace": {"mta": ["postfix"], "by": ["mail.example.test"]}}
SUSPECT = smtp.message(header=RECEIVED.format(SPAMMER), body="0123456789abcdef\n" * 40)
ASIDE = policy(**BY)
NAMED = policy(quarantine_mailbox="Suspicious", **BY)


def plugins(names):
    return "  mail_plugins {\n" + "".join(f"    {name} = yes\n" for name in names) + "  }\n" if NEW else \
        f"  mail_plugins = {' '.join(names)}\n"


@pytest.fixture
def start(server):
    """start(settings, also=[plugin, …], extra=…, plugin={…}) -> Dovecot for LMTP and dovecot-lda;
    its `deliver` gives LMTP's reply code and the exit status."""
    def start(settings=ASIDE, also=(), extra="", plugin=None, **keywords):
        if "sieve" in also:
            extra, plugin = SIEVE["extra"] + extra, {**SIEVE.get("plugin", {}), **(plugin or {})}
        lda = "protocol lda {\n" + plugins([*also, "mxguard"]) + "}\n"
        running = with_scripts(server(settings, lmtp_plugins=list(also), plugin=plugin or {},
                                      extra=lda + extra, users={USER: {}}, **keywords))
        running.lmtp = lambda content=SUSPECT, user=USER: smtp.deliver(running.socket, user, content).final(user)
        running.lda = lambda content=SUSPECT: run(
            running.placed(["/usr/lib/dovecot/dovecot-lda", "-c", str(running.config), "-d", USER,
                            "-f", "a@sender.example", "-e"]), data=content, env=dict(os.environ)).returncode
        return running
    return start


# Each one: keywords of start(), and what is done to the user's mail before

def junk_without_insert(running):
    folder = running.maildir(USER, "Junk")
    (folder / "dovecot-acl").write_text("owner lrwstekx\n")
    run(["chown", f"{MAIL_USER}:{MAIL_GROUP}", str(folder / "dovecot-acl")], check=True)


def nothing(running):
    pass


ACL = ({"also": ["acl"], **({"extra": "acl_driver = vfile\n"} if NEW else {"plugin": {"acl": "vfile"}})},
       junk_without_insert)
QUOTA = ({"also": ["quota"], **(
    {"extra": "quota \"User quota\" {\n  driver = count\n  storage_size = 50k\n}\nquota_storage_grace = 0\n"
              "namespace inbox {\n  mailbox Junk {\n    quota_storage_percentage = 1\n  }\n}\n"} if NEW else
    {"plugin": {"quota": "maildir:User quota", "quota_rule": "*:bytes=100000", "quota_rule2": "Junk:bytes=-99900",
                "quota_grace": "0"}})},
    nothing)
# the messages that are there already are as many as may be
COUNT = ({"also": ["quota"],
          "extra": "namespace inbox {\n  mailbox Junk {\n    quota_mailbox_message_count = 1\n  }\n}\n"
                   "quota \"User quota\" {\n  driver = count\n}\n"}, nothing)
ELSEWHERE = ({"settings": policy(quarantine_mailbox="Elsewhere/Suspicious", **BY), "special_use": "\\Archive",
              "extra": "namespace inbox {\n  separator = /\n}\nnamespace elsewhere {\n  prefix = Elsewhere/\n"
                       "  separator = /\n  " + ("mail_path = /proc/nowhere" if NEW else
                                                "location = maildir:/proc/nowhere") + "\n}\n"}, nothing)
INBOX_IS_JUNK = ({"special_use": "\\Archive",
                  "extra": "namespace inbox {\n  mailbox INBOX {\n    special_use = \\Junk\n  }\n}\n"}, nothing)
OBSTACLES = {"acl": ACL, "quota": QUOTA, "elsewhere": ELSEWHERE, "inbox-is-junk": INBOX_IS_JUNK,
             **({"count": COUNT} if NEW else {})}


def prepare(start, obstacle, sieve):
    keywords, spoil = OBSTACLES[obstacle]
    running = start(**{**keywords, "also": [*sieve, *keywords.get("also", [])]})
    if sieve:
        running.script(USER, 'if header :contains "Subject" "nothing of that" { discard; }\n')
    if spoil is junk_without_insert or obstacle == "count":
        assert running.doveadm("mailbox", "create", "-u", USER, "Junk", check=False).returncode in (0, 65)
    if obstacle == "count":
        running.doveadm("mailbox", "subscribe", "-u", USER, "Junk")
        assert running.lmtp().code == 250
    spoil(running)
    return running


@pytest.mark.parametrize("sieve", [[], ["sieve"]], ids=["plain", "sieve"])
@pytest.mark.parametrize("obstacle", OBSTACLES)
def test_refused_where_it_belongs(start, obstacle, sieve):
    running = prepare(start, obstacle, sieve)
    before = {mailbox: running.count(USER, mailbox) for mailbox in running.mailboxes(USER)}
    reply = running.lmtp()
    assert (reply.code, reply.enhanced) == (451, "4.2.0"), reply
    assert len(re.findall("mxguard: cannot quarantine", running.log())) == 1
    running.wait_log("mxguard: cannot quarantine, deferred: mailbox .*: .+")
    assert running.lda() == 75
    after = {mailbox: running.count(USER, mailbox) for mailbox in running.mailboxes(USER)}
    assert {**before, **{name: 0 for name in after if name not in before}} == after
    # other mail of the same user is not touched by it
    assert running.lmtp(smtp.message(header=RECEIVED.format("192.0.2.10"))).code == 250
    assert running.count(USER) == before.get("INBOX", 0) + 1
