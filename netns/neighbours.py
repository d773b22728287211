"""Neighbours that are known beforehand: nobody asks for them, and nobody has to answer.

With them an interface without an address, and a host without a TCP/IP stack, can take part.
"""

from __future__ import annotations

import socket
from typing import Any, Final

from netns.namespace import Namespace
from netns.rtnl import with_route_socket

_NUD_PERMANENT: Final = 0x80  # include/uapi/linux/neighbour.h


def add_neighbour(ns: Namespace, ifname: str, address: str, hardware: str) -> None:
    """Know for good that `address` has the hardware address `hardware` ("02:00:00:00:00:01").

    Raises LinkError with the kernel's reason, NotPermitted, or NoSuchNamespace.
    """

    def work(route: Any) -> None:
        route.neigh(
            "add",
            dst=address,
            lladdr=hardware,
            ifindex=socket.if_nametoindex(ifname),
            state=_NUD_PERMANENT,
            family=socket.AF_INET6 if ":" in address else socket.AF_INET,
        )

    with_route_socket(ns, f"add the neighbour {address} to {ifname}", work)


def hardware_address(ns: Namespace, ifname: str) -> str:
    """The hardware address of an interface.  Raises OSError if there is none of that name."""
    with ns.enter(), socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0) as packets:
        packets.bind((ifname, 0))
        address: bytes = packets.getsockname()[4]
    return address.hex(":")
