"""Virtual reassembly: which fragments pass, without putting any datagram together.

Only the first fragment of a datagram has ports.  Later ones go its way: they pass if it passed, and
one that overtakes it waits for it.  What overlaps, cuts the transport header apart, or comes in too
many pieces is an attack or a fault, and the whole datagram is refused (RFC 1858, RFC 3128; RFC 5722
and RFC 8200 section 4.5 for IPv6).  The memory is bounded in number and in time.

Firewalls call this virtual reassembly (Cisco IOS `ip virtual-reassembly`, ASA `fragment`): unlike
an endpoint they do not wait for the whole before they let its parts go on.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from fwemu.core.flow import Zone
from fwemu.core.instants import SECOND
from fwemu.core.packet import Fragment, Kind, Packet
from fwemu.core.reasons import Reason


@dataclass(frozen=True)
class FragmentLimits:
    """How much is remembered of datagrams in parts."""

    timeout: int = 30 * SECOND
    """Nanoseconds from the first part that is seen (Linux: net.ipv4.ipfrag_time, 30 s)."""
    per_datagram: int = 128
    """Fragments of one datagram: enough for 64 KiB at the smallest IPv4 MTU, 576 (RFC 791)."""
    held: int = 200
    """Fragments that wait at one time, of all datagrams (Cisco ASA: `fragment size`, 200)."""
    datagrams: int = 4096
    """Datagrams that are remembered; more push the oldest out."""


class Held(NamedTuple):
    """A fragment that waits for its verdict."""

    ticket: int
    packet: Packet
    zone: Zone


class Place(Enum):
    """How a fragment lies to those of its datagram that came before it."""

    FREE = 0
    REPEATED = 1
    """Exactly one of them once more, as a network may do (RFC 8200 section 4.5)."""
    OVERLAPPING = 2
    """It shares octets with another, or contradicts where the datagram ends."""


class Datagram:
    """What is known of a datagram of which a part has come."""

    __slots__ = ("covered", "fate", "first", "held", "key", "parts", "since", "size")

    def __init__(self, key: tuple[Zone, bytes], since: int) -> None:
        self.key = key
        self.since = since
        self.fate: Reason | None = None
        """Why its later fragments pass or do not; None until its first one is judged."""
        self.first: Fragment | None = None
        """Its first fragment, once accepted."""
        self.parts: list[tuple[int, int]] = []
        """From and to which octet, in order; no two overlap."""
        self.covered = 0
        self.size: int | None = None
        """Octets in all, known from its last fragment."""
        self.held: list[Held] = []

    @property
    def is_complete(self) -> bool:
        """Have all its parts passed?"""
        return self.fate is Reason.FRAGMENT and self.covered == self.size

    def is_over_for(self, fragment: Fragment) -> bool:
        """Is this fragment the beginning of another datagram that bears the same number?"""
        if fragment.start == 0:
            return self.is_complete or self.fate is Reason.UNKNOWN_FRAGMENT
        return self.is_complete and self.place_of(fragment) is not Place.REPEATED

    def place_of(self, fragment: Fragment) -> Place:
        """How a fragment lies to those before it."""
        start, end = part = (fragment.start, fragment.end)
        parts, size = self.parts, self.size
        index = bisect_left(parts, part)
        if index < len(parts) and parts[index] == part:
            is_same = fragment.is_last == (end == size)
            return Place.REPEATED if is_same else Place.OVERLAPPING
        if index < len(parts) and parts[index][0] < end:
            return Place.OVERLAPPING
        if index > 0 and parts[index - 1][1] > start:
            return Place.OVERLAPPING
        if size is not None and (end > size or fragment.is_last):
            return Place.OVERLAPPING
        if fragment.is_last and index < len(parts):
            return Place.OVERLAPPING
        return Place.FREE

    def whole(self, first: Fragment) -> Packet:
        """The packet whose head a first fragment has, with its end as far as that is known."""
        packet = first.packet
        assert isinstance(packet, Packet)
        if packet.kind is not Kind.TCP or self.size is None:
            return packet
        return packet._replace(end=packet.end + self.size - first.end & 0xFFFFFFFF)

    def add(self, fragment: Fragment) -> None:
        """Remember a fragment that lies free."""
        part = (fragment.start, fragment.end)
        self.parts.insert(bisect_left(self.parts, part), part)
        self.covered += fragment.end - fragment.start
        if fragment.is_last:
            self.size = fragment.end


class Reassembly:
    """The datagrams of these days.  Not one of its octets is kept."""

    def __init__(self, limits: FragmentLimits) -> None:
        self.limits = limits
        self.held = 0
        """Fragments that wait."""
        self._datagrams: OrderedDict[tuple[Zone, bytes], Datagram] = OrderedDict()
        """In the order in which they were begun, which is that of their deadlines."""
        self._last_ticket = 0

    def __len__(self) -> int:
        return len(self._datagrams)

    def __iter__(self) -> Iterator[Datagram]:
        return iter(self._datagrams.values())

    def next_deadline(self) -> int | None:
        """When the time of the oldest datagram runs out; None if there is none."""
        for datagram in self:
            return datagram.since + self.limits.timeout
        return None

    def take_due(self, now: int) -> Datagram | None:
        """Forget one whose time has run out by `now`; None if there is none."""
        deadline = self.next_deadline()
        return None if deadline is None or deadline > now else self.take_oldest()

    def take_oldest(self) -> Datagram:
        """Forget the oldest."""
        _, datagram = self._datagrams.popitem(last=False)
        self.held -= len(datagram.held)
        return datagram

    def find(self, fragment: Fragment, zone: Zone) -> Datagram | None:
        """The datagram that this fragment from this zone is a part of, if one is known."""
        datagram = self._datagrams.get((zone, fragment.datagram))
        if datagram is not None and datagram.is_over_for(fragment):
            del self._datagrams[datagram.key]
            return None
        return datagram

    def begin(self, fragment: Fragment, zone: Zone, now: int) -> Datagram:
        """Remember a datagram of which nothing is known."""
        key = (zone, fragment.datagram)
        datagram = self._datagrams[key] = Datagram(key, now)
        return datagram

    def problem_with(self, datagram: Datagram, fragment: Fragment) -> Reason | None:
        """Why the datagram is to be refused for this fragment; None if it is not.

        A fragment with which nothing is wrong is remembered.
        """
        if datagram.fate not in (None, Reason.FRAGMENT):
            return datagram.fate
        place = datagram.place_of(fragment)
        if fragment.cuts_header or place is Place.OVERLAPPING:
            return Reason.OVERLAPPING_FRAGMENT
        if place is Place.FREE:
            if len(datagram.parts) >= self.limits.per_datagram:
                return Reason.TOO_MANY_FRAGMENTS
            datagram.add(fragment)
        if datagram.fate is None and fragment.start and not self._has_room_for(datagram):
            return Reason.TOO_MANY_FRAGMENTS
        return None

    def _has_room_for(self, datagram: Datagram) -> bool:
        """May one more of its fragments wait?"""
        return self.held < self.limits.held and len(datagram.held) < self.limits.per_datagram

    def hold(self, datagram: Datagram, packet: Packet, zone: Zone) -> int:
        """Let a fragment wait; returns its ticket."""
        self._last_ticket += 1
        self.held += 1
        datagram.held.append(Held(self._last_ticket, packet, zone))
        return self._last_ticket

    def settle(self, datagram: Datagram, fate: Reason) -> list[Held]:
        """Say what becomes of the datagram's fragments; returns those that have waited for it."""
        datagram.fate = fate
        waited, datagram.held = datagram.held, []
        self.held -= len(waited)
        if fate is not Reason.FRAGMENT:
            datagram.parts.clear()
            datagram.first = None
        return waited
