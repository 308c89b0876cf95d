# SPDX-License-Identifier: MIT
"""Plugin, wrapper, policy service, milter and filter, each under its real server, say of every message what
docs/design.md says: the rows of mxg/same_message.py."""
from __future__ import annotations

import concurrent.futures
import os
import re
import shutil
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from mxg import build, smtp
from mxg import postfix as postfix_config
from mxg.dns_script import ScriptedDns
from mxg.dovecot import Dovecot
from mxg.hidden import ID, seen
from mxg.mxguard import mxguard, write_config
from mxg.process import Timeout, run, wait_until
from mxg.same_message import (DOMAINS, FORGED, PROXY, RELAY, ROWS, THEIRS, USER, Row, after_the_move, before_the_move,
                              from_now_on, settings)
from mxg.sink import LmtpSink
from test_lda_mta import MACROS
from test_milter_sendmail import FILTER, MAILER, Kept
from test_policy_certificates import issued  # noqa: F401

SMTP = ("192.0.2.1", 25)
TAGS = {"direct": "fail", "unknown": "(?:temp|perm)error"}
SECRET = b"open-sesame"
ALIASES = "alias@second.example user@example.test\n"


@dataclass
class FrontEnd:
    """NAME: of the sender's domain, too, by which the messages are told apart."""
    name: str
    log: Callable[[], str]
    delivered: Callable[[], list[tuple[str, bytes]]]  # mailbox ("": it has none), message
    server: tuple[str, int] = SMTP
    lmtp: bool = False
    place: str = "door"
    sees_header: bool = True
    is_told_certificates: bool = False
    takes_bare_cr: bool = True
    login: Callable[[smtp.Client, Row], None] = lambda client, row: plain_login(client)
    deferred: Callable[[str], str] = lambda sender: ""  # the status with which it waits in the queue
    returned: Callable[[str], bool] = lambda sender: False
    certificates: dict = field(default_factory=dict)

    def sender(self, row: Row) -> str:
        return f"{row.name}@{self.name}.example"

    def send(self, row: Row) -> smtp.Reply:
        content = smtp.message(self.sender(row), header=row.header + FORGED, body=row.body)
        source = PROXY if row.login and self.lmtp else row.peer
        with smtp.Client(self.server, source=source, lmtp=self.lmtp) as client:
            client.greet()
            if row.certificate and self.is_told_certificates:
                assert client.starttls(self.certificates[row.certificate]).ok
                client.hello()
            if row.login:
                self.login(client, row)
            client.mail(self.sender(row))
            reply = client.rcpt(row.recipient)
            return client.data(content)[row.recipient] if reply.ok else reply

    def said(self, row: Row) -> set[tuple[str, ...]]:
        """Verdict, reason, action, would-be action, place of each line about it."""
        lines = re.findall(rf"mxguard: verdict=.*? from=<{re.escape(self.sender(row))}> .*", self.log())
        found = {tuple(re.search(rf" {key}=(\S+)", line)[1] for key in ("verdict", "reason", "action", "would", "place"))
                 for line in lines}
        return {each for each in found if each[0] != "undecided"}


def plain_login(client: smtp.Client) -> None:
    assert client.auth_plain(USER, "secret").code == 235


# ---- what is expected ------------------------------------------------------------------------------

def place_of(front: FrontEnd, row: Row) -> str:
    """Whoever of ours speaks LMTP has queued the message."""
    return "queued" if front.lmtp and row.peer == RELAY else front.place


def expected(front: FrontEnd, row: Row) -> tuple[str, ...] | None:
    """As the table has it, but for what a front end cannot know. None: it passes the message on."""
    verdict, reason = row.verdict, row.reason
    place = place_of(front, row)
    action, would = (row.door, row.would.split()[0]) if place == "door" else (row.queued, row.would.split()[-1])
    if row.rests_on_header and not front.sees_header:
        return None
    if row.untraced and front.lmtp:
        reason = "untraced"  # whoever speaks LMTP has written his field already
    if row.by_certificate and not front.is_told_certificates:
        verdict, reason = "direct", "certificate-not-told"
        action = "reject" if place == "door" else "quarantine"
    return verdict, reason, action, would, place


