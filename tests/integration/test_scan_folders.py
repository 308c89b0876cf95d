# SPDX-License-Identifier: MIT
"""mxguard scan: which folders count, what it says of single messages and of domains."""
from __future__ import annotations

import base64
import json

import pytest

from mxg.dovecot import first_lines
from mxg.mxguard import mxguard
from test_trace_scan import CONFIG, GATEWAY, SPAMMER, hop, message, scan

WHEN = 1790000000


def put(folder, count=1, address=SPAMMER, rcpt="u@example.test"):
    """Messages into a Maildir folder."""
    (folder / "cur").mkdir(parents=True, exist_ok=True)
    for number in range(count):
        (folder / "cur" / f"{WHEN + number}.M{number}.host:2,S").write_text(f"Delivered-To: {rcpt}\n" + message(hop(address)))


def imap(name):
    """As IMAP and Dovecot write it (RFC 3501 section 5.1.3)."""
    found, run = "", ""
    for char in name + "\0":
        if " " <= char <= "~" or char == "\0":
            if run:
                found += "&" + base64.b64encode(run.encode("utf-16-be")).decode().rstrip("=").replace("/", ",") + "-"
                run = ""
            found += {"&": "&-", "\0": ""}.get(char, char)
        else:
            run += char
    return found


OWN = [".Sent", ".Drafts", ".Sent Items", ".sent-mail", ".INBOX.Sent", ".Sent.2025", ".Archive.Sent Messages", ".Templates",
       ".Outbox", ".Gesendet", ".Entwürfe", ".Gesendete Objekte", ".Éléments envoyés", ".Brouillons", ".Enviados", ".Posta inviata",
       ".Отправленные", ".Черновики", ".已发送", ".送信済み", ".Wysłane", ".보낸 편지함", ".Απεσταλμένα"]
OTHERS = [".Trash", ".Junk", ".Archive", ".Sentinel", ".Sent to me", ".Absent", ".Lists.drafting", ".INBOX"]


@pytest.mark.parametrize("name", OWN)
def test_folders_of_one_s_own_mail_do_not_count(folder, mxguard_config, name):
    box, config = folder / "Maildir", mxguard_config(CONFIG)
    put(box, 2)
    put(box / imap(name), 3)
    if imap(name) != name:
        put(box / name, 4)  # as Dovecot writes it where it is told to
    found = scan(config, folder)
    assert (found["messages"], found["own_folders"]) == (2, 1 + (imap(name) != name))
    assert found["own_sample"].startswith(str(box))
    assert scan(config, "--all-folders", folder)["messages"] == 5 + 4 * (imap(name) != name)
    assert scan(config, "--all-folders", folder)["own_folders"] == 0


def test_others_do(folder, mxguard_config):
    for name in OTHERS:
        put(folder / "Maildir" / name)
    found = scan(mxguard_config(CONFIG), folder)
    assert (found["messages"], found["own_folders"]) == (len(OTHERS), 0)


def test_a_folder_that_is_named_counts(folder, mxguard_config):
    put(folder / "Maildir" / ".Sent", 3)
    assert scan(mxguard_config(CONFIG), folder / "Maildir" / ".Sent")["messages"] == 3


def test_folders_without_a_dot(folder, mxguard_config):
    """LAYOUT=fs, and mbox files; but a user may be called "sent"."""
    put(folder / "one" / "Maildir", 1)
    put(folder / "one" / "Maildir" / "sent", 10)  # beside cur: a mail folder
    put(folder / "one" / "Maildir" / "Sent Items", 10)
    put(folder / "sent" / "Maildir", 2)
    put(folder / "drafts", 4)
    (folder / "mail").mkdir()
    for name in ("Sent", "sent-mail", "inbox"):
        (folder / "mail" / name).write_text("From a@b Mon Nov 23 12:35:31 2026\n" + message(hop(SPAMMER)))
    found = scan(mxguard_config(CONFIG), folder)
    assert (found["messages"], found["own_folders"]) == (1 + 2 + 4 + 1, 4)


def test_what_dovecot_s_configuration_says(folder, mxguard_config):
    """A name that nobody could guess, in a namespace of the private folder /etc/dovecot."""
    put(folder / "Maildir", 1)
    put(folder / "Maildir" / ".Ausgang Firma", 5)
    config = mxguard_config(CONFIG)
    assert scan(config, folder)["messages"] == 6
    script = folder / "run"
    conf = folder / "dovecot.conf"
    conf.write_text(first_lines() + "namespace inbox {\n  inbox = yes\n  mailbox \"Ausgang Firma\" {\n    special_use = \\Sent\n  }\n}\n")
    (folder / "etc").mkdir()
    script.write_text(f"""#!/bin/sh
set -e
mount --bind {folder}/etc /etc/dovecot
cp {conf} /etc/dovecot/dovecot.conf
exec "$@"
""")
    script.chmod(0o755)
    from mxg import build
    import shutil
    import subprocess
    if not shutil.which("doveconf"):
        pytest.skip("doveconf is not installed")
    made = subprocess.run(["unshare", "-m", str(script), str(build.command()), "scan", "-c", str(config), "--json", str(folder / "Maildir")],
                          capture_output=True, timeout=60)
    if b"mount" in made.stderr:
        pytest.skip("mounting is not allowed here")
    found = json.loads(made.stdout)
    assert (found["messages"], found["own_folders"]) == (1, 1)


