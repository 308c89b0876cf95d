# SPDX-License-Identifier: MIT
"""The set-up that README recommends, out of its own blocks: Postfix with the policy service in front of Dovecot with the
plugin. Nothing of another page is needed for it."""
import re
import textwrap

from mxg import build, postfix as postfix_config, smtp
from mxg.dns_script import answer
from mxg.dovecot import version
from mxg.process import wait_until

GATEWAY, SPAMMER = "192.0.2.10", "203.0.113.66"
USER = "user@example.com"


def blocks(section):
    text = (build.ROOT / "README.md").read_text(encoding="utf-8")
    text = re.search(rf"^### {re.escape(section)}\n(.*?)^##", text, re.M | re.S)[1]
    return [textwrap.dedent(block) for block in re.findall(r"(?:^    .*\n)+", text, re.M)]


def one(found, start):
    chosen = [block for block in found if block.startswith(start)]
    assert len(chosen) == 1, (start, found)
    return chosen[0]


def settings_of(block):
    folded = re.sub(r"\n\s+", " ", block)
    return dict(re.fullmatch(r"(\w+) = *(.*)", line).groups() for line in folded.splitlines())


def test_the_whole(postfix, dovecot, policy_service, scripted_dns, folder, network):
    door = blocks("Postfix: refuse at the door")
    plugin = next(each for each in blocks("Dovecot: LMTP, dovecot-lda") if ("$mail_plugins" in each) == (version() < (2, 4)))
    scripted_dns.update({("example.com", "MX"): answer("10 mx.example.com"), ("mx.example.com", "A"): answer(GATEWAY),
                         ("mx.example.com", "AAAA"): answer()})
    conf = folder / "mxguard.conf"
    conf.write_text(one(door, "trace = ") + 'mode = "enforce"; domains = [ "example.com" ];\n'
                    'gateways = ( { name = "current-mx"; allow = "mx"; } );\n'
                    f'dns = {{ servers = [ "{scripted_dns.server}" ]; }};\n')
    service = policy_service(conf, port=10033)

    main = {"myhostname": "mail.example.com", "mydomain": "example.com", "virtual_mailbox_domains": "example.com",
            **settings_of(one(door, "smtpd_recipient_restrictions")), **settings_of(one(door, "virtual_transport"))}
    place = main["virtual_transport"].removeprefix("lmtp:unix:")
    mta = postfix(main=main)
    listener = one(door, "service lmtp").replace(f"/var/spool/postfix/{place}", str(mta.queue / place))
    assert str(mta.queue) in listener
    setting = f"mxguard_config = {conf}\n"
    inside = dovecot(lmtp=[], place_mxguard=True,
                     extra=listener + plugin + (setting if version() >= (2, 4) else f"plugin {{\n{setting}}}\n"))
    mta.main.update(postfix_config.sasl_by(inside.auth_socket))
    mta.reload()  # no smtpd runs yet that could go on as it was

    refused = smtp.deliver(("192.0.2.1", 25), USER, lmtp=False, source=SPAMMER).rcpt[USER]
    assert refused.code == 550 and refused.lines[0].startswith("5.7.1 ")
    assert smtp.deliver(("192.0.2.1", 25), USER, lmtp=False, source=GATEWAY).final(USER).code == 250
    wait_until(lambda: inside.count(USER) == 1, "it is delivered", 60)
    with smtp.Client(("192.0.2.1", 25), source=SPAMMER, lmtp=False) as client:  # one of ours on the road
        client.greet()
        assert client.auth_plain(USER, "secret").code == 235
        client.mail(USER)
        assert client.rcpt(USER).code == 250 and client.data(smtp.message())[USER].code == 250
    wait_until(lambda: inside.count(USER) == 2, "it is delivered, too", 60)
    inside.wait_log(r"verdict=authenticated action=accept .*place=queued ")
    assert re.search(rf"verdict=direct action=reject .*place=door peer={re.escape(SPAMMER)} ", service.log())
    inside.wait_log(rf"verdict=authorized action=accept .*place=queued .*boundary={re.escape(GATEWAY)} hop=1 ")
    mta.stop()  # first, or Dovecot waits for its connections
