# SPDX-License-Identifier: MIT
"""Examples of output in the manuals are what the command prints today on a terminal; "..." stands for more."""
from __future__ import annotations

import calendar
import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import time

import pytest

from mxg import build
from mxg.dns_script import answer
from mxg.mxguard import write_config
from test_manuals import unescaped
from test_report import DAY, words
from test_trace_scan import hop, message

GATEWAY, FORGOTTEN, SPAMMER = "192.0.2.10", "198.51.100.25", "203.0.113.66"
BEGIN = calendar.timegm((2026, 11, 1, 0, 0, 0))


def on_terminal(*arguments, width=100):
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    process = subprocess.Popen([str(build.command()), *map(str, arguments)], stdout=theirs, stderr=subprocess.DEVNULL,
                               env=os.environ | {"TZ": "UTC", "TERM": "dumb", "NO_COLOR": "1"})
    os.close(theirs)
    said = b""
    try:
        while piece := os.read(ours, 65536):
            said += piece
    except OSError:  # the last one who wrote there has gone
        pass
    os.close(ours)
    process.wait(60)
    return [line.rstrip() for line in said.decode().replace("\r\n", "\n").rstrip("\n").split("\n")]


def printed(page, which):
    """The block behind the comment that names it."""
    text = (build.ROOT / "docs/man" / page).read_text("utf-8")
    (block,) = re.findall(rf'^\.\\" printed: {which}\n\.Bd -literal[^\n]*\n(.*?)^\.Ed$', text, re.M | re.S)
    return unescaped(block).rstrip("\n").split("\n")


def fits(line, pattern):
    return re.fullmatch(".*".join(map(re.escape, pattern.split("..."))), line) is not None


def check(page, which, said):
    wanted = printed(page, which)
    assert len(said) == len(wanted) and all(map(fits, said, wanted)), "\n".join(said)


def decisions():
    """Ten days: mail through the gateway, a host that does as it does, spam, and a second domain."""
    for day in range(10):
        for n in range(20):
            when = BEGIN + day * DAY + n * 600
            peer, verdict, would = ((FORGOTTEN, "direct", "reject"), (GATEWAY, "authorized", "-"))[n % 4 > 0]
            yield when, words(verdict, peer, f"s{n % 7}@known.example", f"u{n % 9}@example.com", f"{day}-{n}",
                              would=would, mode="monitor")
        yield BEGIN + day * DAY + 40000, words("authorized", rcpt="u@example.org", ident=f"o{day}", mode="monitor")
        if day < 3:
            yield (BEGIN + day * DAY + 50000, words("direct", SPAMMER, f"x{day}@spam.example", "u1@example.com", f"x{day}",
                                                    would="reject", mode="monitor"))


def test_report(folder):
    log = folder / "mail.log"
    log.write_text("".join(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(when))} mail mxguard[7]: {text}\n"
                           for when, text in decisions()))
    check("mxguard-report.8", "report", on_terminal("report", "--no-dns", log))


def test_scan(folder):
    store = folder / "store"
    for number, (address, month) in enumerate([(GATEWAY, 9), (GATEWAY, 10), (GATEWAY, 10), (SPAMMER, 10), (SPAMMER, 11),
                                               (None, 11)]):
        box = store / "alice" / "cur"
        box.mkdir(parents=True, exist_ok=True)
        text = message(hop(address)) if address else message("Received: rubbish\n")
        (box / f"{calendar.timegm((2026, month, 5, 0, 0, 0))}.M{number}.mail:2,").write_text("Delivered-To: u@example.com\n" + text)
    (store / "alice" / "notes.txt").write_text("no message\n")
    config = write_config(folder / "conf", {
        "mode": "enforce", "domains": ["example.com"], "gateways": [{"name": "filters", "allow": f"ip4:{GATEWAY}"}],
        "trace": {"by": ["mail.example.test"]}, "state_dir": str(folder / "none")})
    check("mxguard-scan.1", "scan", [line.replace(str(store), "/var/vmail")
                                     for line in on_terminal("scan", "-c", config, store, width=78)])


@pytest.fixture
def past(folder):
    """A configuration whose history holds two states of example.com."""
    config = write_config(folder / "conf", {"mode": "monitor", "domains": ["example.com"], "state_dir": str(folder / "state"),
                                            "gateways": [{"name": "current-mx", "allow": "mx"}], "dns": {"servers": ["127.0.0.9"]}})
    (folder / "state").mkdir(mode=0o755)
    (folder / "import").write_text(
        "2026-01-01 example.com MX 10:gw1.filter.example 20:gw2.filter.example\n2026-06-01 example.com MX 10:gw3.filter.example\n"
        + "".join(f"2026-01-01 gw{n}.filter.example A 192.0.2.{n}\n2026-01-01 gw{n}.filter.example AAAA -\n" for n in (1, 2, 3)))
    subprocess.run([str(build.command()), "gateways", "-c", config, "--import", folder / "import"], check=True,
                   stdout=subprocess.DEVNULL)
    return config


def test_gateways_of_the_past(past):
    check("mxguard-gateways.1", "at", on_terminal("gateways", "-c", past, "--at", "2026-03-01", "example.com"))
    check("mxguard-gateways.1", "generations", on_terminal("gateways", "-c", past, "--generations", "example.com"))


def test_suggest(folder, scripted_dns):
    scripted_dns.update({("example.com", "MX"): answer("10 mx1.filter.example"), ("mx1.filter.example", "A"): answer("192.0.2.7"),
                         ("_spf.filter.example", "TXT"): "v=spf1 ip4:192.0.2.8 -all"})
    page = (build.ROOT / "docs/man/mxguard-suggest.1").read_text("utf-8")
    (catalogue,) = re.findall(r"^\.Bd -literal -offset indent\n(vendors = .*?)^\.Ed$", page, re.M | re.S)
    (folder / "vendors").write_text(catalogue)
    config = write_config(folder / "conf", {"mode": "monitor", "domains": ["example.com"], "state_dir": str(folder),
                                            "gateways": [{"name": "x", "allow": "ip4:192.0.2.1"}],
                                            "dns": {"servers": [scripted_dns.server], "timeout": "20s"}})
    check("mxguard-suggest.1", "suggest",
          on_terminal("suggest", "-c", config, "--catalogue", folder / "vendors", "example.com"))
