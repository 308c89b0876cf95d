#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What only Linux or only glibc has stands in one file each, and that file has another way."""
import pathlib
import re
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
# The call, and where it stands.
ONLY = {
    r"epoll_\w+|sys/epoll\.h": "tools/service/wait_set.c",
    r"signalfd|sys/signalfd\.h": "tools/service/signals.c",
    r"eventfd|sys/eventfd\.h": "tools/service/wake.c",
    r"memfd_create|O_TMPFILE": "system/nameless.h",
    r"F_OFD_\w+": "system/range_lock.h",
    r"strerrordesc_np|strerrorname_np": "system/error_text.h",
    r"ns_name_unpack": "libmxguard/dns/message.c",
    r"SO_PEERCRED|struct ucred": "tools/service/source.c",
    r"linux/filter\.h|SO_ATTACH_FILTER": "tools/service/listener.c",
    r"AF_NETLINK|NETLINK_\w+|linux/\w+_diag\.h|linux/(?:rt)?netlink\.h": "tools/audit/listeners_netlink.c",
    r"malloc_trim|malloc\.h": "tools/service/service.c",
    r"O_PATH": "system/folder_handle.h",
    r"O_NOATIME": "system/unnoticed.h",
    r"unshare|CLONE_\w+": "system/own_files.h",
    r"(?:SYS_)?close_range": "tools/scan/folder.c",
    r"(?:SYS_)?pidfd_\w+": "lda-wrapper/feeder.c",
    r"sched_getaffinity|cpu_set_t|CPU_\w+": "tools/report/pieces.c",
    r"linux/(?!filter|(?:rt)?netlink|\w+_diag)\w+\.h": None, r"timerfd\w*": None, r"(?:inotify|fanotify)_\w+": None, r"sendfile|splice": None,
    r"copy_file_range": None, r"renameat2": None, r"prctl": None, r"setns": None, r"statx": None, r"(?:SYS_)?openat2": None,
    r"process_vm_\w+": None, r"sync_file_range|syncfs": None, r"posix_fallocate|fallocate": None, r"POLLRDHUP|EPOLLRDHUP": None,
}
# The other way of a file that has none within itself.
OTHER = {"tools/audit/listeners_netlink.c": "tools/audit/listeners_connect.c"}


def code(text):
    """Without comments and strings."""
    return re.sub(r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"(?!>)', lambda m: m[0] if "#include" in m[0] else "\n" * m[0].count("\n"), text, flags=re.S)


def files():
    for folder in ("libmxguard", "tools", "trap", "lda-wrapper", "dovecot-plugin", "system"):
        yield from (path for path in (TOP / folder).rglob("*") if path.suffix in (".c", ".h"))


WORDS = {re.compile(rf"(?<!\w)(?:{pattern})(?!\w)"): home for pattern, home in ONLY.items()}
ANY = re.compile("|".join(f"(?:{pattern})" for pattern in ONLY))


def trouble():
    texts = {str(path.relative_to(TOP)): path.read_text() for path in files()}
    texts = {name: code(text) for name, text in texts.items() if ANY.search(text)}
    for pattern, home in WORDS.items():
        for name, text in texts.items():
            if name != home and (found := pattern.search(text)):
                yield f"{name} has {found[0]}, which belongs into {home or 'no file'}"
        if home and not pattern.search(texts.get(home, "")):
            yield f"{home} has no {pattern.pattern} any more: take it out of this list"
        if home in OTHER:
            if not (TOP / OTHER[home]).exists():
                yield f"{home} has no other way"
        elif home and not re.search(r"^#\s*(?:if|ifdef|elif)\b", texts.get(home, ""), re.M):
            yield f"{home} has no other way"


def main():
    found = list(trouble())
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


sys.exit(main())
