"""Stories in Python: client, firewall and server in virtual time, without any namespace.

    play.client("S").opens("SYN_SENT")
    play.wait("29.9s").nothing_ends()
    play.wait("0.2s").expires("SYN_SENT")
    play.server("SA").dropped("unknown_packet")

Sequence numbers are relative to each end's first one, and follow by themselves; a story names one
only where it matters.  A step that turns out otherwise prints the conversation so far.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from ipaddress import ip_network
from itertools import pairwise
from struct import unpack_from
from typing import Any, Self

from fwemu.core.choices import AtExpiry, Closing, Mode, OnUnknown, ResetNumbers, Trust
from fwemu.core.effects import (
    Decision,
    Effect,
    KeepaliveSeen,
    PacketInjected,
    PacketRefused,
    PacketReleased,
    SessionAnswered,
    SessionEnded,
    SessionOpened,
    StateChanged,
)
from fwemu.core.eviction import Choose, WhenFull
from fwemu.core.firewall import Firewall
from fwemu.core.flow import ICMP, ICMPV6, TCP, UDP, Zone
from fwemu.core.fragments import FragmentLimits
from fwemu.core.instants import NEVER, SECOND
from fwemu.core.packet import Malformed, locate, parse
from fwemu.core.policy import (
    DEFAULT_TIMEOUTS,
    Policy,
    PressurePolicy,
    ProbePolicy,
    RefreshPolicy,
    ShortTimers,
)
from fwemu.core.reasons import Answer, Reason, Verdict
from fwemu.core.rules import Action, Network, Rule
from fwemu.core.session import Session
from fwemu.core.standby import Standby
from fwemu.core.tcp_window import WindowCheck
from fwemu.core.timeouts import DISCARDED_STATES, lifetimes
from fwemu.scenarios.backend import START as START
from fwemu.scenarios.participants import ADDRESS, ISN
from tests.kit import wire

INSIDE, OUTSIDE = Zone.INSIDE, Zone.OUTSIDE
ENDS = {INSIDE: "client", OUTSIDE: "server"}

CLIENT = {version: ADDRESS[INSIDE, version] for version in (4, 6)}
SERVER = {version: ADDRESS[OUTSIDE, version] for version in (4, 6)}

UNITS = {"ns": 1, "ms": 10**6, "s": SECOND, "m": 60 * SECOND, "h": 3600 * SECOND}


def duration(text: str) -> int:
    """`29.9s`, `1h`, `1ns` or `never` in nanoseconds, exactly."""
    if text == "never":
        return NEVER
    number = text.rstrip("nmsh")
    return int(Decimal(number) * UNITS[text[len(number) :]])


def timeouts(changes: Mapping[str, str]) -> dict[str, int]:
    """The default timeouts, but for these."""
    assert changes.keys() <= DEFAULT_TIMEOUTS.keys()
    return DEFAULT_TIMEOUTS | {name: duration(text) for name, text in changes.items()}


def network(text: str) -> Network:
    """`10.0.2.0/24` as rules use it."""
    parsed = ip_network(text)
    return Network(
        len(parsed.network_address.packed), int(parsed.network_address), int(parsed.netmask)
    )


def rule(
    action: str,
    *,
    arrival: Zone | None = None,
    source: Sequence[str] = (),
    to: Sequence[str] = (),
    protocols: Iterable[int] = (),
    idle_timeout: str | None = None,
    **other: Any,
) -> Rule:
    """A rule, in short."""
    return Rule(
        action=Action(action),
        arrival=arrival,
        sources=tuple(map(network, source)),
        destinations=tuple(map(network, to)),
        protocols=frozenset(protocols),
        idle_timeout=None if idle_timeout is None else duration(idle_timeout),
        **other,
    )


def policy(
    *,
    mode: str = "stateful",
    capacity: int = 100,
    when_full: str = "evict-lru",
    at_expiry: str = "silent",
    inside: str = "drop",
    outside: str = "drop",
    rules: Sequence[Rule] = (),
    default_inside: str = "allow",
    default_outside: str = "deny",
    window: str = "strict",
    closing: str = "by-end",
    fragments: Mapping[str, int] | None = None,
    trust: str = "at-once",
    longest: str = "never",
    refresh: RefreshPolicy | None = None,
    pressure: PressurePolicy | None = None,
    probe: ProbePolicy | None = None,
    sequence: str = "exact",
    ttl: int = 64,
    short: Mapping[str, str] | None = None,
    **changes: str,
) -> Policy:
    """A policy in the words of the configuration; other names are timeouts."""
    return Policy(
        trust=Trust(trust),
        longest=duration(longest),
        refresh=refresh or RefreshPolicy(),
        pressure=pressure or PressurePolicy(),
        probe=probe or ProbePolicy(),
        reset_numbers=ResetNumbers(sequence),
        ttl=ttl,
        short=ShortTimers(**{name: duration(text) for name, text in (short or {}).items()}),
        mode=Mode(mode),
        capacity=capacity,
        when_full=WhenFull(when_full),
        lifetimes=lifetimes(timeouts(changes)),
        at_expiry=AtExpiry(at_expiry),
        on_unknown={INSIDE: OnUnknown(inside), OUTSIDE: OnUnknown(outside)},
        window_check=WindowCheck(window),
        closing=Closing(closing),
        fragments=FragmentLimits(**fragments or {}),
        rules=tuple(rules),
        default_action={INSIDE: Action(default_inside), OUTSIDE: Action(default_outside)},
    )


def snapshot(firewall: Firewall) -> dict[int, tuple[object, ...]]:
    """Everything that a packet could change about the sessions in the table, by number."""
    return {
        session.id: (
            session.key,
            session.reply_key,
            session.state,
            session.last_seen,
            session.restarted,
            session.lifetime,
            session.assured,
            session.rule,
            session.lifetimes,
            *map(remembered, session.ends),
            remembered(session.tcp),
        )
        for session in firewall.table
    }


def remembered(thing: object) -> dict[str, object]:
    """Every attribute of an object with slots, but for the ends, which have their own."""
    slots = (name for kind in type(thing).__mro__ for name in getattr(kind, "__slots__", ()))
    return {name: getattr(thing, name) for name in slots if name != "ends"}


class Play:
    """A firewall, its time, and the conversations through it."""

    def __init__(self, version: int = 4) -> None:
        self.version = version
        self.now = START
        self.story: list[str] = []
        self.conversation = Tcp(self)
        self._alive: set[int] = set()
        self._newest = 0
        self.under()

    def under(
        self,
        *,
        choose: Choose = lambda n: 0,
        addresses: Mapping[tuple[Zone, int], bytes] | None = None,
        lag: str | None = None,
        **settings: Any,
    ) -> Self:
        """Begin anew with a firewall of this policy (see `policy`) and a peer that lags so far."""
        assert not self.story, "the play has begun"
        self.firewall = Firewall(policy(**settings), choose=choose, addresses=addresses)
        self.peer = None if lag is None else Standby(duration(lag))
        return self

    def follows(self, ready: Policy) -> Self:
        """Begin anew with a firewall of a policy that is made already, as from a profile."""
        assert not self.story, "the play has begun"
        self.firewall = Firewall(ready)
        return self

    # -- conversations --

    def tcp(self, port: int = 40000, to_port: int = 80) -> Tcp:
        """Another TCP connection."""
        return Tcp(self, port, to_port)

    def udp(self, port: int = 40000, to_port: int = 53) -> Udp:
        """An exchange of datagrams."""
        return Udp(self, port, to_port)

    def ping(self, identifier: int = 77) -> Ping:
        """Echo requests and replies."""
        return Ping(self, identifier)

    def client(self, *arguments: Any, **named: Any) -> Outcome:
        """The client of the first TCP connection sends; see `Tcp.send`."""
        return self.conversation.client(*arguments, **named)

    def server(self, *arguments: Any, **named: Any) -> Outcome:
        """The server of the first TCP connection sends; see `Tcp.send`."""
        return self.conversation.server(*arguments, **named)

    def receives(
        self, data: bytes, arrival: Zone, line: str = "", conversation: Conversation | None = None
    ) -> Outcome:
        """The firewall gets any bytes from a zone."""
        before = snapshot(self.firewall)
        decision = self.firewall.handle(data, self.now, arrival)
        arrow = ">" if arrival is INSIDE else "<"
        self._tell(f"{arrow} {line or f'{len(data)} octets'}", decision.effects, decision)
        outcome = Outcome(
            self, decision.effects, conversation or self.conversation, decision, before
        )
        if decision.verdict is Verdict.DROP:
            outcome.changes_nothing()
        return outcome

    # -- time and operators --

    def wait(self, time: str) -> Aftermath:
        """Time passes, and the firewall looks at its timers."""
        self.pass_unswept(time)
        effects = self.firewall.tick(self.now)
        self._tell("tick", effects)
        deadline = self.firewall.next_deadline()
        assert deadline is None or deadline > self.now, "tick left something to do"
        return Aftermath(self, effects, self.conversation)

    def pass_unswept(self, time: str) -> None:
        """Time passes, and the firewall has no leisure to look at its timers."""
        self.now += duration(time)
        self.story.append(f"+{time}")

    def flush(self) -> Aftermath:
        """An operator empties the table."""
        return self._did("flush", self.firewall.flush(self.now))

    def kill(self, *conversations: Conversation, notify: str = "silent") -> Aftermath:
        """An operator ends sessions."""
        numbers = [conversation.session.id for conversation in conversations]
        return self._did("kill", self.firewall.kill(numbers, self.now, AtExpiry(notify)))

    def reconfigure(self, **settings: Any) -> Aftermath:
        """An operator sets another policy (see `policy`)."""
        ready = policy(**settings)
        return self._did("reconfigure", self.firewall.reconfigure(ready, self.now, self.peer))

    def fail_over(self, lag: str | None = None) -> Aftermath:
        """The peer takes over, with all that it has heard of."""
        assert self.peer is not None or lag is None
        behind = 0 if self.peer is None else self.peer.lag if lag is None else duration(lag)
        outcome = self._did(
            f"failover, lag {lag}", self.firewall.fail_over(self.now, self.peer, behind)
        )
        if self.peer is not None:
            self.peer.synchronise()
        return outcome

    def reboot(self, outage: str) -> Aftermath:
        """An operator starts the firewall again."""
        return self._did("reboot", self.firewall.reboot(self.now, duration(outage)))

    def _did(self, word: str, effects: tuple[Effect, ...]) -> Aftermath:
        self._tell(word, effects)
        return Aftermath(self, effects, self.conversation)

    # -- what holds at all times --

    def _tell(
        self, line: str, effects: tuple[Effect, ...], decision: Decision | None = None
    ) -> None:
        """Write a line of the story, and check the invariants that hold after each line."""
        verdict = f"{decision.verdict.word} {decision.reason.word}" if decision else ""
        self.story.append(f"  {line:<34} {verdict}")
        self.story.extend(f"      {effect!r}" for effect in effects)
        if self.peer is not None:
            self.peer.follow(effects)
        for effect in effects:
            if isinstance(effect, SessionOpened):
                assert effect.id > self._newest, "a number was given twice"
                self._newest = effect.id
                self._alive.add(effect.id)
            elif isinstance(effect, SessionEnded):
                assert effect.id in self._alive, "a session ended twice"
                self._alive.remove(effect.id)
        table = self.firewall.table
        assert {session.id for session in table} == self._alive
        assert len(table) <= self.firewall.policy.capacity
        fragments = self.firewall._fragments
        waiting = sum(len(datagram.held) for datagram in fragments)
        assert waiting == fragments.held == self.firewall.packets[Reason.HELD]
        assert waiting <= fragments.limits.held
        assert len(fragments) <= fragments.limits.datagrams
        states = [session.state for session in table]
        assert table.population == [states.count(state) for state in range(len(table.population))]

    def expect(self, holds: bool, wanted: object, got: object = None) -> None:
        """Fail with the whole conversation unless this holds."""
        __tracebackhide__ = True
        if not holds:
            told = "\n".join(self.story)
            raise AssertionError(f"wanted {wanted}, got {got}, after\n{told}")


class Aftermath:
    """The effects of a step, with the expectations of a story as methods."""

    def __init__(self, play: Play, effects: tuple[Effect, ...], conversation: Conversation) -> None:
        self.play = play
        self.effects = effects
        self.conversation = conversation

    def all(self, kind: type) -> list[Any]:
        """The effects of one kind."""
        return [effect for effect in self.effects if isinstance(effect, kind)]

    def expires(self, *states: str) -> Self:
        """Sessions in these states ran out of time; nothing else ended."""
        __tracebackhide__ = True
        ended = self.all(SessionEnded)
        got = [effect.state.name for effect in ended]
        self.play.expect(got == list(states), f"sessions in {states} to expire", got)
        reasons = {effect.reason.word for effect in ended}
        self.play.expect(
            reasons <= {"expired", "closed_by_fin", "closed_by_rst"}, "expiry", reasons
        )
        return self

    def ends(self, *reasons: str) -> Self:
        """Sessions ended for these reasons, in this order."""
        __tracebackhide__ = True
        got = [effect.reason.word for effect in self.all(SessionEnded)]
        self.play.expect(got == list(reasons), f"ends {reasons}", got)
        return self

    def ends_ago(self, *times: str) -> Self:
        """Sessions ended these times before now."""
        __tracebackhide__ = True
        got = [self.play.now - effect.at for effect in self.all(SessionEnded)]
        self.play.expect(got == list(map(duration, times)), f"ended {times} ago", got)
        return self

    def ends_conversations(self, *conversations: Conversation) -> Self:
        """The sessions of these conversations ended, in this order."""
        __tracebackhide__ = True
        got = [effect.flow for effect in self.all(SessionEnded)]
        wanted = [conversation.flow_of(INSIDE) for conversation in conversations]
        self.play.expect([tuple(flow) for flow in got] == wanted, f"the end of {wanted}", got)
        return self

    def returns(self, *states: str) -> Self:
        """Sessions in these states are in the table again."""
        __tracebackhide__ = True
        got = [effect.state.name for effect in self.all(SessionOpened)]
        self.play.expect(got == list(states), f"sessions in {states} to return", got)
        return self

    def moves_back(self, *states: str) -> Self:
        """Sessions are in these states again."""
        __tracebackhide__ = True
        got = [effect.after.name for effect in self.all(StateChanged)]
        self.play.expect(got == list(states), f"to move back to {states}", got)
        return self

    def nothing_ends(self) -> Self:
        """No session ended."""
        __tracebackhide__ = True
        return self.ends()

    def releases(self, reason: str, *held: Outcome) -> Self:
        """These packets, which were held, got their verdict for this reason; no others did.

        Those that are refused are reported like any other.
        """
        __tracebackhide__ = True
        got = [(effect.ticket, effect.reason.word) for effect in self.all(PacketReleased)]
        wanted = [(each.decision.ticket, reason) for each in held]
        self.play.expect(got == wanted, f"the release of {wanted}", got)
        for effect, following in pairwise((*self.effects, None)):
            if isinstance(effect, PacketReleased) and effect.reason.verdict is Verdict.DROP:
                told = isinstance(following, PacketRefused) and (
                    following.at,
                    following.reason,
                    following.zone,
                    following.flow,
                    following.length,
                )
                wanted = (effect.at, effect.reason, effect.zone, effect.flow, effect.length)
                self.play.expect(told == wanted, f"the refusal of {effect}", following)
        return self

    def says(self, *lines: str) -> Self:
        """The firewall spoke these packets, `client gets RA seq 1 ack 101`, and no others."""
        __tracebackhide__ = True
        got = [self._line(effect) for effect in self.all(PacketInjected)]
        self.play.expect(got == list(lines), f"the firewall to say {lines}", got)
        return self

    def says_nothing(self) -> Self:
        """The firewall was silent."""
        __tracebackhide__ = True
        return self.says()

    def ends_up_alive(self, *, within: str) -> Self:
        """The session of the conversation has so much time left."""
        __tracebackhide__ = True
        left = self.conversation.session.deadline - self.play.now
        self.play.expect(left == duration(within), f"{within} left", left)
        return self

    def _line(self, effect: PacketInjected) -> str:
        who = ENDS[effect.zone]
        place = locate(effect.packet)
        assert not isinstance(place, Malformed)
        if place.protocol != TCP:
            icmp_type, code = effect.packet[place.start : place.start + 2]
            return f"{who} gets icmp {icmp_type}/{code}"
        seq, ack, flags = unpack_from("!IIxB", effect.packet, place.start + 4)
        letters = "".join(letter for letter in "SFRPA" if wire.FLAGS[letter] & flags)
        isn, peer_isn = self.conversation.isn[effect.zone.other], self.conversation.isn[effect.zone]
        # a number of zero is a real zero, not a relative one
        here = (seq - isn) % 2**32 if seq else "zero"
        there = f" ack {(ack - peer_isn) % 2**32}" if "A" in letters else ""
        return f"{who} gets {letters} seq {here}{there}"


class Outcome(Aftermath):
    """The result of one packet, with the expectations of a story as methods."""

    def __init__(
        self,
        play: Play,
        effects: tuple[Effect, ...],
        conversation: Conversation,
        decision: Decision,
        before: dict[int, tuple[object, ...]],
    ) -> None:
        super().__init__(play, effects, conversation)
        self.decision = decision
        self.before = before

    def accepted(self, reason: str) -> Self:
        """Expect that the packet passed, for this reason."""
        __tracebackhide__ = True
        got = self.decision.verdict.word, self.decision.reason.word
        self.play.expect(got == ("accept", reason), f"accept {reason}", got)
        return self

    def opens(self, state: str) -> Self:
        """Expect that the packet opened a session in this state."""
        __tracebackhide__ = True
        self.accepted("opened")
        got = [(effect.state.name, effect.picked_up) for effect in self.all(SessionOpened)]
        self.play.expect(got == [(state, False)], f"a session in {state}", got)
        return self

    def picked_up(self) -> Self:
        """Expect that the packet opened an established session in mid-stream."""
        __tracebackhide__ = True
        self.accepted("picked_up")
        got = [(effect.state.name, effect.picked_up) for effect in self.all(SessionOpened)]
        self.play.expect(got == [("ESTABLISHED", True)], "a session picked up", got)
        return self

    def moves_to(self, state: str) -> Self:
        """Expect that the packet moved its session to this state."""
        __tracebackhide__ = True
        self.accepted("session")
        got = [effect.after.name for effect in self.all(StateChanged)]
        self.play.expect(got == [state], f"to move to {state}", got)
        return self

    def stays(self, state: str) -> Self:
        """Expect that the packet left its session in this state, without effects.

        That it was the first answer may be: see `answers`.
        """
        __tracebackhide__ = True
        self.accepted("session")
        others = [each for each in self.effects if not isinstance(each, SessionAnswered)]
        self.play.expect(others == [], "no effects", self.effects)
        self.play.expect(
            self.conversation.state == state, f"to stay in {state}", self.conversation.state
        )
        return self

    def answers(self) -> Self:
        """Expect that the packet was the first one of the other end, and no state tells of that."""
        __tracebackhide__ = True
        self.accepted("session")
        self.play.expect(len(self.all(SessionAnswered)) == 1, "an answer", self.effects)
        return self

    def probes(self) -> Self:
        """Expect that the packet was a keepalive probe."""
        __tracebackhide__ = True
        self.accepted("session")
        self.play.expect(len(self.all(KeepaliveSeen)) == 1, "a keepalive probe", self.effects)
        return self

    def held(self) -> Self:
        """Expect that the packet is held, without effects."""
        __tracebackhide__ = True
        got = self.decision.verdict.word, self.decision.reason.word
        self.play.expect(got == ("hold", "held"), "to be held", got)
        self.play.expect(self.effects == (), "no effects", self.effects)
        return self

    def held_after(self, reason: str, *others: Outcome) -> Self:
        """Expect that the packet is held, and that others were released."""
        __tracebackhide__ = True
        got = self.decision.verdict.word, self.decision.reason.word
        self.play.expect(got == ("hold", "held"), "to be held", got)
        return self.releases(reason, *others)

    def is_ignored(self) -> Self:
        """Expect that the packet passed without changing its session."""
        __tracebackhide__ = True
        self.accepted("ignored")
        self.play.expect(self.effects == (), "no effects", self.effects)
        return self

    def dropped(self, reason: str, answer: str = "drop") -> Self:
        """Expect that the packet was refused, for this reason, with this answer."""
        __tracebackhide__ = True
        got = [
            (effect.reason.word, effect.answer.word)
            for before, effect in pairwise((None, *self.effects))
            if isinstance(effect, PacketRefused) and not isinstance(before, PacketReleased)
            if self.decision.verdict is Verdict.DROP and self.decision.reason is effect.reason
        ]
        self.play.expect(got == [(reason, answer)], f"drop {reason}, answer {answer}", got)
        spoken = {Answer.NOTHING.word: 0}.get(answer, 1)
        injected = [each for each in self.all(PacketInjected) if each.kind.word == answer]
        self.play.expect(len(injected) >= spoken, f"{spoken} answers", injected)
        return self

    def changes_nothing(self) -> Self:
        """Expect that no session changed, except those that were reported as ended."""
        __tracebackhide__ = True
        ended = {effect.id for effect in self.all(SessionEnded)}
        wanted = {number: what for number, what in self.before.items() if number not in ended}
        after = snapshot(self.play.firewall)
        opened = self.all(SessionOpened)
        for effect in opened:
            del after[effect.id]
        self.play.expect(after == wanted, wanted, after)
        denials = {effect.state for effect in opened} <= DISCARDED_STATES
        self.play.expect(denials, "no session opened but to remember a denial", self.effects)
        return self


class Conversation:
    """A conversation between the client and the server."""

    protocol: int
    ports: dict[Zone, int]
    isn: dict[Zone, int]

    def __init__(self, play: Play) -> None:
        self.play = play
        self.isn = dict(ISN)
        self.address = {INSIDE: CLIENT[play.version], OUTSIDE: SERVER[play.version]}

    def client(self, *arguments: Any, **named: Any) -> Outcome:
        """The client sends."""
        return self.send(INSIDE, *arguments, **named)

    def server(self, *arguments: Any, **named: Any) -> Outcome:
        """The server sends."""
        return self.send(OUTSIDE, *arguments, **named)

    def send(self, end: Zone, *arguments: Any, **named: Any) -> Outcome:
        """Send a packet from one end."""
        raise NotImplementedError

    def packet(self, end: Zone, body: bytes, **options: Any) -> bytes:
        """An IP packet from this end to the other."""
        return wire.ip(self.address[end], self.address[end.other], self.protocol, body, **options)

    def flow_of(self, end: Zone) -> tuple[int, bytes, int, bytes, int]:
        """The flow of this end's packets, as the firewall writes it."""
        peer = end.other
        return (
            self.protocol,
            self.address[end],
            self.ports[end],
            self.address[peer],
            self.ports[peer],
        )

    @property
    def session(self) -> Session:
        """The session of the conversation."""
        session = self.find()
        assert session is not None
        return session

    def find(self) -> Session | None:
        """The session of the conversation, whichever end opened it; None if there is none."""
        flows = self.flow_of(INSIDE), self.flow_of(OUTSIDE)
        return next((each for each in self.play.firewall.table if tuple(each.flow) in flows), None)

    @property
    def state(self) -> str | None:
        """The name of the state of its session."""
        session = self.find()
        return session and session.state.name


