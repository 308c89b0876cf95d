# SPDX-License-Identifier: MIT
"""mxguard doctor on gateways that are known by a secret (who removes the field, who cannot read the file), and on
a plugin that does not fit the Dovecot that is here."""
from __future__ import annotations

import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from mxg import build
from mxg import postfix as postfix_config
from mxg.dovecot import version
from mxg.milter_service import MilterService
from mxg.process import program, run, with_files

NEW = version() >= (2, 4)
LOADED = "mail_plugins {\n    mxguard = yes\n  }" if NEW else "mail_plugins = mxguard"
HEAD = f"dovecot_config_version = {'.'.join(map(str, version()))}\ndovecot_storage_version = {'.'.join(map(str, version()))}\n" if NEW \
    else "protocols = lmtp\n"

pytestmark = pytest.mark.skipif(not version() or not program("postconf"), reason="Dovecot or Postfix is not installed")


@pytest.fixture
def site(folder, mxguard_config):
    """A host with a Postfix, a Dovecot and a gateway with a secret; .doctor() -> {check: text}"""
    class Site:
        token, etc, files = folder / "token", folder / "postfix", {}
        dovecot, lda = folder / "dovecot.conf", ""
    site = Site()
    site.token.write_text("a secret of some length\n")
    site.token.chmod(0o600)
    site.etc.mkdir()
    (site.etc / "main.cf").write_text("myhostname = mail.example.test\n")
    (site.etc / "master.cf").write_text(postfix_config.MASTER)
    site.conf = mxguard_config({"mode": "enforce", "self": ["198.51.100.1"], "state_dir": "/nonexistent/mxguard", "gateways": (
        {"name": "cloud", "allow": "ip4:192.0.2.10", "header": {"name": "X-Gateway-Token", "value_file": str(site.token)}},)})

    def loads(*protocols, more=""):
        site.dovecot.write_text(HEAD + more + "".join(f"protocol {each} {{\n  {LOADED}\n}}\n" for each in protocols))

    def doctor():
        command = [str(build.command()), "doctor", "-c", str(site.conf), "--no-dns", "--json", "--postfix", str(site.etc),
                   "--dovecot", str(site.dovecot)]
        lines = run(with_files(command, site.files)).stdout.decode().splitlines()
        return {each["check"]: f"{each['text']} {each['advice']}" for each in map(json.loads, lines) if each["level"] != "ok"}
    site.loads, site.doctor = loads, doctor
    loads()
    return site


@pytest.mark.parametrize("options, protocols, told", [
    ((), ("lmtp",), True), (("--secrets=keep",), ("lmtp",), False), ((), (), False), (("--secrets", "keep"), ("lmtp",), False)])
def test_milter_that_removes_what_the_plugin_needs(site, folder, network, options, protocols, told):
    site.loads(*protocols)
    with MilterService(folder / "milter", site.conf, options=options):
        found = site.doctor()
    assert ("secret-removed" in found) == told, found
    if told:
        assert "X-Gateway-Token" in found["secret-removed"] and "--secrets=keep" in found["secret-removed"]
    assert "secret-removed" not in site.doctor()  # it does not run any more


@pytest.mark.parametrize("options, told", [((), True), (("--secrets=keep",), False)])
def test_filter_that_removes_it(site, options, told):
    site.loads("lmtp")
    with subprocess.Popen([build.command(), "smtpd-filter", "-c", site.conf, *options], stdin=subprocess.PIPE,
                          stdout=subprocess.DEVNULL) as running:
        found = site.doctor()
        assert running.poll() is None
        running.stdin.close()
    assert ("secret-removed" in found) == told and ("smtpd-filter" in found.get("secret-removed", "")) == told, found


def test_wrapper_behind_the_milter(site, folder, network):
    (site.etc / "master.cf").write_text(postfix_config.MASTER + postfix_config.pipe_service(
        "guarded", "/usr/bin/mxguard-lda --peer=${client_address} -- /bin/cat"))
    with MilterService(folder / "milter", site.conf):
        found = site.doctor()
    assert "mxguard-lda" in found["secret-removed"]
    assert "as nobody" in found["secret-unreadable"]  # the wrapper's user is not the file's owner
    shutil.chown(site.token, "nobody")
    assert "secret-unreadable" not in site.doctor()


@pytest.mark.parametrize("drop_in, told", [
    ("", {"secret-removed", "secret-unreadable"}),
    ("[Service]\nExecStart=\nExecStart=/usr/bin/mxguard milter --secrets=keep\nLoadCredential=token:/etc/mxguard/token\n", set()),
    ("[Service]\nLoadCredential=token:/etc/mxguard/token\n", {"secret-removed"})])
