# SPDX-License-Identifier: MIT
"""Ways to write a recipient, made by program: what a client can say between < and > of RCPT TO.

named() has every form that anybody is known to take, one by one and with each domain around it; random_ones()
mixes them: nested, quoted, escaped, folded.
"""
from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

HOST = "mail.example.test"
LITERALS = ("[192.0.2.1]", "[127.0.0.1]", "[IPv6:2001:db8::1]", "[IPv6:::ffff:192.0.2.1]", "[2001:db8::1]")
# What the client may take for the outside: names of this host, a domain of ours without a guard, strangers.
OUTER = (HOST, "localhost", "localhost.localdomain", "[192.0.2.1]", "[127.0.0.1]", "soft.example", "elsewhere.example")
# Letters that Unicode's case folding or its compatibility forms make the same as ours.
FOLDED = {"ss": "ß", "s": "\u017f", "i": "\uff49", "t": "\uff34", ".": "\u3002", "ex": "\uff45\uff58", "ff": "\ufb00"}


@dataclass(frozen=True)
class Spelling:
    kind: str
    text: str


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def escaped(text: str) -> str:
    return "".join("\\" + char if char in "@%!" else char for char in text)


# One mailbox within one outer domain: kind -> form of user, inner domain, outer domain.
AROUND = {
    "percent": lambda u, d, o: f"{u}%{d}@{o}",
    "bang": lambda u, d, o: f"{d}!{u}@{o}",
    "bang-bang": lambda u, d, o: f"{o}!{d}!{u}",
    "at": lambda u, d, o: f"{u}@{d}@{o}",
    "quoted-at": lambda u, d, o: f'"{u}@{d}"@{o}',
    "quoted-percent": lambda u, d, o: f'"{u}%{d}"@{o}',
    "quoted-bang": lambda u, d, o: f'"{d}!{u}"@{o}',
    "escaped-at": lambda u, d, o: f"{u}\\@{d}@{o}",
    "escaped-percent": lambda u, d, o: f"{u}\\%{d}@{o}",
    "escaped-bang": lambda u, d, o: f"{d}\\!{u}@{o}",
    "quoted-escaped-at": lambda u, d, o: f'"{u}\\@{d}"@{o}',
    "quoted-escaped-percent": lambda u, d, o: f'"{u}\\%{d}"@{o}',
    "quoted-every-character-escaped": lambda u, d, o: '"' + "".join("\\" + c for c in f"{u}@{d}") + f'"@{o}',
    "quotes-within": lambda u, d, o: f'"\\"{u}\\"@{d}"@{o}',
    "quotes-within-percent": lambda u, d, o: f'"\\"{u}\\"%{d}"@{o}',
    "quoted-user-percent": lambda u, d, o: f'"{u}"%{d}@{o}',
    "percent-quoted-domain": lambda u, d, o: f'{u}%"{d}"@{o}',
    "quoted-sign": lambda u, d, o: f'{u}"%"{d}@{o}',
    "quoted-user-at": lambda u, d, o: f'"{u}"@{d}@{o}',
    "route": lambda u, d, o: f"@{o}:{u}@{d}",
    "route-two": lambda u, d, o: f"@{o},@{HOST}:{u}@{d}",
    "route-to-us": lambda u, d, o: f"@{d}:{u}@{o}",
    "route-percent": lambda u, d, o: f"@{d}:{u}%{d}@{o}",
    "route-without-colon": lambda u, d, o: f"@{o},{u}@{d}",
    "route-quoted": lambda u, d, o: f'@{o}:"{u}@{d}"@{o}',
    "percent-percent": lambda u, d, o: f"{u}%{d}%{o}@{HOST}",
    "percent-same-outside": lambda u, d, o: f"{u}%{d}%{o}@{o}",
    "percent-wrong-order": lambda u, d, o: f"{u}%{o}%{d}@{HOST}",
    "bang-percent": lambda u, d, o: f"{d}!{u}%{o}@{HOST}",
    "percent-bang": lambda u, d, o: f"{o}!{u}%{d}@{HOST}",
    "bang-two": lambda u, d, o: f"{o}!{d}!{u}@{HOST}",
    "bang-before-at": lambda u, d, o: f"{o}!{u}@{d}",
    "bang-inner-at": lambda u, d, o: f"{d}!{u}@{o}.",
    "at-percent": lambda u, d, o: f"{u}@{d}%{o}",
    "quoted-whole": lambda u, d, o: f'"{u}%{d}@{o}"',
    "quoted-twice": lambda u, d, o: quoted(f'"{u}@{d}"@{o}') + f"@{HOST}",
    "slash": lambda u, d, o: f"{u}/{d}@{o}",
    "colon": lambda u, d, o: f"{d}:{u}@{o}",
    "colon-colon": lambda u, d, o: f"{d}::{u}@{o}",
    "dot-bang": lambda u, d, o: f".{d}!{u}@{o}",
    "equals": lambda u, d, o: f"{u}={d}@{o}",
    "plus": lambda u, d, o: f"{u}+{u}={d}@{o}",
    "hex": lambda u, d, o: f"{u}%40{d}@{o}",
    "percent-outer-dot": lambda u, d, o: f"{u}%{d}@{o}.",
    "percent-inner-dot": lambda u, d, o: f"{u}%{d}.@{o}",
    "percent-plus": lambda u, d, o: f"{u}+x%{d}@{o}",
    "percent-then-plus": lambda u, d, o: f"{u}%{d}+x@{o}",
    "percent-literal-inside": lambda u, d, o: f"{u}%{d}%[192.0.2.1]@{o}",
    "percent-blank": lambda u, d, o: f'"{u}% {d}"@{o}',
    "percent-blanks": lambda u, d, o: f"{u} % {d} @ {o}",
    "percent-comment": lambda u, d, o: f"{u}%{d}(x)@{o}",
    "at-comment": lambda u, d, o: f"{u}@{d}(@{o})",
    "comment-first": lambda u, d, o: f"(x@{o}){u}@{d}",
    "angle": lambda u, d, o: f"{u}@{o}<{u}@{d}>",
    "angle-twice": lambda u, d, o: f"<{u}@{d}>",
    "semicolon": lambda u, d, o: f"{u}@{d};{u}@{o}",
    "comma": lambda u, d, o: f"{u}@{d},{u}@{o}",
    "group": lambda u, d, o: f"x:{u}@{d};@{o}",
    "upper": lambda u, d, o: f"{u.upper()}%{d.upper()}@{o.upper()}",
    "wide-at": lambda u, d, o: f"{u}\uff20{d}@{o}",
    "wide-percent": lambda u, d, o: f"{u}\uff05{d}@{o}",
    "high-percent": lambda u, d, o: f"{u}\udca5{d}@{o}",
    "high-bang": lambda u, d, o: f"{d}\udca1{u}@{o}",
    "high-at": lambda u, d, o: f"{u}\udcc0{d}@{o}",
    "tab": lambda u, d, o: f"{u}%{d}\t@{o}",
    "percent-at-percent": lambda u, d, o: f"{u}%{d}%@{o}",
    "double-percent": lambda u, d, o: f"{u}%%{d}@{o}",
    "percent-first": lambda u, d, o: f"%{u}%{d}@{o}",
    "double-bang": lambda u, d, o: f"{d}!!{u}@{o}",
    "bang-at-percent": lambda u, d, o: f"{d}!{u}%{d}@{o}",
    "six-deep": lambda u, d, o: f"{u}%{d}" + f"%{o}" * 6 + f"@{HOST}",
    "nine-deep": lambda u, d, o: f"{u}%{d}" + f"%{o}" * 9 + f"@{HOST}",
    "twelve-bangs": lambda u, d, o: f"{o}!" * 12 + f"{d}!{u}@{HOST}",
}

