"""Interfaces, addresses, routes and sysctls of a namespace.

Every function takes the namespace first, works from wherever it is called (also under a running
event loop) and leaves the calling thread where it was.  Each call costs one short thread and one
netlink socket, about 1.5 ms; `configure` does several things at the price of one.

All raise LinkError with the kernel's reason, NotPermitted, or NoSuchNamespace.
Owning and removing what was made is in `network.py`.
"""

from __future__ import annotations

import ctypes
import difflib
import fcntl
import ipaddress
import os
import socket
import struct
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from netns.errors import LinkError, explained
from netns.namespace import Namespace
from netns.rtnl import listed, with_route_socket

LONGEST_NAME: Final = 15  # IFNAMSIZ less the final zero, include/uapi/linux/if.h

_IFF_UP: Final = 1  # include/uapi/linux/if.h
_IFA_F_NODAD: Final = 2  # include/uapi/linux/if_addr.h
_IFA_F_TENTATIVE: Final = 0x40
_SIOCETHTOOL: Final = 0x8946  # include/uapi/linux/sockios.h
_ETHTOOL_GLINK: Final = 0x0A  # include/uapi/linux/ethtool.h
_POLL: Final = 0.0005  # seconds between two looks at addresses that become usable
_ARPHRD_LOOPBACK: Final = 772  # include/uapi/linux/if_arp.h
_RTN_UNICAST: Final = 1  # include/uapi/linux/rtnetlink.h
_MAIN_TABLE: Final = 254  # RT_TABLE_MAIN


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Interface:
    """An interface as the kernel describes it."""

    index: int
    name: str
    kind: str
    """As `ip -d link` says ("veth", "bridge"); "loopback"; "device" for a real one."""
    is_up: bool
    mtu: int
    """Bytes."""
    addresses: tuple[str, ...]
    """With prefix length, as in "10.0.0.1/24"; IPv4 first."""


def veth(
    a: Namespace,
    a_name: str,
    b: Namespace,
    b_name: str,
    mtu: int | None = None,
    *,
    on_made: Callable[[], object] = _nothing,
) -> None:
    """Make a veth pair: packets into one end come out of the other.  Both ends are down.

    IPv6 addresses on it skip duplicate address detection, for nobody is there to clash with.
    `a` and `b` may be the same namespace.  The pair goes when either end is deleted or either
    namespace ends.  `on_made` is called as soon as it exists; Ctrl-C cannot come between.
    """
    action = f"create the veth pair {a.name}/{a_name} - {b.name}/{b_name}"
    _check_name(a_name)
    _check_name(b_name)
    other = b.open()
    settings: dict[str, Any] = {} if mtu is None else {"mtu": mtu}
    peer = {"ifname": b_name, "net_ns_fd": other, **settings}

    def work(route: Any) -> None:
        route.link("add", ifname=a_name, kind="veth", peer=peer, **settings)
        on_made()
        _skip_duplicate_address_detection(a_name)

    try:
        with_route_socket(a, action, work)
    finally:
        os.close(other)
    b.run(lambda: _skip_duplicate_address_detection(b_name))


def bridge(ns: Namespace, name: str, *, on_made: Callable[[], object] = _nothing) -> None:
    """A switch without spanning tree, up: `attach` interfaces and they talk at once.

    `on_made` is called as soon as it exists; Ctrl-C cannot come between.
    """
    _check_name(name)

    def work(route: Any) -> None:
        route.link("add", ifname=name, kind="bridge", br_stp_state=0)
        on_made()
        _skip_duplicate_address_detection(name)
        route.link("set", index=_index(name), state="up")

    with_route_socket(ns, f"create the bridge {name}", work)


def attach(ns: Namespace, bridge: str, member: str) -> None:
    """Plug `member` into the bridge and bring it up."""

    def work(route: Any) -> None:
        route.link("set", index=_index(member), master=_index(bridge), state="up")

    with_route_socket(ns, f"attach {member} to the bridge {bridge}", work)


def delete_link(ns: Namespace, ifname: str, *, missing_ok: bool = False) -> None:
    """Delete an interface (of a veth pair: both ends) at once."""

    def work(route: Any) -> None:
        if missing_ok and not _is_there(ifname):
            return
        route.link("del", index=_index(ifname))

    with_route_socket(ns, f"delete {ifname}", work)


def configure(
    ns: Namespace,
    ifname: str,
    *,
    addresses: Iterable[str] = (),
    mtu: int | None = None,
    up: bool = True,
) -> None:
    """Set the MTU (bytes), add the addresses, and bring the interface up: one round trip."""
    wanted = [_interface_address(address) for address in addresses]

    def work(route: Any) -> None:
        index = _index(ifname)
        if mtu is not None:
            route.link("set", index=index, mtu=mtu)
        for address in wanted:
            _add_address(route, index, address)
        if up:
            route.link("set", index=index, state="up")

    with_route_socket(ns, f"configure {ifname}", work)