def test_unit_that_waits(site, folder, root, network, drop_in, told):
    """Switched on, and nobody has connected yet: no process, but the unit."""
    units = folder / "system"
    (units / "sockets.target.wants").mkdir(parents=True)
    (units / "mxguard-milter.service.d").mkdir()
    shutil.copy(build.folder() / "tools" / "mxguard-milter.service", units)
    (units / "mxguard-milter.service.d" / "override.conf").write_text(drop_in)
    if not os.path.isdir("/etc/systemd/system"):
        pytest.skip("there is no /etc/systemd/system")
    site.loads("lmtp")
    site.files = {"/etc/systemd/system": units}
    assert not {"secret-removed", "secret-unreadable"} & set(site.doctor())  # it is not switched on
    (units / "sockets.target.wants" / "mxguard-milter.socket").write_text("")
    found = site.doctor()
    assert {"secret-removed", "secret-unreadable"} & set(found) == told, found


def test_lda_cannot_read_it(site):
    site.loads("lda")
    assert "dovecot-lda" in site.doctor()["secret-unreadable"]


# ---- the plugin's ABI


@pytest.fixture
def modules(folder):
    """A folder of modules with our plugin in it."""
    where = folder / "modules"
    (where / "settings").mkdir(parents=True)
    shutil.copy(build.plugin(), where)
    for module in build.settings_modules() if NEW else []:
        shutil.copy(module, where / "settings")
    return where


def spoil(path: pathlib.Path) -> None:
    data = path.read_bytes()
    other = re.sub(rb"2\.(3|4)\.ABIv", rb"1.0.ABIv", data)
    assert other != data
    path.unlink()
    path.write_bytes(other)


def test_plugin_that_fits(site, modules):
    site.loads("lmtp", more=f"mail_plugin_dir = {modules}\n")
    assert not {"dovecot-abi", "dovecot-plugin-missing", "dovecot-settings-missing"} & set(site.doctor())


def test_plugin_of_another_abi(site, modules):
    site.loads("lmtp", more=f"mail_plugin_dir = {modules}\n")
    spoil(modules / "lib99_mxguard_plugin.so")
    found = site.doctor()["dovecot-abi"]
    assert "1.0.ABIv" in found and re.search(rf"\({version()[0]}\.{version()[1]}\.ABIv\d+\)", found) and "LMTP ends" in found


def test_plugin_that_is_named_and_gone(site, modules):
    site.loads("lmtp", more=f"mail_plugin_dir = {modules}\n")
    (modules / "lib99_mxguard_plugin.so").unlink()
    assert "dovecot-plugin-missing" in site.doctor()
    site.loads(more=f"mail_plugin_dir = {modules}\n")
    assert "dovecot-plugin-missing" not in site.doctor()


@pytest.mark.skipif(not NEW, reason="2.3 has no settings modules")
def test_settings_module(site, modules):
    site.loads("lmtp", more=f"mail_plugin_dir = {modules}\n")
    spoil(modules / "settings" / "libmxguard_settings.so")
    assert "IMAP" in site.doctor()["dovecot-abi"]
    (modules / "settings" / "libmxguard_settings.so").unlink()
    assert "dovecot-settings-missing" in site.doctor()


def test_own_syntax(site):
    """What to add is told as the Dovecot that is here reads it."""
    site.loads()
    told = site.doctor()["dovecot-plugin"]
    assert ("mail_plugins { mxguard = yes }" in told) == NEW and ("$mail_plugins mxguard" in told) != NEW


# ---- the hook for source installs


@pytest.mark.parametrize("fits, builds", [(True, True), (False, True), (False, False)])
def test_rebuild_hook(folder, modules, fits, builds):
    """It builds when the plugin does not fit, and only then; where that fails, what is installed stays."""
    calls, tools = folder / "calls", folder / "bin"
    tools.mkdir()
    (tools / "meson").write_text(f'#!/bin/sh\necho "$1" >> {calls}\n[ "$1" != compile ] || exit {0 if builds else 1}\n')
    (tools / "meson").chmod(0o755)
    (modules / "settings" / "libmxguard_settings.so").write_bytes((modules / "lib99_mxguard_plugin.so").read_bytes())
    if not fits:
        spoil(modules / "lib99_mxguard_plugin.so")
    hook = folder / "hook"
    text = (build.ROOT / "contrib" / "dpkg" / "mxguard-rebuild").read_text()
    assert "\nPATH=/usr/sbin" in text
    hook.write_text(text.replace("\nPATH=/usr/sbin", f"\nPATH={tools}:/usr/sbin").replace("/run/systemd/system", "/nonexistent"))
    hook.chmod(0o755)
    done = run(["env", f"MXGUARD_MODULES={modules}", f"MXGUARD_SOURCE={folder}", str(hook)])
    assert done.returncode == 0, done
    assert (calls.read_text().split() if calls.exists() else []) == (
        [] if fits else ["setup", "compile", "install"] if builds else ["setup", "compile"])
    assert (modules / "settings" / "libmxguard_settings.so").exists()
    assert (b"could not be built" in done.stderr) == (not fits and not builds)
