# SPDX-License-Identifier: MIT
"""mxguard policy asked directly: the protocol, many at a time, signals, trouble."""
from __future__ import annotations

import re
import select
import socket
import subprocess
import sys
import threading
import time

import pytest

from mxg import build
from mxg.dns_script import answer, delayed, held, timeout
from mxg.mxguard import mxguard, write_config
from mxg.policy_service import PolicyService, request
from mxg.process import free_port, program, run, wait_until

GATEWAY, SPAMMER = "192.0.2.10", "203.0.113.66"


def settings(**more):
    return {"mode": "enforce", "self": ["198.51.100.1"], "state_dir": "/nonexistent/mxguard",
            "authserv_id": "mxguard.example.test", "exempt": ["postmaster@"],
            "gateways": ({"name": "filters", "allow": f"ip4:{GATEWAY}"},), **more}


def by_dns(dns, wait="20s", **more):
    return settings(gateways=({"name": "current-mx", "allow": "mx"},),
                    dns={"servers": [dns.server], "timeout": wait}, **more)


@pytest.fixture
def static(policy_service, mxguard_config):
    return policy_service(mxguard_config(settings()))


def test_verdicts_become_actions(static):
    with static.client() as client:
        assert client.ask(GATEWAY) == "DUNNO"
        assert client.ask(SPAMMER).startswith("550 5.7.1 Refused: 203.0.113.66 is not ")
        assert client.ask(SPAMMER, sasl_username="alice") == "DUNNO"
        assert client.ask(SPAMMER, "postmaster@example.test") == "DUNNO"
        assert client.ask("127.0.0.1") == "DUNNO"
        assert client.ask("") == "DUNNO"
        assert client.ask("unknown").startswith("451 4.")
        assert client.ask("::ffff:192.0.2.10") == "DUNNO"
        assert client.ask("2001:db8::66").startswith("550 5.7.1 ")
        assert client.ask(SPAMMER, "") == "DUNNO"
    assert static.log().count("verdict=direct") == 2
    assert "mode=enforce place=door peer=203.0.113.66" in static.log()


def test_internal_relay_is_left_to_the_header(policy_service, mxguard_config):
    service = policy_service(mxguard_config(settings(internal=["198.51.100.7"])))
    assert service.ask("198.51.100.7") == "DUNNO"
    service.wait_log("peer=198.51.100.7 is internal: rcpt=<user@example.test> is decided after the header")


def test_monitor_accepts_and_tags_once_a_message(policy_service, mxguard_config):
    service = policy_service(mxguard_config(settings(mode="monitor")))
    with service.client() as client:
        first = client.ask(SPAMMER, instance="1.2.3")
        assert first == ('PREPEND Authentication-Results: mxguard.example.test; x-mxguard=fail '
                         'reason="peer-not-a-gateway" policy.peer="203.0.113.66"')
        assert client.ask(SPAMMER, "other@example.test", instance="1.2.3") == "DUNNO"
        assert client.ask(SPAMMER, instance="1.2.4").startswith("PREPEND ")
    assert service.ask(SPAMMER, "third@example.test", instance="1.2.3") == "DUNNO"
    service.wait_log("verdict=direct action=accept would=reject mode=monitor")


@pytest.mark.parametrize("tag, expected", [("not-accepted", "PREPEND"), ("never", "DUNNO")])
def test_quarantine_at_the_door_is_a_tag(policy_service, mxguard_config, tag, expected):
    service = policy_service(mxguard_config(settings(on_direct="quarantine", tag=tag)))
    assert service.ask(SPAMMER, instance="1").split()[0] == expected


def test_several_domains_and_policies_in_one_message(policy_service, mxguard_config):
    service = policy_service(mxguard_config(settings(policies=(
        {"domains": ["off.example"], "mode": "off"}, {"domains": ["mon.example"], "mode": "monitor"}))))
    with service.client() as client:
        assert client.ask(SPAMMER, "a@off.example", instance="1") == "DUNNO"
        assert client.ask(SPAMMER, "a@mon.example", instance="1").startswith("PREPEND ")
        assert client.ask(SPAMMER, "a@example.test", instance="1").startswith("550 ")


