# SPDX-License-Identifier: MIT
"""mxguard suggest: from the MX to the vendor to a block for mxguard.conf, and what DNS cannot tell."""
from __future__ import annotations

import json

import pytest

from mxg.dns_script import answer, nodata, nxdomain, servfail, timeout
from mxg.mxguard import check, mxguard

KEYS = {"domain", "mx", "vendor", "shared", "gateways", "notes", "source"}
GOOGLE = {("g.test", "MX"): answer("1 aspmx.l.google.com", "5 alt1.aspmx.l.google.com"),
          ("_spf.google.com", "TXT"): "v=spf1 include:_netblocks.google.com ~all",
          ("_netblocks.google.com", "TXT"): "v=spf1 ip4:192.0.2.0/25 ~all"}


@pytest.fixture
def suggest(scripted_dns, mxguard_config):
    """suggest(zone, domain…) -> (objects, status); .text(…) -> (block, status)"""
    def config(zone):
        wait = "1s" if timeout() in zone.values() else "20s"
        return mxguard_config({"self": ["198.51.100.1"], "dns": {"servers": [scripted_dns.server], "timeout": wait},
                               "state_dir": "/nonexistent/mxguard", "gateways": ({"name": "x", "allow": "ip4:192.0.2.10"},)})

    def text(zone, *domains):
        scripted_dns.update(zone)
        result = mxguard("suggest", "-c", config(scripted_dns.script), *domains)
        return result.stdout.decode(), result.returncode

    def objects(zone, *domains):
        scripted_dns.update(zone)
        result = mxguard("suggest", "-c", config(scripted_dns.script), "--json", *domains)
        found = [json.loads(line) for line in result.stdout.decode().splitlines()]
        assert all(KEYS <= set(each) for each in found) and len(found) == len(domains), result
        return found, result.returncode
    objects.text = text
    objects.server = scripted_dns.server
    return objects


def proved(mxguard_config, suggest, block, peer, rcpt):
    """What `check` says with the block pasted into an otherwise empty configuration."""
    base = f'mode = "enforce"; state_dir = "/nonexistent/mxguard"; self = [ "198.51.100.1" ];\n' \
           f'dns = {{ servers = [ "{suggest.server}" ]; timeout = "20s"; }};\n'
    return check(mxguard_config(base + block), peer=peer, rcpt=rcpt)["verdict"]


def test_vendor(suggest, mxguard_config):
    found, status = suggest(GOOGLE, "G.Test.")
    assert status == 0
    it = found[0]
    assert it["domain"] == "g.test" and it["mx"] == ["aspmx.l.google.com", "alt1.aspmx.l.google.com"]
    assert it["vendor"] == "Google Workspace" and it["shared"] is True and it["source"].startswith("https://support.google.com/")
    assert [entry["name"] for entry in it["gateways"]] == ["google-workspace"]
    assert it["gateways"][0]["allow"].split()[0] == "include:_spf.google.com"
    assert any("header = {" in note and "another customer" in note for note in it["notes"])


def test_block_is_valid_and_lets_the_vendor_in(suggest, mxguard_config):
    zone = {**GOOGLE, ("66.113.0.203.in-addr.arpa", "PTR"): nxdomain(), ("66.2.0.192.in-addr.arpa", "PTR"): nxdomain(),
            ("66.113.0.203.in-addr.arpa", "PTR"): nxdomain()}
    block, status = suggest.text(zone, "g.test")
    assert status == 0 and "another customer" in " ".join(block.replace("#", " ").split())
    assert proved(mxguard_config, suggest, block, "192.0.2.66", "alice@g.test") == "authorized"
    suggest.text({("66.113.0.203.in-addr.arpa", "PTR"): nxdomain()}, "g.test")
    assert proved(mxguard_config, suggest, block, "203.0.113.66", "alice@g.test") in ("direct", "unknown")


def test_stranger_is_direct(suggest, mxguard_config):
    zone = {("m.test", "MX"): answer("10 eu-smtp-inbound-1.mimecast.com"), ("_netblocks.mimecast.com", "TXT"): "v=spf1 ip4:192.0.2.7 ~all"}
    block, _ = suggest.text(zone, "m.test")
    assert proved(mxguard_config, suggest, block, "192.0.2.7", "alice@m.test") == "authorized"
    assert proved(mxguard_config, suggest, block, "203.0.113.66", "alice@m.test") == "direct"


