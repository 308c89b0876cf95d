# SPDX-License-Identifier: MIT
"""The test harness itself: the configuration writer, and script/test's first look at where it is."""
import shutil

from mxg import build, mxguard
from mxg.process import run


def test_configuration_text():
    text = mxguard.settings_text({
        "mode": "enforce", "internal": ["10.0.0.1"], "n": 5, "on": True,
        "gateways": [{"name": 'a"b', "allow": "mx"}], "none": (), "raw": mxguard.Raw("0x10"),
        "dns": {"timeout": "5s", "servers": ["[::1]:5353"]}})
    assert text == '''mode = "enforce";
internal = ["10.0.0.1"];
n = 5;
on = true;
gateways = ({
  name = "a\\"b";
  allow = "mx";
});
none = ();
raw = 0x10;
dns = {
  timeout = "5s";
  servers = ["[::1]:5353"];
};
'''


def test_configuration_file(mxguard_config):
    path = mxguard_config({"mode": "off"})
    assert path.read_text() == 'mode = "off";\n'
    assert path.stat().st_mode & 0o777 == 0o644
    assert run(["cat", str(mxguard_config(b"\0"))]).stdout == b"\0"


def test_several_objects():
    assert mxguard._objects('{"a": 1}\n{"b": 2}\n') == [{"a": 1}, {"b": 2}]


def test_a_checkout_that_servers_cannot_reach(tmp_path):
    closed = tmp_path / "closed"
    (closed / "checkout" / "script").mkdir(parents=True)
    (closed / "checkout").chmod(0o755)
    closed.chmod(0o700)
    shutil.copy(build.ROOT / "script" / "test", closed / "checkout" / "script")
    for what in ([], ["integration"]):
        said = run([str(closed / "checkout" / "script" / "test"), *what])
        assert said.returncode == 78 and said.stdout == b""
        assert f"script/test: {closed} is closed to the users that servers run under".encode() in said.stderr


def test_a_checkout_made_under_a_closed_umask(tmp_path):
    checkout = tmp_path / "checkout"
    (checkout / "script").mkdir(parents=True)
    shutil.copy(build.ROOT / "script" / "test", checkout / "script")
    run(["chmod", "-R", "go-rwx", str(checkout)], check=True)
    said = run([str(checkout / "script" / "test")])
    assert said.returncode == 78 and said.stdout == b""
    assert said.stderr.decode().endswith(f": chmod -R go+rX {checkout}\n"), said
    run(["chmod", "-R", "go+rX", str(checkout)], check=True)
    (checkout / "script" / "install").symlink_to("/bin/false")  # what comes next, where no other folder is closed
    assert b"chmod -R" not in run([str(checkout / "script" / "test")]).stderr