def test_nothing_can_be_injected(static):
    evil = ['"a\r action=OK"@example.test', "a@example.test\x1b[2J", "\udcff\udcfe@example.test", "a" * 3000 + "@x.test"]
    with static.client() as client:
        for recipient in evil:
            assert client.ask(SPAMMER, recipient, sender=recipient).startswith(("550 5.7.1 ", "451 4."))
    assert all(line.isprintable() for line in static.log().splitlines())


def test_pipelined_requests_are_answered_in_order(static):
    peers = [GATEWAY if number % 3 else SPAMMER for number in range(500)]
    with static.client() as client:
        client.send(b"".join(map(request, peers)))
        for peer in peers:
            assert client.answer()[:3] == ("DUN" if peer == GATEWAY else "550")


def test_a_request_in_pieces(static):
    with static.client() as client:
        for byte in request(SPAMMER):
            client.send(bytes([byte]))
        assert client.answer().startswith("550")


def test_client_that_does_not_read_is_not_served_further(static):
    """What it sends without reading fills its own buffers, not the service's memory."""
    with static.client() as client:
        client.sock.setblocking(False)
        sent = 0
        with pytest.raises(BlockingIOError):
            while sent < 1 << 26:
                sent += client.sock.send(request(SPAMMER) * 100)
        assert static.ask(GATEWAY) == "DUNNO"


@pytest.mark.parametrize("data, wrong", [
    (b"\n", "empty"), (b"x\n\n", "name=value"), (b"request=junk\n\n", "smtpd_access_policy"),
    (b"a=\0\n\n", "NUL"), (b"recipient=" + b"x" * 70000, "no end"),
    (request(SPAMMER)[:-1] + b"client_address=192.0.2.10\n\n", "twice"),
    (b"check recipient=a@b\n", "client_address is missing")])
def test_what_is_no_request_gets_no_reply(static, data, wrong):
    with static.client() as client:
        client.send(data)
        assert client.answer() == ""
    static.wait_log(f"cannot be understood: .*{wrong}.*; no reply")
    assert static.ask(GATEWAY) == "DUNNO"


def test_half_a_request_and_gone(static):
    with static.client() as client:
        client.send(request(SPAMMER)[:50])
    static.wait_log("ended in the middle")


# ---- one line, for Exim --------------------------------------------------------------------

def line(service, text):
    with service.client() as client:
        client.send(text.encode() + b"\n")
        client.sock.shutdown(socket.SHUT_WR)
        received = b""
        while more := client.sock.recv(4096):
            received += more
        return received.decode()


def test_one_line(policy_service, mxguard_config):
    service = policy_service(mxguard_config(settings(policies=({"domains": ["mon.example"], "mode": "monitor"},))))
    assert line(service, f'check client_address={GATEWAY} recipient="user@example.test"') == "accept\n"
    assert line(service, f'check client_address={SPAMMER} recipient="user@example.test"').startswith("550 5.7.1 ")
    assert line(service, f'check client_address={SPAMMER} recipient="a@mon.example" instance=x').startswith(
        "add Authentication-Results: ")
    assert line(service, f'check client_address={SPAMMER} recipient="b@mon.example" instance=x') == "accept\n"


# ---- DNS -------------------------------------------------------------------------------------

def test_no_request_waits_for_another_ones_dns(scripted_dns, policy_service, mxguard_config):
    answered = threading.Event()
    scripted_dns.update({("slow.test", "MX"): held(answered, answer("10 gw.slow.test")),
                         ("gw.slow.test", "A"): answer(GATEWAY),
                         ("fast.test", "MX"): answer("10 gw.fast.test"), ("gw.fast.test", "A"): answer(GATEWAY)})
    service = policy_service(mxguard_config(by_dns(scripted_dns, "100s")))
    with service.client() as slow, service.client() as fast:
        slow.send(request(GATEWAY, "a@slow.test") + request(SPAMMER, "a@fast.test"))
        for _ in range(20):
            assert fast.ask(GATEWAY, "a@fast.test") == "DUNNO"
        assert not select.select([slow.sock], [], [], 0)[0]
        answered.set()
        assert slow.answer() == "DUNNO"
        assert slow.answer().startswith("550 ")


def test_dead_dns_defers_in_time(scripted_dns, policy_service, mxguard_config):
    scripted_dns.default = timeout()
    service = policy_service(mxguard_config(by_dns(scripted_dns, "1s")))
    start = time.monotonic()
    clients = [service.client() for _ in range(50)]
    for client in clients:
        client.send(request(SPAMMER))
    for client in clients:
        assert client.answer().startswith("451 4.4.3 ")
        client.sock.close()
    assert time.monotonic() - start < 25  # one by one would be 50