def add_address(ns: Namespace, ifname: str, address: str) -> None:
    """Add "10.0.0.1/24" or "fd00::1/64"; without a prefix length it is that host alone.

    IPv6 addresses skip duplicate address detection, so that they can be used at once and not a
    second later.
    """
    wanted = _interface_address(address)
    with_route_socket(
        ns,
        f"add {address} to {ifname}",
        lambda route: _add_address(route, _index(ifname), wanted),
    )


def up(ns: Namespace, ifname: str) -> None:
    """Bring the interface up.  A veth carries packets once both ends are; see `settle`."""
    with_route_socket(
        ns,
        f"bring {ifname} up",
        lambda route: route.link("set", index=_index(ifname), state="up"),
    )


def settle(ns: Namespace, timeout: float = 3.0) -> None:
    """Return when the interfaces can be used, IPv6 included; call it when both ends are up.

    The kernel learns that a link has a carrier, and then gives it a link-local address, some
    time after the interfaces are up.  A router without one solicits no neighbours, so that a
    connection through it made too early takes a second longer.  Addresses that duplicate
    address detection still looks at are waited for; raises LinkError after `timeout` seconds.
    """

    def inside() -> list[str]:
        deadline = time.monotonic() + timeout
        while True:
            _process_carrier_changes()
            tentative = _tentative_addresses()
            if not tentative or time.monotonic() >= deadline:
                return tentative
            time.sleep(_POLL)

    tentative = ns.run(inside)
    if tentative:
        raise LinkError(
            f"in namespace {ns.name!r} the kernel still looks for duplicates of "
            f"{', '.join(tentative)} after {timeout:g} s"
        )


def down(ns: Namespace, ifname: str) -> None:
    """Take the interface down: its routes go, and so do its IPv6 addresses."""
    with_route_socket(
        ns,
        f"take {ifname} down",
        lambda route: route.link("set", index=_index(ifname), state="down"),
    )


def add_route(
    ns: Namespace,
    dst: str,
    via: str | None = None,
    *,
    ifname: str | None = None,
    metric: int | None = None,
) -> None:
    """Send `dst` ("10.0.2.0/24", "fd00:2::/64" or "default") to a gateway, an interface or both.

    "default" is of the gateway's address family, IPv4 when there is only an interface.
    """
    if via is None and ifname is None:
        raise ValueError(f"the route to {dst} needs a gateway, an interface or both")
    gateway = None if via is None else ipaddress.ip_address(via)
    if dst == "default":
        version = 4 if gateway is None else gateway.version
        network = ipaddress.ip_network("::/0" if version == 6 else "0.0.0.0/0")
    else:
        network = ipaddress.ip_network(dst)

    settings: dict[str, Any] = {"family": _family(network.version), "dst": str(network)}
    if gateway is not None:
        settings["gateway"] = str(gateway)
    if metric is not None:
        settings["priority"] = metric

    def work(route: Any) -> None:
        if ifname is not None:
            settings["oif"] = _index(ifname)
        route.route("add", **settings)

    towards = " ".join(([f"via {via}"] if via else []) + ([f"dev {ifname}"] if ifname else []))
    with_route_socket(ns, f"add the route to {dst} {towards}", work)


def interfaces(ns: Namespace) -> list[Interface]:
    """Every interface of the namespace, by index."""

    def work(route: Any) -> list[Interface]:
        links = list(route.get_links())
        addresses: dict[int, list[str]] = {}
        for message in route.get_addr():
            # IFA_LOCAL is our own address on a point-to-point link; IPv6 has IFA_ADDRESS only.
            address = message.get("local") or message.get("address")
            addresses.setdefault(message["index"], []).append(f"{address}/{message['prefixlen']}")
        found = [
            Interface(
                index=link["index"],
                name=link.get("ifname"),
                kind=_kind(link),
                is_up=bool(link["flags"] & _IFF_UP),
                mtu=link.get("mtu"),
                addresses=tuple(sorted(addresses.get(link["index"], []), key=lambda a: ":" in a)),
            )
            for link in links
        ]
        return sorted(found, key=lambda interface: interface.index)

    return listed(ns, "list the interfaces", work)


def default_route_interfaces(ns: Namespace) -> list[str]:
    """Names of the interfaces that default routes use: IPv4 first, the preferred one first."""

    def work(route: Any) -> list[str]:
        found: dict[str, None] = {}
        for family in (socket.AF_INET, socket.AF_INET6):
            routes = [
                message
                for message in route.get_default_routes(family=family, table=_MAIN_TABLE)
                if message["type"] == _RTN_UNICAST
            ]
            routes.sort(key=lambda message: message.get("priority") or 0)
            for message in routes:
                hops = message.get("multipath") or [message]
                for index in (hop.get("oif") for hop in hops):
                    if index:
                        found[socket.if_indextoname(index)] = None
        return list(found)

    return listed(ns, "list the default routes", work)


