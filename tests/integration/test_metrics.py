# SPDX-License-Identifier: MIT
"""What the policy service and refresh tell of themselves: promtool, a real Prometheus, and hostile clients."""
from __future__ import annotations

import json
import pathlib
import re
import select
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest

from mxg import build
from mxg.dns_script import answer, servfail
from mxg.mxguard import mxguard
from mxg.process import Daemon, free_port, listening, program, run, wait_until

GATEWAY, SPAMMER = "192.0.2.10", "203.0.113.66"
CONTRIB = build.ROOT / "contrib"


def settings(**more):
    return {"mode": "enforce", "self": ["198.51.100.1"], "state_dir": "/nonexistent/mxguard", "exempt": ["postmaster@"],
            "gateways": ({"name": "filters", "allow": f"ip4:{GATEWAY}"},), **more}


@pytest.fixture
def metered(policy_service, mxguard_config, folder):
    """metered(**settings) -> service, which has .metrics"""
    def start(**more):
        path = folder / "metrics"
        service = policy_service(mxguard_config(settings(**more)), options=["--metrics", f"unix:{path}"])
        service.metrics = path
        return service
    return start


def raw(path, request: bytes, seconds: float = 20) -> bytes:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(seconds)
        sock.connect(str(path))
        sock.sendall(request)
        data = b""
        while more := sock.recv(65536):
            data += more
    return data


def scrape(path, accept="text/plain") -> str:
    head, body = raw(path, f"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\n\r\n".encode()).split(b"\r\n\r\n", 1)
    assert head.startswith(b"HTTP/1.1 200 OK\r\n") and f"Content-Length: {len(body)}\r\n".encode() in head
    return body.decode()


def values(text: str) -> dict[str, float]:
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line[0] != "#"}


def decisions(text: str) -> dict[tuple[str, ...], float]:
    found = re.findall(r'mxguard_decisions_total\{service="policy",verdict="(\w+)",action="(\w+)",would="(\w+)",mode="(\w+)",'
                       r'reason_class="(\w+)"\} (\d+)', text)
    return {tuple(each[:-1]): int(each[-1]) for each in found}


def test_decisions_are_counted(metered):
    service = metered(policies=({"domains": ["mon.example"], "mode": "monitor"},), internal=["198.51.100.7"])
    for peer, recipient, count in ((GATEWAY, "a@example.test", 3), (SPAMMER, "a@example.test", 2), (SPAMMER, "a@mon.example", 1),
                                   (SPAMMER, "postmaster@example.test", 1), ("unknown", "a@example.test", 1),
                                   ("198.51.100.7", "a@example.test", 1)):
        for _ in range(count):
            service.ask(peer, recipient)
    text = scrape(service.metrics)
    assert decisions(text) == {
        ("authorized", "accept", "accept", "enforce", "none"): 3, ("direct", "reject", "reject", "enforce", "none"): 2,
        ("direct", "accept", "reject", "monitor", "none"): 1, ("exempt", "accept", "accept", "enforce", "none"): 1,
        ("unknown", "defer", "defer", "enforce", "lasting"): 1}
    found = values(text)
    assert found['mxguard_left_to_header_total{service="policy"}'] == 1
    assert found['mxguard_decision_duration_seconds_count{service="policy"}'] == 8
    assert found['mxguard_decision_duration_seconds_bucket{service="policy",le="+Inf"}'] == 8
    assert 0 < found['mxguard_decision_duration_seconds_sum{service="policy"}'] < 60
    assert abs(found["process_start_time_seconds"] - time.time()) < 600
    version = mxguard("--version").stdout.decode().split()[-1]
    assert found[f'mxguard_build_info{{version="{version}"}}'] == 1
    assert not any(name.startswith("mxguard_snapshot") for name in found)  # there is none