def status_of(row: Row, action: str) -> str:
    """RFC 3463, as docs/design.md, "Dovecot plugin", has it."""
    dns = row.verdict == "unknown" and (row.door, row.queued) == ("defer", "defer")
    return {"reject": "5.7.1", "defer": "4.4.3" if dns else "4.7.1"}[action]


def faults(front: FrontEnd, row: Row, reply: smtp.Reply) -> list[str]:
    wanted, said = expected(front, row), front.said(row)
    if "\r" in row.header and not front.takes_bare_cr:
        return [] if reply.code == 421 and not said else [f"{said}, {reply}"]
    if wanted is None:
        return [f"{said}, {reply}"] if said or not reply.ok else []
    found = [] if said == {wanted} else [f"said {said}, not {wanted}"]
    action = wanted[2]
    if front.place == "door" and action in ("reject", "defer"):
        right = reply.code == (550 if action == "reject" else 451) and reply.enhanced == status_of(row, action)
        return found + ([] if right else [f"reply {reply}"])
    if not reply.ok:
        return found + [f"reply {reply}"]
    if action == "defer":
        return found + ([] if front.deferred(front.sender(row)) == status_of(row, action) else ["is not deferred"])
    if action == "reject":
        return found + ([] if front.returned(front.sender(row)) else ["is not returned"])
    return found + faults_of_text(front, row, wanted)


def faults_of_text(front: FrontEnd, row: Row, wanted: tuple[str, ...]) -> list[str]:
    """What was delivered, once, where, with what field of ours, and with none that claims to be."""
    verdict, _, action, would, _ = wanted
    copies = [(box, text) for box, text in front.delivered() if f"From: <{front.sender(row)}>".encode() in text]
    if len(copies) != 1:
        return [f"delivered {len(copies)} times"]
    box, text = copies[0]
    found, head = [], text.partition(b"\n\n")[0]
    if box and box != ("Junk" if action == "quarantine" else "INBOX"):
        found.append(f"is in {box}")
    fields = re.findall(rb"(?m)^Authentication-Results: mxguard\.example\.test;\s+x-mxguard=(\w+)", head)
    tagged = action in ("tag", "quarantine") or would != "-"
    if not front.sees_header:  # it cannot take anything away either
        fields = fields[:1] if tagged else []
    elif [each for each in seen(text) if re.match(rf"\s*{re.escape(ID)}\b.*=pass", each, re.S)] or SECRET in head:
        found.append(f"holds a forged field: {seen(text)}")
    if [bool(re.fullmatch(TAGS.get(verdict, "-"), each.decode())) for each in fields] != [True] * tagged:
        found.append(f"tagged {fields}")
    return found + ([] if THEIRS.encode() in text else ["has lost a field"])


# ---- the world ---------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def world(module_folder, module_stack, network, root):
    """The configuration; DNS has changed twice since the first refresh."""
    dns = module_stack.enter_context(ScriptedDns())
    state = module_folder / "state"
    state.mkdir()
    config = write_config(module_folder / "mxguard" / "all.conf", settings(dns, str(state)))
    for change in (before_the_move, after_the_move):
        change(dns)
        time.sleep(1.1)  # the snapshot counts in seconds
        refreshed = mxguard("refresh", "-q", "-c", config)
        assert refreshed.returncode in (0, 75), refreshed.stderr
    from_now_on(dns)
    time.sleep(1.2)  # the TTL of what shall be stale
    return config


