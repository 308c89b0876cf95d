# SPDX-License-Identifier: MIT
"""`mxguard gateways` and `mxguard export`, with the programs that read the exports."""
from __future__ import annotations

import json
import socket
import subprocess

import pytest

from mxg.dns_script import answer, nodata, nxdomain, servfail
from mxg.mxguard import mxguard
from mxg import smtp
from mxg.process import program, wait_until

GATEWAYS = [{"name": "static", "allow": "ip4:192.0.2.0/25 ip4:192.0.2.128/25 ip6:2001:db8:25::/48"},
            {"name": "mx", "allow": "mx"},
            {"name": "filter", "allow": "include:_spf.filter.test"},
            {"name": "fleet", "allow": "exists:%{ir}.fleet.test"},
            {"name": "shared", "allow": "ip4:198.51.100.77",
             "header": {"name": "X-Token", "value": "secret"}},
            {"name": "shared-tls", "allow": "ip4:198.51.100.78", "certificate": {"fingerprint": "5a" * 32}},
            {"name": "roaming", "certificate": {"fingerprint": "5a" * 32}}]


@pytest.fixture
def config(folder, scripted_dns, mxguard_config):
    (folder / "state").mkdir(mode=0o755)
    scripted_dns.update({
        ("example.test", "MX"): "10 gw.example.test", ("gw.example.test", "A"): "203.0.113.10",
        ("gw.example.test", "AAAA"): "2001:db8::10",
        ("_spf.filter.test", "TXT"): "v=spf1 -ip4:198.51.100.64/27 ip4:198.51.100.9/25 ?all"})
    return mxguard_config({"mode": "monitor", "domains": ["example.test"], "gateways": GATEWAYS,
                           "dns": {"servers": [scripted_dns.server], "timeout": "20s"},
                           "state_dir": str(folder / "state")})


def export(config, *arguments: str, status: int = 0) -> tuple[str, str]:
    result = mxguard("export", "-c", config, *arguments)
    assert result.returncode == status, result.stderr
    return result.stdout.decode("latin-1" if "exim-cdb" in arguments else "utf-8"), result.stderr.decode()


EXPECTED = ["192.0.2.0/24", "198.51.100.0/26", "198.51.100.96/27", "203.0.113.10/32",
            "2001:db8::10/128", "2001:db8:25::/48"]


def test_plain(config):
    text, errors = export(config, "plain")
    assert [line for line in text.splitlines() if line[0] != "#"] == \
        [each.removesuffix("/32").removesuffix("/128") for each in EXPECTED] or \
        [line for line in text.splitlines() if line[0] != "#"] == EXPECTED
    for what in ("exists:%{ir}.fleet.test", "X-Token", "entry shared-tls: it asks for a certificate",
                 "entry roaming: a certificate makes it a gateway"):
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


def test_nftables_lets_only_gateways_connect(folder, scripted_dns, mxguard_config, network, root):
    """One set for all: where two domains have sets that differ there is none. Real connections, in this namespace."""
    nft = program("nft")
    if not nft or subprocess.run([nft, "list", "tables"], capture_output=True).returncode:
        pytest.skip("nftables is not installed, or the kernel has none")
    config = site_of(folder, scripted_dns, mxguard_config, {"a.test": ["203.0.113.66"], "b.test": ["198.51.100.7"]})
    export(config, "-o", str(folder / "gw.nft"), "nftables", status=64)
    assert not (folder / "gw.nft").exists()
    export(config, "-o", str(folder / "gw.nft"), "nftables", "a.test")
    chain = """table inet mxguard {
        chain door {
            type filter hook input priority 0
            tcp dport 25 ip saddr @gateways4 accept
            tcp dport 25 ip6 saddr @gateways6 accept
            tcp dport 25 reject with tcp reset
        }
    }\n"""
    with socket.create_server(("192.0.2.1", 25)):
        try:
            subprocess.run([nft, "-f", str(folder / "gw.nft")], check=True)
            subprocess.run([nft, "-f", "-"], input=chain.encode(), check=True)
            assert [connects(peer) for peer in ("203.0.113.66", "198.51.100.7", "192.0.2.1")] == [True, False, False]
            scripted_dns.set("mx.a.test", "A", "198.51.100.7")
            export(config, "-o", str(folder / "gw.nft"), "nftables", "a.test")
            subprocess.run([nft, "-f", str(folder / "gw.nft")], check=True)
            assert [connects(peer) for peer in ("203.0.113.66", "198.51.100.7")] == [False, True], "the chain stayed"
        finally:
            subprocess.run([nft, "delete", "table", "inet", "mxguard"], check=True)