def test_client_that_goes_away_during_a_lookup(scripted_dns, policy_service, mxguard_config):
    scripted_dns.set("example.test", "MX", delayed(0.5, answer("10 gw.example.test")))
    scripted_dns.set("gw.example.test", "A", answer(GATEWAY))
    service = policy_service(mxguard_config(by_dns(scripted_dns)))
    for _ in range(20):
        with service.client() as client:
            client.send(request(SPAMMER))
    assert service.ask(GATEWAY) == "DUNNO"
    assert service.log().count("verdict=") == 1


# ---- many -------------------------------------------------------------------------------------

def test_thousands_of_connections(static):
    clients = [static.client() for _ in range(2000)]
    for client in clients[::7]:
        assert client.ask(GATEWAY) == "DUNNO"
    for client in clients:
        client.sock.close()


def test_idle_connections_make_room(policy_service, mxguard_config):
    service = policy_service(mxguard_config(settings()), options=["--max-connections", "10"])
    clients = [service.client() for _ in range(30)]
    assert clients[-1].ask(GATEWAY) == "DUNNO"
    assert clients[0].answer() == ""
    service.wait_log("idle ones are closed for new ones")
    for client in clients:
        client.sock.close()


def test_connections_at_work_are_kept(scripted_dns, policy_service, mxguard_config):
    scripted_dns.set("example.test", "MX", delayed(1.0, answer("10 gw.example.test")))
    scripted_dns.set("gw.example.test", "A", answer(GATEWAY))
    service = policy_service(mxguard_config(by_dns(scripted_dns)), options=["--max-connections", "5"])
    clients = []
    for _ in range(15):
        clients.append(service.client())
        clients[-1].send(request(GATEWAY))
    for client in clients:
        assert client.answer() == "DUNNO"
        client.sock.close()


# ---- signals ------------------------------------------------------------------------------------

def test_sigterm_answers_what_was_asked(scripted_dns, policy_service, mxguard_config):
    scripted_dns.set("example.test", "MX", delayed(0.7, answer("10 gw.example.test")))
    scripted_dns.set("gw.example.test", "A", answer(GATEWAY))
    service = policy_service(mxguard_config(by_dns(scripted_dns)))
    waiting = [service.client() for _ in range(20)]
    with service.client() as idle:
        for client in waiting:
            client.send(request(SPAMMER) + request(GATEWAY))
        wait_until(lambda: scripted_dns.asked(), "the question is out")
        service.terminate()
        assert idle.answer() == ""
        for client in waiting:
            assert client.answer().startswith("550 ")
            assert client.answer() == "DUNNO"
            assert client.answer() == ""
            client.sock.close()
    wait_until(lambda: not service.running, "it ends")
    assert not service.socket.exists()
    assert service.stop() in (0, None)


def test_sighup_reads_the_configuration_again(policy_service, mxguard_config, scripted_dns):
    path = mxguard_config(settings())
    service = policy_service(path)
    with service.client() as client:
        assert client.ask(SPAMMER).startswith("550 ")
        write_config(path, settings(gateways=({"name": "new", "allow": f"ip4:{SPAMMER}"},)))
        service.reload()
        assert client.ask(SPAMMER) == "DUNNO"
        write_config(path, "mode = nonsense;\n")
        service.reload()
        assert client.ask(SPAMMER) == "DUNNO"
    service.wait_log(rf"not reloaded, the old one stays in force: {re.escape(str(path))}:1: ")


def test_requests_under_way_keep_the_old_configuration(scripted_dns, policy_service, mxguard_config):
    scripted_dns.set("example.test", "MX", delayed(1.0, answer("10 gw.example.test")))
    scripted_dns.set("gw.example.test", "A", answer(GATEWAY))
    path = mxguard_config(by_dns(scripted_dns))
    service = policy_service(path)
    with service.client() as client:
        client.send(request(GATEWAY))
        wait_until(lambda: scripted_dns.asked(), "the question is out")
        write_config(path, settings(gateways=({"name": "other", "allow": "ip4:198.51.100.77"},)))
        service.reload()
        assert service.ask(GATEWAY).startswith("550 ")
        assert client.answer() == "DUNNO"