# The same without an outer domain: kind -> form of user and domain.
ALONE = {
    "plain": lambda u, d: f"{u}@{d}",
    "upper-domain": lambda u, d: f"{u}@{d.upper()}",
    "upper-user": lambda u, d: f"{u.upper()}@{d}",
    "quoted-user": lambda u, d: f'"{u}"@{d}',
    "escaped-user": lambda u, d: f"\\{u}@{d}",
    "quoted-escaped-user": lambda u, d: f'"\\{u}"@{d}',
    "plus": lambda u, d: f"{u}+x@{d}",
    "plus-at": lambda u, d: f'"{u}+x@elsewhere.example"@{d}',
    "trailing-dot": lambda u, d: f"{u}@{d}.",
    "trailing-dots": lambda u, d: f"{u}@{d}..",
    "trailing-at": lambda u, d: f"{u}@{d}@",
    "trailing-ats": lambda u, d: f"{u}@{d}@@",
    "trailing-percent": lambda u, d: f"{u}@{d}%",
    "bare-percent": lambda u, d: f"{u}%{d}",
    "bare-percent-at": lambda u, d: f"{u}%{d}@",
    "bare-percent-dot": lambda u, d: f"{u}%{d}.",
    "bare-bang": lambda u, d: f"{d}!{u}",
    "bare-bang-at": lambda u, d: f"{d}!{u}@",
    "bare-quoted": lambda u, d: f'"{u}@{d}"',
    "bare-quoted-at": lambda u, d: f'"{u}@{d}"@',
    "bare-quoted-percent": lambda u, d: f'"{u}%{d}"',
    "bare-quoted-bang": lambda u, d: f'"{d}!{u}"',
    "bare-escaped": lambda u, d: f"{u}\\@{d}",
    "bare-user": lambda u, d: u,
    "bare-user-at": lambda u, d: f"{u}@",
    "bare-quoted-user": lambda u, d: f'"{u}"',
    "bare-plus": lambda u, d: f"{u}+x",
    "leading-at": lambda u, d: f"@{u}@{d}",
    "leading-dot": lambda u, d: f".{u}@{d}",
    "leading-dot-domain": lambda u, d: f"{u}@.{d}",
    "double-at": lambda u, d: f"{u}@@{d}",
    "double-dot": lambda u, d: f"{u}@" + d.replace(".", ".."),
    "route-empty": lambda u, d: f"@:{u}@{d}",
    "route-self": lambda u, d: f"@{d}:{u}@{d}",
    "route-bare": lambda u, d: f"@{d}:{u}",
    "route-without-user": lambda u, d: f"@{d}:",
    "comment-user": lambda u, d: f"{u}(x)@{d}",
    "comment-domain": lambda u, d: f"{u}@(x){d}",
    "comment-end": lambda u, d: f"{u}@{d}(x)",
    "comment-nested": lambda u, d: f"{u}@{d}(x(y)\\))",
    "name-before": lambda u, d: f"Alice <{u}@{d}>",
    "blanks": lambda u, d: f" {u} @ {d} ",
    "blanks-around-dot": lambda u, d: f"{u}@" + d.replace(".", " . "),
    "quoted-domain": lambda u, d: f'{u}@"{d}"',
    "escaped-domain": lambda u, d: f"{u}@\\{d}",
    "bracketed-domain": lambda u, d: f"{u}@[{d}]",
    "subdomain": lambda u, d: f"{u}@sub.{d}",
    "first-label": lambda u, d: f"{u}@{d.split('.')[0]}",
    "folded-s": lambda u, d: f"{u}@" + d.replace("s", FOLDED["s"], 1),
    "folded-ss": lambda u, d: f"{u}@" + d.replace("ss", FOLDED["ss"], 1),
    "capital-ss": lambda u, d: f"{u}@" + d.replace("ss", "\u1e9e", 1),
    "folded-ff": lambda u, d: f"{u}@" + d.replace("ff", FOLDED["ff"], 1),
    "wide-letter": lambda u, d: f"{u}@" + d.replace("t", FOLDED["t"], 1),
    "wide-dot": lambda u, d: f"{u}@" + d.replace(".", FOLDED["."], 1),
    "wide-at": lambda u, d: f"{u}\uff20{d}",
    "soft-hyphen": lambda u, d: f"{u}@{d[:3]}\u00ad{d[3:]}",
    "zero-width": lambda u, d: f"{u}@{d}\u200b",
    "combining": lambda u, d: f"{u}@{d[:3]}\u034f{d[3:]}",
    "A-label": lambda u, d: f"{u}@" + ".".join("xn--" + label + "-" for label in d.split(".")),
    "folded-user": lambda u, d: f"{u.replace('s', FOLDED['s'])}@{d}",
    "eight-bit": lambda u, d: f"{u}\udce9@{d}",
    "eight-bit-domain": lambda u, d: f"{u}@{d}\udcff",
    "high-dot": lambda u, d: f"{u}@" + d.replace(".", "\udcae", 1),
    "high-letter": lambda u, d: f"{u}@" + d.replace("s", "\udcf3", 1),
    "control": lambda u, d: f"{u}\x01@{d}",
    "delete": lambda u, d: f"{u}@{d}\x7f",
    "percent-zero": lambda u, d: f"{u}%00@{d}",
    "to-file": lambda u, d: f"/{u}@{d}",
    "to-program": lambda u, d: f'"|{u}"@{d}',
}

