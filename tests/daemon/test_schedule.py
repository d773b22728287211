"""Scheduled flushes in virtual time."""

from fwemu.core.instants import SECOND
from fwemu.daemon.schedule import FlushSchedule
from tests.daemon.fakes import StillClock

HOUR = 3600 * SECOND


def seconds_until(schedule: FlushSchedule, clock: StillClock, until: float) -> list[float]:
    """When it flushes within so many seconds, counted from now; time passes meanwhile."""
    start = clock.now()
    found = []
    while (instant := schedule.next_flush()) is not None and instant <= start + until * SECOND:
        clock.instant_now = max(clock.instant_now, instant)
        assert schedule.take(instant - 1) is None
        assert schedule.take(instant) == instant
        found.append((instant - start) / SECOND)
    return found


def test_without_entries_there_is_never_a_flush() -> None:
    """The loop may sleep for as long as it likes."""
    schedule = FlushSchedule(StillClock())
    assert schedule.next_flush() is None
    assert schedule.take(10**30) is None


def test_an_interval_is_counted_from_the_start() -> None:
    """Not from midnight, not from the last flush as it was noticed."""
    clock = StillClock()
    clock.pass_time(7.5)
    schedule = FlushSchedule(clock, intervals=[10 * SECOND])
    assert seconds_until(schedule, clock, 45) == [10, 20, 30, 40]


def test_midnight_comes_once_a_day() -> None:
    """The nightly clean-up, which gave this its name; a start at midnight is not one."""
    clock = StillClock()
    schedule = FlushSchedule(clock, cron=["0 0 * * *"])
    assert seconds_until(schedule, clock, 3 * 86400) == [86400, 2 * 86400, 3 * 86400]


def test_cron_may_have_seconds() -> None:
    """Six fields: nobody waits a minute for a test."""
    clock = StillClock()
    schedule = FlushSchedule(clock, cron=["*/20 * * * * *"])
    assert seconds_until(schedule, clock, 60) == [20, 40, 60]


def test_several_entries_are_merged_in_order() -> None:
    """Cron and intervals; two at the same instant are two flushes, of which one finds nothing."""
    clock = StillClock()
    schedule = FlushSchedule(clock, cron=["*/30 * * * * *"], intervals=[20 * SECOND, 30 * SECOND])
    assert seconds_until(schedule, clock, 60) == [20, 30, 30, 40, 60, 60, 60]


def test_flushes_that_were_missed_are_each_given_once() -> None:
    """A firewall that could not look for an hour must not flush for ever to catch up."""
    clock = StillClock()
    start = clock.now()
    schedule = FlushSchedule(clock, intervals=[10 * SECOND])
    taken = []
    while (instant := schedule.take(start + 35 * SECOND)) is not None:
        taken.append((instant - start) // SECOND)
    assert taken == [10, 20, 30]
    assert schedule.next_flush() == start + 40 * SECOND


def test_every_answer_lies_ahead_however_far_the_calendar_goes() -> None:
    """29 February: years apart, and still found."""
    clock = StillClock()
    schedule = FlushSchedule(clock, cron=["0 0 29 2 *"])
    first = schedule.next_flush()
    assert first is not None
    assert clock.wall(first).isoformat() == "2028-02-29T00:00:00+00:00"
