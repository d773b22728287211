"""The daemon's interface to scaled time: its clock; the scaler of the hosts is handed in.

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
    """Scales the hosts to the speed of the firewall's clock."""

    def scaled_hosts(self) -> AbstractContextManager[object]:
        """Within the block the settings of the hosts are scaled."""

    def watched_sockets(self, note: Note) -> AbstractContextManager[object]:
        """Within the block the values that sockets have of their own are scaled."""

    @property
    def report(self) -> dict[str, Any]:
        """A report of the scaled settings, their exactness, and what is not scaled."""
