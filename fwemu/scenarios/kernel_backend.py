"""The kernel's own connection tracking as a backend: the same packets, judged by nf_conntrack.

A namespace forwards between two TUN devices, inside and outside; no host is behind them, so that
nothing happens but what is put in.  Its rules are the usual ones, which the profile
`linux-conntrack` stands for: what belongs to a connection passes, new ones pass from the inside,
the rest is dropped.  Time is virtual: a pause takes its length off the timer of every entry.
"""

from __future__ import annotations

import itertools
import os
from struct import pack_into, unpack_from
from typing import Final

from fwemu.core.flow import ICMP, ICMPV6, UDP, Flow, Zone, flow_of
from fwemu.core.instants import SECOND
from fwemu.core.packet import Kind, Malformed, Packet, locate, parse
from fwemu.core.tcp_table import State
from fwemu.daemon import needs
from fwemu.errors import MissingError
from fwemu.scenarios.backend import PacketOutcome, WaitOutcome
from fwemu.scenarios.segments import without_hops
from netns import DeviceMissing, Namespace, Network, ToolFailed, ToolMissing, nft, sysctl
from netns.conntrack import Conntrack, Entry, Tuple
from netns.tun import Tun

ADDRESSES: Final = {
    Zone.INSIDE: ("10.0.1.1/24", "fd00:1::1/64"),
    Zone.OUTSIDE: ("10.0.2.1/24", "fd00:2::1/64"),
}
"""Addresses of the namespace; the rest of these networks is routed to the device of the zone."""

_RULES: Final = """
table inet usual {
    chain forward {
        type filter hook forward priority filter; policy drop;
        ct state invalid drop
        ct state established,related accept
        iifname "inside" ct state new accept
    }
}
"""

_SYSCTLS: Final = {
    "net.ipv4.ip_forward": 1,
    "net.ipv6.conf.all.forwarding": 1,
    # the engine verifies no checksums, and packets of stories need not have right ones
    "net.netfilter.nf_conntrack_checksum": 0,
}

_NUMBERS: Final = itertools.count()


class KernelBackend:
    """nf_conntrack in a namespace of its own, which goes when the backend is closed.

    `loose` and `liberal` are tcp_loose and tcp_be_liberal.  Raises NetnsError, or MissingError
    where nft is not there.
    """

    def __init__(self, *, loose: bool = True, liberal: bool = False) -> None:
        self._network = Network()
        self._known: dict[Tuple, None] = {}
        """Tuples of all packets sent: asking for these is 100 times as quick as listing every
        entry of the machine."""
        try:
            self._build(loose, liberal)
        except BaseException:
            self._network.close()
            raise

    def _build(self, loose: bool, liberal: bool) -> None:
        namespace = self._network.namespace(f"fwemu-parity-{os.getpid()}-{next(_NUMBERS)}")
        self._tuns: dict[Zone, Tun] = {}
        for zone, addresses in ADDRESSES.items():
            try:
                tun = self._tuns[zone] = Tun(namespace, zone.word, addresses)
            except DeviceMissing as error:
                raise needs.TUN.missing() from error
            self._network.on_close(tun.close)
        self.table = Conntrack(namespace)
        self._network.on_close(self.table.close)
        _load(namespace)
        for name, value in _SYSCTLS.items():
            sysctl(namespace, name, value)
        sysctl(namespace, "net.netfilter.nf_conntrack_tcp_loose", int(loose))
        sysctl(namespace, "net.netfilter.nf_conntrack_tcp_be_liberal", int(liberal))

    def put(self, packet: bytes, arrival: Zone) -> PacketOutcome:
        """Send a packet from a zone; the checksum of an IPv4 header is filled in."""
        if packet[:1] and packet[0] >> 4 == 4:
            packet = _with_checksum(packet)
        self._tuns[arrival].write(packet)
        passed, injected = False, []
        for zone, tun in self._tuns.items():
            while (sent := tun.read()) is not None:
                if _is_chatter(sent):
                    continue
                if zone is not arrival and without_hops(sent) == without_hops(packet):
                    passed = True
                else:
                    injected.append((zone, sent))
        entry = self.entry_of(packet)
        return PacketOutcome(passed, None, state_of_entry(entry), tuple(injected))

    def wait(self, nanoseconds: int) -> WaitOutcome:
        """Let time pass, in whole seconds: ctnetlink has no smaller unit for timers."""
        seconds = nanoseconds // SECOND
        for entry in self.entries():
            if entry.remaining > seconds:
                self.table.set_remaining(entry.original, entry.remaining - seconds)
            else:
                self.table.delete(entry.original)
        return WaitOutcome((), None)

    def flush(self) -> None:
        """Delete the entries of all packets sent."""
        self.table.flush()
        self._known.clear()

    def close(self) -> None:
        """Remove the namespace and all in it."""
        self._network.close()

    def entries(self) -> list[Entry]:
        """The kernel's entries of the packets sent, each session once."""
        found = (self.table.get(name) for name in self._known)
        return list({entry.original: entry for entry in found if entry is not None}.values())

    def entry_of(self, packet: bytes) -> Entry | None:
        """The kernel's entry for a packet, or for the packet that an ICMP error quotes."""
        name = tuple_of(packet)
        if name is None:
            return None
        self._known[name] = None
        return self.table.get(name)


