"""The loop that owns the firewall: packets first, then everything else, all in one thread.

Nothing here is locked, because nothing here is shared.  Requests from outside arrive on a pipe and
are served between packets; timers and the log wait for the same gaps, which come at the latest
after `TURN`, however busy the queue is.
"""

from __future__ import annotations

import select
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Final, Protocol

from fwemu.core.effects import Effect, PacketInjected, PacketReleased
from fwemu.core.firewall import Firewall
from fwemu.core.flow import Zone
from fwemu.core.instants import SECOND
from fwemu.core.reasons import Verdict
from fwemu.core.standby import Standby
from fwemu.daemon.clock import Clock
from fwemu.daemon.losses import Losses
from fwemu.daemon.queue import Pause, nothing
from fwemu.daemon.requests import Reply, Request
from fwemu.daemon.schedule import FlushSchedule, due_effects, next_event
from fwemu.daemon.tally import SAMPLED, Tally

_ACCEPT, _DROP = Verdict.ACCEPT, Verdict.DROP

TURN: Final = SECOND // 200
"""Real nanoseconds that packets may keep the loop from its other work."""


PAUSE_MS: Final = 1
"""Real milliseconds after which a packet is followed by the loop's other work, if not sooner."""


class QueuedPacket(Protocol):
    """A packet of the queue, as the loop uses it."""

    indev: int

    def get_payload(self) -> bytes: ...
    def accept(self) -> None: ...
    def drop(self) -> None: ...


class Queue(Protocol):
    """The queue, as the loop uses it."""

    fd: int
    carried_out: Callable[[], None]
    """Called when verdicts that were gathered have been carried out."""

    @property
    def gathers(self) -> bool:
        """Are verdicts given together?  If not, each is carried out as it is given."""

    def drain(self) -> None: ...
    def flush(self) -> None: ...


class PacketSink(Protocol):
    """Takes the packets of our own."""

    def send(self, packet: bytes) -> bool: ...


class EffectSink(Protocol):
    """Takes effects: a log, or the counters.

    It counts in `losses` what it cannot take.  That it raises nothing is not relied upon.
    """

    losses: Losses

    def write(self, effects: list[Effect]) -> None: ...


class RequestHandler(Protocol):
    """Serves the requests of the control process; never raises."""

    def answer(self, request: Request) -> Reply: ...


