# SPDX-License-Identifier: MIT
"""What each MTA writes on top of a message: its rules for every word that a client chooses.

A printer takes a Hop and returns the field, or None where the MTA would have refused the client.
"""
from __future__ import annotations

import dataclasses
import ipaddress
import random
import re
import string

HOST = set(string.ascii_letters + string.digits + ".-_")
DATE = "Mon, 23 Nov 2026 12:35:31 +0000"
QDATE = "23 Nov 2026 12:39:21 -0000"


@dataclasses.dataclass
class Hop:
    rng: random.Random
    address: str  # who connects
    helo: str
    by: str
    ptr: str = ""  # what the DNS says; "": nothing
    confirmed: bool = False  # and the name leads back to the address
    ident: str = ""
    login: str = ""  # not "": a login that succeeded
    tls: bool = False
    certificate: str = ""
    sender: str = "sender@client.example.net"

    @property
    def v6(self) -> bool:
        return ":" in self.address

    @property
    def id(self) -> str:
        return "%X" % self.rng.randrange(1 << 40, 1 << 44)

    def protocol(self, name: str = "ESMTP") -> str:
        return name + ("S" if self.tls else "") + ("A" if self.login else "")


def is_host(text: str) -> bool:
    return bool(text) and set(text) <= HOST and not text.startswith((".", "-")) and ".." not in text


def is_literal(text: str) -> bool:
    return bool(re.fullmatch(r"\[(IPv6:)?[0-9A-Fa-f:.]+\]", text))


def first_word(text: str, blanks: str = " ") -> str:
    parts = [part for part in re.split("[" + blanks + "]", text) if part]
    return parts[0] if parts else "x"


def plain_ptr(hop: Hop) -> str:
    """Of MTAs that take only a confirmed name of letters and digits."""
    return hop.ptr if hop.confirmed and is_host(hop.ptr) else ""


def postfix(hop: Hop) -> str | None:
    """smtpd.c: neuter() of HELO, valid and confirmed names only."""
    helo = "".join("?" if c in " <>()\\\";@\t" or ord(c) < 32 or ord(c) == 127 else c for c in hop.helo)
    if "\xff" in helo or "\x80" in helo:  # what is not UTF-8
        helo = "".join(c if ord(c) < 128 else "?" for c in helo)
    shown = f"IPv6:{hop.address}" if hop.v6 else hop.address
    text = f"Received: from {helo} ({plain_ptr(hop) or 'unknown'} [{shown}])\n"
    if hop.tls:
        text += "\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)\n" \
                "\t key-exchange X25519 server-signature RSA-PSS (2048 bits) server-digest SHA256)\n"
        # balanced(): the names are printed with () as they are only where they add up
        text += f"\t(Client CN \"{balanced(hop.certificate)}\", Issuer \"x\" (not verified))\n" \
            if hop.certificate else "\t(No client certificate requested)\n"
    if hop.login:
        text += f"\t(Authenticated sender: {balanced(hop.login)})\n"
    return text + f"\tby {hop.by} (Postfix) with {hop.protocol()} id {hop.id}\n" \
                  f"\tfor <alice@example.com>; {DATE} (UTC)\n"


def balanced(text: str) -> str:
    text = "".join(c if 32 <= ord(c) < 127 else "?" for c in text)
    depth = 0
    for c in text:
        depth += (c == "(") - (c == ")")
        if depth < 0:
            break
    return text if depth == 0 else text.replace("(", "?").replace(")", "?")


def broken_at_998(field: str) -> str:
    """Postfix smtp(8) breaks lines at 998 bytes on its way out."""
    lines = []
    for line in field.rstrip("\n").split("\n"):
        while len(line) > 998:
            lines.append(line[:998])
            line = " " + line[998:]
        lines.append(line)
    return "\n".join(lines) + "\n"


def exim(hop: Hop, junk: bool = False) -> str | None:
    """host.c; helo= is left out where it says nothing new."""
    helo, name = hop.helo, plain_ptr(hop)
    if not junk and not (set(helo) <= HOST or is_literal(helo)):
        return None
    words = []
    if helo.lower() != name.lower() and helo != f"[{hop.address}]":
        words.append(f"helo={helo}")
    if hop.ident:
        words.append("ident=" + "".join(c if 32 <= ord(c) < 127 else "?" for c in hop.ident[:127]))
    shown = f"[{hop.address}]" + (":4711" if hop.rng.random() < 0.1 else "")
    if name:
        fold = "\n\t" if len(name) > 60 else " "
        text = f"{name}{fold}({' '.join([shown, *words])})"
    else:
        text = shown + (f" ({' '.join(words)})" if words else "")
    protocol = hop.protocol("esmtp").lower()
    with_ = f"{protocol}  (TLS1.3) tls TLS_AES_256_GCM_SHA384\n\t(Exim 4.96)" if hop.tls else f"{protocol} (Exim 4.96)"
    return f"Received: from {text}\n\tby {hop.by} with {with_}\n\t(envelope-from <{hop.sender}>)\n" \
           f"\tid 1xVTHW-00000D-05\n\tfor alice@example.com;\n\t{DATE}\n"


