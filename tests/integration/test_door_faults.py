# SPDX-License-Identifier: MIT
"""What may go wrong around milter and filter, under sendmail and OpenSMTPD as under Postfix (test_milter_faults.py,
test_milter_postfix.py): nobody is let in, and the replies stay what they were."""
from __future__ import annotations

import concurrent.futures
import contextlib
import os
import resource
import signal
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass

import pytest

import test_milter_sendmail
from mxg import smtp
from mxg.dns_script import timeout
from mxg.mxguard import write_config
from mxg.process import PATIENCE, run, wait_until
from mxg.trap import Trap, small_disk
from test_milter_faults import PORT, in_data
from test_milter_postfix import (GATEWAY, OURS, RELAY, SHARED, SMTP, SPAMMER, TOKEN, TROUBLES, USER, deliver,  # noqa: F401
                                 fields, put_off, received, served_again, settings)
from test_milter_postfix import guarded as by_postfix  # noqa: F401
from test_milter_sendmail import guarded as by_sendmail  # noqa: F401
from test_smtpd_filter_opensmtpd import door, filter_pid  # noqa: F401


@dataclass
class Door:
    """One of ours in its server; STORED: what was delivered."""
    config: os.PathLike
    pid: Callable[[], int]
    log: Callable[[], str]
    stored: Callable[[], list[bytes]]

    def configure(self, text) -> None:
        """As SIGHUP has it read."""
        count = self.log().count("reloaded")
        write_config(self.config, text)
        os.kill(self.pid(), signal.SIGHUP)
        wait_until(lambda: self.log().count("reloaded") > count, "it has read that")

    def the_message(self, count: int = 1) -> bytes:
        wait_until(lambda: len(self.stored()) == count, "it is delivered")
        return self.stored()[-1]


@pytest.fixture
def postfix_door(by_postfix):  # noqa: F811
    def start(config):
        service, _, sink = by_postfix(config)
        return Door(service.config, lambda: service.pid, service.log,
                    lambda: [text for texts in list(sink.kept.values()) for text in texts])
    return start


@pytest.fixture
def sendmail_door(by_sendmail):  # noqa: F811
    def start(config, features=""):
        service, _, kept = by_sendmail(config, features=features)
        return Door(service.config, lambda: service.pid, service.log, kept)
    return start


@pytest.fixture
def opensmtpd_door(door):  # noqa: F811
    def start(config):
        config["trace"] = {"mta": ["postfix", "opensmtpd"], "by": ["relay.example.test", "mail.example.test"]}
        running = door(config)
        return Door(running.policy, lambda: wait_until(lambda: filter_pid(running), "the filter runs"), running.log, door.stored)
    return start


@pytest.fixture
def start(request):
    return request.getfixturevalue(request.param)


def on(*names):
    return pytest.mark.parametrize("start", [f"{name}_door" for name in names], indirect=True, ids=names)


def last_code(source, header="", **keywords):
    return deliver(source, content=smtp.message(header=header), **keywords).final(USER).code


# ---- DNS, configuration ---------------------------------------------------------------------------------

@on("sendmail", "opensmtpd")
def test_dns_trouble(start, scripted_dns):
    """Each kind of it is 451; a gateway that is known without DNS gets in."""
    start(settings(gateways=({"name": "own", "allow": f"ip4:{GATEWAY}"}, {"name": "mx", "allow": "mx"}),
                   dns={"servers": [scripted_dns.server], "timeout": "400ms"}))
    for name, trouble in TROUBLES.items():
        scripted_dns.default = trouble
        reply = deliver(SPAMMER).rcpt[USER]
        assert (reply.code, reply.enhanced) == (451, "4.4.3"), name
        assert last_code(RELAY, received(SPAMMER)) == 451, name
        assert deliver(GATEWAY).final(USER).code == 250, name


@on("sendmail")
def test_configuration_broken_at_reload(start):
    running = start(settings())
    running.configure("mode = nonsense;\n")
    assert deliver(SPAMMER).rcpt[USER].code == 550 and deliver(GATEWAY).final(USER).code == 250
    running.configure(settings(on_direct="defer"))
    assert deliver(SPAMMER).rcpt[USER].code == 451


# ---- descriptors ----------------------------------------------------------------------------------------

def test_no_descriptor_left_for_the_milter(sendmail_door, monkeypatch):
    monkeypatch.setattr(test_milter_sendmail, "FILTER", test_milter_sendmail.FILTER.replace("30s", "3s"))
    running = sendmail_door(settings())
    resource.prlimit(running.pid(), resource.RLIMIT_NOFILE, (40, 40))
    with contextlib.ExitStack() as idle:
        for _ in range(60):
            idle.enter_context(socket.create_connection(("127.0.0.1", PORT), 5))
        wait_until(lambda: "no descriptor is left" in running.log(), "it says so")
        for source in (SPAMMER, GATEWAY):
            assert put_off(source)
    served_again({SPAMMER: 550, GATEWAY: 250})


