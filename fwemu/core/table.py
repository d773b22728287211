"""The session table: finds, opens and ends sessions, and never holds more than its capacity."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator

from fwemu.core.eviction import EVICTIONS, Choose, WhenFull
from fwemu.core.expiry import ExpiryQueue
from fwemu.core.session import Session
from fwemu.core.tcp_table import State


class SessionTable:
    """Sessions by flow and by number.

    A flow is looked up by the key that a packet of either direction is cut to.  Numbers only grow.
    """

    def __init__(self, when_full: WhenFull, choose: Choose) -> None:
        self._flows: defaultdict[int, dict[bytes, Session]] = defaultdict(dict)
        self._sessions: dict[int, Session] = {}
        self._last_number = 0
        self._choose = choose
        self.expiry = ExpiryQueue()
        self.set_eviction(when_full)
        self.population = [0] * len(State)
        """Sessions in each state, indexed by `State`."""

    def set_eviction(self, when_full: WhenFull) -> None:
        """Choose victims by this policy from now on; the quiet time of sessions so far counts."""
        self.eviction = EVICTIONS[when_full](self._choose)
        for session in sorted(self._sessions.values(), key=lambda session: session.last_seen):
            self.eviction.opened(session)
            if session.assured:
                self.eviction.assured(session)

    def find(self, protocol: int, key: bytes) -> Session | None:
        """The session of this flow.  It may be past its deadline, which the caller must check."""
        return self._flows[protocol].get(key)

    def get(self, number: int) -> Session | None:
        """The session with this number."""
        return self._sessions.get(number)

    def new_number(self) -> int:
        """The number of the next session, which no other has ever had."""
        self._last_number += 1
        return self._last_number

    def add(self, session: Session) -> None:
        """Take in a new session; there must be room."""
        flows = self._flows[session.protocol]
        flows[session.key] = session
        flows[session.reply_key] = session
        self._sessions[session.id] = session
        self.population[session.state] += 1
        self.expiry.add(session)
        self.eviction.opened(session)

    def remove(self, session: Session) -> None:
        """Forget a session."""
        flows = self._flows[session.protocol]
        del flows[session.key]
        flows.pop(session.reply_key, None)  # a host that talks to itself has one key for both
        del self._sessions[session.id]
        self.population[session.state] -= 1
        self.expiry.remove(session)
        self.eviction.ended(session)

    def moved(self, session: Session, state: State) -> None:
        """Put a session into another state, with the timer of that state."""
        self.population[session.state] -= 1
        self.population[state] += 1
        session.state = state
        session.lifetime = session.lifetimes[state]
        self.expiry.moved(session)

    def assured(self, session: Session) -> None:
        """Take note that both ends of this session have answered each other."""
        session.assured = True
        self.eviction.assured(session)

    def numbers(self) -> list[int]:
        """The numbers of all sessions, in order."""
        return list(self._sessions)  # they were given in order

    @property
    def oldest(self) -> Session:
        """The session with the lowest number; the table must not be empty."""
        return next(iter(self._sessions.values()))

    @property
    def newest(self) -> int:
        """The highest number in the table; 0 if it is empty."""
        return next(reversed(self._sessions), 0)

    def page(self, numbers: list[int], after: int, limit: int) -> tuple[list[Session], int | None]:
        """The sessions of the first `limit` of these numbers above `after`, and the next `after`.

        Several pages share one list of numbers; sessions that have ended since are left out.  After
        the last page the next `after` is None.
        """
        first = bisect_right(numbers, after)
        page = numbers[first : first + limit]
        found = [self._sessions[number] for number in page if number in self._sessions]
        return found, page[-1] if first + limit < len(numbers) else None

    def __len__(self) -> int:
        return len(self._sessions)

    def __iter__(self) -> Iterator[Session]:
        """All sessions, oldest first; the table may change meanwhile."""
        return iter(list(self._sessions.values()))
