# SPDX-License-Identifier: MIT
"""mxguard policy: what one client can take from the others, and who is answered when it ends."""
from __future__ import annotations

import contextlib
import os
import pathlib
import select
import signal
import socket
import subprocess
import sys
import threading
import time

from mxg import build
from mxg.dns_script import answer, delayed, held
from mxg.policy_service import request
from mxg.process import PATIENCE, free_port, wait_until

import pytest

GATEWAY, SPAMMER = "192.0.2.10", "203.0.113.66"


def settings(**more):
    return {"mode": "enforce", "self": ["198.51.100.1"], "state_dir": "/nonexistent/mxguard",
            "gateways": ({"name": "filters", "allow": f"ip4:{GATEWAY}"},), **more}


def by_dns(dns, wait):
    return settings(gateways=({"name": "current-mx", "allow": "mx"},), dns={"servers": [dns.server], "timeout": wait})


def is_open(sock):
    return not select.select([sock], [], [], 0)[0] or bool(sock.recv(1, socket.MSG_PEEK))


# ---- the end -------------------------------------------------------------------------------------

class Load:
    """Clients, each with a connection of its own for each request, until it is left."""

    def __init__(self, connect):
        self.connect, self.answers, self.lost = connect, 0, []
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=self.work) for _ in range(8)]

    def work(self):
        while not self.stop.is_set():
            try:
                client = self.connect()
            except OSError:  # nobody is there: the MTA knows what to do
                time.sleep(0.001)
                continue
            with client:
                try:
                    client.sendall(request(SPAMMER))
                    got = client.recv(4096)
                except OSError as error:
                    got = repr(error).encode()
                if got.startswith(b"action=550 "):
                    self.answers += 1
                else:
                    self.lost.append(got)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join(60)


def connect_to(address):
    def connect():
        sock = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
        sock.settimeout(100)
        try:
            sock.connect(address)
        except OSError:
            sock.close()
            raise
        return sock
    return connect


@pytest.mark.parametrize("kind", ["unix", "inet"])
def test_no_connection_is_lost_by_restarts(policy_service, mxguard_config, kind):
    port = free_port() if kind == "inet" else None
    service = policy_service(mxguard_config(settings()), **({"port": port} if port else {}))
    with Load(connect_to(("127.0.0.1", port) if port else str(service.socket))) as load:
        for _ in range(25):
            seen = load.answers
            wait_until(lambda: load.answers > seen + 20, "clients are answered")
            assert service.stop() == 0
            service.start()
    assert not load.lost
    assert load.answers > 500


@pytest.mark.parametrize("kind", ["unix", "inet"])
def test_those_in_the_queue_are_answered(policy_service, mxguard_config, kind):
    """Connected, but not accepted yet when the signal comes; some have not asked yet either."""
    port = free_port() if kind == "inet" else None
    service = policy_service(mxguard_config(settings()), **({"port": port} if port else {}))
    connect = connect_to(("127.0.0.1", port) if port else str(service.socket))
    os.kill(service.pid, signal.SIGSTOP)
    clients = [connect() for _ in range(200)]
    for client in clients[:150]:
        client.sendall(request(SPAMMER))
    service.terminate()
    os.kill(service.pid, signal.SIGCONT)
    for client in clients[:150]:
        assert client.recv(4096).startswith(b"action=550 ")
    for client in clients[150:]:
        client.sendall(request(GATEWAY))
        assert client.recv(4096) == b"action=DUNNO\n\n"
    for client in clients:
        client.close()
    assert service.stop() == 0


def test_who_says_nothing_does_not_hold_the_end_up(policy_service, mxguard_config):
    service = policy_service(mxguard_config(settings(dns={"timeout": "1s"})))
    silent, half = service.client(), service.client()
    half.send(request(SPAMMER)[:40])
    service.terminate()
    assert silent.answer() == "" and half.answer() == ""
    assert service.stop() == 0


def start_on(listener, config):
    started = ("import os, sys; os.dup2(int(sys.argv[1]), 3); os.environ.update(LISTEN_PID=str(os.getpid()), "
               "LISTEN_FDS='1'); os.execv(sys.argv[2], sys.argv[2:])")
    return subprocess.Popen([sys.executable, "-c", started, str(listener.fileno()), str(build.command()), "policy", "-c",
                             str(config)], pass_fds=[listener.fileno()], stderr=subprocess.DEVNULL)


