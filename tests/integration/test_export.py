# SPDX-License-Identifier: MIT
"""`mxguard gateways` and `mxguard export`, with the programs that read the exports."""
from __future__ import annotations

import json
import subprocess

import pytest

from mxg.dns_script import nxdomain, servfail
from mxg.mxguard import mxguard
from mxg.process import program

GATEWAYS = [{"name": "static", "allow": "ip4:192.0.2.0/25 ip4:192.0.2.128/25 ip6:2001:db8:25::/48"},
            {"name": "mx", "allow": "mx"},
            {"name": "filter", "allow": "include:_spf.filter.test"},
            {"name": "fleet", "allow": "exists:%{ir}.fleet.test"},
            {"name": "shared", "allow": "ip4:198.51.100.77",
             "header": {"name": "X-Token", "value": "secret"}}]


@pytest.fixture
def config(folder, scripted_dns, mxguard_config):
    (folder / "state").mkdir(mode=0o755)
    scripted_dns.update({
        ("example.test", "MX"): "10 gw.example.test", ("gw.example.test", "A"): "203.0.113.10",
        ("gw.example.test", "AAAA"): "2001:db8::10",
        ("_spf.filter.test", "TXT"): "v=spf1 -ip4:198.51.100.64/27 ip4:198.51.100.9/25 ?all"})
    return mxguard_config({"mode": "monitor", "domains": ["example.test"], "gateways": GATEWAYS,
                           "dns": {"servers": [scripted_dns.server], "timeout": "2s"},
                           "state_dir": str(folder / "state")})


def export(config, *arguments: str, status: int = 0) -> tuple[str, str]:
    result = mxguard("export", "-c", config, *arguments)
    assert result.returncode == status, result.stderr
    return result.stdout.decode(), result.stderr.decode()


EXPECTED = ["192.0.2.0/24", "198.51.100.0/26", "198.51.100.96/27", "203.0.113.10/32",
            "2001:db8::10/128", "2001:db8:25::/48"]


def test_plain(config):
    text, errors = export(config, "plain")
    assert [line for line in text.splitlines() if line[0] != "#"] == \
        [each.removesuffix("/32").removesuffix("/128") for each in EXPECTED] or \
        [line for line in text.splitlines() if line[0] != "#"] == EXPECTED
    for what in ("exists:%{ir}.fleet.test", "X-Token"):
        assert what in errors
        assert any(what in line for line in text.splitlines() if line.startswith("# "))
    assert "secret" not in text + errors


def test_json(config):
    found = json.loads(export(config, "json")[0])
    assert len(found["prefixes"]) == len(EXPECTED)
    assert found["domains"] == ["example.test"] and found["written"].endswith("Z")


ADDRESSES = [
    ("192.0.2.200", True), ("198.51.100.1", True), ("198.51.100.70", False), ("198.51.100.100", True),
    ("198.51.100.128", False), ("203.0.113.10", True), ("203.0.113.11", False),
    ("2001:db8::10", True), ("2001:db8:25:1::1", True), ("2001:db8:26::1", False)]


@pytest.mark.parametrize("address,inside", ADDRESSES)
def test_postfix(config, folder, address, inside):
    if not program("postmap"):
        pytest.skip("Postfix is not installed")
    export(config, "-o", str(folder / "gw.cidr"), "postfix")
    (folder / "main.cf").write_text("compatibility_level = 3.6\n")
    result = subprocess.run([program("postmap"), "-c", str(folder), "-q", address,
                             f"cidr:{folder}/gw.cidr"], capture_output=True, text=True)
    assert result.stderr == ""
    assert (result.stdout.strip() == "OK") == inside


@pytest.fixture
def exim_says(exim):
    running = exim()
    return lambda text: running.exim("-be", text).stdout.decode().strip()


def test_exim(config, folder, exim_says):
    """One Exim for all addresses: it takes a second to start."""
    export(config, "-o", str(folder / "gw.hosts"), "exim")
    for address, inside in ADDRESSES:
        condition = f"match_ip{{{address}}}{{{folder}/gw.hosts}}"
        assert exim_says(f"${{if {condition}{{yes}}{{no}}}}") == ("yes" if inside else "no"), address


