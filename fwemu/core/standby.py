"""The knowledge of a standby peer: it hears of each effect a while after it happened.

Peers replicate sessions and their states.  They do not replicate what changes with every packet:
neither timers nor sequence numbers (docs/decisions/0011-failover.md has the sources).  So only
the effects that the peer has not heard of yet are kept, and undone at a failover.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

from fwemu.core.effects import Effect, Effects, SessionEnded, SessionOpened, StateChanged
from fwemu.core.packet import keys_of
from fwemu.core.rule_changes import RuleChanges
from fwemu.core.session import Session
from fwemu.core.tcp_table import State

IN_FLIGHT: Final = 1 << 17
"""Changes on their way to the peer, at the most; beyond that it hears of the oldest early.

The resend queue of conntrackd holds as many (ResendQueueSize in conntrackd.conf(5)).
"""


class Unreplicated(NamedTuple):
    """The differences between the peer's table and this firewall's."""

    opened: set[int]
    """Numbers of the sessions that the peer does not know."""
    states: dict[int, State]
    """The states that the peer knows of sessions whose state has changed since, by number."""
    ended: dict[int, SessionEnded]
    """Sessions that ended here and that the peer still has, by number, in the state it knows."""


class Standby:
    """The changes of the last `lag` nanoseconds, of which the peer has not heard.

    The caller hands all effects to `follow`.  In the beginning the peer knows everything.
    """

    def __init__(self, lag: int) -> None:
        self.lag: Final = lag
        self._in_flight: deque[Any] = deque(maxlen=IN_FLIGHT)

    def follow(self, effects: Iterable[Effect]) -> None:
        """Take note of effects that have just happened, in their order."""
        in_flight = self._in_flight
        for effect in effects:
            if type(effect) in _UNDO:
                in_flight.append(effect)
                heard = effect.at - self.lag
                while in_flight and in_flight[0].at <= heard:
                    in_flight.popleft()

    def unreplicated(self, as_of: int) -> Unreplicated:
        """The changes that the peer does not know, if it knows all that was so at `as_of`."""
        unreplicated = Unreplicated(set(), {}, {})
        for effect in reversed(self._in_flight):
            if effect.at > as_of:
                _UNDO[type(effect)](unreplicated, effect)
        return unreplicated

    def rules_changed(self, changes: RuleChanges) -> None:
        """Follow the rules to where they stand now, in what is still on its way to the peer."""
        if not changes.is_none:
            self._in_flight = deque(renumbered(self._in_flight, changes), maxlen=IN_FLIGHT)

    def synchronise(self) -> None:
        """Tell the peer everything at once, as one that joins is."""
        self._in_flight.clear()


def renumbered(effects: Iterable[Effect], changes: RuleChanges) -> Effects:
    """The same effects, with the index that each rule has now."""

    def now(effect: Effect) -> Effect:
        if not isinstance(effect, SessionEnded):  # nothing else is made again of what is past
            return effect
        key, _ = keys_of(effect.flow)
        rule = changes.rule_of(effect.rule, effect.state, effect.flow.protocol, key, effect.zone)
        return effect._replace(rule=rule)

    return tuple(now(effect) for effect in effects)


def _undo_open(unreplicated: Unreplicated, effect: SessionOpened) -> None:
    if unreplicated.ended.pop(effect.id, None) is None:
        unreplicated.opened.add(effect.id)


def _undo_change(unreplicated: Unreplicated, effect: StateChanged) -> None:
    ended = unreplicated.ended.get(effect.id)
    if ended is None:
        unreplicated.states[effect.id] = effect.before
    else:
        unreplicated.ended[effect.id] = ended._replace(state=effect.before)


def _undo_end(unreplicated: Unreplicated, effect: SessionEnded) -> None:
    unreplicated.ended[effect.id] = effect


_UNDO: Final[dict[type, Callable[[Unreplicated, Any], None]]] = {
    SessionOpened: _undo_open,
    StateChanged: _undo_change,
    SessionEnded: _undo_end,
}

_ASSURED: Final = frozenset(
    {
        State.ESTABLISHED,
        State.FIN_WAIT,
        State.CLOSE_WAIT,
        State.LAST_ACK,
        State.TIME_WAIT,
        State.UDP_REPLIED,
    }
)
"""The states of sessions whose ends have both answered."""


def take_over(session: Session, state: State, now: int) -> None:
    """Reduce a session to what the peer knows: its state, no numbers, all timers to begin anew."""
    session.state = state
    session.assured = state in _ASSURED
    session.last_seen = session.restarted = now
    session.keepalive_pending = None
    for end in session.ends:
        end.restarted = now
    if session.tcp is not None:
        session.tcp.forget_numbers()