# Names of this host itself as the domain.
LOCAL = (HOST, HOST.upper(), HOST + ".", "localhost", "LocalHost", "localhost.", "localhost.localdomain",
         "mail", "mail.", "sub." + HOST, "example.test", *LITERALS, "[127.0.0.2]", "192.0.2.1", "[192.0.2.1",
         "192.0.2.1]", "[192.0.2.1].", "[ 192.0.2.1 ]", "[192.0.2.001]", "[192.0.513]", "#3221225985",
         "[#3221225985]", "0xc0000201", "[mail.example.test]", "[IPv6:2001:0db8:0:0:0:0:0:1]",
         "[ipv6:2001:db8::1]", "[IPv6:::1]", "[]")


def named(user: str, domain: str, outer: tuple[str, ...] = OUTER) -> Iterator[Spelling]:
    for kind, form in ALONE.items():
        yield Spelling(kind, form(user, domain))
    for name in LOCAL:
        yield Spelling("local", f"{user}@{name}")
    for around in outer:
        for kind, form in AROUND.items():
            yield Spelling(kind, form(user, domain, around))


# Mixtures

WRAPPERS = (
    lambda inner, o: inner[::-1].replace("@", "%", 1)[::-1] + f"@{o}",
    lambda inner, o: f"{o}!{inner}",
    lambda inner, o: f"{o}!{inner.replace('@', '%')}@{HOST}",
    lambda inner, o: f"{quoted(inner)}@{o}",
    lambda inner, o: f"{inner}@{o}",
    lambda inner, o: f"@{o}:{inner}",
    lambda inner, o: f"{escaped(inner)}@{o}",
    lambda inner, o: f'"{inner}"@{o}',
    lambda inner, o: f"{inner}%{o}",
)


