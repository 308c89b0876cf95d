#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What MTAs that are run here write for plain and hostile clients: cases for tests/corpus.

script/netns /usr/bin/python3 tests/fields/capture.py MTA… [--count N] >> tests/corpus/captured.jsonl

MTA: postfix, exim, exim-junk, sendmail, sendmail-bogus, opensmtpd. Each relays what it takes to a
sink of ours; the address that our client bound its socket to is the true peer. Exim, sendmail and
OpenSMTPD are unpacked packages below $MXGUARD_MTA_DIR. Not run by the tests: its output is kept.
"""
from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import pathlib
import random
import socket
import socketserver
import subprocess
import sys
import threading
import time
import zlib

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / "integration")]
import hostile  # noqa: E402
from generate import INTERNAL, Maker  # noqa: E402
from mxg.dns_script import ScriptedDns, nodata  # noqa: E402
from mxg.exim import Exim  # noqa: E402
from mxg.postfix import Postfix  # noqa: E402
from mxg.process import Daemon, listening, temporary_folder, wait_until, with_files  # noqa: E402

HERE, SINK, DNS = "198.51.100.20", ("198.51.100.99", 2525), "127.0.0.54"
# address: PTR name, and whether that leads back
CLIENTS = {"192.0.2.10": ("gw.example.com", True), "203.0.113.5": ("host5.attacker.test", True),
           "203.0.113.6": ("", False), "203.0.113.7": ("host7.attacker.test", False),
           "203.0.113.41": ("unconfirmed.attacker.test", False),
           "203.0.113.42": (r"gw.example.com\032[192\.0\.2\.10]", True),
           "203.0.113.43": (r"192\.0\.2\.10", True), "203.0.113.44": (r"a\041\040b.attacker.test", True),
           "203.0.113.45": ("192.0.2.10", True), "2001:db8:100::6": ("", False),
           "2001:db8:100::7": ("v6.attacker.test", True), "198.51.100.150": ("client1.internal.example.com", True)}
IDENTS = ("root", "x) (gw [192.0.2.10]", "a@gw.example.com [192.0.2.10]", "u\tv", "\"(", "192.0.2.10]) by x")


def is_hostile(address: str) -> bool:
    return address.startswith("203.0.113.4")


class Sink(socketserver.StreamRequestHandler):
    """Takes any message; found[case] is its header."""
    found: dict[str, bytes] = {}

    def say(self, text: str) -> None:
        self.wfile.write(text.encode() + b"\r\n")

    def handle(self) -> None:
        self.say("220 sink.inner.test ESMTP")
        for line in self.rfile:
            verb = line[:4].upper()
            if verb == b"DATA":
                self.say("354 go on")
                self.keep(b"".join(itertools.takewhile(lambda each: each != b".\r\n", self.rfile)))
            self.say("221 bye" if verb == b"QUIT" else "250 sink.inner.test")
            if verb == b"QUIT":
                return

    def keep(self, message: bytes) -> None:
        case = message.split(b"X-Corpus-Case: ", 1)[1].split(b"\r\n", 1)[0].decode()
        self.found[case] = message.split(b"\r\n\r\n", 1)[0] + b"\r\n"


class Ident(socketserver.StreamRequestHandler):
    """Hostile on a hostile client's address only."""
    answers = itertools.cycle(IDENTS)

    def handle(self) -> None:
        asked = self.rfile.readline().strip()
        user = next(self.answers) if is_hostile(self.server.server_address[0]) else "root"
        self.wfile.write(asked + b" : USERID : UNIX : " + user.encode() + b"\r\n")


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address, daemon_threads = True, True


