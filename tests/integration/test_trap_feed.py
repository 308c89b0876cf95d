# SPDX-License-Identifier: MIT
"""mxguard trap: each copy is handed out once, whoever is killed; the real programs learn it."""
import contextlib
import hashlib
import http.server
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import threading
import time

import pytest

from mxg import build
from mxg.mxguard import mxguard, write_config
from mxg.process import run, wait_until
from mxg.trap import Trap

GATEWAY = "192.0.2.10"


def message(number):
    return (f"From: a@b.example\nSubject: offer {number}\nMessage-ID: <{number}@b.example>\n\n"
            f"cheap pills {number} " + "buy now click here " * 20 + "\n").encode()


@pytest.fixture
def trap(folder):
    found = Trap(folder / "trap")
    found.config = write_config(folder / "mxguard.conf", {
        "mode": "enforce", "gateways": [{"name": "filters", "allow": f"ip4:{GATEWAY}"}], "state_dir": "/nonexistent",
        "trap": found.settings()})
    return found


def fill(trap, count, **more):
    now = int(time.time())
    return [trap.put(message(number), time=now - number, **more) for number in range(count)]


def feed(trap, to, *options, status=0, **keywords):
    done = mxguard("trap", "-c", trap.config, "feed", "--to", to, "--json", *options, **keywords)
    assert done.returncode == status, done.stderr.decode()
    return {key: value for key, value in json.loads(done.stdout).items() if value}


def ledger(folder, body=""):
    """A command that learns by writing the message's hash into a file."""
    script = folder / "learn"
    script.write_text(f"#!/bin/sh\nhash=$(sha256sum | cut -d' ' -f1)\n{body}\necho $hash >>{folder}/ledger\n")
    script.chmod(0o755)
    return str(script)


def learned(folder):
    path = folder / "ledger"
    return sorted(path.read_text().split()) if path.exists() else []


def hashes(count):
    return sorted(hashlib.sha256(message(number)).hexdigest() for number in range(count))


def test_each_once_byte_for_byte(trap, folder):
    fill(trap, 5)
    assert feed(trap, ledger(folder), "--limit", "2") == {"fed": 2}
    assert feed(trap, ledger(folder)) == {"fed": 3}
    assert feed(trap, ledger(folder)) == {}
    assert learned(folder) == hashes(5)
    assert len(trap.files("cur")) == 5 and not trap.files("new") and not trap.files("busy")


def test_a_program_that_fails_has_learned_nothing(trap, folder):
    fill(trap, 7)
    assert feed(trap, "exit 3", status=75) == {"failed": 5}  # and is not called any more
    assert len(trap.files("new")) == 7
    assert feed(trap, "kill -9 $$", "--limit", "1", status=75) == {"failed": 1}
    began = time.monotonic()
    assert feed(trap, "sleep 600 & sleep 600", "--limit", "1", "--timeout", "1", status=75) == {"failed": 1}
    assert time.monotonic() - began < 60
    assert feed(trap, "/nonexistent/program", "--limit", "1", status=75) == {"failed": 1}
    assert feed(trap, ledger(folder)) == {"fed": 7}


def test_what_has_become_a_gateway_is_not_learned(trap, folder):
    fill(trap, 2)
    trap.put(message(2), peer=GATEWAY, time=int(time.time()))
    trap.put(message(3), domain="off.test", time=int(time.time()))
    text = trap.config.read_text()
    trap.config.write_text(text + 'policies = ( { domains = [ "off.test" ]; mode = "off"; } );\n')
    assert feed(trap, ledger(folder)) == {"fed": 2, "held": 2}
    assert learned(folder) == hashes(2)


def test_what_is_no_copy_of_ours_is_not_learned(trap, folder):
    (path,) = fill(trap, 1)
    path.write_bytes(b"X-Mxguard-Trap: nonsense\n\nx\n")
    shutil.copy(path, path.parent / "just-a-file")
    (path.parent / path.name.replace("P1Q0", "P1Q9")).symlink_to("/etc/passwd")
    found = feed(trap, ledger(folder), status=75)
    assert found == {"unreadable": 1, "elsewhere": 1} and not learned(folder)


def busy_feed(trap, command):
    return subprocess.Popen([str(build.command()), "trap", "-c", str(trap.config), "feed", "--to", command],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)


def test_killed_again_and_again(trap, folder):
    """Only `feed` itself is killed: what it began is finished and noted, and nothing is fed twice."""
    count = 30
    fill(trap, count)
    command = ledger(folder, "sleep 0.01")
    pause = random.Random(5)
    for turn in range(200):
        process = busy_feed(trap, command)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(pause.uniform(0.005, 0.15) * (1 + turn / 20))  # a loaded machine gets further in the end
        process.kill()
        process.wait()
        if not trap.files("new"):
            break
    wait_until(lambda: not trap.files("busy"), "what was begun ends")
    assert learned(folder) == hashes(count)
    assert feed(trap, command) == {}


def descendants(pid):
    found, todo = [], [pid]
    while todo:
        with contextlib.suppress(OSError):
            here = todo.pop()
            children = pathlib.Path(f"/proc/{here}/task/{here}/children").read_text().split()
            found += map(int, children)
            todo += map(int, children)
    return found


def test_all_killed_at_once(trap, folder):
    """With the program and who watches over it: then nobody knows, and it is not fed again by itself."""
    fill(trap, 1)
    command = ledger(folder, f"touch {folder}/begun; sleep 600")
    process = busy_feed(trap, command)
    wait_until(lambda: (folder / "begun").exists(), "it has begun")
    assert feed(trap, command) == {"elsewhere": 1}  # it is at work: locked
    for pid in [process.pid, *descendants(process.pid)]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()
    assert len(trap.files("busy")) == 1
    again = Trap(folder / "again")
    shutil.copytree(trap.path, again.path)
    again.config = folder / "again.conf"
    again.config.write_text(trap.config.read_text().replace(str(trap.path), str(again.path)))
    assert feed(trap, ledger(folder)) == {"doubtful": 1} and not learned(folder)
    assert feed(trap, ledger(folder)) == {}
    assert feed(again, ledger(folder), "--again") == {"fed": 1} and learned(folder) == hashes(1)


