"""Virtual reassembly: which fragments pass, without putting any datagram together.

Only the first fragment of a datagram has ports.  Later ones pass if it passed, and one that
overtakes it waits for it.  Fragments that overlap, cut the transport header apart or are too many
are an attack or a fault, and the whole datagram is refused (RFC 1858, RFC 3128; RFC 5722 and
RFC 8200 section 4.5 for IPv6).  The memory is bounded in number and in time.

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
from fwemu.core.seq import MASK


@dataclass(frozen=True, kw_only=True)
class FragmentLimits:
    """Limits of the memory of fragmented datagrams."""

    timeout: int = 30 * SECOND
    """Nanoseconds that a datagram is remembered (Linux: net.ipv4.ipfrag_time, 30 s)."""
    per_datagram: int = 128
    """Fragments of one datagram: enough for 64 KiB at the smallest IPv4 MTU, 576 (RFC 791)."""
    held: int = 200
    """Fragments held at one time, of all datagrams (Cisco ASA: `fragment size`, 200)."""
    datagrams: int = 4096
    """Datagrams that are remembered; more push the oldest out."""


class Held(NamedTuple):
    """A fragment that waits for its verdict."""

    ticket: int
    packet: Packet
    zone: Zone


class Place(Enum):
    """The place of a fragment among those of its datagram that came before."""

    FREE = 0
    REPEATED = 1
    """It repeats one of them exactly, as a network may do (RFC 8200 section 4.5)."""
    OVERLAPPING = 2
    """It shares octets with another, or contradicts where the datagram ends."""


class Datagram:
    """A datagram of which at least one fragment was seen."""

    __slots__ = ("covered", "fate", "first", "held", "key", "parts", "since", "size")

    def __init__(self, key: tuple[Zone, bytes], since: int) -> None:
        self.key = key
        self.since = since
        self.fate: Reason | None = None
        """The reason for its later fragments (FRAGMENT: they pass); None until the first came."""
        self.first: Fragment | None = None
        """Its first fragment, once accepted."""
        self.parts: list[tuple[int, int]] = []
        """Of each fragment the first octet and the one after its last, in order; none overlap."""
        self.covered = 0
        """Octets in these fragments."""
        self.size: int | None = None
        """Octets of the whole datagram; None until its last fragment came."""
        self.held: list[Held] = []

    @property
    def is_complete(self) -> bool:
        """True if all its fragments have passed."""
        return self.fate is Reason.FRAGMENT and self.covered == self.size

    def is_over_for(self, fragment: Fragment) -> bool:
        """True if this fragment begins another datagram with the same identification."""
        if fragment.offset == 0:
            return self.is_complete or self.fate is Reason.UNKNOWN_FRAGMENT
        return self.is_complete and self.place_of(fragment) is not Place.REPEATED

    def place_of(self, fragment: Fragment) -> Place:
        """The place of a fragment among those before it."""
        start, end = part = (fragment.offset, fragment.offset_end)
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
        """The packet in a first fragment, `seq_end` corrected if the datagram's size is known."""
        packet = first.packet
        assert isinstance(packet, Packet)
        if packet.kind is not Kind.TCP or self.size is None:
            return packet
        return packet._replace(seq_end=packet.seq_end + self.size - first.offset_end & MASK)

    def add(self, fragment: Fragment) -> None:
        """Remember a fragment that overlaps no other."""
        part = (fragment.offset, fragment.offset_end)
        self.parts.insert(bisect_left(self.parts, part), part)
        self.covered += fragment.offset_end - fragment.offset
        if fragment.is_last:
            self.size = fragment.offset_end


class Reassembly:
    """Recent datagrams of which a fragment was seen.  No payload is kept."""

    def __init__(self, limits: FragmentLimits) -> None:
        self.limits = limits
        self.held = 0
        """Fragments that are held, of all datagrams."""
        self._datagrams: OrderedDict[tuple[Zone, bytes], Datagram] = OrderedDict()
        """In the order in which they were begun, which is that of their deadlines."""
        self._last_ticket = 0

    def __len__(self) -> int:
        return len(self._datagrams)

    def __iter__(self) -> Iterator[Datagram]:
        return iter(self._datagrams.values())

    def next_deadline(self) -> int | None:
        """The instant at which the time of the oldest datagram runs out; None if there is none."""
        for datagram in self:
            return datagram.since + self.limits.timeout
        return None

    def take_due(self, now: int) -> Datagram | None:
        """Forget and return a datagram whose time has run out by `now`; None if there is none."""
        deadline = self.next_deadline()
        return None if deadline is None or deadline > now else self.take_oldest()

    def take_oldest(self) -> Datagram:
        """Forget and return the oldest datagram."""
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
        """Begin to remember a datagram."""
        key = (zone, fragment.datagram)
        datagram = self._datagrams[key] = Datagram(key, now)
        return datagram

    def problem_with(self, datagram: Datagram, fragment: Fragment) -> Reason | None:
        """The reason to refuse the datagram because of this fragment; None if there is none.

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
        if datagram.fate is None and fragment.offset and not self._has_room_for(datagram):
            return Reason.TOO_MANY_FRAGMENTS
        return None

    def _has_room_for(self, datagram: Datagram) -> bool:
        """True if one more fragment of this datagram may be held."""
        return self.held < self.limits.held and len(datagram.held) < self.limits.per_datagram

    def hold(self, datagram: Datagram, packet: Packet, zone: Zone) -> int:
        """Hold a fragment; returns its ticket."""
        self._last_ticket += 1
        self.held += 1
        datagram.held.append(Held(self._last_ticket, packet, zone))
        return self._last_ticket

    def settle(self, datagram: Datagram, fate: Reason) -> list[Held]:
        """Fix the reason of a datagram's later fragments; returns those that were held."""
        datagram.fate = fate
        waited, datagram.held = datagram.held, []
        self.held -= len(waited)
        if fate is not Reason.FRAGMENT:
            datagram.parts.clear()
            datagram.first = None
        return waited