class Datapath:
    """A firewall between its queue, its timers and its requests."""

    def __init__(
        self,
        firewall: Firewall,
        clock: Clock,
        zones: dict[int, Zone],
        schedule: FlushSchedule,
        injector: PacketSink,
        tally: Tally,
        *sinks: EffectSink,
    ) -> None:
        self.firewall = firewall
        self.schedule = schedule
        self.observed: list[Effect] | None = None
        """What has happened since somebody began to watch; None while nobody does."""
        self.injected_count = 0
        """Packets of our own until now."""
        self.standby: Standby | None = None
        """What follows the effects for a peer that hears of them late."""
        self._clock = clock
        self._now = clock.now
        self._turn = TURN * clock.scale
        self._millisecond = SECOND // 1000 * clock.scale
        """A real one, by the firewall's clock."""
        self._zones = zones
        self._injector = injector
        self.sinks: Final = (tally, *sinks)
        """Who is told what has happened, in this order."""
        self._tally = tally
        self._held: dict[int, QueuedPacket] = {}
        """Packets that wait for their verdict in the kernel's queue, by ticket."""
        self._unpublished: list[Effect] = []
        self._flush = nothing
        """Has the verdicts carried out that were given: what follows from them comes later."""
        self._gathers = False
        self._sampled: list[int] = []
        """When packets came whose time to a verdict is measured."""
        self._turn_ends = 0
        self._count = 0

    def attach(self, queue: Queue) -> None:
        """Verdicts that are given together go out before a packet of our own does."""
        self._flush = queue.flush
        self._gathers = queue.gathers
        queue.carried_out = self._measure

    def on_packet(self, packet: QueuedPacket) -> None:
        """Decide about one packet of the queue; its verdict goes out before anything else."""
        now = self._now()
        decision = self.firewall.handle(packet.get_payload(), now, self._zones[packet.indev])
        verdict = decision.verdict
        if verdict is _ACCEPT:
            packet.accept()
        elif verdict is _DROP:
            packet.drop()
        else:
            self._held[decision.ticket] = packet
        self._count += 1
        if self._count % SAMPLED == 0:
            self._sampled.append(now)
            if not self._gathers:
                self._measure()
        if decision.effects:
            self.carry_out(decision.effects)
        if now >= self._turn_ends:
            raise Pause

    def _measure(self) -> None:
        """How long the sampled packets of which the verdict is out have waited for it."""
        if self._sampled:
            now = self._now()
            for since in self._sampled:
                self._tally.time_to_verdict.observe((now - since) / (1000 * self._millisecond))
            self._sampled.clear()

    def carry_out(self, effects: tuple[Effect, ...]) -> None:
        """Send and release packets at once; log and count the effects when there is time."""
        for effect in effects:
            if type(effect) is PacketInjected:
                self._flush()
                self._injector.send(effect.packet)
                self.injected_count += 1
            elif type(effect) is PacketReleased:
                self._release(effect)
        self._unpublished += effects
        if self.observed is not None:
            self.observed += effects
        if self.standby is not None:
            self.standby.follow(effects)

    def _release(self, effect: PacketReleased) -> None:
        """A packet that was held goes on, or goes nowhere."""
        packet = self._held.pop(effect.ticket)
        if effect.reason.verdict is _ACCEPT:
            packet.accept()
        else:
            packet.drop()

    @property
    def held(self) -> int:
        """Packets that wait for their verdict in the kernel's queue."""
        return len(self._held)

    def publish(self) -> None:
        """Log and count the effects since the last call."""
        if self._unpublished:
            effects, self._unpublished = self._unpublished, []
            for sink in self.sinks:
                try:
                    sink.write(effects)
                except Exception as error:  # whatever it is: no sink changes a verdict
                    sink.losses.add(error, len(effects))

    def on_time(self) -> None:
        """Do what the clock asks for: flushes, and the sessions that are due, in that order."""
        for effects in due_effects(self.firewall, self.schedule, self._now()):
            self.carry_out(effects)

    def next_event(self) -> int | None:
        """The instant at which the clock asks for something next; None if it never will."""
        return next_event(self.firewall, self.schedule)

    def milliseconds_to_wait(self) -> int | None:
        """The longest real sleep of the loop if nothing comes in; None for ever."""
        event = self.next_event()
        if event is None:
            return None
        wait = max(0, event - self._now())
        return min(-(-wait // self._millisecond), 3_600_000)

    def run(self, queue: Queue, requests: Connection, handler: RequestHandler, stop: int) -> str:
        """Work until the descriptor `stop` becomes readable or the requests' other end is gone.

        Returns which of the two it was: `stopped` or `abandoned`.  What is held then is dropped.
        """
        self.attach(queue)
        how = self._work(queue, requests, handler, stop)
        self.carry_out(self.firewall.drop_held(self._now()))
        self.publish()
        return how

    def _work(self, queue: Queue, requests: Connection, handler: RequestHandler, stop: int) -> str:
        poll = select.poll()
        for descriptor in (queue.fd, requests.fileno(), stop):
            poll.register(descriptor, select.POLLIN)
        only_packets = [(queue.fd, select.POLLIN)]
        pauses_at = 0
        wait = self.milliseconds_to_wait()
        while True:
            events = poll.poll(wait)
            now = self._now()
            if events == only_packets:
                self._turn_ends = now + self._turn
                queue.drain()
                if now < pauses_at:  # one packet follows the other: time is looked at in between
                    wait = PAUSE_MS
                    continue
                events = []
            ready = {descriptor for descriptor, _ in events}
            if queue.fd in ready:
                self._turn_ends = now + self._turn
                queue.drain()
            self.on_time()
            self.publish()
            if stop in ready:
                return "stopped"
            if requests.fileno() in ready:
                try:
                    request = requests.recv()
                except (EOFError, ConnectionError):
                    return "abandoned"
                answer = handler.answer(request)
                self.publish()
                try:
                    requests.send(answer)
                except ConnectionError:
                    return "abandoned"
            pauses_at = now + PAUSE_MS * self._millisecond
            wait = self.milliseconds_to_wait()
