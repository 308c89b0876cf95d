# SPDX-License-Identifier: MIT
"""`mxguard doctor --fleet`: what several hosts say of themselves is compared, and what they say cannot hurt."""
from __future__ import annotations

import json
import os
import pathlib

import pytest

from mxg.mxguard import mxguard


def say(config, *options: str) -> list[dict]:
    result = mxguard("doctor", "-c", config, "--no-dns", "--json", *options)
    assert result.returncode in (0, 1, 78), result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def host_of(findings: list[dict]) -> dict:
    (found,) = [each["host"] for each in findings if each["check"] == "host"]
    return found


def compare(*files, status: int = 0, **keywords) -> dict[str, dict]:
    """The findings by what they are about; with several of one kind, the last."""
    result = mxguard("doctor", "--fleet", "--json", *files, **keywords)
    assert result.returncode == status, (result.stdout, result.stderr)
    return {each["check"]: each for each in map(json.loads, result.stdout.splitlines())}


CHECKS = {f"fleet-{each}" for each in ("gateways", "configuration", "settings", "generation", "version", "dovecot", "postfix", "exim")}


HOST = {"at": "2026-11-29T09:00:00Z", "gateways": "01" * 32, "configuration": "02" * 32, "settings": "03" * 32, "generation": 1795000000,
        "version": "1.0.0", "dovecot": "2.3.19.1", "postfix": "3.7.11", "exim": None, "written": "2026-11-29T08:50:00Z", "age": 600}


@pytest.fixture
def hosts(folder):
    """Ten files of hosts that are alike; write(number, key=value, …) makes one differ."""
    def write(number: int, **changes) -> pathlib.Path:
        path = folder / f"host{number}"
        lines = [{"level": "warning", "check": "snapshot", "text": "the snapshot is 2 d old", "advice": None},
                 {"level": "ok", "check": "host", "text": "…", "advice": None, "host": HOST | {"name": f"mail{number}"} | changes}]
        path.write_text("".join(json.dumps(each) + "\n" for each in lines))
        return path
    return [write(number) for number in range(10)], write


def test_what_a_host_says(site):
    found = host_of(say(site.config))
    assert found["generation"] is None and found["version"] and len(found["gateways"]) == 64
    assert set(found) <= HOST.keys() | {"name"}
    site.refresh()
    later = host_of(say(site.config))
    assert set(later) == HOST.keys() | {"name"}
    generation = json.loads(mxguard("gateways", "-c", site.config, "--no-dns", "--json", "example.test").stdout)["generation"]
    assert later["generation"] == generation and 0 <= later["age"] < 600 and later["written"] and later["at"]
    assert later | {key: None for key in ("generation", "age", "written", "at")} == \
        found | {key: None for key in ("generation", "age", "written", "at")}


def test_contents_count_and_not_paths(site, folder):
    """Another path, order or comment is the same; each setting that decides shows, where it belongs."""
    first = host_of(say(site.config))
    site.configure(gateways=list(reversed(site.settings["gateways"])), domains=["other.test", "example.test"])
    site.config.write_text("# words\n" + site.config.read_text())
    same = host_of(say(site.config))
    keys = ("gateways", "configuration", "settings")
    assert [first[key] for key in keys] == [same[key] for key in keys]
    for changes, differs in (({"mode": "monitor"}, "settings"), ({"internal": ["10.0.0.1"]}, "settings"),
                             ({"policies": ({"domains": ["other.test"], "on_direct": "defer"},)}, "settings"),
                             ({"domains": ["example.test"]}, "configuration")):
        site.configure(**changes)
        now = host_of(say(site.config))
        assert now[differs] != same[differs], changes
        if differs == "settings":
            assert now["gateways"] == same["gateways"]
        same = now
    site.configure(gateways=[{"name": "x", "allow": "ip4:192.0.2.1"}])
    now = host_of(say(site.config))
    assert now["gateways"] != same["gateways"] and now["settings"] == same["settings"]


def test_alike(hosts):
    files, _ = hosts
    found = compare(*files)
    assert set(found) == CHECKS and {each["level"] for each in found.values()} == {"ok"}
    people = mxguard("doctor", "--fleet", *files)
    assert people.returncode == 0 and b"Nothing was found" in people.stdout


@pytest.mark.parametrize("key,value,level,status", [
    ("gateways", "ab" * 32, "error", 1), ("configuration", "cd" * 32, "error", 1), ("settings", "ef" * 32, "warning", 1),
    ("generation", 5, "warning", 1), ("generation", None, "warning", 1), ("version", "0.9", "warning", 1),
    ("dovecot", "9.9", "note", 0), ("postfix", "9.9", "note", 0), ("exim", "9.9", "note", 0)])
