"""The client, the server and the firewall of stories, and their packets as bytes and as text.

The client is inside, the server outside, with addresses of both IP versions.  Each conversation has
its own client port.  Stories count from the first sequence numbers here; the client's is so close
to 2**32 that every story crosses the wrap-around.
"""

from __future__ import annotations

from struct import unpack_from
from typing import Final, NamedTuple

from fwemu.core.flow import ICMP, ICMPV6, TCP, UDP, Flow, Zone
from fwemu.core.packet import Malformed, locate
from fwemu.scenarios import segments
from fwemu.scenarios.segments import address
from fwemu.scenarios.story import Icmp, Number, Other, StoryPacket, Tcp, Udp

INSIDE, OUTSIDE = Zone.INSIDE, Zone.OUTSIDE

ADDRESS: Final = {
    (INSIDE, 4): address("10.0.1.2"),
    (OUTSIDE, 4): address("10.0.2.2"),
    (INSIDE, 6): address("fd00:1::2"),
    (OUTSIDE, 6): address("fd00:2::2"),
}
"""Addresses of the client (inside) and the server (outside)."""

FIREWALL: Final = {
    (INSIDE, 4): address("10.0.1.1"),
    (OUTSIDE, 4): address("10.0.2.1"),
    (INSIDE, 6): address("fd00:1::1"),
    (OUTSIDE, 6): address("fd00:2::1"),
}
"""Addresses of the firewall, towards each zone."""

ISN: Final = {INSIDE: 2**32 - 3, OUTSIDE: 7_000_000}
"""First sequence number of each end: number 0 of a story."""

_CLIENT_PORTS: Final = 40_000
_SERVER_PORT: Final = {TCP: 80, UDP: 53}
_TTL: Final = 64
_MODULUS: Final = 2**32


class Message(NamedTuple):
    """An ICMP message: type and code in both IP versions."""

    ipv4: tuple[int, int]
    ipv6: tuple[int, int]
    is_error: bool = True


MESSAGES: Final[dict[str, Message]] = {
    "echo_request": Message((8, 0), (128, 0), is_error=False),
    "echo_reply": Message((0, 0), (129, 0), is_error=False),
    "unreachable": Message((3, 1), (1, 3)),
    "port_unreachable": Message((3, 3), (1, 4)),
    "prohibited": Message((3, 13), (1, 1)),
    "too_big": Message((3, 4), (2, 0)),
    "time_exceeded": Message((11, 0), (3, 0)),
}
"""The messages of stories, by name (RFC 792, RFC 1812 section 5.2.7.1, RFC 4443)."""


def bytes_of(packet: StoryPacket, version: int, *, by_firewall: bool = False) -> bytes:
    """A packet of a story as a whole IP packet with checksums.

    `by_firewall`: an ICMP error comes from the firewall's address and quotes as much as it can.
    """
    source = ADDRESS[packet.origin, version]
    if by_firewall and isinstance(packet.body, Icmp):
        source = FIREWALL[packet.origin.other, version]
    destination = ADDRESS[packet.origin.other, version]
    protocol, body = _body(packet, version, by_firewall)
    ttl = _TTL if packet.ttl is None else packet.ttl
    whole = segments.with_checksums(segments.ip(source, destination, protocol, body, ttl=ttl))
    cut = packet.cut
    if cut is None:
        return whole
    body = whole[len(whole) - len(body) :]
    piece = cut.identification, cut.begin // 8, cut.end < len(body)
    return segments.with_checksums(
        segments.ip(
            source, destination, protocol, body[cut.begin : cut.end], fragment=piece, ttl=ttl
        )
    )


def _body(packet: StoryPacket, version: int, by_firewall: bool) -> tuple[int, bytes]:
    """The protocol number, and the octets after the IP header."""
    origin, body = packet.origin, packet.body
    if isinstance(body, Tcp):
        options = body.options
        if body.sack:
            isn = ISN[origin.other]
            options += segments.sack(*((isn + left, isn + right) for left, right in body.sack))
        numbers = _real(body.seq, origin), _real(body.ack, origin.other)
        data, ports = bytes(body.length), _ports(packet, TCP)
        return TCP, segments.tcp(
            *ports, body.flags, *numbers, data, options, body.window, body.urgent
        )
    if isinstance(body, Udp):
        return UDP, segments.udp(*_ports(packet, UDP), bytes(body.length))
    if isinstance(body, Other):
        return body.protocol, bytes(body.length)
    protocol = ICMP if version == 4 else ICMPV6
    message = MESSAGES[body.word]
    kind, code = message.ipv4 if version == 4 else message.ipv6
    if body.about is None:
        return protocol, segments.icmp(kind, body.identifier, bytes(8))
    quoted = bytes_of(body.about, version)
    if not by_firewall:
        quoted = segments.quotation(quoted)
    # where the MTU stands: RFC 1191 section 4, RFC 4443 section 3.2
    return protocol, segments.icmp(kind, 0, quoted, code, last=body.mtu)


