# SPDX-License-Identifier: MIT
"""mxguard scan of what only Dovecot can read, through doveadm; and compressed mail in Maildirs, through the programs."""
from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import pathlib
import re
import shlex
import shutil
import subprocess

import pytest

from mxg import build
from mxg.dovecot import Dovecot, Settings, version
from mxg.process import program
from test_trace_scan import CONFIG, GATEWAY, SPAMMER, hop, message, scan

dovecot_needed = pytest.mark.skipif(not version(), reason="Dovecot is not installed")
HOSTILE = ['"},{"user":"x","mailbox":"INBOX","hdr":"Received: from a', "a\tb\\c\\\"d\\u0022]", "x\x0cy\x01z\x7f", "]}]\n\t[{",
           "\udcff\udcfe\udcc3\udca9", "username: u\n hdr:\n\tReceived: from b", "w" * 70000]


def mails():
    """What came by the gateway, by a spammer, and in no way that is known; each hostile in its own way."""
    made = []
    for number, text in enumerate(HOSTILE):
        for hops in ([hop(GATEWAY)], [hop(SPAMMER)], ["Received: rubbish\n"], [hop(f"203.0.113.{number}"), hop(GATEWAY)]):
            made.append(message(*hops, subject=text).encode("utf-8", "surrogateescape"))
    return made


def fields(driver: str, place: str) -> dict[str, str]:
    if version() >= (2, 4):
        path = {"mail_driver": driver, "mail_path": f"~/{place}"}
        return path | ({"mail_inbox_path": "~/inbox"} if driver == "mbox" else {})
    return {"mail": f"{driver}:~/{place}" + (":INBOX=~/inbox" if driver == "mbox" else "")}


def compression(method: str) -> str:
    if version() >= (2, 4):
        return f"mail_plugins {{\n  mail_compress = yes\n}}\nmail_compress_write_method = {method}\n"
    return f"mail_plugins = zlib\nplugin {{\n  zlib_save = {method}\n}}\n"


@pytest.fixture
def dovecots(folder):
    started = []

    def start(settings: Settings) -> Dovecot:
        started.append(Dovecot(folder / "dovecot", settings).start())
        return started[-1]
    yield start
    for each in started:
        each.stop()


def through(dovecot: Dovecot, folder: pathlib.Path) -> dict[str, str]:
    """An environment in which doveadm is that of this Dovecot."""
    bin_folder = folder / "bin"
    bin_folder.mkdir(exist_ok=True)
    command = shlex.join(dovecot.placed([program("doveadm"), "-c", str(dovecot.config)]))
    (bin_folder / "doveadm").write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    (bin_folder / "doveadm").chmod(0o755)
    return os.environ | {"PATH": f"{bin_folder}:{os.environ['PATH']}"}


def scan_doveadm(config, environment, *arguments, status=0):
    result = subprocess.run([str(build.command()), "scan", "-c", str(config), "--json", "--doveadm", *arguments],
                            capture_output=True, env=environment, timeout=300)
    assert result.returncode == status, result.stderr.decode(errors="replace")
    return json.loads(result.stdout), result.stderr.decode(errors="replace")


def save(dovecot: Dovecot, user: str, mailbox: str, mail: bytes, folder: pathlib.Path) -> None:
    path = pathlib.Path("/tmp") / f"mxg-save-{os.getpid()}"
    path.write_bytes(mail)
    path.chmod(0o644)
    try:
        dovecot.doveadm("save", "-u", user, "-m", mailbox, str(path))
    finally:
        path.unlink()


COUNTED = ("messages", "failed", "paths", "enforce", "gateways", "unknown_reasons", "reasons", "domains")


def counts(found):
    peers = sorted((peer["address"], peer["messages"]) for peer in found["direct_peers"])
    return {key: found[key] for key in COUNTED if key in found} | {"peers": peers}


@dovecot_needed
@pytest.mark.parametrize("driver, method", [("maildir", None), ("mbox", None), ("sdbox", None), ("mdbox", None),
                                            ("mdbox", "zstd"), ("sdbox", "gz"), ("maildir", "lz4")])
