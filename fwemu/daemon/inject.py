"""Sends the packets that the firewall makes itself, through raw sockets of its namespace.

They leave by OUTPUT, not FORWARD: they are not queued again.
"""

from __future__ import annotations

import ipaddress
import socket

from fwemu.daemon.needs import PRIVILEGES


class Injector:
    """Raw sockets for both IP versions, opened in the network namespace of the calling thread."""

    def __init__(self) -> None:
        try:
            self._ipv4 = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        except PermissionError as error:
            raise PRIVILEGES.missing() from error
        try:
            self._ipv6: socket.socket | None = socket.socket(
                socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW
            )
        except OSError:  # a kernel without IPv6 forwards none either
            self._ipv6 = None
        self.failures = 0
        """Packets that the kernel would not send: no route, interface down."""

    def send(self, packet: bytes) -> bool:
        """Send a whole IP packet to its destination address; False if the kernel would not."""
        try:
            if packet[0] >> 4 == 4:
                destination = str(ipaddress.IPv4Address(packet[16:20]))
                self._ipv4.sendto(packet, (destination, 0))
            elif self._ipv6 is not None:
                destination = str(ipaddress.IPv6Address(packet[24:40]))
                self._ipv6.sendto(packet, (destination, 0))
            else:
                return False
        except OSError:
            self.failures += 1
            return False
        return True

    def close(self) -> None:
        """Close the sockets."""
        self._ipv4.close()
        if self._ipv6 is not None:
            self._ipv6.close()
