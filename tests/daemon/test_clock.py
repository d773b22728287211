"""Where the firewall's time meets the time of day."""

from datetime import timedelta

from fwemu.daemon.clock import Clock


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
