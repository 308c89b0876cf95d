# SPDX-License-Identifier: MIT
"""Domains that come from a folder of files, or from a program (`domains_command`): what is taken, what is refused, and who
then knows it."""
from __future__ import annotations

import pytest

from mxg.mxguard import check, mxguard
from mxg.postgresql import PostgreSQL

GATEWAYS = [{"name": "mx", "allow": "mx"}]


def listed(site, *names: str) -> None:
    for name in names:
        site.dns.set(name, "MX", "10 gw.example.test")


def script(site, text: str) -> str:
    path = site.folder / "list-domains"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def judged(site, domain: str, peer: str = "192.0.2.10"):
    found = check(site.config, peer=peer, rcpt=f"a@{domain}")
    return found["verdict"], found["reason"]


@pytest.fixture
def commanded(site):
    """A site whose list is what a file says, printed by cat."""
    listed(site, "a.test", "b.test", "c.test", "d.test", "e.test", "f.test")
    (site.folder / "list").write_text("a.test\nb.test\nC.test.\n# not a domain\n\n  d.test  \ne.test\n")
    site.configure(domains=[], gateways=GATEWAYS, domains_command=f"cat {site.folder}/list")
    return site


def test_what_a_command_prints(commanded):
    found = commanded.refresh()
    assert found["domains"] == 5 and found["list"] == "current" and found["added"] == 5
    for domain in ("a.test", "c.test", "d.test"):
        assert judged(commanded, domain) == ("authorized", "gateway-match")
    assert judged(commanded, "f.test") == ("unknown", "foreign-domain")  # its MX would authorize


def test_words_are_kept_as_they_are(site):
    """No shell: what would be one is an argument."""
    listed(site, "a.test", "b.test")
    mark = site.folder / "mark"
    site.configure(domains=[], gateways=GATEWAYS, domains_command=script(site, 'for a; do echo "$a"; done') +
                   f""" a.test "b.""test" '# $(touch {mark})' '; touch {mark}' """.replace("; touch", "# ; touch"))
    assert site.refresh()["domains"] == 2 and not mark.exists()
    site.configure(domains_command=[str(site.folder / "list-domains"), "a.test", f"#; touch {mark} `touch {mark}`"])
    assert site.refresh("--force")["domains"] == 1 and not mark.exists()


@pytest.mark.parametrize("command", ["", "   ", "./list", "sub/list", "cat 'open", [], ["./cat"], 7])
def test_commands_that_are_none(site, command):
    site.configure(domains=[], domains_command=command)
    result = mxguard("refresh", "-c", site.config)
    assert result.returncode == 78 and b"domains_command: " in result.stderr, result.stderr


def test_not_beside_a_file(site):
    (site.folder / "domains").write_text("a.test\n")
    site.configure(domains=[], domains_file=str(site.folder / "domains"), domains_command="cat /dev/null")
    result = mxguard("refresh", "-c", site.config)
    assert result.returncode == 78 and b"domains_file" in result.stderr


