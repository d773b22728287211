"""What the daemon knows of fast-forward: it moves its clock; who plays the hosts is handed in.

These live in namespaces of their own, of which a firewall knows nothing; `fwemu.virtual_time` does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any, NamedTuple, Protocol

from fwemu.core.effects import Effect


class StopOn(Enum):
    """At what a travel may end before its time."""

    SESSION_ENDED = "session-ended"
    """A session of the firewall ended."""
    CONNECTION_LOST = "connection-lost"
    """A kernel gave a connection up, or was told to by a RST."""
    PROBE_UNANSWERED = "probe-unanswered"
    """A keepalive probe was not answered."""


class Progress(NamedTuple):
    """How far a travel has come."""

    now: int
    started: int
    """The instant at which this firewall was started."""
    packets: int
    """Packets decided until now."""
    waiting: int
    """Packets in the kernel's queue."""
    happened: list[Effect]
    """Since the last time."""


class Asks(Protocol):
    """The engine, as the control process sees it."""

    def ask(self, name: str, **arguments: Any) -> Any: ...


class Travelled(Protocol):
    """What happened on the way."""

    @property
    def record(self) -> dict[str, Any]: ...


class Travels(Protocol):
    """Plays the firewall and the ends around it."""

    @property
    def passed(self) -> int | None: ...

    def fast_forward(self, by: int, stop_on: Iterable[StopOn] = ()) -> Travelled: ...

    def cancel(self) -> None: ...


Travel = Callable[[Asks], Travels]
"""Makes one that plays this engine."""
