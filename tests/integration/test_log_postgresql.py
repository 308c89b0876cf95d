# SPDX-License-Identifier: MIT
"""contrib/rsyslog: decisions go through a real rsyslogd into a real PostgreSQL, and what SQL counts there is what
`mxguard report` counts in the log that the same rsyslogd wrote. MXGUARD_LONG: 100,000 decisions."""
from __future__ import annotations

import calendar
import glob
import json
import os
import pathlib
import random
import subprocess
import time

import pytest

from mxg import build
from mxg.postgresql import PostgreSQL
from mxg.process import wait_until
from mxg.rsyslog import Rsyslog

CONTRIB = build.ROOT / "contrib/rsyslog"
COUNT = 100000 if os.environ.get("MXGUARD_LONG") else 2000
BEGIN = calendar.timegm((2026, 11, 1, 0, 0, 0))
pytestmark = pytest.mark.skipif(
    not (PostgreSQL.available() and Rsyslog.available() and glob.glob("/usr/lib/*/rsyslog/ompgsql.so")),
    reason="postgresql or rsyslog-pgsql is not installed")


def shipped(database: PostgreSQL) -> str:
    """The configuration as it is shipped, for the server that is there."""
    text = (CONTRIB / "mxguard-postgresql.conf").read_text()
    assert text.count('server="/var/run/postgresql"') == 1 and text.count('db="mxguard"') == 1
    return text.replace('server="/var/run/postgresql"', f'server="{database.folder}"').replace('resumeInterval="5"', 'resumeInterval="1"')


@pytest.fixture(scope="module")
def server(module_folder, module_stack, network, root):
    return module_stack.enter_context(PostgreSQL(module_folder / "postgresql"))


@pytest.fixture
def database(server):
    server.sql("DROP DATABASE IF EXISTS mxguard WITH (FORCE)")
    server.sql("CREATE DATABASE mxguard")
    for name in ("mxguard-postgresql.sql", "queries.sql"):
        server.sql((CONTRIB / name).read_text(), "mxguard")
    return server


@pytest.fixture
def logger(folder, stack, database):
    file = f'action(type="omfile" file="{folder}/mail.log" template="RSYSLOG_FileFormat")'
    return stack.enter_context(Rsyslog(folder / "rsyslog", shipped(database), file))


def decision(pick: random.Random, number: int) -> dict:
    verdict = pick.choices(["authorized", "direct", "unknown", "internal", "undecided"], [70, 20, 6, 3, 1])[0]
    reason = {"authorized": "gateway-match", "direct": "peer-not-a-gateway", "internal": "peer-internal"}.get(
        verdict, pick.choice(["dns-timeout", "record-too-wide"]))
    peer = pick.choice(["192.0.2.1", "2001:db8::25"]) if verdict == "authorized" else \
        f"203.0.113.{pick.randrange(256)}" if pick.random() < 0.8 else f"2001:db8:66::{pick.randrange(1, 999):x}"
    monitor = pick.random() < 0.5
    rcpt = pick.choice([f"u{pick.randrange(50)}@d{int(pick.random() ** 2 * 300)}.example", "O'Brien@D1.Example", "postmaster",
                        "a@b@d2.example", "x;'); DROP TABLE mxguard.decision; --@d3.example"]) if pick.random() < 0.1 else \
        f"u{pick.randrange(50)}@d{int(pick.random() ** 2 * 300)}.example"
    return {"verdict": verdict, "action": "accept" if monitor or verdict in ("authorized", "internal") else
            "reject" if verdict == "direct" else "defer",
            "would": ("reject" if verdict == "direct" else "accept") if monitor else None,
            "mode": "monitor" if monitor else "enforce", "place": "door", "peer": peer,
            "boundary": None if verdict == "undecided" else peer, "hop": 0,
            "gateway": "filters" if verdict == "authorized" else None, "term": None, "helo": 'x"} \\\' ü {"verdict":"direct"}',
            "from": f"s{pick.randrange(400)}@firm.example", "rcpt": rcpt, "id": f"4F{number:X}", "msgid": "", "gen": 7,
            "origin": None, "reason": reason}


