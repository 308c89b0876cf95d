# SPDX-License-Identifier: MIT
"""mxguard-lda, whose feeder dies: at whatever moment, whatever stands between the two and however little can be seen,
half a message is never delivered."""
from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import pathlib
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import termios
import time

import pytest

from mxg import build
from mxg.process import PATIENCE, wait_until
from test_lda import BODY, GATEWAY, SPAMMER, TOP, USER, box, config  # noqa: F401

def test_opensmtpd_that_ends_before_the_message_begins(config, box, folder):
    """It has no message without a header: the process of it that writes has died. From others, nothing is a message."""
    for name, status in (("smtpd", 75), ("sh", 0)):
        shell = folder / name
        shutil.copy("/bin/dash", shell)
        line = shlex.join(wrapper(config, box))
        done = subprocess.run([str(shell), "-c", f": | {line}; exit $?"], capture_output=True)
        assert done.returncode == status, done
        assert box["INBOX"] == (None if status else b"")


def wrapper(config, box, *options, peer=GATEWAY):
    return [str(build.wrapper()), "-c", str(config), "--log", "none", *options, "--peer", peer, "--rcpt", USER, "--",
            *box.command]


HALF = (TOP + BODY).encode() + b"x" * 76 + b"\n" * 300


def unread(pipe, by=termios.FIONREAD):
    """How much of what was written into it nobody has read yet."""
    return int.from_bytes(fcntl.ioctl(pipe, by, bytes(4)), sys.byteorder)


def sockets():
    """What Node.js and, up to 3.9, Python's asyncio have in a pipe's place."""
    return socket.socketpair()


def feed(argv, message, whole, ms, at_work=False, pipe=os.pipe, stdout=subprocess.DEVNULL):
    """A feeder in a process of its own: it starts the wrapper, writes the message and waits, or is killed
    `ms` after the wrapper was started, or has read, with a part of it written. The wrapper's status, or None."""
    report_read, report_write = os.pipe()
    child = os.fork()
    if child == 0:
        its, ours = (each if isinstance(each, int) else each.detach() for each in pipe())
        process = subprocess.Popen(argv, stdin=its, stdout=stdout)
        os.close(its)
        with open(ours, "wb", closefd=True) as to:
            to.write(message)
            to.flush()
            if not whole:
                if at_work:
                    wait_until(lambda: not unread(ours, termios.FIONREAD if pipe is os.pipe else termios.TIOCOUTQ), "the wrapper reads")
                time.sleep(ms / 1000)
                os.kill(os.getpid(), signal.SIGKILL)
        os.write(report_write, b"%d" % process.wait())
        os._exit(0)
    os.close(report_write)
    os.waitpid(child, 0)
    status = os.read(report_read, 10)
    os.close(report_read)
    return int(status) if status else None


def gone(argv, box):
    """Until no wrapper with this configuration is left."""
    mark = str(box.folder).encode()
    wait_until(lambda: not [p for p in pathlib.Path("/proc").glob("[0-9]*/cmdline") if mark in read_or_nothing(p)
                            and b"pytest" not in read_or_nothing(p)], "no wrapper is left")