def test_nftables(config, folder, network, root):
    nft = program("nft")
    if not nft:
        pytest.skip("nftables is not installed")
    export(config, "-o", str(folder / "gw.nft"), "nftables")
    for argv in (["-c", "-f"], ["-f"], ["-f"]):  # loaded twice, it is the same
        result = subprocess.run([nft, *argv, str(folder / "gw.nft")], capture_output=True, text=True)
        if "Operation not" in result.stderr or "cache init" in result.stderr.lower():
            pytest.skip("the kernel has no nftables")
        assert result.returncode == 0, result.stderr
    listed = subprocess.run([nft, "list", "table", "inet", "mxguard"], capture_output=True, text=True)
    assert "198.51.100.96/27" in listed.stdout and "2001:db8:25::/48" in listed.stdout
    subprocess.run([nft, "delete", "table", "inet", "mxguard"], check=True)


@pytest.mark.parametrize("form,line", [("spamassassin", "trusted_networks 192.0.2.0/24"),
                                       ("rspamd", "192.0.2.0/24"), ("postfix", "192.0.2.0/24\tOK")])
def test_lines(config, form, line):
    assert line in export(config, form, "example.test")[0].splitlines()


def test_link_is_not_followed(config, folder):
    (folder / "other").write_text("theirs")
    (folder / "list").symlink_to(folder / "other")
    _, errors = export(config, "-o", str(folder / "list"), "plain", "example.test", status=73)
    assert "is a symbolic link" in errors
    assert (folder / "list").is_symlink() and (folder / "other").read_text() == "theirs"


def test_nothing_is_written_when_dns_fails(config, folder, scripted_dns):
    (folder / "list").write_text("old\n")
    scripted_dns.set("_spf.filter.test", "TXT", servfail())
    text, errors = export(config, "-o", str(folder / "list"), "plain", status=75)
    assert (folder / "list").read_text() == "old\n" and "_spf.filter.test" in errors
    text, _ = export(config, "--partial", "plain", status=75)
    assert "192.0.2.0/24" in text


def test_unknown_format(config):
    assert "postfix" in export(config, "postfx", status=64)[1]


def gateways(config, *arguments: str, status: int = 0) -> dict:
    result = mxguard("gateways", "-c", config, "--json", *arguments)
    assert result.returncode == status, result.stderr
    return json.loads(result.stdout)


def test_gateways(config):
    found = gateways(config, "Example.Test")
    assert found["domain"] == "example.test" and found["complete"]
    by_prefix = {each["prefix"]: each for each in found["gateways"]}
    filter_range = next(v for k, v in by_prefix.items() if k.startswith("198.51.100.96"))
    assert filter_range["gateway"] == "filter" and filter_range["via"] == "include:_spf.filter.test"
    assert filter_range["term"] == "ip4:198.51.100.9/25" and filter_range["expires"]
    mx = next(v for k, v in by_prefix.items() if k.startswith("203.0.113.10"))
    assert mx["term"] == "mx (gw.example.test)" and not mx["stale"] and mx["grace_until"] is None
    assert [gap["term"] for gap in found["not_flattened"]] == ["exists:%{ir}.fleet.test"]


def test_gateways_in_grace(config, scripted_dns):
    import time
    assert mxguard("refresh", "-q", "-c", config).returncode == 0
    scripted_dns.set("gw.example.test", "A", "203.0.113.99")
    time.sleep(1.1)
    assert mxguard("refresh", "-q", "-c", config).returncode == 0
    scripted_dns.clear()
    found = gateways(config, "--no-dns", "example.test")
    grace = {each["prefix"].split("/")[0]: each["grace_until"] for each in found["gateways"]}
    assert grace["203.0.113.99"] is None and grace["203.0.113.10"] is not None


def test_gateways_trouble(config, scripted_dns):
    scripted_dns.set("_spf.filter.test", "TXT", nxdomain())
    found = gateways(config, "example.test", status=75)
    assert not found["complete"] and "_spf.filter.test" in found["trouble"]


def test_gateways_for_people(config):
    result = mxguard("gateways", "-c", config, "example.test")
    lines = result.stdout.decode().splitlines()
    assert lines[0].split("\t")[:2] == ["ADDRESS", "ENTRY"]
    assert any("mx (gw.example.test)" in line for line in lines)