def test_the_header_condition_can_be_switched_on(suggest, mxguard_config, folder):
    """What stands there as a comment is valid where it stands."""
    zone = {("o.test", "MX"): answer("0 o-test.mail.protection.outlook.com"),
            ("spf.protection.outlook.com", "TXT"): "v=spf1 ip4:192.0.2.7 -all"}
    block, _ = suggest.text(zone, "o.test")
    token = folder / "token"
    token.write_text("a secret of some length\n")
    token.chmod(0o600)
    on = block.replace("# header = {", "header = {").replace("/etc/mxguard/gateway.token", str(token))
    assert on != block
    assert proved(mxguard_config, suggest, on, "192.0.2.7", "alice@o.test") != "authorized"  # no field in no message
    certificate = block.replace("# certificate = {", "certificate = {")
    assert certificate != block
    assert proved(mxguard_config, suggest, certificate, "192.0.2.7", "alice@o.test") != "authorized"


def test_customer_in_the_mx(suggest):
    found, status = suggest({("c.test", "MX"): answer("10 mx1.hc1234-56.iphmx.com", "10 mx2.hc1234-56.iphmx.com")}, "c.test")
    assert status == 0 and found[0]["shared"] is False
    assert [entry["allow"] for entry in found[0]["gateways"]] == ["exists:%{i}.spf.hc1234-56.iphmx.com"]


def test_unknown_vendor(suggest, mxguard_config):
    zone = {("u.test", "MX"): answer("10 mx1.filter.example", "20 mx2.filter.example"),
            ("mx1.filter.example", "A"): answer("192.0.2.10"), ("mx2.filter.example", "A"): answer("192.0.2.11"),
            ("mx1.filter.example", "AAAA"): nodata(), ("mx2.filter.example", "AAAA"): nodata(),
            ("u.test", "TXT"): "v=spf1 include:out.filter.example include:newsletter.example ip4:198.51.100.7 -all",
            ("_spf.filter.example", "TXT"): "v=spf1 ip4:192.0.2.128/25 -all",
            ("spf.filter.example", "TXT"): nxdomain(), ("_netblocks.filter.example", "TXT"): nxdomain()}
    found, status = suggest(zone, "u.test")
    assert status == 0
    assert found[0]["vendor"] is None and found[0]["shared"] is None and found[0]["source"] is None
    assert found[0]["gateways"] == [{"name": "current-mx", "allow": "mx"}]
    assert found[0]["guesses"] == ["include:out.filter.example", "include:_spf.filter.example"]
    block, _ = suggest.text(zone, "u.test")
    for line in block.splitlines():
        assert "include:" not in line or line.strip().startswith("# a guess"), line
    assert proved(mxguard_config, suggest, block, "192.0.2.10", "alice@u.test") == "authorized"
    assert proved(mxguard_config, suggest, block, "192.0.2.130", "alice@u.test") == "direct"


def test_vendor_that_publishes_nothing(suggest, mxguard_config):
    zone = {("p.test", "MX"): answer("10 mx0a-001.pphosted.com"), ("mx0a-001.pphosted.com", "A"): answer("192.0.2.10"),
            ("mx0a-001.pphosted.com", "AAAA"): nodata(),
            ("p.test", "TXT"): "v=spf1 include:spf-001.pphosted.com -all"}
    found, status = suggest(zone, "p.test")
    assert status == 0 and found[0]["vendor"] == "Proofpoint on Demand" and found[0]["source"].startswith("https://")
    assert found[0]["gateways"] == [{"name": "proofpoint-on-demand", "allow": "mx"}]
    assert found[0]["guesses"] == ["include:spf-001.pphosted.com"]
    assert any("not public" in note for note in found[0]["notes"])


@pytest.mark.parametrize("reply, word", [(nodata(), "no MX"), (nxdomain(), "does not exist"), (answer("0 ."), "null MX"),
                                         (servfail(), "SERVFAIL"), (timeout(), "no reply")])
def test_no_answer_is_no_block(suggest, reply, word):
    found, status = suggest({("n.test", "MX"): reply}, "n.test")
    assert status == 75 and found[0]["gateways"] == [] and any(word in note for note in found[0]["notes"]), found
    block, status = suggest.text({}, "n.test")
    assert status == 75 and "gateways" not in block and word in block


def test_hosts_that_cannot_be_asked_are_no_block(suggest):
    zone = {("f.test", "MX"): answer("10 mx.filter.example"), ("mx.filter.example", "A"): servfail(),
            ("mx.filter.example", "AAAA"): servfail()}
    found, status = suggest(zone, "f.test")
    assert status == 75 and found[0]["gateways"] == []


def test_one_bad_domain_leaves_the_others_their_block(suggest, mxguard_config):
    zone = {**GOOGLE, ("n.test", "MX"): nxdomain()}
    block, status = suggest.text(zone, "n.test", "g.test")
    assert status == 75 and 'domains = [ "g.test" ];' in block and "does not exist" in block


