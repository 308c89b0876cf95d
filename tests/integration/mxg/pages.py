# SPDX-License-Identifier: MIT
"""What stands on the pages that tests look at: logs with a story, hostile text, and how contrast is computed."""
from __future__ import annotations

import calendar
import json
import re
import time

DAY, BEGIN = 86400, calendar.timegm((2026, 9, 1, 0, 0, 0))
CHANGE = BEGIN + 10 * DAY
GATEWAY, SPAMMER, FORGOTTEN, MOVED = "192.0.2.10", "203.0.113.66", "198.51.100.25", "203.0.113.77"
LATE = "203.0.113.200"  # never came while the old MX stood
DOMAINS = 120
REASONS = {"authorized": "gateway-match", "direct": "peer-not-a-gateway", "unknown": "dns-timeout"}
HOSTILE = ["</script><script>window.hacked=1</script>", "\"><img src=x onerror=window.hacked=1>",
           "' onmouseover='window.hacked=1", "\u2028window.hacked=1\u2029", "\u202egpj.exe", "<!--<script>",
           "javascript:window.hacked=1", "{{constructor.constructor('window.hacked=1')()}}", "__proto__", "\u0085\u200b"]


def words(verdict="authorized", peer=GATEWAY, sender="a@b.example", rcpt="u@d.example", ident="4F1", would="-",
          mode="enforce", origin="-"):
    return (f"mxguard: verdict={verdict} action=accept would={would} mode={mode} place=door peer={peer} boundary={peer} "
            f"hop=0 gateway={'filters' if verdict == 'authorized' else '-'} term=- helo=<x.example> gen=7 "
            f"origin={origin} from=<{sender}> rcpt=<{rcpt}> id=<{ident}> msgid=<> reason={REASONS[verdict]}")


def bsd(when, text):
    return time.strftime("%b %e %H:%M:%S", time.gmtime(when)) + f" mail mxguard[77]: {text}\n"


def log_lines():
    """Sixty days of many domains: one with a moved MX, one with a forgotten gateway, some that could not be judged."""
    found = []
    for day in range(60):
        for number in range(DOMAINS if day < 2 else 5):
            for sender in range(3):
                found.append((day * DAY + number, words(sender=f"s{sender}@known.example", ident=f"A{day}.{number}.{sender}",
                                                        rcpt=f"u{sender}@d{number}.example")))
        if day < 4:  # before the change, and the days after it: 16, 8, 4 … a day
            found += direct(day, 1)
        elif 10 <= day < 16:
            found += direct(day, 32 >> (day - 10))
        if day in (11, 12):
            found.append((day * DAY + 40000, words("direct", MOVED, ident=f"M{day}", rcpt="u1@moved.example", would="reject")))
        if day == 14:
            found.append((day * DAY + 2000, words("direct", LATE, sender="spam@y", rcpt="u@moved.example", ident="L",
                                                  would="reject")))
        if day in (3, 13, 14):
            origin = "-" if day == 3 else MOVED
            found.append((day * DAY + 40001, words(ident=f"N{day}", rcpt="u1@moved.example", origin=origin)))
        for each in range(4):
            found.append((day * DAY + 50000 + each, words("direct", FORGOTTEN, sender=f"s{each % 3}@known.example",
                                                          ident=f"F{day}.{each}", rcpt=f"u{each}@d0.example", would="reject")))
        if day < 30:
            found.append((day * DAY + 60000, words("unknown", "198.51.100.99", rcpt="u@d1.example", ident=f"U{day}",
                                                   would="defer", mode="monitor")))
    return [bsd(BEGIN + at, text) for at, text in sorted(found)]


def direct(day, count):
    return [(day * DAY + 1000 + each, words("direct", SPAMMER, sender="spam@x", rcpt="u@moved.example", would="reject",
                                            ident=f"B{day}.{each}")) for each in range(count)]


def poisoned(page, target, text):
    """The same page with this text in every field that is not the page's own structure."""
    own = {"part", "id", "kind", "tone", "sort", "of", "from", "until", "dry", "day", "last"}

    def poison(value, key=""):
        if isinstance(value, dict):
            return {name: poison(each, name) for name, each in value.items()}
        if isinstance(value, list):
            return [poison(each, key) for each in value]
        return text if isinstance(value, str) and key not in own and not re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:]+Z", value) else value

    whole = page.read_text()
    start = whole.index(">", whole.index('id="data"')) + 1
    end = whole.index("</script>", start)
    data = json.dumps(poison(json.loads(whole[start:end]))).replace("<", "\\u003c")
    target.write_text(whole[:start] + data + whole[end:])


def many(count):
    for number in range(count):
        yield bsd(BEGIN + number % 80000, words(ident=f"A{number}", rcpt=f"u@d{number}.example"))
        if number % 10 == 0:
            yield bsd(BEGIN + number % 80000, words("direct", f"203.0.{number % 100}.{number % 250}", ident=f"B{number}",
                                                    rcpt=f"u@d{number}.example", would="reject", mode="monitor"))


# Of each text and each shape of a page: [kind, what it is, ratio to its ground]
CONTRAST = """
const parts = colour => colour.match(/[\\d.]+/g).map(Number);
const light = colour => parts(colour).slice(0, 3).map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
  .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
const ground = element => {
  for (let at = element; at; at = at.parentElement) {
    const colour = getComputedStyle(at).backgroundColor;
    if ((parts(colour)[3] ?? 1) > 0) return colour;
  }
  return 'rgb(255, 255, 255)';
};
const ratio = (a, b) => (Math.max(light(a), light(b)) + .05) / (Math.min(light(a), light(b)) + .05);
const found = [];
for (const element of document.querySelectorAll('body *')) {
  const style = getComputedStyle(element);
  const own = [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim() !== '');
  if (own && !['SCRIPT', 'STYLE', 'NOSCRIPT'].includes(element.tagName) && element.getClientRects().length > 0) {
    const svg = element.namespaceURI.endsWith('svg');
    found.push(['text', element.tagName + ' ' + element.textContent.slice(0, 30), ratio(svg ? style.fill : style.color, ground(element))]);
  }
  if (element.classList.contains('solid') || element.classList.contains('bar'))
    found.push(['shape', element.getAttribute('class'), ratio(element.classList.contains('bar') ? style.stroke : style.fill, ground(document.body))]);
}
return found;
"""
