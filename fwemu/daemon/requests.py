"""Requests to the engine: a class for each, with its answer.

The two processes speak over a pipe (`EngineClient` on the one end, `operations.EngineRequests` on
the other).  A request is frozen and names its answer: `engine.ask(Flush())` is an int to the type
checker, and a misspelt argument is an error before anything runs.

To add one: a class here and its place in `Request`; mypy then names the `match` in `operations.py`
that does not know it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from fwemu.config import DeviceLogFormat
from fwemu.core.choices import AtExpiry, PeerState
from fwemu.core.effects import Effect
from fwemu.core.policy import Policy
from fwemu.daemon.engine_settings import Flushes, Pair
from fwemu.daemon.records import SessionRow, Statistics

AnswerT = TypeVar("AnswerT")


class Asking(Generic[AnswerT]):
    """A request whose answer is an `AnswerT`."""

    def answered(self, value: AnswerT) -> Reply:
        """The answer, which has to be of the right type."""
        return Reply(value)


class Reply(NamedTuple):
    """The reply over the pipe: a value, or the reason why there is none."""

    value: Any
    error: str | None = None
    """One sentence: the engine failed at this request, and goes on with the next."""


class EngineClient(Protocol):
    """The engine, as the control process sees it."""

    def ask(self, request: Asking[AnswerT]) -> AnswerT:
        """The answer.  Raises ControlError while the firewall ends, EngineError if it failed."""


# -- looking -----------------------------------------------------------------------------------


class SessionsPage(NamedTuple):
    """Some sessions in the order of their numbers, as of one instant."""

    now: int
    rows: list[SessionRow]
    following: int | None
    """The number to go on from; None if this is the last page."""


@dataclass(frozen=True)
class ListSessions(Asking[SessionsPage]):
    """Up to `limit` (at most `operations.PAGE`) sessions with numbers above `after`."""

    after: int
    limit: int


@dataclass(frozen=True)
class CountSessions(Asking[int]):
    """Sessions in the table."""


@dataclass(frozen=True)
class ReadStatistics(Asking[Statistics]):
    """Everything that is counted."""


# -- acting ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Flush(Asking[int]):
    """Empty the table; the answer is how many sessions that were."""


class Killed(NamedTuple):
    """What became of the sessions that were to be ended."""

    killed: int
    """How many were ended."""
    missing: tuple[int, ...]
    """Numbers of which there was no session."""


@dataclass(frozen=True)
class Kill(Asking[Killed]):
    """End these sessions."""

    numbers: tuple[int, ...]
    notify: AtExpiry


@dataclass(frozen=True)
class KillRandom(Asking[Killed]):
    """End this share (0 to 1) of all sessions, chosen by chance."""

    share: float
    notify: AtExpiry


@dataclass(frozen=True)
class Configure(Asking[None]):
    """Follow another policy and schedule from now on; log these kinds of events, and what happens
    in the format of this device.

    With `flush` the table is emptied in the same step: no packet comes between.
    """

    policy: Policy
    flushes: Flushes
    pair: Pair
    events: tuple[str, ...]
    device_log: DeviceLogFormat
    changes: tuple[str, ...]
    """As the user wrote them, for the log."""
    flush: bool


class TakenOver(NamedTuple):
    """What a failover has done to sessions."""

    kept: int
    """Those that the peer knew."""
    lost: int
    """Those that it did not know."""
    returned: int
    """Those that had ended, of which it had not heard."""


@dataclass(frozen=True)
class FailOver(Asking[TakenOver]):
    """The peer takes over; it knows nothing, or what was so `lag` nanoseconds ago."""

    state: PeerState
    lag: int


@dataclass(frozen=True)
class Reboot(Asking[int]):
    """Forget everything, and be down for `outage` nanoseconds; the answer is how many it forgot."""

    outage: int


@dataclass(frozen=True)
class Note(Asking[None]):
    """Log an event that happened outside the engine: what was done to the hosts."""

    event: str
    fields: dict[str, Any]


# -- time --------------------------------------------------------------------------------------


class Progress(NamedTuple):
    """How far a fast-forward has come."""

    now: int
    """By the firewall's clock, in nanoseconds."""
    started: int
    """The instant at which this firewall was started."""
    packets: int
    """Packets decided until now."""
    waiting: int
    """Packets in the kernel's queue."""
    happened: list[Effect]
    """Since the last time."""
    due: int | None = None
    """When the firewall may say something by itself next, at the earliest; None if never."""


@dataclass(frozen=True)
class Advance(Asking[Progress]):
    """Let time pass until the instant `to`, event by event; None lets none pass.

    Stops where the firewall has said something, so that whoever hears it can answer in time: then
    `Progress.now` is before `to`.  `singly` stops wherever anything has happened.  With `watch` the
    next answer tells what has happened meanwhile.

    While somebody watches, a clock that is scaled runs as slowly as others: what is played takes
    real time, and sixty times that would be passed over.
    """

    to: int | None
    watch: bool
    singly: bool = False


@dataclass(frozen=True)
class BeginFastForward(Asking[None]):
    """Log that time is to be moved by so many nanoseconds (event `time_moving`).

    Asked once, before the first `Advance` that lets time pass: what the log says until
    `EndFastForward` did not happen at the time of the machine's clock.
    """

    by: int


@dataclass(frozen=True)
class EndFastForward(Asking[None]):
    """Log that time was moved (event `time_moved`): from when to when, and how long that took.

    Asked once after each `BeginFastForward`, however it ended.  `not_played` is what the answer
    to the user says could not be played, a row each; `stopped_at` the event that ended it before
    its time.  The engine knows the times itself.
    """

    not_played: tuple[dict[str, Any], ...] = ()
    stopped_at: str | None = None
    doubtful: tuple[dict[str, Any], ...] = ()
    """Sessions whose fate is not sure, those not to be trusted first."""


Request = (
    ListSessions
    | CountSessions
    | ReadStatistics
    | Flush
    | Kill
    | KillRandom
    | Configure
    | FailOver
    | Reboot
    | Note
    | Advance
    | BeginFastForward
    | EndFastForward
)
"""All of them."""
