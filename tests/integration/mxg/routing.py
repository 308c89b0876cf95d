# SPDX-License-Identifier: MIT
"""Real mail servers that take whatever recipient a stranger writes, without mxguard, and hand it on
to sinks. Each set-up has three hosted domains, and users of the host itself."""
from __future__ import annotations

import contextlib
import functools
import pathlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .dovecot import Dovecot, Settings
from .exim import Exim, policy_acl
from .fate import SENDER, Fate, Talk, fates
from .opensmtpd import OpenSmtpd
from .postfix import Postfix
from .process import temporary_folder, wait_until
from .sendmail import Sendmail
from .sink import DoorRecorder, LmtpSink
from .spellings import HOST, Spelling

STRICT, STREET, SOFT = "strict.example", "strasse.example", "soft.example"
BELOW = "strict.example.test"  # below the host's own domain: some MTAs append that to a single label
DOMAINS = (STRICT, STREET, SOFT, BELOW)
SMTP = ("192.0.2.1", 25)
SENDMAIL_SINK = """M{name}sink, P=[IPC], F=lzmDFMuXnA, U=root, E=\\r\\n, T=DNS/RFC822/SMTP,
\tS=EnvFromSMTP/HdrFromSMTP, R=EnvToSMTP/HdrFromSMTP,
\tA=TCP 127.0.0.1 {port}
"""


@dataclass(frozen=True)
class Setup:
    """SYSTEM: users of the host are those of strict.example; their mailboxes are the same. CATCH_ALL:
    the mailbox is the same whatever the domain. SLOW: a delivery takes some tenth of a second."""
    name: str
    run: Callable[["Setup", pathlib.Path, Sequence[Spelling]], list[Fate]]
    options: tuple = ()
    system: bool = False
    catch_all: bool = False
    available: Callable[[], bool] = Postfix.available
    slow: bool = True

    def fates(self, spellings: Sequence[Spelling]) -> list[Fate]:
        with temporary_folder() as folder:
            return self.run(self, folder, spellings)

    def domain(self, sink: str, recipient: str) -> str:
        """The domain of the mailbox where SINK gets mail for RECIPIENT."""
        domain = recipient.rpartition("@")[2].casefold().rstrip(".")
        local = sink == "local" or not set(domain.split(".")) - {""}
        if self.catch_all or (self.system and local):
            return STRICT
        return HOST if local else domain


def _sinks(folder: pathlib.Path, stack: contextlib.ExitStack, *names: str) -> dict[str, LmtpSink]:
    return {name: stack.enter_context(LmtpSink(folder / name)) for name in names}


def _postfix(setup: Setup, folder: pathlib.Path, spellings: Sequence[Spelling]) -> list[Fate]:
    with contextlib.ExitStack() as stack:
        sinks = _sinks(folder, stack, "virtual", "local", "default")
        door = stack.enter_context(DoorRecorder(folder / "door"))
        mta = stack.enter_context(Postfix(folder / "postfix", main=postfix_main(setup, f"unix:{door.path}") | {
            f"{name}_transport": f"lmtp:unix:{sink.path}" for name, sink in sinks.items()}))

        return fates(spellings, SMTP, sinks, lambda: mta.wait_empty(120), door)


def postfix_main(setup: Setup, policy: str) -> dict[str, str]:
    """README's restrictions with Postfix's own defaults around them."""
    hosted = [domain for domain in DOMAINS if not (setup.system and domain == STRICT)]
    return {"virtual_mailbox_domains": " ".join(hosted), "recipient_delimiter": "+", "mynetworks": "127.0.0.1/32",
            "mydestination": f"$myhostname, localhost.$mydomain, localhost{f', {STRICT}' if setup.system else ''}",
            "local_recipient_maps": "static:anybody", "virtual_mailbox_maps": "static:anybody",
            "smtpd_recipient_restrictions": "permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination, "
                                            f"check_policy_service {policy}",
            "smtpd_error_sleep_time": "0", "smtpd_soft_error_limit": "100000", "smtpd_hard_error_limit": "100000",
            "smtpd_junk_command_limit": "100000", **dict(setup.options)}


def _exim(setup: Setup, folder: pathlib.Path, spellings: Sequence[Spelling]) -> list[Fate]:
    with contextlib.ExitStack() as stack:
        sinks = _sinks(folder, stack, "virtual", "local")
        door = stack.enter_context(DoorRecorder(folder / "door"))
        options = dict(setup.options)
        routers = "virtual:\n  driver = accept\n  domains = " + " : ".join(DOMAINS) + "\n  local_part_suffix = +*\n" \
            "  local_part_suffix_optional\n  transport = virtual\nlocal:\n  driver = accept\n  transport = local\n"
        mta = stack.enter_context(Exim(
            folder / "exim", acl=policy_acl(door.path), routers=routers,
            main="smtp_max_synprot_errors = 0\nsmtp_accept_max_nonmail = 1000000\n" + options.get("main", ""),
            transports="".join(f"{name}:\n  driver = lmtp\n  socket = {sink.path}\n  user = nobody\n"
                               for name, sink in sinks.items()),
            domains=" : ".join([options.get("local", "@ : localhost"), *DOMAINS])))
        settle = functools.partial(wait_until, lambda: not mta.waiting(), "all are delivered", 120, 0.2)
        return fates(spellings, SMTP, sinks, settle, door)