def test_dns_and_snapshot(metered, scripted_dns, folder, mxguard_config):
    (folder / "state").mkdir(mode=0o755)
    scripted_dns.update({("example.test", "MX"): answer("10 gw.example.test"), ("gw.example.test", "A"): answer(GATEWAY),
                         ("other.test", "MX"): servfail()})
    more = {"state_dir": str(folder / "state"), "domains": ["example.test", "other.test"],
            "gateways": ({"name": "mx", "allow": "mx"},), "dns": {"servers": [scripted_dns.server], "timeout": "20s"}}
    file = folder / "mxguard.prom"
    refreshed = mxguard("refresh", "-c", mxguard_config(settings(**more)), "--metrics-file", file)
    assert refreshed.returncode == 75  # other.test
    told = values(file.read_text())
    assert (told["mxguard_refresh_last_exit_status"], told["mxguard_refresh_domains"], told["mxguard_alarms_held"]) == (75, 2, 0)
    assert told["mxguard_refresh_questions"] >= 3 and told["mxguard_refresh_failures"] == 1
    assert abs(told["mxguard_refresh_last_run_timestamp_seconds"] - time.time()) < 600
    assert told["mxguard_refresh_duration_seconds"] >= 0
    service = metered(**more)
    assert service.ask(GATEWAY, "a@example.test") == "DUNNO"
    assert service.ask(GATEWAY, "a@other.test").startswith("451")
    found = values(scrape(service.metrics))
    assert found["mxguard_snapshot_generation"] == told["mxguard_snapshot_generation"] > 0
    assert found["mxguard_snapshot_written_timestamp_seconds"] == told["mxguard_snapshot_written_timestamp_seconds"]
    assert 0 <= found["mxguard_snapshot_age_seconds"] < 600
    assert found["mxguard_alarms"] == found["mxguard_alarms_held"] == 0
    assert found['mxguard_dns_questions_total{service="policy"}'] >= 1
    assert found['mxguard_dns_failures_total{service="policy",kind="servfail"}'] == 1
    assert found['mxguard_dns_failures_total{service="policy",kind="timeout"}'] == 0
    # the set empties: what is held back is told by the next refresh, and by the service that takes its snapshot over
    scripted_dns.update({("gw.example.test", "A"): answer()})
    mxguard("refresh", "-c", service.config, "--metrics-file", file, "--strict")
    assert values(file.read_text())["mxguard_alarms_held"] >= 1
    wait_until(lambda: service.ask(GATEWAY, "a@example.test") and values(scrape(service.metrics))["mxguard_alarms_held"] >= 1,
               "the service has the new snapshot")


def test_what_cannot_be_written(folder, mxguard_config):
    (folder / "state").mkdir(mode=0o755)
    config = mxguard_config(settings(state_dir=str(folder / "state")))
    (folder / "link").symlink_to(folder / "target")
    for path in (folder / "link", folder / "missing" / "x.prom", folder):
        result = mxguard("refresh", "-c", config, "--metrics-file", path)
        assert result.returncode == 0 and b"cannot be written" in result.stderr
    assert not (folder / "target").exists() and sorted(each.name for each in folder.glob("*.prom*")) == []


@pytest.mark.skipif(not program("promtool"), reason="Prometheus is not installed")
def test_promtool(metered, folder, mxguard_config):
    service = metered()
    service.ask(GATEWAY)
    service.ask(SPAMMER)
    (folder / "state").mkdir(mode=0o755)
    file = folder / "mxguard.prom"
    mxguard("refresh", "-c", mxguard_config(settings(state_dir=str(folder / "state"))), "--metrics-file", file)
    for text in (scrape(service.metrics), file.read_text()):
        checked = run([program("promtool"), "check", "metrics"], data=text.encode())
        assert checked.returncode == 0 and not checked.stdout + checked.stderr, checked


@pytest.mark.skipif(not program("promtool"), reason="Prometheus is not installed")
def test_rules():
    rules = CONTRIB / "prometheus" / "mxguard.rules.yml"
    assert run([program("promtool"), "check", "rules", str(rules)]).returncode == 0
    tested = run([program("promtool"), "test", "rules", str(CONTRIB / "prometheus" / "mxguard.test.yml")])
    assert tested.returncode == 0, tested.stdout


def exported(metered, folder, mxguard_config, scripted_dns) -> set[str]:
    """The names of all series that the service and refresh can tell."""
    (folder / "state").mkdir(mode=0o755)
    scripted_dns.update({("example.test", "MX"): answer("10 gw.example.test"), ("gw.example.test", "A"): answer(GATEWAY),
                         ("gw.example.test", "AAAA"): answer()})
    more = {"state_dir": str(folder / "state"), "domains": ["example.test"], "gateways": ({"name": "mx", "allow": "mx"},),
            "dns": {"servers": [scripted_dns.server], "timeout": "20s"}}
    file = folder / "mxguard.prom"
    mxguard("refresh", "-c", mxguard_config(settings(**more)), "--metrics-file", file)
    service = metered(**more)
    service.ask(GATEWAY)
    text = scrape(service.metrics) + file.read_text()
    return {re.split(r"[{ ]", line)[0] for line in text.splitlines() if line[0] != "#"}


def test_names_in_rules_and_board_are_exported(metered, folder, mxguard_config, scripted_dns):
    names = exported(metered, folder, mxguard_config, scripted_dns)
    board = json.loads((CONTRIB / "grafana" / "mxguard.json").read_text())
    queries = [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]
    assert len(queries) >= 8
    rules = re.sub(r'^ *(summary|description|- alert):.*$', "", (CONTRIB / "prometheus" / "mxguard.rules.yml").read_text(), flags=re.M)
    for text in (*queries, rules):
        used = set(re.findall(r"\b(mxguard_\w+|process_\w+)\b", re.sub(r"#.*", "", text)))
        assert used and used <= names, used - names


