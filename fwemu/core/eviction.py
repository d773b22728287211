"""Eviction: the session that makes room when the table is full.  One class a policy, by table."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from enum import Enum
from typing import Final, Protocol

from fwemu.core.session import Session

Choose = Callable[[int], int]
"""Chance, handed in from outside: a number from 0 to n - 1."""


class WhenFull(Enum):
    """How a full table treats the next new session.  The value is the setting's."""

    EVICT_LRU = "evict-lru"
    EVICT_UNASSURED = "evict-unassured"
    EVICT_RANDOM = "evict-random"
    REJECT_NEW = "reject-new"


class Eviction(Protocol):
    """Keeps the sessions in the order that its policy needs."""

    seen: Callable[[Session], None] | None
    """Called with the session of every packet; None if the policy does not care."""

    def opened(self, session: Session) -> None:
        """A session was opened."""

    def assured(self, session: Session) -> None:
        """Both ends of a session have answered."""

    def ended(self, session: Session) -> None:
        """A session has left the table."""

    def victim(self) -> Session | None:
        """The session to evict, or None to refuse the new one."""


class EvictLeastRecentlyUsed:
    """Evicts the session that has been quiet for longest."""

    def __init__(self, choose: Choose) -> None:
        self._order: OrderedDict[Session, None] = OrderedDict()
        self.seen: Callable[[Session], None] | None = self._order.move_to_end

    def opened(self, session: Session) -> None:
        self._order[session] = None

    def assured(self, session: Session) -> None:
        pass

    def ended(self, session: Session) -> None:
        del self._order[session]

    def victim(self) -> Session | None:
        return next(iter(self._order), None)


class EvictUnassured:
    """Evicts the oldest session whose ends have not both answered; refuses where all have.

    Linux calls this early_drop (net/netfilter/nf_conntrack_core.c).
    """

    seen: Callable[[Session], None] | None = None

    def __init__(self, choose: Choose) -> None:
        self._waiting: dict[Session, None] = {}

    def opened(self, session: Session) -> None:
        self._waiting[session] = None

    def assured(self, session: Session) -> None:
        del self._waiting[session]

    def ended(self, session: Session) -> None:
        self._waiting.pop(session, None)

    def victim(self) -> Session | None:
        return next(iter(self._waiting), None)


class EvictRandom:
    """Evicts any session, each with the same chance."""

    seen: Callable[[Session], None] | None = None

    def __init__(self, choose: Choose) -> None:
        self._choose = choose
        self._sessions: list[Session] = []

    def opened(self, session: Session) -> None:
        session.slot = len(self._sessions)
        self._sessions.append(session)

    def assured(self, session: Session) -> None:
        pass

    def ended(self, session: Session) -> None:
        last = self._sessions.pop()
        if last is not session:  # the last one moves into the gap
            self._sessions[session.slot] = last
            last.slot = session.slot
        session.slot = -1

    def victim(self) -> Session | None:
        return self._sessions[self._choose(len(self._sessions))] if self._sessions else None


class RejectNew:
    """Evicts nothing: the new session is refused."""

    seen: Callable[[Session], None] | None = None

    def __init__(self, choose: Choose) -> None:
        pass

    def opened(self, session: Session) -> None:
        pass

    def assured(self, session: Session) -> None:
        pass

    def ended(self, session: Session) -> None:
        pass

    def victim(self) -> Session | None:
        return None


EVICTIONS: Final[dict[WhenFull, Callable[[Choose], Eviction]]] = {
    WhenFull.EVICT_LRU: EvictLeastRecentlyUsed,
    WhenFull.EVICT_UNASSURED: EvictUnassured,
    WhenFull.EVICT_RANDOM: EvictRandom,
    WhenFull.REJECT_NEW: RejectNew,
}
