# SPDX-License-Identifier: MIT
"""Mail that is submitted again on the way: aliases, lists, .forward, content filters, Sieve. What came through the
gateway stays authorized, what came past it stays direct, and what the host made itself is its own."""
from __future__ import annotations

import json
import shutil
import socketserver
import threading

import pytest

from mxg import build, smtp
from mxg import postfix as postfix_config
from mxg.mxguard import mxguard
from mxg.process import program, wait_until
from mxg.exim import USER as EXIM_USER
from test_lda_mta import GATEWAY, SPAMMER, Boxes, settings

SMTP = ("192.0.2.1", 25)
USER = "user@example.test"
ALIASES = "info user@example.test\nlist :include:{folder}/members\nowner-list postmaster@example.test\n"
STRANGER = "Received: from gw.example (gw.example [192.0.2.10])\n\tby mail.elsewhere.test (Postfix) with ESMTPS id 4F\n" \
           "\tfor <user@example.test>; Mon, 02 Nov 2026 10:00:00 +0000 (UTC)\n"
FORGED = STRANGER.replace("mail.elsewhere.test", "mail.example.test")


@pytest.fixture
def keep(folder):
    """A delivery agent that keeps each message in the folder of a mailbox."""
    box = folder / "kept"
    box.mkdir()
    shutil.chown(box, "nobody", "nogroup")
    script = folder / "keep"
    script.write_text(f'#!/bin/sh\nmkdir -p "{box}/$1" && cat >"{box}/$1/.$$" && mv "{box}/$1/.$$" "{box}/$1/$$"\n')
    script.chmod(0o755)
    return f"{script} %{{mailbox}}", Boxes(lambda name: [file.read_bytes() for file in (box / name).glob("[0-9]*")])


@pytest.fixture
def mailboxes(postfix, mxguard_config, folder, keep):
    """mailboxes(services, smtpd options, main, settings…) -> Postfix, whose mailboxes are guarded, and the mailboxes."""
    def start(services="", smtpd=(), main=(), **more):
        command, boxes = keep
        (folder / "members").write_text("user@example.test\n")
        config = mxguard_config(settings(**more))
        mta = postfix(etc=True, main={"virtual_transport": "guarded", "guarded_destination_recipient_limit": "1",
                            "mydestination": "mail.example.test", "local_recipient_maps": "",
                            "alias_maps": f"texthash:{folder}/aliases", "forward_path": f"{folder}/forward",
                            "recipient_delimiter": "", **dict(main)},
                      smtpd=[(*SMTP, dict(smtpd)), ("127.0.0.1", 25, {})],
                      services=services + postfix_config.pipe_service(
                          "guarded", f"{build.wrapper()} -c {config} --peer=${{client_address}} --from=${{sender}} "
                                     f"--rcpt=${{recipient}} --id=${{queue_id}} -- {command}", more="null_sender="))
        return mta, boxes
    (folder / "aliases").write_text(ALIASES.format(folder=folder))
    return start


def send(to, source, header=""):
    result = smtp.deliver(SMTP, to, smtp.message(subject="x", header=header), lmtp=False, source=source)
    assert result.final(to).code == 250


def judge(boxes, to, header=""):
    """The gateway's message goes to INBOX, the spammer's to Junk, whatever the spammer forged."""
    inbox, junk = len(boxes["INBOX"]), len(boxes["Junk"])
    send(to, GATEWAY)
    boxes.wait("INBOX", inbox + 1)
    send(to, SPAMMER, header)
    found = boxes.wait("Junk", junk + 1)
    assert all(text.count(b"x-mxguard=fail") == 1 for text in found)


def test_expansion(mailboxes, folder):
    """local(8) writes a field like that of a bounce on top: aliases, lists and .forward files."""
    mta, boxes = mailboxes()
    for to in ("info@mail.example.test", "list@mail.example.test"):
        judge(boxes, to, FORGED)
    (folder / "forward").write_text("user@example.test\n")
    judge(boxes, "nobody@mail.example.test", STRANGER)
    assert all(b"\n\tby mail.example.test (Postfix) with" in text.replace(b"\r", b"") for text in boxes["Junk"])
    mta.sendmail(smtp.message(subject="cron"), "info@mail.example.test")
    boxes.wait("INBOX", 4)
    mta.wait_empty()