def connects(source: str) -> bool:
    try:
        socket.create_connection(("192.0.2.1", 25), 10, (source, 0)).close()
    except ConnectionRefusedError:
        return False
    return True


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
    (folder / "none.conf").write_text(f'domains = [ "none.test" ]; gateways = ( {{ name = "x"; allow = "mx"; }} ); '
                                      f'dns = {{ servers = [ "{scripted_dns.server}" ]; timeout = "20s"; }};')
    scripted_dns.set("none.test", "MX", servfail())
    _, errors = export(folder / "none.conf", "plain", status=75)
    assert errors.count("nothing is written") == 1, errors
    text, _ = export(config, "--partial", "plain", status=75)
    assert "192.0.2.0/24" in text


def site_of(folder, scripted_dns, mxguard_config, sets: dict, **more):
    """Domains with an MX each, of these addresses."""
    for domain, addresses in sets.items():
        scripted_dns.set(domain, "MX", f"10 mx.{domain}")
        scripted_dns.set(f"mx.{domain}", "A", answer(*addresses) if addresses else nodata())
        scripted_dns.set(f"mx.{domain}", "AAAA", nodata())
    return mxguard_config({"mode": "monitor", "domains": list(sets), "gateways": [{"name": "mx", "allow": "mx"}],
                           "dns": {"servers": [scripted_dns.server], "timeout": "20s"}, "state_dir": str(folder / "state"), **more})


FORMATS = ["postfix", "postfix-domains", "nftables", "exim", "exim-domains", "exim-cdb", "zone", "rbldnsd", "rspamd",
           "spamassassin", "plain", "json"]
IN_ZONES = {"192.0.2.1": "\n1.2.0.192 A ", "203.0.113.66": "\n66.113.0.203 A ", "96.0.0.0/11": "\n*.31.96 A ",
            "198.51.100.0/24": "\n*.100.51.198 A "}


def holds(text: str, form: str, what: str) -> bool:
    return (IN_ZONES[what] if form == "zone" else what) in text


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("allow", ["exists:%{ir}.fleet.test", "ptr:filter.test", "include:empty.test", "include:wide.test"])
def test_an_empty_set_is_refused(folder, scripted_dns, mxguard_config, form, allow):
    scripted_dns.set("empty.test", "TXT", "v=spf1 -all")
    scripted_dns.set("wide.test", "TXT", "v=spf1 ip4:0.0.0.0/0 -all")
    config = site_of(folder, scripted_dns, mxguard_config, {"a.test": ["192.0.2.1"]}, gateways=[{"name": "x", "allow": allow}])
    (folder / "list").write_text("old\n")
    _, errors = export(config, "-o", str(folder / "list"), "--partial", form, status=75)
    assert (folder / "list").read_text() == "old\n" and "no address is authorized for a.test" in errors


@pytest.mark.parametrize("form", FORMATS)
def test_sets_that_differ_are_not_merged(folder, scripted_dns, mxguard_config, form):
    config = site_of(folder, scripted_dns, mxguard_config, {"a.test": ["192.0.2.1"], "evil.test": ["203.0.113.66"]})
    apart = form in ("json", "exim-domains", "exim-cdb", "postfix-domains")
    text, errors = export(config, form, status=0 if apart else 64)
    assert apart or (text == "" and "a.test" in errors and "evil.test" in errors and "--merge" in errors)
    text, errors = export(config, "--merge", form)
    assert holds(text, form, "192.0.2.1") and holds(text, form, "203.0.113.66") and "merged" in errors
    assert not holds(export(config, form, "a.test")[0], form, "203.0.113.66")


def test_sets_that_are_the_same_are_one(folder, scripted_dns, mxguard_config):
    config = site_of(folder, scripted_dns, mxguard_config, {"a.test": ["192.0.2.1", "192.0.2.2"], "b.test": ["192.0.2.2", "192.0.2.1"]})
    found = json.loads(export(config, "json")[0])
    assert found["domains"] == ["a.test", "b.test"] and len(found["sets"]) == 1
    assert "192.0.2.1" in export(config, "plain")[0]


