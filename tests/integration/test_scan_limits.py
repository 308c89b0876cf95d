# SPDX-License-Identifier: MIT
"""mxguard scan and trace where there is too much of something: bytes, fields, messages, time."""
from __future__ import annotations

import csv
import fcntl
import html.parser
import io
import json
import os
import pathlib
import re
import shutil
import signal
import struct
import subprocess
import termios

import pytest

from mxg import build
from mxg.mxguard import mxguard
from mxg.process import wait_until
from test_trace_scan import CONFIG, GATEWAY, SPAMMER, hop, message, scan, trace

HEADER_MAX = 256 * 1024


def bytes_read(config, path) -> int:
    """How many bytes of this file mxguard scan reads."""
    log = path.with_suffix(".strace")
    subprocess.run(["strace", "-ff", "-y", "-e", "trace=read,pread64,readv,mmap", "-o", str(log), str(build.command()),
                    "scan", "-c", str(config), "--json", str(path)], check=True, stdout=subprocess.DEVNULL, timeout=120)
    calls = [line for thread in log.parent.glob(log.name + ".*")  # a file each, so that no call is cut in two
             for line in thread.read_text(encoding="utf-8", errors="replace").splitlines() if f"<{path}>" in line]
    assert calls and not any("mmap(" in line for line in calls)
    return sum(int(line.rsplit("= ", 1)[1].split()[0]) for line in calls)


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
@pytest.mark.parametrize("header", [message(hop(SPAMMER), body=""), message(hop("127.0.0.1"), body=""),
                                    message(body=""), message(hop("rubbish"), body="")])
def test_a_body_of_a_gigabyte_is_never_read(folder, mxguard_config, header):
    path = folder / "big.eml"
    path.write_text(header)
    with open(path, "ab") as big:
        big.truncate(1 << 30)
    assert bytes_read(mxguard_config(CONFIG), path) <= HEADER_MAX


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
def test_a_header_without_end_is_left_at_the_limit(folder, mxguard_config):
    path, config = folder / "endless.eml", mxguard_config(CONFIG)
    with open(path, "w", encoding="ascii") as endless:
        for number in range(1000):
            endless.write(f"X-{number}: " + "x" * 9000 + "\n")
    assert bytes_read(config, path) <= HEADER_MAX + 64 * 1024  # what is read ahead
    assert scan(config, path)["paths"]["unknown"] == 1


@pytest.mark.parametrize("address, kind", [(SPAMMER, "external"), ("10.1.2.3", "unreadable")])
def test_ten_thousand_fields(folder, mxguard_config, address, kind):
    path = folder / "many.eml"
    path.write_text(message(*[hop(address)] * 10000))
    (found,) = trace("--internal", "10.0.0.0/8", path)
    assert found["boundary"]["kind"] == kind
    assert len(found["hops"]) <= 201
    found = scan(mxguard_config(CONFIG | {"internal": ["10.0.0.0/8"]}), path)
    assert found["paths"]["direct" if kind == "external" else "unknown"] == 1


@pytest.mark.parametrize("field", [
    b"Received: from a\0b (unknown [203.0.113.66])\n\tby mail.example.test (Postfix) with ESMTP id 1\n",
    b"Received: from a\rb (unknown [203.0.113.66])\n\tby mail.example.test (Postfix) with ESMTP id 1\n",
    b"Received: from a (unknown [203.0.113.66])\r\n\tby mail.example.test (Postfix) with ESMTP id 1\n",
    b"Received: from a (unknown [203.0.113.66])\n\tby mail.example.test (Postfix) with ESMTP id 1\xff\n",
    b"Received: from " + b"(" * 16000 + b"\n",
    b"Received: from a" + b"\n " * 9000 + b"(unknown [203.0.113.66])\n\tby mail.example.test (Postfix) with ESMTP id 1\n",
    b"no field at all\n", b" folded first\n", b"\xff\xfe\n"])
def test_what_cannot_be_believed_is_unreadable(field):
    data = field + message(hop(GATEWAY)).encode()
    assert trace("--internal", "10.0.0.0/8", "-", data=data)[0]["boundary"]["kind"] == "unreadable"


@pytest.mark.parametrize("before", ["From a@b Mon Nov 23 12:35:31 2026\n", "From a@b Mon Nov 23 12:35:31 2026\n>From c@d\n"])
def test_envelope_lines_of_an_mbox_stand_first(before):
    data = (before + message(hop(SPAMMER))).encode()
    assert trace("--internal", "10.0.0.0/8", "-", data=data)[0]["boundary"]["address"] == SPAMMER


