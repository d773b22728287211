"""What a firewall can be told to choose from: one enumeration a choice, values as in settings."""

from __future__ import annotations

from enum import Enum


class Mode(Enum):
    """Which of two machines this is.  The value is the setting's."""

    STATEFUL = "stateful"
    ACL = "acl"


class AtExpiry(Enum):
    """Who hears of it when the idle timer of an established TCP session runs out."""

    SILENT = "silent"
    RESET_BOTH = "reset-both"
    RESET_ORIGINAL = "reset-original"
    RESET_REPLY = "reset-reply"
    PROBE = "probe"
    """Both ends are asked first; the session lives on if both answer."""


class ResetNumbers(Enum):
    """Which numbers a RST at expiry carries.  The value is the setting's."""

    EXACT = "exact"
    """What its receiver expects, and believes (RFC 5961 section 3.2)."""
    STALE = "stale"
    """Those of the handshake: a device that has handed the session to its hardware knows no others.
    An end that has received data since ignores such a RST."""


class OnUnknown(Enum):
    """What an unknown packet gets.  The value is the setting's."""

    DROP = "drop"
    RESET = "reset"
    REJECT = "reject"
    PICK_UP = "pick-up"


class Trust(Enum):
    """When a session that was picked up counts as established.  The value is the setting's."""

    AT_ONCE = "at-once"
    ANSWERED = "answered"
    """When the other end has answered; until then it has a timer of its own."""
    NEVER = "never"
    """Its handshake was not seen: it keeps the timer of its own."""


class Refresh(Enum):
    """Whose packets restart the idle timer of a session.  The value is the setting's."""

    EITHER = "either"
    ORIGINAL = "original"
    REPLY = "reply"
    EACH = "each"
    """Each direction has a timer of its own; the first that runs out ends the session."""


class UnderPressure(Enum):
    """What becomes of idle timers when the table fills.  The value is the setting's."""

    NONE = "none"
    SCALE = "scale"
    """They shrink in proportion, from `start` on, to nothing at `stop` (pf: adaptive timeouts)."""
    ACCELERATE = "accelerate"
    """From `start` on they are divided by `factor` (accelerated aging of PAN-OS)."""
    EARLY_AGEOUT = "early-ageout"
    """From `start` until the table is below `stop` none is longer than `early_ageout` (Junos)."""


class PeerState(Enum):
    """What the peer of this firewall knows at a failover.  The value is the setting's."""

    NONE = "none"
    SYNCHRONISED = "synchronised"
