"""The types of a rule's conditions: places (zones and networks), protocols, ports."""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_interface, ip_network
from typing import Annotated, Final, TypeVar

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from fwemu.config.accepts import Accepts, shown, suggestion
from fwemu.core.flow import PROTOCOL_NAMES, Zone
from fwemu.core.rules import PortRange

Word = TypeVar("Word")

Place = Zone | IPv4Network | IPv6Network

ANY: Final = "any"
ZONES: Final = {zone.word: zone for zone in Zone}
PROTOCOLS: Final = {name: number for number, name in PROTOCOL_NAMES.items()}
HIGHEST_PORT: Final = 0xFFFF

_PORTS: Final = re.compile(r"(\d{1,5})(?:\s*-\s*(\d{1,5}))?", re.ASCII)


def read_places(value: object) -> tuple[Place, ...]:
    """A zone, one network or several; empty for any place."""
    if value in (ANY, ()):
        return ()
    items = _as_list(value, 'a zone or a network (write "inside" or "10.0.2.0/24")')
    if any(item == ANY for item in items):
        raise ValueError('"any" stands alone: leave the others out, or leave "any" out')
    places = tuple(_read_place(item) for item in items)
    if len(places) > 1 and any(isinstance(place, Zone) for place in places):
        raise ValueError("a zone stands alone: name one zone, or only networks")
    return places


def write_places(places: tuple[Place, ...]) -> str | list[str]:
    """The shortest spelling that `read_places` reads."""
    words = [place.word if isinstance(place, Zone) else str(place) for place in places]
    return _shortest(words)


def read_protocols(value: object) -> tuple[int, ...]:
    """Protocols by name or number; empty for any."""
    if value in (ANY, ()):
        return ()
    items = _as_list(value, 'a protocol (write "tcp", or a number from 0 to 255)')
    return tuple(dict.fromkeys(_read_protocol(item) for item in items))


def write_protocols(protocols: tuple[int, ...]) -> str | int | list[str | int]:
    """The shortest spelling that `read_protocols` reads."""
    return _shortest([PROTOCOL_NAMES.get(number, number) for number in protocols])


def read_ports(value: object) -> tuple[PortRange, ...]:
    """A port, a range, or a list of them; empty for any."""
    if value in (ANY, ()):
        return ()
    return tuple(_read_port(item) for item in _as_list(value, 'a port (write 5432 or "8000-8080")'))


def write_ports(ports: tuple[PortRange, ...]) -> str | list[int | str]:
    """A list that `read_ports` reads."""
    if not ports:
        return ANY
    return [first if first == last else f"{first}-{last}" for first, last in ports]


Places = Annotated[
    tuple[Place, ...],
    PlainValidator(read_places),
    PlainSerializer(write_places, return_type=str | list[str]),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
    Accepts("inside, outside, any, a network or address, or a list of networks"),
]
Protocols = Annotated[
    tuple[int, ...],
    PlainValidator(read_protocols),
    PlainSerializer(write_protocols, return_type=str | int | list[str | int]),
    WithJsonSchema({"anyOf": [{"type": t} for t in ("string", "integer", "array")]}),
    Accepts("tcp, udp, icmp, icmpv6, any, a number from 0 to 255, or a list"),
]
Ports = Annotated[
    tuple[PortRange, ...],
    PlainValidator(read_ports),
    PlainSerializer(write_ports, return_type=str | list[int | str]),
    WithJsonSchema({"anyOf": [{"type": t} for t in ("string", "integer", "array")]}),
    Accepts('any, a port, a range such as "8000-8080", or a list (0 to 65535)'),
]


def _as_list(value: object, expected: str) -> list[object]:
    items = list(value) if isinstance(value, list | tuple) else [value]
    if not items:
        raise ValueError(f'an empty list matches nothing (write "{ANY}")')
    if any(isinstance(item, bool) or item is None or isinstance(item, dict) for item in items):
        raise ValueError(f"{shown(value)} is not {expected}")
    return items


def _read_place(value: object) -> Place:
    if isinstance(value, Zone | IPv4Network | IPv6Network):
        return value
    text = value if isinstance(value, str) else ""
    if text in ZONES:
        return ZONES[text]
    try:
        return ip_network(_unscoped(text))
    except ValueError:
        pass
    try:
        interface = ip_interface(_unscoped(text))
    except ValueError:
        meant = suggestion(text, (*ZONES, ANY))
        way_out = f"did you mean {meant}?" if meant else "write 10.0.2.0/24 or 2001:db8::/32"
        raise ValueError(f"{shown(value)} is not a network ({way_out})") from None
    raise ValueError(
        f"{shown(value)} has host bits set (write {interface.network} for the network"
        f" or {interface.ip} for the one address)"
    )


def _unscoped(text: str) -> str:
    """No packet carries the `%eth0` of a scoped address, so a rule cannot name it."""
    if "%" in text:
        raise ValueError(text)
    return text


def _read_protocol(value: object) -> int:
    if isinstance(value, int) and 0 <= value <= 255:
        return value
    if isinstance(value, str) and value in PROTOCOLS:
        return PROTOCOLS[value]
    meant = suggestion(str(value), PROTOCOLS)
    way_out = (
        f"did you mean {meant}?"
        if meant
        else f"write {', '.join(PROTOCOLS)}, any, or a number from 0 to 255"
    )
    raise ValueError(f"{shown(value)} is not a protocol ({way_out})")


def _read_port(value: object) -> PortRange:
    if (
        isinstance(value, tuple)  # already read: a value of the model itself
        and len(value) == 2
        and all(isinstance(end, int) for end in value)
    ):
        return value
    match = _PORTS.fullmatch(str(value).strip())
    if match is None:
        raise ValueError(f'{shown(value)} is not a port (write 5432 or "8000-8080")')
    first, last = int(match[1]), int(match[2] or match[1])
    for port in (first, last):
        if port > HIGHEST_PORT:
            raise ValueError(f"{port} is not a port (0 to {HIGHEST_PORT})")
    if first > last:
        raise ValueError(f'{shown(value)} runs backwards (write "{last}-{first}")')
    return first, last


def _shortest(words: list[Word]) -> str | Word | list[Word]:
    if not words:
        return ANY
    return words[0] if len(words) == 1 else words