# --list

def test_list_of_what_could_not_be_judged(folder, mxguard_config):
    put(folder / "Maildir", 3)
    put(folder / "Maildir" / ".Lists", 2, "rubbish")
    box = folder / "mbox"
    box.write_text("From a@b Mon Nov 23 12:35:31 2026\n" + message(hop(SPAMMER)) +
                   "\nFrom a@b Mon Nov 23 12:35:32 2026\n" + message(hop("rubbish")))
    config = mxguard_config(CONFIG)
    result = mxguard("scan", "-c", config, "--list", "unknown", folder)
    rows = [line.split("\t") for line in result.stdout.decode().splitlines()]
    assert result.returncode == 0 and len(rows) == 3 and {row[1] for row in rows} == {"field-unreadable"}
    assert {row[4] for row in rows} == {str(box)} | {str(each) for each in (folder / "Maildir" / ".Lists" / "cur").iterdir()}
    assert [row[5:] for row in rows if row[4] == str(box)] == [["2"]]
    found = [json.loads(line) for line in mxguard("scan", "-c", config, "--json", "--list", "unknown", folder).stdout.splitlines()]
    assert all(set(each) == {"file", "message", "path", "reason", "date", "domain", "peer"} for each in found)
    assert {(each["file"], each["message"], each["reason"]) for each in found} == \
        {(row[4], 2 if len(row) > 5 else None, "field-unreadable") for row in rows}
    assert {each["path"] for each in found} == {"unknown"}


def test_list_of_the_others(folder, mxguard_config):
    put(folder / "Maildir", 3)
    put(folder / "Maildir" / ".a", 2, GATEWAY)
    config = mxguard_config(CONFIG)
    direct = mxguard("scan", "-c", config, "--list", "direct", folder).stdout.decode().splitlines()
    assert len(direct) == 3 and all(line.split("\t")[1:4] == ["peer-not-a-gateway", "example.test", SPAMMER] for line in direct)
    assert len(mxguard("scan", "-c", config, "--list", "gateway", folder).stdout.splitlines()) == 2
    assert mxguard("scan", "-c", config, "--list", "spam", folder).returncode == 64
    assert mxguard("scan", "-c", config, "--list", "direct", "--csv", folder).returncode == 64


def test_a_name_cannot_forge_a_line_of_the_list(folder, mxguard_config):
    (folder / "new").mkdir()
    (folder / "new" / f"{WHEN}.x\n2026-01-01\tforged\t\x1b[31m\u202e").write_text(message(hop(SPAMMER)))
    (line,) = mxguard("scan", "-c", mxguard_config(CONFIG), "--list", "direct", folder).stdout.decode().splitlines()
    assert len(line.split("\t")) == 5 and line.isprintable() is False and "\x1b" not in line and "\u202e" not in line


# by domain

def test_domains(folder, mxguard_config):
    put(folder / "a", 3, SPAMMER, "u@One.test")
    put(folder / "b", 2, GATEWAY, "v@one.test")
    put(folder / "c", 1, GATEWAY, "w@two.test")
    for worker in ("1", "8"):
        found = scan(mxguard_config(CONFIG), "--workers", worker, folder)
        none = {"unknown": 0, "local": 0, "authenticated": 0, "exempt": 0}
        assert found["domains"] == [{"domain": "one.test", "messages": 5, "gateway": 2, "direct": 3} | none,
                                    {"domain": "two.test", "messages": 1, "gateway": 1, "direct": 0} | none]


def test_sums_by_domain_are_those_of_all(folder, mxguard_config):
    """More domains than a table begins with, by several workers."""
    for number in range(700):
        put(folder / str(number % 7) / f"{number}", 1, (SPAMMER, GATEWAY)[number % 2], f"u@d{number}.test")
    found = scan(mxguard_config(CONFIG), "--workers", "8", folder)
    assert len(found["domains"]) == 700 and {each["messages"] for each in found["domains"]} == {1}
    for path, count in found["paths"].items():
        assert sum(each[path] for each in found["domains"]) == count
