"""Stories through a real queue: real packets between real namespaces, in virtual time.

    inside namespace          firewall namespace              outside namespace
    packet socket ── veth ──  FORWARD ► NFQUEUE ► core  ── veth ── packet socket

The outer namespaces have no addresses, so that no host answers by itself: only the story and the
firewall send packets.  Queue, hook rules, datapath and injector are those of the daemon; only the
clock is virtual, so that an hour passes at once.
"""

from __future__ import annotations

import ipaddress
import itertools
import os
import select
import socket
import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, Final, Literal, Self

from fwemu.config import Config
from fwemu.config.schema import QueueReader
from fwemu.core.effects import Decision, Effect, PacketInjected, PacketReleased
from fwemu.core.firewall import Firewall
from fwemu.core.flow import Zone
from fwemu.core.reasons import Verdict
from fwemu.daemon import hooks, needs
from fwemu.daemon.datapath import Datapath, QueuedPacket
from fwemu.daemon.inject import Injector
from fwemu.daemon.losses import Losses
from fwemu.daemon.readers import open_queue
from fwemu.daemon.tally import Tally
from fwemu.daemon.zones import Zones
from fwemu.errors import NamespaceError
from fwemu.scenarios.backend import (
    EndedSession,
    PacketOutcome,
    ReleasedPacket,
    VirtualClock,
    WaitOutcome,
    endings,
    firewall_for,
    is_accepted,
    pass_time,
    schedule_for,
    state_of,
)
from fwemu.scenarios.participants import ADDRESS, FIREWALL
from fwemu.scenarios.segments import without_hops
from netns import Namespace, Network, add_neighbour, hardware_address, sysctl

PATIENCE: Final = 2.0
"""Seconds after which an expected packet counts as lost, with room for a busy machine."""

_QUEUE: Final = 0
_MTU: Final = 9000  # no story has to think of it
_LENGTH: Final = 8192  # as many as a daemon has room for by default
_INTERFACE: Final = "eth0"
_ETHERTYPE: Final = {4: 0x0800, 6: 0x86DD}  # linux/if_ether.h
_EVERYTHING: Final = 0x0003  # ETH_P_ALL

_numbers = itertools.count()


class QueueTestbed:
    """Three namespaces with a hooked queue in the middle; backends share it one after the other.

    Raises FwemuError where the machine does not allow it.  Close it, or use it in `with`.
    """

    def __init__(self) -> None:
        needs.require_privileges()
        with ExitStack() as undo:
            network = undo.enter_context(Network())
            name = f"story{os.getpid()}-{next(_numbers)}"
            self.firewall = network.namespace(f"{name}-firewall")
            self.ends = {zone: network.namespace(f"{name}-{zone.word}") for zone in Zone}
            for zone, namespace in self.ends.items():
                _join(network, self.firewall, namespace, zone)
            for key in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
                sysctl(self.firewall, key, 1)
            self.wires = {zone: Wire(self.firewall, self.ends[zone], zone) for zone in Zone}
            for wire in self.wires.values():
                undo.callback(wire.close)
            self.zones = Zones(self.firewall, [Zone.INSIDE.word], [Zone.OUTSIDE.word])
            with self.firewall.enter():
                self.injector = Injector()
                undo.callback(self.injector.close)
                self.queue = open_queue(QueueReader.AUTO, _QUEUE, self._on_packet, length=_LENGTH)
                undo.callback(self.queue.close)
            undo.callback(hooks.install(self.firewall, _QUEUE, fail_open=False).remove)
            self.datapath: Datapath | None = None
            """Of the backend in use."""
            self._undo = undo.pop_all()

    def _on_packet(self, packet: QueuedPacket) -> None:
        if self.datapath is None:
            packet.drop()
        else:
            self.datapath.on_packet(packet)

    def backend(self, config: Config) -> QueueBackend:
        """Make a firewall with a configuration; it replaces the one before."""
        return QueueBackend(self, config)

    def close(self) -> None:
        """Remove everything."""
        self._undo.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _join(network: Network, firewall: Namespace, end: Namespace, zone: Zone) -> None:
    """Link the firewall with an end whose kernel sends nothing by itself."""
    for scope in ("all", "default"):
        sysctl(end, f"net.ipv6.conf.{scope}.disable_ipv6", 1)
    lengths = {4: 24, 6: 64}
    own = [
        f"{ipaddress.ip_address(FIREWALL[zone, version])}/{length}"
        for version, length in lengths.items()
    ]
    network.link(firewall, zone.word, end, _INTERFACE, a_addresses=own, mtu=_MTU)
    hardware = hardware_address(end, _INTERFACE)
    for version in lengths:
        neighbour = str(ipaddress.ip_address(ADDRESS[zone, version]))
        add_neighbour(firewall, zone.word, neighbour, hardware)


class Wire:
    """A packet socket in the place of an end: sends to the firewall, receives from it."""

    def __init__(self, firewall: Namespace, end: Namespace, zone: Zone) -> None:
        self.zone = zone
        self._firewall = bytes.fromhex(hardware_address(firewall, zone.word).replace(":", ""))
        with end.enter():
            self._socket = socket.socket(
                socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_EVERYTHING)
            )
        self._socket.bind((_INTERFACE, _EVERYTHING))
        self._socket.setblocking(False)
        self._mine = {ADDRESS[zone, version] for version in (4, 6)}

    def send(self, packet: bytes) -> None:
        """Put a whole IP packet on the wire.  Raises NamespaceError if it is too large."""
        ethertype = _ETHERTYPE[packet[0] >> 4]
        try:
            self._socket.sendto(packet, (_INTERFACE, ethertype, 0, 0, self._firewall))
        except OSError as error:
            raise NamespaceError(
                f"a packet of {len(packet)} octets cannot be sent ({error.strerror}): "
                "make it smaller"
            ) from error

    def hear(self) -> list[bytes]:
        """The packets for this end that arrived since the last call."""
        heard: list[bytes] = []
        while True:
            try:
                packet, (_, _, kind, _, _) = self._socket.recvfrom(65535)
            except BlockingIOError:
                return heard
            if kind != socket.PACKET_OUTGOING and _destination(packet) in self._mine:
                heard.append(packet)

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def _destination(packet: bytes) -> bytes:
    return packet[16:20] if packet[0] >> 4 == 4 else packet[24:40]


