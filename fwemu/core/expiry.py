"""The expiry queue, which finds sessions that are due: a heap of deadlines, corrected late.

A packet only writes `restarted`; nothing here moves.  An entry of the heap says when to look at a
session at the latest.  If it has seen traffic since, it is queued again for its new deadline; so a
busy session costs one look a timeout.  Two things need care: a deadline that moves *earlier* is
pushed at once, and an entry that such a push has superseded is skipped when it surfaces.

Why not a list per timeout or a timer wheel: docs/decisions/0004-expiry.md.
"""

from __future__ import annotations

import heapq
from typing import Final

from fwemu.core.instants import NEVER
from fwemu.core.session import Session

_SLACK: Final = 1024
"""Superseded entries that are kept, beyond one for each session, before the heap is cleaned."""


class Budget:
    """A limit on the entries that one call looks at."""

    def __init__(self, number: int) -> None:
        self.left = number

    def spend(self) -> bool:
        """Use one look; False if none is left."""
        self.left -= 1
        return self.left >= 0


class ExpiryQueue:
    """The sessions of a table in the order in which they need to be looked at."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Session]] = []
        self._pushes = 0
        self._members = 0

    def add(self, session: Session) -> None:
        """Take in a session that was just opened."""
        self._members += 1
        self._push(session, session.deadline)

    def remove(self, session: Session) -> None:
        """Let go of a session that has ended; its entries are skipped when they surface."""
        heap = self._heap
        if heap and heap[0][2] is session:  # mostly it was found there
            heapq.heappop(heap)
        session.queued = -1
        self._members -= 1
        if len(self._heap) > 2 * self._members + _SLACK:
            self._compact()

    def moved(self, session: Session) -> None:
        """Call when a lifetime has changed: an earlier deadline is queued, a later one is not."""
        deadline = session.deadline
        if deadline < session.queued:
            self._push(session, deadline)

    def due(self, now: int, budget: Budget | None = None) -> Session | None:
        """A session whose deadline has come by `now`, the earliest first; None if there is none.

        It stays the answer until it is removed.  The search gives up, with None, when `budget` is
        used up: many sessions that have seen traffic may stand before one that is due.
        """
        heap = self._heap
        while heap and heap[0][0] <= now and (budget is None or budget.spend()):
            entry, _, session = heap[0]
            if session.queued != entry:  # ended, or superseded by an earlier entry
                heapq.heappop(heap)
            elif session.deadline > entry:  # it saw traffic since
                heapq.heappop(heap)
                self._push(session, session.deadline)
            else:
                return session
        return None

    def next_look(self) -> int | None:
        """An instant before which no session is due; None if there is no session."""
        heap = self._heap
        while heap and heap[0][2].queued != heap[0][0]:
            heapq.heappop(heap)
        if not heap or heap[0][0] >= NEVER:
            return None
        return heap[0][0]

    def __len__(self) -> int:
        """Entries held, superseded ones included."""
        return len(self._heap)

    def _push(self, session: Session, deadline: int) -> None:
        session.queued = deadline
        self._pushes += 1  # breaks ties, so that sessions are never compared
        heapq.heappush(self._heap, (deadline, self._pushes, session))

    def _compact(self) -> None:
        self._heap = [entry for entry in self._heap if entry[2].queued == entry[0]]
        heapq.heapify(self._heap)
