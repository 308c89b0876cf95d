# SPDX-License-Identifier: MIT
"""Milter and filter are killed at every stage while messages come in: nobody is let in who should not be, nothing is
lost or cut, and nobody is refused for good who should be let in. MXGUARD_ACCOUNTING is the number of messages."""
from __future__ import annotations

import concurrent.futures
import contextlib
import itertools
import os
import random
import re
import signal
import threading
import time
from collections import Counter, defaultdict

import pytest

from mxg import build, smtp
from mxg.opensmtpd import mda
from mxg.process import wait_until
from test_milter_postfix import (GATEWAY, OURS, RELAY, SHARED, SMTP, SPAMMER, TOKEN, USER, received,  # noqa: F401
                                 settings)
from test_milter_postfix import guarded as by_postfix  # noqa: F401
from test_milter_sendmail import guarded as by_sendmail  # noqa: F401
from test_smtpd_filter_opensmtpd import door, filter_pid  # noqa: F401

MESSAGES = int(os.environ.get("MXGUARD_ACCOUNTING", "120"))
KILLS = 2
# source, header, whether it is let in
KINDS = ((GATEWAY, "", True), (SHARED, TOKEN, True), (RELAY, received(GATEWAY), True),
         (SPAMMER, "", False), (SHARED, "", False), (RELAY, received(SPAMMER), False))
WHOLE = re.compile(rb"\ntry (\d+)\n(x*)\nend\n\Z")


class Message:
    """A message whose sender comes again until it is taken or refused for good."""

    def __init__(self, number):
        self.sender = f"m{number}@sender.example"
        self.source, self.header, self.good = KINDS[number % len(KINDS)]
        self.final = None
        self.tries = 0

    def attempt(self):
        self.tries += 1
        content = smtp.message(self.sender, header=self.header + OURS, body=f"try {self.tries}\n{'x' * 50 * self.tries}\nend\n")
        try:
            done = smtp.deliver(SMTP, USER, content, lmtp=False, source=self.source, sender=self.sender, seconds=60)
            reply = done.final(USER).code
        except (OSError, AssertionError):
            return  # the client comes again
        assert reply in (250, 550) or 400 <= reply < 500, done.dialogue
        if reply in (250, 550):
            self.final = reply


class Milter:
    """Behind Postfix or sendmail. KEPT gives what was delivered, WAITING what was not yet."""

    def __init__(self, service, kept, waiting):
        self.service, self.kept, self.waiting, self.restarts = service, kept, waiting, 0

    def kill(self, rng):
        self.service.kill() if rng.random() < 0.75 else self.service.stop()
        time.sleep(rng.uniform(0, 0.1))
        self.service.start()

    def reload(self):
        self.service._daemon.signal(signal.SIGHUP)


class Filter:
    """smtpd ends with its filter, and somebody starts it again."""

    def __init__(self, mta, kept):
        self.mta, self.kept, self.restarts = mta, kept, 0

    def kill(self, rng):
        pid = wait_until(lambda: filter_pid(self.mta), "the filter runs")
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not self.mta._daemon.running, "smtpd ends with it")
        self.restarts += 1  # what it was about to deliver may come twice
        self.mta.stop()
        self.mta.start()

    def waiting(self):
        """What was put off when smtpd died is tried again at once."""
        self.mta.run_queue()
        time.sleep(0.5)
        return self.mta.waiting()

    def reload(self):
        pid = filter_pid(self.mta)
        with contextlib.suppress(ProcessLookupError):
            if pid:
                os.kill(pid, signal.SIGHUP)


@pytest.fixture
def postfix_site(by_postfix):  # noqa: F811
    service, mta, sink = by_postfix(main={"default_process_limit": "100"})
    return Milter(service, lambda: [text for texts in sink.kept.values() for text in texts], mta.waiting)


@pytest.fixture
def sendmail_site(by_sendmail):  # noqa: F811
    service, mta, kept = by_sendmail(runs="2s")
    return Milter(service, kept, mta.waiting)


@pytest.fixture
def opensmtpd_site(door, mxguard_config):  # noqa: F811
    """mail.maildir keeps what smtpd had said until it died: mxguard-lda in front of it waits for the whole."""
    trace = {"mta": ["postfix", "opensmtpd"], "by": ["relay.example.test", "mail.example.test"]}
    off = mxguard_config({"mode": "off", "authserv_id": "nobody.example", "gateways": ({"name": "x", "allow": "mx"},)})
    action = mda(f"exec {build.wrapper()} -c {off} --log=none --rcpt=%{{dest}} -- env PLACE=%%{{mailbox}} "
                 f"/usr/libexec/opensmtpd/mail.maildir {door.box}")
    return Filter(door(settings(trace=trace), action=action), door.stored)


def torment(site, stop, seed, kills):
    """SIGKILL, again and again, at whatever stage; a stop and a reload now and then."""
    rng = random.Random(seed)
    while not stop.is_set():
        time.sleep(rng.uniform(0.02, 0.4))
        if rng.random() < 0.2:
            site.reload()
            continue
        site.kill(rng)
        kills.append(time.monotonic())


def by_sender(texts):
    found = defaultdict(list)
    for text in texts:
        assert WHOLE.search(text.replace(b"\r\n", b"\n")), text
        found[re.search(rb"(?m)^From: <(.*)>$", text)[1].decode()].append(text)
    return found


def send_all(site, messages):
    """Each is tried twice under torment, and there are more of them until there was enough: a turn is short where nothing
    listens, and a kill is long on a slow machine."""
    stop, kills, began = threading.Event(), [], time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(9) as pool:
        tormentor = pool.submit(torment, site, stop, len(messages), kills)
        try:
            for turn in itertools.count():
                if turn >= 2 and len(kills) >= KILLS or tormentor.done():
                    stop.set()
                    tormentor.result()
                open_ones = [each for each in messages if each.final is None]
                if stop.is_set() and not open_ones:
                    return len(kills)
                assert time.monotonic() - began < 300, f"{len(open_ones)} of {len(messages)} without an end, {len(kills)} kills"
                if not open_ones:
                    open_ones = [Message(len(messages) + number) for number in range(len(KINDS))]
                    messages += open_ones
                list(pool.map(Message.attempt, open_ones))
        finally:
            stop.set()


@pytest.mark.parametrize("name", ["postfix_site", "sendmail_site", "opensmtpd_site"])
def test_killed_at_every_stage(request, name):
    site = request.getfixturevalue(name)
    messages = [Message(number) for number in range(MESSAGES)]
    kills = send_all(site, messages)
    wait_until(lambda: not site.waiting(), "the queue is empty", 900, 0.2)
    assert kills >= KILLS
    assert all(each.final == (250 if each.good else 550) for each in messages)
    kept = by_sender(site.kept())
    for each in messages:
        # twice only where a reply was lost: never more often than it was tried or smtpd was started again
        most = each.tries + site.restarts if each.good else 0
        assert each.good <= len(kept[each.sender]) <= most, (each.sender, len(kept[each.sender]), each.tries)
        for text in kept[each.sender]:
            end = WHOLE.search(text.replace(b"\r\n", b"\n"))
            assert end and len(end[2]) == 50 * int(end[1])
            assert b"open-sesame" not in text and b"x-mxguard=pass" not in text
    print(f"\n{name}: {len(messages)} messages, {sum(each.tries for each in messages)} tries, {kills} kills, "
          f"{sum(map(len, kept.values()))} delivered, twice or more {Counter(map(len, kept.values()))}")
