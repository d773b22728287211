"""What the daemon knows of a scaled time: its own clock; who scales the ends is handed in.

These live in namespaces of their own, of which a firewall knows nothing; `fwemu.virtual_time` does.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Final, Protocol

SCALES: Final = range(1, 3601)
"""How many times faster time may pass: at 3600 the kernels' least second is an hour."""

Note = Callable[[str, dict[str, Any]], None]
"""Logs an event with its fields."""


class Pace(Protocol):
    """Has the ends run as fast as the firewall's clock does."""

    def scaled_hosts(self) -> AbstractContextManager[object]:
        """Within the block the settings of the hosts are scaled."""

    def watched_sockets(self, note: Note) -> AbstractContextManager[object]:
        """Within the block the values that sockets have of their own are scaled."""

    @property
    def report(self) -> dict[str, Any]:
        """What was scaled, how exactly, and what was not."""