def _sendmail(setup: Setup, folder: pathlib.Path, spellings: Sequence[Spelling]) -> list[Fate]:
    """LMTP over TCP: sendmail trusts no unix socket below /tmp."""
    with contextlib.ExitStack() as stack:
        sinks = {name: stack.enter_context(LmtpSink(("127.0.0.1", port)))
                 for name, port in (("virtual", 2401), ("local", 2402))}
        local = f"LOCAL_DOMAIN(`{STRICT}')\n" if setup.system else ""
        hosted = [domain for domain in DOMAINS if not (setup.system and domain == STRICT)]
        mta = stack.enter_context(Sendmail(
            folder / "sendmail", routes={domain: "virtualsink:x" for domain in hosted},
            features=f"define(`confLOCAL_MAILER', `localsink')\n{local}",
            mailers="".join(SENDMAIL_SINK.format(name=name, port=sink.path[1]) for name, sink in sinks.items())))
        # A subdomain is relayed, and its name looked up in vain: that stays in the queue.
        settle = functools.partial(wait_until, lambda: set(mta.waiting()) <= set(mta.tried()),
                                   "all are tried", 120, 0.2)
        return fates(spellings, SMTP, sinks, settle, most=20)


def _opensmtpd(setup: Setup, folder: pathlib.Path, spellings: Sequence[Spelling]) -> list[Fate]:
    with contextlib.ExitStack() as stack:
        sinks = _sinks(folder, stack, "virtual", "local")
        action = 'lmtp "{}" rcpt-to virtual {{ "@" = nobody }}'
        rules = [f'action "local" {action.format(sinks["local"].path)}', 'match from any for local action "local"',
                 'match from any for domain "[192.0.2.1]" action "local"',
                 *(f'match from any for domain "{domain}" action "ours"' for domain in DOMAINS)]
        mta = stack.enter_context(OpenSmtpd(folder / "opensmtpd", action=action.format(sinks["virtual"].path),
                                            rules="\n".join(rules), listen=("192.0.2.1",)))
        return fates(spellings, SMTP, sinks, lambda: mta.wait_empty(120), most=15)


def _dovecot(setup: Setup, folder: pathlib.Path, spellings: Sequence[Spelling]) -> list[Fate]:
    """LMTP that strangers reach; the user's mailbox, as DOMAIN/USER, is the recipient."""
    with dovecot(setup, folder, {}) as store, Talk(("192.0.2.1", 24), lmtp=True) as talk:
        found = [Fate(each, talk.say(each, SENDER.format(number))) for number, each in enumerate(spellings)]
        for path in store.mail.glob("**/new/*"):
            number = int(re.search(rb"<s(\d+)@sender", path.read_bytes())[1])
            domain, user = path.relative_to(store.mail).parts[:2]
            found[number].ended.append(("dovecot", f"{user}@{domain}"))
        return found


def dovecot(setup: Setup, folder: pathlib.Path, mxguard: dict[str, str]) -> Dovecot:
    """Dovecot whose users' mail is at DOMAIN/USER. The settings are those of 2.3."""
    options = dict(setup.options)

    class Homes(Dovecot):
        def write_config(self) -> None:
            super().write_config()
            text = self.config.read_text(encoding="utf-8")
            self.config.write_text(text.replace("/%Lu allow_all", f"/{options['home']} allow_all"), encoding="utf-8")
    return Homes(folder / "dovecot", Settings(process_limit=4, mxguard=mxguard, extra=options["extra"]))


SETUPS = (
    Setup("postfix", _postfix, slow=False),
    Setup("postfix-no-percent-no-bang", _postfix, (("allow_percent_hack", "no"), ("swap_bangpath", "no")),
          slow=False),
    Setup("postfix-system-users", _postfix, system=True, slow=False),
    Setup("postfix-append-domain", _postfix, (("append_dot_mydomain", "yes"),), slow=False),
    Setup("exim", _exim, available=Exim.available),
    Setup("exim-percent-hack", _exim,
          (("local", "@ : @[] : localhost"), ("main", "percent_hack_domains = *\nallow_domain_literals\n")),
          available=Exim.available),
    Setup("sendmail", _sendmail, available=Sendmail.available),
    Setup("sendmail-system-users", _sendmail, system=True, available=Sendmail.available),
    Setup("opensmtpd", _opensmtpd, available=OpenSmtpd.available),
)
DOVECOTS = (
    Setup("dovecot", _dovecot,
          (("home", "%Ld/%Ln"), ("extra", "auth_username_format = %Lu\nrecipient_delimiter = +\n")), slow=False),
    Setup("dovecot-any-character", _dovecot, (("home", "%Ld/%Ln"), ("extra", "auth_username_chars =\n"))),
    Setup("dovecot-user-only", _dovecot,
          (("home", "all/%Ln"), ("extra", "auth_username_format = %Ln\n")), catch_all=True, slow=False),
)