def exim_junk(hop: Hop) -> str | None:
    return exim(hop, junk=True)


def uncompressed(address: str) -> str:
    return ":".join(f"{int(part, 16):x}" for part in ipaddress.ip_address(address).exploded.split(":"))


def sendmail(hop: Hop, bogus: bool = False) -> str | None:
    """srvrsmtp.c, and cleanstrcpy() of what the ident server says."""
    helo = hop.helo
    if bogus:
        helo = first_word(helo, " \t\r\x0b\x0c")
        helo = "".join("?" if c in "()<>@,;\"\\" or not 32 < ord(c) < 127 else c for c in helo)
    elif not set(helo) <= HOST | set("[]:"):
        return None
    name = hop.ptr if is_host(hop.ptr) else ""
    ident = "".join(c for c in hop.ident if c.isascii() and (c.isalnum() or c in "!#$%&'*+-./^_`{|}~"))
    shown = f"[IPv6:{uncompressed(hop.address)}]" if hop.v6 else f"[{hop.address}]"
    who = (ident + "@" if ident else "") + (name + " " if name else "") + shown
    if name and not hop.confirmed:
        who += " (may be forged)"
    empty = bogus and hop.rng.random() < 0.1
    text = f"Received: (from {who})\n" if empty else f"Received: from {helo} ({who})\n"
    if hop.login:
        text += "\t(authenticated bits=0)\n"
    text += f"\tby {hop.by} (8.17.1.9/8.17.1.9/Debian-2+deb12u2) with {hop.protocol()} id 6ANCaees000030\n"
    if hop.tls:
        text += "\t(version=TLSv1.3 cipher=TLS_AES_256_GCM_SHA384 bits=256 verify=NO)\n"
    return text + f"\tfor <alice@example.com>; {DATE}\n"


def sendmail_bogus(hop: Hop) -> str | None:
    return sendmail(hop, bogus=True)


def opensmtpd(hop: Hop, new: bool = False) -> str | None:
    """smtp_session.c: HELO is checked, the name is not confirmed; received-auth shows the login raw."""
    if not (is_host(hop.helo) or is_literal(hop.helo)):
        return None
    name = hop.ptr if hop.ptr and " " not in hop.ptr else "<unknown>"
    tls = " (TLSv1.3:TLS_AES_256_GCM_SHA384:256:NO)" if hop.tls else ""
    auth = f" auth=yes user={hop.login}" if hop.login and new else ""
    return f"Received: from {hop.helo} ({name} [{hop.address}])\n" \
           f"\tby {hop.by} (OpenSMTPD) with {hop.protocol()} id 1777c5ce{tls}{auth}\n" \
           f"\tfor <alice@example.com>;\n\t{DATE} (UTC)\n"


def opensmtpd_new(hop: Hop) -> str | None:
    return opensmtpd(hop, new=True)


def opensmtpd_masked(hop: Hop) -> str | None:
    """mask-src: mail from anywhere, and no word about it."""
    if not (is_host(hop.helo) or is_literal(hop.helo)):
        return None
    return f"Received: \n\tby {hop.by} (OpenSMTPD) with {hop.protocol()} id b97df448\n" \
           f"\tfor <alice@example.com>;\n\t{DATE} (UTC)\n"


def courier(hop: Hop) -> str | None:
    """submit.C, with a resolver that lets only plain names through."""
    helo = "".join("_" if c in " \t\r" or ord(c) < 32 else c for c in hop.helo)
    shown = hop.address if hop.v6 else f"::ffff:{hop.address}"
    name = hop.ptr + " " if hop.confirmed and is_host(hop.ptr) else ""
    words = []
    if hop.ident:
        words.append("IDENT: " + hop.ident.replace("\r", " "))
    if hop.login:
        words.append("AUTH: PLAIN " + hop.login.replace("\r", " "))
    if hop.tls:
        words.append("TLS: TLS_AES_256_GCM_SHA384")
    text = f"Received: from {helo} ({name}[{shown}])\n" + (f"  ({', '.join(words)})\n" if words else "")
    return text + f"  by {hop.by} with {hop.protocol()}\n" \
                  f"  id 0000000000AE22AE.000000006B043459.00000050; {DATE}\n"


