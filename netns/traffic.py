"""What the kernel of a namespace has counted of its traffic, to see whether there was any."""

from __future__ import annotations

import os
from contextlib import ExitStack, suppress
from typing import Final

from netns.namespace import Namespace

_COUNTERS: Final = ("snmp", "snmp6")
_MOST: Final = 1 << 16


class Traffic:
    """The counters of a namespace, for IP, TCP and UDP of both versions.  Close it."""

    def __init__(self, ns: Namespace) -> None:
        self._files: list[int] = []
        with ExitStack() as undo:
            undo.callback(self.close)
            with ns.enter():
                for name in _COUNTERS:
                    path = f"/proc/thread-self/net/{name}"
                    with suppress(FileNotFoundError):  # without IPv6 there is no snmp6
                        self._files.append(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
            undo.pop_all()

    def counted(self) -> bytes:
        """The same as before if no segment or datagram has come in, gone out or been refused.

        A segment counts as soon as its socket has made it, wherever it is held up afterwards
        (__tcp_transmit_skb in net/ipv4/tcp_output.c).
        """
        return b"".join(os.pread(file, _MOST, 0) for file in self._files)

    def close(self) -> None:
        """Look no more."""
        while self._files:
            os.close(self._files.pop())
