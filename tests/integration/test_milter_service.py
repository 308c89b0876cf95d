# SPDX-License-Identifier: MIT
"""mxguard milter by itself: sockets, signals, what it agrees on with an MTA, and who waits for whom."""
from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from mxg import build
from mxg.dns_script import answer, held
from mxg.milter_client import MilterClient
from mxg.mxguard import mxguard, write_config
from mxg.process import PATIENCE, program, run, wait_until
from test_milter_postfix import GATEWAY, RELAY, SHARED, SPAMMER, received, settings

LOOPBACK = ("127.0.0.1", 10034)
HOP = ("Received", " " + received(SPAMMER).partition(": ")[2].rstrip("\n"))


def ask(client, *fields, peer=SPAMMER, recipient="user@example.test"):
    """The reply at RCPT, or that at the header's end."""
    client.connect(peer)
    client.mail()
    return client.rcpt(recipient) or client.header(*fields)


def test_what_it_agrees_on(milter, mxguard_config):
    """An MTA that offers little is asked for less, and told the same; one that allows no changes is not served."""
    service = milter(mxguard_config(settings()))
    with MilterClient(LOOPBACK) as client:
        assert client.steps & 0x10 and client.actions & 0x11 == 0x11 and not client.actions & 0x20
        assert ask(client, ("X-Gateway-Token", " open-sesame"), peer=SHARED) == b""
        assert client.end() == [(b"m", b"\0\0\0\1X-Gateway-Token\0\0")]
    with MilterClient(LOOPBACK, actions=0x3F, steps=0) as client:
        assert ask(client, ("Subject", "x"), ("X-Gateway-Token", "open-sesame"), peer=SHARED) == b""
        assert client.end() == [(b"m", b"\0\0\0\1X-Gateway-Token\0\0")]
    with MilterClient(LOOPBACK, actions=0x3F, steps=0) as client:
        assert ask(client, ("Subject", "x"), peer=SPAMMER, recipient="user@mon.example") == b""
        kind, data = client.end()[0]
        assert kind == b"i" and data.startswith(b"\0\0\0\0Authentication-Results\0mxguard.example.test;\n\tx-mxguard=fail")
    with pytest.raises(ConnectionError):
        MilterClient(LOOPBACK, actions=0x02)
    service.wait_log("the MTA does not let us change header fields")


def test_what_hides_a_field_is_taken_away(milter, mxguard_config):
    milter(mxguard_config(settings()))
    with MilterClient(LOOPBACK) as client:
        assert ask(client, ("Subject", " one"), ("Subject", " two\rX-Gateway-Token: open-sesame"), peer=GATEWAY) == b""
        assert client.end() == [(b"m", b"\0\0\0\2Subject\0 twoX-Gateway-Token: open-sesame\0")]


def test_a_peer_that_cannot_be_told(milter, mxguard_config):
    """Nobody knows who it is: not internal, whatever the header says."""
    service = milter(mxguard_config(settings()))
    with MilterClient(LOOPBACK) as client:
        client.send(b"C", b"unknown\0U")
        client.mail()
        assert client.rcpt().startswith(b"451 ")
    service.wait_log("reason=peer-unreadable")
    with MilterClient(LOOPBACK) as client:  # of whom the MTA has said nothing at all
        client.mail()
        assert client.rcpt().startswith(b"451 ")


def test_nothing_of_one_message_counts_for_the_next(milter, mxguard_config):
    """A secret in a header, and a login, end with what they stood in, however that ended."""
    milter(mxguard_config(settings()))
    token, none = ("X-Gateway-Token", " open-sesame"), ("Subject", " x")
    for ends in ("commit", "abort", "abort in the header", "nothing"):
        with MilterClient(LOOPBACK) as client:
            client.connect(SHARED)
            client.mail()
            assert client.rcpt() == b""
            if ends in ("commit", "abort"):
                assert client.header(token) == b""
            else:
                client.send(b"L", b"X-Gateway-Token\0open-sesame\0")
                client._go_on(b"L")
            if ends == "commit":
                client.end()
            elif ends != "nothing":
                client.send(b"A")
            client.mail()
            assert client.rcpt() == b"" and client.header(none).startswith(b"550 "), ends
    for first in (b"H", b"K"):  # after another HELO, and for the next client on the MTA's connection
        with MilterClient(LOOPBACK) as client:
            client.connect(SPAMMER)
            client.mail(**{"{auth_authen}": "joe"})
            if first == b"K":
                client.send(b"K")
                client.connect(SPAMMER)
            else:
                client.send(b"H", b"again.example\0")
                client._go_on(b"H")
            client.mail()
            assert client.rcpt().startswith(b"550 "), first


