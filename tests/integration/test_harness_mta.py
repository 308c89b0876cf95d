# SPDX-License-Identifier: MIT
"""The test harness itself: Postfix and Exim before Dovecot."""
import shutil

from mxg import postfix as postfix_config
from mxg import smtp
from mxg.process import wait_until

SMTP = ("192.0.2.1", 25)
USER = "user@example.test"


def deliver(**keywords):
    return smtp.deliver(SMTP, USER, lmtp=False, **keywords)


def test_postfix_hands_on_to_dovecot(dovecot, postfix):
    store = dovecot(lmtp=[])
    mta = postfix(main=postfix_config.lmtp_to(store.socket))
    assert deliver(source="203.0.113.66").codes == {USER: 250}
    mta.sendmail(smtp.message(subject="local"), USER)
    wait_until(lambda: store.count(USER) == 2, "both are delivered")
    mta.wait_empty()
    first, second = store.messages(USER)
    assert b"from client.example (unknown [203.0.113.66])" in first + second
    assert b"by mail.example.test (Postfix, from userid 0)" in first + second
    with smtp.Client(SMTP, source="203.0.113.66", lmtp=False) as client:
        client.greet()
        client.mail("a@b.example")
        assert client.rcpt("someone@elsewhere.example").code == 554


def test_postfix_login_pipe_and_policy_service(dovecot, postfix, folder):
    store = dovecot(lmtp=[])
    box = folder / "box"
    box.mkdir()
    shutil.chown(box, "nobody")
    service = folder / "refuse-all"
    service.write_text('while read -r line && [ -n "$line" ]; do :; done\n'
                       'printf "action=550 5.7.1 refused\\n\\n"\n')
    keep = folder / "keep"
    keep.write_text(f'cat >"{box}/$1"\n')
    mta = postfix(
        main={"virtual_transport": "keep", "smtpd_recipient_restrictions":
              "permit_sasl_authenticated, check_policy_service unix:private/policy"},
        smtpd=[(*SMTP, postfix_config.sasl_by(store.auth_socket))],
        services=postfix_config.pipe_service(
            "keep", f"/bin/sh {keep} ${{client_address}}")
        + postfix_config.spawn_service(
            "policy", f"/bin/sh {service}"))
    assert deliver(source="203.0.113.66").final(USER).code == 550
    with smtp.Client(SMTP, source="203.0.113.66", lmtp=False) as client:
        client.greet()
        assert client.auth_plain(USER, "secret").code == 235
        client.mail("a@b.example")
        client.rcpt(USER)
        assert client.data(smtp.message())[USER].ok
    kept = box / "203.0.113.66"
    wait_until(lambda: kept.exists() and not mta.waiting(), "pipe(8) delivers")
    assert b"Authenticated sender" not in kept.read_bytes()


def test_postfix_sees_the_names_of_its_own_resolver(postfix, real_dns):
    real_dns({"113.0.203.in-addr.arpa": "66 PTR spam.example.test.\n",
              "example.test": "spam A 203.0.113.66\n"}, address="192.0.2.53", port=53)
    mta = postfix(resolver="192.0.2.53")
    deliver(source="203.0.113.66")
    mta.wait_log(r"connect from spam\.example\.test\[203\.0\.113\.66\]")


def test_exim_delivers(exim):
    mta = exim()
    assert deliver(source="203.0.113.66").codes == {USER: 250}
    mta.wait_log("Completed")
    text = mta.delivered.read_bytes()
    assert b"from [203.0.113.66] (helo=client.example)" in text and b"Hello." in text
    mta.sendmail(smtp.message(), USER)
    mta.run_queue()
    wait_until(lambda: mta.log().count("Completed") == 2, "the second is delivered")
    assert mta.waiting() == [] and mta.log("panic") == ""


def test_exim_hands_on_to_dovecot(exim, dovecot):
    store = dovecot(lmtp=[])
    mta = exim(transports=f"file:\n  driver = lmtp\n  socket = {store.socket}\n  user = nobody\n"
                          "  batch_max = 10\n")
    assert deliver(source="203.0.113.66").codes == {USER: 250}
    mta.wait_log("Completed")
    assert b"helo=client.example" in store.messages(USER)[0]
