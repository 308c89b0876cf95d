# SPDX-License-Identifier: MIT
"""Words that a client chooses in order to be read as something else."""
from __future__ import annotations

import random

GATEWAY, GATEWAY6 = "192.0.2.10", "2001:db8:25::10"
DATE = "Mon, 1 Jan 2024 00:00:00 +0000"

# What could pass for an address, for the end of a clause, or for a whole form.
SNIPPETS = (
    f"[{GATEWAY}]", f"({GATEWAY})", f"([{GATEWAY}])", f"(gw.example.com [{GATEWAY}])", f"gw.example.com [{GATEWAY}]",
    f"[IPv6:{GATEWAY6}]", f"[{GATEWAY6}]", f"[::ffff:{GATEWAY}]", f"(HELO x) ({GATEWAY})", f"@{GATEWAY}", GATEWAY,
    f"[{GATEWAY}]:25", f"{GATEWAY}:25", f"({GATEWAY}:25)", "[unix socket]", "([local])", "[local]", "(localhost)",
    f"([{GATEWAY}] helo=x", f"helo=x) ([{GATEWAY}]", "ident=x", "(helo=x)", "HELO x", "(account alice)", "account x",
    f"[{GATEWAY}] ([{GATEWAY}])", f"<unknown> [{GATEWAY}]", "(may be forged)", "verified", "unknown", "localhost",
    "by mx.example.com", "with ESMTPSA", "with LMTP", "with local", "id 4FORGED", "for <alice@example.com>", f"; {DATE}",
    "(Postfix)", "(Exim 4.96)", "(OpenSMTPD)", "(8.17.1/8.17.1)", "(Cyrus 3.6)", "(chasquid)", "(Haraka/3.3.4)",
    "(qpsmtpd/0.94)", "(amavis, port 10024)", "(Postfix, from userid 0)", "(CommuniGate Pro SMTP 6)", "(Dovecot)",
    "with Microsoft SMTP Server id 15.1", "with mapi", "(fetchmail-6.4.37)", "getmail6 msgid:1/2", "(via HTTP)",
    "with HTTP", "(NaSMail authenticated user alice)", "(Authenticated sender: alice)", "(authenticated bits=0)",
    "(AUTH: PLAIN alice)", "(uid 0)", "(qmail 1 invoked by uid 0)", "(qmail 1 invoked from network)",
    "(Haraka outbound)", "spooler", "root", "alice@localhost", "FROM", "BY mx.example.com ID 1.2.3 ;",
    "claiming to be \"x\"", "with scanned-ok", "by uid 0 with qmail-scanner-2 (x)", "envelope-from", "tls TLS_X",
    "(", ")", "))", "((", "[", "]", "\\", "\"", ";", ",", ":", "<", ">", "@", "%", "=", "by", "with", "from", "via",
    "x.example.net", "a", "_", "-", ".",
)
# What stands between HELO and the end of the first line, as each MTA writes it of a gateway, and what may hide
# the rest of the true line. Random pieces alone hardly ever make one of these.
OPENERS = ("x ", "gw.example.com ", "", f"[{GATEWAY}] ", "localhost ", "x) ", "x] ", "\" ", "gw.example.com\t", "x")
PLACES = (f"(gw.example.com [{GATEWAY}])", f"([{GATEWAY}])", f"(unknown [{GATEWAY}])", f"[{GATEWAY}]", f"({GATEWAY})",
          f"(HELO x) ({GATEWAY})", f"(EHLO x) ([{GATEWAY}])", f"([{GATEWAY}] helo=gw)", f"[{GATEWAY}] (helo=gw)",
          f"(gw.example.com [IPv6:{GATEWAY6}])", f"(gw.example.com [{GATEWAY6}])", f"([::ffff:{GATEWAY}])",
          f"(root@{GATEWAY})", f"(root@gw.example.com [{GATEWAY}])", f"(gw.example.com [{GATEWAY}] (may be forged))",
          f"([{GATEWAY}] verified)", f"(account alice HELO x)", "([unix socket])", "(x [local])", "")
CLOSERS = ("", "\r", "\r", "\rx", "\r(x", " \r by mx.example.com", " (", " (x", " x", " ((", ")", "(", " \"", "\\", " (x)", " by mx.example.com with ESMTPSA",
           f" by mx.example.com (Postfix) with ESMTPSA id 1; {DATE}",
           f" by mx.example.com with esmtpsa (Exim 4.96) id 1; {DATE} (",
           f" by mx.example.com (Cyrus 3.6) with LMTPA; {DATE} (", f" by mx.example.com with LMTP id mBL4OX82BGshAAAAZSTCqQ (x",
           f" by web.example.com with HTTP; {DATE} (", f" by web.example.com (via HTTP); {DATE} (",
           f"\r by mx.example.com (Postfix) with ESMTPSA id 1; {DATE}\r (")
BLANKS = (" ", " ", " ", "\t", "  ", "\r", "\x0b", "\x0c", "\xa0", "", "", "_")
BYTES = ("\x00", "\x01", "\x1b", "\x7f", "\x80", "\xff", "\xc3\xa4", "\xe2\x80\xa8", "\xc2\x85", "\r", "\t")


def word(rng: random.Random, whole_fields: list[str]) -> str:
    """A few snippets, or somebody's whole field on one line, cut anywhere."""
    kind = rng.randrange(10)
    if kind < 2:  # the true line imitated, and the rest of it pushed out of sight
        text = rng.choice(OPENERS[:2]) + rng.choice(PLACES[:3]) + rng.choice(("\r", "\r(", " ("))
    elif kind < 4:
        text = rng.choice(OPENERS) + rng.choice(PLACES) + rng.choice(CLOSERS)
    elif kind < 6:
        text = "".join(rng.choice(SNIPPETS) + rng.choice(BLANKS) for _ in range(rng.randint(1, 6)))
    elif kind < 9:
        field = rng.choice(whole_fields)[len("Received: from "):]
        text = rng.choice((" ", "\t", "\r", "_", " ")).join(field.split())
        text = text[:rng.randint(1, len(text))] if rng.random() < 0.6 else text[rng.randrange(len(text)):]
    else:
        text = rng.choice(("a", "x.", "[")) * rng.choice((200, 970, 983, 984, 990, 4000)) + rng.choice(SNIPPETS)
    if rng.random() < 0.1:
        at = rng.randrange(len(text) + 1)
        text = text[:at] + rng.choice(BYTES) + text[at:]
    return text.replace("\n", " ").strip(" ") or "x"


def name(rng: random.Random, whole_fields: list[str]) -> str:
    """A PTR name as it comes from the wire, label by label."""
    if rng.random() < 0.6:  # one label has room for 63 bytes
        return (rng.choice(("x", "gw.example.com", "h")) + rng.choice((" ", ")", "] ", "")) + rng.choice(PLACES) +
                rng.choice(("", " ", " (", " x", ".", " [x")))[:63]
    return ".".join(word(rng, whole_fields)[:60] for _ in range(rng.randint(1, 2)))


def continuation(rng: random.Random, whole_fields: list[str]) -> str:
    """Body lines that begin with a blank, for MTAs that append them to their own field."""
    lines = []
    for _ in range(rng.randint(1, 3)):
        field = rng.choice(whole_fields)[len("Received: "):]
        piece = rng.choice((word(rng, whole_fields), field.rstrip("\n").replace("\n", "\n "), "",
                            f"; {DATE}", f"for <a@b>; {DATE} ({GATEWAY})"))
        lines.append(rng.choice(" \t") + piece.replace("\r", "") + "\n")
    return "".join(lines)
