# SPDX-License-Identifier: MIT
"""mxguard audit: the names by which mail can still reach this host, and what guards the ports there."""
from __future__ import annotations

import json
import os
import re
import resource
import socketserver
import ssl
import threading
import time

import pytest

from mxg import build
from mxg.certificates import Authority
from mxg.dns_script import answer, nxdomain, refused, servfail, timeout
from mxg.dns_wire import encode_name
from mxg.mxguard import mxguard
from mxg.process import run, with_files

OURS, OURS6, OTHER = "192.0.2.1", "2001:db8::1", "198.51.100.9"  # the first two are the interface's own
KEYS = ["domain", "name", "address", "leak", "since", "until", "port", "guard", "advice"]


class Audit:
    """Runs the command by a scripted DNS, in which a name that is not there does not exist."""

    def __init__(self, folder, dns, write_config) -> None:
        self.dns, self.write_config, self.mounts = dns, write_config, {}
        self.state = folder / "state"
        self.state.mkdir(mode=0o755)
        dns.default = nxdomain()
        dns.update({("example.test", "MX"): "10 gw.filter.test", ("gw.filter.test", "A"): OTHER})

    def config(this, /, **more):
        settings = {"mode": "enforce", "domains": ["example.test"], "state_dir": str(this.state),
                    "gateways": [{"name": "mx", "allow": "mx"}], "trace": {"by": ["localhost"]},
                    "dns": {"servers": [this.dns.server], "timeout": "20s"}, **more}
        return this.write_config({key: value for key, value in settings.items() if value is not None})

    def run(this, /, *arguments, **more):
        """Rows; status and text stay behind."""
        result = this.command("audit", "-c", this.config(**more), "--json", *arguments)
        this.status, this.text = result.returncode, result.stderr.decode()
        this.raw = result.stdout
        rows = [json.loads(line) for line in result.stdout.splitlines()]
        assert all(list(row) == KEYS for row in rows)
        return rows

    def command(self, *arguments):
        argv = [str(build.command()), *map(str, arguments)]
        return run(with_files(argv, self.mounts), seconds=4 * 3600)  # the volume, on a machine with much else to do

    def leaks(this, /, *arguments, **more):
        return {(row["name"], row["leak"], row["address"]) for row in this.run(*arguments, **more)}


@pytest.fixture
def audit(folder, scripted_dns, mxguard_config, network):
    return Audit(folder, scripted_dns, mxguard_config)


def test_clean(audit):
    assert audit.run() == [] and audit.status == 0, audit.text


def test_nothing_is_claimed_of_what_could_not_be_asked(audit):
    """Nobody answers: that is not that no name leads here."""
    told = audit.command("audit", "-c", audit.config())
    assert told.returncode == 0 and told.stdout == b"No name leads to this host.\n"
    audit.dns.default = servfail()
    told = audit.command("audit", "-c", audit.config())
    assert told.returncode == 75 and b"could not ask: " in told.stderr and b"SERVFAIL" in told.stderr
    assert told.stdout == b"No name was found that leads to this host, but not all could be asked.\n"