FAILURES = {
    "exit status": ("cat LIST; exit 3", "exit status 3"),
    "signal": ("cat LIST; kill -9 $$", "signal 9"),
    "nothing": ("true", "no domain"),
    "a line that is no domain": ("cat LIST; echo '(5 rows)'", "(5 rows)"),
    "shrunk": ("head -3 LIST", "more than a fifth"),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failure_keeps_the_list(commanded, failure):
    commanded.refresh()
    what, said = FAILURES[failure]
    commanded.configure(domains_command=script(commanded, what.replace("LIST", f"{commanded.folder}/list")))
    result = mxguard("refresh", "-c", commanded.config, "--quiet")
    assert result.returncode == 75
    assert "warning: domains_command: " in result.stderr.decode() and said in result.stderr.decode()
    assert judged(commanded, "d.test") == ("authorized", "gateway-match")
    assert judged(commanded, "f.test") == ("unknown", "foreign-domain")
    found = commanded.refresh("--strict", status=1)
    assert found["list"] == "kept" and found["domains"] == 5 and found["list_kept_since"]


def test_a_failure_is_told_until_it_is_mended(commanded):
    def told() -> tuple[str, str]:
        mxguard("refresh", "-c", commanded.config, "--metrics-file", str(commanded.folder / "m.prom"))
        result = mxguard("doctor", "-c", commanded.config, "--no-dns")
        assert result.stdout, result
        return result.stdout.decode(), (commanded.folder / "m.prom").read_text()

    heard = commanded.folder / "heard"
    variables = " ".join(f"$MXGUARD_ALARM_{name}" for name in ("NAME", "TYPE", "KIND", "BEFORE", "NOW", "HELD", "NEW"))
    commanded.refresh()
    commanded.configure(domains_command="false", on_alarm=f'echo "{variables}" >> {heard}')
    for new in (1, 0):
        report, metrics = told()
        assert heard.read_text().splitlines()[-1] == f"domains_command - list-kept 5 0 1 {new}"
        assert "domains_command has failed" in report and "5 domains" in report and "mxguard_domains_kept 1" in metrics
    commanded.configure(domains_command=f"cat {commanded.folder}/list")
    assert commanded.refresh()["list"] == "current"
    report, metrics = told()
    assert "domains_command" not in report and "mxguard_domains_kept 0" in metrics
    assert len(heard.read_text().splitlines()) == 2


def test_a_shorter_list_that_is_meant(commanded):
    commanded.refresh()
    (commanded.folder / "list").write_text("a.test\n")
    assert commanded.refresh(status=75)["domains"] == 5
    found = commanded.refresh("--force")
    assert found["domains"] == 1 and found["removed"] == 4
    assert judged(commanded, "b.test") == ("unknown", "foreign-domain")


def test_no_list_at_all(commanded):
    """Nobody guesses: neither with a list that never was, nor with none."""
    assert judged(commanded, "a.test") == ("unknown", "domains-unreadable")
    commanded.configure(domains_command="/nonexistent/program")
    result = mxguard("refresh", "-c", commanded.config)
    assert result.returncode == 75 and b"no list from before" in result.stderr
    assert not commanded.snapshot.exists()
    assert judged(commanded, "a.test") == ("unknown", "domains-unreadable")
    told = mxguard("doctor", "-c", commanded.config, "--no-dns").stdout.decode()
    audited = mxguard("audit", "-c", commanded.config)
    assert audited.returncode == 75 and audited.stdout == b"" and b"domains_command" in audited.stderr
    assert "domains-command: domains_command has given no list yet" in told and "outside domains" not in told


def test_front_ends_do_not_run_it(commanded):
    mark = commanded.folder / "mark"
    commanded.configure(domains_command=script(commanded, f"cat {commanded.folder}/list; echo >> {mark}"))
    commanded.refresh()
    for command in (["gateways", "a.test"], ["export", "plain"], ["doctor", "--no-dns"]):
        mxguard(*command[:1], "-c", commanded.config, *command[1:])
    judged(commanded, "a.test")
    assert mark.read_text().count("\n") == 1


def test_export_takes_the_list_of_the_snapshot(commanded):
    result = mxguard("export", "-c", commanded.config, "exim-domains")
    assert result.returncode == 75 and b"snapshot" in result.stderr
    commanded.refresh()
    result = mxguard("export", "-c", commanded.config, "exim-domains")
    assert result.returncode == 0 and b"d.test" in result.stdout and b"f.test" not in result.stdout


def test_a_mailbox_of_the_host(commanded):
    """user@hostname may be the mailbox of any of our domains: of those that the snapshot knows."""
    commanded.configure(hostname="mail.example.test", default_domain="a.test")
    assert judged(commanded, "mail.example.test")[0] == "unknown"
    commanded.refresh()
    assert judged(commanded, "mail.example.test") == ("authorized", "gateway-match")
    assert judged(commanded, "mail.example.test", peer="203.0.113.9")[0] != "authorized"


def test_hosts_that_fetch_need_no_command(commanded, mxguard_config):
    commanded.refresh("--publish", str(commanded.folder / "published"))
    commanded.configure(domains_command="/nonexistent/program", state_dir=str(commanded.folder / "other"))
    result = mxguard("refresh", "-c", commanded.config, "--fetch", str(commanded.folder / "published"))
    assert result.returncode == 0, result.stderr
    assert judged(commanded, "a.test") == ("authorized", "gateway-match")


# ---- a file that is no list --------------------------------------------------------------------

LOG = "".join(f"Nov  1 00:00:{n:02} mail postfix/smtpd[77]: connect from x.test[203.0.113.{n}]\n" for n in range(60))
GARBAGE = {
    "emptied": (b"", b"no domain at all"),
    "comments": (b"# moved to the new panel\n\n", b"no domain at all"),
    "bytes": (bytes(range(256)) * 300, b"fewer domains"),
    "noughts": (bytes(70000), b"fewer domains"),
    "page": (b"<!DOCTYPE html>\n<html>\n<body>\n<h1>502 Bad Gateway</h1>\na.test\n</body>\n</html>\n", b"fewer domains"),
    "log": (LOG.encode(), b"fewer domains"),
    "cut": (b"a.test\nb.test\n" + b"c.test, d.test, e.test\n", b"more than a fifth"),
}


@pytest.fixture
def filed(commanded):
    """The same list as a file."""
    del commanded.settings["domains_command"]
    commanded.configure(domains_file=str(commanded.folder / "list"))
    return commanded


@pytest.mark.parametrize("what", GARBAGE)
def test_a_file_that_is_no_list_keeps_the_list(filed, what):
    """As where domains_command fails; and nothing turns into a stranger's domain, with a snapshot or without."""
    heard, (garbage, said) = filed.folder / "heard", GARBAGE[what]
    filed.configure(on_alarm=f'echo "$MXGUARD_ALARM_NAME $MXGUARD_ALARM_KIND $MXGUARD_ALARM_BEFORE" > {heard}')
    assert filed.refresh()["list"] == "current"
    (filed.folder / "list").write_bytes(garbage)
    result = mxguard("refresh", "-c", filed.config, "--quiet")
    assert result.returncode == 75 and b"warning: domains_file: " in result.stderr and said in result.stderr
    assert b"the list from before stays" in result.stderr and heard.read_text() == "domains_file list-kept 5\n"
    found = filed.refresh("--due", status=75)
    assert found["list"] == "kept" and found["domains"] == 5
    assert judged(filed, "d.test") == ("authorized", "gateway-match")
    assert judged(filed, "f.test") == ("unknown", "foreign-domain")
    told = mxguard("doctor", "-c", filed.config, "--no-dns").stdout
    assert b"domains-file: domains_file has been no list" in told and b"5 domains" in told
    exported = mxguard("export", "-c", filed.config, "exim-domains")
    assert exported.returncode == 0 and all(f"{name}.test".encode() in exported.stdout for name in "abcde")
    filed.snapshot.unlink()
    if what != "cut":
        assert judged(filed, "f.test") == ("unknown", "domains-unreadable")
        assert mxguard("export", "-c", filed.config, "exim-domains").returncode in (75, 78)
        assert mxguard("refresh", "-c", filed.config).returncode == 75 and not filed.snapshot.exists()


def test_a_file_that_somebody_has_edited(filed):
    """Fewer domains, all of them whole lines: that is meant. With a wrong line it may be, too: then --force."""
    filed.refresh()
    (filed.folder / "list").write_text("a.test\nb.test\nc.test\nd.test\nno..domain\n")
    assert mxguard("refresh", "-c", filed.config).returncode == 78
    assert filed.refresh("--due", status=78)["domains"] == 4
    (filed.folder / "list").write_text("a.test\nno..domain\n")
    assert filed.refresh(status=75)["domains"] == 4
    assert filed.refresh("--force", status=78)["domains"] == 1
    (filed.folder / "list").write_text("a.test\nb.test\nc.test\nd.test\ne.test\n")
    assert filed.refresh()["domains"] == 5
    (filed.folder / "list").write_text("a.test\n")
    assert filed.refresh()["domains"] == 1 and judged(filed, "b.test") == ("unknown", "foreign-domain")


def test_a_file_that_is_not_begun(filed):
    """Beside domains of the configuration's own."""
    filed.configure(domains=["a.test"])
    (filed.folder / "list").write_text("# one a line\n")
    assert filed.refresh()["domains"] == 1 and filed.refresh("--due")["list"] == "current"
    (filed.folder / "list").write_text("b.test\n")
    assert filed.refresh("--due")["domains"] == 2
    (filed.folder / "list").write_text("")
    assert filed.refresh("--due", status=75)["domains"] == 2
    assert judged(filed, "b.test") == ("authorized", "gateway-match")


# ---- a folder of files -------------------------------------------------------------------------


def test_a_folder(site):
    listed(site, "a.test", "b.test", "c.test", "d.test")
    folder = site.folder / "domains.d"
    folder.mkdir()
    for name, text in (("one", "a.test\n"), ("two", "b.test"), ("three", "\n"), (".hidden", "c.test\n"),
                       ("one~", "c.test\n"), ("four.dpkg-old", "c.test\n"), ("five", "d.test\n")):
        (folder / name).write_text(text)
    site.configure(domains=[], gateways=GATEWAYS, domains_file=str(folder))
    for _ in range(2):  # from the files, then from the snapshot
        assert judged(site, "a.test")[0] == judged(site, "b.test")[0] == judged(site, "d.test")[0] == "authorized"
        assert judged(site, "c.test") == ("unknown", "foreign-domain")
        assert site.refresh()["domains"] == 3
    (folder / "two").write_text("b.test\nno..domain\n")
    result = mxguard("refresh", "-c", site.config)
    assert result.returncode == 78 and b"domains.d/two:2" in result.stderr


@pytest.mark.parametrize("spoil", ["others may write", "link", "folder"])
def test_a_folder_with_a_file_that_is_not_to_be_trusted(site, spoil):
    """Without it, its domains would be nobody's."""
    folder = site.folder / "domains.d"
    folder.mkdir()
    (folder / "one").write_text("example.test\n")
    (folder / "two").write_text("other.test\n")
    site.configure(domains=[], gateways=GATEWAYS, domains_file=str(folder))
    site.refresh()
    before = site.snapshot.read_bytes()
    if spoil == "others may write":
        (folder / "two").chmod(0o666)
    else:
        (folder / "two").unlink()
        (folder / "two").symlink_to("one") if spoil == "link" else (folder / "two").mkdir()
    result = mxguard("refresh", "-c", site.config)
    assert result.returncode == 78 and b"domains.d/two" in result.stderr
    assert site.snapshot.read_bytes() == before
    site.snapshot.unlink()
    assert judged(site, "example.test")[0] == "authorized"
    assert judged(site, "third.test") == ("unknown", "domains-unreadable")


# ---- a real database ---------------------------------------------------------------------------


@pytest.fixture
def postgres(folder, stack, root):
    if not PostgreSQL.available():
        pytest.skip("PostgreSQL is not installed")
    return stack.enter_context(PostgreSQL(folder / "pg"))


def test_postgresql(site, postgres):
    """The line of mxguard.conf(5), with a panel that adds and removes domains."""
    listed(site, *(f"d{i}.test" for i in range(12)))
    postgres.sql("CREATE TABLE domain (name text PRIMARY KEY, active boolean NOT NULL)")
    postgres.sql("INSERT INTO domain SELECT 'd' || i || '.test', i < 10 FROM generate_series(0, 10) i")
    site.configure(domains=[], gateways=GATEWAYS, domains_command=(
        f'psql -AtXq -h {postgres.folder} -U postgres -d postgres '
        '-c "SELECT name FROM domain WHERE active ORDER BY 1"'))
    assert site.refresh()["domains"] == 10
    assert judged(site, "d9.test") == ("authorized", "gateway-match")
    assert judged(site, "d10.test") == ("unknown", "foreign-domain")
    postgres.sql("UPDATE domain SET active = true WHERE name = 'd10.test'")
    postgres.sql("DELETE FROM domain WHERE name = 'd3.test'")
    site.dns.forget_questions()
    found = site.refresh("--due")
    assert (found["added"], found["removed"], found["domains"]) == (1, 1, 10)
    assert set(site.dns.asked()) == {("d10.test", "MX")}
    assert judged(site, "d10.test") == ("authorized", "gateway-match")
    assert judged(site, "d3.test") == ("unknown", "foreign-domain")
    postgres.stop()
    found = site.refresh("--due", status=75)
    assert found["list"] == "kept" and found["domains"] == 10
    assert judged(site, "d10.test") == ("authorized", "gateway-match")
