# SPDX-License-Identifier: MIT
"""`mxguard export zone` and `export rbldnsd`, with the servers that serve them."""
from __future__ import annotations

import ipaddress
import os
import pathlib
import random
import re
import time

import pytest

from mxg import dns_client
from mxg.dns_real import CachingDns
from mxg.dns_script import answer
from mxg.dns_zone import Nsd, Rbldnsd
from mxg.mxguard import check, mxguard
from mxg.process import free_port, program, run, wait_until

ZONE = "gateways.example.test"


def export(config, *arguments: str, status: int = 0) -> str:
    result = mxguard("export", "-c", config, *arguments)
    assert result.returncode == status, result.stderr
    return result.stdout.decode()


@pytest.fixture
def site_of(folder, mxguard_config):
    """A configuration whose gateways are these ranges; nothing is asked of anybody."""
    (folder / "state").mkdir(mode=0o755)
    return lambda *ranges: mxguard_config(
        {"mode": "enforce", "domains": ["example.test"], "state_dir": str(folder / "state"),
         "dns": {"servers": ["127.0.0.1:1"], "timeout": "1s"},
         "gateways": [{"name": "all", "allow": " ".join(f"ip{6 if ':' in each else 4}:{each}" for each in ranges)}]})


# ---- every address is what the set says -----------------------------------------------------------

def reverse_name(address) -> str:
    """What `%{ir}` makes of it (RFC 7208 §7.3)."""
    labels = str(address).split(".") if address.version == 4 else list(f"{int(address):032x}")
    return ".".join(reversed(labels))


def look_alikes(address, chance: random.Random):
    """Addresses of the other family whose names begin, from the zone's end, with the same labels."""
    if address.version == 4:
        labels = str(address).split(".")
        nibbles = "".join(each for each in labels if len(each) == 1)[:next(
            (i for i, each in enumerate(labels) if len(each) > 1), 4)]
        for tail in ("0" * 32, "f" * 32, "".join(chance.choice("0123456789abcdef") for _ in range(32))):
            yield ipaddress.IPv6Address(int((nibbles + tail)[:32], 16))
    else:
        head = f"{int(address):032x}"[:4]
        if head.isdecimal():
            yield ipaddress.IPv4Address(".".join(head))
            for count in range(1, 4):
                yield ipaddress.IPv4Address(".".join([*head[:count], *(str(chance.randrange(256)) for _ in range(4 - count))]))


def probes(ranges: list[str], chance: random.Random) -> set:
    """The borders of each range, both sides of them, and addresses in between and all over."""
    found = set()
    for network in map(ipaddress.ip_network, ranges):
        kind, top = type(network[0]), int(network[-1])
        most = network.max_prefixlen
        inside = [chance.randint(int(network[0]), top) for _ in range(20)]
        if network.num_addresses <= 256:
            inside += range(int(network[0]), top + 1)
        numbers = [int(network[0]) - 1, int(network[0]), int(network[0]) + 1, top - 1, top, top + 1, *inside]
        numbers += [int(network[0]) ^ 1 << bit for bit in range(most)] + [top ^ 1 << bit for bit in range(most)]
        found |= {kind(each) for each in numbers if 0 <= each < 1 << most}
    found |= {ipaddress.IPv4Address(chance.getrandbits(32)) for _ in range(60)}
    found |= {ipaddress.IPv4Address(bytes(chance.randrange(12) for _ in range(4))) for _ in range(120)}
    found |= {ipaddress.IPv6Address((2 << 124) + chance.getrandbits(124)) for _ in range(60)}
    found |= {like for each in list(found) for like in look_alikes(each, chance)}
    return {each for each in found if not (each.version == 6 and each.ipv4_mapped)}