def test_leaks(audit):
    audit.dns.update({
        ("own.test", "MX"): "10 in.own.test", ("in.own.test", "A"): OURS,
        ("mail.example.test", "A"): OURS, ("smtp.example.test", "A"): OTHER,
        ("relay.example.test", "AAAA"): OURS6,
        ("example.test", "TXT"): "v=spf1 a:out.example.test ip4:192.0.2.0/29 include:_spf.example.test "
                                 "include:_spf.provider.test redirect=_all.provider.test",
        ("out.example.test", "A"): OURS,
        ("_spf.example.test", "TXT"): "v=spf1 a:news.example.test -all", ("news.example.test", "A"): OURS,
        ("_spf.provider.test", "TXT"): "v=spf1 a:foreign.provider.test -all", ("foreign.provider.test", "A"): OURS,
        ("_all.provider.test", "TXT"): "v=spf1 mx:pool.provider.test -all",
        ("pool.provider.test", "MX"): "5 p.provider.test", ("p.provider.test", "A"): OURS,
        ("_imaps._tcp.example.test", "SRV"): "0 0 993 box.example.test", ("box.example.test", "A"): OURS,
        ("_submission._tcp.example.test", "SRV"): "0 0 0 .",  # RFC 2782: there is none
        ("mta-sts.example.test", "A"): OURS,
        ("_25._tcp.box.example.test", "TLSA"): answer(b"\x03\x01\x01" + bytes(32)),
        ("1.2.0.192.in-addr.arpa", "PTR"): "ptr.example.test", ("ptr.example.test", "A"): OURS,
        ("called.example.test", "A"): OURS})
    found = audit.leaks("example.test", "own.test", trace={"by": ["called.example.test"]})
    assert audit.status == 0, audit.text  # nothing listens here
    assert found == {
        ("in.own.test", "mx", OURS), ("mail.example.test", "guessable", OURS), ("relay.example.test", "guessable", OURS6),
        ("out.example.test", "spf", OURS), ("news.example.test", "spf", OURS), ("p.provider.test", "spf", OURS),
        (OURS, "spf", OURS), ("box.example.test", "srv", OURS), ("box.example.test", "tlsa", OURS),
        ("mta-sts.example.test", "mta-sts", OURS), ("ptr.example.test", "ptr", OURS),
        ("called.example.test", "hostname", OURS), ("in.own.test", "guessable", OURS)}
    rows = audit.run("example.test", trace={"by": ["called.example.test"]})
    assert {row["domain"] for row in rows} == {"example.test"}  # the host's own names lie in it
    assert {(row["port"], row["guard"]) for row in rows} == {(None, "unknown")}


def test_implicit_mx(audit):
    audit.dns.update({("bare.test", "A"): OURS})
    assert ("bare.test", "mx", OURS) in audit.leaks("bare.test")


ZONES = {"filter.test": f"gw A {OTHER}\n", "2.0.192.in-addr.arpa": "1 PTR ptr.example.test.\n",
         "8.b.d.0.1.0.0.2.ip6.arpa": ""}


def test_wildcard(audit, real_dns):
    """A real server's: what it answers for is no name of its own, what stands beside it is one."""
    server = real_dns({**ZONES, "example.test": f"@ MX 10 gw.filter.test.\n* A {OURS}\nmail A {OURS}\n A 192.0.2.2\n"
                                                f"relay A {OTHER}\nsmtp A {OURS}\n"})
    found = audit.leaks(self=["192.0.2.0/24"], dns={"servers": [server.server]})
    assert audit.status == 0, audit.text
    assert ("*.example.test", "wildcard", OURS) in found
    guessed = {(name, address) for name, leak, address in found if leak == "guessable"}
    assert guessed == {("mail.example.test", OURS), ("mail.example.test", "192.0.2.2")}
    assert ("ptr.example.test", "ptr", OURS) in found


def test_names(audit, folder):
    (folder / "names").write_text("# our habits\nvogel\nkiste.alt \nfuchs.elsewhere.test.\n")
    audit.dns.update({("vogel.example.test", "A"): OURS, ("kiste.alt.example.test", "A"): OURS,
                      ("fuchs.elsewhere.test", "A"): OURS})
    rows = audit.run("--names", folder / "names")
    assert {(row["domain"], row["name"], row["leak"]) for row in rows} == {
        ("example.test", "vogel.example.test", "guessable"), ("example.test", "kiste.alt.example.test", "guessable"),
        (None, "fuchs.elsewhere.test", "guessable")}


def test_self(audit):
    audit.dns.update({("mail.example.test", "A"): OTHER})
    assert audit.leaks(self=[OTHER]) >= {("mail.example.test", "guessable", OTHER)}
    assert audit.leaks() == set()


HISTORY = """\
2024-03-01 example.test MX 10:old.example.test
2024-03-01 old.example.test A 192.0.2.1
2025-06-01 example.test MX 10:mid.example.test 20:gw.filter.test
2025-06-01 mid.example.test A 192.0.2.1
2025-09-01 example.test MX 10:gw.filter.test
2025-09-01 mid.example.test A 198.51.100.7
2025-09-01 other.test MX 10:never.other.test
"""


