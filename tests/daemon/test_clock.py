"""Where the firewall's time meets the time of day."""

import time
from datetime import timedelta

import pytest

from fwemu.daemon.clock import Clock, ScaledClock, clock


class Wall:
    """The machine's monotonic clock, moved by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 5_000_000_000
        monkeypatch.setattr(time, "monotonic_ns", lambda: self.now)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Wall:
    """Time that stands still."""
    return Wall(monkeypatch)


def test_it_never_runs_backwards() -> None:
    """The core relies on it."""
    clock = Clock()
    instants = [clock.now() for _ in range(1000)]
    assert instants == sorted(instants)


def test_the_time_of_day_of_an_instant_and_back() -> None:
    """To the microsecond, which is what a datetime holds."""
    clock = Clock()
    now = clock.now()
    wall = clock.wall(now)
    assert wall.utcoffset() == timedelta(0)
    assert abs(clock.instant(wall) - now) <= 2000
    assert clock.wall(now + 60_000_000_000) - wall == timedelta(minutes=1)


def test_a_scaled_one_begins_now_and_runs_so_many_times_faster(machine: Wall) -> None:
    """To the nanosecond: the numbers are whole."""
    scaled = clock(60)
    started = scaled.now()
    assert started == machine.now
    machine.now += 1_000_000_007
    assert scaled.now() == started + 60_000_000_420
    minute = scaled.wall(scaled.now()) - scaled.wall(started)
    assert abs(minute - timedelta(minutes=1)) < timedelta(microseconds=5)


def test_what_passes_in_a_moment_is_on_top_of_the_scale(machine: Wall) -> None:
    """An hour is an hour, however fast the clock runs."""
    scaled = ScaledClock(60)
    started = scaled.now()
    scaled.advance(3600 * 10**9)
    machine.now += 10**9
    assert scaled.now() == started + 3660 * 10**9


def test_its_rate_changes_without_a_jump(machine: Wall) -> None:
    """While time is passed in a moment it runs as slowly as others."""
    scaled = ScaledClock(60)
    started = scaled.now()
    machine.now += 1000
    scaled.run_at(1)
    assert scaled.now() == started + 60_000
    machine.now += 1000
    assert scaled.now() == started + 61_000
    scaled.run_at(60)
    machine.now += 1000
    assert scaled.now() == started + 121_000


def test_the_usual_one_is_not_slower_for_it() -> None:
    """A scale of 1 is the plain clock, whose `now` every packet asks."""
    usual = clock()
    assert type(usual) is Clock
    assert usual.scale == 1
    before = usual.now()
    usual.run_at(60)
    assert usual.now() - before < 10**9


@pytest.mark.parametrize("scale", [1, 60])
def test_the_time_of_the_machine_is_not_moved(machine: Wall, scale: int) -> None:
    """What a tcpdump beside the firewall has."""
    moved = clock(scale)
    before = moved.real()
    moved.advance(3600 * 10**9)
    machine.now += 10**9
    assert moved.real() - before == timedelta(seconds=1)
    assert moved.wall(moved.now()) - before == timedelta(hours=1, seconds=scale)
