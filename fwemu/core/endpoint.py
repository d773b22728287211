"""The two ends of a session, as far as their packets have shown."""

from __future__ import annotations


class Endpoint:
    """The end that sends in one direction, of any protocol."""

    __slots__ = ("keepalives", "octets", "packets", "restarted")

    def __init__(self, now: int = 0) -> None:
        self.packets = 0
        self.octets = 0
        self.keepalives = 0
        """Keepalive probes among the packets."""
        self.restarted = now
        """When it last restarted the idle timer, where each end has one."""


class TcpEndpoint(Endpoint):
    """An end of a TCP connection (names as in RFC 9293 section 3.3.1)."""

    __slots__ = (
        "acked",
        "closed_first",
        "fin_end",
        "first",
        "has_scale",
        "is_selective",
        "is_unacknowledged",
        "limit",
        "next",
        "scale",
        "window",
    )

    def __init__(self, now: int = 0) -> None:
        super().__init__(now)
        self.first: int | None = None
        """The sequence number after its SYN; None if that was not seen."""
        self.next: int | None = None
        """The sequence number after the last octet it sent (SND.NXT); None until it sends."""
        self.acked: int | None = None
        """The last number it acknowledged, what it expects next (RCV.NXT); None until it does."""
        self.limit = 0
        """The highest number that the other end has allowed it to send up to."""
        self.window = 0
        """The largest window that it has offered; 0 until it sends."""
        self.scale = 0
        """The shift count of its windows (RFC 7323)."""
        self.has_scale = False
        """It has announced that it scales."""
        self.is_selective = False
        """It permits selective acknowledgements (RFC 2018)."""
        self.is_unacknowledged = False
        """It has sent what the other end has not acknowledged yet."""
        self.closed_first = False
        """Its FIN began the close."""
        self.fin_end: int | None = None
        """The sequence number after its FIN; None until it sends one, or if it is not known."""

    @property
    def has_closed(self) -> bool:
        """It has sent a FIN."""
        return self.closed_first or self.fin_end is not None

    def state(self) -> tuple[object, ...]:
        """All that is known of its numbers, to be restored if a segment turns out to be refused."""
        return tuple(getattr(self, name) for name in TcpEndpoint.__slots__)

    def restore(self, state: tuple[object, ...]) -> None:
        """Forget what was learned since."""
        for name, value in zip(TcpEndpoint.__slots__, state, strict=True):
            setattr(self, name, value)
