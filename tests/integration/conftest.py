# SPDX-License-Identifier: MIT
"""Fixtures. Each `…(factory)` fixture gives a function that starts a server; whatever was
started in a test is ended after it, in reverse order, by its pid."""
from __future__ import annotations

import contextlib
import os
import pathlib
import socket
from collections.abc import Callable, Iterator

import pytest

from mxg import build
from mxg.dns_real import CachingDns, RealDns
from mxg.dns_script import ScriptedDns
from mxg.exim import Exim
from mxg.milter_service import MilterService
from mxg.mxguard import write_config
from mxg.opensmtpd import OpenSmtpd
from mxg.policy_service import PolicyService
from mxg.postfix import Postfix
from mxg.postgresql import PostgreSQL
from mxg.process import run, temporary_folder
from mxg.sendmail import Sendmail
from mxg.site import Site
from mxg.dovecot import Dovecot, Settings
from mxg.dovecot import version as dovecot_version


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """script/test runs what failed again: the names go to the file that it wants them in."""
    if report.failed and (path := os.environ.get("MXGUARD_FAILED")):
        with open(path, "a", encoding="utf-8") as file:
            file.write(f"tests/integration/{report.nodeid}\n")


@pytest.fixture
def folder() -> Iterator[pathlib.Path]:
    """A short temporary folder that servers under other users can reach (MXGUARD_KEEP=1
    leaves it behind)."""
    with temporary_folder() as path:
        yield path


@pytest.fixture(scope="module")
def module_folder() -> Iterator[pathlib.Path]:
    with temporary_folder() as path:
        yield path


@pytest.fixture
def stack() -> Iterator[contextlib.ExitStack]:
    """What is entered here is left after the test."""
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture(scope="module")
def module_stack() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture
def scripted_dns() -> Iterator[ScriptedDns]:
    with ScriptedDns() as dns:
        yield dns


@pytest.fixture
def real_dns(folder: pathlib.Path, stack: contextlib.ExitStack) -> Callable[..., RealDns]:
    """real_dns(zones, address=…, port=…) -> a running RealDns"""
    if not RealDns.available():
        pytest.skip("nsd is not installed")
    count = iter(range(100))
    return lambda zones, **keywords: stack.enter_context(
        RealDns(folder / f"nsd{next(count)}", zones, **keywords))


@pytest.fixture
def caching_dns(folder: pathlib.Path, stack: contextlib.ExitStack) -> Callable[..., CachingDns]:
    """caching_dns(real_dns, address=…, port=…) -> a running CachingDns"""
    if not CachingDns.available():
        pytest.skip("unbound is not installed")
    count = iter(range(100))
    return lambda upstream, **keywords: stack.enter_context(
        CachingDns(folder / f"unbound{next(count)}", upstream, **keywords))


def _bindable(address: str) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as sock:
        with contextlib.suppress(OSError):
            sock.bind((address, 0))
            return True
    return False


@pytest.fixture(scope="session")
def network() -> None:
    """The test is in the private namespace of script/netns, or it is skipped."""
    if not all(map(_bindable, ("192.0.2.1", "203.0.113.66", "2001:db8::66"))):
        pytest.skip("not in the network of script/netns")


@pytest.fixture(scope="session")
def root() -> None:
    """The test can start servers that switch to other users, or it is skipped."""
    if os.geteuid() != 0 or pathlib.Path("/proc/self/uid_map").read_text().split()[2] == "1":
        pytest.skip("needs root")


@pytest.fixture
def dovecot(folder: pathlib.Path, stack: contextlib.ExitStack, network: None,
            root: None) -> Callable[..., Dovecot]:
    """dovecot(lmtp=[…], mxguard={…}, …) -> a running Dovecot; the keywords are the fields of
    mxg.dovecot.Settings"""
    return dovecot_factory(folder, stack)


@pytest.fixture(scope="module")
def module_dovecot(module_folder: pathlib.Path, module_stack: contextlib.ExitStack, network: None,
                   root: None) -> Callable[..., Dovecot]:
    """The same, kept for all tests of a module."""
    return dovecot_factory(module_folder, module_stack)


def dovecot_factory(folder: pathlib.Path, stack: contextlib.ExitStack) -> Callable[..., Dovecot]:
    if not dovecot_version():
        pytest.skip("Dovecot is not installed")
    count = iter(range(100))
    return lambda **settings: stack.enter_context(
        Dovecot(folder / f"dovecot{next(count)}", Settings(**settings)))


