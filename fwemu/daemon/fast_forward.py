"""The daemon's interface to fast-forward: the player of the hosts is handed in.

These live in namespaces of their own, of which a firewall knows nothing; `fwemu.virtual_time` does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from fwemu.daemon.requests import EngineClient
from fwemu.daemon.stop_on import StopOn


class FastForwardResult(Protocol):
    """The result of a fast-forward."""

    @property
    def record(self) -> dict[str, Any]: ...


class FastForwarder(Protocol):
    """Plays the firewall and the hosts around it."""

    @property
    def passed(self) -> int | None: ...

    def fast_forward(
        self,
        by: int,
        stop_on: Iterable[StopOn] = (),
        caller: tuple[int, int] | None = None,
        *,
        applications: bool = ...,
        grain: int | None = ...,
    ) -> FastForwardResult: ...

    def cancel(self) -> None: ...

    def close(self) -> None: ...


FastForwarderFactory = Callable[[EngineClient], FastForwarder]
"""Makes one that plays this engine."""