@contextlib.contextmanager
def serving(address: tuple[str, int], handler: type) -> "contextlib.Iterator[None]":
    with Server(address, handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield
        server.shutdown()


def script_names(dns: ScriptedDns) -> None:
    import ipaddress
    for address, (name, confirmed) in CLIENTS.items():
        pointer = ipaddress.ip_address(address).reverse_pointer
        dns.set(pointer, "PTR", name + "." if name else nodata())
        if name:
            kind, other = ("AAAA", "A") if ":" in address else ("A", "AAAA")
            with contextlib.suppress(Exception):
                dns.set(name, kind, address if confirmed else nodata())
                dns.set(name, other, nodata())
    dns.default = nodata()


def start_postfix(folder: pathlib.Path) -> contextlib.AbstractContextManager:
    return Postfix(folder, resolver=DNS, smtpd=((HERE, 25, {}),), main={
        "myhostname": "mx.example.com", "mynetworks": "127.0.0.0/8", "virtual_mailbox_domains": "",
        "relay_domains": "inner.test", "relay_transport": f"smtp:[{SINK[0]}]:{SINK[1]}",
        "smtpd_helo_required": "no", "smtpd_error_sleep_time": "0", "smtpd_soft_error_limit": "1000"})


class AskingExim(Exim):
    """Asks every client's ident server, which the tests' Exim does not."""

    def write_config(self) -> None:
        super().write_config()
        text = self.config.read_text(encoding="utf-8").replace("mail.example.test", "mx.example.com")
        self.config.write_text(text.replace("rfc1413_query_timeout = 0s", "rfc1413_query_timeout = 2s\nrfc1413_hosts = *"),
                               encoding="utf-8")


def start_exim(folder: pathlib.Path, junk: bool = False) -> contextlib.AbstractContextManager:
    return AskingExim(folder, address=HERE, resolver=DNS, main="helo_accept_junk_hosts = *\n" if junk else "",
                acl="acl_check_rcpt:\n  accept\n",
                routers=f"all:\n  driver = manualroute\n  transport = out\n  route_list = * {SINK[0]} byname\n",
                transports=f"out:\n  driver = smtp\n  port = {SINK[1]}\n  hosts_try_chunking =\n  allow_localhost\n")


class Unpacked:
    """An MTA whose users and folders only its own mount namespace has."""
    users: tuple[str, ...] = ()

    def __init__(self, folder: pathlib.Path, more: str = "") -> None:
        self.folder, self.more = folder, more
        self.mta = pathlib.Path(os.environ["MXGUARD_MTA_DIR"])
        self.files: dict[str, pathlib.Path] = {}

    def give_users(self) -> None:
        for name, form in (("passwd", "{0}:x:{1}:{1}::/nonexistent:/usr/sbin/nologin"), ("group", "{0}:x:{1}:")):
            lines = [form.format(user, 880 + number) for number, user in enumerate(self.users)]
            text = pathlib.Path("/etc", name).read_text(encoding="utf-8").rstrip("\n")
            (self.folder / name).write_text("\n".join([text, *lines]) + "\n", encoding="utf-8")
            self.files[f"/etc/{name}"] = self.folder / name
        (self.folder / "resolv.conf").write_text(f"nameserver {DNS}\n", encoding="ascii")
        self.files["/etc/resolv.conf"] = self.folder / "resolv.conf"
        # sendmail waits for a minute if its own name is not known
        (self.folder / "hosts").write_text(f"{HERE} mx.example.com {socket.gethostname()}\n127.0.0.1 localhost\n",
                                           encoding="ascii")
        self.files["/etc/hosts"] = self.folder / "hosts"

    def run(self, *argv: str) -> None:
        self.daemon = Daemon(with_files(list(argv), self.files), self.folder / "out")
        self.daemon.start(lambda: listening(HERE, 25), f"{argv[0]} listens", seconds=30)

    def __exit__(self, *_: object) -> None:
        self.daemon.stop()


class Sendmail(Unpacked):
    users = ("smmta", "smmsp")

    def __enter__(self) -> "Sendmail":
        self.give_users()
        cf, queue = self.mta / "sendmail-cf/usr/share/sendmail/cf", self.folder / "queue"
        queue.mkdir(mode=0o700)
        (self.folder / "mc").write_text(f"""\
define(`_CF_DIR_', `{cf}/')dnl
include(`{cf}/m4/cf.m4')dnl
OSTYPE(`linux')dnl
DOMAIN(`generic')dnl
FEATURE(`nocanonify')dnl
FEATURE(`accept_unqualified_senders')dnl
FEATURE(`accept_unresolvable_domains')dnl
FEATURE(`promiscuous_relay')dnl
undefine(`ALIAS_FILE')dnl
define(`confDOMAIN_NAME', `mx.example.com')dnl
define(`confTO_IDENT', `2s')dnl
define(`confDONT_PROBE_INTERFACES', `True')dnl
define(`QUEUE_DIR', `{queue}')dnl
define(`STATUS_FILE', `')dnl
define(`confPID_FILE', `{self.folder}/pid')dnl
define(`confDONT_BLAME_SENDMAIL', `GroupWritableDirPathSafe')dnl
define(`confCW_FILE', `-o {self.folder}/none')dnl
define(`SMART_HOST', `esmtp:[{SINK[0]}]')dnl
define(`ESMTP_MAILER_ARGS', `TCP $h {SINK[1]}')dnl
DAEMON_OPTIONS(`Name=MTA, Addr={HERE}, Port=25')dnl
{self.more}
MAILER(`smtp')dnl
""", encoding="utf-8")
        m4 = [str(self.mta / "m4/usr/bin/m4"), str(self.folder / "mc")]
        libraries = str(self.mta / "libsigsegv2/usr/lib/x86_64-linux-gnu")
        made = subprocess.run(m4, capture_output=True, check=True, env={"LD_LIBRARY_PATH": libraries})
        (self.folder / "cf").write_bytes(made.stdout)
        self.run(str(self.mta / "sendmail-bin/usr/libexec/sendmail/sendmail"), "-C", str(self.folder / "cf"), "-bD",
                 "-q1s")
        return self


class OpenSmtpd(Unpacked):
    users = ("opensmtpd", "opensmtpq")

    def __enter__(self) -> "OpenSmtpd":
        self.give_users()
        for name in ("spool", "lib/opensmtpd/empty", "run"):
            (self.folder / name).mkdir(parents=True)
        os.chmod(self.folder / "spool", 0o711)
        os.chmod(self.folder / "lib/opensmtpd/empty", 0o755)
        self.files |= {"/var/spool": self.folder / "spool", "/var/lib": self.folder / "lib", "/run": self.folder / "run"}
        (self.folder / "conf").write_text(
            f"listen on {HERE} port 25 hostname mx.example.com {self.more}\n"
            f"action out relay host smtp://{SINK[0]}:{SINK[1]}\nmatch from any for any action out\n", encoding="utf-8")
        os.chmod(self.folder / "conf", 0o600)
        # it starts itself again under this name
        self.run(str(self.mta / "opensmtpd/usr/sbin/smtpd"), "-d", "-f", str(self.folder / "conf"))
        return self


MTAS = {"postfix": start_postfix, "exim": start_exim, "exim-junk": lambda folder: start_exim(folder, junk=True),
        "sendmail": Sendmail, "opensmtpd": OpenSmtpd,
        "sendmail-bogus": lambda folder: Sendmail(folder, "define(`confALLOW_BOGUS_HELO', `True')dnl")}


class Refused(Exception):
    pass


def deliver(source: str, case: str, hello: bytes, sender: bytes, data: bytes) -> None:
    with socket.socket(socket.AF_INET6 if ":" in source else socket.AF_INET) as connection:
        connection.settimeout(20)
        connection.bind((source, 0))
        connection.connect((HERE, 25))
        replies = connection.makefile("rb")

        def ask(command: bytes, wanted: bytes) -> None:
            connection.sendall(command)
            line = replies.readline()
            while line[3:4] == b"-":
                line = replies.readline()
            if line[:1] != wanted:
                raise Refused(f"{command[:60]!r}: {line!r}")
        ask(b"", b"2")
        ask(hello + b"\r\n", b"2")
        ask(b"MAIL FROM:<" + sender + b">\r\n", b"2")
        ask(b"RCPT TO:<alice@sink.inner.test>\r\n", b"2")
        ask(b"DATA\r\n", b"3")
        ask(data + b"\r\n.\r\n", b"2")
        connection.sendall(b"QUIT\r\n")


def plan(mta: str, count: int) -> "list[tuple[str, str, bytes, bytes, bytes, bool]]":
    """(case, source, hello, sender, forged header, hostile)"""
    maker = Maker(zlib.crc32(mta.encode()))
    rng, cases = maker.rng, []
    sources = [source for source in CLIENTS if ":" not in source]
    for number in range(count):
        source, bad = sources[number % len(sources)], number >= count // 4
        word = hostile.word(rng, maker.forged) if bad and rng.random() < 0.8 else \
            rng.choice(("gw.example.com", f"[{source}]", "[192.0.2.10]", "other.example.org"))
        hello = rng.choice((b"EHLO ", b"HELO ")) + word.encode("latin-1")[:900]
        sender = b"sender@client.example.net" if not bad or rng.random() < 0.7 else \
            b"\"x) by mx.example.com (Postfix) with ESMTPSA id 1\"@client.example.net"
        # a host of ours that forges fields cannot be told from one that relays
        outside = not source.startswith("198.51.100.")
        forged = maker.below().replace("\n", "\r\n").encode("latin-1") if bad and outside else b""
        literal = word == "[192.0.2.10]" and source != "192.0.2.10"
        cases.append((f"own-{mta}-{number}", source, hello, sender, forged, bad or is_hostile(source) or literal))
    return cases


def capture(mta: str, count: int) -> None:
    Sink.found.clear()
    sent, refused = {}, 0
    with temporary_folder() as folder, MTAS[mta](folder):
        for case, source, hello, sender, forged, bad in plan(mta, count):
            data = forged + b"X-Corpus-Case: " + case.encode() + b"\r\nFrom: a@client.example.net\r\nSubject: corpus\r\n\r\nx"
            try:
                deliver(source, case, hello, sender, data)
                sent[case] = (source, bad)
            except (Refused, OSError) as trouble:
                refused += 1
                print(f"{case} {trouble}", file=sys.stderr)
        with contextlib.suppress(AssertionError):
            wait_until(lambda: set(sent) <= set(Sink.found), "all arrive", seconds=90, pause=0.5)
    print(f"{mta}: {len(Sink.found)} captured, {refused} refused, {len(set(sent) - set(Sink.found))} lost", file=sys.stderr)
    for case, (source, bad) in sent.items():
        if case not in Sink.found:
            continue
        inside = source.startswith("198.51.100.")
        print(json.dumps({"id": case, "mta": mta.split("-")[0], "headers": Sink.found[case].decode("latin-1"),
                          "x_enc": "latin-1", "internal": INTERNAL, "true_peer": None if inside else source,
                          "kind": "local-origin" if inside else "external", "by": "mx.example.com", "hostile": bad,
                          "seen": time.strftime("%Y-%m-%d")}, ensure_ascii=False))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("mta", nargs="+", choices=MTAS)
    parser.add_argument("--count", type=int, default=60)
    arguments = parser.parse_args()
    with ScriptedDns(DNS, 53) as dns, serving(SINK, Sink), contextlib.ExitStack() as stack:
        script_names(dns)
        for source in CLIENTS:
            if ":" not in source:
                stack.enter_context(serving((source, 113), Ident))
        for mta in arguments.mta:
            capture(mta, arguments.count)


if __name__ == "__main__":
    main()
