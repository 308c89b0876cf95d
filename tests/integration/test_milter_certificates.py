# SPDX-License-Identifier: MIT
"""Gateways that are known by their TLS client certificate, as Postfix and sendmail tell it to mxguard milter."""
from __future__ import annotations

import functools
import re

import pytest

from mxg import smtp
from mxg.certificates import fingerprint
from test_milter_postfix import SENDER, SMTP, USER, guarded as by_postfix  # noqa: F401
from test_milter_sendmail import guarded as by_sendmail  # noqa: F401
from test_policy_certificates import NAME, entry, issued, settings  # noqa: F401

NOBODY = ("forged", "customer", "slash", "comma", "longer", "unnamed", "twice")
say = functools.partial(smtp.reply_to_rcpt, SMTP, SENDER, USER)


@pytest.fixture
def postfix_told(by_postfix, issued):  # noqa: F811
    def start(*gateways, **main):
        certificate, key = issued["server"]
        return by_postfix(settings(*gateways), main={**main,
            "smtpd_tls_security_level": "may", "smtpd_tls_ask_ccert": "yes", "smtpd_tls_cert_file": str(certificate),
            "smtpd_tls_key_file": str(key), "smtpd_tls_CAfile": str(issued["authority"])})[0]
    return start


@pytest.fixture
def sendmail_told(by_sendmail, issued):  # noqa: F811
    def start(*gateways, features="define(`confCERT_FINGERPRINT_ALGORITHM', `sha256')"):
        certificate, key = issued["server"]
        key.chmod(0o600)
        return by_sendmail(settings(*gateways), features=f"""\
define(`confSERVER_CERT', `{certificate}')
define(`confSERVER_KEY', `{key}')
define(`confCACERT', `{issued["authority"]}')
define(`confCACERT_PATH', `{issued["authority"].parent}')
{features}""")[0]
    return start


@pytest.mark.parametrize("mta", ["postfix_told", "sendmail_told"])
def test_subject(request, mta, issued):  # noqa: F811
    service = request.getfixturevalue(mta)(entry(subject=NAME.upper(), verified=True))
    assert say(issued["gateway"]).code == 250
    for other in NOBODY:
        assert say(issued[other]).code == 550, other
    assert say(tls=False).code == say().code == 550
    assert len(re.findall("verdict=direct .* reason=peer-not-a-gateway", service.log())) == len(NOBODY) + 2


def test_fingerprint_by_sendmail(sendmail_told, issued):  # noqa: F811
    sendmail_told(entry(fingerprint=fingerprint(issued["forged"])))
    assert say(issued["forged"]).code == 250
    for other in (issued["gateway"], None):
        assert say(other).code == 550
    assert say(tls=False).code == 550


def test_fingerprint_by_postfix(postfix_told, issued):  # noqa: F811
    """It tells milters of none."""
    service = postfix_told(entry(fingerprint=fingerprint(issued["gateway"])))
    assert say(issued["gateway"]).code == 550
    assert "reason=certificate-not-told" in service.log()


def test_fingerprint_of_another_digest_by_sendmail(sendmail_told, issued):  # noqa: F811
    """What it takes by itself."""
    service = sendmail_told(entry(fingerprint=fingerprint(issued["gateway"])), features="")
    assert say(issued["gateway"]).code == 550
    assert "reason=certificate-not-told" in service.log()


def test_lists_of_macros_count_for_others(postfix_told, issued):  # noqa: F811
    """The milter asks by itself."""
    postfix_told(entry(subject=NAME, verified=True),
                 **{f"milter_{place}_macros": "j" for place in ("connect", "helo", "mail", "rcpt", "end_of_header")})
    assert say(issued["gateway"]).code == 250
    assert say(issued["customer"]).code == 550


def test_lists_of_macros_count_for_others_in_sendmail(sendmail_told, issued):  # noqa: F811
    sendmail_told(entry(subject=NAME, verified=True), features="\n".join(
        f"define(`confMILTER_MACROS_{place}', `j')" for place in ("CONNECT", "HELO", "ENVFROM", "ENVRCPT", "EOH")))
    assert say(issued["gateway"]).code == 250
    assert say(issued["customer"]).code == 550
