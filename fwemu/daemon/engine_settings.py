"""The settings of the daemon itself, beside the core's policy, as plain data."""

from __future__ import annotations

from dataclasses import dataclass

from fwemu.config import Config
from fwemu.core.choices import PeerState
from fwemu.core.standby import Standby


@dataclass(frozen=True)
class Flushes:
    """The scheduled flushes."""

    cron: tuple[str, ...] = ()
    intervals: tuple[int, ...] = ()
    """Nanoseconds."""


def flushes(config: Config) -> Flushes:
    """The flushes that are configured."""
    return Flushes(
        tuple(entry.schedule for entry in config.flush if entry.schedule is not None),
        tuple(entry.every.nanoseconds for entry in config.flush if entry.every is not None),
    )


@dataclass(frozen=True)
class Pair:
    """The knowledge of the peer at a failover."""

    state: PeerState = PeerState.NONE
    lag: int = 0
    """Nanoseconds."""

    @property
    def standby(self) -> Standby | None:
        """What keeps the changes that it hears of late; None if it hears of all at once."""
        return Standby(self.lag) if self.lag else None


def pair(config: Config) -> Pair:
    """The pair that is configured."""
    return Pair(config.standby.state, config.standby.lag.nanoseconds)


def logged(config: Config) -> tuple[str, ...]:
    """The kinds of events that are to be logged."""
    return tuple(event.value for event in config.daemon.log_events)