def peak_memory(config, count: int, one) -> int:
    """In KiB, for this many messages."""
    with subprocess.Popen([str(build.command()), "scan", "-c", str(config), "--json", "-"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as process:
        assert process.stdin and process.stdout
        for _ in range(count // 1000):
            process.stdin.write(f"{one}\n".encode() * 1000)
        process.stdin.close()
        found = json.loads(process.stdout.read())
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert (process.returncode, found["messages"]) == (0, count)
    return usage.ru_maxrss


def test_memory_is_constant(folder, mxguard_config):
    one, config = folder / "one.eml", mxguard_config(CONFIG)
    one.write_text(message(hop(SPAMMER)))
    # a thousand more names alone would be 100 KB
    assert peak_memory(config, 30000, one) < peak_memory(config, 1000, one) + 1024


# Interrupting

@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("kind", ["--json", "--csv", "people"])
def test_interrupt_prints_what_is_known(folder, mxguard_config, number, kind):
    """While it waits for more names: the list stays open."""
    one, page = folder / "one.eml", folder / "page.html"
    one.write_text(message(hop(SPAMMER)))
    arguments = [str(build.command()), "scan", "-c", str(mxguard_config(CONFIG)), "--html", str(page)]
    arguments += [] if kind == "people" else [kind]
    with subprocess.Popen([*arguments, "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin and process.stdout
        process.stdin.write(f"{one}\n".encode() * 5000)
        process.stdin.flush()
        wait_until(lambda: waiting_in(process.stdin.fileno()) == 0, "the names are taken")
        process.send_signal(number)
        text = process.stdout.read().decode()
        assert process.wait(timeout=120) == 0
    if kind == "--json":
        found = json.loads(text)
        assert found["interrupted"] is True and 0 < found["messages"] <= 5000
        assert found["paths"]["direct"] == found["messages"]
    elif kind == "--csv":
        (row,) = csv.DictReader(io.StringIO(text))
        assert 0 < int(row["direct"]) <= 5000
    else:
        assert SPAMMER in text and "interrupt" in text.lower()
    assert SPAMMER in page.read_text() and "interrupt" in page.read_text().lower()


def waiting_in(pipe: int) -> int:
    return struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4))[0]


def test_a_whole_scan_says_nothing_of_an_interrupt(folder, mxguard_config):
    one, page = folder / "one.eml", folder / "page.html"
    one.write_text(message(hop(SPAMMER)))
    assert scan(mxguard_config(CONFIG), "--html", page, one)["interrupted"] is False
    assert "interrupt" not in page.read_text().lower()


# --since

DAY = 86400
MARCH = 1709251200  # 2024-03-01 00:00 UTC


def maildir(folder, *stamps):
    new = folder / "Maildir" / "new"
    new.mkdir(parents=True)
    for stamp in stamps:
        (new / f"{stamp}.M1P1.host").write_text(message(hop(SPAMMER)))
    return folder / "Maildir"


def test_since_is_the_first_second_of_that_day(folder, mxguard_config):
    store, config = maildir(folder, MARCH - 1, MARCH, MARCH + DAY), mxguard_config(CONFIG)
    assert [scan(config, "--since", date, store)["messages"] for date in ("2024-02-29", "2024-03-01", "2024-03-02",
                                                                         "2024-03-03")] == [3, 2, 1, 0]


def test_since_holds_for_names_that_are_given(folder, mxguard_config):
    store, config = maildir(folder, MARCH - 1, MARCH), mxguard_config(CONFIG)
    names = sorted((store / "new").iterdir())
    assert scan(config, "--since", "2024-03-01", *names)["messages"] == 1
    listed = "".join(f"{name}\n" for name in names).encode()
    assert scan(config, "--since", "2024-03-01", "-", data=listed)["messages"] == 1


def test_since_goes_by_the_file_where_the_name_tells_nothing(folder, mxguard_config):
    for number, stamp in enumerate((MARCH - 1, MARCH)):
        path = folder / f"{number}.eml"
        path.write_text(message(hop(SPAMMER)))
        os.utime(path, (stamp, stamp))
    found = scan(mxguard_config(CONFIG), "--since", "2024-03-01", folder / "0.eml", folder / "1.eml")
    assert found["messages"] == 1


def test_since_goes_by_the_separator_in_an_mbox(folder, mxguard_config):
    box = folder / "box"
    box.write_text("".join(f"From a@b {date}\n{message(hop(SPAMMER))}\n" for date in
                           ("Thu Feb 29 23:59:59 2024", "Fri Mar  1 00:00:00 2024", "Sat Mar  2 08:00:00 2024")))
    assert scan(mxguard_config(CONFIG), "--since", "2024-03-01", box)["messages"] == 2


@pytest.mark.parametrize("date", ["yesterday", "2024-13-01", "2024-03-01x", "01.03.2024", ""])
def test_since_takes_dates_only(mxguard_config, date):
    result = mxguard("scan", "-c", mxguard_config(CONFIG), "--since", date, "/nonexistent")
    assert result.returncode == 64 and b"2026-01-31" in result.stderr


# --csv and --html

def test_csv_is_a_table_of_months(folder, mxguard_config):
    store, config = maildir(folder, MARCH - 40 * DAY, MARCH - DAY, MARCH, MARCH + 70 * DAY), mxguard_config(CONFIG)
    rows = list(csv.DictReader(io.StringIO(mxguard("scan", "-c", config, "--csv", store).stdout.decode())))
    months = scan(config, store)["months"]
    assert [row["month"] for row in rows] == ["2024-01", "2024-02", "2024-03", "2024-04", "2024-05"]
    assert [int(row["direct"]) for row in rows] == [1, 1, 1, 0, 1]
    for row in rows:
        assert {name: int(count) for name, count in row.items() if name != "month"} == \
            months.get(row["month"], dict.fromkeys(list(row)[1:], 0))


class Page(html.parser.HTMLParser):
    """Every element is closed in its turn (those of OPTIONAL need not be); attributes that could fetch or
    run something are kept."""
    EMPTY = {"meta", "br", "hr", "img", "link", "input", "base"}
    OPTIONAL = {"td", "th", "tr", "p", "li", "thead", "tbody"}

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: set[str] = set()
        self.suspicious: list[str] = []

    def handle_starttag(self, tag, attributes):
        self.elements.add(tag)
        if tag not in self.EMPTY:
            self.open.append(tag)
        for name, value in attributes:
            if name.startswith("on") or name in ("src", "href", "xlink:href", "action", "data", "srcset", "poster") or \
                    re.search(r"url\(|https?:|javascript:", value or ""):
                self.suspicious.append(f"{tag} {name}={value}")

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in self.EMPTY:
            self.open.pop()

    def handle_endtag(self, tag):
        while self.open[-1] != tag:
            assert self.open.pop() in self.OPTIONAL
        self.open.pop()


@pytest.mark.parametrize("kind", ["link", "dangling", "device"])
def test_page_is_written_through_nothing(folder, mxguard_config, kind):
    """What a link points to may be somebody else's choice, and rename(2) would replace a device."""
    other, page = folder / "other", folder / "page.html"
    if kind == "link":
        other.write_text("theirs")
    page = pathlib.Path("/dev/null") if kind == "device" else page
    if kind != "device":
        page.symlink_to(other)
    result = mxguard("scan", "-c", mxguard_config(CONFIG), "--html", page, maildir(folder, MARCH))
    assert result.returncode == 73
    assert (b"is a symbolic link" if kind != "device" else b"is not a regular file") in result.stderr
    assert page.is_symlink() if kind != "device" else page.is_char_device()
    assert other.read_text() == "theirs" if kind == "link" else not other.exists()
    assert not list(folder.glob("page.html.*"))


def test_page_needs_nothing_else(folder, mxguard_config):
    store, page = maildir(folder, MARCH, MARCH + 40 * DAY), folder / "page.html"
    (store / "new" / f"{MARCH}.\"onload='x'<img src=y>&").write_text(message(hop("203.0.113.67")))
    assert mxguard("scan", "-c", mxguard_config(CONFIG), "--html", page, store).returncode == 0
    text, found = page.read_text(), Page()
    found.feed(text)
    found.close()
    assert found.open == [] and found.suspicious == []
    assert found.elements & {"iframe", "object", "embed", "link", "img", "base", "form"} == set()
    assert {"html", "h1", "dl", "script", "title"} <= found.elements and text.count("<script") == 2
    assert not re.search(r"@import|url\((?!#fill-)|https?://(?!www\.w3\.org/)", text)
    for wanted in (SPAMMER, "203.0.113.67", "enforce"):
        assert wanted in text


def test_page_that_cannot_be_written(folder, mxguard_config):
    result = mxguard("scan", "-c", mxguard_config(CONFIG), "--html", folder / "no" / "page.html",
                     maildir(folder, MARCH))
    assert result.returncode == 73 and b"page.html" in result.stderr