def sysctl(ns: Namespace, name: str, value: str | int | None = None) -> str:
    """Read a sysctl such as "net.ipv4.ip_forward"; with a value, write it first.

    Only `net.*` settings, for no other belongs to a network namespace.  Where an interface name
    has a dot, separate with slashes instead: "net/ipv4/conf/eth0.5/forwarding".
    """
    relative = name if "/" in name else name.replace(".", "/")
    path = Path("/proc/sys") / relative
    if path.parts[3:4] != ("net",) or ".." in path.parts:
        raise ValueError(f"{name!r} is not a setting of a network namespace (net.*)")

    def inside() -> str:
        # Which namespace /proc/sys/net shows depends on the thread that opens it.
        if value is not None:
            path.write_text(str(value))
        return path.read_text().strip()

    try:
        return ns.run(inside)
    except FileNotFoundError:
        raise LinkError(
            f"namespace {ns.name!r} has no setting {name}: there is no {path}"
        ) from None
    except OSError as error:
        verb = "read" if value is None else f"write {value!r} to"
        raise explained(error, f"{verb} {name} in namespace {ns.name!r}", LinkError) from error


def _check_name(ifname: str) -> None:
    if not ifname or len(ifname.encode()) > LONGEST_NAME:
        raise LinkError(
            f"{ifname!r} cannot name an interface: it has {len(ifname.encode())} bytes, "
            f"the kernel takes 1 to {LONGEST_NAME}"
        )
    if ifname in (".", "..") or "/" in ifname or ":" in ifname or any(map(str.isspace, ifname)):
        raise LinkError(f"{ifname!r} cannot name an interface: no blanks, no '/' and no ':'")


def _skip_duplicate_address_detection(ifname: str) -> None:
    """Let link-local addresses be usable at once (others: `_add_address`)."""
    with suppress(FileNotFoundError):  # a kernel without IPv6
        Path(f"/proc/sys/net/ipv6/conf/{ifname}/accept_dad").write_text("0")


def _process_carrier_changes() -> None:
    """Make the kernel handle pending carrier events now (linkwatch_sync_dev).

    Asking for the link state does that; otherwise a work queue does, a little later.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for _, name in socket.if_nameindex():
            question = ctypes.create_string_buffer(struct.pack("II", _ETHTOOL_GLINK, 0))
            request = struct.pack("16sP16x", name.encode(), ctypes.addressof(question))
            with suppress(OSError):  # lo and some others have no ethtool
                fcntl.ioctl(any_socket, _SIOCETHTOOL, request)


def _tentative_addresses() -> list[str]:
    try:
        lines = Path("/proc/thread-self/net/if_inet6").read_text().splitlines()
    except FileNotFoundError:  # a kernel without IPv6
        return []
    rows = [line.split() for line in lines]
    return [
        f"{ipaddress.IPv6Address(int(address, 16))} on {ifname}"
        for address, _, _, _, flags, ifname in rows
        if int(flags, 16) & _IFA_F_TENTATIVE
    ]


def _is_there(ifname: str) -> bool:
    return any(name == ifname for _, name in socket.if_nameindex())


def _index(ifname: str) -> int:
    """The index in the calling thread's namespace: an ioctl, ten times quicker than netlink."""
    try:
        return socket.if_nametoindex(ifname)
    except OSError:
        there = [name for _, name in socket.if_nameindex()]
        alike = difflib.get_close_matches(ifname, there, n=1)
        hint = f"did you mean {alike[0]}?" if alike else f"there are: {', '.join(there)}"
        raise LinkError(f"no interface is named {ifname!r} here; {hint}") from None


def _interface_address(address: str) -> ipaddress.IPv4Interface | ipaddress.IPv6Interface:
    try:
        return ipaddress.ip_interface(address)
    except ValueError as error:
        raise LinkError(f"{address!r} is not an address such as 10.0.0.1/24: {error}") from None


def _add_address(
    route: Any, index: int, address: ipaddress.IPv4Interface | ipaddress.IPv6Interface
) -> None:
    settings: dict[str, Any] = {"flags": _IFA_F_NODAD} if address.version == 6 else {}
    route.addr(
        "add",
        index=index,
        family=_family(address.version),
        address=str(address.ip),
        prefixlen=address.network.prefixlen,
        **settings,
    )


def _family(version: int) -> int:
    return socket.AF_INET6 if version == 6 else socket.AF_INET


def _kind(link: Any) -> str:
    kind = link.get(("linkinfo", "kind"))
    if kind:
        return str(kind)
    return "loopback" if link["ifi_type"] == _ARPHRD_LOOPBACK else "device"