def test_this_server_is_the_mx(suggest):
    zone = {("s.test", "MX"): answer("10 here.test"), ("here.test", "A"): answer("198.51.100.1"), ("here.test", "AAAA"): nodata()}
    found, status = suggest(zone, "s.test")
    assert status == 0 and found[0]["gateways"] == [] and any("is this server" in note for note in found[0]["notes"])
    block, _ = suggest.text({}, "s.test")
    assert "gateways" not in block and "this server" in block


def test_this_server_beside_a_filter(suggest, mxguard_config):
    """The bare term mx would make everybody of an MX that is this host: the others by name."""
    zone = {("b.test", "MX"): answer("10 mx.filter.example", "20 here.test"), ("here.test", "A"): answer("198.51.100.1"),
            ("here.test", "AAAA"): nodata(), ("mx.filter.example", "A"): answer("192.0.2.10"), ("mx.filter.example", "AAAA"): nodata(),
            ("b.test", "TXT"): nodata(), **{(f"{label}.filter.example", "TXT"): nxdomain() for label in ("_spf", "spf", "_netblocks")}}
    found, status = suggest(zone, "b.test")
    assert status == 0 and found[0]["gateways"] == [{"name": "other-mx", "allow": "a:mx.filter.example"}]
    assert any("here.test is this server" in note for note in found[0]["notes"])


def test_domains_that_differ(suggest, mxguard_config):
    zone = {**GOOGLE, ("h.test", "MX"): answer("1 aspmx.l.google.com"),
            ("m.test", "MX"): answer("10 us-smtp-inbound-2.mimecast.com"), ("_netblocks.mimecast.com", "TXT"): "v=spf1 ip4:192.0.2.207 -all"}
    block, status = suggest.text(zone, "g.test", "m.test", "h.test")
    assert status == 0 and 'domains = [ "g.test", "h.test" ];' in block
    assert proved(mxguard_config, suggest, block, "192.0.2.207", "alice@m.test") == "authorized"
    assert proved(mxguard_config, suggest, block, "192.0.2.7", "alice@m.test") == "direct"
    assert proved(mxguard_config, suggest, block, "192.0.2.7", "alice@h.test") == "authorized"


def test_hostile_names(suggest, mxguard_config):
    """MX hosts and records are strangers' words: no line of theirs, no setting of theirs."""
    hostile = b'\x00\x0a\x19"}; mode = "off"; x = {#\n' + b"\x06filter\x07example\x00"
    zone = {("x.test", "MX"): answer(hostile, "20 mx.filter.example"), ("mx.filter.example", "A"): answer("192.0.2.10"),
            ("mx.filter.example", "AAAA"): nodata(),
            ("x.test", "TXT"): 'v=spf1 a:x"\x1b[31m.filter.example include:_x.filter.example -all',
            **{(f"{label}.filter.example", "TXT"): nxdomain() for label in ("_spf", "spf", "_netblocks")}}
    assert hostile[2] == len(hostile) - 3 - 16
    block, status = suggest.text(zone, "x.test")
    assert status == 0 and "is no name of a host" in block and "\x1b" not in block
    assert all(line.startswith("#") or "mode" not in line for line in block.splitlines()), block
    assert proved(mxguard_config, suggest, block, "192.0.2.10", "alice@x.test") == "authorized"


def test_wrong_use(folder):
    assert mxguard("suggest").returncode == 64
    assert mxguard("suggest", "a b").returncode == 64
    assert mxguard("suggest", "-c", folder / "none.conf", "example.test").returncode == 78
    assert mxguard("suggest", "--catalogue", folder / "none.conf", "example.test").returncode == 78


def test_another_catalogue(suggest, folder, scripted_dns, mxguard_config):
    catalogue = folder / "vendors.conf"
    catalogue.write_text('vendors = ( { name = "Filter AG"; mx = [ ".filter.example" ]; allow = "ip4:192.0.2.99"; '
                         'documented = "delivery"; shared = false; source = "https://filter.example/"; date = "2026-11-29"; } );\n')
    scripted_dns.update({("a.test", "MX"): answer("10 mx.filter.example")})
    config = mxguard_config({"dns": {"servers": [scripted_dns.server]}, "gateways": ({"name": "x", "allow": "mx"},)})
    result = mxguard("suggest", "-c", config, "--catalogue", catalogue, "--json", "a.test")
    found = json.loads(result.stdout)
    assert result.returncode == 0 and found["vendor"] == "Filter AG" and found["shared"] is False
    assert found["gateways"] == [{"name": "filter-ag", "allow": "ip4:192.0.2.99"}] and found["notes"] == []