RANGES = {
    "usual": ["192.0.2.0/24", "198.51.100.64/26", "203.0.113.6/31", "203.0.113.9", "10.128.0.0/9", "172.16.128.0/17",
              "2001:db8::/33", "2001:db8:8000::/48", "2001:db8:9000:25::/64", "2001:db8:a000::8/125", "2001:db8:b000::1/128",
              "2001:db8:c000::/45"],
    # 2.0.0.1 and 2001:db8:: have the same labels at the zone's end
    "octets that are nibbles": ["2.0.0.0/24", "2.0.1.0/31", "2.1.0.0/16", "2.4.0.0/14", "3.128.0.0/9", "5.5.5.0/24", "5.5.6.4/30",
                                "9.0.0.0/12", "9.9.9.9", "2001:db8::/48", "200a::/16", "2055:5::/33", "5550::/28", "9999::1"],
    "very wide": ["0.0.0.0/1", "2000::/3", "160.0.0.0/4", "fc00::/7"],
    "everybody": ["0.0.0.0/0", "::/0"],
    "IPv6 only": ["2000::/15"],
}


@pytest.mark.parametrize("kind", RANGES)
@pytest.mark.parametrize("form", ["zone", "rbldnsd"])
def test_every_address_is_what_the_set_says(site_of, folder, stack, form, kind):
    server = {"zone": Nsd, "rbldnsd": Rbldnsd}[form]
    if not server.available():
        pytest.skip(f"{form}: the server is not installed")
    ranges = RANGES[kind]
    networks = [ipaddress.ip_network(each) for each in ranges]
    wide = any(each.prefixlen < (12 if each.version == 4 else 28) for each in networks)
    file = folder / "gateways.zone"
    export(site_of(*ranges), "-o", str(file), form, status=1 if wide else 0)
    running = stack.enter_context(server(folder / "server", ZONE, file))
    asked = sorted(probes(ranges, random.Random(kind)), key=lambda each: (each.version, each))
    expected = [any(address.version == each.version and address in each for each in networks) for address in asked]
    found = running.has([reverse_name(address) for address in asked])
    assert [each for each, is_so, should in zip(asked, found, expected) if is_so != should] == []
    assert expected.count(True) > 150 and (expected.count(False) > 150 or kind == "everybody")
    assert dns_client.answers(running.endpoint, ZONE, "NS"), "a zone without a name server is none"


# ---- what the zone says of itself -------------------------------------------------------------------

def serial_of(text: str) -> int:
    return int(re.search(r"SOA (?:\d+ )?\S+ \S+ (\d+) ", text)[1])


@pytest.mark.parametrize("form", ["zone", "rbldnsd"])
def test_serial(site_of, folder, form):
    """It stays while nothing changes, and a change makes it newer as RFC 1982 counts, wherever it stood."""
    file = folder / "list"
    export(site_of("192.0.2.1"), "-o", str(file), form)
    first, before = file.read_text(), file.stat()
    export(site_of("192.0.2.1"), "-o", str(file), form)
    assert file.read_text() != "" and serial_of(file.read_text()) == serial_of(first)
    again = file.read_text().splitlines()
    assert again[1:] == first.splitlines()[1:]
    export(site_of("192.0.2.1/32"), "-o", str(file), form)
    assert serial_of(file.read_text()) == serial_of(first)
    number, changes = serial_of(first), [1, serial_of(first) + 5, 2 ** 31 - 1, 2 ** 31, 2 ** 31 + 1, 2 ** 32 - 2, 2 ** 32 - 1]
    for count, old in enumerate(changes):
        file.write_text(file.read_text().replace(f" {number} ", f" {old} "))
        kept = file.read_text()
        export(site_of(f"192.0.2.{count + 2}"), "-o", str(file), form)
        number = serial_of(file.read_text())
        assert 0 < (number - old) % 2 ** 32 < 2 ** 31, (old, number)
        assert number != 0 and file.read_text() != kept
        export(site_of(f"192.0.2.{count + 2}"), "-o", str(file), form)
        assert serial_of(file.read_text()) == number
    assert file.stat().st_mode & 0o777 == 0o644 and before.st_ino


