# SPDX-License-Identifier: MIT
"""The story of this project, played on a real Dovecot and a real DNS server (script/demo)."""
from __future__ import annotations

import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests" / "integration"))

from mxg import build, smtp  # noqa: E402
from mxg.dns_real import RealDns  # noqa: E402
from mxg.dovecot import Dovecot, Settings  # noqa: E402
from mxg.milter_service import MilterService  # noqa: E402
from mxg.mxguard import write_config  # noqa: E402
from mxg.postfix import Postfix, lmtp_to  # noqa: E402
from mxg.process import Daemon, free_port, listening_unix, temporary_folder  # noqa: E402

MAILBOX_SERVER = "192.0.2.1"
GATEWAY = "198.51.100.10"
PARTNER = "2001:db8:25::10"
SPAMMER = "203.0.113.66"
VENDOR = "198.51.100.77"
TOKEN = "X-Gateway-Token: our-own-secret\n"
USER = "alice@example.test"

OLD_ZONE = f"""@ MX 10 mail
mail A {MAILBOX_SERVER}
"""
NEW_ZONE = f"""@ MX 10 gateway
gateway A {GATEWAY}
mail A {MAILBOX_SERVER}
"""


class Paint:
    def __init__(self) -> None:
        on = sys.stdout.isatty()
        self.bold, self.red, self.green, self.dim, self.off = (
            ("\033[1m", "\033[31m", "\033[32m", "\033[2m", "\033[0m") if on else ("",) * 5)


paint = Paint()
failures: list[str] = []


def say(text: str = "") -> None:
    print(text, flush=True)


def expect(what: str, good: bool) -> None:
    mark = f"{paint.green}ok{paint.off}" if good else f"{paint.red}NOT AS PROMISED{paint.off}"
    say(f"  [{mark}] {what}")
    if not good:
        failures.append(what)


def configuration(folder: pathlib.Path, dns: RealDns, mode: str) -> pathlib.Path:
    return write_config(folder / "mxguard.conf", f"""mode = "{mode}";
self = [ "{MAILBOX_SERVER}" ];
gateways = (
  {{ name = "partner";    allow = "ip6:2001:db8:25::/48"; }},
  {{ name = "cloud";      allow = "ip4:{VENDOR}"; header = {{ name = "X-Gateway-Token"; value = "our-own-secret"; }}; }},
  {{ name = "current-mx"; allow = "mx"; }}
);
dns = {{ servers = [ "{dns.server}" ]; timeout = "5s"; }};
state_dir = "{folder}/state";
""")


class Stage:
    """The mailbox server, its DNS, and who connects to it."""

    def __init__(self, folder: pathlib.Path, haproxy: bool) -> None:
        self.haproxy, self.folder = haproxy, folder
        self.dns = RealDns(folder / "dns", {"example.test": OLD_ZONE})
        self.config = configuration(folder, self.dns, "enforce")
        where = ("127.0.0.1", free_port()) if haproxy else (MAILBOX_SERVER, 24)
        where6 = where if haproxy else ("2001:db8::1", 24)
        listeners = {"lmtp": [], "lmtp_haproxy": [where]} if haproxy else \
            {"lmtp": [where, where6]}
        self.server = {4: where, 6: where6}
        self.dovecot = Dovecot(folder / "dovecot", Settings(
            mxguard={"mxguard_config": str(self.config)},
            haproxy_trusted="127.0.0.1" if haproxy else "", **listeners))

    def deliver(self, source: str, subject: str) -> smtp.Delivery:
        server = self.server[6 if ":" in source else 4]
        content = smtp.message(recipient=USER, subject=subject)
        if not self.haproxy:
            return smtp.deliver(server, USER, content, source=source)
        there = "2001:db8::1" if ":" in source else MAILBOX_SERVER
        return smtp.deliver(server, USER, content, proxy=smtp.proxy_v1(source, there))

    def play(self, source: str, subject: str) -> tuple[smtp.Reply, str, bool]:
        """One delivery: its dialogue, its log line, and whether the mailbox has the message."""
        before = self.dovecot.log().count("mxguard: verdict=")
        outcome = self.deliver(source, subject)
        for line in outcome.dialogue:
            say(f"    {paint.dim}{line}{paint.off}")
        lines: list[str] = []
        self.dovecot.wait_log(r"(?s)(?:mxguard: verdict=.*?){%d}" % (before + 1))
        lines = re.findall(r"mxguard: verdict=.*", self.dovecot.log())
        say(f"  log: {lines[-1]}")
        subjects = [re.search(rb"(?m)^Subject: (.*?)\r?$", each)[1].decode()
                    for each in self.dovecot.messages(USER)]
        say(f"  {USER} has now: {', '.join(subjects) or 'no mail'}")
        return outcome.final(USER), lines[-1], subject in subjects


