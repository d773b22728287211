"""Later fragments carry no ports: they pass if the first fragment of their datagram did.

A fragment that overtakes its first one is refused; the sender repeats the datagram.  The memory
is bounded in number and in time, and forgets the oldest first.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from fwemu.core.instants import SECOND

LIFETIME: Final = 30 * SECOND
"""As long as Linux waits for the rest of a datagram (net.ipv4.ipfrag_time, 30 s)."""

CAPACITY: Final = 4096


class AcceptedDatagrams:
    """The datagrams whose first fragment was let through."""

    def __init__(self) -> None:
        self._accepted: OrderedDict[bytes, int] = OrderedDict()

    def accept(self, datagram: bytes, now: int) -> None:
        """The first fragment of this datagram has passed."""
        self._accepted[datagram] = now + LIFETIME
        self._accepted.move_to_end(datagram)
        if len(self._accepted) > CAPACITY:
            self._accepted.popitem(last=False)

    def knows(self, datagram: bytes, now: int) -> bool:
        """May a later fragment of this datagram pass?"""
        return self._accepted.get(datagram, 0) > now

    def forget_all(self) -> None:
        """The table was emptied: nothing passes on old credit."""
        self._accepted.clear()