def test_a_zone_that_says_the_same_is_not_touched(site_of, folder):
    """So that a server does not load it again. Other options are a change."""
    file = folder / "list"
    config = site_of("192.0.2.1")
    export(config, "-o", str(file), "zone")
    before = file.stat()
    export(config, "-o", str(file), "zone")
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    for options in (["--ttl", "1m"], ["--ns", "other.test"], ["--hostmaster", "me.other.test"], ["--zone", "z.test"]):
        old = serial_of(file.read_text())
        export(config, *options, "-o", str(file), "zone")
        assert serial_of(file.read_text()) > old, options


@pytest.mark.parametrize("form", ["zone", "rbldnsd"])
def test_a_new_zone_is_of_a_later_second(site_of, folder, form):
    """rbldnsd sees a new file by its time in whole seconds and its length, which 192.0.2.1/32 and 192.0.2.2/32 share."""
    file = folder / "list"
    export(site_of("192.0.2.1"), "-o", str(file), form)
    for number, (old, least, most) in enumerate([(1000, time.time() - 2, time.time() + 3600),
                                                 (now := int(time.time()) + 3600, now + 1, now + 1)], 2):
        os.utime(file, (old, old))
        export(site_of(f"192.0.2.{number}"), "-o", str(file), form)
        assert least <= int(file.stat().st_mtime) <= most, old


@pytest.mark.parametrize("text", ["$ORIGIN z.test.\n@ 3600 IN SOA ns.z.test. me.z.test. ( ; SOA 1 2 3\n\t2026112901 ; serial\n1 2 3 4 )\n",
                                  "; SOA a b 5\n@ IN soa a b 2026112901 1 2 3 4\n"])
def test_serial_of_a_zone_by_hand(site_of, folder, text):
    (folder / "list").write_text(text)
    export(site_of("192.0.2.1"), "-o", str(folder / "list"), "zone")
    assert serial_of((folder / "list").read_text()) == 2026112902, "the time is behind it"


@pytest.mark.parametrize("text", ["not a zone\n", "@ IN SOA a b", "@ IN SOA a b 4294967296 1 1 1 1\n", "@ IN SOA a b 1x 1 1 1 1\n"])
def test_what_has_no_serial_is_not_replaced(site_of, folder, text):
    """A serial that goes back would leave secondaries with the old addresses for ever."""
    (folder / "list").write_text(text)
    export(site_of("192.0.2.1"), "-o", str(folder / "list"), "zone", status=73)
    assert (folder / "list").read_text() == text


def test_options(site_of, folder):
    config = site_of("192.0.2.1", "2001:db8::1")
    text = export(config, "--zone", ZONE, "--ns", "ns1.example.test", "--ns", "ns2.example.test.", "--ttl", "90s",
                  "--hostmaster", "dns.example.test", "zone").splitlines()
    assert text[text.index(f"$ORIGIN {ZONE}.") + 1] == "$TTL 90"
    soa = next(line.split() for line in text if " SOA " in line)
    assert soa[:5] == ["@", "IN", "SOA", "ns1.example.test.", "dns.example.test."]
    assert soa[-1] == "90", "whoever was no gateway is one after the TTL, too"
    assert "@ NS ns1.example.test." in text and "@ NS ns2.example.test." in text
    assert "1.2.0.192 A 127.0.0.2" in text
    assert f"{reverse_name(ipaddress.ip_address('2001:db8::1'))} A 127.0.0.2" in text
    assert all(line[0] == ";" for line in text if "xport" in line)
    text = export(config, "rbldnsd", "--ns", "ns1.example.test", "--ttl", "90").splitlines()
    assert "$TTL 90" in text and "$NS 90 ns1.example.test." in text
    assert any(line.startswith("$SOA 90 ns1.example.test. hostmaster.ns1.example.test. ") for line in text)


