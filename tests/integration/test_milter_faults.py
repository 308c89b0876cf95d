# SPDX-License-Identifier: MIT
"""What may go wrong around the milter: descriptors, hostile headers, slow clients."""
from __future__ import annotations

import concurrent.futures
import re
import resource
import socket
import threading
import time

import pytest

from mxg import build, smtp
from mxg.process import PATIENCE, run, wait_until
from test_milter_postfix import (GATEWAY, OURS, RELAY, SHARED, SMTP, SPAMMER, TOKEN, USER,  # noqa: F401
                                 code, deliver, fields, guarded, put_off, received, served_again, settings, the_message)

PORT = 10034


# ---- the end, and the beginning --------------------------------------------------------------------

def in_data(source, header, body_wait, begun):
    """A client that takes its time in DATA; the reply."""
    with smtp.Client(SMTP, source=source, lmtp=False, seconds=PATIENCE) as client:
        client.greet()
        client.mail("slow@sender.example")
        assert client.rcpt(USER).code == 250
        assert client.command("DATA").code == 354
        begun.set()
        for line in smtp.message("slow@sender.example", header=header).replace(b"\n", b"\r\n").splitlines(True):
            time.sleep(body_wait)
            client.send(line)
        client.send(b".\r\n")
        return client.reply().code


def test_a_slow_client_holds_up_nobody_and_gets_his_answer(guarded):  # noqa: F811
    """One header line at a time; meanwhile others come and go, and the configuration is read again."""
    service, _, _ = guarded()
    begun = [threading.Event(), threading.Event()]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        slow = [pool.submit(in_data, SHARED, *each) for each in ((TOKEN, 0.2, begun[0]), ("", 0.2, begun[1]))]
        assert all(each.wait(PATIENCE) for each in begun)
        assert code(GATEWAY).code == 250 and deliver(SPAMMER).rcpt[USER].code == 550
        service.reload()
        assert [each.result() for each in slow] == [250, 550]


def test_stop_waits_for_messages_under_way(guarded):  # noqa: F811
    service, _, _ = guarded(settings(dns={"timeout": "100s"}))  # it waits for so long at the most: then it would be killed
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        in_it = threading.Event()
        slow = pool.submit(in_data, SHARED, TOKEN, 0.1, in_it)
        assert in_it.wait(PATIENCE)
        assert service.stop() == 0 and slow.result() == 250


def test_signals_that_come_as_it_begins(milter, mxguard_config):
    """libmilter waits for the same ones, and would end everything, for a reload, too."""
    service = milter(mxguard_config(settings()))
    for _ in range(20):
        assert service.stop() == 0
        service.start()
    for _ in range(5):
        service.stop()
        service.start()
        service.reload()
    assert service.stop() == 0


def test_libmilter_waits_for_signals_in_ours():
    """It would go on as before where it were not so, and lose a signal now and then."""
    done = run([str(build.command()), "--version"], env={"LD_DEBUG": "bindings", "LD_BIND_NOW": "1"}, check=True)
    assert re.search(rb"binding file \S*/libmilter\.so\S* \[0\] to \S*/mxguard \[0\]: normal symbol `sigwait'", done.stderr)


# ---- descriptors ------------------------------------------------------------------------------------

def test_no_descriptor_left(guarded):  # noqa: F811
    """Who connects waits or is deferred; nobody is let in, and afterwards all is as before."""
    service, _, _ = guarded(main={"milter_connect_timeout": "3s", "milter_command_timeout": "3s"})
    resource.prlimit(service.pid, resource.RLIMIT_NOFILE, (40, 40))
    idle = []
    try:
        for _ in range(60):
            idle.append(socket.create_connection(("127.0.0.1", PORT), 5))
        service.wait_log("no descriptor is left")
        for source in (SPAMMER, GATEWAY):
            assert put_off(source)
    finally:
        for each in idle:
            each.close()
    served_again({SPAMMER: 550, GATEWAY: 250})


