"""Destroys every TCP socket of a namespace (SOCK_DESTROY), whichever process holds it.

For a host that loses its power: with its cable out, nobody hears the RSTs that the kernel says
meanwhile.
"""

from __future__ import annotations

import errno
import socket
import struct
from typing import Final

from netns.diag import TCP_CLOSE, Diag
from netns.errors import LinkError
from netns.namespace import Namespace

_ALL_STATES: Final = 0x1FFF & ~(1 << TCP_CLOSE)  # up to TCP_NEW_SYN_RECV
_ROUNDS: Final = 5
"""A listener that vanishes may leave connections that nobody had accepted yet."""


def can_vanish(ns: Namespace) -> bool:
    """True if this kernel can destroy sockets (CONFIG_INET_DIAG_DESTROY)."""
    nobody = struct.pack("=BBxxHH32xIII", socket.AF_INET, 0, 0, 0, 0, ~0 & 0xFFFFFFFF, 0)
    with Diag(ns, socket.IPPROTO_TCP) as diag:
        return diag.destroy(nobody) != errno.EOPNOTSUPP


def vanish(ns: Namespace) -> int:
    """End every TCP socket of the namespace, TIME_WAIT and listeners too; returns how many.

    A process that still holds one gets ECONNABORTED.  Raises LinkError where the kernel refuses.
    """
    count = 0
    with Diag(ns, socket.IPPROTO_TCP) as diag:
        for _ in range(_ROUNDS):
            there = diag.dump(_ALL_STATES)
            if not there:
                return count
            for message in there:
                code = diag.destroy(message)
                if code not in (0, errno.ENOENT):
                    raise LinkError(
                        f"cannot end a socket of namespace {ns.name!r}: {errno.errorcode[code]} "
                        "(CONFIG_INET_DIAG_DESTROY)"
                    )
                count += not code
    raise LinkError(f"sockets go on being made in namespace {ns.name!r}: end its processes first")
