# SPDX-License-Identifier: MIT
"""`mxguard milter`, as an MTA finds it."""
from __future__ import annotations

import pathlib
from collections.abc import Sequence

from . import build
from .policy_service import PolicyService
from .process import Daemon, listening


class MilterService(PolicyService):
    """Listens on loopback at PORT, and is stopped, killed and reloaded like the policy service. ARGV stands before
    the command."""

    def __init__(self, folder: pathlib.Path, config: pathlib.Path, *, port: int = 10034,
                 options: Sequence[str] = (), argv: Sequence[str] = ()) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port, self.config = port, config
        self._daemon = Daemon([*argv, str(build.command()), "milter", "-c", str(config),
                               "--listen", f"inet:127.0.0.1:{port}", *options], folder / "milter.log")

    def start(self) -> "MilterService":
        self._daemon.start(lambda: listening("127.0.0.1", self.port), "mxguard milter listens")
        return self

    @property
    def address(self) -> str:
        """As Postfix wants it."""
        return f"inet:127.0.0.1:{self.port}"