def _ports(packet: StoryPacket, protocol: int) -> tuple[int, int]:
    """Source and destination port."""
    client, server = _CLIENT_PORTS + packet.conversation, _SERVER_PORT[protocol]
    return (client, server) if packet.origin is INSIDE else (server, client)


def _real(number: Number | None, sender: Zone) -> int:
    """A sequence number as in the header."""
    if number is None:
        return 0
    return number.value if number.is_absolute else (ISN[sender] + number.value) % _MODULUS


def conversation_of(flow: Flow) -> int:
    """The number of the conversation of a flow; 1 for protocols without ports."""
    if flow.protocol not in _SERVER_PORT:
        return 1
    return max(flow.source_port, flow.destination_port) - _CLIENT_PORTS


class Description(NamedTuple):
    """A packet in story notation, as detailed as packets are compared."""

    text: str
    ttl: int


def describe(data: bytes) -> Description:
    """Describe a packet from an end or the firewall in story notation, without windows."""
    place = locate(data)
    if isinstance(place, Malformed):
        return Description(f"{len(data)} octets that tell nothing: {data.hex()}", 0)
    ttl = data[8] if len(place.pair) == 8 else data[7]
    source, destination = place.pair[: len(place.pair) // 2], place.pair[len(place.pair) // 2 :]
    names = {packed: zone for (zone, _), packed in ADDRESS.items()}
    sender = names.get(source)
    if sender is None:  # then the firewall itself
        sender = names.get(destination, INSIDE).other
    body = data[place.start :]
    length = place.total - place.start
    if place.piece is not None:
        begin, octets = place.piece.offset, place.total - place.piece.begins
        text = f" fragment {begin}:{begin + octets} of protocol {place.protocol}"
    elif place.protocol == TCP:
        text = _describe_tcp(body, length, sender)
    elif place.protocol == UDP:
        text = f"{_number(body)}udp ({length - 8})"
    elif place.protocol in (ICMP, ICMPV6):
        text = _describe_icmp(body, place.protocol)
    else:
        text = f" proto {place.protocol} ({length})"
    arrow = ">" if sender is INSIDE else "<"
    known = (*ADDRESS.values(), *FIREWALL.values())
    strange = "" if source in known else " from a stranger"
    return Description(f"{arrow}{text}{strange}", ttl)


def _number(body: bytes) -> str:
    """The number of the conversation as notation writes it; the first has none."""
    number = max(unpack_from("!HH", body)) - _CLIENT_PORTS
    return " " if number == 1 else f"{number} "


def _describe_tcp(body: bytes, length: int, sender: Zone) -> str:
    if len(body) < 20:  # quoted, and no longer than that
        (seq,) = unpack_from("!I", body, 4)
        return f"{_number(body)}TCP {_relative(seq, sender)}"
    seq, ack, offset, bits = unpack_from("!IIBB", body, 4)
    flags = "".join(letter for letter, bit in segments.FLAGS.items() if bits & bit) or "-"
    octets = length - (offset >> 4) * 4
    first = _relative(seq, sender)
    last = f"={octets}" if first == "=0" else str(int(first) + octets)
    text = f"{_number(body)}{flags} {first}:{last}({octets})"
    return f"{text} ack {_relative(ack, sender.other)}" if "A" in flags else text


def _relative(number: int, sender: Zone) -> str:
    """A number relative to the sender's first one; a zero in the header is shown as `=0`."""
    if number == 0:
        return "=0"
    distance = (number - ISN[sender]) % _MODULUS
    return str(distance - _MODULUS if distance >= _MODULUS // 2 else distance)


def _describe_icmp(body: bytes, protocol: int) -> str:
    kind = body[0], body[1]
    known = {
        (each.ipv4 if protocol == ICMP else each.ipv6): word for word, each in MESSAGES.items()
    }
    word = known.get(kind, f"{kind[0]}/{kind[1]}")
    if word not in MESSAGES:
        return f" icmp {word}"
    if not MESSAGES[word].is_error:
        return f" icmp {word} ident {unpack_from('!H', body, 4)[0]}"
    (mtu,) = unpack_from("!H", body, 6)
    return f" icmp {word}{f' mtu {mtu}' if mtu else ''} [{describe(body[8:]).text}]"