def test_old_mx(audit, folder):
    """A name that still leads here, and one that only did so when it was the MX."""
    (folder / "states").write_text(HISTORY)
    result = mxguard("gateways", "-c", audit.config(), "--import", folder / "states")
    assert result.returncode == 0, result.stderr
    audit.dns.update({("old.example.test", "A"): OURS, ("mid.example.test", "A"): "198.51.100.7"})
    rows = {row["name"]: row for row in audit.run() if row["leak"] == "old-mx"}
    assert set(rows) == {"old.example.test", "mid.example.test"}, audit.text
    assert rows["old.example.test"]["since"] == "2024-03-01T00:00:00Z"
    assert rows["old.example.test"]["until"] == "2025-06-01T00:00:00Z"
    assert (rows["mid.example.test"]["address"], rows["mid.example.test"]["until"]) == (OURS, "2025-09-01T00:00:00Z")
    assert "remembers" in rows["mid.example.test"]["advice"]
    table = [line.split("\t") for line in audit.command("audit", "-c", audit.config()).stdout.decode().splitlines()]
    assert ["old-mx", "2024-03-01", "2025-06-01"] in [row[5:8] for row in table if row[1:2] == ["old.example.test"]]


def test_present_mx_is_no_old_one(audit, folder):
    (folder / "states").write_text("2024-03-01 example.test MX 10:in.example.test\n")
    assert mxguard("gateways", "-c", audit.config(), "--import", folder / "states").returncode == 0
    audit.dns.update({("example.test", "MX"): "10 in.example.test", ("in.example.test", "A"): OURS})
    rows = [row for row in audit.run() if row["leak"] in ("mx", "old-mx")]
    assert [(row["leak"], row["since"], row["until"]) for row in rows] == [("mx", "2024-03-01T00:00:00Z", None)]


@pytest.mark.parametrize("question", [
    ("example.test", "MX"), ("example.test", "TXT"), ("gate.example.test", "A"), ("_pop3s._tcp.example.test", "SRV"),
    ("_mta-sts.example.test", "TXT"), ("1.2.0.192.in-addr.arpa", "PTR"), ("gw.filter.test", "A"),
    ("_25._tcp.mail.example.test", "TLSA")])
def test_what_could_not_be_asked(audit, question):
    audit.dns.update({("mail.example.test", "A"): OURS, question: servfail()})
    audit.run()
    assert audit.status == 75
    assert f"could not ask: {question[0]} {question[1]}: SERVFAIL" in audit.text


def test_no_dns_at_all(audit):
    audit.dns.default, audit.dns.script = servfail(), {}
    assert audit.run() == [] and audit.status == 75
    assert audit.text.count("\n") < 30  # and not a line for each question


@pytest.mark.parametrize("reply", [timeout(), refused()])
def test_a_dead_resolver(audit, folder, reply):
    """One line that says where to look, and not one a question; what is no question to DNS stays told."""
    audit.dns.default, audit.dns.script = reply, {}
    (folder / "page.html").unlink(missing_ok=True)
    assert audit.run("--html", folder / "page.html", dns={"servers": [audit.dns.server], "timeout": "1s"}) == []
    assert audit.status == 75
    lines = [line for line in audit.text.splitlines() if "note: " not in line]
    assert len(lines) == 1 and re.fullmatch(
        r"mxguard audit: could not ask: \d+ questions to DNS have no answer: is the resolver running\? "
        r"\(dns\.servers, or /etc/resolv\.conf\)", lines[0]), audit.text
    assert "is the resolver running?" in (folder / "page.html").read_text()


def test_one_server_that_does_not_answer_is_no_dead_resolver(audit):
    audit.dns.update({("gate.example.test", "A"): refused(), ("example.test", "TXT"): servfail()})
    audit.run()
    assert audit.status == 75 and "is the resolver running" not in audit.text
    assert "could not ask: gate.example.test A: REFUSED" in audit.text
    assert "could not ask: example.test TXT: SERVFAIL" in audit.text


def test_damaged_history(audit, folder):
    (audit.state / "history").write_text("00000000 1 r MX example.test 300 10:gw.filter.test\n")
    audit.run()
    assert audit.status == 75 and "not known: old MX records: " in audit.text and "damaged" in audit.text
    assert "could not ask" not in audit.text