def test_one_differs(hosts, key, value, level, status):
    files, write = hosts
    write(3, **{key: value})
    found = compare(*files, status=status)
    assert found[f"fleet-{key}"]["level"] == level
    assert "mail3 has " in found[f"fleet-{key}"]["text"] and "mail4" not in found[f"fleet-{key}"]["text"]
    assert "9 of 10 have" in found[f"fleet-{key}"]["text"]
    assert {each["level"] for check, each in found.items() if check != f"fleet-{key}"} == {"ok"}


def test_the_newest_snapshot_is_the_model(hosts):
    """Where one host has fetched already, the others are behind, however many they are."""
    files, write = hosts
    newest = 4000000000
    write(3, generation=newest)
    text = compare(*files, status=1)["fleet-generation"]["text"]
    assert f"1 of 10 have {newest}" in text and "mail3 has" not in text and "mail4 has" in text


def test_many_that_differ_are_counted(hosts):
    files, write = hosts
    more = [write(number, version=f"1.{number}") for number in range(10, 40)]
    text = compare(*files, *more, status=1)["fleet-version"]["text"]
    assert "and 20 others" in text and "10 of 40 have" in text


def test_several_in_one_stream(hosts):
    files, _ = hosts
    together = b"".join(path.read_bytes() for path in files)
    assert "on all 10" in compare("-", data=together)["fleet-version"]["text"]


def test_a_host_without_a_configuration_is_told(hosts, folder, site):
    files, _ = hosts
    (folder / "broken.conf").write_text("mode = 7;\n")
    said = mxguard("doctor", "-c", folder / "broken.conf", "--json")
    assert said.returncode == 78
    (folder / "broken").write_bytes(said.stdout)
    assert "has none" in compare(*files, folder / "broken", status=1)["fleet-gateways"]["text"]


def test_twice_the_same_name(hosts):
    files, _ = hosts
    assert "mail0 is there more than once" in compare(*files, files[0], status=1)["fleet-file"]["text"]


HOSTILE = [b"", b"\0" * 5000, b"{", b"[" * 100000, b'{"host":' * 3000, b'{"host":7}\n{"host":null}\n{"host":[]}', b"\xff\xfe{}",
           b'{"check":"host"}', os.urandom(4096), b'{"host":{"name":"x"}' + b" " * 3000000]


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_files_that_are_none(hosts, folder, number):
    files, _ = hosts
    (folder / "bad").write_bytes(HOSTILE[number])
    found = compare(*files, folder / "bad", status=1)
    assert found["fleet-file"]["level"] == "error" and "on all 10" in found["fleet-version"]["text"]


def test_words_of_other_hosts_are_inert(hosts):
    """Neither a terminal nor a reader of lines is told anything by them; types that are wrong are nothing."""
    files, write = hosts
    write(1, name="\x1b[2J\x1b]0;x\x07evil\nerror fleet: all is well\u202e" + "n" * 5000, version="\x1b[31m" + "9" * 5000)
    write(2, gateways={"a": 1}, settings=["x"], generation="7", dovecot=True, version=1e300, postfix=-7)
    write(4, generation=2 ** 63 - 1, name=7)
    result = mxguard("doctor", "--fleet", "-v", *files)
    assert result.returncode == 1
    text = result.stdout.decode()
    assert "\x1b" not in text and "\x07" not in text and "\u202e" not in text and len(text) < 8000
    assert all(line.split()[0] in ("ok", "note", "warning", "error") or line.startswith("         ") for line in text.splitlines())
    assert b"\x1b" not in mxguard("doctor", "--fleet", "--json", *files).stdout


def test_missing_and_wrong_use(hosts, folder):
    files, _ = hosts
    found = compare(*files, folder / "missing", status=1)
    assert "No such file" in found["fleet-file"]["text"]
    for arguments in (("--fleet",), ("x",)):
        assert mxguard("doctor", *arguments).returncode == 64


def test_a_thousand_hosts(hosts, folder):
    files, _ = hosts
    line = next(each for each in files[0].read_text().splitlines() if '"host": {' in each)
    text = "".join(line.replace('"mail0"', f'"mail{number}"') + "\n" for number in range(1000))
    (folder / "all").write_text(text)
    assert "on all 1000" in compare(folder / "all")["fleet-version"]["text"]
