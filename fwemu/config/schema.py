"""Every setting: its type, range, default and one sentence.  Nothing else defines a setting.

The defaults are those of `fwemu.core.policy`; files are read in `load.py`, and what the core
needs is made in `compile.py`.  Error messages, the docs and the example are made from this.
"""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Final, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from fwemu.config.accepts import Accepts, shown
from fwemu.config.duration import Duration
from fwemu.config.match import Places, Ports, Protocols
from fwemu.config.size import Size
from fwemu.config.values import (
    ClosingLifetime,
    Delay,
    InterfaceNames,
    Interval,
    Lifetime,
    LogSize,
    Schedule,
    StateTimers,
    one_or_more,
)
from fwemu.core.choices import (
    AtExpiry,
    Closing,
    Mode,
    OnUnknown,
    PeerState,
    Refresh,
    ResetNumbers,
    Trust,
    UnderPressure,
)
from fwemu.core.eviction import WhenFull
from fwemu.core.flow import PROTOCOLS_WITH_PORTS, TCP, Zone
from fwemu.core.policy import DEFAULT_TIMEOUTS, Policy
from fwemu.core.rules import Action
from fwemu.core.tcp_window import WindowCheck


class ConflictError(ValueError):
    """Settings that are right one by one but not together; each problem with its place."""

    def __init__(self, *problems: tuple[tuple[str | int, ...], str]) -> None:
        super().__init__("; ".join(text for _, text in problems))
        self.problems = problems


