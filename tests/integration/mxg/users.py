# SPDX-License-Identifier: MIT
"""System users that only a mount namespace has."""
from __future__ import annotations

import pathlib
import re
from collections.abc import Sequence


def user_files(folder: pathlib.Path, users: Sequence[str], passwd: str = "") -> dict[str, pathlib.Path]:
    """For with_files(): /etc/passwd and /etc/group with these users, the machine's own where it has
    them. PASSWD: more lines of the former."""
    files = {}
    for name, form in (("passwd", "{0}:x:{1}:{1}::/nonexistent:/usr/sbin/nologin\n"),
                       ("group", "{0}:x:{1}:\n")):
        entries = pathlib.Path("/etc", name).read_text(encoding="utf-8").rstrip("\n") + "\n"
        taken = {int(entry.split(":")[2]) for entry in entries.splitlines() if entry.count(":") > 2}
        free = iter(sorted(set(range(900, 1000)) - taken))
        for user in users:
            if not re.search(f"(?m)^{user}:", entries):
                entries += form.format(user, next(free))
        if name == "passwd":
            entries += passwd
        files[f"/etc/{name}"] = folder / name
        (folder / name).write_text(entries, encoding="utf-8")
    return files