def scene(title: str) -> None:
    say(f"\n{paint.bold}{title}{paint.off}")


def play(stage: Stage) -> None:
    scene(f"Before the move: example.test's MX is the mailbox server itself. {SPAMMER} delivers.")
    reply, line, there = stage.play(SPAMMER, "sent to the old MX")
    expect("delivered: no filter can be skipped yet", reply.code == 250 and there)
    expect("reason mx-is-self", "reason=mx-is-self" in line)

    say(f"\nThe MX moves to a filtering gateway, gateway.example.test ({GATEWAY}).")
    stage.dns.set_zone("example.test", NEW_ZONE)

    scene(f"(a) The gateway in the MX, {GATEWAY}, delivers what it has filtered.")
    reply, line, there = stage.play(GATEWAY, "filtered by the gateway")
    expect("delivered", reply.code == 250 and there and "verdict=authorized" in line)

    scene(f"(b) A spammer, {SPAMMER}, goes on using the old MX and skips the filter.")
    reply, line, there = stage.play(SPAMMER, "spam past the filter")
    expect("refused at RCPT with 550 5.7.1, nothing in the mailbox",
           reply.code == 550 and reply.enhanced == "5.7.1" and not there)
    expect("logged as direct", "verdict=direct" in line and "action=reject" in line)

    scene(f"(c) A gateway listed in the configuration, {PARTNER}, delivers over IPv6.")
    reply, line, there = stage.play(PARTNER, "from the partner")
    expect("delivered", reply.code == 250 and there and "gateway=partner" in line)

    scene("(d) The same spammer in monitor mode: how to try mxguard without any risk.")
    configuration(stage.folder, stage.dns, "monitor")
    stage.dovecot.reload()
    reply, line, there = stage.play(SPAMMER, "would be refused")
    expect("delivered", reply.code == 250 and there)
    expect("logged as a would-be refusal", "would=reject" in line and "action=accept" in line)


def show(outcome: smtp.Delivery) -> None:
    for line in outcome.dialogue:
        say(f"    {paint.dim}{line}{paint.off}")


