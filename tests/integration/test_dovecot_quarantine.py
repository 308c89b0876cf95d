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
    running.wait_log("mxguard: cannot quarantine, deferred: mailbox .*: .+")
    assert len(re.findall("mxguard: cannot quarantine", running.log())) == 1
    assert running.lda() == 75
    after = {mailbox: running.count(USER, mailbox) for mailbox in running.mailboxes(USER)}
    assert {**before, **{name: 0 for name in after if name not in before}} == after
    # other mail of the same user is not touched by it
    assert running.lmtp(smtp.message(header=RECEIVED.format("192.0.2.10"))).code == 250
    assert running.count(USER) == before.get("INBOX", 0) + 1


# Where it belongs

def test_name_with_the_namespace_prefix(start):
    for name in ("INBOX.Suspicious", "inbox.Suspicious", "Suspicious"):
        running = start(policy(quarantine_mailbox=name, **BY), special_use="\\Archive",
                        extra="namespace inbox {\n  prefix = INBOX.\n}\n")
        assert running.lmtp().code == 250 and running.lda() == 0
        assert running.mailboxes(USER) == ["INBOX", "Suspicious"]
        assert running.count(USER, "Suspicious") == 2 and running.count(USER) == 0
        running.stop()


def test_special_use_folder_that_is_not_there_yet(start):
    running = start(special_use="\\Archive", extra="namespace inbox {\n  mailbox Spam {\n    special_use = \\Junk\n"
                                                   "  }\n}\n")
    assert running.lmtp().code == 250 and running.lda() == 0
    assert running.mailboxes(USER) == ["INBOX", "Spam"] and running.count(USER, "Spam") == 2
    listed = running.doveadm("mailbox", "list", "-u", USER, "-s").stdout.decode().split()
    assert "Spam" in listed


@pytest.mark.parametrize("name", ["INBOX", "inbox", "Inbox"])
def test_inbox_is_refused_as_a_name(start, name):
    running = start(mxguard={"mxguard_quarantine_mailbox": name})
    assert running.lmtp().enhanced == "4.3.5" and running.lda() == 75
    running.stop()
    running = start(policy(quarantine_mailbox=name, **BY))
    assert running.lmtp().enhanced == "4.3.5" and running.lda() == 75
    assert running.count(USER) == 0


def test_the_prefix_alone_is_the_inbox(start):
    running = start(policy(quarantine_mailbox="INBOX.", **BY), special_use="\\Archive",
                    extra="namespace inbox {\n  prefix = INBOX.\n}\n")
    assert running.lmtp().enhanced == "4.2.0" and running.lda() == 75
    assert running.count(USER) == 0


# What a user's script does with it

@pytest.fixture
def scripted(start, folder):
    """Dovecot with a user's script; sent() is what it gave to sendmail: arguments, then the text."""
    outbox = folder / "outbox"

    def begin(script, **keywords):
        outbox.mkdir(mode=0o777)
        outbox.chmod(0o777)
        program = folder / "sendmail"
        program.write_text(f'#!/bin/sh\nout=$(mktemp {outbox}/XXXXXX)\n(echo "$@"; cat) >$out\n')
        program.chmod(0o755)
        keywords["extra"] = keywords.get("extra", "") + f"sendmail_path = {program}\n"
        running = start(also=["sieve", *keywords.pop("also", [])], **keywords)
        running.script(USER, script)
        running.sent = lambda: [path.read_text() for path in outbox.iterdir()]
        return running
    return begin


# script -> what is sent, to whom; how many of two copies, by LMTP and by dovecot-lda, are in INBOX and in Junk.
# A second one of the same Message-ID is neither answered nor sent on again, but kept.
SCRIPTS = {
    'require "vacation"; vacation "away";': (["-i -f <> -- a@sender.example"], 0, 2),
    'require "reject"; reject "no";': (["-i -f <> -- a@sender.example"] * 2, 0, 0),
    'redirect "else@other.test";': (["-i -f a@sender.example -- else@other.test"], 0, 1),
    'redirect "else@other.test"; keep;': (["-i -f a@sender.example -- else@other.test"], 0, 2),
    'discard;': ([], 0, 0),
    'require "fileinto"; fileinto "INBOX";': ([], 2, 0),
    'require "fileinto"; fileinto "No such folder";': ([], 0, 2),
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_script_is_the_users(scripted, script):
    sent, inbox, junk = SCRIPTS[script]
    running = scripted(script, **({} if "such" not in script else {"extra": "lda_mailbox_autocreate = no\n"}))
    assert running.lmtp().code == 250 and running.lda() == 0
    assert [each.splitlines()[0] for each in running.sent()] == sent
    assert (running.count(USER), running.count(USER, "Junk")) == (inbox, junk)


def test_sent_on_though_junk_is_full(scripted):
    """The sender tries again, and the script runs again with each try, as the manual says."""
    keywords = QUOTA[0]
    running = scripted('redirect "else@other.test"; keep;', **keywords)
    for _ in range(3):
        assert running.lmtp().code == 451
    assert len(running.sent()) == 3 and running.count(USER) == 0