class Tcp(Conversation):
    """A TCP connection."""

    protocol = TCP

    def __init__(self, play: Play, port: int = 40000, to_port: int = 80) -> None:
        super().__init__(play)
        self.ports = {INSIDE: port, OUTSIDE: to_port}
        self.next = {INSIDE: 0, OUTSIDE: 0}
        """Relative number of the next octet of each end."""
        self.heard = {INSIDE: 0, OUTSIDE: 0}
        """Relative number up to which each end has received."""

    def segment(
        self,
        end: Zone,
        flags: str,
        seq: int,
        ack: int,
        data: int = 0,
        *,
        fragment: tuple[int, int, bool] | None = None,
        **more: Any,
    ) -> bytes:
        """The bytes of one segment, its numbers relative; `more` as in `wire.tcp`."""
        real_ack = self.isn[end.other] + ack if "A" in flags else 0
        ports = self.ports[end], self.ports[end.other]
        body = wire.tcp(*ports, flags, self.isn[end] + seq, real_ack, bytes(data), **more)
        return self.packet(end, body, fragment=fragment)

    def send(
        self,
        end: Zone,
        flags: str,
        data: int = 0,
        *,
        seq: int | None = None,
        ack: int | None = None,
        window: int = 65535,
        sack: Sequence[tuple[int, int]] = (),
        options: bytes = b"",
    ) -> Outcome:
        """Send a segment; numbers that are not given follow from the packets so far."""
        seq = self.next[end] if seq is None else seq
        ack = self.heard[end] if ack is None else ack
        last = seq + data + ("S" in flags) + ("F" in flags)
        line = f"{flags:<2} {seq}:{last}({data})" + (f" ack {ack}" if "A" in flags else "")
        if sack:
            line += f" sack {sack}"
            isn = self.isn[end.other]
            options += wire.sack(*((isn + left, isn + right) for left, right in sack))
        data_sent = self.segment(end, flags, seq, ack, data, window=window, options=options)
        outcome = self.play.receives(data_sent, end, f"{line} win {window}", self)
        self.next[end] = max(self.next[end], last)
        if outcome.decision.verdict is Verdict.ACCEPT:
            self.heard[end.other] = max(self.heard[end.other], last)
        return outcome

    def establish(self) -> Self:
        """The three packets of a handshake."""
        self.client("S").opens("SYN_SENT")
        self.server("SA").moves_to("SYN_RECV")
        self.client("A").moves_to("ESTABLISHED")
        return self

    def close(self) -> Self:
        """The client closes, then the server."""
        self.client("FA").moves_to("FIN_WAIT")
        self.server("A").moves_to("CLOSE_WAIT")
        self.server("FA").moves_to("LAST_ACK")
        self.client("A").moves_to("TIME_WAIT")
        return self

    def again(self) -> Tcp:
        """A new connection on the same addresses and ports, with other sequence numbers."""
        new = Tcp(self.play, self.ports[INSIDE], self.ports[OUTSIDE])
        new.isn = {zone: (isn + 10**6) % 2**32 for zone, isn in self.isn.items()}
        return new


