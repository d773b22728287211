"""Traffic as bytes, for the engine alone: what reaches it of real packets are their headers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from fwemu.core.firewall import Firewall
from fwemu.core.flow import TCP, UDP, Zone
from fwemu.core.policy import Policy
from tests.kit import wire

Arrival = tuple[bytes, Zone]

CLIENTS: Final = {4: 0x0A000100, 6: 0xFD770001_00000000_00000000_00000000}
SERVER: Final = {4: wire.address("198.19.1.10"), 6: wire.address("2001:2:0:1901::10")}

TIMESTAMPS: Final = bytes((1, 1, 8, 10)) + bytes(8)
"""The options of nearly every TCP segment on Linux."""

PAYLOAD: Final = bytes(64)

PORTS: Final = 50_000
"""Connections of one client."""


def firewall(sessions: int = 65_536) -> Firewall:
    """One with fwemu's defaults and room for that many."""
    return Firewall(Policy(capacity=sessions))


class Connection:
    """A TCP connection from the inside to a server, which knows what comes next."""

    def __init__(self, number: int, version: int = 4) -> None:
        client, port = divmod(number, PORTS)
        width = {4: 4, 6: 16}[version]
        self._ends = (
            ((CLIENTS[version] + client).to_bytes(width, "big"), 1024 + port),
            (SERVER[version], 5432),
        )
        self._sent = [1_000 + number, 2_000 + number]

    def syn(self) -> Arrival:
        """Its first packet."""
        return self._segment(Zone.INSIDE, "S")

    def handshake(self) -> list[Arrival]:
        """What opens it."""
        return [self.syn(), self._segment(Zone.OUTSIDE, "SA"), self._segment(Zone.INSIDE, "A")]

    def exchange(self, times: int) -> list[Arrival]:
        """Requests and responses."""
        return [
            self._segment(zone, "PA", PAYLOAD)
            for _ in range(times)
            for zone in (Zone.INSIDE, Zone.OUTSIDE)
        ]

    def _segment(self, zone: Zone, flags: str, payload: bytes = b"") -> Arrival:
        (source, port), (destination, to_port) = self._ends[zone], self._ends[1 - zone]
        body = wire.tcp(
            port, to_port, flags, self._sent[zone], self._sent[1 - zone], payload, TIMESTAMPS
        )
        self._sent[zone] += len(payload) + ("S" in flags)
        return wire.ip(source, destination, TCP, body), zone


def connections(count: int, version: int = 4) -> list[Connection]:
    """So many, all different."""
    return [Connection(number, version) for number in range(count)]


def established(engine: Firewall, some: Iterable[Connection], now: int) -> None:
    """Open them all through a firewall."""
    for connection in some:
        for data, zone in connection.handshake():
            assert engine.handle(data, now, zone).verdict


def udp_exchange(times: int) -> list[Arrival]:
    """Datagrams to and fro between two ports."""
    client = CLIENTS[4].to_bytes(4, "big")
    there = wire.ip(client, SERVER[4], UDP, wire.udp(1024, 53, PAYLOAD))
    back = wire.ip(SERVER[4], client, UDP, wire.udp(53, 1024, PAYLOAD))
    return [(there, Zone.INSIDE), (back, Zone.OUTSIDE)] * times
