# SPDX-License-Identifier: MIT
"""The users' own Sieve scripts: what is put aside passes through them, and what they send on to
another local domain is judged there by the gateways of the first."""
import re

import pytest

from mxg import smtp
from mxg.dns_script import answer
from mxg.dovecot import MAIL_GROUP, MAIL_USER, version
from mxg.process import run
from test_dovecot_rcpt import GATEWAY, LMTP, SPAMMER, USER, dns_policy, line, policy, server  # noqa: F401
from test_dovecot_ways import SMTP, arrives, behind_postfix, send  # noqa: F401

if version() >= (2, 4):
    SIEVE = {"extra": "sieve_script personal {\n  driver = file\n  path = ~/sieve\n"
                      "  active_path = ~/.sieve\n}\n"}
else:
    SIEVE = {"extra": "", "plugin": {"sieve": "file:~/sieve;active=~/.sieve"}}
SUBMISSION = ("127.0.0.1", 10025)
ALIAS, ALIAS_GATEWAY = "box@other.test", "198.51.100.20"
BY = {"trace": {"mta": ["postfix", "dovecot"], "by": ["mail.example.test"]}}


@pytest.fixture
def scripted(server):
    """server(…), with Sieve; script(user, text) is the user's."""
    def start(settings, extra="", **keywords):
        return with_scripts(server(settings, lmtp_plugins=["sieve"],
                                   **{**SIEVE, "extra": SIEVE["extra"] + extra}, **keywords))
    return start


def with_scripts(running):
    def script(user, text):
        home = running.mail / user
        home.mkdir(exist_ok=True)
        (home / ".sieve").write_text(text)
        run(["chown", "-R", f"{MAIL_USER}:{MAIL_GROUP}", str(home)], check=True)
    running.script = script
    return running


def test_what_is_put_aside_passes_through_it(scripted):
    running = scripted(policy(on_untraced="direct", on_direct_queued="quarantine"))
    running.script(USER, 'require ["fileinto", "mailbox"];\n'
                         'if header :contains "Subject" "mine" { fileinto :create "Mine"; }\n'
                         'if header :contains "Subject" "away" { discard; }\n')
    for subject in ("mine", "other", "away"):
        assert smtp.deliver(running.socket, USER, smtp.message(subject=subject)).final(USER).ok
    assert running.count(USER, "Mine") == 1 and running.count(USER, "Junk") == 1
    assert running.count(USER) == 0


def test_what_is_refused_never_comes_to_it(scripted):
    running = scripted(policy())
    running.script(USER, 'redirect "elsewhere@other.test";\n')
    assert smtp.deliver(LMTP, USER, source=SPAMMER).codes == {USER: 550}
    assert "sieve" not in running.log().lower()


@pytest.fixture(params=["submission", "sendmail"])
def two_domains(request, behind_postfix, scripted_dns, folder):
    """Postfix before Dovecot; box@other.test's script redirects to user@example.test, by SMTP or by
    sendmail(1), whose local form then stands on top. Each of the two domains has a gateway of its own, and a third one's is the spammer."""
    for domain, gateway in (("example.test", "gw1"), ("other.test", "gw2"), ("evil.test", "evil")):
        scripted_dns.set(domain, "MX", f"10 {gateway}.example.test")
    for name, address in (("gw1", GATEWAY), ("gw2", ALIAS_GATEWAY), ("evil", SPAMMER)):
        scripted_dns.set(f"{name}.example.test", "A", address)
        scripted_dns.set(f"{name}.example.test", "AAAA", answer())
    own = folder / "postfix0" / "etc"  # where sendmail(1) looks, too
    own.mkdir(parents=True)
    submit = "submission_host = %s:%d\n" % SUBMISSION if request.param == "submission" else ""
    running = with_scripts(behind_postfix(
        dns_policy(scripted_dns, domains=["example.test", "other.test"], **BY),
        main={"virtual_mailbox_domains": "example.test other.test"},
        smtpd=[(*SMTP, {}), (*SUBMISSION, {})], lmtp_plugins=["sieve"], files={"/etc/postfix": own},
        **{**SIEVE, "extra": SIEVE["extra"] + submit}))
    running.script(ALIAS, f'redirect "{USER}";\n')
    running.form = b"[127.0.0.1])" if submit else b"(Postfix, from userid "
    return running


def test_redirected_by_the_script_of_another_local_domain(two_domains):
    """The address before the script counts by the `for` that our Postfix wrote at the boundary."""
    running = two_domains
    send(ALIAS_GATEWAY, ALIAS)
    arrives(running, 1)
    assert running.count(ALIAS) == 0
    found = line(running, rcpt=f"<{USER}>", verdict="authorized", boundary=ALIAS_GATEWAY)
    assert int(re.search(r" hop=(\d+)", found)[1]) > 1 and running.form in running.messages(USER)[0]
    send(ALIAS_GATEWAY, USER)  # it is not a gateway of the second domain itself
    arrives(running, 1, "Junk")
    line(running, rcpt=f"<{USER}>", verdict="direct", boundary=ALIAS_GATEWAY)


def test_spam_to_the_first_address_is_not_washed_by_its_script(two_domains):
    """Put aside at the first address, it is redirected all the same: the script is the user's."""
    running = two_domains
    send(SPAMMER, ALIAS)
    arrives(running, 1, "Junk")
    line(running, rcpt=f"<{ALIAS}>", verdict="direct")
    line(running, rcpt=f"<{USER}>", verdict="direct", boundary=SPAMMER)


def test_forged_orcpt_changes_nothing(two_domains):
    """Neither with a domain whose gateway the spammer is, nor with one of ours."""
    running = two_domains
    for number, (source, forged) in enumerate(((SPAMMER, "x@evil.test"), (ALIAS_GATEWAY, ALIAS)), 1):
        with smtp.Client(SMTP, source=source, lmtp=False) as client:
            client.greet()
            client.mail("a@b.example")
            assert client.rcpt(USER, f"ORCPT=rfc822;{forged}").ok
            client.accepted = [USER]
            assert client.data(smtp.message())[USER].ok
        arrives(running, number, "Junk")
        line(running, rcpt=f"<{USER}>", verdict="direct", boundary=source)
    # nor does the spammer's where a redirect follows
    with smtp.Client(SMTP, source=SPAMMER, lmtp=False) as client:
        client.greet()
        client.mail("a@b.example")
        assert client.rcpt(ALIAS, "ORCPT=rfc822;x@evil.test").ok
        assert client.data(smtp.message())[ALIAS].ok
    arrives(running, 3, "Junk")
    assert running.count(USER) == 0