def test_too_many_connections(guarded):  # noqa: F811
    service, _, _ = guarded(options=["--max-connections", "2"])
    with smtp.Client(SMTP, source=GATEWAY, lmtp=False) as one, smtp.Client(SMTP, source=GATEWAY, lmtp=False) as two:
        assert one.greet().ok and two.greet().ok
        assert one.mail("a@sender.example").ok and two.mail("a@sender.example").ok
        done = deliver(SPAMMER)
        assert done.final(USER).code // 100 == 4
        service.wait_log("2 connections at one time are the most")
        assert one.rcpt(USER).code == 250
    wait_until(lambda: deliver(GATEWAY).final(USER).code == 250, "there is room again")


# ---- hostile headers ----------------------------------------------------------------------------------

def survives(service, sink, header, wanted, source=GATEWAY):
    """The reply to a message with that header; the milter goes on."""
    done = deliver(source, content=header + smtp.message())
    assert done.final(USER).code == wanted, done.dialogue
    assert service.running and deliver(SPAMMER).rcpt[USER].code == 550
    return the_message(sink) if wanted == 250 else None


def test_many_and_long_fields(guarded):  # noqa: F811
    service, _, sink = guarded(main={"hopcount_limit": "10000"})
    many = b"".join(b"X-Field-%d: %d\n" % (number, number) for number in range(10000))
    text = survives(service, sink, many + OURS.encode(), 250)
    assert text.count(b"\nX-Field-") + text.startswith(b"X-Field-") == 10000
    assert fields(text, "Authentication-Results") == []
    long = b"X-Long: " + b"".join(b" x%d\n" % number * 8 for number in range(6000))
    text = survives(service, sink, long + OURS.encode(), 250)
    assert b"\nX-Long:  x0\n" in text  # Postfix cuts what is longer than its header_size_limit
    assert fields(text, "Authentication-Results") == []
    ours = b"Authentication-Results: mxguard.example.test;\n" + b" x-mxguard=pass (abcdefghijklmnopqrstuvwxyz)\n" * 6000
    text = survives(service, sink, ours, 250)
    assert b"x-mxguard" not in text and b"Subject: test" in text
    survives(service, sink, OURS.encode() * 1001, 550)
    begun = time.monotonic()
    text = survives(service, sink, OURS.encode() * 1000, 250)
    assert b"x-mxguard" not in text and time.monotonic() - begun < 60
    long_trace = b"".join(received("198.51.100.20").encode() for _ in range(2500))
    survives(service, sink, long_trace, 451, RELAY)  # more than is read: nobody can tell


@pytest.mark.parametrize("header", [
    b"Authentication-Results: \0mxguard.example.test; x-mxguard=pass\n",
    b"Authentication-Results:\0 mxguard.example.test; x-mxguard=pass\n",
    b"Authentication-Results: mxguard.example.test\0; x-mxguard=pass\n",
    b"Authentication-Results: mxguard.example.test;\0 x-mxguard=pass\n",
    b"Authentication-Results: mxguard.\rexample.test; x-mxguard=pass\n",
    b"Authentication-Results: \rmxguard.example.test; x-mxguard=pass\n",
    b"Authentication-Results : mxguard.example.test; x-mxguard=pass\n",
    b"AUTHENTICATION-RESULTS:mxguard.example.test;x-mxguard=pass\n",
    b"X-Gateway-Token : open-sesame\n",
], ids=["nul-first", "nul-at-colon", "nul-behind-id", "nul-behind-semicolon", "cr-in-id", "cr-first", "blank-before-colon", "upper", "token"])
def test_nul_and_bare_cr(guarded, header):  # noqa: F811
    """However it is written: what claims to be ours does not reach the mailbox."""
    service, _, sink = guarded()
    text = survives(service, sink, header, 250)
    left = [each for each in fields(text, "Authentication-Results") if re.search(rb"mxguard.?\.?.?example\.test", each)]
    assert left == [] and b"open-sesame" not in text.partition(b"\n\n")[0]
