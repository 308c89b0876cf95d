# SPDX-License-Identifier: MIT
"""Every configuration that the manuals print, as it is printed, is taken by the program that it is for. What
mail does with the main ones is in the tests of each front end."""
import re
import shutil
import textwrap

import pytest

from mxg import build
from mxg.dovecot import Dovecot, Settings, first_lines, version
from mxg.mxguard import mxguard
from mxg.process import program, run
from test_dovecot_rcpt import SPAMMER

PAGES = ("mxguard-dovecot.7", "mxguard-policy.8", "mxguard-milter.8", "mxguard-lda.8")
NEW = version() >= (2, 4)
# A block is of the first kind whose pattern fits its first line.
KINDS = {
    "dovecot": r"(?:protocols|service|protocol|plugin|metric|import_environment)\b.*[{=]|(?:haproxy|login)_trusted_",
    "main.cf": r"(?:virtual_transport|milter_|smtpd_\w+|mailbox_command|guarded_\w+) =",
    "master.cf": r"\S+ +unix +[-ny] ",
    "mxguard.conf": r"(?:mode|gateways|domains|domains_file|trace|internal|exempt|policies|trap) = ",
    "exim-transport": r"\w+:\n +driver = ",
    "exim-acl": r"(?:warn|defer|deny)\n",
    "exim-main": r"tls_\w+ = ",
    "exim-macro": r"CHECK_RCPT_LOCAL_ACL_FILE = ",
    "systemd": r"\[Service\]\n",
    "procmail": r":0 w\n",
    # the commands of the text around it
    # and what is tried with the whole of it in the tests of the wrapper
    "elsewhere": r"define\(|filter \"|INPUT_MAIL_FILTER\(|example\.com\t|table people|argv=|:0\n|\.\.\. |mxguard: |printf|echo|systemctl|mxguard |meson|script/",
}
# What the text around them says of a block that is not for both versions of Dovecot
ONLY_23 = re.compile(r"\$mail_plugins|^plugin \{|group_by = |^protocols = |^import_environment = ", re.M)
ONLY_24 = re.compile(r"= yes\n  \}\n\}|^protocols \{|method discrete|%\{env:", re.M)


def unescaped(text):
    return text.replace(r"\e", "\\").replace(r"\(dq", '"').replace(r"\(aq", "'").replace(r"\&", "")


def blocks():
    for page in PAGES:
        text = (build.ROOT / "docs" / "man" / page).read_text(encoding="utf-8")
        for number, block in enumerate(re.findall(r"^\.Bd -literal[^\n]*\n(.*?)^\.Ed$", text, re.M | re.S)):
            yield pytest.param(unescaped(block), id=f"{page}-{number}")
    readme = (build.ROOT / "README.md").read_text(encoding="utf-8")
    for number, block in enumerate(re.findall(r"(?:^    .*\n)+", readme, re.M)):
        yield pytest.param(textwrap.dedent(block), id=f"README-{number}")


def kind_of(block):
    for kind, pattern in KINDS.items():
        if re.match(pattern, block.lstrip()):
            return kind
    return None


def doveconf(folder, block):
    dovecot = Dovecot(folder / "dovecot", Settings(mxguard={"mxguard_mode": "monitor"}))
    dovecot.folder.mkdir()
    dovecot.write_config()
    dovecot.config.write_text(f"{first_lines()}mail_plugin_dir = {dovecot.modules}\n" + block)
    return run(dovecot.placed([program("doveconf"), "-n", "-c", str(dovecot.config)]))


def check_dovecot(folder, block):
    if (ONLY_23 if NEW else ONLY_24).search(block):
        pytest.skip("for the other version of Dovecot")
    if NEW:
        block = re.sub(r"^(    )address =", r"\1listen =", block, flags=re.M)  # as the text says
    done = doveconf(folder, block)
    said = done.stdout.decode()
    assert done.returncode == 0 and not re.search(r"Error|Fatal|Warning", done.stderr.decode()), done.stderr.decode()
    for name in re.findall(r"^ *(\w+_trusted_networks|haproxy|restart_request_count|group_by) =", block, re.M):
        assert f"{name} =" in said


def postconf(folder, main="", master="", *arguments):
    (folder / "main.cf").write_text("compatibility_level = 3.6\n" + main)
    (folder / "master.cf").write_text("smtp inet n - n - - smtpd\n" + master)
    return run([program("postconf"), "-c", str(folder), *arguments], check=True)


def check_main_cf(folder, block):
    names = re.findall(r"^(\w+) =", block, re.M)
    service = "guarded unix - n n - - pipe\n  argv=/bin/true\n" if "guarded" in block else ""
    done = postconf(folder, block, service, "-n")
    assert "unused parameter" not in done.stderr.decode() and "warning" not in done.stderr.decode()
    assert set(names) <= set(re.findall(r"^(\w+) =", done.stdout.decode(), re.M))


def check_master_cf(folder, block):
    name = block.split()[0]
    done = postconf(folder, "", block, "-M", f"{name}/unix")
    assert done.stdout.decode().split()[:2] == [name, "unix"] and not done.stderr