@pytest.mark.parametrize("options", [(), ("--secrets=keep",)])
def test_a_secret_that_is_only_like_it(milter, mxguard_config, options):
    """Folded within, in a comment, quoted, encoded, hidden in another field: none. One of several is enough, and all go."""
    milter(mxguard_config(settings()), options=options)
    for value in (" open-\n sesame", " open-sesame (c)", " (c) open-sesame", ' "open-sesame"', " OPEN-SESAME", " open-sesamex", "",
                  " =?utf-8?q?open-sesame?=", " open-sesame, x", " x\n open-sesame", " open-sesame\rX-Gateway-Token: x"):
        with MilterClient(LOOPBACK) as client:
            assert ask(client, ("X-Gateway-Token", value), peer=SHARED).startswith(b"550 "), value
    with MilterClient(LOOPBACK) as client:
        assert ask(client, ("Subject", " x\rX-Gateway-Token: open-sesame"), peer=SHARED).startswith(b"550 ")
    for values in ((" x", " open-sesame"), (" open-sesame", " x")):
        with MilterClient(LOOPBACK) as client:
            assert ask(client, *(("X-Gateway-Token", value) for value in values), peer=SHARED) == b""
            assert len(client.end()) == (0 if options else 2)


FINGERPRINT = ":".join(["AB"] * 32)


@pytest.mark.parametrize("told,match", [
    ({"cert_subject": "mail.filter.example", "cert_issuer": "x"}, True),                         # Postfix
    ({"cn_subject": "mail.filter.example", "cert_subject": "/CN=mail.filter.example", "verify": "OK"}, True),  # sendmail
    *(({"cn_subject": "mail.filter.example", "cert_subject": "/CN=mail.filter.example", "verify": verify}, False)
      for verify in ("FAIL", "NO", "NONE", "", "ok", "OK ")),
    ({"cn_subject": "mail.filter.example", "cert_subject": "/CN=mail.filter.example"}, False),   # sendmail, told to say less
    ({"cn_subject": "mail.filter.example"}, False), ({"cn_subject": "mail.filter.example", "cert_issuer": "x"}, False),
    ({"cert_subject": "/CN=mail.filter.example", "verify": "OK"}, False),
    ({"cert_subject": "/O=x/CN=mail.filter.example", "verify": "OK"}, False),
    ({"cn_subject": "customer.example", "cert_subject": "mail.filter.example", "verify": "OK"}, False),
    ({"cn_subject": "mail.filter.example+00", "cert_subject": "/CN=x", "verify": "OK"}, False),
    ({"cert_fp": FINGERPRINT, "verify": "FAIL"}, True), ({"cert_fp": FINGERPRINT + ":AB"}, False),
    ({"cert_fp": FINGERPRINT[:47], "verify": "OK"}, False), ({"cert_fp": FINGERPRINT, "tls_version": ""}, False)])
def test_certificates(milter, mxguard_config, told, match):
    """What Postfix and sendmail may say of a certificate, and what of it makes a gateway."""
    entries = [{"name": "subject", "certificate": {"subject": "mail.filter.example", "verified": True}},
               {"name": "key", "certificate": {"fingerprint": "ab" * 32}}]
    milter(mxguard_config(settings(gateways=entries)))
    with MilterClient(LOOPBACK) as client:
        client.connect(SPAMMER)
        client.mail(**{f"{{{name}}}": value for name, value in {"tls_version": "TLSv1.3", **told}.items()})
        assert (client.rcpt() == b"") is match


@pytest.mark.parametrize("listen", ["unix:{}/socket", "inet:127.0.0.1:10035", "inet6:[::1]:10035"])
def test_listens(mxguard_config, folder, listen):
    listen = listen.format(folder)
    address = folder / "socket" if listen.startswith("unix") else ("::1" if "::" in listen else "127.0.0.1", 10035)
    with subprocess.Popen([str(build.command()), "milter", "-c", str(mxguard_config(settings())), "--listen", listen],
                          stderr=subprocess.DEVNULL) as process:
        try:
            def answers():
                try:
                    with MilterClient(address) as client:
                        return ask(client).startswith(b"550 5.7.1 ")
                except OSError:
                    return False
            wait_until(answers, "it answers")
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert not (folder / "socket").exists()