@pytest.mark.parametrize("options,form", [
    (["--ttl", "0s"], "zone"), (["--ttl", "forever"], "zone"), (["--ttl", "0"], "zone"), (["--ttl", "9" * 40], "zone"), (["--ttl", "2w3"], "rbldnsd"), (["--ns", "a b"], "zone"),
    (["--ns", "a;b"], "zone"), (["--ns", ""], "zone"), (["--zone", "a\nb"], "zone"), (["--hostmaster", "me@x.test"], "zone"),
    (["--zone", ".".join(["a" * 60] * 4)], "zone"), (["--ttl", "1m"], "plain"), (["--zone", "x.test"], "json"),
    (["--ns", "x.test"], "postfix")])
def test_wrong_use(site_of, options, form):
    assert export(site_of("192.0.2.1"), *options, form, status=64) == ""


def test_zone_is_well_formed(site_of, folder):
    """NSD's own check says so, with and without the zone's name in the file."""
    if not program("nsd-checkzone"):
        pytest.skip("nsd is not installed")
    for options in ([], ["--zone", ZONE]):
        export(site_of("192.0.2.0/23", "2001:db8::/47"), *options, "-o", str(folder / "list"), "zone")
        result = run([program("nsd-checkzone"), ZONE, str(folder / "list")])
        assert result.returncode == 0 and b"warning" not in result.stdout + result.stderr, result
        (folder / "list").unlink()


# ---- a fleet ------------------------------------------------------------------------------------------

class Asker:
    """The one host that asks DNS: its gateways are an MX host's addresses."""

    def __init__(self, site, file: pathlib.Path, form: str) -> None:
        self.site, self.file, self.form = site, file, form
        site.configure(domains=["example.test"], gateways=[{"name": "mx", "allow": "mx"}])
        self.say("192.0.2.10")

    def say(self, *addresses: str) -> None:
        self.site.dns.set("gw.example.test", "A", answer(*addresses))
        self.site.refresh()
        export(self.site.config, "--ttl", "1s", "-o", str(self.file), self.form)


def others(mxguard_config, folder, servers) -> list[pathlib.Path]:
    """Hosts that know nothing but the zone, each with a resolver of its own."""
    found = []
    for number, server in enumerate(servers):
        state = folder / f"host{number}"
        state.mkdir(mode=0o755)
        found.append(mxguard_config({
            "mode": "enforce", "domains": ["example.test"], "state_dir": str(state),
            "gateways": [{"name": "fleet", "allow": f"exists:%{{ir}}.{ZONE}"}],
            "dns": {"servers": [server], "timeout": "5s"}}))
    return found


def verdicts(hosts, peer: str) -> set[str]:
    return {check(host, peer=peer, rcpt="a@example.test")["verdict"] for host in hosts}


def added_and_removed(asker: Asker, hosts: list[pathlib.Path], reload) -> None:
    """Each host has asked before, and its resolver keeps that answer: for a second, the zone's TTL."""
    for peer, verdict in (("192.0.2.10", "authorized"), ("192.0.2.11", "direct"), ("2001:db8::10", "authorized"),
                          ("2001:db8::11", "direct")):
        assert verdicts(hosts, peer) == {verdict}, peer
    asker.say("192.0.2.10", "192.0.2.11")
    reload()
    wait_until(lambda: verdicts(hosts, "192.0.2.11") == {"authorized"}, "the new address is known")
    assert verdicts(hosts, "192.0.2.10") == {"authorized"} and verdicts(hosts, "192.0.2.12") == {"direct"}


