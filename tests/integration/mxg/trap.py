# SPDX-License-Identifier: MIT
"""What lies in a trap."""
from __future__ import annotations

import contextlib
import pathlib
import re
from collections.abc import Iterator

from .process import run

FIELD = re.compile(rb"X-Mxguard-Trap: [^\n]*(?:\n[ \t][^\n]*)*\n")


class Trap:
    def __init__(self, path: pathlib.Path) -> None:
        self.path = path

    def settings(self, **more: object) -> dict[str, object]:
        return {"directory": str(self.path), "share": "100%", **more}

    def files(self, part: str = "new") -> list[pathlib.Path]:
        folder = self.path / part
        return sorted(folder.iterdir()) if folder.is_dir() else []

    def originals(self, part: str = "new") -> list[bytes]:
        """The messages as they came: each copy has one field more, on top."""
        found = []
        for path in self.files(part):
            field = FIELD.match(path.read_bytes())
            assert field, path
            found.append(path.read_bytes()[field.end():])
        return found

    def field(self) -> str:
        """Of the only copy, on one line."""
        (path,) = self.files()
        found = FIELD.match(path.read_bytes())
        assert found
        return re.sub(r"\s+", " ", found[0].decode()).strip()

    def put(self, message: bytes, *, peer: str = "203.0.113.66", domain: str = "example.test", time: int) -> pathlib.Path:
        """A copy, as the front ends write it."""
        for part in ("", "tmp", "new", "busy", "cur"):
            (self.path / part).mkdir(mode=0o700, exist_ok=True)
        content = (f"X-Mxguard-Trap: peer={peer}; domain={domain};\n\ttime={time}; reason=peer-not-a-gateway;\n"
                   "\thelo=\"x\"\n").encode() + message
        number = sum(len(self.files(part)) for part in ("new", "busy", "cur"))
        path = self.path / "new" / f"{time}.M000001P1Q{number}.host,S={len(content)}"
        path.write_bytes(content)
        path.chmod(0o600)
        return path


@contextlib.contextmanager
def small_disk(path: pathlib.Path, size: str, options: str = "") -> Iterator[pathlib.Path]:
    """A file system of its own, in this namespace; OPTIONS to mount it again with."""
    path.mkdir(mode=0o700)
    run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(path)], check=True)
    try:
        yield path
    finally:
        run(["umount", "-l", str(path)], check=True)