def test_policies_differ(folder, scripted_dns, mxguard_config):
    config = site_of(folder, scripted_dns, mxguard_config, {"a.test": ["192.0.2.1"]},
                     policies=({"domains": [".sub.test"], "gateways": [{"name": "y", "allow": "ip4:198.51.100.1"}]},))
    assert "*.sub.test" in export(config, "plain", status=64)[1]
    sets = json.loads(export(config, "json")[0])["sets"]
    assert {tuple(each["domains"]): each["prefixes"] for each in sets} == \
        {("a.test",): ["192.0.2.1/32"], ("*.sub.test",): ["198.51.100.1/32"]}


def test_exim_takes_the_nearest_wildcard(folder, scripted_dns, mxguard_config, exim):
    config = site_of(folder, scripted_dns, mxguard_config, {"x.sub.test": ["192.0.2.1"]},
                     policies=({"domains": [".sub.test"], "gateways": [{"name": "y", "allow": "ip4:198.51.100.1"}]},
                               {"domains": [".b.sub.test"], "gateways": [{"name": "z", "allow": "ip4:198.51.100.2"}]},
                               {"domains": ["x.sub.test"], "gateways": [{"name": "mx", "allow": "mx"}]}))
    export(config, "-o", str(folder / "gw.domains"), "exim-domains")
    rule = f"deny !hosts = ${{lookup{{$domain}}nwildlsearch{{{folder}/gw.domains}}{{$value}}}}"
    running = exim(acl=f"acl_check_rcpt:\n  {rule}\n  accept\n")
    peers = {"x.sub.test": "192.0.2.1", "y.sub.test": "198.51.100.1", "c.b.sub.test": "198.51.100.2", "c.d.b.sub.test": "198.51.100.2"}
    for domain, own in peers.items():
        for address in set(peers.values()):
            session = f"EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<x@{domain}>\r\nQUIT\r\n".encode()
            replies = running.exim("-bh", address, data=session).stdout.decode().splitlines()
            assert replies[-2][:3] == ("250" if address == own else "550"), (domain, address, replies)


def test_one_domain_without_addresses(folder, scripted_dns, mxguard_config):
    config = site_of(folder, scripted_dns, mxguard_config, {"a.test": ["192.0.2.1"], "b.test": []})
    text, errors = export(config, "--merge", "plain", status=75)
    assert text == "" and "b.test" in errors
    assert "192.0.2.1" in export(config, "--merge", "--partial", "plain", status=75)[0]


def test_wide_is_marked(folder, scripted_dns, mxguard_config):
    """What others publish authorizes nobody then; what the administrator wrote himself does."""
    scripted_dns.set("wide.test", "TXT", "v=spf1 ip4:64.0.0.0/11 ip4:198.51.100.0/24 -all")
    config = site_of(folder, scripted_dns, mxguard_config, {"a.test": ["192.0.2.1"]},
                     gateways=[{"name": "own", "allow": "ip4:96.0.0.0/11"}, {"name": "vendor", "allow": "include:wide.test"}])
    for form in FORMATS:
        text, errors = export(config, form, status=1)
        assert holds(text, form, "96.0.0.0/11") and holds(text, form, "198.51.100.0/24")
        assert "very wide: ip4:96.0.0.0/11" in errors and "too wide to authorize: wide.test" in errors
    found = json.loads(export(config, "json", status=1)[0])
    assert found["wide"] and "64.0.0.0/11" not in found["prefixes"]


def test_twelve_is_not_wide(folder, scripted_dns, mxguard_config):
    scripted_dns.set("fair.test", "TXT", "v=spf1 ip4:64.0.0.0/12 ip6:2001:db0::/28 -all")
    config = site_of(folder, scripted_dns, mxguard_config, {"a.test": ["192.0.2.1"]},
                     gateways=[{"name": "vendor", "allow": "include:fair.test"}])
    found = json.loads(export(config, "json")[0])
    assert not found["wide"] and sorted(found["prefixes"]) == ["2001:db0::/28", "64.0.0.0/12"]


