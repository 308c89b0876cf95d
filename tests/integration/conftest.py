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

from mxg.dns_real import CachingDns, RealDns
from mxg.dns_script import ScriptedDns
from mxg.process import temporary_folder


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
