# SPDX-License-Identifier: MIT
"""The files of this project: not what tools keep beside them (.git, .cache, build folders), which may be
large, and may change while somebody looks."""
import os
import pathlib


def is_ours(folder, name, top):
    made = folder == str(top) and name.startswith(("build", "packages"))
    return not made and not name.startswith((".", "__"))


def files(top):
    for folder, folders, names in os.walk(top):
        folders[:] = sorted(name for name in folders if is_ours(folder, name, top))
        for name in sorted(names):
            path = pathlib.Path(folder, name)
            if path.is_file():
                yield path