def state_of_entry(entry: Entry | None) -> str | None:
    """The name of the state of an entry in the words of the core."""
    if entry is None:
        return None
    if entry.tcp_state is not None:
        return State(entry.tcp_state).name
    if entry.original.protocol == UDP:
        return (State.UDP_REPLIED if entry.is_replied else State.UDP_UNREPLIED).name
    queries = (ICMP, ICMPV6)
    return (State.ICMP if entry.original.protocol in queries else State.OTHER).name


def tuple_of(packet: bytes) -> Tuple | None:
    """The conntrack tuple of a packet, or of the packet that an ICMP error quotes."""
    parsed = parse(packet)
    if not isinstance(parsed, Packet):
        return None
    if parsed.kind is Kind.ERROR:
        return None if parsed.quoted is None else _tuple_of_flow(flow_of(*parsed.quoted))
    found = _tuple_of_flow(flow_of(parsed.protocol, parsed.key))
    if parsed.protocol not in _PORTS_UNKNOWN_TO_US:
        return found
    place = locate(packet)
    assert not isinstance(place, Malformed)
    if len(packet) < place.start + 4:
        return None
    first, second = unpack_from("!HH", packet, place.start)
    return found._replace(first=first, second=second)


_PORTS_UNKNOWN_TO_US: Final = frozenset({132, 136})
"""SCTP and UDP-Lite: the kernel tracks them by ports, the engine by addresses."""


def _tuple_of_flow(flow: Flow) -> Tuple:
    protocol, source, port, destination, to_port = flow
    if protocol in (ICMP, ICMPV6):
        return Tuple(protocol, source, destination, port, to_port << 8)
    return Tuple(protocol, source, destination, port, to_port)


def _is_chatter(packet: bytes) -> bool:
    """True for IPv6 multicast, which the kernel sends by itself (neighbour discovery, MLD)."""
    return packet[0] >> 4 == 6 and packet[24] == 0xFF


def _with_checksum(packet: bytes) -> bytes:
    """Fill in the checksum of an IPv4 header (RFC 1071); Linux drops packets with a wrong one."""
    length = (packet[0] & 0x0F) * 4
    if len(packet) < length:
        return packet
    changed = bytearray(packet)
    changed[10:12] = b"\0\0"
    total = sum(unpack_from(f"!{length // 2}H", changed))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    pack_into("!H", changed, 10, total ^ 0xFFFF)
    return bytes(changed)


def _load(namespace: Namespace) -> None:
    try:
        nft.load(namespace, _RULES)
    except ToolMissing as error:
        raise MissingError(
            "nft is not installed, and without it the kernel's connection tracking cannot be "
            "asked: apt-get install nftables"
        ) from error
    except ToolFailed as error:
        raise MissingError(f"rules with `ct state` are refused here: {error}") from error
