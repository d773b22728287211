"""What a filling table does to the timers of everybody in it."""

import pytest

from fwemu.core.choices import UnderPressure
from fwemu.core.endings import SWEEP
from fwemu.core.instants import SECOND
from fwemu.core.policy import PressurePolicy
from tests.kit import wire
from tests.kit.play import INSIDE, OUTSIDE, duration


def crowd(play, number, first=1):
    """So many open connections."""
    return [play.tcp(port=first + index).establish() for index in range(number)]


def pressed(play, policy, *, capacity=10, tcp_closed="10s", **settings):
    """A table of ten places under pressure of this kind."""
    pressure = PressurePolicy(policy=UnderPressure(policy), **settings)
    play.under(pressure=pressure, capacity=capacity, when_full="reject-new", tcp_closed=tcp_closed)


# -- twice as fast above a mark --


def test_timers_are_halved_above_the_mark(play):
    """PAN-OS: from 80 % on, sessions age twice as fast, until there are fewer again."""
    pressed(play, "accelerate")
    crowd(play, 7)
    play.wait("40m").nothing_ends()
    crowd(play, 3, first=100)
    play.wait("0s").expires(*["ESTABLISHED"] * 3)
    play.wait("19m").nothing_ends()
    play.wait("1m").expires(*["ESTABLISHED"] * 4)


def test_below_the_mark_timers_are_as_they_were(play):
    """Whoever is left lives as long as its state says."""
    pressed(play, "accelerate", tcp_closed="0s")
    conversations = crowd(play, 8)
    play.wait("29m").nothing_ends()
    conversations[0].client("R", seq=1).moves_to("CLOSE")
    play.wait("30m").nothing_ends()
    play.wait("1m").expires(*["ESTABLISHED"] * 7)


def test_the_factor_is_a_setting(play):
    """PAN-OS lets it be from 2 on."""
    pressed(play, "accelerate", start=50, factor=6)
    crowd(play, 5)
    play.wait("9m").nothing_ends()
    play.wait("1m").expires("ESTABLISHED")


def test_a_packet_never_passes_on_a_session_that_pressure_has_ended(play):
    """Whether the walk over the table has come to it or not."""
    pressed(play, "accelerate")
    conversations = crowd(play, 8)
    play.pass_unswept("30m")
    late = conversations[3].client("A", 1).dropped("unknown_packet")
    late.expires("ESTABLISHED").ends_ago("0s")


def test_no_error_passes_on_a_session_that_pressure_has_ended(play):
    """It is about a packet of a conversation that nobody remembers."""
    pressed(play, "accelerate")
    conversations = crowd(play, 8)
    play.pass_unswept("30m")
    data = wire.icmp_error(
        conversations[3].address[OUTSIDE],
        conversations[3].address[INSIDE],
        conversations[3].segment(INSIDE, "A", 1, 1),
    )
    play.receives(data, OUTSIDE).dropped("unrelated_icmp").expires("ESTABLISHED")


def test_the_table_is_walked_once_a_second(play):
    """In between, a session that is too old waits; nobody asks for it."""
    pressed(play, "accelerate")
    crowd(play, 8)
    play.wait("29m").nothing_ends()
    play.wait("59.9s").nothing_ends()
    assert play.firewall.next_deadline() == play.now + SECOND
    play.wait("1s").expires("ESTABLISHED")


def test_a_large_table_is_walked_some_at_a_time(play):
    """Packets never wait for the whole of it."""
    pressed(play, "accelerate", capacity=250)
    crowd(play, 200)
    for session in list(play.firewall.table)[:-1]:  # but for the last one, all have seen traffic
        session.restarted += duration("20m")
    play.now += duration("30m")
    ended = 0
    rounds = 0
    while (deadline := play.firewall.next_deadline()) is not None and deadline <= play.now:
        effects = play.firewall.tick(play.now)
        ended += len(effects)
        assert len(effects) <= SWEEP
        rounds += 1
    assert ended == 1
    assert rounds > 1


# -- in proportion --


@pytest.mark.parametrize(
    ("sessions", "minutes", "gone"), [(5, 60, 5), (6, 60, 6), (8, 40, 1), (9, 30, 1)]
)
def test_timers_shrink_in_proportion(play, sessions, minutes, gone):
    """pf: (end - n) / (end - start) of every timer, from 60 % to 120 % of the limit.

    Each that goes leaves the others more time.
    """
    pressed(play, "scale", start=60, stop=120)
    crowd(play, sessions)
    play.wait(f"{minutes - 1}m").nothing_ends()
    play.wait("1m").expires(*["ESTABLISHED"] * gone)


def test_at_the_end_of_the_scale_nothing_is_left(play):
    """A limit below the capacity purges whatever comes."""
    pressed(play, "scale", start=10, stop=50)
    crowd(play, 4)
    play.client("S").opens("SYN_SENT")
    play.wait("0s").expires("ESTABLISHED")


# -- early ageout --


def test_timers_are_cut_between_two_watermarks(play):
    """Junos: from the high watermark on, until the table is below the low one."""
    pressed(play, "early-ageout", start=80, stop=50, early_ageout=20 * SECOND)
    conversations = crowd(play, 8)
    play.wait("19s").nothing_ends()
    for conversation in conversations[:5]:
        conversation.client("A", 1).stays("ESTABLISHED")
    play.wait("1s").expires(*["ESTABLISHED"] * 3)  # five are left: not below the low one
    play.wait("18s").nothing_ends()
    play.wait("1s").expires("ESTABLISHED")  # four are: the others live on
    play.wait("59m").nothing_ends()


def test_a_timer_that_is_shorter_anyway_stays(play):
    """It is a cut, not a new timer."""
    pressed(play, "early-ageout", start=10, stop=5, early_ageout=60 * SECOND)
    crowd(play, 1)
    play.udp().client().opens("UDP_UNREPLIED")
    play.wait("30s").expires("UDP_UNREPLIED")
    play.wait("30s").expires("ESTABLISHED")


# -- settings --


def test_pressure_follows_the_settings(play):
    """Switched on while the table is full, it counts at once; switched off, it is gone."""
    play.under(capacity=10)
    crowd(play, 8)
    play.wait("31m")
    on = PressurePolicy(policy=UnderPressure.ACCELERATE)
    play.reconfigure(capacity=10)
    play.wait("0s").nothing_ends()
    play.reconfigure(capacity=10, pressure=on)
    play.wait("0s").expires("ESTABLISHED")


def test_without_pressure_nobody_walks(play):
    """An empty policy costs nothing."""
    crowd(play, 2)
    assert play.firewall._active.pressure.next_look() is None