def test_no_descriptor_left_for_the_filter(opensmtpd_door, scripted_dns, folder):
    """It needs none but for DNS and the trap: who is known without gets in, and nobody else."""
    trap = Trap(folder / "trap")
    scripted_dns.default = timeout()
    running = opensmtpd_door(settings(trap=trap.settings(), policies=(
        {"domains": ["example.test"], "gateways": ({"name": "own", "allow": f"ip4:{GATEWAY}"},)},
        {"domains": ["sender.example"], "gateways": ({"name": "mx", "allow": "mx"},)}),
        dns={"servers": [scripted_dns.server], "timeout": "1s"}))
    pid = running.pid()
    most = len(os.listdir(f"/proc/{pid}/fd"))
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (most, hard))
    for _ in range(3):
        reply = deliver(SPAMMER, "user@sender.example").rcpt["user@sender.example"]
        assert (reply.code, reply.enhanced) == (451, "4.4.3")
        done = deliver(SPAMMER)
        assert done.rcpt[USER].ok and done.final(USER).code == 550
        assert deliver(GATEWAY).final(USER).code == 250
    assert not trap.files() and running.pid() == pid
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
    assert deliver(SPAMMER).final(USER).code == 550
    wait_until(trap.files, "a copy")


# ---- hostile clients ----------------------------------------------------------------------------------------

@on("sendmail")
def test_a_slow_client_holds_up_nobody(start):
    running = start(settings())
    begun = [threading.Event(), threading.Event()]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        slow = [pool.submit(in_data, SHARED, *each) for each in ((TOKEN, 0.2, begun[0]), ("", 0.2, begun[1]))]
        assert all(each.wait(PATIENCE) for each in begun)
        assert deliver(GATEWAY).final(USER).code == 250 and deliver(SPAMMER).rcpt[USER].code == 550
        running.configure(settings())
        assert [each.result() for each in slow] == [250, 550]


def test_many_and_long_fields(sendmail_door):
    """By itself sendmail takes 32 KiB of header, and it has no field over 64 KiB for a milter: it puts that off."""
    running = sendmail_door(settings(), "define(`confMAX_HEADERS_LENGTH', `4000000')")
    many = "".join(f"X-Field-{number}: {number}\n" for number in range(10000))
    long = "".join("X-Long: " + "".join(f" x{number}\n" * 8 for number in range(1000)) for _ in range(6))
    for number, header in enumerate((many, long), 1):
        assert last_code(GATEWAY, header + OURS) == 250
        text = running.the_message(number)
        assert fields(text, "Authentication-Results") == [] and text.count(b"\nX-Field-") in (0, 10000)
    assert last_code(GATEWAY, long.replace("\nX-Long: ", "\n")) == 451
    assert last_code(GATEWAY, OURS * 1001) == 550
    assert deliver(SPAMMER).rcpt[USER].code == 550


def test_nul_and_bare_cr(sendmail_door):
    """sendmail itself has a say in these; whatever it takes, nothing that claims to be ours is in it."""
    running = sendmail_door(settings())
    for header in (b"Authentication-Results: \0mxguard.example.test; x-mxguard=pass\n", b"Subject: x\0y\n",
                   b"Authentication-Results: mxguard.\rexample.test; x-mxguard=pass\n",
                   b"Authentication-Results : mxguard.example.test; x-mxguard=pass\n"):
        before, done = len(running.stored()), None
        with contextlib.suppress(smtp.Closed):  # behind a bare CR it hangs up
            done = deliver(GATEWAY, content=header + smtp.message())
        if done and done.final(USER).ok:
            assert b"x-mxguard=pass" not in running.the_message(before + 1)
        assert deliver(SPAMMER).rcpt[USER].code == 550


# ---- the trap -------------------------------------------------------------------------------------------------

@on("postfix", "sendmail", "opensmtpd")
def test_no_state_of_the_trap_changes_a_reply(start, folder):
    """Full, read-only, no room on the disk: refused as ever, and the gateway delivers."""
    with contextlib.ExitStack() as disks:  # before the server, which may have its own view of what is mounted
        full = Trap(disks.enter_context(small_disk(folder / "full", "256k")))
        (full.path / "filler").write_bytes(b"x" * 150_000)
        sealed = Trap(disks.enter_context(small_disk(folder / "sealed", "4m")))
        run(["mount", "-o", "remount,ro", str(sealed.path)], check=True)
        quota = Trap(folder / "quota")
        running = start(settings(trap=quota.settings(max_total="1M")))
        told = running.log().count("no copy is kept")
        for trap, more in ((quota, {"max_total": "1M"}), (full, {}), (sealed, {})):
            running.configure(settings(trap=trap.settings(**more)))
            done = deliver(SPAMMER, content=smtp.message(body=("x" * 70 + "\n") * 20_000))
            assert done.rcpt[USER].ok and (done.final(USER).code, done.final(USER).enhanced) == (550, "5.7.1"), trap.path
            told += 1
            wait_until(lambda: running.log().count("no copy is kept") == told, str(trap.path))
            assert not trap.originals() and not trap.files("tmp")
        assert deliver(GATEWAY).final(USER).code == 250