def _insert(rng: random.Random, text: str, what: str) -> str:
    at = rng.randint(0, len(text))
    return text[:at] + what + text[at:]


def _quote_a_part(rng: random.Random, text: str) -> str:
    first, last = sorted(rng.randint(0, len(text)) for _ in range(2))
    return text[:first] + '"' + text[first:last] + '"' + text[last:]


CHANGES = (
    _quote_a_part,
    lambda rng, text: _insert(rng, text, "\\"),
    lambda rng, text: _insert(rng, text, rng.choice("@%!.:,;+ \t\"<>()[]|/")),
    lambda rng, text: _insert(rng, text, "(x)"),
    lambda rng, text: text + rng.choice("@.%!"),
    lambda rng, text: "".join(rng.choice((char.upper(), char)) for char in text),
    lambda rng, text: text.replace("alice", "alice+x"),
    lambda rng, text: text.replace(*rng.choice(list(FOLDED.items())), 1),
    lambda rng, text: text.replace(".example", ".example.", 1),
)


def random_ones(seed: int | str, count: int, user: str, domains: tuple[str, ...]) -> Iterator[Spelling]:
    rng = random.Random(seed)
    for _ in range(count):
        text = f"{user}@{rng.choice(domains)}" if rng.random() < 0.9 else f"{rng.choice(domains)}!{user}"
        for _ in range(rng.choice((0, 1, 1, 1, 2, 2, 3))):
            if rng.random() < 0.3:
                text = rng.choice(CHANGES)(rng, text)
            text = rng.choice(WRAPPERS)(text, rng.choice(OUTER))
        for _ in range(rng.choice((0, 0, 1, 1, 2))):
            text = rng.choice(CHANGES)(rng, text)
        yield Spelling("mixed", text)
