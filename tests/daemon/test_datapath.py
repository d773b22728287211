"""The loop that owns the firewall, with a clock that stands still and queues made of lists."""

import os
import threading
from collections.abc import Iterator
from multiprocessing import Pipe
from typing import Any

import pytest

from fwemu.core.choices import AtExpiry, OnUnknown
from fwemu.core.firewall import Firewall
from fwemu.core.flow import TCP, UDP, Zone
from fwemu.core.instants import SECOND
from fwemu.core.policy import DEFAULT_TIMEOUTS, Policy
from fwemu.core.rules import Action
from fwemu.core.timeouts import lifetimes
from fwemu.daemon.datapath import TURN, Datapath
from fwemu.daemon.queue import Pause
from fwemu.daemon.schedule import FlushSchedule
from fwemu.daemon.tally import SAMPLED, Tally
from tests.daemon.fakes import Injector, Journal, Packet, Queue, StillClock
from tests.kit.wire import address, ip, tcp, udp

CLIENT, SERVER = address("10.0.1.2"), address("10.0.2.2")
INSIDE, OUTSIDE = 1, 2


def datagram(port: int) -> bytes:
    return ip(CLIENT, SERVER, UDP, udp(port, 53))


class World:
    """A datapath with everything around it; `diary` is what happened, in order."""

    def __init__(self, policy: Policy | None = None, **schedule: Any) -> None:
        self.diary: list[Any] = []
        self.clock = StillClock()
        self.tally = Tally()
        self.firewall = Firewall(policy or Policy())
        self.datapath = Datapath(
            self.firewall,
            self.clock,  # type: ignore[arg-type]
            {INSIDE: Zone.INSIDE, OUTSIDE: Zone.OUTSIDE},
            FlushSchedule(self.clock, **schedule),  # type: ignore[arg-type]
            Injector(self.diary),
            self.tally,
            Journal(self.diary),
        )
        self.queue = Queue(self.datapath.on_packet)
        self.ours, self.theirs = Pipe()
        self.stop = os.eventfd(0, os.EFD_NONBLOCK)

    def packet(self, data: bytes, indev: int = INSIDE) -> Packet:
        return Packet(data, self.diary, indev)

    def handshake(self) -> None:
        """A TCP session, established."""
        for data, indev in (
            (ip(CLIENT, SERVER, TCP, tcp(4000, 80, "S", 1)), INSIDE),
            (ip(SERVER, CLIENT, TCP, tcp(80, 4000, "SA", 1, 2)), OUTSIDE),
            (ip(CLIENT, SERVER, TCP, tcp(4000, 80, "A", 2, 2)), INSIDE),
        ):
            self.handle(self.packet(data, indev))

    def handle(self, packet: Packet) -> None:
        """One packet, as if the turn were just beginning."""
        self.datapath._turn_ends = self.clock.instant_now + TURN
        self.datapath.on_packet(packet)

    def run(self) -> str:
        """Run until told to stop; a loop that never ends fails the test."""
        answers = Answers(self.diary)
        guard = threading.Timer(10, lambda: os.eventfd_write(self.stop, 1))
        guard.start()
        try:
            return self.datapath.run(self.queue, self.ours, answers, self.stop)
        finally:
            guard.cancel()

    def close(self) -> None:
        for end in (self.ours, self.theirs):
            end.close()
        self.queue.close()
        os.close(self.stop)


class Answers:
    """Answers a request with its own text."""

    def __init__(self, diary: list[Any]) -> None:
        self._diary = diary

    def answer(self, request: Any) -> Any:
        self._diary.append(("asked", request))
        return f"answer to {request}"


@pytest.fixture
def worlds() -> Iterator[list[World]]:
    made: list[World] = []
    yield made
    for world in made:
        world.close()


@pytest.fixture
def world(worlds: list[World]) -> World:
    worlds.append(World())
    return worlds[-1]


# -- a packet -----------------------------------------------------------------------------------


def test_the_verdict_goes_out_before_anything_else(worlds: list[World]) -> None:
    """Neither the RST nor the log may keep a packet waiting."""
    worlds.append(world := World(Policy(on_unknown=dict.fromkeys(Zone, OnUnknown.RESET))))
    world.handle(world.packet(ip(CLIENT, SERVER, TCP, tcp(4000, 80, "A", 5, 9))))
    assert [entry if isinstance(entry, str) else entry[0] for entry in world.diary] == [
        "drop", "sent",
    ]  # fmt: skip
    world.datapath.publish()
    assert world.diary[-1] == ("logged", ["PacketRefused", "PacketInjected"])
    assert world.tally.unknown == {("inside", "reset"): 1}


def test_the_zone_is_that_of_the_interface_the_packet_came_by(world: World) -> None:
    """From the outside the same datagram opens nothing."""
    inside, outside = world.packet(datagram(1)), world.packet(datagram(2), OUTSIDE)
    world.handle(inside)
    world.handle(outside)
    assert (inside.verdict, outside.verdict) == ("accept", "drop")