def test_hostile_answers(audit):
    """Escape sequences, markup and direction marks in names stay what they are: text."""
    evil = "\\027[2j<script>\\226\\128\\174.example.test"
    audit.dns.update({("example.test", "MX"): answer(b"\0\x0a" + encode_name(evil)), (evil, "A"): OURS,
                      ("_imap._tcp.example.test", "SRV"): answer(b"\0")})
    rows = audit.run()
    assert [row["name"] for row in rows] == [evil], audit.text
    assert not any(byte < 32 and byte != 10 or byte > 126 for byte in audit.raw)
    assert audit.status == 75 and "_imap._tcp.example.test" in audit.text  # six bytes of an SRV record are missing
    table = mxguard("audit", "-c", audit.config(), "--color=always").stdout
    assert b"\x1b[2" not in table and b"\xe2\x80\xae" not in table


def test_each_question_once(audit):
    domains = [f"d{n}.test" for n in range(40)]
    audit.dns.update({(domain, "MX"): "10 shared.filter.test" for domain in domains})
    audit.dns.update({(domain, "TXT"): "v=spf1 redirect=_spf.filter.test" for domain in domains})
    audit.dns.update({("_spf.filter.test", "TXT"): "v=spf1 a:shared.filter.test -all", ("shared.filter.test", "A"): OURS})
    rows = audit.run(*domains)
    asked = [(question.name, question.type) for question in audit.dns.questions]
    assert len(asked) == len(set(asked))
    assert {("shared.filter.test", "A"), ("_spf.filter.test", "TXT"), ("_25._tcp.shared.filter.test", "TLSA")} <= set(asked)
    assert [row["domain"] for row in rows if row["leak"] == "mx"] == sorted(domains)


def test_rate(audit):
    """About a hundred questions at fifty a second."""
    begin = time.monotonic()
    audit.run("--rate", "50")
    count, seconds = len(audit.dns.questions), time.monotonic() - begin
    assert count > 50 and seconds > (count - 5) / 50
    begin = audit.dns.questions[0].time
    for second in range(int(seconds)):
        assert sum(second <= question.time - begin < second + 1 for question in audit.dns.questions) <= 60


@pytest.mark.parametrize("arguments, status", [
    (["--probe", "192.0.2.1:25"], 64), (["--rcpt", "a@example.test"], 64), (["--probe", "nobody", "--rcpt", "a@b.test"], 64),
    (["--probe", "192.0.2.1:25", "--rcpt", "a b@c.test"], 64), (["--probe", "192.0.2.1:25", "--rcpt", "a@b.test\r\nDATA"], 64),
    (["--rate", "0"], 64), (["--what"], 64), (["not..a.domain"], 64), (["--names", "/nonexistent"], 66),
    (["-c", "/nonexistent"], 78)])
def test_wrong_use(audit, arguments, status):
    audit.run(*arguments)
    assert audit.status == status, audit.text


def test_probe_that_finds_nobody():
    result = mxguard("audit", "--probe", "127.0.0.1:1", "--rcpt", "a@b.test")
    assert result.returncode == 75 and b"could not ask: no connection: Connection refused" in result.stderr, result


def test_wrong_names_file(audit, folder):
    (folder / "names").write_text("good\nnot..good\n")
    audit.run("--names", folder / "names")
    assert audit.status == 65 and "names:2" in audit.text


TRUSTED = "/etc/ssl/certs/ca-certificates.crt"
POLICY = "version: STSv1\r\nmode: enforce\r\nmx: in.example.test\r\nmx: *.pool.example.test\r\nmax_age: 604800\r\n"


class PolicyServer:
    """HTTPS at mta-sts.example.test; `text` is what it says, after a status line."""

    def __init__(self, pair) -> None:
        self.text, self.asked = f"HTTP/1.0 200 OK\r\n\r\n{POLICY}", []
        server = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                server.asked.append(self.rfile.readline().split()[1].decode())
                head, end, body = server.text.partition("\r\n\r\n")  # the close alone is no end: it may be forged
                self.wfile.write(f"{head}\r\nContent-Length: {len(body)}{end}{body}".encode())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*pair)
        socketserver.ThreadingTCPServer.allow_reuse_address = True
        self._server = socketserver.ThreadingTCPServer((OTHER, 443), Handler, bind_and_activate=True)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()