def test_what_is_wrong_beside_is_said_once(policy_service, mxguard_config, folder):
    state = folder / "state"
    state.mkdir()
    (state / "snapshot.cdb").write_bytes(b"not a snapshot")
    service = policy_service(mxguard_config(settings(domains_file=str(folder / "domains"), state_dir=str(state))))
    service.wait_log(re.escape(f"domains_file: {folder}/domains: "))
    service.wait_log("is damaged.*DNS is asked for everything")
    end = time.monotonic() + 2.5  # the snapshot's file is looked at every second
    while time.monotonic() < end:
        assert service.ask(SPAMMER).startswith("550 ")
    assert service.log().count("is damaged") == 1 and service.log().count("domains_file") == 1


# ---- starting -------------------------------------------------------------------------------------

def test_broken_configuration_at_start(mxguard_config):
    result = mxguard("policy", "-c", mxguard_config("mode = 7;\n"), data=request(SPAMMER))
    assert (result.returncode, result.stdout) == (78, b"")
    assert result.stderr.count(b"\n") == 1 and b":1: " in result.stderr


@pytest.mark.parametrize("spec", ["inet:0.0.0.0:10033", "inet:192.0.2.1:10033", "inet:[::]:10033", "inet:127.0.0.1:0",
                                  "inet:127.0.0.1", "unix:relative", "unix:/" + "x" * 200, "/path", "inet:localhost:1"])
def test_refused_places_to_listen(mxguard_config, spec):
    result = mxguard("policy", "-c", mxguard_config(settings()), "--listen", spec)
    assert result.returncode == 71 and b"--listen" in result.stderr


def test_a_socket_left_behind_is_replaced_and_a_live_one_is_not(static, folder, mxguard_config):
    second = PolicyService(static.socket.parent / ".." / "other", static.config)
    second.socket = static.socket
    result = mxguard("policy", "-c", static.config, "--listen", f"unix:{static.socket}")
    assert result.returncode == 71 and b"in use" in result.stderr
    static.kill()
    assert static.socket.exists()
    with PolicyService(static.socket.parent, static.config) as again:
        assert again.ask(GATEWAY) == "DUNNO"


def test_standard_input_and_output(mxguard_config):
    path = mxguard_config(settings())
    result = mxguard("policy", "-c", path, data=request(SPAMMER) + request(GATEWAY))
    assert result.returncode == 0
    assert result.stdout.startswith(b"action=550 5.7.1 ") and result.stdout.endswith(b"\n\naction=DUNNO\n\n")


def test_spawned_on_a_socket_the_log_is_not_in_the_answer(mxguard_config):
    """As spawn(8) does it: all three descriptors are the connection."""
    ours, theirs = socket.socketpair()
    process = subprocess.Popen([str(build.command()), "policy", "-c", str(mxguard_config(settings()))],
                               stdin=theirs, stdout=theirs, stderr=theirs)
    theirs.close()
    ours.settimeout(120)
    ours.sendall(request(GATEWAY))
    assert ours.recv(4096) == b"action=DUNNO\n\n"
    ours.close()
    assert process.wait(120) == 0


def test_socket_activation(folder, mxguard_config):
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    path = folder / "activated"
    listener.bind(str(path))
    listener.listen()
    started = ("import os, sys; os.dup2(int(sys.argv[1]), 3); os.environ.update(LISTEN_PID=str(os.getpid()), "
               "LISTEN_FDS='1'); os.execv(sys.argv[2], sys.argv[2:])")
    process = subprocess.Popen(
        [sys.executable, "-c", started, str(listener.fileno()), str(build.command()), "policy", "-c",
         str(mxguard_config(settings()))], pass_fds=[listener.fileno()], stderr=subprocess.DEVNULL)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(120)
            client.connect(str(path))
            client.sendall(request(GATEWAY))
            assert client.recv(4096) == b"action=DUNNO\n\n"
    finally:
        process.terminate()
        assert process.wait(120) == 0
    assert path.exists()  # it is systemd's


def test_units_are_well_formed():
    unit = build.find("mxguard-policy.service")
    assert unit
    if program("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not there")
    exposure = run(["systemd-analyze", "security", "--offline=yes", "--threshold=20",
                    str(unit)])
    assert exposure.returncode == 0, exposure.stdout.decode()[-500:] + exposure.stderr.decode()