@pytest.mark.parametrize("family", [socket.AF_UNIX, socket.AF_INET])
def test_a_socket_of_systemd_s(mxguard_config, folder, family):
    """It outlives the service: who comes in between waits for the next."""
    listener = socket.socket(family)
    listener.bind(str(folder / "socket") if family == socket.AF_UNIX else ("127.0.0.1", 10036))
    listener.listen(8)
    address = folder / "socket" if family == socket.AF_UNIX else ("127.0.0.1", 10036)
    started = ("import os, sys; os.dup2(int(sys.argv[1]), 3); os.set_inheritable(3, True);"
               "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1'); os.execv(sys.argv[2], sys.argv[2:])")
    argv = [sys.executable, "-c", started, str(listener.fileno()), str(build.command()), "milter", "-c",
            str(mxguard_config(settings()))]
    for _ in range(2):
        answers = []
        early = threading.Thread(target=lambda: answers.append(ask(MilterClient(address, 60))))
        early.start()
        with subprocess.Popen(argv, pass_fds=[listener.fileno()], stderr=subprocess.DEVNULL) as process:
            early.join(60)
            process.terminate()
            assert process.wait(60) == 0
        assert answers[0].startswith(b"550 5.7.1 ")
    listener.close()


def test_wrong_use(mxguard_config, folder):
    config = mxguard_config(settings())
    for options, status, words in (([], 64, "--listen is missing"), (["--listen", "inet:192.0.2.1:25"], 71, "loopback"),
                                   (["--listen", "fd:3"], 71, "write unix:/path"),
                                   (["--quarantine", "hold"], 64, "quarantine"), (["x"], 64, "too many")):
        done = mxguard("milter", "-c", config, *options)
        assert done.returncode == status and words in done.stderr.decode(), done.stderr
    write_config(config, "mode = nonsense;\n")
    assert mxguard("milter", "-c", config, "--listen", f"unix:{folder}/socket").returncode == 78


def test_slow_dns_holds_nobody_else_up(milter, mxguard_config, scripted_dns):
    """Nor does a client that goes away meanwhile leave anything behind."""
    answered = threading.Event()
    scripted_dns.update({("slow.example", "MX"): held(answered, answer("10 gw.example.test")),
                         ("gw.example.test", "A"): answer(GATEWAY)})
    service = milter(mxguard_config(settings(
        policies=({"domains": ["slow.example"], "gateways": ({"name": "mx", "allow": "mx"},)},),
        dns={"servers": [scripted_dns.server], "timeout": "60s"})))
    waiting = [MilterClient(LOOPBACK, 60) for _ in range(20)]
    for number, client in enumerate(waiting):
        client.connect(RELAY if number % 2 else GATEWAY)
        client.mail()
        client.send(b"R", b"<user@slow.example>\0")
    replies = [client._reply() for client in waiting[1::2]]
    for client in waiting[1::2]:
        client.send(b"L", b"Received\0" + HOP[1].encode() + b"\0")
        client.send(b"N")
    for client in waiting[4::4]:
        client.sock.close()
    begun = time.monotonic()
    for _ in range(10):
        with MilterClient(LOOPBACK) as client:
            assert ask(client).startswith(b"550 ")
    assert time.monotonic() - begun < 50 and replies == [b""] * 10
    answered.set()
    assert waiting[0]._reply() == b"" and waiting[2]._reply() == b""
    assert all(client._reply().startswith(b"550 5.7.1") for client in waiting[1::2])
    assert service.running
    for client in waiting:
        client.sock.close()


def test_a_thousand_connections(milter, mxguard_config):
    service = milter(mxguard_config(settings()))
    held_open = [MilterClient(LOOPBACK).connect(SPAMMER if number % 2 else GATEWAY) for number in range(1000)]
    for client in held_open:
        client.mail()
    replies = [client.rcpt()[:3] for client in held_open]
    assert replies == [b"", b"550"] * 500
    threads = len(os.listdir(f"/proc/{service.pid}/task"))
    assert threads < 100
    for client in held_open:
        client.sock.close()


def test_descriptors_that_are_free_again_are_used_at_once(milter, mxguard_config):
    """libmilter sleeps for five seconds on a socket that nobody knows. A loaded machine is slow once, or twice."""
    service, spans = milter(mxguard_config(settings())), []
    resource.prlimit(service.pid, resource.RLIMIT_NOFILE, (40, 40))
    for _ in range(4):
        with contextlib.ExitStack() as idle:
            for _ in range(60):
                idle.enter_context(socket.create_connection(LOOPBACK, PATIENCE))
            wait_until(lambda: len(os.listdir(f"/proc/{service.pid}/fd")) >= 39, "no descriptor is left")
            service.wait_log("no descriptor is left")
            time.sleep(0.3)  # it has stopped listening
        begun = time.monotonic()
        with MilterClient(LOOPBACK, PATIENCE) as client:
            assert ask(client).startswith(b"550 ")
        spans.append(time.monotonic() - begun)
    assert min(spans) < 3, spans


def test_units_are_well_formed(milter):
    unit = build.find("mxguard-milter.service")
    assert unit
    if program("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not there")
    exposure = run(["systemd-analyze", "security", "--offline=yes", "--threshold=20", str(unit)])
    assert exposure.returncode == 0, exposure.stdout.decode()[-500:] + exposure.stderr.decode()
