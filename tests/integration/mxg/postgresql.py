# SPDX-License-Identifier: MIT
"""A PostgreSQL server of its own, in a folder of its own, reached by a unix socket there and, where a port is given, by
loopback. Every name is a superuser without a password."""
from __future__ import annotations

import os
import pathlib
import pwd
import re
import shutil
import signal

from .process import Daemon, program, run

SETTINGS = "fsync = off\nfull_page_writes = off\nsynchronous_commit = off\nmax_connections = 20\n" \
           "shared_buffers = 32MB\ndynamic_shared_memory_type = mmap\ntimezone = 'UTC'\nlog_timezone = 'UTC'\n"


def _programs() -> pathlib.Path | None:
    """Debian keeps the server's programs in a folder for each version, out of PATH."""
    found = [(int(path.parts[-2]), path) for path in pathlib.Path("/usr/lib/postgresql").glob("[0-9]*/bin")
             if re.fullmatch(r"\d+", path.parts[-2]) and (path / "postgres").exists()]
    if found:
        return max(found)[1]
    beside = program("postgres")
    return pathlib.Path(beside).parent if beside else None


class PostgreSQL:
    """PostgreSQL(folder) in a with statement: server.sql("SELECT 1") == "1"; server.environment is for psql(1) and
    whatever else uses libpq."""

    def __init__(self, folder: pathlib.Path, port: int = 0) -> None:
        programs = _programs()
        assert programs, "PostgreSQL is not installed"
        self.folder, self.port, self._programs = folder, port or 5432, programs
        listen = "127.0.0.1" if port else ""
        self._daemon = Daemon(
            [*self._as_user(), str(programs / "postgres"), "-D", str(self.data), "-k", str(folder), "-p",
             str(self.port), "-c", f"listen_addresses={listen}"], folder.with_suffix(".out"))

    @staticmethod
    def available() -> bool:
        return _programs() is not None and program("psql") is not None

    @property
    def data(self) -> pathlib.Path:
        return self.folder / "data"

    @property
    def environment(self) -> dict[str, str]:
        return {"PGHOST": str(self.folder), "PGPORT": str(self.port), "PGUSER": "postgres", "PGDATABASE": "postgres"}

    @staticmethod
    def _as_user() -> list[str]:
        """The server refuses to be root."""
        if os.geteuid() != 0:
            return []
        return ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups"]

    def start(self) -> "PostgreSQL":
        if not self.data.exists():
            self._create()
        self._daemon.start(lambda: run([str(self._programs / "pg_isready"), "-q", "-h", str(self.folder), "-p",
                                        str(self.port)]).returncode == 0, "PostgreSQL answers")
        return self

    def _create(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o755)
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(self.folder, user.pw_uid, user.pw_gid)
        run([*self._as_user(), str(self._programs / "initdb"), "-D", str(self.data), "-U", "postgres", "-A", "trust",
             "-E", "UTF8", "--locale=C.UTF-8", "-N"], check=True, cwd="/")
        with open(self.data / "postgresql.conf", "a", encoding="ascii") as file:
            file.write(SETTINGS)

    def stop(self) -> None:
        """SIGINT is PostgreSQL's fast shutdown; SIGTERM waits for every client to go."""
        if self._daemon.running:
            self._daemon.signal(signal.SIGINT)
        self._daemon.stop()

    def __enter__(self) -> "PostgreSQL":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.data, ignore_errors=True)

    def sql(self, text: str, database: str = "postgres", seconds: float = 120) -> str:
        """What psql prints, without headings: a line a row, columns parted by "|". An error is a failure."""
        psql = [str(program("psql")), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", database, "-f", "-"]
        result = run(psql, data=text.encode(), seconds=seconds, check=True, env={**os.environ, **self.environment})
        return result.stdout.decode().rstrip("\n")
