"""The choices of a policy: one enumeration for each, with the values of its setting."""

from __future__ import annotations

from enum import Enum


class Mode(Enum):
    """With sessions, or a router's access list.  The value is the setting's."""

    STATEFUL = "stateful"
    ACL = "acl"


class AtExpiry(Enum):
    """The packets that are sent when the idle timer of an established TCP session runs out."""

    SILENT = "silent"
    RESET_BOTH = "reset-both"
    RESET_ORIGINAL = "reset-original"
    RESET_REPLY = "reset-reply"
    PROBE = "probe"
    """Both ends are asked first; the session lives on if both answer."""

    @property
    def tells_at_once(self) -> bool:
        """Is the session over with it?  Only that can be asked of a kill."""
        return self is not AtExpiry.PROBE


class ResetNumbers(Enum):
    """The sequence numbers of a RST at expiry.  The value is the setting's."""

    EXACT = "exact"
    """The numbers that its receiver expects, and believes (RFC 5961 section 3.2)."""
    STALE = "stale"
    """The numbers of the handshake: a device that has handed the session to its hardware knows no
    others.  An end that has received data since ignores such a RST."""


class OnUnknown(Enum):
    """The treatment of an unknown packet: no SYN, no session.  The value is the setting's."""

    DROP = "drop"
    RESET = "reset"
    REJECT = "reject"
    PICK_UP = "pick-up"


class Closing(Enum):
    """How FINs and the ACKs to them are counted.  The value is the setting's."""

    BY_END = "by-end"
    """The second FIN is the other end's, and the close ends when both FINs are acknowledged."""
    BY_FLAGS = "by-flags"
    """Any further FIN counts as the second one, and any ACK as the one that was due: so does
    nf_conntrack."""


class Trust(Enum):
    """When a session that was picked up counts as established.  The value is the setting's."""

    AT_ONCE = "at-once"
    ANSWERED = "answered"
    """As soon as the other end has answered; until then it has a timer of its own."""
    NEVER = "never"
    """Not at all, as its handshake was not seen: it keeps a timer of its own."""


class Refresh(Enum):
    """The ends whose packets restart the idle timer of a session.  The value is the setting's."""

    EITHER = "either"
    ORIGINAL = "original"
    REPLY = "reply"
    EACH = "each"
    """Each direction has a timer of its own; the first that runs out ends the session."""


class UnderPressure(Enum):
    """How idle timers get shorter when the table fills.  The value is the setting's."""

    NONE = "none"
    SCALE = "scale"
    """Timers shrink in proportion from `start` on, to nothing at `stop` (pf: adaptive timeouts)."""
    ACCELERATE = "accelerate"
    """From `start` on timers are divided by `factor` (accelerated aging of PAN-OS)."""
    EARLY_AGEOUT = "early-ageout"
    """From `start` until the table is below `stop` no timer exceeds `early_ageout` (Junos)."""


class PeerState(Enum):
    """How much the peer of this firewall knows at a failover.  The value is the setting's."""

    NONE = "none"
    SYNCHRONISED = "synchronised"
