# SPDX-License-Identifier: MIT
"""The event of each decision: what doveadm and OpenMetrics count, as the manual shows."""
import re
import urllib.request

import pytest

from mxg import smtp
from mxg.dovecot import version
from mxg.process import Timeout, wait_until
from test_dovecot_rcpt import GATEWAY, LMTP, SPAMMER, USER, policy, server  # noqa: F401

METRIC = """metric mxguard {
  filter = event=mxguard_decision
  group_by verdict {
    method discrete {
    }
  }
  group_by action {
    method discrete {
    }
  }
}
""" if version() >= (2, 4) else """metric mxguard {
  filter = event=mxguard_decision
  group_by = verdict action
}
"""
HTTP = """service stats {
  inet_listener http {
    %s = 192.0.2.1
    port = 9900
  }
}
""" % ("listen" if version() >= (2, 4) else "address")


def test_counters(server):
    running = server(policy(policies=({"domains": ["watched.test"], "mode": "monitor"},)),
                     extra=METRIC + HTTP)
    for _ in range(3):
        assert smtp.deliver(LMTP, [USER, "b@example.test"], source=GATEWAY).final(USER).ok
    for _ in range(2):
        smtp.deliver(LMTP, [USER, "a@watched.test"], source=SPAMMER)

    def dumped():
        text = running.doveadm("stats", "dump").stdout.decode()
        counts = {name: int(count) for name, count in
                  re.findall(r"^(mxguard\S*)\tduration\t(\d+)\t", text, re.M)}
        return counts if counts.get("mxguard") == 10 else None
    counts = wait_until(dumped, "stats has counted")
    assert counts["mxguard_authorized"] == 6 and counts["mxguard_direct"] == 4
    assert counts["mxguard_direct_reject"] == 2 and counts["mxguard_direct_accept"] == 2

    with urllib.request.urlopen("http://192.0.2.1:9900/metrics") as reply:
        metrics = reply.read().decode()
    assert re.search(r'^dovecot_mxguard_total\{verdict="direct",action="reject"\} 2$', metrics, re.M), metrics
    assert re.search(r'^dovecot_mxguard_total\{verdict="authorized"\} 6$', metrics, re.M)


@pytest.mark.skipif(version() >= (2, 4), reason="2.4 refuses unknown settings itself")
def test_misspelt_settings_are_warned_of(server):
    running = server(mxguard={"mxguard_mod": "off"}, users={USER: {"mxguard_exmpt": "x"}})
    assert smtp.deliver(LMTP, USER, source=SPAMMER).codes == {USER: 550}
    running.wait_log("Warning: .*mxguard_mod: no such setting")
    running.wait_log("Warning: .*mxguard_exmpt: no such setting")


@pytest.mark.skipif(version() < (2, 4), reason="2.3 takes any name")
def test_unknown_settings_are_refused(server):
    with pytest.raises((AssertionError, Timeout)):
        server(mxguard={"mxguard_mod": "off"})


@pytest.mark.parametrize("where,code", [("203.0.113.0/24", 250), ("198.51.100.0/24", 550)])
def test_remote_block(server, where, code):
    block = ("  mxguard_mode = monitor\n" if version() >= (2, 4)
             else "  plugin {\n    mxguard_mode = monitor\n  }\n")
    server(extra=f"remote {where} {{\n{block}}}\n")
    assert smtp.deliver(LMTP, USER, source=SPAMMER).codes == {USER: code}
