"""The parts that all formats share: the device, its open sessions, and `Format` itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from fwemu.core.effects import (
    Effect,
    KeepaliveSeen,
    PacketInjected,
    PacketReleased,
    SessionAnswered,
    SessionEnded,
    SessionOpened,
    StateChanged,
)
from fwemu.core.endpoint import TcpEndpoint
from fwemu.core.flow import Direction, Flow
from fwemu.core.instants import SECOND
from fwemu.core.policy import Policy
from fwemu.core.reasons import EndReason, Reason
from fwemu.core.session import Session
from fwemu.core.tcp_table import Segment, State
from fwemu.core.timeouts import DISCARDED_STATES, OPEN_STATES
from fwemu.core.trackers import ASSURED_STATES

MONTHS: Final = (
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
)  # fmt: skip
"""As RFC 3164 section 4.1.2 has them, whatever the locale."""

_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""What would end a line, or confuse a terminal: a rule may be called anything."""

LONGEST: Final = 2**32 - 1
"""Seconds that stand for `never` where a device prints a number of 32 bits."""


UNTOLD: Final = frozenset({EndReason.FAILED_OVER, EndReason.REBOOTED})
"""Ends that no device logs: it went down, and its peer does not know what is lost."""

SILENT: Final[frozenset[type]] = frozenset({KeepaliveSeen, PacketInjected, PacketReleased})
"""Kinds of effects that no device here logs; `Format.silent` has those of one device."""

UNLOGGED: Final = frozenset(
    {
        # counted by the devices (`show asp drop`, `show counter global`, a screen), not logged
        Reason.TABLE_FULL,
        Reason.INVALID_STATE,
        Reason.OUT_OF_WINDOW,
        Reason.UNRELATED_ICMP,
        Reason.UNKNOWN_FRAGMENT,
        Reason.OVERLAPPING_FRAGMENT,
        Reason.FRAGMENT_TIMEOUT,
        Reason.TOO_MANY_FRAGMENTS,
        Reason.BAD_FLAGS,
        Reason.BAD_LENGTH,
        Reason.BAD_HEADER,
        Reason.TRUNCATED,
        Reason.DISCARDED,  # the denial was logged when it was made
        Reason.REBOOTING,  # the device is down
    }
)
"""Reasons to drop a packet that no device here logs; a table `REFUSALS` has all the others."""

_BEGIN_TO_CLOSE: Final = frozenset({State.FIN_WAIT, State.CLOSE})


@dataclass(slots=True)
class Known:
    """The facts about a session, learned from effects, that some device prints."""

    flow: Flow | None = None
    """None for a session that nobody has introduced."""
    closer: Direction | None = None
    """The end that sent the first FIN, or the RST."""
    is_answered: bool = False
    is_assured: bool = False


class Device:
    """A device that writes a log.

    It remembers each session from its beginning to its end: no more of them than the table holds.
    """

    def __init__(self, name: str, policy: Policy) -> None:
        self.name = name
        self.policy = policy
        self.lines = 0
        """Lines it has written, for those that number them."""
        self._known: dict[int, Known] = {}

    def known(self, session: int) -> Known:
        """The facts known about a session; empty ones for an unknown number."""
        return self._known.get(session) or Known()

    def meet(self, session: Session) -> None:
        """Get to know a session that is open already."""
        closer = None
        for direction, end in zip(Direction, session.ends, strict=True):
            if isinstance(end, TcpEndpoint) and end.closed_first:
                closer = direction
        talk = session.tcp
        if talk is not None and session.state is State.CLOSE and talk.last_segment is Segment.RST:
            closer = talk.last_direction
        self._known[session.id] = Known(
            session.flow,
            closer,
            session.ends[Direction.REPLY].packets > 0,
            session.assured,
        )

    def learn(self, effect: Effect) -> None:
        """Remember the facts that later lines need; call it before the line is made."""
        if isinstance(effect, SessionOpened):
            resumes = effect.state in ASSURED_STATES and not effect.picked_up  # after a failover
            self._known[effect.id] = Known(effect.flow, None, resumes, resumes)
        elif isinstance(effect, SessionAnswered):
            self._known.setdefault(effect.id, Known()).is_answered = True
        elif isinstance(effect, StateChanged):
            known = self._known.setdefault(effect.id, Known())
            known.is_answered |= effect.direction is Direction.REPLY
            known.is_assured |= effect.after in ASSURED_STATES
            if effect.after in _BEGIN_TO_CLOSE:
                known.closer = effect.direction
            elif effect.after in OPEN_STATES:  # a peer took over that had heard of no close
                known.closer = None

    def forget(self, effect: Effect) -> None:
        """Forget a session that has ended; to be called after that was told."""
        if isinstance(effect, SessionEnded):
            self._known.pop(effect.id, None)

    def number(self) -> int:
        """The number of the next line."""
        self.lines += 1
        return self.lines

    def rule(self, index: int | None) -> str | None:
        """The name of a rule, `rule-1` if it has none; None for the default action."""
        rules = self.policy.rules
        if index is None or index >= len(rules):  # a session may outlive its rule
            return None
        name = rules[index].name or f"rule-{index + 1}"
        return name if name.isprintable() else _UNPRINTABLE.sub(" ", name)


Tells = Callable[[Device, Any, datetime], str | None]
"""Makes a line of an effect and the time of day (UTC); None where the device says nothing of it."""


@dataclass(frozen=True)
class Format:
    """The log format of one kind of device."""

    title: str
    lines: Mapping[type, Tells]
    """By kind of effect."""
    silent: frozenset[type]
    """The kinds of effects that this device does not log, beside those in `SILENT`."""
    notes: tuple[str, ...]
    """What the lines have, and what they have not."""
    sources: tuple[str, ...]
    unverified: tuple[str, ...]
    """What no source was found for."""

    def line(self, device: Device, effect: Effect, time: datetime) -> str | None:
        """The device's line for an effect, without the end of the line; None if it has none."""
        device.learn(effect)
        tell = None if _is_untold(effect) else self.lines.get(type(effect))
        text = None if tell is None else tell(device, effect, time)
        device.forget(effect)
        return text


def _is_untold(effect: Effect) -> bool:
    """True for an effect that no device logs; a remembered denial was logged when it was made."""
    if isinstance(effect, SessionEnded):
        return effect.reason in UNTOLD or effect.state in DISCARDED_STATES
    return isinstance(effect, SessionOpened) and effect.state in DISCARDED_STATES


def whole_seconds(nanoseconds: int) -> int:
    """A duration as devices print it: they cut, they do not round."""
    return nanoseconds // SECOND