@pytest.fixture(scope="session")
def certificate() -> Iterator[tuple[pathlib.Path, pathlib.Path]]:
    """A certificate and its key, for STARTTLS."""
    with temporary_folder() as folder:
        yield _make_certificate(folder)


def _make_certificate(folder: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path]:
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-subj", "/CN=mail.example.test", "-days", "30", "-keyout", str(key),
         "-out", str(certificate)], check=True)
    return certificate, key


@pytest.fixture
def postfix(folder: pathlib.Path, stack: contextlib.ExitStack, network: None,
            root: None) -> Callable[..., Postfix]:
    """postfix(main={…}, smtpd=[(address, port, {…})], services="…", resolver=…) -> running"""
    if not Postfix.available():
        pytest.skip("Postfix is not installed")
    count = iter(range(100))
    return lambda **keywords: stack.enter_context(
        Postfix(folder / f"postfix{next(count)}", **keywords))


@pytest.fixture
def postgresql(folder: pathlib.Path, stack: contextlib.ExitStack) -> Callable[..., PostgreSQL]:
    """postgresql(port=…) -> a running PostgreSQL"""
    if not PostgreSQL.available():
        pytest.skip("PostgreSQL is not installed")
    count = iter(range(100))
    return lambda **keywords: stack.enter_context(PostgreSQL(folder / f"postgresql{next(count)}", **keywords))


@pytest.fixture
def exim(folder: pathlib.Path, stack: contextlib.ExitStack, network: None,
         root: None) -> Callable[..., Exim]:
    """exim(routers=…, transports=…, acl=…, main=…) -> a running Exim"""
    if not Exim.available():
        pytest.skip("Exim is not unpacked: script/install test")
    count = iter(range(100))
    return lambda **keywords: stack.enter_context(
        Exim(folder / f"exim{next(count)}", **keywords))


@pytest.fixture
def opensmtpd(folder: pathlib.Path, stack: contextlib.ExitStack, network: None,
              root: None) -> Callable[..., OpenSmtpd]:
    """opensmtpd(action=…, before=…, listen=…) -> a running OpenSMTPD"""
    if not OpenSmtpd.available():
        pytest.skip("OpenSMTPD is not unpacked: script/install test")
    count = iter(range(100))
    return lambda **keywords: stack.enter_context(
        OpenSmtpd(folder / f"opensmtpd{next(count)}", **keywords))


@pytest.fixture
def sendmail(folder: pathlib.Path, stack: contextlib.ExitStack, network: None,
             root: None) -> Callable[..., Sendmail]:
    """sendmail(mailers=…, features=…, routes={…}, addresses=(…)) -> a running sendmail"""
    if not Sendmail.available():
        pytest.skip("sendmail is not unpacked: script/install test")
    count = iter(range(100))
    return lambda **keywords: stack.enter_context(
        Sendmail(folder / f"sendmail{next(count)}", **keywords))


@pytest.fixture
def mxguard_config(folder: pathlib.Path) -> Callable[..., pathlib.Path]:
    """mxguard_config(settings) -> the path of a configuration file; settings are a dict or the
    file's text"""
    count = iter(range(1000))
    return lambda settings: write_config(folder / "mxguard" / f"{next(count)}.conf", settings)


@pytest.fixture
def policy_service(folder: pathlib.Path, stack: contextlib.ExitStack) -> Callable[..., PolicyService]:
    """policy_service(config, port=…, options=[…]) -> `mxguard policy`, running"""
    count = iter(range(100))
    return lambda config, **keywords: stack.enter_context(
        PolicyService(folder / f"policy{next(count)}", config, **keywords))


@pytest.fixture
def milter(folder: pathlib.Path, stack: contextlib.ExitStack) -> Callable[..., MilterService]:
    """milter(config, port=…, options=[…]) -> `mxguard milter`, running"""
    if b"milter" not in run([str(build.command()), "--help"]).stdout:
        pytest.skip("built without libmilter")
    count = iter(range(100))
    return lambda config, **keywords: stack.enter_context(
        MilterService(folder / f"milter{next(count)}", config, **keywords))


@pytest.fixture
def site(folder: pathlib.Path, scripted_dns: ScriptedDns,
         mxguard_config: Callable[..., pathlib.Path]) -> Site:
    return Site(folder, scripted_dns, mxguard_config)
