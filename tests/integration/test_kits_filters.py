# SPDX-License-Identifier: MIT
"""contrib/rspamd and contrib/spamassassin, in the real programs: our field is read, and nobody else's."""
from __future__ import annotations

import json
import re
import shutil

import pytest

from mxg import build
from mxg.mxguard import mxguard
from mxg.process import Daemon, free_port, listening, program, run

CONTRIB = build.ROOT / "contrib"
GATEWAY, SPAMMER, ORIGIN = "192.0.2.10", "203.0.113.66", "198.51.100.77"
ID = "mxguard.mail.example.com"
TAIL = b"From: a@sender.example\r\nTo: u@example.test\r\nSubject: x\r\nMessage-ID: <1@x.example>\r\n\r\nbody\r\n"


def field(result: str, *more: str, name: str = ID) -> bytes:
    """As the front ends write it."""
    return "\r\n\t".join([f"Authentication-Results: {name};", f"x-mxguard={result} reason=\"some-reason\"", *more]).encode() + b"\r\n"


@pytest.fixture(scope="module")
def rspamd(module_folder):
    """scan(message) -> {symbol: options}"""
    if not program("rspamd"):
        pytest.skip("rspamd is not installed")
    port = free_port()
    for name in ("rspamd.local.lua", "rspamd.conf.local"):
        shutil.copy(CONTRIB / "rspamd" / name, module_folder)
    (module_folder / "listed").write_text(f"{ORIGIN}\n")
    (module_folder / "tld").write_text("com\nexample\n")
    (module_folder / "rspamd.conf").write_text(f"""
lua = "$RULESDIR/rspamd.lua"
options {{ filters = ""; disable_hyperscan = true; pidfile = "{module_folder}/pid"; hs_cache_dir = "{module_folder}"; url_tld = "{module_folder}/tld"; # the whole list takes a minute
  dns {{ nameserver = ["127.0.0.1:1:1"]; timeout = 0.1s; retransmits = 1; }} }}
logging {{ type = "console"; level = "notice"; }}
worker "normal" {{ bind_socket = "127.0.0.1:{port}"; count = 1; }}
metric {{ name = "default"; actions {{ reject = 100; }} unknown_weight = 0; }}
modules {{ path = "$PLUGINSDIR/multimap.lua"; }}
multimap {{ CLIENT_IS_ORIGIN {{ type = "ip"; map = "{module_folder}/listed"; score = 1.5; }} }}
.include "$LOCAL_CONFDIR/rspamd.conf.local"
""")
    daemon = Daemon(["rspamd", "-f", "-i", "-u", "root", "-g", "root", "-c", str(module_folder / "rspamd.conf"),
                     "--var", f"LOCAL_CONFDIR={module_folder}", "--var", f"DBDIR={module_folder}",
                     "--var", f"RUNDIR={module_folder}"], module_folder / "rspamd.log")
    daemon.start(lambda: listening("127.0.0.1", port), "rspamd listens")

    def scan(message: bytes, client: str = GATEWAY):
        done = run(["rspamc", "-h", f"127.0.0.1:{port}", "-i", client, "--json", "symbols"], data=message, check=True)
        symbols = json.loads(done.stdout)["symbols"]
        return {name: (value["score"], value.get("options", [])) for name, value in symbols.items()
                if name.startswith(("MXGUARD_", "CLIENT_")) and name != "MXGUARD_CHECK"}
    yield scan
    daemon.stop()


def test_rspamd_reads_the_result(rspamd):
    assert rspamd(field("pass", 'policy.peer="192.0.2.10"', 'policy.gateway="filters"') + TAIL) == {"MXGUARD_PASS": (0, ["filters"])}
    assert rspamd(field("fail", f'policy.peer="{SPAMMER}"') + TAIL, SPAMMER) == {"MXGUARD_FAIL": (8, ["some-reason"])}
    for result in ("temperror", "permerror", "none"):
        assert list(rspamd(field(result) + TAIL)) == [f"MXGUARD_{result.upper()}"]


def test_rspamd_takes_the_origin_for_the_client(rspamd):
    origin = f'smtp.remote-ip="{ORIGIN}"'
    passed = rspamd(field("pass", 'policy.gateway="filters"', origin, 'smtp.helo="client.example"') + TAIL)
    assert passed == {"MXGUARD_PASS": (0, ["filters"]), "MXGUARD_ORIGIN": (0, [ORIGIN]), "CLIENT_IS_ORIGIN": (1.5, [ORIGIN])}
    # Nobody but a gateway has one, and two fields have none.
    assert list(rspamd(field("fail", origin) + TAIL)) == ["MXGUARD_FAIL"]
    assert list(rspamd(field("pass", origin) + field("fail") + TAIL)) == ["MXGUARD_FAIL"]