@pytest.mark.parametrize("family", [socket.AF_UNIX, socket.AF_INET])
def test_an_inherited_queue_waits_for_the_next_service(folder, mxguard_config, family):
    listener = socket.socket(family)
    listener.bind(str(folder / "activated") if family == socket.AF_UNIX else ("127.0.0.1", 0))
    listener.listen(300)
    config, connect = mxguard_config(settings()), connect_to(listener.getsockname())
    with connect() as first:
        service = start_on(listener, config)
        first.sendall(request(GATEWAY))
        assert first.recv(4096) == b"action=DUNNO\n\n"
        service.send_signal(signal.SIGSTOP)
        clients = [connect() for _ in range(100)]
        for client in clients:
            client.sendall(request(SPAMMER))
        service.terminate()
        service.send_signal(signal.SIGCONT)
        assert service.wait(60) == 0
    service = start_on(listener, config)
    try:
        for client in clients:
            assert client.recv(4096).startswith(b"action=550 ")
            client.close()
        with connect() as last:  # the first may have answered all of them, and the next is still on its way
            last.sendall(request(GATEWAY))
            assert last.recv(4096) == b"action=DUNNO\n\n"
    finally:
        service.terminate()
        assert service.wait(60) == 0


def test_an_idle_client_learns_that_its_request_is_not_taken(policy_service, mxguard_config):
    """A connection is kept, as Postfix does, and closed at the end: what is sent on it then is an error
    at once, and no request that nobody answers."""
    service = policy_service(mxguard_config(settings()))
    with service.client() as client:
        assert client.ask(GATEWAY) == "DUNNO"
        service.terminate()
        wait_until(lambda: not is_open(client.sock), "it is closed")
        with pytest.raises(BrokenPipeError):
            client.send(request(GATEWAY))


# ---- limits --------------------------------------------------------------------------------------

class Tricklers:
    """Half requests, each with a byte more now and then."""

    def __init__(self, clients, pause):
        self.clients, self.pause, self.stop = clients, pause, threading.Event()
        self.closed = 0
        self.thread = threading.Thread(target=self.work)

    def work(self):
        for client in self.clients:
            client.send(b"request=smtpd_access_policy\nx=")
        while not self.stop.wait(self.pause):
            self.closed = 0
            for client in self.clients:
                try:
                    client.send(b"y")
                except OSError:
                    self.closed += 1

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()
        for client in self.clients:
            client.sock.close()


def test_a_request_has_a_time_from_its_first_byte(policy_service, mxguard_config):
    service = policy_service(mxguard_config(settings()))
    begin = time.monotonic()
    with Tricklers([service.client() for _ in range(20)], 0.5) as slow:
        wait_until(lambda: slow.closed == 20, "they are closed")
        assert time.monotonic() - begin > 5
    assert service.log().count("half-way for too long") == 1  # a flood is no flood of the log


def test_an_answer_has_a_time_to_be_taken(policy_service, mxguard_config):
    service = policy_service(mxguard_config(settings()))
    with service.client() as client:
        client.sock.setblocking(False)
        with pytest.raises(BlockingIOError):
            for _ in range(1 << 16):
                client.sock.send(request(SPAMMER) * 100)
        service.wait_log("half-way for too long")


def test_half_requests_shut_nobody_out(policy_service, mxguard_config):
    service = policy_service(mxguard_config(settings()), options=["--max-connections", "200"])
    with Tricklers([service.client() for _ in range(200)], 0.2):
        for _ in range(20):
            assert service.ask(GATEWAY) == "DUNNO"