FILTERS = {
    "simple": '{hand_back}',
    "that takes time": 'cat >{folder}/$$ && sleep 0.1 && {hand_back} <{folder}/$$',
}
STRIP = "awk '/^Received:/ && !n {{ n = skip = 1; next }} skip && /^[ \\t]/ {{ next }} {{ skip = 0; print }}' | {hand_back}"


@pytest.fixture
def filtered(mailboxes, folder):
    """As mailboxes(), behind the simple content filter of Postfix's FILTER_README, which runs TEXT."""
    def start(text, **more):
        held, script = folder / "held", folder / "filter"
        held.mkdir()
        shutil.chown(held, "nobody", "nogroup")
        service = postfix_config.pipe_service("filter", f"{script} -f ${{sender}} -- ${{recipient}}", more="null_sender=")
        mta, boxes = mailboxes(service, {"content_filter": "filter:dummy"}, **more)
        hand_back = f'{program("sendmail")} -G -i "$@"'
        script.write_text("#!/bin/sh\nunset MAIL_CONFIG\n" + text.format(hand_back=hand_back, folder=held) + "\n")
        script.chmod(0o755)
        return mta, boxes
    return start


@pytest.mark.parametrize("kind", FILTERS)
def test_pipe_filter(filtered, kind):
    mta, boxes = filtered(FILTERS[kind])
    judge(boxes, USER, FORGED)
    mta.sendmail(smtp.message(subject="cron"), USER)
    boxes.wait("INBOX", 2)
    mta.sendmail(smtp.message(subject="old", header=STRANGER), USER)
    boxes.wait("Junk", 2)
    assert any(b"\n\tby mail.elsewhere.test" in text for text in boxes["Junk"])
    mta.wait_empty()


class Spamd(socketserver.StreamRequestHandler):
    """Says of every message what spamd says, in a header above it."""

    def handle(self):
        words = {}
        assert self.rfile.readline().startswith(b"PROCESS SPAMC/")
        while line := self.rfile.readline().strip():
            name, _, value = line.partition(b":")
            words[name.lower()] = value.strip()
        text = b"X-Spam-Status: No, score=0.0\n" + self.rfile.read(int(words[b"content-length"]))
        self.wfile.write(b"SPAMD/1.1 0 EX_OK\r\nContent-length: %d\r\nSpam: False ; 0.0 / 5.0\r\n\r\n" % len(text) + text)


@pytest.fixture
def spamd():
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Spamd) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def test_spamc_that_hands_back(mailboxes, spamd):
    """As a content filter without a script: spamc(1) runs sendmail(1) itself."""
    if not (spamc := program("spamc")):
        pytest.skip("spamc is not installed")
    filter_command = f"{spamc} -d 127.0.0.1 -p {spamd} -e {program('sendmail')} -oi -f ${{sender}} ${{recipient}}"
    mta, boxes = mailboxes(postfix_config.pipe_service("spamassassin", filter_command, more="null_sender="),
                           {"content_filter": "spamassassin:dummy"}, {"export_environment": "TZ LANG=C"})
    for forged in (FORGED, STRANGER):
        judge(boxes, USER, forged)
    for text in boxes["INBOX"] + boxes["Junk"]:
        assert b"X-Spam-Status: No" in text and b"(Postfix, from userid " in text
    mta.wait_empty()


@pytest.mark.parametrize("resubmitted, box", [("unknown", "Junk"), ("accept", "INBOX")])
def test_filter_that_strips_our_field(filtered, resubmitted, box):
    """What is left is what the client put there."""
    mta, boxes = filtered(STRIP, resubmitted=resubmitted)
    send(USER, SPAMMER, STRANGER)
    (text,) = boxes.wait(box, 1)
    assert b"mail.elsewhere.test" in text and b"(unknown [203.0.113.66])" not in text
    mta.wait_empty()