def check_mxguard_conf(folder, block):
    block = block.replace("/etc/mxguard/domains", str(folder / "domains"))
    (folder / "domains").write_text("example.com\n")
    path = folder / "mxguard.conf"
    path.write_text(block + ("" if "gateways" in block else 'gateways = ( { name = "mx"; allow = "mx"; } );\n'))
    with path.open("a") as config:
        config.write('dns = { timeout = "100ms"; servers = [ "127.0.0.1:9" ]; };\n' * ("dns =" not in block))
    done = mxguard("check", "-c", path, "--peer", SPAMMER, "--rcpt", "alice@example.com")
    assert done.returncode in (0, 1, 75), (done.stdout + done.stderr).decode()


ROUTER = "all:\n  driver = accept\n  domains = +local_domains\n  transport = {}\n"


def check_exim_transport(exim, block):
    """The user vmail is not there."""
    name = block.partition(":")[0]
    exim(routers=ROUTER.format(name), transports=block.replace("user = vmail", "user = nobody"))


def check_exim_acl(exim, block):
    """Exim starts with it; what it then does is in the tests of the policy service."""
    exim(acl=f"acl_check_rcpt:\n{block}  accept domains = +local_domains\n  deny\n")


def check_exim_main(exim, block):
    exim(main=block)


def check_procmail(folder, block):
    """The status of what it hands the message to is its own, and the default mailbox gets nothing."""
    if program("procmail") is None:
        pytest.skip("procmail is not installed")
    for status in (0, 67, 75, 77):
        recipe, count = re.subn(r"^\| /usr/bin/mxguard-lda \.\.\.$", f"| cat >{folder}/{status}; exit {status}", block, flags=re.M)
        assert count == 1
        (folder / "rc").write_text(f"SHELL=/bin/sh\nDEFAULT={folder}/default\n{recipe}")
        done = run([program("procmail"), folder / "rc"], data=b"Subject: x\n\nHello.\n")
        assert done.returncode == status and b"Hello." in (folder / str(status)).read_bytes()
        assert not (folder / "default").exists()


def check_exim_macro(exim, block):
    """As Debian's ACL has it: without the macro it says accept."""
    acl = "acl_check_rcpt:\n  .ifdef CHECK_RCPT_LOCAL_ACL_FILE\n  .include CHECK_RCPT_LOCAL_ACL_FILE\n  .endif\n  accept\n"
    mta = exim(main=block.replace("/etc/exim4/mxguard.acl", str(build.ROOT / "data" / "exim.acl")), acl=acl)
    assert b"readsocket{/run/mxguard/policy}" in mta.exim("-bP", "config").stdout


def check_systemd(folder, block):
    """As a drop-in of the policy service's own unit."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    unit = (build.folder() / "tools" / "mxguard-policy.service").read_text()
    drop_in = folder / "mxguard-policy.service.d"
    drop_in.mkdir()
    (folder / "mxguard-policy.service").write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", unit, flags=re.M))
    (drop_in / "manual.conf").write_text(block)
    done = run(["systemd-analyze", "verify", "--man=no", str(folder / "mxguard-policy.service")])
    said = (done.stdout + done.stderr).decode()
    assert "manual.conf" not in said, said


CHECKS = {"systemd": check_systemd, "dovecot": check_dovecot, "main.cf": check_main_cf, "master.cf": check_master_cf,
          "mxguard.conf": check_mxguard_conf, "exim-transport": check_exim_transport, "exim-acl": check_exim_acl,
          "exim-main": check_exim_main, "exim-macro": check_exim_macro, "procmail": check_procmail}


@pytest.mark.parametrize("block", blocks())
def test_is_taken_as_printed(block, folder, request):
    kind = kind_of(block)
    assert kind, f"nobody tries this:\n{block}"
    if kind == "elsewhere":
        return
    where = request.getfixturevalue("exim") if kind.startswith("exim") else folder
    CHECKS[kind](where, block)


def test_what_is_wrong_is_noticed(folder, exim):
    """The checks above fail where a name is misspelt."""
    wrong = {"systemd": "[Service]\nLoadCredental=token:/etc/mxguard/token\n", "dovecot": "service lmtp {\n  inet_listner lmtp {\n    port = 24\n  }\n}\n",
             "main.cf": "smtpd_recipient_restriction = permit\n", "mxguard.conf": 'gateways = ( { nam = "x"; } );\n'}
    if shutil.which("systemd-analyze") is None:
        del wrong["systemd"]
    for kind, block in wrong.items():
        with pytest.raises(AssertionError):
            CHECKS[kind](folder / kind, block) if (folder / kind).mkdir() is None else None
    for kind, block in (("exim-transport", "guarded:\n  driver = pipe\n  comand = /bin/true\n"),
                        ("exim-acl", "  wran\n    condition = yes\n")):
        with pytest.raises((AssertionError, OSError)):
            CHECKS[kind](exim, block)