def line_of(pick: random.Random, number: int) -> str:
    """As syslog(3) and Dovecot hand it on, in the form of either RFC."""
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(BEGIN + number // 3))
    text = json.dumps(decision(pick, number), separators=(",", ":"), ensure_ascii=pick.random() < 0.5)
    tag, before = pick.choice([("mxguard[77]", ""), ("mxguard-lda[5]", ""), ("dovecot", "lmtp(4711): "),
                               ("dovecot[3]", "lda(u@d.example)<9><abc>: ")])
    if "[" in tag and pick.random() < 0.5:
        name, pid = tag.rstrip("]").split("[")
        return f"<22>1 {stamp} mail{number % 3} {name} {pid} - - {before}{text}\n"
    return f"<22>{stamp} mail{number % 3} {tag}: {before}{text}\n"


def report(log: pathlib.Path) -> dict:
    result = subprocess.run([str(build.command()), "report", "--json", str(log)], capture_output=True, timeout=600)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def rows(database: PostgreSQL, query: str) -> list[list]:
    """As JSON, so that NULL is None and numbers are numbers."""
    return [list(json.loads(line).values()) for line in
            database.sql(f"SELECT row_to_json(q) FROM ({query}) q", "mxguard").splitlines()]


def number_of(database: PostgreSQL, table: str) -> int:
    return int(database.sql(f"SELECT count(*) FROM mxguard.{table}", "mxguard"))


def test_what_sql_counts_is_what_report_counts(database, logger, folder, record_property):
    pick, begun = random.Random(17), time.monotonic()
    for start in range(0, COUNT, 10000):
        logger.send("".join(line_of(pick, number) for number in range(start, min(start + 10000, COUNT))).encode())
    others = ["<22>Nov  1 10:00:00 mail postfix/smtpd[4]: connect from x\n",
              '<22>Nov  1 10:00:00 mail postfix/smtpd[4]: helo=<{"verdict":"direct","action":"reject","reason":"x"}>\n',
              '<22>Nov  1 10:00:00 mail dovecot: imap-login: user=<{"verdict":"direct","action":"reject","reason":"x"}>\n',
              '<22>Nov  1 10:00:00 mail dovecot: lmtp(5): msgid={"verdict":"direct","action":"reject","reason":"x"}\n']
    logger.send("".join(others).encode())
    wait_until(lambda: number_of(database, "decision") >= COUNT, "all decisions are in the database", 600, 0.2)
    record_property("decisions_a_second", COUNT / (time.monotonic() - begun))
    print(f"{COUNT} decisions in {time.monotonic() - begun:.1f} s")
    wait_until(lambda: (folder / "mail.log").read_text().count("\n") >= COUNT + len(others), "and in the file")
    said = report(folder / "mail.log")
    assert said["decisions"] == COUNT and said["exact"] and number_of(database, "unread") == 0
    assert rows(database, 'SELECT decisions, "from", "to" FROM mxguard.span') == \
        [[COUNT, *(said[key].replace("Z", "+00:00") for key in ("from", "to"))]]
    for what in ("verdicts", "actions", "would", "reasons"):
        found = dict(rows(database, f"SELECT word, decisions FROM mxguard.counts WHERE what = '{what}'"))
        assert found == said[what] and len(found) > 1, what
    keys = ("domain", "decisions", "authorized", "direct", "unknown")
    found = {tuple(row) for row in rows(database, f"SELECT {', '.join(keys)} FROM mxguard.domains")}
    assert found == {tuple(each[key] for key in keys) for each in said["domains"]} and len(found) > 200
    keys = ("peer", "messages", "domains", "first", "last")
    found = {tuple(row) for row in rows(database, f"SELECT {', '.join(keys)} FROM mxguard.direct_peers")}
    told = {tuple(str(each[key]).replace("Z", "+00:00") if key in ("first", "last") else
                  len(each[key]) if isinstance(each[key], list) else each[key] for key in keys) for each in said["direct_peers"]}
    assert told and told <= found
    assert sum(row[1] for row in found) == said["verdicts"]["direct"]


HOSTILE = [b'{"verdict":"direct"', b'{"verdict":"direct","gen":"x"}', b'{"verdict":"direct","reason":"\\u0000"}',
           b'{"verdict":null,"x":1}', b'{"verdict":"direct","gen":99999999999999999999999,"action":"accept","reason":"x"}',
           b'{"verdict":"' + b"[" * 6000 + b'}', b'{"verdict":' + b"[" * 7000 + b"}", b'{"verdict":"\xff\xfe\x80"}',
           b'{"verdict":"x\\"}', b"{\"verdict\":\"'); DROP TABLE mxguard.decision; --\"}"]


def test_hostile_lines_hold_nothing_up(database, logger):
    """Any local user can write to the log under any name: what cannot be stored is put aside, and what comes behind it is."""
    for number, words in enumerate(HOSTILE):
        logger.send(b"<22>Nov 23 12:35:31 ma\xffil mxguard[7]: " + words + b"\n")
        logger.send(b"<22>Nov 23 12:35:31 mail mxguard-\xff\xfe'[7]: " + words + b"\n")
        logger.send(line_of(random.Random(number), number).encode())
    wait_until(lambda: number_of(database, "decision") >= len(HOSTILE), "the good ones are there", pause=0.2)
    assert number_of(database, "decision") == len(HOSTILE)
    assert number_of(database, "unread") >= len(HOSTILE) // 2
    assert database.sql("SELECT count(*) FROM mxguard.decision WHERE line->>'from' !~ 'firm.example'", "mxguard") == "0"


def test_the_database_may_be_away(database, logger):
    """What is logged meanwhile comes in afterwards."""
    pick = random.Random(1)
    logger.send(line_of(pick, 0).encode())
    wait_until(lambda: number_of(database, "decision") == 1, "the first")
    database.stop()
    logger.send("".join(line_of(pick, number) for number in range(1, 40)).encode())
    time.sleep(1)
    database.start()
    wait_until(lambda: number_of(database, "decision") >= 40, "the others, too", pause=0.2)
    assert database.sql("SELECT count(DISTINCT id) FROM mxguard.decision", "mxguard") == "40"


def test_who_writes_may_do_nothing_else(database):
    """The role that the log daemon has."""
    for statement in ("SELECT count(*) FROM mxguard.decision", "DELETE FROM mxguard.decision", "DROP TABLE mxguard.decision",
                      "SELECT mxguard.take('now', 'h', 'mxguard', ''); SELECT * FROM mxguard.unread"):
        with pytest.raises(AssertionError, match="permission denied|must be owner"):
            database.sql(f"SET ROLE rsyslog; {statement}", "mxguard")
