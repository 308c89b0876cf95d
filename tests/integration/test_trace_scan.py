# SPDX-License-Identifier: MIT
"""mxguard trace and mxguard scan on files."""
from __future__ import annotations

import json
import mailbox
import re
import subprocess

import pytest

from mxg import build
from mxg.mxguard import mxguard

GATEWAY, SPAMMER = "192.0.2.10", "203.0.113.66"
CONFIG = {"mode": "enforce", "default_domain": "example.test", "state_dir": "/nonexistent/mxguard",
          "trace": {"by": ["mail.example.test"]},
          "gateways": ({"name": "filters", "allow": f"ip4:{GATEWAY}"},)}


def hop(address, *, by="mail.example.test", helo="client.example", rcpt="alice@example.test", proto="ESMTP",
        auth=""):
    return (f"Received: from {helo} (unknown [{address}])\n" + (f"\t(Authenticated sender: {auth})\n" if auth else "")
            + f"\tby {by} (Postfix) with {proto} id 3364BAA03D7\n\tfor <{rcpt}>; "
              f"Mon, 23 Nov 2026 12:35:31 +0000 (UTC)\n")


def message(*hops, subject="x", body="Hello.\n"):
    return "".join(hops) + f"Subject: {subject}\nMessage-ID: <{subject}@sender.example>\n\n{body}"


def trace(*arguments, data=None):
    result = mxguard("trace", "--json", *arguments, data=data)
    assert result.returncode == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


# trace

def test_object_of_the_contract(folder):
    path = folder / "m.eml"
    path.write_text(message(hop("10.1.2.3"), hop(SPAMMER), hop(GATEWAY)))
    (found,) = trace("--internal", "10.0.0.0/8", path)
    assert found["file"] == str(path)
    assert found["boundary"] == {"kind": "external", "address": SPAMMER, "helo": "client.example",
                                 "hostname": None, "by": "mail.example.test", "protocol": "ESMTP", "hop": 2} or \
        found["boundary"] | {"hostname": None} == {"kind": "external", "address": SPAMMER, "helo": "client.example",
                                                   "hostname": None, "by": "mail.example.test", "protocol": "ESMTP",
                                                   "hop": 2}
    assert [each["address"] for each in found["hops"]] == ["10.1.2.3", SPAMMER, GATEWAY]
    assert [each["internal"] for each in found["hops"]] == [True, False, False]
    assert all(set(each) == {"address", "helo", "hostname", "by", "protocol", "authenticated", "internal", "readable"}
               for each in found["hops"])


def test_several_files_in_order_and_standard_input(folder):
    paths = []
    for number, address in enumerate((SPAMMER, GATEWAY, "198.51.100.7")):
        paths.append(folder / str(number))
        paths[-1].write_text(message(hop(address)))
    found = trace("--internal", "10.0.0.0/8", *paths, "-", data=message(hop("198.51.100.8")).encode())
    assert [each["boundary"]["address"] for each in found] == [SPAMMER, GATEWAY, "198.51.100.7", "198.51.100.8"]
    assert found[-1]["file"] == "-"


def test_mbox(folder):
    """Every message of it, also behind long bodies and lines that only look like the next one."""
    texts = [message(hop(SPAMMER), body="x" * 70000 + "\nFrom here on\n\n>From there\n\n"), message(hop(GATEWAY), body=""),
             message(body="\n\n"), message(hop("198.51.100.7"))]
    path = folder / "mbox"
    for end in ("\n", "\r\n"):
        whole = "\n".join("From a@b.example Mon Nov 23 12:35:31 2026\n" + text for text in texts).replace("\n", end)
        path.write_bytes(whole.encode())
        found = trace("--internal", "10.0.0.0/8", path, "-", data=whole.encode())
        assert [each["boundary"]["address"] for each in found] == [SPAMMER, GATEWAY, None, "198.51.100.7"] * 2
        assert [each["file"] for each in found] == [str(path)] * 4 + ["-"] * 4
    shown = mxguard("trace", "--internal", "10.0.0.0/8", path).stdout.decode()
    assert [word for word in (SPAMMER, GATEWAY, "198.51.100.7") if f"{word} handed this message" in shown] == \
        [SPAMMER, GATEWAY, "198.51.100.7"]


