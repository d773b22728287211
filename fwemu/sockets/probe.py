"""Makes the kernel of a socket ask its peer now, as its keepalive timer would later.

Two ways, both on a borrowed descriptor.  Leaving TCP_REPAIR sends a window probe, which is the
packet that a keepalive sends: an ACK one below the next number, without data.  It costs
microseconds, and the kernel does not count it.  The other way is the timer itself: with
TCP_KEEPIDLE at its least, one second, it fires at once on a socket that has heard nothing for a
second.  Only that counts as a question, so only after that can the kernel give the connection up.
"""

from __future__ import annotations

import socket
from typing import Final

from fwemu.core.instants import SECOND
from netns import Namespace

_TCP_USER_TIMEOUT: Final = 18  # include/uapi/linux/tcp.h
_TCP_REPAIR: Final = 19

LEAST_IDLE: Final = SECOND
"""A socket must have heard nothing for so long before its own timer can be made to fire."""


def problem_in(namespace: Namespace) -> str | None:
    """Why nothing can be sent in this way from the sockets of a namespace; None if it can."""
    with namespace.run(lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as tcp:
        try:
            send_probe(tcp)
        except PermissionError:
            return f"TCP_REPAIR needs CAP_NET_ADMIN in {namespace.name}: run the firewall as root"
        except OSError as error:
            return f"this kernel has no TCP_REPAIR ({error.strerror}): it needs Linux 3.5 or later"
    return None


def send_probe(tcp: socket.socket) -> None:
    """Send a probe.  Nobody may use the socket meanwhile: a send would fail (see `still.py`).

    Raises PermissionError without CAP_NET_ADMIN in the namespace of the socket.
    """
    tcp.setsockopt(socket.IPPROTO_TCP, _TCP_REPAIR, 1)
    tcp.setsockopt(socket.IPPROTO_TCP, _TCP_REPAIR, 0)


def fire_timer(tcp: socket.socket) -> None:
    """Have the kernel's own timer send a probe, and count it.

    The socket must have been quiet for `LEAST_IDLE`.  Its TCP_KEEPIDLE is one second afterwards.
    """
    tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)


def give_up(tcp: socket.socket) -> None:
    """Have the kernel end a connection whose timer has fired without an answer: ETIMEDOUT.

    It tells the peer by a RST, as it always does.
    """
    tcp.setsockopt(socket.IPPROTO_TCP, _TCP_USER_TIMEOUT, 1)
    fire_timer(tcp)


def restore(tcp: socket.socket, idle: int) -> None:
    """Set TCP_KEEPIDLE (nanoseconds) back after `fire_timer`; the timer runs on from now."""
    tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, idle // SECOND)
