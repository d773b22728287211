"""Makes the kernel of a socket ask its peer now, as one of its timers would later.

Two ways, both by one option of a borrowed descriptor, under the lock of the socket: its
application may use it at the same time and notices nothing, so nobody has to be stopped for it.

Leaving TCP_REPAIR, which need not have been entered, sends a window probe: the packet that the
keepalive timer and the persist timer send, an ACK one below the next number, without data.  It
costs microseconds, the kernel does not count it, and it is sent in the state ESTABLISHED only.

The other way is the keepalive timer itself: with TCP_KEEPIDLE at its least, one second, it fires
at once on a socket that has heard nothing for a second.  Only that counts as a question, so only
after that can the kernel give the connection up.
"""

from __future__ import annotations

import socket
from typing import Final

from fwemu.core.instants import SECOND
from netns import Namespace
from netns.options import TCP_REPAIR

LEAST_IDLE: Final = SECOND
"""A socket must have heard nothing for so long before its own timer can be made to fire."""


def problem_in(namespace: Namespace) -> str | None:
    """The reason why no probe can be sent from sockets of a namespace; None if it can."""
    with namespace.run(lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as tcp:
        try:
            send_probe(tcp)
        except PermissionError:
            return f"TCP_REPAIR needs CAP_NET_ADMIN in {namespace.name}: run the firewall as root"
        except OSError as error:
            return f"this kernel has no TCP_REPAIR ({error.strerror}): it needs Linux 3.5 or later"
    return None


def send_probe(tcp: socket.socket) -> bool:
    """Send a probe, in the state ESTABLISHED.  The kernel does not count it.

    False where TCP_REPAIR is on: somebody saves or restores the connection just now.  Raises
    PermissionError without CAP_NET_ADMIN in the namespace of the socket.
    """
    if tcp.getsockopt(socket.IPPROTO_TCP, TCP_REPAIR):
        return False
    reuse = tcp.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)
    tcp.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 0)
    if reuse:  # the kernel has cleared it, and no server could be started anew beside this socket
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
    return True


def acknowledge(tcp: socket.socket) -> None:
    """Send the acknowledgement that the kernel holds back for a moment, if it does (TCP_QUICKACK).

    1 would have it hold back none for a while; an even number has it send this one, and go on
    holding back (tcp_sock_set_quickack in net/ipv4/tcp.c).
    """
    quick = tcp.getsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK)
    tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1 if quick else 2)


def fire_timer(tcp: socket.socket) -> None:
    """Have the kernel's own keepalive timer send a probe, and count it.

    The socket must have been quiet for `LEAST_IDLE`.  Its TCP_KEEPIDLE is one second afterwards.
    """
    tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)


def give_up(tcp: socket.socket) -> None:
    """Make the kernel end a connection whose timer has fired without an answer: ETIMEDOUT.

    It tells the peer by a RST, as it always does.
    """
    tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1)
    fire_timer(tcp)


def give_up_window(tcp: socket.socket) -> None:
    """Have the kernel end a connection without room when its persist timer fires next: ETIMEDOUT.

    Nothing makes that timer fire sooner.  The peer hears nothing, as always.
    """
    tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1)


def restore_idle(tcp: socket.socket, idle: int) -> None:
    """Set TCP_KEEPIDLE (nanoseconds) back after `fire_timer`; the timer runs on from now.

    Not if the application has set another one meanwhile.
    """
    if tcp.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 1:
        tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, idle // SECOND)


def restore_user_timeout(tcp: socket.socket, timeout: int) -> None:
    """Set TCP_USER_TIMEOUT (nanoseconds) back after `give_up_window`."""
    tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, timeout * 1000 // SECOND)