@pytest.mark.parametrize("field, nearly, obstacle", [
    (hop(SPAMMER, helo="a b"), "postfix", "no address stands where it should"),
    ("Received: by m (Postfix) id 1; Mon, 23 Nov 2026 12:35:31 +0000\n", "postfix", "no from clause"),
    ("Received: from [192.0.2.1] ([192.0.2.2]) by m with SMTP id 1; Mon, 23 Nov 2026 12:35:31 +0000\n", "other",
     "more than one thing looks like an address"),
    ("Received: from a\v (b [192.0.2.2])\n by m (Postfix) with SMTP id 1; Mon, 23 Nov 2026 12:35:31 +0000\n", None, "control")])
def test_obstacle(field, nearly, obstacle):
    (found,) = trace("--internal", "10.0.0.0/8", "-", data=message(field).encode())
    (one,) = found["hops"]
    assert not one["readable"] and one["nearly"] == nearly and obstacle in one["obstacle"], one
    shown = mxguard("trace", "--internal", "10.0.0.0/8", "-", data=message(field).encode()).stdout.decode()
    assert obstacle in shown and (nearly is None or f"nearly {nearly}, but" in shown)


@pytest.mark.parametrize("by, kind", [("mail.example.test", "external"), (".example.test", "external"),
                                      ("other.test", "unreadable"), ("example.test", "unreadable")])
def test_by_names(by, kind):
    (found,) = trace("--internal", "10.0.0.0/8", "--by", by, "-", data=message(hop(SPAMMER)).encode())
    assert found["boundary"]["kind"] == kind


def test_mta_types():
    data = message(hop(SPAMMER)).encode()
    assert trace("--internal", "10.0.0.0/8", "--mta", "postfix", "-", data=data)[0]["boundary"]["address"] == SPAMMER
    assert trace("--internal", "10.0.0.0/8", "--mta", "exim", "-", data=data)[0]["boundary"]["kind"] == "unreadable"
    assert mxguard("trace", "--mta", "abacus", "-", data=data).returncode == 64


def test_nothing_known():
    (found,) = trace("--internal", "10.0.0.0/8", "-", data=b"Subject: x\n\nHello.\n")
    assert found["boundary"] == dict.fromkeys(found["boundary"]) | {"kind": "none"}
    assert found["hops"] == []


def test_ends_below_an_internal_client_is_local():
    (found,) = trace("--internal", "10.0.0.0/8", "-", data=message(hop("10.1.2.3")).encode())
    assert (found["boundary"]["kind"], found["boundary"]["address"]) == ("local", None)


def test_sentence_for_people(folder, mxguard_config):
    path, config = folder / "m.eml", mxguard_config(CONFIG)
    path.write_text(message(hop(SPAMMER)))
    said = mxguard("trace", "-c", config, path).stdout.decode()
    assert f"this message never passed a gateway: {SPAMMER} delivered it straight to mail.example.test." in said
    path.write_text(message(hop(GATEWAY)))
    said = mxguard("trace", "-c", config, path).stdout.decode()
    assert f"this message came through the gateway filters: {GATEWAY}" in said


def test_hostile_bytes_do_not_reach_the_terminal(folder, mxguard_config):
    path = folder / "m.eml"
    path.write_bytes(message(hop(SPAMMER, helo="a\x1b[31mb")).encode() + b"\x1b]0;x\x07")
    for arguments in (["-c", mxguard_config(CONFIG)], ["--json", "--internal", "10.0.0.0/8"]):
        said = mxguard("trace", *arguments, path).stdout
        assert not re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", said), said