def qmail(hop: Hop) -> str | None:
    """received.c safeput()."""
    def safe(text: str) -> str:
        return "".join(c if c.isascii() and (c.isalnum() or c in ".@%+/=:[]-") else "?" for c in text)
    name = safe(hop.ptr) if hop.ptr else "unknown"
    helo = f" (HELO {safe(hop.helo)})" if hop.helo.lower() != name.lower() else ""
    ident = safe(hop.ident) + "@" if hop.ident else ""
    return f"Received: (qmail 35 invoked from network); {QDATE}\n" \
           f"Received: from {name}{helo} ({ident}{hop.address})\n  by {hop.by} with {hop.protocol()}; {QDATE}\n"


def qpsmtpd(hop: Hop) -> str | None:
    """SMTP.pm; the name comes with the resolver's escapes."""
    name = "".join(c if c in HOST else f"\\{ord(c):03d}" for c in hop.ptr) or "Unknown"
    cipher = "(TLS_AES_256_GCM_SHA384 encrypted) " if hop.tls else ""
    return f"Received: from {name} (HELO {first_word(hop.helo)}) ({hop.address})\n" \
           f" by {hop.by} (qpsmtpd/0.94) with {cipher}{hop.protocol()}; {DATE}\n"


def haraka(hop: Hop) -> str | None:
    """connection.js; c-ares puts a backslash before some of the name's bytes."""
    name = re.sub(r"([()@\\;\"$])", r"\\\1", hop.ptr)
    name = name + " " if name else hop.rng.choice(("", "Unknown ", "NXDOMAIN "))
    login = " (authenticated bits=0)" if hop.login else ""
    tls = " (version=TLSv1.3 cipher=TLS_AES_256_GCM_SHA384)" if hop.tls else ""
    return f"Received: from {first_word(hop.helo)} ({name}[{hop.address}])\n" \
           f"\tby {hop.by} (Haraka/3.3.4) with {hop.protocol()} id 3CE30E8A-4506-431F-A35A-2D0525DD1D45.1\n" \
           f"\tenvelope-from <{hop.sender}>{login}{tls};\n\t{DATE}\n"


def chasquid(hop: Hop) -> str | None:
    """conn.go; with a login the address is left out."""
    helo = first_word(hop.helo, " \t")
    where = f"from {helo}" if hop.login else f"from [{hop.address}] ({helo})"
    tls = "\ttls TLS_AES_128_GCM_SHA256\n\t(over SMTP, TLS-1.3" if hop.tls else "\t(over SMTP, plain text!"
    return f"Received: {where}\n\tby {hop.by} (chasquid) with {hop.protocol()}\n" \
           f"{tls}, envelope from \"{hop.sender}\")\n\t; {DATE}\n"


def dovecot(hop: Hop, protocol: str = "LMTP") -> str | None:
    """lib-smtp: a HELO that is none becomes "unknown"."""
    helo = hop.helo if is_host(hop.helo) or is_literal(hop.helo) else "unknown"
    return f"Received: from {helo} ([{hop.address}])\n\tby {hop.by} with {hop.protocol(protocol)}\n" \
           f"\tid mBL4OX82BGshAAAAZSTCqQ\n\t(envelope-from <{hop.sender}>)\n\tfor <alice@example.com>; {DATE}\n"


def dovecot_lmtp(hop: Hop) -> str | None:
    return None if hop.login else dovecot(hop)


def dovecot_submission(hop: Hop) -> str | None:
    return dovecot(hop, "ESMTP") if hop.login else None


def dovecot_socket(by: str, helo: str) -> str:
    return f"Received: from {helo}\n\tby {by} with LMTP\n\tid aFy+LOY2BGsXAQAAHv2SYw\n" \
           f"\t(envelope-from <a@b.example>)\n\tfor <alice@example.com>; {DATE}\n"


def cyrus(hop: Hop) -> str | None:
    """lmtpengine.c: HELO as it came."""
    if hop.login:
        return None
    name = (hop.ptr + " ") if hop.confirmed and is_host(hop.ptr) else ""
    return f"Received: from {hop.helo} ({name}[{hop.address}])\n\t by {hop.by} (Cyrus 3.6.1-Debian-3.6.1-4+deb12u5)" \
           f" with LMTPA;\n\t {DATE}\n"


def cyrus_socket(by: str, helo: str) -> str:
    return f"Received: from {helo} ([unix socket])\n\t by {by} (Cyrus 3.6.1-Debian-3.6.1-4+deb12u5) with LMTPA;\n" \
           f"\t {DATE}\n"