def test_exim_by_domain(folder, scripted_dns, mxguard_config, exim):
    """In an ACL as the file itself proposes it."""
    config = site_of(folder, scripted_dns, mxguard_config, {"a.test": ["192.0.2.1"], "evil.test": ["203.0.113.66"]})
    scripted_dns.set("mx.a.test", "AAAA", "2001:db8::1")
    export(config, "-o", str(folder / "gw.domains"), "exim-domains")
    proposed = next(line for line in (folder / "gw.domains").read_text().splitlines() if "deny !hosts" in line)
    rule = proposed[proposed.index("deny"):proposed.index("}}") + 2].replace("FILE", str(folder / "gw.domains"))
    running = exim(acl=f"acl_check_rcpt:\n  {rule}\n  accept\n")
    for domain, address, inside in [("a.test", "192.0.2.1", True), ("a.test", "2001:db8::1", True), ("a.test", "203.0.113.66", False),
                                    ("evil.test", "203.0.113.66", True), ("evil.test", "192.0.2.1", False),
                                    ("other.test", "192.0.2.1", False)]:
        session = f"EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<x@{domain}>\r\nQUIT\r\n".encode()
        replies = running.exim("-bh", address, data=session).stdout.decode().splitlines()
        assert replies[-2][:3] == ("250" if inside else "550"), (domain, address, replies)


PEERS = {"a.test": "192.0.2.10", "evil.test": "203.0.113.66", "x.sub.test": "198.51.100.7"}


def test_exim_cdb_by_domain(folder, scripted_dns, mxguard_config, exim):
    config = site_of(folder, scripted_dns, mxguard_config, {name: [address] for name, address in list(PEERS.items())[:2]},
                     policies=({"domains": [".sub.test"], "gateways": [{"name": "y", "allow": "ip4:198.51.100.7"}]},))
    export(config, "-o", str(folder / "gw.cdb"), "exim-cdb")
    running = exim(acl=f"acl_check_rcpt:\n  deny !hosts = ${{lookup{{$domain}}partial1-cdb{{{folder}/gw.cdb}}{{$value}}}}\n  accept\n")
    for address in PEERS.values():
        session = "EHLO c\r\nMAIL FROM:<>\r\n" + "".join(f"RCPT TO:<x@{domain}>\r\n" for domain in (*PEERS, "other.test"))
        replies = running.exim("-bh", address, data=f"{session}QUIT\r\n".encode()).stdout.decode().splitlines()[-5:-1]
        assert [reply[:3] for reply in replies] == ["250" if address == own else "550" for own in (*PEERS.values(), None)], replies


def test_postfix_by_domain(folder, scripted_dns, mxguard_config, postfix):
    """As the file itself proposes it; what stands behind it decides still."""
    config = site_of(folder, scripted_dns, mxguard_config, {name: [address] for name, address in list(PEERS.items())[:2]},
                     policies=({"domains": [".sub.test"], "gateways": [{"name": "y", "allow": "ip4:198.51.100.7"}]},))
    running = postfix(main={"virtual_mailbox_domains": "a.test evil.test x.sub.test sub.test b.a.test full.test",
                            "smtpd_restriction_classes": "$mxguard_sets", "mxguard_sets": "", "mxguard_recipients": "inline:{}",
                            "smtpd_recipient_restrictions": "reject_unauth_destination,check_recipient_access,$mxguard_recipients"
                            ",check_recipient_access,inline:{{full@a.test=REJECT full}}"})
    export(config, "-o", str(folder / "mxguard.cf"), "postfix-domains")
    proposed = next(line for line in (folder / "mxguard.cf").read_text().splitlines() if "postconf -e" in line)
    command = proposed[proposed.index("sed"):proposed.index("postconf -e")] + f"postconf -c {running.config} -e"
    subprocess.run(command.replace("FILE", str(folder / "mxguard.cf")), shell=True, check=True)
    running.read_again()

    def code(address: str, recipient: str) -> int:
        with smtp.Client(("192.0.2.1", 25), source=address, lmtp=False) as client:
            client.greet()
            client.mail("s@sender.example")
            return client.rcpt(recipient).code
    wait_until(lambda: code(PEERS["evil.test"], "x@a.test") == 554, "it is reloaded")
    for domain, own in PEERS.items():
        for address in PEERS.values():
            for recipient in (f"x@{domain}", f"X@{domain.upper()}"):
                assert code(address, recipient) == (250 if address == own else 554), (domain, address)
    for name in ("sub.test", "b.a.test"):  # no domain of ours is only part of a name
        assert code("203.0.113.66", f"x@{name}") == 250
    assert code(PEERS["a.test"], "full@a.test") == 554 and code(PEERS["a.test"], "x@elsewhere.example") == 554


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
    assert found["certificates"] == ["roaming"]
    assert {each["gateway"] for each in found["gateways"] if each["certificate"]} == {"shared-tls"}


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