def read_or_nothing(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_mta_dies_in_the_middle(config, box):
    """Its end of the pipe closes, as after a whole message; but our parent is gone."""
    message = (TOP + BODY).encode() + os.urandom(1 << 20)
    argv = wrapper(config, box, peer="")
    child = os.fork()
    if child == 0:
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        process.stdin.write(message[:500000])
        process.stdin.flush()
        time.sleep(0.2)
        os._exit(0)
    os.waitpid(child, 0)
    gone(argv, box)
    assert box["INBOX"] is None and box["Junk"] is None


@pytest.mark.parametrize("peer", [GATEWAY, SPAMMER, ""])
@pytest.mark.parametrize("guard", [[], ["--signal-exit", "75"]])
def test_feeder_dies_in_the_first_milliseconds(config, box, peer, guard):
    argv = wrapper(config, box, *guard, peer=peer)
    for ms in [0] * 12 + [0.2, 0.5, 1, 2, 3, 5, 8, 20]:
        feed(argv, HALF, False, ms)
    gone(argv, box)
    assert box["INBOX"] is None and box["Junk"] is None
    assert feed(argv, HALF, True, 0) == 0
    assert box["Junk" if peer == SPAMMER else "INBOX"].endswith(HALF)


def test_feeder_dies_behind_a_shell(config, box):
    """sendmail's prog mailer, OpenSMTPD and Exim's use_shell start one that goes on without them."""
    line = shlex.join(wrapper(config, box))
    argv = ["/bin/sh", "-c", f"{line}; exit $?"]
    for ms in [0] * 5 + [20] * 5:  # before it reads, the shell itself may have been adopted, and nobody can tell by whom
        feed(argv, HALF, False, ms, at_work=True)
    gone(argv, box)
    assert box["INBOX"] is None and box["Junk"] is None
    assert feed(argv, HALF, True, 0) == 0
    assert box["INBOX"].endswith(HALF)


@pytest.mark.parametrize("guard", [[], ["--signal-exit", "75"]])
def test_a_shell_that_writes_itself_dies(config, box, folder, guard):
    line = shlex.join(wrapper(config, box, *guard))
    half = folder / "half"
    half.write_bytes(HALF)
    subprocess.run(["bash", "-c", f"exec 3> >(exec {line}); cat {half} >&3; sleep 0.2; kill -9 $$"], stdout=subprocess.DEVNULL)
    gone([], box)
    assert box["INBOX"] is None and box["Junk"] is None


@pytest.mark.parametrize("shell", [["sh", "-c"], None])
def test_feeder_dies_behind_a_script(config, box, folder, shell):
    """Which the kernel calls by its own name where its first line says who runs it."""
    line = shlex.join(wrapper(config, box))
    script = folder / "deliver"
    script.write_text(f"#!/bin/sh\n{line}\nexit $?\n")
    script.chmod(0o755)
    argv = [*shell, str(script)] if shell else [str(script)]
    for _ in range(3):
        feed(argv, HALF, False, 50, at_work=True)
    gone(argv, box)
    assert box["INBOX"] is None and box["Junk"] is None
    assert feed(argv, HALF, True, 0) == 0
    assert box["INBOX"].endswith(HALF)


NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


@pytest.mark.parametrize("what", ["a shell of another name", "a shell that is replaced", "a script of another user",
                                  "perl", "perl, by a socket", "perl of another user", "perl that closes its input", "su"])
def test_feeder_dies_behind_another_program(config, box, folder, what):
    """A shell's file may have any name, be gone or not be seen; what reads from the same pipe is no feeder."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    os.chmod(box.folder, 0o777)
    script, shell, argv = folder / "deliver", folder / "ksh", wrapper(config, box)
    line, before = shlex.join(argv), ""
    shutil.copy("/bin/dash", folder / "ksh2020")
    shell.symlink_to("ksh2020")
    if what == "a shell that is replaced":
        before = f"cp {shell} {folder}/new\nmv {folder}/new {folder}/ksh2020\n"
    elif what == "a script of another user":
        shell, line = "/bin/sh", shlex.join([*NOBODY, *argv])
    script.write_text(f"#!{shell}\n{before}{line}\nexit $?\n")
    pipe = sockets if what.endswith("socket") else os.pipe
    if what == "perl of another user":
        argv = [*NOBODY, *argv]
    words = ", ".join(map(repr, argv))
    if what in ("perl", "perl, by a socket", "perl of another user"):
        script.write_text(f"#!/usr/bin/perl\nexit(system({words}) >> 8);\n")
    if what == "perl that closes its input":
        script.write_text(f"#!/usr/bin/perl\nmy $child = fork;\nexec({words}) if $child == 0;\nclose(STDIN);\n"
                          "waitpid($child, 0);\nexit($? >> 8);\n")
    script.chmod(0o755)
    argv = ["su", "-s", "/bin/sh", "nobody", "-c", f"{line}; exit $?"] if what == "su" else [str(script)]
    for _ in range(3):
        feed(argv, HALF, False, 50, at_work=True, pipe=pipe)
    gone([], box)
    assert box["INBOX"] is None and box["Junk"] is None
    assert feed(argv, HALF, True, 0, pipe=pipe) == 0
    assert box["INBOX"].endswith(HALF)


CHILD = """
import fcntl, os, signal, sys, termios, time
how, message, argv = sys.argv[1], open(sys.argv[2], "rb").read(), sys.argv[3:]
if how == "killed before":  # another one
    child = os.fork()
    if child == 0:
        time.sleep(100)
    os.kill(child, signal.SIGTERM)
if how == "KILL, CHLD ignored":
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
if how == "KILL, the last of many":
    for _ in range(20):
        if os.fork() == 0:
            time.sleep(1)
            os._exit(0)
read, write = os.pipe()
feeder = os.fork()
if feeder == 0:
    os.close(read)
    os.write(write, message)
    if how == "KILL at exec":
        memory = b"x" * (256 << 20)
    if how in ("KILL early", "KILL at exec"):
        os.kill(os.getpid(), signal.SIGKILL)
    while how not in ("KILL early", "killed before") and fcntl.ioctl(write, termios.FIONREAD, bytes(4)) != bytes(4):
        time.sleep(0.01)
    time.sleep(0.2)
    if how[:4] in ("KILL", "PIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.kill(os.getpid(), signal.Signals["SIG" + how[:4]])
    os._exit(3)
os.close(write)
if how in ("KILL early", "killed before"):
    os.waitid(os.P_PID, feeder, os.WEXITED | os.WNOWAIT)
while how == "KILL at exec" and not int(open(f"/proc/{feeder}/stat").read().rpartition(") ")[2].split()[6]) & 4:
    pass  # its memory goes before its files do
os.dup2(read, 0)
os.execv(argv[0], argv)
"""


@pytest.mark.parametrize("guard", [[], ["--signal-exit", "75"]])
@pytest.mark.parametrize("how, status", [("KILL", 75), ("KILL early", 75), ("KILL at exec", 75), ("KILL, CHLD ignored", 75),
                                         ("KILL, the last of many", 75), ("PIPE", 0), ("ends", 0), ("killed before", 0)])
def test_feeder_is_a_child_from_before(config, box, folder, guard, how, status):
    """spamc -e, and bash for exec and <(…), have a child write, and become the one that reads. One that writes to a
    program that has heard enough dies of SIGPIPE, and a script may have ended another one before. "KILL at exec": it is
    dying when we look, and has not closed its files yet."""
    half = folder / "half"
    half.write_bytes(HALF)
    argv = [sys.executable, "-c", CHILD, how, str(half), *wrapper(config, box, *guard)]
    assert subprocess.run(argv, capture_output=True, timeout=PATIENCE).returncode == status
    assert box["INBOX"] is None if status else box["INBOX"].endswith(HALF)


THREADS = """
import ctypes, fcntl, os, platform, signal, subprocess, sys, termios, threading, time
how, message, argv = sys.argv[1], open(sys.argv[2], "rb").read(), sys.argv[3:]
def feeds():
    while open("/proc/self/stat").read().rpartition(") ")[2][0] != "Z":
        time.sleep(0.01)
    process = subprocess.Popen(argv, stdin=subprocess.PIPE)
    process.stdin.write(message)
    process.stdin.flush()
    while fcntl.ioctl(process.stdin, termios.FIONREAD, bytes(4)) != bytes(4):
        time.sleep(0.01)
    if how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    process.stdin.close()
    os._exit(process.wait())
threading.Thread(target=feeds).start()
ctypes.CDLL(None).syscall({"x86_64": 60, "aarch64": 93}[platform.machine()], 0)  # exit(2), of this thread alone
"""


@pytest.mark.parametrize("how, status", [("whole", 0), ("killed", -signal.SIGKILL)])
def test_feeder_whose_first_thread_has_ended(config, box, folder, how, status):
    """It looks dead, but is not before the others are."""
    if os.uname().machine not in ("x86_64", "aarch64"):
        pytest.skip("the number of exit(2) is not known here")
    half = folder / "half"
    half.write_bytes(HALF)
    argv = [sys.executable, "-c", THREADS, how, str(half), *wrapper(config, box)]
    assert subprocess.run(argv, stdout=subprocess.DEVNULL, timeout=PATIENCE).returncode == status
    gone([], box)
    assert box["INBOX"] is None if status else box["INBOX"].endswith(HALF)


@pytest.mark.parametrize("shell", [False, True])
@pytest.mark.parametrize("guard", [[], ["--signal-exit", "75"]])
def test_feeder_outside_of_our_namespace(config, box, shell, guard):
    """Nobody in here sees whether it lives: only the administrator may say that it does."""
    if os.geteuid() != 0:
        pytest.skip("needs root")

    def argv(*options):
        inner = wrapper(config, box, *guard, *options)
        inner = ["sh", "-c", f"{shlex.join(inner)}; exit $?"] if shell else inner
        return ["unshare", "--pid", "--fork", "--mount-proc", *inner]

    for _ in range(2):
        feed(argv(), HALF, False, 50, at_work=True)
    gone([], box)
    assert box["INBOX"] is None and box["Junk"] is None
    assert feed(argv(), HALF, True, 0) == 75
    assert feed(argv("--init", "feeds"), HALF, True, 0) == 0
    assert box["INBOX"].endswith(HALF)


@pytest.mark.parametrize("options, said", [((), True), (("--init", "adopts"), False)])
def test_a_doubt_names_the_option_that_ends_it(config, box, folder, options, said):
    """Where the administrator has spoken already, it does not."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    told, inner = folder / "told", ["unshare", "--pid", "--fork", "--mount-proc", *wrapper(config, box, *options)]
    assert feed(["sh", "-c", f'exec "$@" >{told}', "sh", *inner], HALF, True, 0) == 75
    assert "the MTA ended before the message did" in told.read_text() and box["INBOX"] is None
    assert ("--init=feeds or --init=adopts tells" in told.read_text()) == said


FIRST_PROCESS = """
import ctypes, fcntl, os, signal, subprocess, sys, termios, time
name, how, message, argv = sys.argv[1], sys.argv[2], open(sys.argv[3], "rb").read(), sys.argv[4:]
ctypes.CDLL(None).prctl(15, name.encode(), 0, 0, 0)
if how == "orphan":
    # PID 1 is the MTA's first process, another one feeds, and dies at once
    child = os.fork()
    if child == 0:
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        process.stdin.write(message)
        process.stdin.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(os.waitpid(-1, 0)[1]))
else:
    # "slow": it still feeds when the wrapper reads; else it is done before there is one
    read, write = os.pipe()
    os.write(write, message)
    if how != "slow":
        os.close(write)
    process = subprocess.Popen(argv, stdin=read, stdout=subprocess.PIPE)
    while how == "slow" and fcntl.ioctl(write, termios.FIONREAD, bytes(4)) != bytes(4):
        time.sleep(0.01)
    if how == "slow":
        os.close(write)
    print(process.wait())
"""


@pytest.mark.parametrize("name,how,init,status", [
    ("smtpd", "feeds", [], 0), # OpenSMTPD's own way
    ("mta", "slow", [], 0), # it is seen to feed
    ("mta", "feeds", ["--init", "feeds"], 0),
    ("mta", "feeds", [], 75), # a doubt
    ("mta", "slow", ["--init", "adopts"], 75),
    ("mta", "orphan", [], 75),
    ("master", "orphan", [], 75),
    ("exim4", "orphan", ["--init", "adopts"], 75)])
@pytest.mark.parametrize("peer, shell", [(GATEWAY, False), ("", False), (GATEWAY, True)])
def test_an_mta_that_is_pid_1(config, box, tmp_path, name, how, init, status, peer, shell):
    """Of a container: then the first process may be our rightful parent, or that of a shell before us."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    message = tmp_path / "message"
    message.write_bytes(HALF)
    argv = wrapper(config, box, *init, peer=peer)
    argv = ["/bin/sh", "-c", f"{shlex.join(argv)}; exit $?"] if shell else argv
    result = subprocess.run(["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", FIRST_PROCESS, name, how,
                             str(message), *argv], capture_output=True, text=True, timeout=PATIENCE)
    assert result.stdout == f"{status}\n", result.stderr
    assert (box["INBOX"] is None and box["Junk"] is None) == (status == 75)


@pytest.mark.parametrize("deep, status", [(20, 0), (40, 75)])
def test_feeder_dies_behind_many_shells(config, box, folder, deep, status):
    """What stands behind more than are followed is deferred, and says why."""
    script = folder / "again"
    script.write_text('#!/bin/sh\nn=$1\nshift\n[ "$n" = 0 ] && exec "$@"\n"$0" $((n - 1)) "$@"\nexit $?\n')
    script.chmod(0o755)
    argv = [str(script), str(deep), *wrapper(config, box)]
    for _ in range(2):
        feed(argv, HALF, False, 0, at_work=True)
    gone(argv, box)
    assert box["INBOX"] is None
    told = folder / "told"
    assert feed(["sh", "-c", f'exec "$@" >{told}', "sh", *argv], HALF, True, 0) == status
    assert (box["INBOX"] is None) == (status == 75) == ("too many programs stand between" in told.read_text())


NO_PIDFD = """
import ctypes, os, struct, sys
code = struct.pack("=" + "HBBI" * 4, 0x20, 0, 0, 0, 0x15, 0, 1, 434, 0x06, 0, 0, 0x50000 | 38, 0x06, 0, 0, 0x7fff0000)
held = ctypes.create_string_buffer(code, len(code))
program = struct.pack("@HP", 4, ctypes.addressof(held))
libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(38, 1, 0, 0, 0) != 0 or libc.prctl(22, 2, program, 0, 0) != 0:
    sys.exit(1)
try:
    os.pidfd_open(1)
    sys.exit(1)
except OSError as error:
    assert error.errno == 38, error
os.execvp(sys.argv[1], sys.argv[1:])
"""
HIDEPID = {"closed": 1, "hidden": 2, "not ours to trace": 4}  # noaccess, invisible, ptraceable
PROC = {"whole": ":", "none": "mount -t tmpfs none /proc",
        **{name: f"mount -t proc -o hidepid={number} proc /proc" for name, number in HIDEPID.items()}}


@pytest.mark.parametrize("proc, between", [(proc, between) for proc in PROC for between in ("", "guard", "shell")
                                           if (proc, between) != ("none", "shell")])  # who would know the shell?
@pytest.mark.parametrize("pidfd", [True, False])
def test_feeder_dies_where_little_is_seen(config, box, proc, pidfd, between):
    """The MTA is another user's process; /proc hides those, or is not there; the kernel knows no pidfd."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    os.chmod(box.folder, 0o777)
    argv = wrapper(config, box, *(["--signal-exit", "75"] if between == "guard" else []))
    if between == "shell":
        argv = ["/bin/sh", "-c", f"{shlex.join(argv)}; exit $?"]
    argv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *argv]
    if not pidfd:
        argv = [sys.executable, "-c", NO_PIDFD, *argv]
    argv = ["unshare", "-m", "--propagation", "private", "sh", "-c", f'{PROC[proc]} && exec "$@"', "sh", *argv]
    assert feed(argv, HALF, True, 0) == 0
    assert box["INBOX"].endswith(HALF)
    (box.folder / "INBOX").unlink()
    for ms in (0, 2):
        feed(argv, HALF, False, ms, at_work=True)
    feed(argv, HALF, False, 5)
    gone(argv, box)
    assert box["INBOX"] is None


def adopt_all():
    """In a child: it adopts whatever loses its parent below it."""
    if ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) != 0:
        os._exit(1)


@pytest.mark.parametrize("at_work", [True, False])
@pytest.mark.parametrize("proc", list(HIDEPID))
def test_another_users_reaper_that_is_not_seen(config, box, proc, at_work):
    """It is no PID 1, and adopts the wrapper: which has seen its feeder, or finds that nobody reads what it says."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    os.chmod(box.folder, 0o777)
    argv = ["unshare", "-m", "--propagation", "private", "sh", "-c", f'{PROC[proc]} && exec "$@"', "sh",
            *NOBODY, *wrapper(config, box)]
    assert feed(argv, HALF, True, 0, stdout=subprocess.PIPE) == 0 and box["INBOX"].endswith(HALF)
    (box.folder / "INBOX").unlink()
    for _ in range(2):
        reaper = os.fork()
        if reaper == 0:
            adopt_all()
            feed(argv, HALF, False, 0, at_work=at_work, stdout=subprocess.PIPE)
            with contextlib.suppress(ChildProcessError):
                while True:
                    os.wait()
            time.sleep(1)
            os._exit(0)
        assert os.waitpid(reaper, 0)[1] == 0
    gone(argv, box)
    assert box["INBOX"] is None