def _take(heard: list[tuple[Zone, bytes]], packet: bytes, origin: Zone) -> bool:
    """Remove a packet from those that arrived on its other side; False if it did not arrive."""
    wanted = origin.other, without_hops(packet)
    for each in heard:
        if (each[0], without_hops(each[1])) == wanted:
            heard.remove(each)
            return True
    return False


class _Recorder:
    """Stands in for the log: keeps the effects until `take`."""

    def __init__(self) -> None:
        self.losses = Losses("recorder")
        self.effects: list[Effect] = []

    def write(self, effects: list[Effect]) -> None:
        self.effects += effects

    def take(self) -> list[Effect]:
        effects, self.effects = self.effects, []
        return effects


class _Watched(Firewall):
    """A firewall that keeps its decisions."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.decisions: list[Decision] = []

    def handle(self, data: bytes, now: int, arrival: Zone) -> Decision:
        self.decisions.append(super().handle(data, now, arrival))
        return self.decisions[-1]


class QueueBackend:
    """The core behind a real queue."""

    def __init__(self, testbed: QueueTestbed, config: Config) -> None:
        self._testbed = testbed
        self._clock = VirtualClock()
        self._firewall = firewall_for(config, _Watched)
        self._recorder = _Recorder()
        self._ended: list[EndedSession] = []
        self._released: list[ReleasedPacket] = []
        self._held: dict[int, tuple[bytes, Zone]] = {}
        """Held packets, by ticket."""
        self._datapath = Datapath(
            self._firewall,
            self._clock,
            testbed.zones,
            schedule_for(config, self._clock),
            testbed.injector,
            Tally(),
            self._recorder,
        )
        self._datapath.attach(testbed.queue)
        testbed.datapath = self._datapath
        for wire in testbed.wires.values():
            wire.hear()

    def put(self, packet: bytes, arrival: Zone) -> PacketOutcome:
        self._testbed.wires[arrival].send(packet)
        queue = self._testbed.queue
        poll = select.poll()
        poll.register(queue.fd, select.POLLIN)
        deadline = time.monotonic() + PATIENCE
        while not self._firewall.decisions and (left := deadline - time.monotonic()) > 0:
            poll.poll(1000 * left)
            queue.drain()
        if not self._firewall.decisions:
            raise NamespaceError(
                f"the kernel did not bring a packet to the queue in {PATIENCE:g} s: "
                f"it does not forward {packet.hex()}"
            )
        decision = self._firewall.decisions.pop()
        if decision.verdict is Verdict.HOLD:
            self._held[decision.ticket] = packet, arrival
        effects = self._published()
        heard = self._listen(effects, decision.verdict is Verdict.ACCEPT and arrival.other)
        passed = _take(heard, packet, arrival)
        self._settle(effects, heard)
        state = state_of(self._firewall, packet)
        return PacketOutcome(passed, decision.reason.word, state, tuple(heard))

    def wait(self, nanoseconds: int) -> WaitOutcome:
        datapath = self._datapath
        pass_time(self._clock, self._firewall, datapath.schedule, nanoseconds, datapath.on_time)
        effects = self._published()
        heard = self._listen(effects)
        self._settle(effects, heard)
        ended, self._ended = self._ended, []
        released, self._released = self._released, []
        return WaitOutcome(tuple(heard), tuple(ended), tuple(released))

    def close(self) -> None:
        """Free the testbed for the next backend."""
        self._testbed.datapath = None

    def _published(self) -> list[Effect]:
        """The effects since the last call."""
        self._datapath.publish()
        effects = self._recorder.take()
        self._ended += endings(effects)
        return effects

    def _settle(self, effects: Sequence[Effect], heard: list[tuple[Zone, bytes]]) -> None:
        """Note the held packets that were released; accepted ones are removed from `heard`."""
        for effect in effects:
            if isinstance(effect, PacketReleased):
                packet, origin = self._held.pop(effect.ticket)
                passed = _take(heard, packet, origin)
                self._released.append(ReleasedPacket(packet, origin, passed, effect.reason.word))

    def _listen(
        self, effects: Sequence[Effect], passes_to: Zone | Literal[False] = False
    ) -> list[tuple[Zone, bytes]]:
        """The packets that arrive at the ends: wait for the expected ones, take all others too."""
        wanted = [effect.zone for effect in effects if isinstance(effect, PacketInjected)]
        wanted += [
            effect.zone.other
            for effect in effects
            if isinstance(effect, PacketReleased) and is_accepted(effect)
        ]
        wanted += [] if passes_to is False else [passes_to]
        heard: list[tuple[Zone, bytes]] = []
        wires = self._testbed.wires
        poll = select.poll()
        for wire in wires.values():
            poll.register(wire, select.POLLIN)
        deadline = time.monotonic() + PATIENCE
        while True:
            for zone, wire in wires.items():
                heard += ((zone, packet) for packet in wire.hear())
            missing = any(
                wanted.count(zone) > sum(each is zone for each, _ in heard) for zone in Zone
            )
            left = deadline - time.monotonic()
            if not missing or left <= 0:
                return heard
            poll.poll(1000 * left)
