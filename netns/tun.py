"""A TUN device: this program is the other end of an interface.

What is written to it is a packet that arrives on the interface, what is read from it is one that
the kernel sent out there.  Writing is synchronous: when `write` returns, the kernel has forwarded
the packet to another device or has dropped it (tun_get_user in drivers/net/tun.c), so that nobody
has to wait in order to see what became of it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from netns.errors import DeviceMissing, LinkError, NotPermitted, translated
from netns.links import configure
from netns.namespace import Namespace

_DEVICE: Final = "/dev/net/tun"
_TUNSETIFF: Final = 0x400454CA  # include/uapi/linux/if_tun.h
_IFF_TUN: Final = 0x0001
_IFF_NO_PI: Final = 0x1000

WAY_OUT: Final = (
    "modprobe tun, mkdir -p /dev/net && mknod -m 666 /dev/net/tun c 10 200, "
    "or in a container add --device /dev/net/tun"
)
"""How a machine gets the device."""

LARGEST: Final = 65535
"""Octets of a packet, at the most."""

_NO_LINK_LOCAL: Final = 1  # IN6_ADDR_GEN_MODE_NONE, include/uapi/linux/if_link.h


class Tun:
    """A TUN device `name` in a namespace; this object reads and writes its packets.

    The interface is up, takes the largest packets, has the addresses given and no link-local one,
    so that the kernel itself says little on it.  It goes when the object is closed.  Raises
    LinkError or NotPermitted.
    """

    def __init__(self, ns: Namespace, name: str, addresses: Iterable[str] = ()) -> None:
        self.name = name
        self._descriptor = ns.run(lambda: _open(name))
        try:
            configure(ns, name, addresses=addresses, mtu=LARGEST)
        except BaseException:
            self.close()
            raise

    def write(self, packet: bytes) -> None:
        """A packet arrives; OSError (EINVAL) if it begins like neither IPv4 nor IPv6."""
        os.write(self._descriptor, packet)

    def read(self) -> bytes | None:
        """The next packet that was sent out here; None if there is none."""
        try:
            return os.read(self._descriptor, LARGEST)
        except BlockingIOError:
            return None

    def close(self) -> None:
        """Remove the interface; twice does no harm."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def _open(name: str) -> int:
    with translated(f"create the TUN device {name}", LinkError):
        try:
            descriptor = os.open(_DEVICE, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENXIO, errno.ENODEV):
                raise DeviceMissing(f"there is no {_DEVICE}: {WAY_OUT}") from error
            if not isinstance(error, PermissionError):
                raise
            # most machines have it open to everybody (50-udev-default.rules of systemd)
            raise NotPermitted(
                f"cannot open {_DEVICE}, which only its owner may: sudo chmod 666 {_DEVICE}"
            ) from error
        try:
            request = struct.pack("16sH22x", name.encode(), _IFF_TUN | _IFF_NO_PI)
            fcntl.ioctl(descriptor, _TUNSETIFF, request)
            with suppress(FileNotFoundError):  # a kernel without IPv6
                Path(f"/proc/sys/net/ipv6/conf/{name}/addr_gen_mode").write_text(
                    str(_NO_LINK_LOCAL)
                )
        except BaseException:
            os.close(descriptor)
            raise
    return descriptor
