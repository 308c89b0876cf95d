# SPDX-License-Identifier: MIT
"""Gateways that are known by their TLS client certificate: real Postfix and Exim ask mxguard policy."""
from __future__ import annotations

import functools
import re

import pytest

from mxg import build, smtp
from mxg import policy_service as asking
from mxg.certificates import Authority, fingerprint, key_fingerprint
from mxg.exim import policy_acl

SMTP = ("192.0.2.1", 25)
ANYWHERE = "203.0.113.66"
USER = "user@example.test"
NAME = "mail.filter.example"


@pytest.fixture(scope="module")
def issued(module_folder):
    """name -> certificate and key"""
    authority = Authority(module_folder / "ca", "Test \\+ authority")
    pairs = {"server": authority.by_itself("server", "/CN=mail.example.test"),
             "gateway": authority.issue("gateway", f"/O=Filter, Inc\\+.\\/x/CN={NAME}"),
             "forged": authority.by_itself("forged", f"/CN={NAME}"),
             "customer": authority.issue("customer", "/CN=customer.example"),
             "slash": authority.issue("slash", f"/CN=customer.example\\/CN={NAME}"),
             "comma": authority.issue("comma", f"/O=x,CN={NAME}/CN=customer.example"),
             "longer": authority.issue("longer", f"/CN={NAME}.customer.example"),
             "twice": authority.issue("twice", f"/CN=customer.example/CN={NAME}"),
             "unnamed": authority.issue("unnamed", f"/O={NAME}")}
    return {"authority": authority.path, **pairs}


say = functools.partial(smtp.reply_to_rcpt, SMTP, "a@sender.example", USER)


def settings(*gateways):
    return {"mode": "enforce", "self": ["198.51.100.1"], "state_dir": "/nonexistent/mxguard",
            "authserv_id": "mxguard.example.test", "gateways": gateways}


def entry(name="cloud", allow=None, **certificate):
    return {"name": name, **({"allow": allow} if allow else {}), "certificate": certificate}


@pytest.fixture
def by_postfix(policy_service, mxguard_config, postfix, issued):
    def start(*gateways, **main):
        service = policy_service(mxguard_config(settings(*gateways)))
        certificate, key = issued["server"]
        mta = postfix(main={
            "smtpd_recipient_restrictions": f"check_policy_service {{ unix:{service.socket}, timeout=10s }}",
            "smtpd_error_sleep_time": "0", "smtpd_tls_security_level": "may", "smtpd_tls_ask_ccert": "yes",
            "smtpd_tls_cert_file": str(certificate), "smtpd_tls_key_file": str(key),
            "smtpd_tls_CAfile": str(issued["authority"]), **main})
        return service, mta
    return start


PEERDN = "tls_peerdn=${quote:$tls_in_peerdn}"


def common_name():
    """What mxguard-policy(8) says for an Exim on OpenSSL; one on GnuTLS must take it, too."""
    text = (build.ROOT / "docs" / "man" / "mxguard-policy.8").read_text(encoding="utf-8")
    return re.search(r"(?m)^\.Ql (ccert_subject=\$.*)$", text)[1]


@pytest.fixture
def by_exim(policy_service, mxguard_config, exim, issued):
    return exim_start(policy_service, mxguard_config, exim, issued, PEERDN)


@pytest.fixture
def by_exim_common_name(policy_service, mxguard_config, exim, issued):
    return exim_start(policy_service, mxguard_config, exim, issued, common_name())


def exim_start(policy_service, mxguard_config, exim, issued, says):
    def start(*gateways):
        service = policy_service(mxguard_config(settings(*gateways)))
        certificate, key = issued["server"]
        acl = policy_acl(service.socket)
        assert PEERDN in acl
        mta = exim(acl=acl.replace(PEERDN, says), tls_hosts="*", main=f"""\
tls_certificate = {certificate}
tls_privatekey = {key}
tls_try_verify_hosts = *
tls_verify_certificates = {issued["authority"]}
""")
        return service, mta
    return start


def last(service):
    return re.findall(r"mxguard: verdict=.*", service.log())[-1]


@pytest.mark.parametrize("mta", ["by_postfix", "by_exim", "by_exim_common_name"])
def test_fingerprint(request, mta, issued):
    """Of a certificate that no authority has verified; nobody else has its key."""
    service, _ = request.getfixturevalue(mta)(entry(fingerprint=fingerprint(issued["forged"])))
    assert say(issued["forged"]).code == 250
    assert re.search("verdict=authorized .* gateway=cloud term=certificate ", last(service))
    for other in (issued["gateway"], issued["customer"], None):
        assert say(other).code == 550
        assert "reason=peer-not-a-gateway" in last(service)
    assert say(tls=False).code == 550
    assert "reason=peer-not-a-gateway" in last(service)


