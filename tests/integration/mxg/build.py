# SPDX-License-Identifier: MIT
"""Where what was built is: in $MXGUARD_BUILD, or in the checkout's build/."""
from __future__ import annotations

import json
import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[3]
PLUGIN = "lib99_mxguard_plugin.so"
SETTINGS_MODULE = "libmxguard_settings.so"


def folder() -> pathlib.Path:
    return pathlib.Path(os.environ.get("MXGUARD_BUILD") or ROOT / "build").resolve()


def find(name: str) -> pathlib.Path | None:
    """The built file of this name, wherever it is in the build folder."""
    return next((path for path in sorted(folder().glob(f"*/{name}"))
                 + sorted(folder().glob(f"*/*/{name}")) if path.is_file()), None)


def _needed(name: str) -> pathlib.Path:
    path = find(name)
    assert path, f"{name} is not in {folder()}: build it first, or set MXGUARD_BUILD"
    return path


def command() -> pathlib.Path:
    return _needed("mxguard")


def wrapper() -> pathlib.Path:
    return _needed("mxguard-lda")


def plugin() -> pathlib.Path:
    return _needed(PLUGIN)


def settings_modules() -> list[pathlib.Path]:
    """Dovecot 2.4 reads a plugin's settings with a module of its own; 2.3 has none."""
    path = find(SETTINGS_MODULE)
    return [path] if path else []


def portable() -> bool:
    """Built as for a system that has neither Linux's nor glibc's own calls."""
    options = folder() / "meson-info" / "intro-buildoptions.json"
    return options.exists() and any(each["name"] == "portable" and each["value"] for each in json.loads(options.read_text()))