@pytest.mark.skipif(not program("prometheus"), reason="Prometheus is not installed")
def test_real_prometheus_scrapes(policy_service, mxguard_config, folder, network):
    metrics, port = free_port(), free_port()
    service = policy_service(mxguard_config(settings()), options=["--metrics", f"inet:127.0.0.1:{metrics}"])
    for _ in range(5):
        service.ask(SPAMMER)
    rules = CONTRIB / "prometheus" / "mxguard.rules.yml"
    (folder / "prometheus.yml").write_text(
        "global: {scrape_interval: 1s}\n"
        f"rule_files: [{rules}]\n"
        f"scrape_configs: [{{job_name: mxguard, static_configs: [{{targets: ['127.0.0.1:{metrics}']}}]}}]\n")
    daemon = Daemon([program("prometheus"), f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb",
                     f"--web.listen-address=127.0.0.1:{port}"], folder / "prometheus.log")

    def ask(query):
        url = f"http://127.0.0.1:{port}/api/v1/query?" + urllib.parse.urlencode({"query": query})
        try:
            reply = urllib.request.urlopen(url, timeout=10)
        except urllib.error.HTTPError:  # it has not begun yet
            return []
        with reply:
            return [float(each["value"][1]) for each in json.load(reply)["data"]["result"]]

    try:
        daemon.start(lambda: listening("127.0.0.1", port), "Prometheus listens")
        wait_until(lambda: ask('up{job="mxguard"}') == [1] and ask('mxguard_decisions_total{verdict="direct"}') == [5],
                   "Prometheus has scraped")
        assert ask('mxguard_decision_duration_seconds_count') == [5]
        assert ask('histogram_quantile(0.5, mxguard_decision_duration_seconds_bucket)')[0] < 10
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/targets", timeout=10) as reply:
            target = json.load(reply)["data"]["activeTargets"][0]
        assert target["health"] == "up" and target["lastError"] == ""
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/rules", timeout=10) as reply:
            groups = json.load(reply)["data"]["groups"]
        assert sum(len(group["rules"]) for group in groups) == rules.read_text().count("- alert:")
    finally:
        daemon.stop()


@pytest.mark.parametrize("request_bytes, status", [
    (b"GET / HTTP/1.1\r\n\r\n", 404), (b"GET /metricsx HTTP/1.1\r\n\r\n", 404), (b"POST /metrics HTTP/1.1\r\n\r\n", 405),
    (b"GET /metrics\r\n\r\n", 400), (b"\r\n\r\n", 400), (b"\0\xff\n\n", 400), (b"GET  HTTP/1.1\r\n\r\n", 404),
    (b"GET /metrics?x=y HTTP/1.0\n\n", 200), (b"GET /metrics HTTP/2\r\n\r\n", 400)])
def test_requests(metered, request_bytes, status):
    service = metered()
    assert raw(service.metrics, request_bytes).startswith(f"HTTP/1.1 {status} ".encode())
    assert scrape(service.metrics)


def test_both_forms_and_head(metered):
    service = metered()
    service.ask(GATEWAY)
    new = scrape(service.metrics, "application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
    assert new.endswith("# EOF\n") and "# TYPE mxguard_decisions counter\n" in new
    old = scrape(service.metrics)
    assert "EOF" not in old and "# TYPE mxguard_decisions_total counter\n" in old
    head = raw(service.metrics, b"HEAD /metrics HTTP/1.1\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ") and head.endswith(b"\r\n\r\n") and b"mxguard_" not in head


def decides_meanwhile(service) -> bool:
    """A decision is there before somebody who is half-way through his request is dropped."""
    with socket.socket(socket.AF_UNIX) as silent:
        silent.connect(str(service.metrics))
        silent.sendall(b"GET /metrics HTTP/1.1\r\nX: ")
        assert service.ask(GATEWAY) == "DUNNO"
        return not select.select([silent], [], [], 0)[0]


def test_hostile_clients_cost_little(metered):
    """Who says nothing is dropped after five seconds, who says too much at once; mail is decided meanwhile."""
    service = metered()
    silent = [socket.socket(socket.AF_UNIX) for _ in range(40)]
    for sock in silent:
        sock.settimeout(60)
        sock.connect(str(service.metrics))
    assert any(decides_meanwhile(service) for _ in range(10))
    assert silent[0].recv(1) == b""
    threads = int(re.search(r"Threads:\t(\d+)", pathlib.Path(f"/proc/{service.pid}/status").read_text())[1])
    assert threads == 2
    for sock in silent:
        sock.close()
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(60)
        sock.connect(str(service.metrics))
        with pytest.raises(OSError):
            for _ in range(1000):
                sock.sendall(b"GET /metrics HTTP/1.1\r\nX: " + b"x" * 1000)
    assert scrape(service.metrics)
    assert service.stop() == 0


@pytest.mark.parametrize("address, words", [
    ("inet:192.0.2.1:9000", "only loopback"), ("unix:relative", "must begin with /"), ("9000", "write unix:/path")])
def test_wrong_addresses(mxguard_config, folder, address, words):
    result = subprocess.run([str(build.command()), "policy", "-c", str(mxguard_config(settings())), "--listen", f"unix:{folder}/s",
                             "--metrics", address], capture_output=True, text=True, timeout=60)
    assert result.returncode == 71 and f"--metrics {address}: " in result.stderr and words in result.stderr
    assert not (folder / "s").exists()
