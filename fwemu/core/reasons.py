"""Reasons: one word for every kind of verdict, one for every end of a session.

The same word stands in the log, the metric label, the capture comment, the API and the docs.
"""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import Final, Self


class Verdict(IntEnum):
    """The verdict on a packet."""

    DROP = 0
    ACCEPT = 1
    HOLD = 2
    """Neither yet: the packet waits, until a `PacketReleased` names its reason."""

    @property
    def word(self) -> str:
        """`accept`, `drop` or `hold`."""
        return self.name.lower()


class Reason(IntEnum):
    """Why a packet was accepted, dropped or held.  `WHY` says each in a sentence."""

    verdict: Verdict
    """The verdict that the reason belongs to: exactly one."""

    def __new__(cls, verdict: Verdict) -> Self:
        """Number the reasons in their order, which means nothing."""
        reason = int.__new__(cls, len(cls.__members__))
        reason._value_ = int(reason)
        reason.verdict = verdict
        return reason

    SESSION = Verdict.ACCEPT
    OPENED = Verdict.ACCEPT
    PICKED_UP = Verdict.ACCEPT
    IGNORED = Verdict.ACCEPT
    RELATED = Verdict.ACCEPT
    FRAGMENT = Verdict.ACCEPT
    PERMITTED = Verdict.ACCEPT
    UNKNOWN_PACKET = Verdict.DROP
    DENIED = Verdict.DROP
    REJECTED = Verdict.DROP
    TABLE_FULL = Verdict.DROP
    INVALID_STATE = Verdict.DROP
    OUT_OF_WINDOW = Verdict.DROP
    UNRELATED_ICMP = Verdict.DROP
    UNKNOWN_FRAGMENT = Verdict.DROP
    OVERLAPPING_FRAGMENT = Verdict.DROP
    FRAGMENT_TIMEOUT = Verdict.DROP
    TOO_MANY_FRAGMENTS = Verdict.DROP
    BAD_FLAGS = Verdict.DROP
    BAD_LENGTH = Verdict.DROP
    BAD_HEADER = Verdict.DROP
    TRUNCATED = Verdict.DROP
    DISCARDED = Verdict.DROP
    REBOOTING = Verdict.DROP
    HELD = Verdict.HOLD

    @property
    def word(self) -> str:
        """The reason as logs, metrics and the API spell it."""
        return self.name.lower()


WHY: Final[dict[Reason, str]] = {
    Reason.SESSION: "belongs to a session in the table",
    Reason.OPENED: "a rule allows it; it opened a session",
    Reason.PICKED_UP: "unknown mid-stream packet that opened a session (`pick-up`)",
    Reason.IGNORED: "possibly invalid; passed without changing its session, the endpoint decides",
    Reason.RELATED: "ICMP error about a packet of a session in the table",
    Reason.FRAGMENT: "later fragment of a datagram whose first fragment was accepted",
    Reason.PERMITTED: "permitted by a stateless rule (`acl` mode)",
    Reason.UNKNOWN_PACKET: "no session, and nothing that may open one",
    Reason.DENIED: "denied by a rule or by the default action",
    Reason.REJECTED: "rejected by a rule or by the default action, with an ICMP answer",
    Reason.TABLE_FULL: "the table is full and its policy found no session to evict",
    Reason.INVALID_STATE: "TCP segment that cannot occur in its session's state",
    Reason.OUT_OF_WINDOW: "TCP segment whose numbers neither end can have sent or expects",
    Reason.UNRELATED_ICMP: "ICMP error about no session in the table",
    Reason.UNKNOWN_FRAGMENT: "fragment of a datagram whose first fragment was not accepted",
    Reason.OVERLAPPING_FRAGMENT: "its datagram's fragments overlap, contradict each other, or cut "
    "the transport header apart",
    Reason.FRAGMENT_TIMEOUT: "fragment that waited for its first fragment in vain",
    Reason.TOO_MANY_FRAGMENTS: "more fragments of its datagram, or more waiting, than have room",
    Reason.BAD_FLAGS: "combination of TCP flags that no endpoint sends",
    Reason.BAD_LENGTH: "its lengths contradict each other",
    Reason.BAD_HEADER: "not an IP packet that can be understood",
    Reason.TRUNCATED: "ends before its headers do",
    Reason.DISCARDED: "its flow was denied a while ago, and the denial is remembered",
    Reason.REBOOTING: "the emulated firewall is down, on its way up again after a reboot",
    Reason.HELD: "fragment that waits for the first one of its datagram",
}


class EndReason(Enum):
    """Why a session left the table."""

    EXPIRED = "expired"
    EVICTED = "evicted"
    FLUSHED = "flushed"
    KILLED = "killed"
    CLOSED_BY_FIN = "closed_by_fin"
    CLOSED_BY_RST = "closed_by_rst"
    REUSED = "reused"
    LIFETIME = "lifetime"
    UNANSWERED = "unanswered"
    FAILED_OVER = "failed_over"
    REBOOTED = "rebooted"

    @property
    def word(self) -> str:
        """The reason as logs, metrics and the API spell it."""
        return self.value


WHY_ENDED: Final[dict[EndReason, str]] = {
    EndReason.EXPIRED: "its idle timer ran out",
    EndReason.EVICTED: "pushed out to make room at capacity",
    EndReason.FLUSHED: "the table was emptied, by schedule or by an operator",
    EndReason.KILLED: "an operator ended this session",
    EndReason.CLOSED_BY_FIN: "both ends closed, and the time after that has passed",
    EndReason.CLOSED_BY_RST: "a RST ended it, and the time after that has passed",
    EndReason.REUSED: "a new connection took over its addresses and ports",
    EndReason.LIFETIME: "it had reached the age at which every session ends",
    EndReason.UNANSWERED: "its idle timer ran out, and not both ends answered the probes",
    EndReason.FAILED_OVER: "the peer that took over does not know it",
    EndReason.REBOOTED: "the firewall was started again, which empties its table",
}


class Answer(Enum):
    """The answer to the sender of a refused packet."""

    NOTHING = "drop"
    RESET = "reset"
    REJECT = "reject"

    @property
    def word(self) -> str:
        """The answer as settings and metrics spell it."""
        return self.value


class InjectedKind(Enum):
    """The kinds of packets that the firewall makes itself."""

    RESET = "reset"
    REJECT = "reject"
    PROBE = "probe"

    @property
    def word(self) -> str:
        """The kind as logs, metrics and the API spell it."""
        return self.value
