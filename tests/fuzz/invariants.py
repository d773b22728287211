"""Whatever a case does, this holds after each of its steps.

* Any bytes give a decision, and nothing raises.
* The verdict is that of the reason.
* A packet that is not accepted changes no session; sessions whose time was over end, and say so.
* The table never holds more than its capacity.
* Effects are known, and not of the future; every session opens once and ends once; every packet
  that is held is released once; what is injected is a packet.
* Every packet is counted once; `tick` comes to an end.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Final, get_args

from fwemu.core.choices import AtExpiry, UnderPressure
from fwemu.core.effects import (
    Decision,
    Effect,
    PacketInjected,
    PacketReleased,
    SessionEnded,
    SessionOpened,
)
from fwemu.core.firewall import Firewall
from fwemu.core.flow import Zone
from fwemu.core.packet import Malformed, Packet, parse
from fwemu.core.reasons import EndReason, InjectedKind, Verdict
from fwemu.core.standby import Standby
from fwemu.core.timeouts import DISCARDED_STATES
from tests.fuzz.case import ZONES, Case, Step
from tests.fuzz.policies import POLICIES
from tests.kit.play import START, duration, snapshot

EFFECTS: Final = get_args(Effect)

BY_TIMER: Final = {
    EndReason.EXPIRED,
    EndReason.LIFETIME,
    EndReason.UNANSWERED,
    EndReason.CLOSED_BY_FIN,
    EndReason.CLOSED_BY_RST,
}
"""Ends that time brings; a packet that is not accepted may only find them out."""

ADDRESSES: Final = {
    (zone, version): bytes([10 + zone] * (4 if version == 4 else 16))
    for zone in Zone
    for version in (4, 6)
}

TICKS: Final = 1_000
"""So many in a row for one instant mean that they will never end."""

Behaviour = tuple[object, ...]
"""Something that a step showed: cases that show something new are worth keeping."""


class BrokenError(Exception):
    """An invariant does not hold."""


def check(holds: bool, sentence: str) -> None:
    """Raise a BrokenError that says what does not hold."""
    if not holds:
        raise BrokenError(sentence)


def run(case: Case) -> set[Behaviour]:
    """Play a case; returns what it showed.  A BrokenError names the step and what went wrong."""
    bench = Bench(case.policy)
    shown: set[Behaviour] = set()
    for number, step in enumerate((*case.steps, *END), 1):
        try:
            shown |= bench.take(step)
        except BrokenError as error:
            raise BrokenError(f"step {number} ({step.word}): {error}") from error
        except Exception as error:
            told = f"step {number} ({step.word}): raised {type(error).__name__}: {error}"
            raise BrokenError(told) from error
    return shown


END: Final = (Step(duration("1s"), "tick"), Step(duration("3h"), "tick"))
"""After every case: what is left has time to end."""


class Bench:
    """A firewall and the books that are kept of it."""

    def __init__(self, policy: str) -> None:
        self.now = START
        self.chance = 0
        self.firewall = Firewall(POLICIES[policy], choose=self._choose, addresses=ADDRESSES)
        self.peer = Standby(duration("1s"))
        self.arrived = 0
        self.open: set[int] = set()
        self.newest = 0
        self.held: set[int] = set()

    def _choose(self, n: int) -> int:
        self.chance += 1
        return self.chance * 7 % n

    def take(self, step: Step) -> set[Behaviour]:
        """Do one step and check everything; returns what it showed."""
        self.now += step.pause
        if step.word in ZONES:
            shown = self._packet(step.packet, ZONES[step.word])
        else:
            effects = DO[step.word](self, step.argument)
            self._account(effects)
            if step.word in ("fail-over", "reboot"):  # both know of these at once
                self.peer.synchronise()
            shown = {(step.word, *kind) for kind in _kinds(effects)}
        firewall = self.firewall
        check(len(firewall.table) <= firewall.policy.capacity, "more sessions than the capacity")
        check({each.id for each in firewall.table} == self.open, "open sessions are not the table")
        population = Counter(session.state for session in firewall.table)
        told = {state: n for state, n in enumerate(firewall.table.population) if n}
        check(told == dict(population), "the population of the states is miscounted")
        check(sum(firewall.packets) == self.arrived, "packets are miscounted")
        return shown

    def _packet(self, data: bytes, zone: Zone) -> set[Behaviour]:
        firewall = self.firewall
        parsed = parse(data)
        session = None
        if isinstance(parsed, Packet):
            session = firewall.table.find(parsed.protocol, parsed.key)
        state = session and session.state
        before = snapshot(firewall)
        decision = firewall.handle(data, self.now, zone)
        self.arrived += 1
        check(type(decision) is Decision, "no decision")
        check(decision.verdict is decision.reason.verdict, "the verdict is not that of the reason")
        if decision.verdict is not Verdict.ACCEPT:
            self._check_unchanged(before, decision)
        if decision.verdict is Verdict.HOLD:
            check(decision.ticket not in self.held, "two packets are held under one ticket")
            self.held.add(decision.ticket)
        self._account(decision.effects)
        after = session.state if session is not None and session.queued >= 0 else None
        what = (parsed.kind, parsed.segment) if isinstance(parsed, Packet) else (type(parsed),)
        shown: set[Behaviour] = {(state, *what, after, decision.reason)}
        return shown | {(decision.reason, *kind) for kind in _kinds(decision.effects)}

    def _check_unchanged(self, before: dict[int, tuple[object, ...]], decision: Decision) -> None:
        after = snapshot(self.firewall)
        has_pressure = self.firewall.policy.pressure.policy is not UnderPressure.NONE
        for effect in decision.effects:
            if isinstance(effect, SessionEnded):
                check(effect.reason in BY_TIMER, f"a dropped packet ended one: {effect.reason}")
                if effect.id in before and not has_pressure:
                    restarted, lifetime = before[effect.id][4:6]
                    due = restarted + lifetime  # type: ignore[operator]
                    check(due <= self.now, "a session ended before its time")
                before.pop(effect.id, None)  # else it was probed before, in vain
            elif isinstance(effect, SessionOpened):
                check(effect.state in DISCARDED_STATES, "a dropped packet opened a session")
                after.pop(effect.id)
            elif isinstance(effect, PacketInjected) and effect.kind is InjectedKind.PROBE:
                before.pop(effect.session or 0, None)  # its time was over: its ends are probed
                after.pop(effect.session or 0, None)
        check(
            after == before, f"a packet with the verdict {decision.verdict.word} changed a session"
        )

    def _account(self, effects: tuple[Effect, ...]) -> None:
        self.peer.follow(effects)
        for effect in effects:
            check(type(effect) in EFFECTS, "an effect of no known kind")
            check(effect.at <= self.now, "an effect of the future")
            if isinstance(effect, SessionOpened):
                check(effect.id > self.newest, "a session has the number of an earlier one")
                self.newest = effect.id
                self.open.add(effect.id)
            elif isinstance(effect, SessionEnded):
                check(effect.id in self.open, "a session ended twice")
                self.open.remove(effect.id)
            elif isinstance(effect, PacketReleased):
                check(effect.ticket in self.held, "a packet was released that is not held")
                check(effect.reason.verdict is not Verdict.HOLD, "a packet was released to wait on")
                self.held.remove(effect.ticket)
            elif isinstance(effect, PacketInjected):
                made = parse(effect.packet)
                check(not isinstance(made, Malformed), "the firewall made a broken packet")

    # -- what happens besides packets --

    def _tick(self, _: str) -> tuple[Effect, ...]:
        effects: tuple[Effect, ...] = ()
        for _ in range(TICKS):
            effects += self.firewall.tick(self.now)
            deadline = self.firewall.next_deadline()
            if deadline is None or deadline > self.now:
                return effects
        raise BrokenError("tick does not come to an end")

    def _flush(self, _: str) -> tuple[Effect, ...]:
        return self.firewall.flush(self.now)

    def _drop_held(self, _: str) -> tuple[Effect, ...]:
        return self.firewall.drop_held(self.now)

    def _kill(self, notify: str) -> tuple[Effect, ...]:
        return self.firewall.kill([*sorted(self.open), 10**9], self.now, AtExpiry(notify))

    def _set(self, policy: str) -> tuple[Effect, ...]:
        return self.firewall.reconfigure(POLICIES[policy], self.now)

    def _fail_over(self, peer: str) -> tuple[Effect, ...]:
        known = self.peer if peer == "synchronised" else None
        return self.firewall.fail_over(self.now, known, self.peer.lag)

    def _reboot(self, outage: str) -> tuple[Effect, ...]:
        return self.firewall.reboot(self.now, int(outage))


DO: Final[dict[str, Any]] = {
    "tick": Bench._tick,
    "flush": Bench._flush,
    "drop-held": Bench._drop_held,
    "kill": Bench._kill,
    "set": Bench._set,
    "fail-over": Bench._fail_over,
    "reboot": Bench._reboot,
}


def _kinds(effects: tuple[Effect, ...]) -> set[Behaviour]:
    return {
        (
            type(each),
            getattr(each, "reason", getattr(each, "kind", None)),
            getattr(each, "answer", None),
        )
        for each in effects
    }