@pytest.mark.parametrize("text", [
    field("pass", f'smtp.remote-ip="{ORIGIN}"', name="mxguard.other.example"),
    field("pass", name=f"x{ID}"), field("pass", name=f"{ID}.example"),
    f"Authentication-Results: other.example; x={ID}; x-mxguard=pass\r\n".encode(),
    f"Authentication-Results: other.example (a comment; {ID};\r\n\tx-mxguard=pass)\r\n".encode(),
    f"X-Authentication-Results: {ID};\r\n\tx-mxguard=pass\r\n".encode(),
    f"Subject: Authentication-Results: {ID}; x-mxguard=pass\r\n".encode(),
    # what has to be decoded first (RFC 2047): mxguard takes some of it away, and not what stands behind others' names
    field("pass", f'smtp.remote-ip="{ORIGIN}"', name=f"=?utf-8?q?{ID}?="),
    f"Authentication-Results: =?utf-8?q?{ID.replace('.', '=2E', 1)}=3B_x-mxguard=3Dpass?=\r\n".encode(),
    f"Authentication-Results: other.example; =?utf-8?q?=0A{ID};_x-mxguard=3Dpass?=\r\n".encode(),
    f"Authentication-Results: other.example;\r\n {ID}; x-mxguard=pass\r\n".encode(),
    field("pwned"), field("passed"), b"Authentication-Results:\r\n"])
def test_what_is_not_ours_is_nothing(rspamd, spamassassin, text):
    assert rspamd(text + TAIL) == {}
    assert spamassassin(text + TAIL) == {}


def test_what_the_command_writes_is_read(rspamd, spamassassin, mxguard_config, folder, policy_service):
    """The field of the real front end."""
    service = policy_service(mxguard_config({"mode": "monitor", "tag": "always", "authserv_id": ID, "state_dir": "/nonexistent",
                                             "gateways": ({"name": "filters", "allow": f"ip4:{GATEWAY}"},)}))
    for peer, symbol in ((GATEWAY, "MXGUARD_PASS"), (SPAMMER, "MXGUARD_FAIL")):
        action = service.ask(peer, "u@example.test")
        assert action.startswith("PREPEND Authentication-Results: ")
        text = action.removeprefix("PREPEND ").encode() + b"\r\n"
        assert list(rspamd(text + TAIL, peer)) == [symbol]
        assert list(spamassassin(text + TAIL)) == [symbol]


@pytest.fixture(scope="module")
def spamassassin(module_folder):
    """scan(message) -> {rule: score}, with our rules alone."""
    if not program("spamassassin"):
        pytest.skip("SpamAssassin is not installed")
    rules, none = module_folder / "rules", module_folder / "none"
    rules.mkdir()
    none.mkdir()
    shutil.copy(CONTRIB / "spamassassin" / "mxguard.cf", rules)
    (rules / "init.pre").write_text("loadplugin Mail::SpamAssassin::Plugin::Check\n")
    (none / "some.cf").write_text("header SOME_RULE X-Some =~ /^x$/\nutil_rb_tld example\nadd_header all Kit _TESTSSCORES(,)_\n")
    command = ["spamassassin", "-L", "-x", f"--configpath={none}", f"--siteconfigpath={rules}", f"--prefspath={none}/prefs"]
    assert run([*command, "--lint"]).returncode == 0

    def scan(message: bytes):
        done = run([*command, "-t"], data=message, check=True)
        found, = re.findall(rb"^X-Spam-Kit: (\S+)$", done.stdout.replace(b"\r", b""), re.M)
        return {name: float(score) for name, score in (each.split("=") for each in found.decode().split(",") if "=" in each)}
    return scan


def test_spamassassin(spamassassin):
    assert spamassassin(field("fail", f'policy.peer="{SPAMMER}"') + TAIL) == {"MXGUARD_FAIL": 4.0}
    assert list(spamassassin(field("pass") + TAIL)) == ["MXGUARD_PASS"]
    assert list(spamassassin(field("permerror") + TAIL)) == ["MXGUARD_UNKNOWN"]
    assert list(spamassassin(field("pass") + field("fail") + TAIL)) == ["MXGUARD_FAIL"]
