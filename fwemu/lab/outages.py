"""Hosts that are cut off or lose their power, without a word to anybody.

The cable of a host is cut at both of its ends: what arrives there is thrown away before anything
else sees it (an nft chain at `ingress`).  No interface goes down, for that would take IPv6
addresses and routes along, and no send fails: as with a cable that is pulled behind a switch.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from fwemu.errors import MissingError, NamespaceError
from netns import Namespace, ToolFailed, ToolMissing, nft, stop_all_in
from netns.vanish import can_vanish, vanish

_TABLE: Final = "fwemu_cable"


class Outage(Enum):
    """The outage of a host.  The value is its text in messages."""

    NONE = "on"
    UNPLUGGED = "unplugged"
    OFF = "off"


@dataclass(frozen=True)
class CableEnd:
    """An interface at one end of a cable."""

    namespace: Namespace
    interface: str


class Power:
    """The cable and the power of one host."""

    def __init__(self, host: str, near: CableEnd, far: CableEnd) -> None:
        self._host = host
        self._namespace = near.namespace
        self._ends = (near, far)
        self.outage = Outage.NONE

    def unplug(self) -> None:
        """Nothing arrives any more and nothing leaves; harmless if that is so already."""
        if self.outage is Outage.NONE:
            self._cut()
            self.outage = Outage.UNPLUGGED

    def plug_in(self) -> None:
        """The cable is in again; harmless if it was not out."""
        if self.outage is Outage.OFF:
            raise NamespaceError(f"{self._host} is off: power_on({self._host!r}) comes first")
        self._join()

    def off(self) -> None:
        """Cut the power: processes and TCP sockets are gone, and the peers hear nothing.

        TCP sockets that the calling process has made there end as well (ECONNABORTED).
        """
        if not can_vanish(self._namespace):
            raise MissingError(
                f"power_off({self._host!r}): this kernel cannot end sockets "
                "(CONFIG_INET_DIAG_DESTROY): use unplug, or another kernel"
            )
        self.unplug()
        self.outage = Outage.OFF
        stop_all_in(self._namespace, grace=0)
        vanish(self._namespace)

    def on(self) -> None:
        """Restore the power: the host has no sockets, and runs nothing until told to."""
        if self.outage is not Outage.OFF:
            raise NamespaceError(f"{self._host} is not off, it is {self.outage.value}")
        vanish(self._namespace)  # what a test may have opened there meanwhile
        self.outage = Outage.UNPLUGGED
        self._join()

    def _cut(self) -> None:
        for end in self._ends:
            hook = f'type filter hook ingress device "{end.interface}" priority -500'
            chain = f"chain {end.interface} {{ {hook}; policy drop; }}"
            _nft(end.namespace, f"table netdev {_TABLE} {{ {chain}; }}")

    def _join(self) -> None:
        if self.outage is Outage.NONE:
            return
        for end in self._ends:
            _nft(end.namespace, f"delete chain netdev {_TABLE} {end.interface}")
        self.outage = Outage.NONE


def _nft(namespace: Namespace, text: str) -> None:
    try:
        nft.load(namespace, text)
    except ToolMissing as error:
        raise MissingError(
            "nft is not installed, and a cable is pulled with it: apt-get install nftables"
        ) from error
    except ToolFailed as error:
        raise NamespaceError(f"{namespace.name}: the cable cannot be pulled: {error}") from error
