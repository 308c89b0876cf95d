# SPDX-License-Identifier: MIT
"""The units of refresh, by a systemd of their own in namespaces."""
import json
import os
import pathlib
import re
import subprocess
import time

import pytest

from mxg import build
from mxg.process import program, run, wait_until

SYSTEMD = "/usr/lib/systemd/systemd"
STATE = pathlib.Path("/var/lib/mxguard")
RUN = ("/bin/sh -c 'echo >>/var/lib/mxguard/starts; [ ! -e /var/lib/mxguard/fails ] || exit 78; "
       "rm -f /var/lib/mxguard/spool/*'")
TARGETS = "default basic sysinit shutdown paths local-fs".split()
BEGIN = """set -e
mount -t tmpfs none /run
mount -t proc proc /proc
umount -l /sys/fs/cgroup 2>/dev/null || true
mount -t cgroup2 none /sys/fs/cgroup
mount -t tmpfs none /var/lib
exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin SYSTEMD_UNIT_PATH="$1" "$0" \\
  --system --unit=default.target --log-target=console --show-status=no
"""


class Systemd:
    def __init__(self, units, log):
        argv = ["unshare", "-m", "-p", "-f", "-C", "-u", "--propagation", "private", "--kill-child", "sh", "-c", BEGIN,
                SYSTEMD, str(units)]
        with log.open("wb") as out:
            self.parent = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        self.log = log

    def _first(self):
        """The process that is number one in there."""
        return pathlib.Path(f"/proc/{self.parent.pid}/task/{self.parent.pid}/children").read_text().split()

    def inside(self, *argv):
        first = self._first()
        return run(["nsenter", "-t", first[0], "-m", "-p", "-C", *argv]) if first else None

    def is_up(self):
        if self.parent.poll() is not None:
            return True
        done = self.inside("systemctl", "show", "-p", "ActiveState", "--value", "default.target")
        return done is not None and done.stdout == b"active\n"

    def state(self):
        return self.inside("systemctl", "show", "-p", "ActiveState", "--value", "mxguard-refresh.path").stdout

    def touch(self, *names):
        self.inside("touch", *(str(STATE / name) for name in names))

    def starts(self):
        return self.inside("sh", "-c", f"cat {STATE}/starts").stdout.count(b"\n")

    def left(self):
        return self.inside("ls", str(STATE / "spool")).stdout


@pytest.fixture
def refresh(root, folder):
    if not os.path.exists(SYSTEMD) or program("nsenter") is None:
        pytest.skip("systemd is not installed")
    units = folder / "units"
    units.mkdir()
    service = (build.folder() / "tools" / "mxguard-refresh.service").read_text()
    service = re.sub(r"^ExecStart=.*", lambda _: "ExecStart=" + RUN, service, flags=re.M)
    service = service.partition("\nStateDirectory")[0] + "\n"  # the limits that follow make a start slow
    (units / "mxguard-refresh.service").write_text(re.sub(r"^Condition.*\n", "", service, flags=re.M))
    path = pathlib.Path(__file__).parents[2] / "tools" / "systemd" / "mxguard-refresh.path"
    (units / "mxguard-refresh.path").write_text(path.read_text())
    for name in TARGETS:
        (units / f"{name}.target").write_text("[Unit]\nDefaultDependencies=no\n")
    systemd = Systemd(units, folder / "systemd.log")
    try:
        wait_until(systemd.is_up, "systemd is up")
        if systemd.parent.poll() is not None:
            pytest.skip("systemd cannot run here: " + systemd.log.read_text()[-500:])
        systemd.inside("systemctl", "start", "mxguard-refresh.path")
        assert systemd.state() == b"active\n", systemd.log.read_text()
        yield systemd
    finally:
        systemd.parent.kill()
        systemd.parent.wait()


def test_one_domain_after_the_other(refresh):
    for number in range(10):
        starts = refresh.starts()
        refresh.touch(f"spool/{number}.example")
        if number < 2:  # the others come whatever it does
            wait_until(lambda: refresh.starts() > starts, "a run begins")
    wait_until(lambda: refresh.left() == b"" or refresh.state() != b"active\n", "the spool is empty")
    assert refresh.state() == b"active\n"
    refresh.touch("spool/.half.example")
    time.sleep(0.5)
    assert refresh.left() == b""  # ls does not show it, and nothing begins
    starts = refresh.starts()
    refresh.inside("mv", str(STATE / "spool/.half.example"), str(STATE / "spool/half.example"))
    wait_until(lambda: refresh.starts() > starts, "it is asked for")


def test_a_run_that_fails_is_tried_again(refresh):
    begun = time.monotonic()
    refresh.touch("fails", "spool/new.example")
    wait_until(lambda: refresh.starts() >= 2, "it is tried again")
    time.sleep(2)
    refresh.inside("rm", str(STATE / "fails"))
    wait_until(lambda: refresh.left() == b"" or refresh.state() != b"active\n", "the spool is empty")
    assert refresh.state() == b"active\n" and refresh.starts() <= 2 + (time.monotonic() - begun) / 3


def test_the_drop_in_of_setup_means_the_file_that_was_named(refresh, folder):
    """Whatever stands in its path: systemd itself says which file it is."""
    conf = STATE / "it's 100% $HOME \"x\" \\t.conf"
    told = run([str(build.command()), "setup", "--json", "--no-dns", "-c", str(conf)])
    assert told.returncode == 0, told
    commands = [each for each in json.loads(told.stdout)["next"].splitlines() if "mxguard-refresh.service.d" in each]
    assert run(["sh", "-ec", "\n".join(commands).replace("/etc/systemd/system", str(folder / "units"))]).returncode == 0
    drop_in = folder / "units" / "mxguard-refresh.service.d" / "config.conf"
    before = drop_in.read_text()
    drop_in.write_text(before.replace("ExecStart=mxguard refresh --due --quiet -c", "ExecStart=/usr/bin/touch --"))
    assert drop_in.read_text() != before
    refresh.inside("systemctl", "daemon-reload")
    done = refresh.inside("systemctl", "start", "mxguard-refresh.service")
    assert done.returncode == 0, refresh.log.read_text()
    assert refresh.inside("ls", str(conf)).returncode == 0, refresh.inside("ls", str(STATE))
