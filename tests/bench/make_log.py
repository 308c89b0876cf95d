#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""make_log.py LINES [SEED [whole]]: a mail log as a server with mxguard writes it, on standard output: four lines of five
are decisions, the others are Postfix's; 2,000 domains, a few gateways, spammers who come once, one forgotten gateway.
whole: with all that Postfix and Dovecot say of a message, one line of ten is a decision. Times go on; nothing else of
it is real."""
import random
import sys
import time


def around(stamp, queue, peer, sender, rcpt):
    """What stands in front of the decision on a message, and behind it."""
    own, size = f"{stamp} mail ", len(sender) * 977 % 90000
    return ([f"{own}postfix/smtpd[811]: connect from mx.example[{peer}]",
             f"{own}postfix/smtpd[811]: {queue}: client=mx.example[{peer}]",
             f"{own}postfix/cleanup[813]: {queue}: message-id=<{queue}@{sender.partition('@')[2]}>",
             f"{own}postfix/qmgr[640]: {queue}: from=<{sender}>, size={size}, nrcpt=1 (queue active)",
             f"{own}postfix/smtpd[811]: disconnect from mx.example[{peer}] ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5"],
            [f"{own}dovecot: lmtp(816): Connect from local",
             f"{own}dovecot: lmtp({rcpt})<816><{queue}>: msgid=<{queue}@x>: saved mail to INBOX",
             f"{own}postfix/lmtp[815]: {queue}: to=<{rcpt}>, relay=mail[private/dovecot-lmtp], delay=0.2, "
             f"delays=0.1/0/0/0.1, dsn=2.0.0, status=sent (250 2.0.0 <{rcpt}> {queue} Saved)",
             f"{own}postfix/qmgr[640]: {queue}: removed"])


def main():
    lines, seed = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1
    whole = len(sys.argv) > 3
    pick = random.Random(seed)
    domains = [f"d{n}.example" for n in range(2000)]
    senders = [f"s{n}@firm{n % 900}.example" for n in range(20000)]
    now, out = 1767225600.0, []
    for number in range(lines // 10 if whole else lines):
        now += pick.random() * 0.5
        stamp = time.strftime("%b %e %H:%M:%S", time.gmtime(now))
        queue = f"{pick.getrandbits(44):011X}"
        kind = pick.random()
        rcpt = f"u{pick.randrange(30)}@{domains[int(pick.random() ** 2 * 2000)]}"
        sender = senders[pick.randrange(20000)]
        if whole:
            kind = 0.2 + kind * 0.8
        if kind < 0.2:
            out.append(f"{stamp} mail postfix/smtpd[{pick.randrange(9999)}]: {queue}: client=unknown[203.0.113.9], "
                       f"helo=<mx{number % 99}.example> proto=ESMTP from=<{sender}> to=<{rcpt}>")
        else:
            peer, verdict = f"192.0.2.{1 + pick.randrange(4)}", "authorized"
            if kind < 0.3:
                peer, verdict = ".".join(str(pick.randrange(1, 224)) for _ in range(4)), "direct"
                sender = f"x{pick.getrandbits(40):x}@spam.example"
            elif kind < 0.305:
                peer, verdict = "198.51.100.25", "direct"
            good = verdict == "authorized"
            before, behind = around(stamp, queue, peer, sender, rcpt) if whole else ([], [])
            out += before
            out.append(
                f"{stamp} mail mxguard[{900 + number % 3}]: mxguard: verdict={verdict} action=accept "
                f"would={'accept' if good else 'reject'} mode=monitor place=door peer={peer} boundary={peer} hop=0 "
                f"gateway={'filters' if good else '-'} term={'ip4:192.0.2.0/28' if good else '-'} helo=<mx.example> "
                f"from=<{sender}> rcpt=<{rcpt}> id=<{queue}> msgid=<> gen=12 origin=- "
                f"reason={'gateway-match' if good else 'peer-not-a-gateway'}")
            out += behind
        if len(out) >= 10000:
            sys.stdout.write("\n".join(out) + "\n")
            out = []
    if out:
        sys.stdout.write("\n".join(out) + "\n")


main()