def run_all(front: FrontEnd, rows: list[Row] = ROWS) -> None:
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(front.send, rows))
    wrong: dict[str, list[str]] = {}

    def is_right() -> bool:
        wrong.clear()
        wrong.update({row.name: found for row, reply in zip(rows, replies) if (found := faults(front, row, reply))})
        return not wrong
    try:
        wait_until(is_right, "all agree", float(os.environ.get("MXGUARD_AGREE_SECONDS", "30")), 0.3)
    except Timeout:
        pass
    assert not wrong, "\n".join(f"{front.name}: {name}: {each}" for name, found in wrong.items() for each in found)


# ---- each under its server -----------------------------------------------------------------------------

def from_sink(sink: LmtpSink) -> Callable[[], list[tuple[str, bytes]]]:
    return lambda: [("", text) for texts in list(sink.kept.values()) for text in list(texts)]


def tls(issued) -> dict[str, str]:  # noqa: F811
    certificate, key = issued["server"]
    return {"smtpd_tls_security_level": "may", "smtpd_tls_ask_ccert": "yes", "smtpd_tls_cert_file": str(certificate),
            "smtpd_tls_key_file": str(key), "smtpd_tls_CAfile": str(issued["authority"])}


def postfix_main(**more: str) -> dict[str, str]:
    return {"virtual_mailbox_domains": " ".join(DOMAINS), "smtpd_error_sleep_time": "0", **more}


def by_sasl(dovecot: Callable[..., Dovecot]) -> dict[str, str]:
    return postfix_config.sasl_by(dovecot(lmtp=[]).auth_socket)


def test_plugin(world, dovecot):
    def login(client: smtp.Client, row: Row) -> None:
        assert client.xclient(ADDR=row.peer, LOGIN=USER).ok
        client.hello()

    running = dovecot(mxguard={"mxguard_config": str(world)}, trusted=PROXY, process_limit=20)

    def delivered() -> list[tuple[str, bytes]]:
        return [(box, text) for user in {row.recipient for row in ROWS} for box in ("INBOX", "Junk")
                for text in running.messages(user, box)]
    run_all(FrontEnd("plugin", running.log, delivered, ("192.0.2.1", 24), lmtp=True, login=login))


def test_wrapper(world, postfix, dovecot, folder):
    box, log = folder / "box", folder / "lda.log"
    for path in (box / "INBOX", box / "Junk"):
        path.mkdir(parents=True)
        shutil.chown(path, "nobody", "nogroup")
    log.touch()
    shutil.chown(log, "nobody", "nogroup")
    (folder / "keep").write_text(f'cat >"{box}/$1/.$$" && mv "{box}/$1/.$$" "{box}/$1/$$"\n')
    (folder / "lda").write_text(f'#!/bin/sh\nexec {build.wrapper()} -c {world} --log=stderr "$@" 2>>{log}\n')
    (folder / "lda").chmod(0o755)
    (folder / "aliases").write_text(ALIASES)
    mta = postfix(main=postfix_main(virtual_transport="guarded", guarded_destination_recipient_limit="1",
                                    virtual_alias_maps=f"texthash:{folder}/aliases"),
                  smtpd=[(*SMTP, by_sasl(dovecot))], services=postfix_config.pipe_service(
                      "guarded", f"{folder}/lda {MACROS} -- /bin/sh {folder}/keep %{{mailbox}}", more="null_sender="))

    def fate(sender: str) -> str:
        """The last line about it."""
        queued = re.findall(rf"(\w+): from=<{re.escape(sender)}>", mta.log())
        lines = [line for each in queued for line in re.findall(rf"{each}: to=.* dsn=(\S+), status=(\w+)", mta.log())]
        return " ".join(lines[-1]) if lines else ""

    run_all(FrontEnd("wrapper", log.read_text, lambda: [(path.parent.name, path.read_bytes()) for path in box.glob("*/[0-9]*")],
                     place="queued", deferred=lambda sender: fate(sender).removesuffix(" deferred"),
                     returned=lambda sender: fate(sender) == "5.7.1 bounced"))


