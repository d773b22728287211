"""The programs of the hosts as a source of events: their clocks follow the firewall's."""

from __future__ import annotations

from typing import Any, Final, Protocol

from fwemu.applications.deadlines import NEVER as NO_DEADLINE
from fwemu.applications.play import Player
from fwemu.core.instants import NEVER


class Applications(Protocol):
    """Whoever plays the time of programs; instants are those of the firewall's clock."""

    @property
    def due(self) -> int: ...

    def move_to(self, instant: int) -> None: ...

    def wake(self) -> bool: ...

    def begin_to_rest(self) -> None: ...

    def are_at_rest(self) -> bool: ...

    def give_up_waiting(self) -> None: ...


class NoApplications:
    """Programs stand still."""

    due: Final = NEVER

    def move_to(self, instant: int) -> None:
        """Their clocks are the machine's."""

    def wake(self) -> bool:
        return False

    def begin_to_rest(self) -> None:
        """Nobody is waited for."""

    def are_at_rest(self) -> bool:
        return True

    def give_up_waiting(self) -> None:
        """Nobody is waited for."""


class PlayedApplications:
    """Programs live through what the firewall does."""

    def __init__(self, player: Player, now: int) -> None:
        """`now` is this instant by the firewall's clock."""
        self._player = player
        self._difference = now - player.now()
        """Time that has passed for the firewall alone, before."""
        player.step_time_of_day(self._difference)

    @property
    def due(self) -> int:
        """When the first of them wakes by itself; NEVER if none does."""
        next_ = self._player.next()
        return NEVER if next_ >= NO_DEADLINE else next_ + self._difference

    def move_to(self, instant: int) -> None:
        """Set their clocks."""
        self._player.move_to(instant - self._difference)

    def wake(self) -> bool:
        """End what is over; is anybody awake then?"""
        return self._player.wake()

    def begin_to_rest(self) -> None:
        """From now on they are waited for."""
        self._player.begin_to_rest()

    def are_at_rest(self) -> bool:
        """Have all of them waited since this was asked last?"""
        return self._player.are_at_rest()

    def give_up_waiting(self) -> None:
        """Those that run all the time are waited for no more."""
        self._player.give_up_waiting()


def record(player: Player) -> list[dict[str, Any]]:
    """Which programs woke by themselves, and how often; since the last `begin`."""
    return [
        {"process": name, "pid": pid, "wakes": wakes} for pid, (name, wakes) in player.wakes.items()
    ]