HOLD = """
import os, socket, sys
os.setuid(int(sys.argv[4]))
held = []
for _ in range(int(sys.argv[2])):
    held.append(socket.socket(socket.AF_UNIX))
    held[-1].connect(sys.argv[1])
    held[-1].sendall(sys.argv[3].encode())
print("held", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def hostile_users(service, *users):
    """Each holds sixty connections with a request that waits."""
    pathlib.Path(service.socket.parent).chmod(0o755)
    argv = [sys.executable, "-c", HOLD, str(service.socket), "60", request(SPAMMER, "a@slow.test").decode()]
    others = [subprocess.Popen([*argv, str(user)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) for user in users]
    try:
        for other in others:
            assert other.stdout.readline() == b"held\n"
        yield
    finally:
        for other in others:
            other.communicate(b"", timeout=PATIENCE)


def test_one_user_gets_not_everything(policy_service, mxguard_config, scripted_dns, root):
    """What waits for DNS is never closed for others: so one user's part of it is bounded."""
    let_go = threading.Event()
    scripted_dns.set("slow.test", "MX", held(let_go, answer("10 gw.slow.test")))
    service = policy_service(mxguard_config(by_dns(scripted_dns, "100s")), options=["--max-connections", "40"])
    with hostile_users(service, 65534):
        service.wait_log("35 requests of user 65534 wait for DNS")
        for _ in range(10):
            assert service.ask(GATEWAY, "") == "DUNNO"  # nothing to be decided, and so at once
        let_go.set()


@pytest.mark.parametrize("users", [(65534, 65533), (65534, 65533, 65532, 65531)])
def test_several_users_together_get_not_everything(policy_service, mxguard_config, scripted_dns, root, users):
    """Others are served, also where they have to wait for DNS themselves, and several of them at a time."""
    let_go = threading.Event()
    scripted_dns.set("slow.test", "MX", held(let_go, answer("10 gw.slow.test")))
    scripted_dns.set("fast.test", "MX", delayed(0.2, answer("10 gw.fast.test", ttl=0)))
    scripted_dns.set("gw.fast.test", "A", answer(GATEWAY))
    service = policy_service(mxguard_config(by_dns(scripted_dns, "100s")), options=["--max-connections", "100"])
    with hostile_users(service, *users):
        service.wait_log("requests of user .* wait for DNS")
        for user in users:
            assert service.ask(GATEWAY, "") == "DUNNO"
            for _ in range(2):
                clients = [service.client() for _ in range(3)]
                for client in clients:
                    client.send(request(GATEWAY, "a@fast.test"))
                assert [client.answer() for client in clients] == ["DUNNO"] * 3
                for client in clients:
                    client.sock.close()
        let_go.set()


def test_by_tcp_an_address_counts(policy_service, mxguard_config, scripted_dns):
    let_go = threading.Event()
    scripted_dns.set("slow.test", "MX", held(let_go, answer("10 gw.slow.test")))
    port = free_port()
    service = policy_service(mxguard_config(by_dns(scripted_dns, "100s")), port=port, options=["--max-per-source", "5"])
    connect = connect_to(("127.0.0.1", port))
    many = []
    for _ in range(5):
        many.append(connect())
        many[-1].sendall(request(SPAMMER, "a@slow.test"))
    wait_until(lambda: scripted_dns.asked(), "they wait")
    with connect() as sixth, socket.socket() as seventh:
        seventh.bind(("127.0.0.2", 0))
        seventh.connect(("127.0.0.1", port))
        assert sixth.recv(4096) == b"" and seventh.recv(4096) == b""
    service.wait_log(r"5 requests of 127\.0\.0\.1 wait for DNS")
    assert service.ask(GATEWAY, "") == "DUNNO"  # by the unix socket
    let_go.set()
    for sock in many:
        assert sock.recv(4096).startswith(b"action=")
        sock.close()


# ---- memory ----------------------------------------------------------------------------------------

def resident(pid, which="VmRSS"):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(text.split(f"{which}:")[1].split()[0])


def test_what_a_flood_took_is_given_back(policy_service, mxguard_config, scripted_dns):
    let_go = threading.Event()
    scripted_dns.set("slow.test", "MX", held(let_go, answer("10 gw.slow.test")))
    scripted_dns.set("gw.slow.test", "A", answer(GATEWAY))
    service = policy_service(mxguard_config(by_dns(scripted_dns, "100s")))
    assert service.ask(GATEWAY, "") == "DUNNO"
    before, clients = resident(service.pid), [service.client() for _ in range(2000)]
    for client in clients:
        client.send(request(SPAMMER, "a@slow.test"))
    wait_until(lambda: resident(service.pid) > before + 10000, "they wait")
    let_go.set()
    for client in clients:
        assert client.answer().startswith("550 ")
    most = resident(service.pid, "VmHWM")
    wait_until(lambda: resident(service.pid) < before + (most - before) // 3, "the memory is given back")
    for client in clients:
        client.sock.close()