def test_two_at_once(trap, folder):
    count = 20
    fill(trap, count)
    both = [busy_feed(trap, ledger(folder, "sleep 0.02")) for _ in range(2)]
    for process in both:
        assert process.wait(120) in (0, 75)
    assert learned(folder) == hashes(count)


def test_an_interrupt_lets_the_program_finish(trap, folder):
    fill(trap, 5)
    process = busy_feed(trap, ledger(folder, f"touch {folder}/begun; sleep 0.5"))
    wait_until(lambda: (folder / "begun").exists(), "it has begun")
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(60) == 0
    assert len(learned(folder)) == 1 and len(trap.files("cur")) == 1 and len(trap.files("new")) == 4


# The real programs

def test_bogofilter(trap, folder):
    fill(trap, 4)
    home = {**os.environ, "BOGOFILTER_DIR": str(folder), "HOME": str(folder)}
    assert feed(trap, "bogofilter", env=home) == {"fed": 4}
    assert feed(trap, "bogofilter", env=home) == {}
    said = run(["bogoutil", "-w", str(folder / "wordlist.db"), ".MSG_COUNT", "cheap", "X-Mxguard-Trap"], check=True)
    assert re.findall(rb"(?m)^(\S+) +(\d+) +(\d+)", said.stdout)[:2] == [(b".MSG_COUNT", b"4", b"0"), (b"cheap", b"4", b"0")]


def test_sa_learn(trap, folder):
    fill(trap, 1)
    home = {**os.environ, "HOME": str(folder)}
    assert feed(trap, "sa-learn", env=home) == {"fed": 1}
    said = run(["sa-learn", "--dump", "magic"], env=home, check=True).stdout.decode()
    assert re.search(r"\s1\s+0\s+non-token data: nspam", said), said


class Controller(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if content.startswith(b"\x28\xb5\x2f\xfd"):  # newer clients compress
            content = run(["zstd", "-dc"], data=content, check=True).stdout
        self.server.learned.append((self.path, content))
        body = b'{"success":true}' if self.server.good else b'{"error":"no"}'
        self.send_response(200 if self.server.good else 500)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def test_rspamc(trap):
    """The real client, and a controller that only listens."""
    fill(trap, 2)
    assert feed(trap, "rspamc", "--limit", "1", status=75) == {"failed": 1}  # nobody is there
    with http.server.HTTPServer(("127.0.0.1", 11334), Controller) as controller:
        controller.learned, controller.good = [], False
        threading.Thread(target=controller.serve_forever, daemon=True).start()
        assert feed(trap, "rspamc", "--limit", "1", status=75) == {"failed": 1}
        controller.learned, controller.good = [], True
        assert feed(trap, "rspamc") == {"fed": 2}
        controller.shutdown()
    assert sorted(controller.learned) == [("/learnspam", message(number)) for number in range(2)]


# list and purge

def test_list(trap, folder):
    fill(trap, 2)
    feed(trap, "true", "--limit", "1")
    done = mxguard("trap", "-c", trap.config, "list", "--json")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(each["state"], each["peer"], each["domain"], each["reason"]) for each in found] == [
        ("fed", "203.0.113.66", "example.test", "peer-not-a-gateway"),
        ("new", "203.0.113.66", "example.test", "peer-not-a-gateway")]
    assert [each["size"] for each in found] == [trap.files(part)[0].stat().st_size for part in ("cur", "new")]
    table = mxguard("trap", "-c", trap.config, "list").stdout.decode().splitlines()
    assert table[0].split() == ["TIME", "STATE", "BYTES", "PEER", "DOMAIN"] and len(table) == 3


def purge(trap, *options):
    done = mxguard("trap", "-c", trap.config, "purge", "--json", *options)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def test_purge(trap, folder):
    now = int(time.time())
    old = trap.put(message(9), time=now - 31 * 86400)
    fill(trap, 3)
    (trap.path / "tmp" / f"{now - 2 * 86400}.M1P1Q1.host,S=0").write_bytes(b"unfinished")
    (trap.path / "tmp" / f"{now}.M1P1Q1.host,S=0").write_bytes(b"unfinished")
    feed(trap, "true", "--limit", "1")
    assert old.exists()  # too old to be fed
    size = old.stat().st_size
    assert purge(trap) == {"removed": 1, "bytes": size, "left": 3, "failed": 0}
    assert not old.exists() and len(trap.files("tmp")) == 1
    assert purge(trap, "--fed")["removed"] == 1 and len(trap.files("new")) == 2
    assert purge(trap, "--all")["left"] == 0 and not trap.files("new") and not trap.files("tmp")


def test_without_a_trap(trap, folder):
    done = mxguard("trap", "-c", trap.config, "list")
    assert done.returncode == 0 and b"is not there yet" in done.stderr
    other = write_config(folder / "none.conf", {"gateways": [{"name": "a", "allow": "mx"}]})
    assert mxguard("trap", "-c", other, "feed", "--to", "true").returncode == 78
    for wrong in ((), ("feed",), ("lst",), ("list", "more")):
        assert mxguard("trap", "-c", trap.config, *wrong).returncode == 64
    trap.path.mkdir(mode=0o755)
    assert mxguard("trap", "-c", trap.config, "list").returncode == 75