def test_mta_sts(audit, folder, root):
    """The policy is fetched by HTTPS from the address that DNS gives, and only believed if it is vouched for."""
    if not os.path.exists(TRUSTED):
        pytest.skip("there is no list of authorities")
    authority = Authority(folder / "ca")
    server = PolicyServer(authority.issue("mta-sts", "/CN=mta-sts.example.test"))
    audit.dns.update({("_mta-sts.example.test", "TXT"): "v=STSv1; id=1;", ("mta-sts.example.test", "A"): OTHER,
                      ("in.example.test", "A"): OURS, ("a.pool.example.test", "A"): OURS})
    (folder / "names").write_text("a.pool\n")
    try:
        audit.run()
        assert audit.status == 75 and "MTA-STS policy of example.test" in audit.text  # a stranger's certificate
        audit.mounts = {TRUSTED: authority.path}
        found = audit.leaks("--names", folder / "names")
        assert audit.status == 0, audit.text
        assert found >= {("in.example.test", "mta-sts", OURS), ("a.pool.example.test", "mta-sts", OURS)}
        assert set(server.asked) == {"/.well-known/mta-sts.txt"}
        for text, trouble in (("HTTP/1.0 404 Not Found\r\n\r\n", "404"), ("HTTP/1.0 200 OK\r\n\r\nhello", "no policy"),
                              (f"HTTP/1.0 301 Moved\r\nLocation: https://{OURS}/\r\n\r\n", "301"),
                              ("HTTP/1.0 200 OK\r\n\r\n" + "x" * 70000, "policy")):
            server.text = text
            assert audit.run() == [] or audit.status == 75, text[:40]
            assert audit.status == 75 and trouble in audit.text, (text[:40], audit.text)
    finally:
        server.stop()


def test_page(audit, folder):
    """--html beside the rows: the same names in a page, hostile ones as text."""
    evil = "<script>alert(1)</script>.example.test"
    audit.dns.update({("mail.example.test", "A"): OURS, ("gate.example.test", "A"): servfail(),
                      ("example.test", "MX"): answer(b"\0\x0a" + encode_name(evil)),
                      (evil, "A"): OURS})
    rows = audit.run("--html", folder / "page.html")
    page = (folder / "page.html").read_text()
    assert {row["name"] for row in rows} == {"mail.example.test", evil}, audit.text
    assert audit.status == 75
    assert "mail.example.test" in page and "gate.example.test A: SERVFAIL" in page
    assert "Nothing unguarded was seen" in page and "<script>alert" not in page
    audit.run("--html", "/nonexistent/page.html")
    assert audit.status == 73


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("MXGUARD_VOLUME"), reason="set MXGUARD_VOLUME to the number of domains")
def test_volume(audit, real_dns, folder, capsys):
    """MXGUARD_VOLUME=100000: each domain has a shared MX and, one in ten, a name that leads here."""
    count = int(os.environ["MXGUARD_VOLUME"])
    zone = "".join(f"d{n} MX 10 gw.filter.test.\n" + (f"mail.d{n} A {OURS}\n" if n % 10 == 0 else "") for n in range(count))
    server = real_dns({**ZONES, "volume.test": zone, "example.test": f"ptr A {OURS}\n"})
    (folder / "domains").write_text("".join(f"d{n}.volume.test\n" for n in range(count)))
    config = audit.config(dns={"servers": [server.server]}, domains_file=str(folder / "domains"), domains=None)
    begin = time.monotonic()
    result = audit.command("audit", "-c", config, "--json", "--rate", "1000000", "--html", folder / "page.html")
    seconds = time.monotonic() - begin
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert result.returncode == 0, result.stderr.decode()[-2000:]
    assert result.stdout.count(b'"guessable"') == (count + 9) // 10
    questions = int(re.search(r"questions to DNS\D*(\d+)", (folder / "page.html").read_text())[1])
    assert questions < 70 * count
    with capsys.disabled():
        print(f"\n{count} domains: {seconds:.0f} s, {questions} questions, {used.ru_maxrss // 1024} MiB at most, "
              f"{used.ru_utime + used.ru_stime:.0f} s of CPU (with NSD's start)")


def test_a_record_that_includes_itself_many_times(audit):
    """Each of ten by each of ten: what it leads to is not asked without an end, and not taken for all there is."""
    audit.dns.set("example.test", "TXT", "v=spf1 " + "include:example.test " * 10 + "-all")
    begin = time.monotonic()
    audit.run()
    assert audit.status == 75 and "leads to too many others" in audit.text and time.monotonic() - begin < 20
    assert audit.text.count("too many others") == 1 and len(audit.dns.asked()) < 300