def amavis(hop: Hop) -> str:
    """Between two passes through Postfix on the same host."""
    return f"Received: from localhost (localhost [127.0.0.1])\n\tby {hop.by} (Postfix) with ESMTP id {hop.id}\n" \
           f"\tfor <alice@example.com>; {DATE} (UTC)\n" \
           f"Received: from {hop.by} ([127.0.0.1])\n by localhost ({hop.by} [127.0.0.1]) (amavis, port 10024) with " \
           f"ESMTP\n id neckdLFIeLDA for <alice@example.com>;\n {DATE} (UTC)\n"


def fetched(rng: random.Random, by: str) -> str:
    """From a mailbox server of ours."""
    return rng.choice((
        f"Received: from 198.51.100.10 [198.51.100.10]\n\tby {by} with IMAP (fetchmail-6.4.37)\n"
        f"\tfor <alice@example.com> (single-drop); {DATE} (UTC)\n",
        f"Received: from 198.51.100.10 (198.51.100.10:143) by {by} with\n  IMAP4 getmail6 msgid:1795439246/2; {QDATE}\n"))


def exim_passes_on(field: str) -> str:
    """receive.c: a bare CR in a header line becomes a fold."""
    return field.replace("\r", "\n ")


# Body lines that begin with a blank become part of their own field.
CONTINUES = {courier, qmail, haraka, dovecot_lmtp}
SMTP = (postfix, exim, exim_junk, sendmail, sendmail_bogus, opensmtpd, opensmtpd_new, opensmtpd_masked, courier,
        qmail, qpsmtpd, haraka,
        chasquid, dovecot_lmtp, dovecot_submission, cyrus)
TYPE = {postfix: "postfix", exim: "exim", exim_junk: "exim", sendmail: "sendmail", sendmail_bogus: "sendmail",
        opensmtpd_masked: "opensmtpd", opensmtpd: "opensmtpd", opensmtpd_new: "opensmtpd",
        courier: "courier", qmail: "qmail", qpsmtpd: "qpsmtpd",
        haraka: "haraka", chasquid: "chasquid", dovecot_lmtp: "dovecot", dovecot_submission: "dovecot", cyrus: "cyrus"}


def local(rng: random.Random, by: str) -> tuple[str, str]:
    """(MTA, field) of mail that the host made itself."""
    return rng.choice((
        ("postfix", f"Received: by {by} (Postfix, from userid 1000)\n\tid D8E5; {DATE} (UTC)\n"),
        ("postfix", f"Received: by {by} (Postfix)\n\tid D8E5; {DATE} (UTC)\n"),
        ("exim", f"Received: from alice by {by} with local (Exim 4.96)\n\t(envelope-from <a@b>)\n\tid 1x-1;\n\t{DATE}\n"),
        ("exim", f"Received: from root (helo=localhost)\n\tby {by} with local-esmtp (Exim 4.96)\n\tid 1x-1;\n\t{DATE}\n"),
        ("sendmail", f"Received: (from alice@localhost)\n\tby {by} (8.17.1.9/8.17.1.9/Submit) id 6ANC\n\tfor a@b; {DATE}\n"),
        ("sendmail", f"Received: from localhost (localhost)\n\tby {by} (8.17.1.9/8.17.1.9) id 6ANC;\n\t{DATE}\n"),
        ("opensmtpd", f"Received: from localhost ({by} [local])\n\tby {by} (OpenSMTPD) with ESMTPA id 1777c5ce;\n"
                      f"\t{DATE} (UTC)\n"),
        ("courier", f"Received: from localhost (localhost [127.0.0.1])\n  (uid 1000)\n  by {by} with local\n"
                    f"  id 0000000000AE22AE.000000006B043459.00000050; {DATE}\n"),
        ("haraka", f"Received: (Haraka outbound); {DATE}\n"),
        ("qmail", f"Received: (qmail 35 invoked by uid 1000); {QDATE}\n"),
        ("qmail", f"Received: (qmail 35 invoked for bounce); {QDATE}\n"),
        ("nullclient", f"Received: (nullmailer pid 117 invoked by uid 1000);\n\t{DATE}\n"),
        ("nullclient", f"Received: by {by} (sSMTP sendmail emulation); {DATE}\n"),
        ("nullclient", f"Received: from alice (uid 1000)\n\t(envelope-from a@b)\n\tid acc6af\n\tby {by} (DragonFly Mail "
                       f"Agent v0.13);\n\t{DATE}\n")))