class Udp(Conversation):
    """Datagrams between two ports."""

    protocol = UDP

    def __init__(self, play: Play, port: int, to_port: int) -> None:
        super().__init__(play)
        self.ports = {INSIDE: port, OUTSIDE: to_port}

    def send(self, end: Zone, octets: int = 10) -> Outcome:
        """Send a datagram from one end."""
        body = wire.udp(self.ports[end], self.ports[end.other], bytes(octets))
        return self.play.receives(self.packet(end, body), end, f"udp {octets}", self)


class Ping(Conversation):
    """ICMP queries; `echo` and `answer` are the messages."""

    def __init__(self, play: Play, identifier: int) -> None:
        super().__init__(play)
        self.identifier = identifier
        self.protocol = ICMP if play.version == 4 else ICMPV6
        self.query, self.response = (8, 0) if play.version == 4 else (128, 129)
        self.ports = {INSIDE: identifier, OUTSIDE: self.query}

    def send(self, end: Zone, word: str, identifier: int | None = None) -> Outcome:
        """Send an `echo` or an `answer` from one end."""
        number = {"echo": self.query, "answer": self.response}[word]
        body = wire.icmp(number, self.identifier if identifier is None else identifier)
        return self.play.receives(self.packet(end, body), end, f"ping {word}", self)

    def flow_of(self, end: Zone) -> tuple[int, bytes, int, bytes, int]:
        """The flow of this end's echo requests."""
        return (
            self.protocol,
            self.address[end],
            self.identifier,
            self.address[end.other],
            self.query,
        )


def reason_of(data: bytes) -> Reason | None:
    """The reason why these bytes are malformed; None if they are a packet."""
    packet = parse(data)
    return packet.reason if isinstance(packet, Malformed) else None
