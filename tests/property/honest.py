"""Two honest TCP ends, and a net between them that loses, repeats and reorders.

The ends keep to RFC 9293, 7323 and 2018: they send what they were offered, acknowledge what they
have received, and never take an offer back.  The net delays a segment by no more than `OVERTAKEN`
others, and no end closes before it has sent more segments than that: a SYN that outlives its
connection begins another one, for nf_conntrack as for us.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final, NamedTuple

from fwemu.core.flow import TCP, Zone
from tests.kit import wire
from tests.kit.play import CLIENT, INSIDE, OUTSIDE, SERVER

OVERTAKEN: Final = 3
SEGMENTS_BEFORE_FIN: Final = 2 * OVERTAKEN + 4
MODULUS: Final = 2**32


class Arriving(NamedTuple):
    """A segment as its receiver reads it; numbers are relative to the first of each end."""

    flags: str
    seq: int
    ack: int
    octets: int
    window: int
    """As it stands in the header."""
    sack: int
    """The highest right edge of its blocks."""
    scale: int | None
    is_selective: bool


class Host:
    """One end.  Its numbers are relative: 0 is its SYN, 1 the first octet."""

    def __init__(self, zone: Zone, chance: Random) -> None:
        self.zone = zone
        self.chance = chance
        self.isn = chance.choice([chance.randrange(MODULUS), MODULUS - chance.randrange(9000)])
        self.scale = chance.choice([None, 0, 1, 2, 7, 14])
        self.is_selective = chance.random() < 0.7
        self.room = chance.choice([1, 700, 5000, 65535, 100_000, 4_000_000])
        """Octets that it can buffer."""
        self.largest = chance.choice([1, 536, 1460, 9000, 60_000])
        self.has_timestamps = chance.random() < 0.5
        self.is_open = False
        self.sent = 0
        """Segments."""
        # what it sends
        self.next = 0
        self.probed = 0
        """The number after the octet with which it last probed a closed window."""
        self.acknowledged = 0
        self.edge = 0
        """How far the other end has allowed it to go."""
        self.has_closed = False
        # what it receives
        self.heard = 0
        """The number that it expects; 0 until it has seen a SYN."""
        self.pieces: set[tuple[int, int]] = set()
        """What came out of order."""
        self.unread = 0
        self.offer = 0
        """How far it has allowed the other end to go."""
        self.peer_scale: int | None = None
        self.may_select = False

    # -- sending --

    def segment(self, flags: str, seq: int, octets: int = 0) -> tuple[bytes, Arriving]:
        """The bytes of a segment, and what its receiver reads in them."""
        self.sent += 1
        is_syn = "S" in flags
        self.offer = max(self.offer, self.heard + self.room - self.unread)
        shift = 0 if is_syn or self.scale is None or self.peer_scale is None else self.scale
        window = min(self.offer - self.heard >> shift, 65535)
        if is_syn:
            self.offer = min(self.offer, self.heard + window)
        options = b""
        sack = 0
        if is_syn:
            answers = "A" in flags
            scale = self.scale if not answers or self.peer_scale is not None else None
            options = wire.MSS + (b"" if scale is None else wire.scale(scale))
            options += wire.SACK_PERMITTED if self.is_selective else b""
        else:
            scale = None
            if self.has_timestamps:
                options = wire.TIMESTAMPS
            if self.may_select and self.pieces:
                blocks = self.chance.sample(sorted(self.pieces), min(3, len(self.pieces)))
                sack = max(right for _, right in blocks)
                options += wire.sack(
                    *((self.peer_isn + left, self.peer_isn + right) for left, right in blocks)
                )
        ack = self.peer_isn + self.heard if "A" in flags else 0
        ports = (40000, 80) if self.zone is INSIDE else (80, 40000)
        body = wire.tcp(*ports, flags, self.isn + seq, ack, bytes(octets), options, window)
        ends = (CLIENT[4], SERVER[4]) if self.zone is INSIDE else (SERVER[4], CLIENT[4])
        arriving = Arriving(flags, seq, self.heard, octets, window, sack, scale, self.is_selective)
        return wire.ip(*ends, TCP, body), arriving

    peer_isn = 0

    def says(self) -> tuple[bytes, Arriving] | None:
        """Whatever this end may want to send now."""
        if not self.is_open:
            if self.zone is INSIDE:
                self.next = 1
                return self.segment("S", 0)
            if self.heard:
                self.next = 1
                return self.segment("SA", 0)
            return None
        say: Callable[[], tuple[bytes, Arriving]] = self.chance.choice(
            [self._ack, self._data, self._data, self._data, self._again, self._probe, self._fin]
        )
        return say()

    def _ack(self) -> tuple[bytes, Arriving]:
        return self.segment("A", self.next)

    def _data(self) -> tuple[bytes, Arriving]:
        octets = min(self.chance.randint(1, self.largest), self.edge - self.next)
        if self.has_closed or octets <= 0:
            return self._ack()
        self.next += octets
        return self.segment(self.chance.choice(["A", "PA"]), self.next - octets, octets)

    def _again(self) -> tuple[bytes, Arriving]:
        """A retransmission, from the first that was not acknowledged or from somewhere behind."""
        begin = self.chance.choice([self.acknowledged, self.acknowledged + self.largest])
        end = min(self.next, begin + self.chance.randint(1, self.largest))
        if begin >= end or begin == 0:
            return self._ack()
        if self.has_closed and end == self.next:
            return self.segment("FA", begin, end - begin - 1)
        return self.segment("A", begin, end - begin)

    def _probe(self) -> tuple[bytes, Arriving]:
        """Of a closed window: an octet too many; of a quiet connection: one below."""
        if self.edge == self.next and not self.has_closed and self.chance.random() < 0.5:
            self.probed = self.next + 1
            return self.segment("A", self.next, 1)  # sent, if the other end takes it
        return self.segment("A", self.next - 1, self.chance.choice([0, 1]))

    def _fin(self) -> tuple[bytes, Arriving]:
        if self.sent < SEGMENTS_BEFORE_FIN or self.has_closed or self.next >= self.edge:
            return self._ack()
        octets = min(self.chance.choice([0, 0, 10]), self.edge - self.next - 1)
        self.has_closed = True
        self.next += octets + 1
        return self.segment("FA", self.next - octets - 1, octets)

    # -- receiving --

    def hears(self, arriving: Arriving) -> None:
        """Take up what a segment brings."""
        is_syn = "S" in arriving.flags
        if is_syn and not self.heard:
            self.heard = 1
            self.peer_scale = arriving.scale
            self.may_select = self.is_selective and arriving.is_selective
        if not self.heard or ("A" in arriving.flags and arriving.ack == 0):
            return
        if "A" in arriving.flags:
            if not is_syn or self.zone is INSIDE:
                self.is_open = True
            both = self.scale is not None and self.peer_scale is not None
            shift = self.peer_scale or 0 if both and not is_syn else 0
            self.acknowledged = max(self.acknowledged, arriving.ack)
            self.next = max(self.next, arriving.ack)
            self.edge = max(self.edge, arriving.ack + (arriving.window << shift))
        if not is_syn:
            self._takes(arriving.seq, arriving.seq + arriving.octets + ("F" in arriving.flags))

    def _takes(self, begin: int, end: int) -> None:
        if end <= self.heard or end > self.offer + 1 or begin > self.offer:
            return
        self.pieces.add((begin, end))
        before = self.heard
        for left, right in sorted(self.pieces):
            if left <= self.heard:
                self.heard = max(self.heard, right)
        self.pieces = {piece for piece in self.pieces if piece[0] > self.heard}
        self.unread = min(self.room, self.unread + self.heard - before)

    def reads(self) -> None:
        """The application takes something out of the buffer."""
        self.unread = self.chance.randint(0, self.unread)


class Pipe:
    """One stretch of the net."""

    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.trouble = chance.choice([0.0, 0.05, 0.3])
        self.held: list[tuple[tuple[bytes, Arriving], int]] = []
        """What is on its way, and by how many it was overtaken."""

    def takes(self, segment: tuple[bytes, Arriving]) -> None:
        """Something goes in: never, once or twice."""
        dice = self.chance.random()
        for _ in range(0 if dice < self.trouble else 2 if dice < 2 * self.trouble else 1):
            self.held.append((segment, 0))

    def gives(self) -> tuple[bytes, Arriving] | None:
        """Something comes out, not always the first."""
        if not self.held:
            return None
        place = 0
        if self.trouble and all(times < OVERTAKEN for _, times in self.held[:OVERTAKEN]):
            place = self.chance.randrange(min(len(self.held), OVERTAKEN))
        self.held[:place] = [(each, times + 1) for each, times in self.held[:place]]
        return self.held.pop(place)[0]


class Line:
    """A client, a server, and the net to a firewall and from there on."""

    def __init__(self, seed: int, passes: Callable[[bytes, Zone], None]) -> None:
        self.chance = Random(seed)
        self.passes = passes
        """The firewall: raises if it does not pass."""
        self.hosts = {zone: Host(zone, self.chance) for zone in (INSIDE, OUTSIDE)}
        for zone, host in self.hosts.items():
            host.peer_isn = self.hosts[zone.other].isn
        self.near = {zone: Pipe(self.chance) for zone in self.hosts}
        self.far = {zone: Pipe(self.chance) for zone in self.hosts}

    def step(self) -> None:
        """Somebody does something."""
        zone = self.chance.choice([INSIDE, OUTSIDE])
        host = self.hosts[zone]
        deed = self.chance.choice(["say", "say", "move", "move", "move", "move", "read"])
        if deed == "say":
            segment = host.says()
            if segment is not None:
                self.near[zone].takes(segment)
        elif deed == "move":
            self._move(zone)
        else:
            host.reads()

    def settle(self) -> None:
        """Let everything arrive; then each end acknowledges once more what it has."""
        for pipe in (*self.near.values(), *self.far.values()):
            pipe.trouble = 0.0
        while any(pipe.held for pipe in (*self.near.values(), *self.far.values())):
            for zone in self.hosts:
                self._move(zone)
        for zone, host in self.hosts.items():
            self.near[zone].takes(host.segment("A", host.next))
            self._move(zone)

    def _move(self, zone: Zone) -> None:
        """One segment comes to the firewall and passes, another arrives at the other end."""
        segment = self.near[zone].gives()
        if segment is not None:
            self.passes(segment[0], zone)
            self.far[zone].takes(segment)
        segment = self.far[zone].gives()
        if segment is not None:
            self.hosts[zone.other].hears(segment[1])
