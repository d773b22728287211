"""Two judges of the same packets: the engine, and nf_conntrack in a namespace."""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from random import Random
from typing import Final, NamedTuple

from fwemu.config.compile import policy
from fwemu.config.load import load
from fwemu.core.firewall import Firewall
from fwemu.core.flow import Direction, Zone
from fwemu.core.instants import SECOND
from fwemu.core.packet import Kind, Packet, parse
from fwemu.core.policy import AtExpiry, Policy
from fwemu.core.reasons import Verdict
from fwemu.core.session import Session
from fwemu.scenarios.kernel_backend import KernelBackend
from tests.parity.differences import DIFFERENCES, TIMERS, Marks, marked
from tests.parity.moment import Moment

START: Final = 1_000 * SECOND
STEP: Final = SECOND // 1000
"""Engine time from packet to packet; the kernel takes less."""

MARGIN: Final = 5
"""Seconds that a pause stays away from the end of any timer: the kernel's are whole seconds."""


class Variant(NamedTuple):
    """A way to set up the kernel's TCP tracking, and the settings that stand for it."""

    name: str
    loose: bool
    liberal: bool

    def policy(self) -> Policy:
        """What the engine follows."""
        settings = [] if self.loose else ["unknown.inside=drop", "unknown.outside=drop"]
        if self.liberal:
            settings.append("tcp.window=liberal")
        return policy(load(profile="linux-conntrack", settings=settings))


VARIANTS: Final = (
    Variant("default", loose=True, liberal=False),
    Variant("no-pick-up", loose=False, liberal=False),
    Variant("liberal", loose=True, liberal=True),
    Variant("no-pick-up-liberal", loose=False, liberal=True),
)


class Parted(Exception):  # noqa: N818 - what happened, not what went wrong
    """The judges differ; the conversation ends here."""

    def __init__(self, moment: Moment, kind: str | None) -> None:
        super().__init__()
        self.moment = moment
        self.kind = kind
        """The word of the difference; None if it has no explanation."""


class Duel:
    """One conversation before both judges."""

    def __init__(self, kernel: KernelBackend, policy: Policy, chance: Random) -> None:
        self.kernel = kernel
        self.firewall = Firewall(policy)
        self.chance = chance
        self.now = START
        self.lines: list[str] = []
        """What was said until now."""
        self.packets = self.marked = self.timers_compared = 0
        """Packets compared, those of them after a mark, and timers compared."""
        self.pauses = 0
        self.marks = Marks()
        self.explained: Counter[str] = Counter()
        self._late_timer: str | None = None
        """Why the timers differ since some packet."""
        kernel.flush()

    def put(self, data: bytes, zone: Zone, line: str = "") -> bool:
        """Does a packet pass?  Raises Parted if the judges differ."""
        self.now += STEP
        entry_before = self.kernel.entry_of(data)
        before = deepcopy(self._session_of(data))
        decision = self.firewall.handle(data, self.now, zone)
        seen = self.kernel.put(data, zone)
        parsed = parse(data)
        after = self._session_of(data)
        known = after or before
        direction = Direction.ORIGINAL
        if known is not None and isinstance(parsed, Packet) and parsed.key != known.key:
            direction = Direction.REPLY
        moment = Moment(
            parsed if isinstance(parsed, Packet) else Packet(Kind.OTHER, 0, b"", len(data)),
            zone,
            direction,
            before,
            after,
            decision.verdict is Verdict.ACCEPT,
            decision.reason.word,
            entry_before,
            self.kernel.entry_of(data),
            seen.passed,
        )
        self.packets += 1
        self.marked += self.marks.are_set
        arrow = ">" if zone is Zone.INSIDE else "<"
        self.lines.append(
            f"{arrow} {line:<58} {_word(moment.passed)} {moment.reason:<14} {moment.state}"
            + ("" if moment.agrees else f"   KERNEL: {_word(seen.passed)} {moment.kernel_state}")
        )
        if not moment.agrees:
            self._part(moment)
        before, self.marks = self.marks, marked(deepcopy(self.marks), moment)
        self._compare_timers(moment, before)
        return seen.passed

    def _compare_timers(self, moment: Moment, marks: Marks) -> None:
        """Raise Parted if the seconds left differ without a reason."""
        if moment.after is None or moment.entry is None or not moment.agrees:
            return
        self.timers_compared += 1
        moment.left = (moment.after.deadline - self.now) / SECOND
        has_restarted = moment.after.restarted == self.now or moment.entry_before is None
        if -1 < moment.left - moment.entry.remaining < 2 + self.pauses:
            if has_restarted:  # else they may agree for want of a second, and differ again
                self._late_timer = None
            return
        if self._late_timer is not None and not has_restarted:
            return
        self.lines.append(f"    {moment.left:.0f} s left   KERNEL: {moment.entry.remaining} s")
        for difference in TIMERS:
            if difference.explains(moment, marks):
                if self._late_timer != difference.word:
                    self.explained[difference.word] += 1
                self._late_timer = difference.word
                return
        raise Parted(moment, None)

    def _part(self, moment: Moment) -> None:
        """Raise Parted, unless the difference is known and can be made good."""
        for difference in DIFFERENCES:
            if difference.explains(moment, self.marks):
                self.explained[difference.word] += 1
                if not difference.goes_on:
                    raise Parted(moment, difference.word)
                assert moment.after is not None
                self.firewall.kill([moment.after.id], self.now, AtExpiry.SILENT)
                return
        raise Parted(moment, None)

    def wait(self, seconds: int) -> None:
        """Let time pass for both, not quite as long as asked if a timer would end within it.

        Neither is it longer than the one judge's timer and shorter than the other's.
        """
        seconds = self._safe(seconds)
        if not seconds:
            return
        self.now += seconds * SECOND
        self.pauses += 1
        self.firewall.tick(self.now)
        self.kernel.wait(seconds * SECOND)
        self.lines.append(f"  +{seconds}s")

    def timers(self) -> list[tuple[int, int]]:
        """Of each session that both know: seconds left to it, by the engine and by the kernel."""
        entries = {entry.original[1:]: entry for entry in self.kernel.entries()}
        found = []
        for session in self.firewall.table:
            flow = session.flow
            for original, entry in entries.items():
                if original[:2] == (flow.source, flow.destination) and (
                    original[2] == flow.source_port
                ):
                    left = (session.deadline - self.now) // SECOND
                    found.append((int(left), entry.remaining))
        return found

    def _safe(self, seconds: int) -> int:
        margin = MARGIN + self.pauses
        for _ in range(10):
            for pair in self.timers():
                low, high = min(pair) - margin, max(pair) + margin
                if low < seconds < high:
                    seconds = high if self.chance.random() < 0.5 else max(0, low)
                    break
            else:
                return seconds
        return 0

    def _session_of(self, data: bytes) -> Session | None:
        parsed = parse(data)
        if not isinstance(parsed, Packet):
            return None
        if parsed.kind is Kind.ERROR:
            session = self.firewall.table.find(*parsed.quoted) if parsed.quoted else None
        else:
            session = self.firewall.table.find(parsed.protocol, parsed.key)
        return session if session is not None and session.deadline > self.now else None


def _word(passed: bool) -> str:
    return "pass" if passed else "drop"
