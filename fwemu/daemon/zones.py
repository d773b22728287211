"""The zones of interfaces."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence

from fwemu.core.flow import Zone
from fwemu.errors import NamespaceError
from netns import Interface, Namespace, default_route_interfaces, interfaces


class Zones(dict[int, Zone]):
    """The zone of each interface, by its index.

    Interfaces that appear later are looked up by name; those that nobody named are outside, as
    what is not known is not trusted.
    """

    def __init__(self, namespace: Namespace, inside: Sequence[str], outside: Sequence[str]) -> None:
        super().__init__()
        self._namespace = namespace
        found = [interface for interface in interfaces(namespace) if interface.name != "lo"]
        self.guessed = not inside
        """True if no interface was named inside and the choice was ours."""
        self.inside = tuple(inside) or _guess_inside(namespace, found, outside)
        self.outside = tuple(outside) or tuple(
            interface.name for interface in found if interface.name not in self.inside
        )
        known = {interface.name for interface in found}
        for name in (*inside, *outside):
            if name not in known:
                raise NamespaceError(
                    f"{namespace.name}: no interface {name!r} (there are: {_listed(known)})"
                )
        self._take_in(found)
        self.addresses = _own_addresses(found, self.inside)

    def __missing__(self, index: int) -> Zone:
        self._take_in(interfaces(self._namespace))
        return self.setdefault(index, Zone.OUTSIDE)

    def _take_in(self, found: Iterable[Interface]) -> None:
        for interface in found:
            self[interface.index] = Zone.INSIDE if interface.name in self.inside else Zone.OUTSIDE


def _guess_inside(
    namespace: Namespace, found: Sequence[Interface], outside: Sequence[str]
) -> tuple[str, ...]:
    """The interface called `inside`; else all without the default route; else the first."""
    names = [interface.name for interface in found if interface.name not in outside]
    if outside:
        return tuple(names)
    if "inside" in names:
        return ("inside",)
    outward = default_route_interfaces(namespace)
    if any(name in outward for name in names):
        return tuple(name for name in names if name not in outward)
    return tuple(names[:1])


def _own_addresses(
    found: Iterable[Interface], inside: Sequence[str]
) -> dict[tuple[Zone, int], bytes]:
    """The firewall's first address towards each zone, by IP version."""
    own: dict[tuple[Zone, int], bytes] = {}
    for interface in found:
        zone = Zone.INSIDE if interface.name in inside else Zone.OUTSIDE
        for text in interface.addresses:
            address = ipaddress.ip_interface(text).ip
            if not address.is_link_local:
                own.setdefault((zone, address.version), address.packed)
    return own


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
