"""Packets of the firewall's own: the RST, the keepalive probe, the ICMP error of a rejection.

They are whole IP packets with right checksums.  RFC 9293 section 3.10.7.1 gives the numbers of a
RST for a segment without a connection; a receiver believes a RST with exactly the sequence number
that it expects next (RFC 5961 section 3.2).
"""

from __future__ import annotations

from struct import Struct, unpack
from typing import Final

from fwemu.core.choices import ResetNumbers
from fwemu.core.flow import ICMP, ICMPV6, TCP, Direction, Flow
from fwemu.core.packet import Packet, flow_of_packet
from fwemu.core.seq import MASK
from fwemu.core.session import Session
from fwemu.core.tcp_table import ACK, RST, Segment

_IPV4: Final = Struct("!BBHHHBBH4s4s")
_IPV6: Final = Struct("!IHBB16s16s")
_TCP: Final = Struct("!HHIIBBHHH")
_ICMP: Final = Struct("!BBHI")

_PROHIBITED: Final = {4: (ICMP, 3, 13), 6: (ICMPV6, 1, 1)}
"""Protocol, type and code of "communication administratively prohibited" (RFC 1812, RFC 4443)."""

_QUOTE: Final = {4: 548, 6: 1232}
"""Octets of the offending packet that an error may quote (RFC 1812 4.3.2.3, RFC 4443 2.4)."""


def checksum(data: bytes) -> int:
    """The internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def reset_for(packet: Packet, ttl: int) -> bytes:
    """The RST that a host without this connection would send back for a segment.

    If the segment has an ACK, the RST takes its sequence number from there; a SYN, which has none,
    is acknowledged with everything it holds.
    """
    flow = flow_of_packet(packet)
    back = (flow.destination, flow.source, flow.destination_port, flow.source_port)
    if packet.segment is Segment.SYN:
        return _tcp(ttl, *back, seq=0, ack=packet.seq_end, flags=RST | ACK)
    return _tcp(ttl, *back, seq=packet.ack, ack=0, flags=RST)


def reset_of(
    session: Session, toward: Direction, ttl: int, numbers: ResetNumbers = ResetNumbers.EXACT
) -> bytes | None:
    """The RST that ends a session at the end which sends in direction `toward`.

    It seems to come from the other end.  An end that has only sent its SYN believes a RST by its
    acknowledgement (RFC 9293 section 3.10.7.3).  None if no number is known that it would believe.
    """
    assert session.tcp is not None
    receiver, sender = session.tcp.ends[toward], session.tcp.ends[1 - toward]
    path = _path_toward(session, toward)
    if numbers is ResetNumbers.STALE and sender.first is not None:
        return _tcp(ttl, *path, seq=sender.first, ack=receiver.first or 0, flags=RST | ACK)
    if receiver.acked is not None:
        return _tcp(ttl, *path, seq=receiver.acked, ack=receiver.next or 0, flags=RST | ACK)
    if receiver.next is not None:
        return _tcp(ttl, *path, seq=0, ack=receiver.next, flags=RST | ACK)
    if sender.next is not None:
        return _tcp(ttl, *path, seq=sender.next, ack=0, flags=RST)
    return None


def probe_of(session: Session, toward: Direction, ttl: int) -> bytes | None:
    """The keepalive probe that asks the end which sends in direction `toward`.

    It seems to come from the other end: an ACK one below the number expected, which a living end
    answers at once (RFC 9293 section 3.8.4).  None if that number is not known.
    """
    assert session.tcp is not None
    receiver, sender = session.tcp.ends[toward], session.tcp.ends[1 - toward]
    if receiver.acked is None or receiver.next is None:
        return None
    return _tcp(
        ttl,
        *_path_toward(session, toward),
        seq=receiver.acked - 1 & MASK,
        ack=receiver.next,
        flags=ACK,
        window=max(1, min(sender.window >> sender.scale, 0xFFFF)),
    )


def _path_toward(session: Session, toward: Direction) -> tuple[bytes, bytes, int, int]:
    """Addresses and ports of what the other end sends to the end that sends in this direction."""
    flow = session.flow
    ends = (flow.source, flow.source_port), (flow.destination, flow.destination_port)
    (here, port), (peer, peer_port) = ends if toward is Direction.ORIGINAL else reversed(ends)
    return peer, here, peer_port, port


def rejection_of(data: bytes, flow: Flow, source: bytes | None, ttl: int) -> bytes:
    """The ICMP error that refuses a packet; sent by `source`, else as if by its destination."""
    sender, destination = flow.source, flow.destination
    version = 4 if len(sender) == 4 else 6
    protocol, icmp_type, code = _PROHIBITED[version]
    quote = data[: _QUOTE[version]]
    body = _ICMP.pack(icmp_type, code, 0, 0) + quote
    own = source or destination
    covered = body if version == 4 else _pseudo_header(own, sender, protocol, len(body)) + body
    body = _ICMP.pack(icmp_type, code, checksum(covered), 0) + quote
    return _ip(ttl, own, sender, protocol, body)


def _tcp(
    ttl: int,
    source: bytes,
    destination: bytes,
    source_port: int,
    port: int,
    *,
    seq: int,
    ack: int,
    flags: int,
    window: int = 0,
) -> bytes:
    def header(value: int) -> bytes:
        return _TCP.pack(source_port, port, seq, ack, 5 << 4, flags, window, value, 0)

    covered = _pseudo_header(source, destination, TCP, _TCP.size) + header(0)
    return _ip(ttl, source, destination, TCP, header(checksum(covered)))


def _pseudo_header(source: bytes, destination: bytes, protocol: int, length: int) -> bytes:
    # RFC 9293 section 3.1 for IPv4, RFC 8200 section 8.1 for IPv6
    if len(source) == 4:
        return source + destination + bytes((0, protocol)) + length.to_bytes(2, "big")
    return source + destination + length.to_bytes(4, "big") + bytes((0, 0, 0, protocol))


def _ip(ttl: int, source: bytes, destination: bytes, protocol: int, body: bytes) -> bytes:
    if len(source) == 16:
        return _IPV6.pack(6 << 28, len(body), protocol, ttl, source, destination) + body
    fields = (0x45, 0, 20 + len(body), 0, 0, ttl, protocol)
    header = _IPV4.pack(
        *fields, checksum(_IPV4.pack(*fields, 0, source, destination)), source, destination
    )
    return header + body
