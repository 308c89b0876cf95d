# SPDX-License-Identifier: MIT
"""mxguard itself: its configuration files, and `mxguard check`."""
from __future__ import annotations

import json
import pathlib
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import build
from .process import PATIENCE, run


class Raw(str):
    """Text that stands in the configuration as it is."""


def to_libconfig(value: Any, indent: str = "") -> str:
    """A value as libconfig writes it. A list of strings or numbers is an array [ ]; a list of
    dicts is a list ( ); a tuple is always a list ( )."""
    if isinstance(value, Raw):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value}L" if abs(value) >= 1 << 31 else str(value)
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, Mapping):
        more = indent + "  "
        return "{\n" + settings_text(value, more) + indent + "}"
    if isinstance(value, Sequence):
        inner = ", ".join(to_libconfig(each, indent) for each in value)
        group = isinstance(value, tuple) or any(isinstance(each, Mapping) for each in value)
        return f"({inner})" if group else f"[{inner}]"
    raise TypeError(f"{type(value).__name__} has no libconfig form")


def _quoted(text: str) -> str:
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\f": "\\f"}
    return '"' + "".join(escapes.get(char, char if ord(char) >= 32 else f"\\x{ord(char):02x}")
                         for char in text) + '"'


def settings_text(settings: Mapping[str, Any], indent: str = "") -> str:
    return "".join(f"{indent}{key} = {to_libconfig(value, indent)};\n"
                   for key, value in settings.items())


def write_config(path: pathlib.Path, settings: Mapping[str, Any] | str | bytes) -> pathlib.Path:
    """Write a configuration: a dict, or text or bytes as they are. Others may read it, only the
    owner may write it."""
    if isinstance(settings, Mapping):
        settings = settings_text(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(settings if isinstance(settings, bytes) else settings.encode())
    path.chmod(0o644)
    return path


@dataclass(frozen=True)
class Outcome:
    """What a run of the command gave. Fields of the JSON object are items: outcome["verdict"]."""
    status: int
    objects: list[dict[str, Any]]
    stdout: str
    stderr: str

    @property
    def object(self) -> dict[str, Any]:
        assert self.objects, f"no JSON object; status {self.status}\n{self.stdout}{self.stderr}"
        return self.objects[0]

    def __getitem__(self, key: str) -> Any:
        return self.object[key]


def mxguard(*arguments: str | pathlib.Path, data: bytes | None = None, seconds: float = PATIENCE,
            **keywords: Any) -> "subprocess.CompletedProcess[bytes]":
    """Run the built command, whatever comes of it."""
    return run([str(build.command()), *map(str, arguments)], data=data, seconds=seconds,
               **keywords)


def check(config: pathlib.Path, *, peer: str, rcpt: str | Sequence[str], helo: str | None = None,
          sender: str | None = None, login: str | None = None, place: str | None = None,
          message: pathlib.Path | None = None, extra: Sequence[str] = (),
          seconds: float = PATIENCE) -> Outcome:
    """`mxguard check … --json`; PEER "" is no peer."""
    arguments: list[str] = ["check", "-c", str(config), "--peer", peer]
    for each in [rcpt] if isinstance(rcpt, str) else rcpt:
        arguments += ["--rcpt", each]
    for option, value in (("--helo", helo), ("--from", sender), ("--login", login),
                          ("--place", place), ("--message", message)):
        if value is not None:
            arguments += [option, str(value)]
    result = mxguard(*arguments, *extra, "--json", seconds=seconds)
    stdout, stderr = (stream.decode("utf-8", "replace") for stream in
                      (result.stdout, result.stderr))
    try:
        objects = _objects(stdout)
    except ValueError as error:
        raise AssertionError(f"not JSON ({error}): {stdout!r}\n{stderr}") from None
    return Outcome(result.returncode, objects, stdout, stderr)


def _objects(text: str) -> list[dict[str, Any]]:
    """The JSON objects that stand one after the other in TEXT."""
    decoder, found, position = json.JSONDecoder(), [], 0
    while text[position:].strip():
        position += len(text[position:]) - len(text[position:].lstrip())
        value, position = decoder.raw_decode(text, position)
        found.append(value)
    return found