def play_postfix(stage: Stage) -> None:
    """The second act: Postfix stands in front of Dovecot, and asks `mxguard policy` at RCPT."""
    socket, door = stage.folder / "policy.sock", (MAILBOX_SERVER, 25)
    configuration(stage.folder, stage.dns, "enforce")
    stage.dovecot.reload()
    service = Daemon([str(build.command()), "policy", "-c", str(stage.config), "--listen", f"unix:{socket}"],
                     stage.folder / "policy.log")
    postfix = Postfix(stage.folder / "postfix", smtpd=[(*door, {})], main={
        **lmtp_to(stage.dovecot.socket),
        "smtpd_recipient_restrictions": "permit_mynetworks, reject_unauth_destination, "
        f"check_policy_service {{ unix:{socket}, {{ default_action = 451 4.3.5 mxguard is away }} }}"})
    service.start(lambda: listening_unix(socket), "mxguard policy listens")
    try:
        with postfix:
            scene(f"(e) The second act: Postfix in front of Dovecot. The gateway {GATEWAY} delivers to Postfix.")
            outcome = smtp.deliver(door, USER, smtp.message(recipient=USER, subject="through Postfix"),
                                   source=GATEWAY, lmtp=False)
            show(outcome)
            expect("taken by Postfix", outcome.final(USER).code == 250)
            postfix.wait_empty()
            line = re.findall(r"mxguard: verdict=.*", stage.dovecot.log())[-1]
            say(f"  Dovecot's log: {line}")
            expect("delivered: the plugin reads the gateway in the trace",
                   "verdict=authorized" in line and "hop=1" in line)

            scene(f"(f) The spammer {SPAMMER} delivers to Postfix, past the filters.")
            outcome = smtp.deliver(door, USER, smtp.message(recipient=USER, subject="spam to Postfix"),
                                   source=SPAMMER, lmtp=False)
            show(outcome)
            say(f"  policy service's log: {service.said().strip().splitlines()[-1]}")
            expect("Postfix itself refuses at RCPT, with 550 5.7.1: no bounce to a forged sender",
                   outcome.final(USER).code == 550 and outcome.final(USER).enhanced == "5.7.1")
            expect("nothing is queued", not postfix.waiting())
    finally:
        service.stop()


def play_milter(stage: Stage) -> None:
    """The third act: a vendor's address alone proves nothing, for its other customers deliver from it, too."""
    door = (MAILBOX_SERVER, 25)
    service = MilterService(stage.folder / "milter", stage.config, port=free_port(), options=["--secrets=keep"])
    postfix = Postfix(stage.folder / "postfix-milter", smtpd=[(*door, {})], main={
        **lmtp_to(stage.dovecot.socket), "smtpd_milters": service.address, "milter_default_action": "tempfail"})
    service.start()
    try:
        with postfix:
            scene(f"(g) The third act: a cloud filter, {VENDOR}, that others rent, too. Ours writes our secret into the header.")
            outcome = smtp.deliver(door, USER, smtp.message(recipient=USER, subject="from our own rules", header=TOKEN),
                                   source=VENDOR, lmtp=False)
            show(outcome)
            expect("taken", outcome.final(USER).code == 250)
            postfix.wait_empty()
            stored = [each for each in stage.dovecot.messages(USER) if b"Subject: from our own rules" in each]
            expect("delivered once; the plugin behind has looked at the secret, too, and removed it", len(stored) == 1 and b"our-own-secret" not in stored[0])

            scene(f"(h) Another customer of the same vendor sends from the same address, {VENDOR}, past our filter's rules.")
            outcome = smtp.deliver(door, USER, smtp.message(recipient=USER, subject="from another customer"),
                                   source=VENDOR, lmtp=False)
            show(outcome)
            say(f"  milter's log: {service.log().strip().splitlines()[-1]}")
            expect("let in at RCPT, and refused at the dot with 550 5.7.1",
                   outcome.rcpt[USER].ok and outcome.final(USER).code == 550 and outcome.final(USER).enhanced == "5.7.1")
            expect("nothing is queued", not postfix.waiting())
    finally:
        service.stop()


def main() -> int:
    with temporary_folder("mxguard-demo-") as folder:
        folder.chmod(0o755)
        stage = Stage(folder, "--haproxy" in sys.argv[1:])
        with stage.dns, stage.dovecot:
            play(stage)
            if stage.haproxy or not Postfix.available():
                say("\nThe second and third act need a private network, and Postfix: left out.")
            else:
                play_postfix(stage)
                play_milter(stage)
    say()
    if failures:
        say(f"{paint.red}{len(failures)} outcomes were not as promised.{paint.off}")
        return 1
    say(f"{paint.green}Every outcome was as promised. Nothing is left running.{paint.off}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