def test_one_packet_in_sixteen_is_measured(world: World) -> None:
    """By the same clock: from before the decision to after the verdict."""
    for number in range(2 * SAMPLED):
        world.clock.steps = [0, SECOND // 1000]
        world.handle(world.packet(datagram(number + 1)))
    histogram = world.tally.time_to_verdict
    assert sum(histogram.counts) == 2
    assert histogram.total == pytest.approx(0.002)


def test_a_verdict_that_is_given_with_others_is_measured_when_it_is_carried_out(
    world: World,
) -> None:
    """Whoever was decided first has waited longest."""
    world.queue.gathers = True
    world.datapath.attach(world.queue)
    for number in range(SAMPLED):
        world.handle(world.packet(datagram(number + 1)))
    histogram = world.tally.time_to_verdict
    assert sum(histogram.counts) == 0

    world.clock.instant_now += SECOND // 100
    world.queue.carried_out()
    world.queue.carried_out()
    assert sum(histogram.counts) == 1
    assert histogram.total == pytest.approx(0.01)


def test_packets_give_way_after_their_turn(world: World) -> None:
    """However busy the queue is, timers and requests come at the latest then; nothing is lost."""
    world.datapath._turn_ends = world.clock.instant_now + TURN
    last_in_time, first_too_late = world.packet(datagram(1)), world.packet(datagram(2))
    world.clock.instant_now += TURN - 1
    world.datapath.on_packet(last_in_time)
    world.clock.instant_now += 1
    with pytest.raises(Pause):
        world.datapath.on_packet(first_too_late)
    assert first_too_late.verdict == "accept"
    world.datapath.publish()
    assert world.tally.opened == {"udp": 2}


def test_publishing_nothing_writes_nothing(world: World) -> None:
    """Most turns of an idle firewall have nothing to say."""
    world.datapath.publish()
    assert world.diary == []


# -- time ---------------------------------------------------------------------------------------


def test_a_session_expires_without_a_packet(worlds: list[World]) -> None:
    """And the RSTs for it go out at once."""
    worlds.append(world := World(Policy(at_expiry=AtExpiry.RESET_BOTH)))
    world.handshake()
    assert world.datapath.milliseconds_to_wait() == 30_000  # the first timer of the handshake
    world.clock.pass_time(3600)
    world.datapath.on_time()
    world.datapath.publish()
    assert world.tally.ended == {("tcp", "expired"): 1}
    assert [entry[0] for entry in world.diary if entry[0] == "sent"] == ["sent", "sent"]
    assert world.datapath.milliseconds_to_wait() is None


def test_the_wait_ends_at_the_deadline_never_before(world: World) -> None:
    """Rounded up: a loop that wakes a little too early spins until it is time."""
    assert world.datapath.milliseconds_to_wait() is None
    world.handle(world.packet(datagram(1)))
    world.clock.instant_now += 1
    assert world.datapath.milliseconds_to_wait() == 30_000
    world.clock.pass_time(29.9999)
    assert world.datapath.milliseconds_to_wait() == 1
    world.clock.pass_time(60)
    assert world.datapath.milliseconds_to_wait() == 0


def test_a_wait_of_years_is_cut_to_what_poll_can_take(worlds: list[World]) -> None:
    """poll(2) takes an int of milliseconds: 24 days."""
    years = lifetimes(dict.fromkeys(DEFAULT_TIMEOUTS, 10**9 * SECOND))
    worlds.append(world := World(Policy(lifetimes=years)))
    world.handle(world.packet(datagram(1)))
    assert world.datapath.milliseconds_to_wait() == 3_600_000


def test_a_flush_comes_before_the_expiry_of_the_same_moment(worlds: list[World]) -> None:
    """And has the instant at which it was due, however late it is noticed."""
    worlds.append(world := World(intervals=[10 * SECOND]))
    world.handle(world.packet(datagram(1)))
    world.clock.pass_time(35)
    world.datapath.on_time()
    world.datapath.publish()
    assert world.tally.ended == {("udp", "flushed"): 1}
    assert world.tally.idle_age.total == 10.0
    assert world.datapath.milliseconds_to_wait() == 5_000


# -- the loop -----------------------------------------------------------------------------------


def test_a_stop_comes_after_the_packets_that_wait_and_before_requests(world: World) -> None:
    """What was decided is logged; whoever still asks hears that the firewall is ending."""
    world.queue.put(world.packet(datagram(1)), world.packet(datagram(2)))
    world.theirs.send("one")
    os.eventfd_write(world.stop, 1)
    assert world.run() == "stopped"
    assert world.diary == ["accept", "accept", ("logged", ["SessionOpened", "SessionOpened"])]


class StopAfter(Answers):
    """Stops the loop once it has been asked so many times."""

    def __init__(self, world: World, times: int) -> None:
        super().__init__(world.diary)
        self._world = world
        self._left = times

    def answer(self, request: Any) -> Any:
        self._left -= 1
        if self._left == 0:
            os.eventfd_write(self._world.stop, 1)
        return super().answer(request)


def test_requests_are_served_in_order_each_after_what_came_before(world: World) -> None:
    """One thread, no lock: a request sees all packets before it and none after."""
    world.queue.put(world.packet(datagram(1)))
    world.theirs.send("one")
    world.theirs.send("two")
    how = world.datapath.run(world.queue, world.ours, StopAfter(world, 2), world.stop)
    assert how == "stopped"
    assert world.diary == [
        "accept",
        ("logged", ["SessionOpened"]),
        ("asked", "one"),
        ("asked", "two"),
    ]
    assert [world.theirs.recv(), world.theirs.recv()] == ["answer to one", "answer to two"]


def test_a_busy_queue_does_not_starve_requests(world: World) -> None:
    """Each packet here takes a whole turn: a request still comes after the very next one."""
    world.queue.put(*(world.packet(datagram(port)) for port in range(1, 11)))
    world.clock.steps = [0, TURN, 0, 0] * 20
    world.theirs.send("one")
    world.datapath.run(world.queue, world.ours, StopAfter(world, 1), world.stop)
    asked = world.diary.index(("asked", "one"))
    assert world.diary[:asked].count("accept") < 10
    assert world.queue.packets


def test_it_ends_when_its_control_process_is_gone(world: World) -> None:
    """And says so; what has happened is in the log by then."""
    world.queue.put(world.packet(datagram(1)))
    world.theirs.close()
    assert world.run() == "abandoned"
    assert ("logged", ["SessionOpened"]) in world.diary


def test_it_sleeps_until_something_happens(world: World) -> None:
    """Not a single turn without a reason: an idle firewall costs nothing."""
    looks = 0
    wait = world.datapath.milliseconds_to_wait

    def counting() -> int | None:
        nonlocal looks
        looks += 1
        return wait()

    world.datapath.milliseconds_to_wait = counting  # type: ignore[method-assign]
    timer = threading.Timer(0.2, lambda: os.eventfd_write(world.stop, 1))
    timer.start()
    assert world.run() == "stopped"
    timer.join()
    assert looks == 1


def test_a_broken_invariant_is_not_swallowed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A firewall that fails at a packet or a timer is in an unknown state: it must not go on."""

    def broken(*arguments: Any) -> Any:
        raise AssertionError("broken")

    monkeypatch.setattr(world.firewall, "tick", broken)
    world.theirs.send("one")
    with pytest.raises(AssertionError, match="broken"):
        world.run()


def test_a_control_process_that_dies_while_it_is_answered_is_no_crash(world: World) -> None:
    """The pipe breaks while the answer is on its way: the same end as if nobody had asked."""

    class Dying(Answers):
        def answer(self, request: Any) -> Any:
            world.theirs.close()
            return super().answer(request)

    world.theirs.send("one")
    how = world.datapath.run(world.queue, world.ours, Dying(world.diary), world.stop)
    assert how == "abandoned"


# -- packets that are held ------------------------------------------------------------------------

WHOLE = udp(4000, 53, bytes(40))
FIRST = ip(CLIENT, SERVER, UDP, WHOLE[:24], fragment=(7, 0, True))
LATER = ip(CLIENT, SERVER, UDP, WHOLE[24:], fragment=(7, 3, False))


def test_a_held_packet_gets_its_verdict_when_the_core_says_so(world: World) -> None:
    """Behind the one that it has waited for, and before anything is logged."""
    later, first = world.packet(LATER), world.packet(FIRST)
    world.handle(later)
    assert (later.verdict, world.datapath.held) == (None, 1)
    world.handle(first)
    assert (first.verdict, later.verdict, world.datapath.held) == ("accept", "accept", 0)
    assert world.diary == ["accept", "accept"]
    world.datapath.publish()
    assert world.diary[-1] == ("logged", ["SessionOpened", "PacketReleased"])


def test_a_held_packet_is_dropped_with_its_first_fragment(worlds: list[World]) -> None:
    """As if they had come in order."""
    worlds.append(world := World(Policy(default_action=dict.fromkeys(Zone, Action.DENY))))
    later = world.packet(LATER)
    world.handle(later)
    world.handle(world.packet(FIRST))
    assert (later.verdict, world.datapath.held) == ("drop", 0)


def test_the_loop_wakes_up_for_what_has_waited_too_long(world: World) -> None:
    """Nobody else would ever take it out of the kernel's queue."""
    later = world.packet(LATER)
    world.handle(later)
    assert world.datapath.milliseconds_to_wait() == 30_000
    world.clock.pass_time(30)
    world.datapath.on_time()
    assert (later.verdict, world.datapath.held) == ("drop", 0)
    assert world.datapath.milliseconds_to_wait() is None


def test_what_is_held_at_the_end_is_dropped(world: World) -> None:
    """And said in the log: every packet has a verdict."""
    later = world.packet(LATER)
    world.queue.put(later)
    os.eventfd_write(world.stop, 1)
    assert world.run() == "stopped"
    assert (later.verdict, world.datapath.held) == ("drop", 0)
    assert world.diary[-1] == ("logged", ["PacketReleased", "PacketRefused"])
