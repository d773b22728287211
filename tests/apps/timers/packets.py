"""What is said on the client's cable in a stretch of time: how many segments of each kind.

Without pure acknowledgements and keepalive probes: whether a kernel sends one at all hangs on
what else it has to say in the next 40 milliseconds, which are another time at another pace.
"""

from __future__ import annotations

import socket
from collections import Counter
from typing import Final, TypeAlias

from fwemu.lab import Host
from tests.kit.labs import Wire

Segments: TypeAlias = Counter[tuple[str, str]]

_FLAGS: Final = {1: "FIN", 2: "SYN", 4: "RST"}
_SO_RCVBUFFORCE: Final = 33  # include/uapi/asm-generic/socket.h
_BUFFER: Final = 64 << 20  # octets; nobody reads while an hour passes in a moment


class Cable(Wire):
    """A capture that holds an hour of a chatty connection."""

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
        self._read = 0

    def segments(self, port: int) -> Segments:
        """Those of connections to this port since the last time that somebody asked."""
        counted: Segments = Counter()
        frames = self.frames
        for frame in frames[self._read :]:
            if frame.protocol != socket.IPPROTO_TCP or port not in frame.more[:2]:
                continue
            direction = "sent" if frame.outgoing else "heard"
            flags = [name for bit, name in _FLAGS.items() if frame.more[2] & bit]
            if frame.length > 1:  # a keepalive probe of some systems has one octet
                flags.append(f"{frame.length} octets")
            if flags:
                counted[direction, " ".join(flags)] += 1
        self._read = len(frames)
        return counted


def differences(one: Segments, other: Segments) -> dict[tuple[str, str], tuple[int, int]]:
    """Kinds of which there are not as many in both, but for a few.

    Those at the edges of the time; and at a time scale of 60 a millisecond of delay is 60.
    """
    return {
        kind: (one[kind], other[kind])
        for kind in one.keys() | other.keys()
        if abs(one[kind] - other[kind]) > max(2, 0.05 * one[kind])
    }