def test_the_same_counts_as_of_plain_files(folder, dovecots, mxguard_config, driver, method):
    users = {"u1@example.test": fields(driver, "store"), "u2@example.test": fields(driver, "other")}
    settings = Settings(users=users, extra=compression(method) if method else "")
    dovecot, config, plain = dovecots(settings), mxguard_config(CONFIG), folder / "plain"
    plain.mkdir()
    for number, mail in enumerate(mails()):
        save(dovecot, "u1@example.test" if number % 3 else "u2@example.test", "INBOX", mail, folder)
        (plain / f"{number}.eml").write_bytes(mail)
    dovecot.doveadm("mailbox", "create", "-u", "u1@example.test", "Sent")
    save(dovecot, "u1@example.test", "Sent", message(hop("127.0.0.1")).encode(), folder)
    within = "Sent.2025" if driver == "maildir" else "Drafts/2025"
    dovecot.doveadm("mailbox", "create", "-u", "u2@example.test", within)
    save(dovecot, "u2@example.test", within, message(hop(SPAMMER)).encode(), folder)
    environment = through(dovecot, folder)
    expected = counts(scan(config, plain))
    assert expected["messages"] == len(mails()) and expected["paths"]["direct"] >= 2 * len(HOSTILE)
    found, said = scan_doveadm(config, environment, "-u", "u1@example.test", "-u", "u2@example.test")
    assert counts(found) == expected, said
    assert counts(scan_doveadm(config, environment, "-A")[0]) == expected
    assert scan_doveadm(config, environment, "--all-folders")[0]["messages"] == len(mails()) + 2
    assert scan_doveadm(config, environment, "--since", "2999-01-01")[0]["messages"] == 0


@dovecot_needed
def test_dovecot_keeps_no_special_use_that_a_client_chose(dovecots):
    """Why there is nothing of it to read: CREATE is answered OK, and neither LIST nor METADATA knows of it then."""
    settings = Settings(extra="protocol imap {\n  imap_metadata = yes\n}\n" + (
        "mail_attribute {\n  dict file {\n    path = %{home}/attributes\n  }\n}\n" if version() >= (2, 4) else
        "mail_attribute_dict = file:%h/attributes\n"))
    dovecot = dovecots(settings)
    command = dovecot.placed([program("doveadm"), "-c", str(dovecot.config), "exec", "imap", "-u", "u1@example.test"])
    said = subprocess.run(command, capture_output=True, timeout=60, check=True, input=b"\r\n".join([
        rb'a CREATE Gone (USE (\Sent))', rb'b LIST (SPECIAL-USE) "" "*"', rb'c LIST "" "*"',
        rb'd SETMETADATA Gone (/private/specialuse "\\Sent")', b"e LOGOUT", b""])).stdout.decode()
    assert "a OK" in said and re.search(r'^\* LIST \([^)]*\) "." "?Gone"?\r?$', said, re.M)
    assert "\\Sent" not in said and "d NO" in said


@dovecot_needed
def test_a_user_who_is_not_there_is_said(folder, dovecots, mxguard_config):
    dovecot = dovecots(Settings(users={"u1@example.test": fields("mdbox", "store")}, extra=""))
    environment, config = through(dovecot, folder), mxguard_config(CONFIG)
    save(dovecot, "u1@example.test", "INBOX", mails()[1], folder)
    found, said = scan_doveadm(config, environment, "-u", "u1@example.test", "-u", "-x\n/../nobody", status=66)
    assert found["messages"] == 1 and found["failed"] == 1 and "exit status" in said


def fake(folder, script: str) -> dict[str, str]:
    path = folder / "bin" / "doveadm"
    path.parent.mkdir(exist_ok=True)
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(0o755)
    return os.environ | {"PATH": f"{path.parent}:{os.environ['PATH']}"}


def row(header: str, **more) -> str:
    return json.dumps({"user": "u", "mailbox": "INBOX", "uid": "1", "date.received.unixtime": "1790000000",
                       "hdr": header} | more)


DIRECT = message(hop(SPAMMER))


@pytest.mark.parametrize("output, code, status, messages", [
    ("[]", 0, 0, 0),
    (f"[{row(DIRECT)}]", 0, 0, 1),
    (f"[ {row(DIRECT)} ,\n{row(DIRECT, uid=7, other=None, more=[])}]", 0, 66, 1),  # no doveadm writes lists
    (f"[{row(DIRECT)},{row(DIRECT, uid=7, other=None)}]", 0, 0, 2),
    (f"[{row(DIRECT)}]", 75, 66, 1),
    (f"[{row(DIRECT)},", 0, 66, 1),
    (f"[{row(DIRECT)},{row(DIRECT)[:-40]}", 0, 66, 1),
    (f"[{row(DIRECT)}{row(DIRECT)}]", 0, 66, 1),
    ("", 0, 66, 0), ("doveadm: no such thing", 0, 66, 0), ('{"hdr":"x"}', 0, 66, 0), ('["hdr"]', 0, 66, 0),
    ('[{"hdr":"\\ud800x"}]', 0, 66, 0), ('[{"hdr":"\\q"}]', 0, 66, 0), ('[{"hdr" "x"}]', 0, 66, 0),
])
def test_what_is_not_whole_is_said(folder, mxguard_config, output, code, status, messages):
    (folder / "output").write_text(output)
    environment = fake(folder, f"cat {shlex.quote(str(folder / 'output'))}\nexit {code}\n")
    found, said = scan_doveadm(mxguard_config(CONFIG), environment, status=status)
    assert found["messages"] == messages and found["failed"] == (1 if status else 0)
    assert ("mxguard scan: " in said) == (status != 0)