def test_json_is_one_line_of_ascii():
    """C1 controls are escapes to a terminal; U+0085 and U+2028 end a line for many a reader."""
    helo = "a\u009b31mb\u2028c\u0085d"
    said = mxguard("trace", "--json", "--internal", "10.0.0.0/8", "-", data=message(hop(SPAMMER, helo=helo)).encode())
    assert said.stdout.isascii() and len(said.stdout.decode().splitlines()) == 1
    assert json.loads(said.stdout)["boundary"]["helo"] == helo


# scan

@pytest.fixture
def store(folder):
    """Two Maildirs of three: five through the gateway, three direct, one of a user's, one local."""
    now = 1700000000
    kinds = [hop(GATEWAY)] * 5 + [hop(SPAMMER)] * 3 + [hop(SPAMMER, proto="ESMTPSA", auth="alice")] + \
        ["Received: by mail.example.test (Postfix, from userid 1000)\n\tid 3364BAA03D7; "
         "Mon, 23 Nov 2026 12:35:31 +0000 (UTC)\n"]
    for user in ("alice", "bob"):
        for sub in ("cur", "new", "tmp"):
            (folder / "mail" / user / "Maildir" / sub).mkdir(parents=True)
    for number, kind in enumerate(kinds):
        user, sub = ("alice", "bob")[number % 2], ("cur", "new")[number // 2 % 2]
        name = f"{now + number * 86400 * 20}.M{number}P1.host"
        (folder / "mail" / user / "Maildir" / sub / name).write_text(message(kind, subject=f"n{number}"))
    (folder / "mail" / "alice" / "Maildir" / "dovecot.index").write_bytes(b"\x00\x01")
    return folder / "mail"


def scan(config, *arguments, data=None):
    result = mxguard("scan", "-c", config, "--json", *arguments, data=data)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_tree_of_maildirs(store, mxguard_config):
    found = scan(mxguard_config(CONFIG), store)
    assert found["messages"] == 10
    assert found["paths"] == {"gateway": 5, "direct": 3, "authenticated": 1, "local": 1, "unknown": 0, "exempt": 0}
    assert found["gateways"] == {"filters": 5}
    (peer,) = found["direct_peers"]
    assert (peer["address"], peer["messages"]) == (SPAMMER, 3)
    assert peer["first"].startswith("2024-02-22") and peer["last"].startswith("2024-04-02")
    assert sum(sum(month.values()) for month in found["months"].values()) == 10
    assert found["enforce"]["quarantine"] == 3 and found["enforce"]["accept"] == 7
    assert scan(mxguard_config(CONFIG), "--place", "door", store)["enforce"]["reject"] == 3


def test_since_and_lists_of_names(store, mxguard_config):
    config = mxguard_config(CONFIG)
    assert scan(config, "--since", "2024-04-01", store)["messages"] == 3
    names = "\n".join(str(path) for path in store.rglob("*host")) + "\n"
    assert scan(config, "-", data=names.encode())["messages"] == 10


def test_mbox_and_single_message(folder, mxguard_config):
    box = mailbox.mbox(folder / "box")
    for number in range(6):
        box.add(message(hop(SPAMMER if number < 2 else GATEWAY), body="Hello.\nFrom here on\n\nFrom there\n"))
    box.close()
    single = folder / "one.eml"
    single.write_text(message(hop(GATEWAY)))
    found = scan(mxguard_config(CONFIG), folder / "box", single)
    assert (found["messages"], found["paths"]["direct"], found["paths"]["gateway"]) == (7, 2, 5)


@pytest.mark.parametrize("above, below, path", [
    ("Delivered-To: alice@theirs.test\n", "X-Original-To: alice@ours.test\n", "direct"),
    ("", "X-Original-To: alice@theirs.test\nDelivered-To: alice@ours.test\n", "direct"),
    ("Delivered-To: alice@theirs.test\nX-Original-To: alice@ours.test\n", "", "gateway"),
    ("Delivered-To: alice@ours.test\n", "Delivered-To: alice@theirs.test\n", "gateway")])
def test_recipient_stands_above_the_trace(folder, mxguard_config, above, below, path):
    """Only ours.test has the gateway; what the sender wrote below the trace counts for nothing."""
    config = mxguard_config(CONFIG | {"gateways": ({"name": "none", "allow": "ip4:198.51.100.1"},),
                                      "policies": ({"domains": ["ours.test"], "gateways": CONFIG["gateways"]},)})
    mail = folder / "m.eml"
    mail.write_text(above + message(hop(GATEWAY, rcpt="x")).replace("Subject:", below + "Subject:"))
    assert json.loads(mxguard("scan", "-c", config, "--json", mail).stdout)["paths"][path] == 1


def test_reads_only(store, mxguard_config):
    def state():
        return {path: (path.stat().st_mtime_ns, path.stat().st_atime_ns, path.stat().st_size)
                for path in store.rglob("*") if path.is_file()}
    before = state()
    scan(mxguard_config(CONFIG), store)
    assert state() == before


def test_symbolic_links_are_not_followed(store, folder, mxguard_config):
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere" / "1.m").write_text(message(hop(SPAMMER)))
    (store / "alice" / "Maildir" / "cur" / "link").symlink_to(folder / "elsewhere" / "1.m")
    (store / "loop").symlink_to(store)
    assert scan(mxguard_config(CONFIG), store)["messages"] == 10


def test_long_lines_in_an_mbox_cost_no_memory(folder, mxguard_config):
    path = folder / "box"
    with open(path, "wb") as box:
        box.write(b"From a@b Mon Nov 23 12:35:31 2026\n" + message(hop(SPAMMER)).encode())
        box.write(b"x" * (64 << 20) + b"\n\n")
        box.write(b"From a@b Mon Nov 23 12:35:31 2026\n" + message(hop(GATEWAY)).encode())
    limit = 200 << 20
    result = subprocess.run(["prlimit", f"--as={limit + (400 << 20)}", str(build.command()), "scan", "-c",
                             str(mxguard_config(CONFIG)), "--json", "--workers", "1", str(path)],
                            capture_output=True, timeout=120)
    found = json.loads(result.stdout)
    assert (found["messages"], found["paths"]["direct"], found["paths"]["gateway"]) == (2, 1, 1)


def test_html_page(store, folder, mxguard_config):
    page = folder / "page.html"
    result = mxguard("scan", "-c", mxguard_config(CONFIG), "--html", page, store)
    assert result.returncode == 0
    text = page.read_text()
    assert SPAMMER in text and "Of 10 messages, 3 (30.0 %) were delivered past the filters" in text
    assert not re.search(r"https?://(?!www\.w3\.org/)|src=|@import|url\((?!#fill-)", text)


def test_names_are_escaped_in_the_page(folder, mxguard_config):
    (folder / "m" / "new").mkdir(parents=True)
    (folder / "m" / "new" / "1.<script>alert(1)<script>").write_text(message(hop(SPAMMER)))
    mxguard("scan", "-c", mxguard_config(CONFIG), "--html", folder / "p.html", folder / "m")
    text = (folder / "p.html").read_text()
    assert text.count("<script") == 2 and "\\u003cscript\\u003ealert(1)" in text


def test_csv(store, mxguard_config):
    lines = mxguard("scan", "-c", mxguard_config(CONFIG), "--csv", store).stdout.decode().splitlines()
    assert lines[0] == "month,gateway,direct,unknown,local,authenticated,exempt"
    assert sum(int(line.split(",")[2]) for line in lines[1:]) == 3


def test_missing_path(mxguard_config):
    result = mxguard("scan", "-c", mxguard_config(CONFIG), "/nonexistent/mail")
    assert b"/nonexistent/mail" in result.stderr
