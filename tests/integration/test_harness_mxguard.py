# SPDX-License-Identifier: MIT
"""The test harness itself: the configuration writer."""
from mxg import mxguard
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
