"""At what a fast-forward may end before its time."""

from __future__ import annotations

from enum import Enum


class StopOn(Enum):
    """The events; the values are those of the API and of `--stop-on`."""

    SESSION_ENDED = "session-ended"
    """A session of the firewall ended."""
    CONNECTION_LOST = "connection-lost"
    """A kernel gave a connection up, or was told to by a RST."""
    PROBE_UNANSWERED = "probe-unanswered"
    """A keepalive probe was not answered."""