def test_policy(world, postfix, dovecot, policy_service, folder, stack, issued):  # noqa: F811
    service, sink = policy_service(world), stack.enter_context(LmtpSink(folder / "sink"))
    check = f"check_policy_service {{ unix:{service.socket}, timeout=10s }}, permit"
    postfix(main=postfix_main(**postfix_config.lmtp_to(folder / "sink"), **tls(issued), smtpd_recipient_restrictions=check),
            smtpd=[(*SMTP, by_sasl(dovecot))])
    run_all(FrontEnd("policy", service.log, from_sink(sink), sees_header=False, is_told_certificates=True, certificates=issued))


def test_milter_by_postfix(world, postfix, dovecot, milter, folder, stack, issued):  # noqa: F811
    service, sink = milter(world), stack.enter_context(LmtpSink(folder / "sink"))
    postfix(main=postfix_main(**postfix_config.lmtp_to(folder / "sink"), **tls(issued), smtpd_milters=service.address,
                              milter_default_action="tempfail"), smtpd=[(*SMTP, by_sasl(dovecot))])
    run_all(FrontEnd("milter", service.log, from_sink(sink), is_told_certificates=True, certificates=issued))


def test_milter_by_sendmail(world, sendmail, milter, folder, issued):  # noqa: F811
    box = folder / "kept"
    box.mkdir()
    shutil.chown(box, "nobody", "nogroup")
    (folder / "keep").write_text(f'cat >"{box}/.$$" && mv "{box}/.$$" "{box}/$$"\n')
    service = milter(world)
    certificate, key = issued["server"]
    key.chmod(0o600)
    sendmail(mailers=MAILER.format(folder=folder), routes={domain: f"keep:{domain}" for domain in DOMAINS},
             passwords={USER: "secret"}, features=f"""\
{FILTER}
define(`confSERVER_CERT', `{certificate}')
define(`confSERVER_KEY', `{key}')
define(`confCACERT', `{issued["authority"]}')
define(`confCACERT_PATH', `{issued["authority"].parent}')
""")
    run_all(FrontEnd("sendmail", service.log, lambda: [("", text) for text in Kept(box)()], is_told_certificates=True,
                     takes_bare_cr=False, certificates=issued))


def test_filter(world, opensmtpd, folder):
    box = folder / "box"
    box.mkdir()
    shutil.chown(box, "nobody", "nogroup")
    secret = run(["openssl", "passwd", "-6", "secret"], check=True).stdout.decode().strip()
    cert, key = folder / "certificate.pem", folder / "key.pem"
    run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=mail.example.test", "-days", "30",
         "-keyout", str(key), "-out", str(cert)], check=True)
    key.chmod(0o600)
    others = ", ".join(f'"{domain}"' for domain in DOMAINS)
    running = opensmtpd(
        action=f'maildir "{box}" virtual <people> user nobody',
        listen=('192.0.2.1 tls pki mail.example.test auth-optional <logins> filter "mxguard"', "127.0.0.1"),
        rules=f'match from any for domain {{ {others} }} action "ours"', before=f"""\
table people {{ {", ".join(f'"{each}" = nobody' for each in sorted({row.recipient for row in ROWS}))} }}
table logins {{ "{USER}" = "{secret}" }}
pki mail.example.test cert "{cert}"
pki mail.example.test key "{key}"
filter "mxguard" proc-exec "{build.command()} smtpd-filter -c {world}" user root group root
""")

    def login(client: smtp.Client, _: Row) -> None:
        assert client.starttls().ok
        client.hello()
        plain_login(client)
    front = FrontEnd("filter", running.log, lambda: [("", path.read_bytes()) for path in box.glob("new/*")], login=login)
    run_all(front, [row for row in ROWS if not row.login or does_tls()])


def does_tls() -> bool:
    """OpenSMTPD takes a login only inside TLS, which 6.8 cannot do with OpenSSL 3 (its issue 1171)."""
    with smtp.Client(SMTP, lmtp=False) as client:
        client.greet()
        try:
            return client.starttls().ok
        except ssl.SSLError:
            return False