@pytest.mark.parametrize("mta", ["by_postfix", "by_exim", "by_exim_common_name"])
def test_subject(request, mta, issued):
    service, _ = request.getfixturevalue(mta)(entry(subject=NAME.upper(), verified=True))
    assert say(issued["gateway"]).code == 250
    assert "verdict=authorized" in last(service)
    for other in ("forged", "customer", "slash", "comma", "longer", "unnamed", "twice"):
        assert say(issued[other]).code == 550, other
        assert "verdict=direct" in last(service)
    assert say(tls=False).code == say().code == 550


@pytest.mark.parametrize("mta", ["by_postfix", "by_exim", "by_exim_common_name"])
def test_beside_an_address(request, mta, issued):
    """A vendor's address is his other customers', too."""
    service, _ = request.getfixturevalue(mta)(
        entry(allow="ip4:192.0.2.0/24", fingerprint=fingerprint(issued["gateway"]).lower(), subject=NAME,
              verified=True))
    assert say(issued["gateway"], source="192.0.2.10").code == 250
    assert re.search("gateway=cloud term=ip4:192.0.2.0/24 ", last(service))
    for other in (issued["customer"], None):
        assert say(other, source="192.0.2.10").code == 550
        assert re.search('gateway=cloud .* reason=certificate-missing .*detail="the client', last(service))
    assert say(issued["gateway"]).code == 550
    assert "reason=peer-not-a-gateway" in last(service)


def test_public_key(by_postfix, issued):
    service, _ = by_postfix(entry(fingerprint=f"SHA256:{key_fingerprint(issued['forged'])}"))
    assert say(issued["forged"]).code == 250
    assert say(issued["gateway"]).code == 550


def test_another_digest(by_postfix, issued):
    """What Postfix takes below compatibility level 3.6. Refused, and the log says what to do."""
    service, _ = by_postfix(entry(fingerprint=fingerprint(issued["gateway"])), smtpd_tls_fingerprint_digest="md5")
    reply = say(issued["gateway"])
    assert reply.code == 550 and "smtpd_tls_fingerprint_digest" in reply.text.replace("\n5.7.1 ", " ")
    assert re.search("reason=certificate-not-told .*smtpd_tls_fingerprint_digest = sha256", last(service))
    assert say().code == 550
    assert "reason=peer-not-a-gateway" in last(service)


def test_postfix_does_not_ask(by_postfix, issued):
    service, _ = by_postfix(entry(fingerprint=fingerprint(issued["gateway"])), smtpd_tls_ask_ccert="no")
    assert say(issued["gateway"]).code == 550
    assert "verdict=direct" in last(service)


def test_resumed_session(by_postfix, issued):
    """A session that is taken up again shows the certificate no second time; Postfix remembers it."""
    import ssl
    service, _ = by_postfix(entry(fingerprint=fingerprint(issued["gateway"])))
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(*map(str, issued["gateway"]))
    session = None
    for reused in (False, True):
        with smtp.Client(SMTP, source=ANYWHERE, lmtp=False) as client:
            client.greet()
            client.command("STARTTLS")
            client.sock = context.wrap_socket(client.sock, session=session)
            session = client.sock.session
            assert client.sock.session_reused is reused
            client.hello()
            client.mail("a@sender.example")
            assert client.rcpt(USER).code == 250
            client.quit()
        assert "verdict=authorized" in last(service)


def test_request_of_hostile_words(policy_service, mxguard_config):
    """xtext that is none, or hides a NUL or a line end, is nobody's name."""
    service = policy_service(mxguard_config(settings(entry(subject=NAME, verified=True))))
    for subject, verdict in ((NAME, "authorized"), ("mail+2Efilter.example", "authorized"),
                             (f"{NAME}+00", "direct"), (f"{NAME}+00.x", "direct"), (f"{NAME}+0", "direct"),
                             (f"{NAME}+", "direct"), (f"{NAME}+0A", "direct"), (f"x+2C{NAME}", "direct"),
                             (f"/CN={NAME}", "direct"), (f"CN={NAME}", "direct"), ("", "direct"), (" ", "direct")):
        service.ask(ANYWHERE, ccert_subject=subject, ccert_issuer="x", ccert_fingerprint="", encryption_protocol="TLSv1.3")
        assert f"verdict={verdict} " in last(service), subject
    for told, verdict in (("1", "authorized"), ("0", "direct"), ("", "direct"), ("no", "direct")):  # who tells it is believed
        service.ask(ANYWHERE, ccert_subject=NAME, ccert_issuer="x", encryption_protocol="TLSv1.3", tls_certificate_verified=told)
        assert f"verdict={verdict} " in last(service), told
    with service.client() as client:  # the second of two is no answer, and nobody's name
        client.send(asking.request(ANYWHERE, ccert_subject="customer.example", encryption_protocol="TLSv1.3")[:-1]
                    + f"ccert_subject={NAME}\n\n".encode())
        assert client.answer() == ""
    service.ask(ANYWHERE, ccert_subject=NAME, encryption_protocol="")
    assert "verdict=direct " in last(service)
    service.ask(ANYWHERE)
    assert "reason=certificate-not-told" in last(service)