def test_strings_are_read_as_they_were_written(folder, mxguard_config):
    """Escapes, a header of any length, what is not UTF-8; arguments go to doveadm as they are."""
    header = DIRECT.replace("Received", '"\\/\b\f\r\t\u00e9\u20ac\U0001f600"X: y\nReceived', 1) + "X: " + "y" * 3000000 + "\n\n"
    (folder / "output").write_bytes(f"[{row(header)},{row(DIRECT)}]".encode().replace(b"example", b"ex\xff\\/ample", 1)
                                    .replace(b"ex\xff\\/ample", b"example"))
    environment = fake(folder, f'printf "%s|" "$@" > {folder}/arguments\ncat {folder}/output\n')
    found, _ = scan_doveadm(mxguard_config(CONFIG), environment, "-u", "$(touch x) 'y'")
    assert found["messages"] == 2 and found["paths"]["unknown"] + found["paths"]["direct"] == 2
    assert (folder / "arguments").read_text() == \
        "-f|json|fetch|-u|$(touch x) 'y'|user mailbox uid date.received.unixtime hdr|all|"


def test_without_doveadm(folder, mxguard_config):
    found, said = scan_doveadm(mxguard_config(CONFIG), os.environ | {"PATH": str(folder)}, status=66)
    assert found["failed"] == 1 and "doveadm cannot be run" in said


def test_usage(folder, mxguard_config):
    for arguments in (["--doveadm", "x"], ["-u", "x", "y"], ["-A", "y"], ["--doveadm", "-A", "-u", "x"]):
        result = subprocess.run([str(build.command()), "scan", "-c", str(mxguard_config(CONFIG)), *arguments],
                                capture_output=True)
        assert result.returncode == 64, arguments


def lz4(data: bytes) -> bytes:
    return subprocess.run(["lz4", "-c"], input=data, capture_output=True, check=True).stdout


def zstd(data: bytes) -> bytes:
    return subprocess.run(["zstd", "-c"], input=data, capture_output=True, check=True).stdout


@pytest.mark.parametrize("pack, needed", [(gzip.compress, "gzip"), (bz2.compress, "bzip2"), (lzma.compress, "xz"),
                                          (zstd, "zstd"), (lz4, "lz4")])
def test_compressed_mail_in_a_maildir(folder, mxguard_config, pack, needed):
    if not shutil.which(needed):
        pytest.skip(f"{needed} is not installed")
    cur, config = folder / "Maildir" / "cur", mxguard_config(CONFIG)
    cur.mkdir(parents=True)
    for number in range(4):
        body = "x" * 4000000 if number == 3 else "Hello.\n"  # more than a pipe holds: it is left before its end
        text = message(hop(SPAMMER if number else GATEWAY), body=body).encode()
        (cur / f"179000000{number}.M1P1.host:2,S").write_bytes(pack(text))
    found = scan(config, folder / "Maildir")
    assert found["messages"] == 4 and found["failed"] == 0
    assert found["paths"]["gateway"] == 1 and found["paths"]["direct"] == 3
    unit = subprocess.run(["env", "--ignore-signal=PIPE", str(build.command()), "scan", "-c", str(config), "--json",
                           str(folder / "Maildir")], capture_output=True, check=True)  # as systemd starts services
    assert json.loads(unit.stdout)["failed"] == 0 and needed.encode() not in unit.stderr, unit.stderr
    (cur / "1790000009.M1P1.host:2,S").write_bytes(pack(message(hop(SPAMMER)).encode())[:14])
    assert scan(config, folder / "Maildir")["failed"] == 1, "what is damaged is said"


def test_what_only_dovecot_unpacks_is_said(folder, mxguard_config):
    cur = folder / "Maildir" / "cur"
    cur.mkdir(parents=True)
    (cur / "1790000000.M1P1.host:2,S").write_bytes(b"Dovecot-LZ4\x0d\x2a\x9b\xc5\0\1\0\0\0\0\0\7abcdefg")
    result = subprocess.run([str(build.command()), "scan", "-c", str(mxguard_config(CONFIG)), "--json", str(folder / "Maildir")],
                            capture_output=True)
    assert result.returncode == 66 and b"--doveadm" in result.stderr
    assert json.loads(result.stdout)["failed"] == 1