@pytest.mark.skipif(not (Nsd.available() and CachingDns.available()), reason="nsd or unbound is not installed")
def test_nsd_tells_its_secondaries(site, folder, stack, mxguard_config):
    """AXFR and NOTIFY: an address that is added on the one host is authorized on the others, which nobody touches."""
    asker = Asker(site, folder / "gateways.zone", "zone")
    ports = [free_port() for _ in range(3)]
    send = [f"notify: 127.0.0.1@{port} NOKEY" for port in ports[1:]]
    primary = stack.enter_context(Nsd(folder / "primary", ZONE, asker.file, ("provide-xfr: 127.0.0.1 NOKEY", *send), ports[0]))
    take = ("allow-notify: 127.0.0.1 NOKEY", f"request-xfr: AXFR 127.0.0.1@{ports[0]} NOKEY")
    secondaries = [stack.enter_context(Nsd(folder / f"secondary{port}", ZONE, None, take, port)) for port in ports[1:]]
    assert {each.serial() for each in secondaries} == {primary.serial()}
    caches = [stack.enter_context(CachingDns(folder / f"unbound{each.port}", each)) for each in secondaries]
    hosts = others(mxguard_config, folder, [each.server for each in caches])
    before = primary.serial()
    added_and_removed(asker, hosts, primary.reload)
    assert primary.serial() != before and {each.serial() for each in secondaries} == {primary.serial()}


@pytest.mark.skipif(not (Rbldnsd.available() and CachingDns.available()), reason="rbldnsd or unbound is not installed")
def test_rbldnsd_finds_the_new_file(site, folder, stack, mxguard_config):
    asker = Asker(site, folder / "gateways.list", "rbldnsd")
    server = stack.enter_context(Rbldnsd(folder / "rbldnsd", ZONE, asker.file))
    cache = stack.enter_context(CachingDns(folder / "unbound", server))
    added_and_removed(asker, others(mxguard_config, folder, [cache.server]), lambda: None)


def put(file: pathlib.Path, text: str, second: float) -> None:
    new = file.with_suffix(".new")
    new.write_text(text, encoding="ascii")
    os.utime(new, (second, second))
    new.rename(file)


def soa(serial: int) -> str:
    return f"ns.{ZONE}. me.{ZONE}. {serial} 60 60 60 60"


@pytest.mark.skipif(not Rbldnsd.available(), reason="rbldnsd is not installed")
def test_what_rbldnsd_takes_for_a_new_file(folder):
    """If it looks closer one day, export need not make the second a later one; a time in the future is as good as any."""
    file, now = folder / "list", int(time.time())
    text = lambda serial: f"$SOA 60 {soa(serial)}\n$NS 60 ns.{ZONE}\n$DATASET ip4trie @\n192.0.2.{serial}/32\n"
    put(file, text(1), now)
    with Rbldnsd(folder / "rbldnsd", ZONE, file) as server:
        put(file, text(2), now + 0.5)
        time.sleep(2.5)  # it looks each second
        assert server.serial() == 1
        for serial, second in ((3, now + 1), (44, now + 1), (45, now + 3600), (46, now)):
            put(file, text(serial), second)
            wait_until(lambda: server.serial() == serial, f"file {serial}")  # pylint: disable=cell-var-from-loop


@pytest.mark.skipif(not Nsd.available(), reason="nsd is not installed")
def test_what_nsd_takes_for_a_new_file(folder):
    """zonefiles-check: any other time, also one in the future, and back again."""
    file, now = folder / "zone", int(time.time())
    text = lambda serial: f"$TTL 60\n@ SOA {soa(serial)}\n@ NS ns.{ZONE}.\n"
    put(file, text(1), now)
    with Nsd(folder / "nsd", ZONE, file) as server:
        for serial, second in ((2, now + 0.5), (3, now + 1), (4, now + 3600), (5, now + 3601), (6, now + 2)):
            put(file, text(serial), second)
            server.reload()
            wait_until(lambda: server.serial() == serial, f"file {serial}")  # pylint: disable=cell-var-from-loop


@pytest.mark.skipif(not Nsd.available(), reason="nsd is not installed")
def test_a_zone_that_is_gone_is_no_answer(site, folder, stack, mxguard_config):
    """A server without the zone refuses: nobody is authorized by that, and nobody is refused."""
    asker = Asker(site, folder / "gateways.zone", "zone")
    server = stack.enter_context(Nsd(folder / "nsd", "other.test", asker.file))
    hosts = others(mxguard_config, folder, [server.server])
    assert verdicts(hosts, "192.0.2.10") == verdicts(hosts, "192.0.2.99") == {"unknown"}