def test_reason(mxguard_config, folder):
    pickup = "Received: by mail.example.test (Postfix, from userid 1000)\n\tid D8E5; Mon, 02 Nov 2026 10:00:00 +0000 (UTC)\n"
    path = folder / "m"
    path.write_text(pickup + STRANGER + "Subject: x\n\n")
    seen = {}
    for setting in ("unknown", "accept"):
        config = mxguard_config(settings(resubmitted=setting))
        result = mxguard("check", "-c", config, "--peer", "", "--rcpt", USER, "--place", "queued", "--message", path, "--json")
        found = json.loads(result.stdout)
        seen[setting] = (found["verdict"], found["reason"], found["action"], result.returncode)
    assert seen == {"unknown": ("unknown", "resubmitted", "quarantine", 1),
                    "accept": ("internal", "resubmitted-accepted", "accept", 0)}


def test_hidden_client_is_no_bounce(mxguard_config, folder):
    """smtpd_hide_client_session, of Postfix 3.10."""
    path = folder / "m"
    path.write_text("Received: by mail.example.test (Postfix) id D8E5; Mon, 02 Nov 2026 10:00:00 +0000 (UTC)\nSubject: x\n\n")
    result = mxguard("check", "-c", mxguard_config(settings()), "--peer", "", "--rcpt", USER, "--place", "queued", "--message",
                     path, "--json")
    assert json.loads(result.stdout)["reason"] == "field-unreadable"


def test_courier_is_read_where_it_is_named(mxguard_config, folder):
    path = folder / "m"
    path.write_text(f"Received: from gw (gw.example [::ffff:{GATEWAY}])\n  by mail.example.test with ESMTP\n  id "
                    "0000000000AE22AE.000000006B043459.00000050; Mon, 02 Nov 2026 10:00:00 +0000\nSubject: x\n\n")
    reasons = {}
    for name, trace in (("named", {"mta": ["courier"]}), ("unnamed", {})):
        config = mxguard_config(settings(trace={"by": ["mail.example.test"], **trace}))
        result = mxguard("check", "-c", config, "--peer", "", "--rcpt", USER, "--message", path, "--json")
        found = json.loads(result.stdout)
        reasons[name] = (found["verdict"], found["reason"])
    assert reasons == {"named": ("authorized", "gateway-match"), "unnamed": ("unknown", "field-unreadable")}


def test_exim_alias_filter_and_local(exim, mxguard_config, folder, keep):
    """A router that redirects adds no field; a pipe that hands back writes `with local` on top."""
    command, boxes = keep
    config = mxguard_config(settings("exim"))
    path = folder / "filter"
    mta = exim(acl="acl_check_rcpt:\n  accept\n", main=f"trusted_users = {EXIM_USER}\n",
               routers="scan:\n  driver = accept\n  condition = ${if eq {$received_protocol}{local}{no}{yes}}\n"
                       "  transport = scan\n"
                       "alias:\n  driver = redirect\n  data = ${if eq {$local_part}{info}{user@example.test}}\n"
                       "box:\n  driver = accept\n  transport = box\n",
               transports=f"scan:\n  driver = pipe\n  command = {path}\n  user = {EXIM_USER}\n"
                          "  log_output\n  message_prefix =\n  message_suffix =\n"
                          f"box:\n  driver = pipe\n  command = {build.wrapper()} -c {config} --peer= "
                          f"--rcpt=user@example.test -- {command}\n  user = nobody\n  log_output\n"
                          "  message_prefix =\n  message_suffix =\n")
    path.write_text(f'#!/bin/sh\nexec {mta._exim} -oi -f "$SENDER" "$LOCAL_PART@$DOMAIN"\n')
    path.chmod(0o755)
    for to in (USER, "info@example.test"):
        inbox, junk = len(boxes["INBOX"]), len(boxes["Junk"])
        send(to, GATEWAY)
        wait_until(lambda: len(boxes["INBOX"]) > inbox, f"{to} through the gateway\n{mta.log()}")
        send(to, SPAMMER, FORGED)
        wait_until(lambda: len(boxes["Junk"]) > junk, f"{to} past it\n{mta.log()}")
    assert all(b"with local (Exim" in text for text in boxes["INBOX"])
