"""What the control API is asked and what it answers: names, ranges, and what its page says."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field

from fwemu.config.accepts import one_of
from fwemu.config.values import Delay
from fwemu.core.choices import AtExpiry, PeerState
from fwemu.core.flow import PROTOCOL_NAMES, protocol_name
from fwemu.core.tcp_table import State
from fwemu.daemon.records import Record
from fwemu.daemon.stop_on import StopOn


def _notify(value: AtExpiry) -> AtExpiry:
    """Who hears of a kill: what ends a session at once."""
    if not value.tells_at_once:
        words = one_of(each.value for each in AtExpiry if each.tells_at_once)
        raise ValueError(f"{value.value} is for sessions that run out (write {words})")
    return value


Notify = Annotated[AtExpiry, AfterValidator(_notify)]


def _address(text: str | None) -> str | None:
    """The one spelling of an address that sessions are listed with."""
    return None if text is None else str(ipaddress.ip_address(text))


def _state(word: str) -> str:
    """A state as the records spell it."""
    if word.upper() not in (state.name for state in State if state):
        names = ", ".join(state.name for state in State if state)
        raise ValueError(f"no such state (there are: {names})")
    return word.upper()


def _protocol(word: str) -> str:
    """A protocol as the records spell it."""
    name = protocol_name(int(word)) if word.isdigit() else word.lower()
    if not name.isdigit() and name not in PROTOCOL_NAMES.values():
        raise ValueError(
            f"no such protocol (write {', '.join(PROTOCOL_NAMES.values())} or a number)"
        )
    return name


class Match(BaseModel, extra="forbid"):
    """Which sessions are meant; what is not given matches all."""

    protocol: Annotated[str | None, AfterValidator(_protocol)] = Field(
        None, description="tcp, udp, icmp, icmpv6 or a number"
    )
    state: Annotated[str | None, AfterValidator(_state)] = Field(
        None, description="a state, as in ESTABLISHED"
    )
    host: Annotated[str | None, AfterValidator(_address)] = Field(
        None, description="the address of either end"
    )
    port: int | None = Field(None, ge=0, le=65535, description="the port of either end")

    def accepts(self, session: Record) -> bool:
        """Is this session meant?"""
        return (
            (self.protocol is None or session["protocol"] == self.protocol)
            and (self.state is None or session["state"] == self.state)
            and (self.host is None or self.host in (session["source"], session["destination"]))
            and (
                self.port is None
                or self.port in (session.get("source_port"), session.get("destination_port"))
            )
        )


class SessionsQuery(Match):
    """Which sessions to list, and which page of them."""

    after: int = Field(0, ge=0, description="the number to go on from")
    limit: int = Field(1000, ge=1, le=10_000, description="sessions a page")


class SessionsAnswer(BaseModel):
    """A page of sessions."""

    total: int = Field(description="sessions in the whole table")
    next: int | None = Field(description="give it as `after` for the next page; null on the last")
    sessions: list[dict[str, Any]]


class Kill(BaseModel, extra="forbid"):
    """Which sessions to end, and who hears of it."""

    ids: list[int] | None = Field(None, description="their numbers")
    match: Match | None = Field(None, description="or what they have in common")
    share: float | None = Field(None, gt=0, le=1, description="or this share of all, by chance")
    notify: Notify = Field(AtExpiry.SILENT, description="which ends get a RST")


class Killed(BaseModel):
    """What became of the sessions that were to be ended."""

    sessions: int = Field(description="how many were ended")
    missing: list[int] = Field(description="those of `ids` of which there was no session")


class Count(BaseModel):
    """How many sessions it was."""

    sessions: int


class Settings(BaseModel, extra="forbid"):
    """Settings to change, as `key=value` on the command line."""

    settings: list[str] = Field(description='as in "timeouts.tcp_established=5s"', min_length=1)
    flush: bool = Field(False, description="empty the table in the same step")


class FailOver(BaseModel, extra="forbid"):
    """What the peer knows that takes over; what is not given is as `[standby]` says."""

    state: PeerState | None = Field(None, description="nothing, or what it has heard of")
    lag: Delay | None = Field(None, description="how old that is; at most `standby.lag`")


class FailedOver(BaseModel):
    """What has become of the sessions."""

    state: PeerState
    lag_s: float
    kept: int = Field(description="sessions that the peer knew")
    lost: int = Field(description="sessions that it did not know")
    returned: int = Field(description="sessions that had ended, of which it had not heard")


class Reboot(BaseModel, extra="forbid"):
    """How long a reboot takes."""

    outage: Delay = Field(description='until packets pass again, as in "30s"')


class FastForward(BaseModel, extra="forbid"):
    """How much time is to pass in a moment."""

    by: Delay = Field(description='how long, as in "1h 5m"')
    stop_on: list[StopOn] = Field(default=[], description="events that end it before its time")
    caller: tuple[int, int] | None = Field(
        default=None,
        description="the process and the thread (0: all of them) that wait for the answer, if they "
        "hold sockets of the hosts: that they wait for this is no timer of theirs",
    )
    applications: bool = Field(
        default=True,
        description="the programs of the hosts live through it: their clocks are moved, their "
        "waits and timers end; otherwise they stand still",
    )
    grain: Delay | None = Field(
        default=None,
        description="what waits for less than 5 s again and again may be late by so much (5s)",
    )


class Passed(BaseModel):
    """How far a fast-forward has come."""

    passed_s: float | None = Field(description="null if there is none")


class TimeScale(BaseModel):
    """How fast time passes, and how exactly the hosts follow."""

    time_scale: int = Field(description="seconds of the firewall in a real one")
    settings: list[dict[str, Any]] = Field(
        description="settings of the hosts: what was asked, what is exact, what was set, the error"
    )
    not_scaled: list[dict[str, Any]] = Field(description="what goes on in real time")
    sockets: dict[str, Any] = Field(
        description="how many had values of their own, and those that had to be rounded"
    )


class FastForwarded(BaseModel):
    """What happened on the way."""

    advanced_s: float
    wall_s: float = Field(description="how long it really took")
    probes: list[dict[str, Any]] = Field(
        description="each socket that sent probes, keepalive or zero-window: how many were sent "
        "and answered"
    )
    sessions_ended: list[dict[str, Any]] = Field(
        description="sessions that left the table; `trust` says how far that can be trusted (sure, "
        "possible, not-to-be-trusted), and `doubtful` why not further"
    )
    sessions_doubtful: list[dict[str, Any]] = Field(
        description="sessions that live, of which that is not sure; `trust` and `doubtful` likewise"
    )
    connections_lost: list[dict[str, Any]] = Field(
        description="sockets whose kernel ended the connection, and the error"
    )
    not_played: list[dict[str, Any]] = Field(description="what could not be played, by name")
    programs_woken: list[dict[str, Any]] = Field(
        description="programs that woke by themselves: how often a wait or a timer of them was over"
    )
    stopped_at: StopOn | None