class Section(BaseModel):
    """A table of the file: frozen, and a key that it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class WhenDown(Enum):
    """What happens to traffic while nobody listens on the queue."""

    OPEN = "open"
    CLOSED = "closed"


class QueueReader(Enum):
    """A way to take the packets of the queue."""

    AUTO = "auto"
    """The first of the others that works."""
    NETLINK = "netlink"
    """Our own: many packets, and many verdicts, by one system call."""
    NETFILTERQUEUE = "netfilterqueue"
    """The library of that name: a system call for each."""


class LogEvent(Enum):
    """Events that the firewall log can hold."""

    BUILT = "built"
    TORN_DOWN = "torn_down"
    DENIED = "denied"
    RELEASED = "released"
    STATE_CHANGED = "state_changed"
    ANSWERED = "answered"
    KEEPALIVE = "keepalive"
    INJECTED = "injected"


class DeviceLogFormat(Enum):
    """The devices whose logs can be written."""

    NONE = "none"
    CISCO_ASA = "cisco-asa"
    JUNIPER_SRX = "juniper-srx"
    PAN_OS = "pan-os"
    FORTIGATE = "fortigate"
    CONNTRACK = "conntrack"


_CORE: Final = Policy()
"""The defaults of whatever the core knows are stated there, once."""


def _lifetime(name: str) -> Duration:
    return Duration(DEFAULT_TIMEOUTS[name])


class Table(Section):
    """The connection table and what happens when it is full."""

    capacity: int = Field(
        default=_CORE.capacity,
        strict=True,
        ge=1,
        le=10_000_000,
        description="Sessions the table holds.",
    )
    when_full: WhenFull = Field(
        default=_CORE.when_full, description="What a full table does with the next new session."
    )
    seed: int | None = Field(
        default=None,
        strict=True,
        ge=0,
        le=2**32 - 1,
        description="Makes `evict-random` repeatable; without it a seed is chosen and logged.",
        json_schema_extra={"live": False},
    )


class Timeouts(Section):
    """How long a session of each state may be quiet before it is forgotten."""

    tcp_syn_sent: Lifetime = Field(
        default=_lifetime("tcp_syn_sent"), description="TCP: a SYN was seen, no answer yet."
    )
    tcp_syn_recv: Lifetime = Field(
        default=_lifetime("tcp_syn_recv"),
        description="TCP: the SYN was answered, the handshake is not over.",
    )
    tcp_established: Lifetime = Field(
        default=_lifetime("tcp_established"),
        description="TCP: the connection is open; this is the idle timeout people speak of.",
    )
    tcp_fin_wait: ClosingLifetime = Field(
        default=_lifetime("tcp_fin_wait"), description="TCP: one end has sent its FIN."
    )
    tcp_close_wait: ClosingLifetime = Field(
        default=_lifetime("tcp_close_wait"),
        description="TCP: the FIN of one end is acknowledged, the other end has not closed yet.",
    )
    tcp_last_ack: ClosingLifetime = Field(
        default=_lifetime("tcp_last_ack"),
        description="TCP: both ends have sent their FIN, the last ACK is missing.",
    )
    tcp_time_wait: ClosingLifetime = Field(
        default=_lifetime("tcp_time_wait"), description="TCP: both ends have closed."
    )
    tcp_closed: ClosingLifetime = Field(
        default=_lifetime("tcp_closed"), description="TCP: a RST has ended the connection."
    )
    udp_unreplied: Lifetime = Field(
        default=_lifetime("udp_unreplied"), description="UDP: only one side has spoken."
    )
    udp_replied: Lifetime = Field(
        default=_lifetime("udp_replied"), description="UDP: both sides have spoken."
    )
    icmp: Lifetime = Field(
        default=_lifetime("icmp"), description="ICMP and ICMPv6 queries, echo for one."
    )
    other: Lifetime = Field(default=_lifetime("other"), description="Any other protocol.")
    lifetime: Lifetime = Field(
        default=Duration(_CORE.longest),
        description="How old a session may get, however busy it is.",
    )
    tcp_retransmitted: Lifetime = Field(
        default=Duration(_CORE.short.retransmitted),
        description="TCP: a segment was repeated `tcp.max_retransmissions` times, or the window is"
        " closed; counts where it is shorter than the timer of the state.",
    )
    tcp_unacknowledged: Lifetime = Field(
        default=Duration(_CORE.short.unacknowledged),
        description="TCP: data is not acknowledged yet; counts where it is shorter.",
    )
    tcp_rst_unverified: Lifetime = Field(
        default=Duration(_CORE.short.rst_unverified),
        description="TCP: a RST was seen in the window, but not with the number expected; counts"
        " where it is shorter.",
    )
    tcp_picked_up: Lifetime = Field(
        default=Duration(_CORE.short.picked_up),
        description="TCP: a connection was picked up in mid-stream and is not trusted yet"
        " (`unknown.trust`); counts where it is shorter.",
    )
    tcp_discard: ClosingLifetime = Field(
        default=_lifetime("tcp_discard"),
        description="How long a denied TCP session is remembered, and its packets discarded; 0s:"
        " not.",
    )
    udp_discard: ClosingLifetime = Field(
        default=_lifetime("udp_discard"), description="The same for UDP."
    )
    other_discard: ClosingLifetime = Field(
        default=_lifetime("other_discard"), description="The same for any other protocol."
    )


class TcpSettings(Section):
    """How closely the numbers of TCP segments are looked at.

    `strict` drops a segment outside the window, `liberal` only a RST below what is acknowledged,
    and `off` believes every segment, any RST among them. A connection that was picked up in
    mid-stream is never checked, and mode `acl` has no windows.

    With `by-end` the second FIN is the other end's, whoever repeats his own, and the close is over
    when both are acknowledged. With `by-flags`, as in Linux, any further FIN counts as the second
    one, and any ACK after it as the last.
    """

    window: WindowCheck = Field(
        default=_CORE.window_check,
        description="What becomes of a segment whose numbers lie outside the window.",
    )
    closing: Closing = Field(
        default=_CORE.closing, description="How FINs and the ACKs to them are counted."
    )
    max_retransmissions: int = Field(
        default=_CORE.short.max_retransmissions,
        strict=True,
        ge=1,
        le=255,
        description="How often a segment is repeated before `timeouts.tcp_retransmitted` counts.",
    )


class RefreshSettings(Section):
    """Which packets restart the idle timer of a session; entering another state always does.

    `either` end's packets do, or only those in the `original` or the `reply` direction; with `each`
    both directions have a timer of their own, and the first that runs out ends the session.
    """

    tcp: Refresh = Field(default=_CORE.refresh.tcp, description="Whose packets, for TCP.")
    udp: Refresh = Field(default=_CORE.refresh.udp, description="Whose packets, for UDP.")
    other: Refresh = Field(
        default=_CORE.refresh.other, description="Whose packets, for any other protocol."
    )
    keepalives: bool = Field(
        default=_CORE.refresh.keepalives,
        strict=True,
        description="TCP keepalive probes and the answers to them do.",
    )
    payload_only: bool = Field(
        default=_CORE.refresh.payload_only,
        strict=True,
        description="Only TCP segments that carry data do.",
    )
    absolute: StateTimers = Field(
        default=(), description="Timers that no packet restarts: they run from entering the state."
    )


class PressureSettings(Section):
    """How a filling table shortens the idle timers of all sessions.

    `scale` shrinks them in proportion, from `start` on, to nothing at `stop`; `accelerate` divides
    them by `factor` from `start` on; `early-ageout` cuts them to `early_ageout` from `start` until
    the table is below `stop`. Quiet sessions that this makes too old end within a second.
    """

    policy: UnderPressure = Field(default=_CORE.pressure.policy, description="What happens.")
    start: int = Field(
        default=_CORE.pressure.start, strict=True, ge=1, le=100, description="Percent of capacity."
    )
    stop: int = Field(
        default=_CORE.pressure.stop, strict=True, ge=1, le=1000, description="Percent of capacity."
    )
    factor: int = Field(
        default=_CORE.pressure.factor,
        strict=True,
        ge=2,
        le=1000,
        description="What `accelerate` divides timers by.",
    )
    early_ageout: Lifetime = Field(
        default=Duration(_CORE.pressure.early_ageout),
        description="What `early-ageout` cuts timers to.",
    )

    @model_validator(mode="after")
    def _scales_from_one_level_to_another(self) -> Self:
        if self.policy is UnderPressure.SCALE and self.stop <= self.start:
            problem = f"{self.stop} is not above start, which is {self.start}"
            raise ConflictError((("stop",), f'{problem} (policy = "scale" shrinks in between)'))
        return self


class Expiry(Section):
    """What happens at the moment the idle timer of an established TCP session runs out."""

    action: AtExpiry = Field(
        default=_CORE.at_expiry,
        description="Who gets a RST at that moment: nobody, both ends, the opener or its peer;"
        " with `probe` both ends are asked first, and the session lives on if both answer.",
    )
    sequence: ResetNumbers = Field(
        default=_CORE.reset_numbers,
        description="Numbers of that RST: those its receiver expects, or those of the handshake,"
        " which an end ignores that has received data since.",
    )
    retry_interval: Interval = Field(
        default=Duration(_CORE.probe.retry_interval),
        description="How long `probe` waits for an answer before it asks again.",
    )
    max_retries: int = Field(
        default=_CORE.probe.max_retries,
        strict=True,
        ge=1,
        le=255,
        description="How often `probe` asks before the session ends, silently.",
    )


class Fragments(Section):
    """Datagrams in fragments: a later one waits for the first one of its datagram, if it must.

    Mode `acl` waits for nothing: it judges each fragment by its addresses alone.
    """

    timeout: Interval = Field(
        default=Duration(_CORE.fragments.timeout),
        description="How long the parts of a datagram may take; what waits then is dropped.",
    )
    per_datagram: int = Field(
        default=_CORE.fragments.per_datagram,
        strict=True,
        ge=1,
        le=8192,
        description="Fragments that one datagram may have; with more it is refused.",
    )
    held: int = Field(
        default=_CORE.fragments.held,
        strict=True,
        ge=0,
        le=10_000,
        description="Fragments that may wait at one time, of all datagrams; never more than half of"
        " `daemon.queue_length`, where they wait.",
    )


class Injected(Section):
    """The packets that the firewall makes itself: RSTs, ICMP errors, probes."""

    ttl: int = Field(
        default=_CORE.ttl,
        strict=True,
        ge=1,
        le=255,
        description="Their time to live (IPv6: hop limit), the tell-tale in a capture.",
    )


class Unknown(Section):
    """What a TCP packet gets that is no SYN and has no session, by the zone it comes from.

    `drop` is silent, `reset` answers with a RST, `reject` with an ICMP error, and `pick-up` opens a
    session in mid-stream if the rules allow one. Mode `acl` has no sessions and ignores this.
    """

    inside: OnUnknown = Field(
        default=_CORE.on_unknown[Zone.INSIDE], description="For unknown packets from the inside."
    )
    outside: OnUnknown = Field(
        default=_CORE.on_unknown[Zone.OUTSIDE], description="For unknown packets from the outside."
    )
    trust: Trust = Field(
        default=_CORE.trust,
        description="When a picked-up session gets the timer of an established one instead of"
        " `timeouts.tcp_picked_up`, and counts as assured.",
    )


class DefaultAction(Section):
    """What happens to a new session that no rule speaks of, by the zone it comes from.

    In mode `acl`: to every packet that no rule speaks of.
    """

    inside: Action = Field(
        default=_CORE.default_action[Zone.INSIDE], description="For new sessions from the inside."
    )
    outside: Action = Field(
        default=_CORE.default_action[Zone.OUTSIDE], description="For new sessions from the outside."
    )


class AclSettings(Section):
    """What a router's access list has after the rules; only in mode `acl`.

    What such a router refuses is logged; what passes leaves no trace there.
    """

    replies: bool = Field(
        default=True,
        strict=True,
        description="Let in from the outside what may be an answer, and what anybody can therefore"
        " send: TCP with ACK or RST (`established`), UDP to ports above 1023, ICMP.",
    )


OF_SESSIONS: Final = ("idle_timeout", "expiry", "unknown")
"""What a rule says of the sessions that it opens."""


class RuleSettings(Section):
    """One rule; the first that matches decides, and what a rule does not name matches anything."""

    name: str = Field(
        default="", strict=True, max_length=64, description="What logs and reports call this rule."
    )
    action: Action = Field(description="What to do with a new session (mode `acl`: a packet).")
    from_: Places = Field(
        default=(),
        alias="from",
        description="Where the packet comes from: its zone or source address.",
    )
    to: Places = Field(
        default=(), description="Where it goes: the zone it leaves by, or its destination address."
    )
    proto: Protocols = Field(default=(), description="Its protocol.")
    ports: Ports = Field(default=(), description="Its destination port; only tcp and udp have one.")
    source_ports: Ports = Field(
        default=(), description="Its source port; only tcp and udp have one."
    )
    established: bool = Field(
        default=False,
        strict=True,
        description="Only TCP segments with ACK or RST, as routers mean it; only in mode `acl`.",
    )
    idle_timeout: Lifetime | None = Field(
        default=None,
        description="Idle timeout of the sessions this rule opens, in place of the general one.",
    )
    expiry: AtExpiry | None = Field(
        default=None,
        description="What happens when one of them expires, in place of `expiry.action`.",
    )
    unknown: OnUnknown | None = Field(
        default=None,
        description="What unknown packets get between the ends this rule allows, whichever way they"
        " go, in place of the general answers.",
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        problems: list[tuple[tuple[str | int, ...], str]] = []
        for key in ("ports", "source_ports"):
            if getattr(self, key) and not (self.proto and {*self.proto} <= PROTOCOLS_WITH_PORTS):
                problems.append(
                    ((key,), 'only tcp and udp have ports (add proto = "tcp", or leave this out)')
                )
        if self.established and self.proto not in ((), (TCP,)):
            problems.append(
                (("established",), 'only tcp has it (write proto = "tcp", or leave this out)')
            )
        for key in OF_SESSIONS:
            if getattr(self, key) is not None and self.action is not Action.ALLOW:
                problems.append(
                    (
                        (key,),
                        f'a rule with action = "{self.action.value}" opens no session'
                        " (leave this out)",
                    )
                )
        if self.from_ and self.from_ == self.to and isinstance(self.to[0], Zone):
            word = self.to[0].word
            problems.append(
                (
                    ("to",),
                    f"a packet from the {word} goes to the {self.to[0].other.word}"
                    f' (write to = "{self.to[0].other.word}", or leave one of them out)',
                )
            )
        if problems:
            raise ConflictError(*problems)
        return self


class FlushSettings(Section):
    """Empty the table by the clock: give either `schedule` or `every`."""

    schedule: Schedule | None = Field(default=None, description="When, in cron notation; UTC.")
    every: Interval | None = Field(default=None, description="How often, counted from the start.")

    @model_validator(mode="after")
    def _is_exactly_one(self) -> Self:
        if (self.schedule is None) == (self.every is None):
            raise ValueError(
                'has neither schedule nor every (write schedule = "0 0 * * *" or every = "6h")'
                if self.schedule is None
                else "has both schedule and every (leave one of them out)"
            )
        return self


class Standby(Section):
    """The peer that takes over at `fwemu failover`, and what it knows by then.

    It begins with all sessions when `lag` is set, and from then on hears of sessions that are
    opened, change their state or end. It does not hear of packets: timers begin anew, and the
    numbers of TCP connections are not known.
    """

    state: PeerState = Field(
        default=PeerState.NONE, description="Whether it has sessions at all, or only the rules."
    )
    lag: Delay = Field(
        default=Duration(0), description="How long it takes until it hears of a change."
    )


class DaemonSettings(Section):
    """The shell around the firewall: its kernel queue, its interfaces, its log."""

    queue: int = Field(
        default=0,
        strict=True,
        ge=0,
        le=65535,
        description="Number of the kernel's NFQUEUE that packets come from.",
        json_schema_extra={"live": False},
    )
    queue_length: int = Field(
        default=8192,
        strict=True,
        ge=1,
        le=1_000_000,
        description="Packets that the kernel holds for the firewall before it loses some.",
        json_schema_extra={"live": False},
    )
    reader: QueueReader = Field(
        default=QueueReader.AUTO,
        description="How packets are taken from the queue: many by one system call (netlink), or "
        "one by one by the library netfilterqueue; auto takes what works, the first one first.",
        json_schema_extra={"live": False},
    )
    fail: WhenDown = Field(
        default=WhenDown.CLOSED,
        description="What happens to traffic while nobody listens on the queue.",
        json_schema_extra={"live": False},
    )
    log_events: Annotated[tuple[LogEvent, ...], BeforeValidator(one_or_more)] = Field(
        default=(LogEvent.BUILT, LogEvent.TORN_DOWN, LogEvent.DENIED, LogEvent.INJECTED),
        description="Events that are written to the firewall log.",
    )
    log_size: LogSize = Field(
        default=Size.parse("16MB"),
        description="A log file that grows beyond this is rotated, once; for each of the two logs.",
        json_schema_extra={"live": False},
    )
    device_log: DeviceLogFormat = Field(
        default=DeviceLogFormat.NONE,
        description="The device in whose format a second log is written, beside the firewall log.",
    )
    inside: InterfaceNames = Field(
        default=(),
        description="Interfaces of the inside; empty: the daemon works them out.",
        json_schema_extra={"live": False},
    )
    outside: InterfaceNames = Field(
        default=(),
        description="Interfaces of the outside; empty: the daemon works them out.",
        json_schema_extra={"live": False},
    )

    @model_validator(mode="after")
    def _has_an_interface_on_one_side(self) -> Self:
        both = [name for name in self.outside if name in self.inside]
        if both:
            raise ConflictError(
                (
                    ("outside",),
                    f"{shown(both[0])} is inside as well (leave it out of one of the lists)",
                )
            )
        return self


class Config(Section):
    """The whole configuration of one firewall."""

    profile: Annotated[
        str | None, Accepts("the name of a profile, or the path of a .toml file")
    ] = Field(
        default=None,
        description="A device whose settings are the base that the other keys override.",
        json_schema_extra={"live": False},
    )
    mode: Mode = Field(
        default=_CORE.mode,
        description="A firewall that remembers sessions, or a router ACL that remembers nothing.",
    )
    table: Table = Table()
    timeouts: Timeouts = Timeouts()
    tcp: TcpSettings = TcpSettings()
    refresh: RefreshSettings = RefreshSettings()
    pressure: PressureSettings = PressureSettings()
    expiry: Expiry = Expiry()
    fragments: Fragments = Fragments()
    injected: Injected = Injected()
    unknown: Unknown = Unknown()
    default_action: DefaultAction = DefaultAction()
    acl: AclSettings = AclSettings()
    rules: tuple[RuleSettings, ...] = Field(default=(), description="Rules in order.")
    flush: tuple[FlushSettings, ...] = Field(default=(), description="When the table is emptied.")
    standby: Standby = Standby()
    daemon: DaemonSettings = DaemonSettings()

    @model_validator(mode="after")
    def _fits_the_mode(self) -> Self:
        problems: list[tuple[tuple[str | int, ...], str]] = []
        for index, rule in enumerate(self.rules):
            if rule.established and self.mode is Mode.STATEFUL:
                problems.append(
                    (
                        ("rules", index, "established"),
                        "a stateful firewall knows by itself what is established"
                        ' (leave this out, or set mode = "acl")',
                    )
                )
            for key in OF_SESSIONS:
                if getattr(rule, key) is not None and self.mode is Mode.ACL:
                    problems.append(
                        (
                            ("rules", index, key),
                            'mode = "acl" has no sessions that could be idle'
                            ' (leave this out, or set mode = "stateful")',
                        )
                    )
        if problems:
            raise ConflictError(*problems)
        return self
