"""The moment a session's timer runs out, and who hears of it."""

import pytest

from fwemu.core.endings import SWEEP
from tests.kit.play import INSIDE, duration

# -- who hears --

NOBODY: tuple[str, ...] = ()
CLIENT_HEARS = "client gets RA seq 201 ack 101"
SERVER_HEARS = "server gets RA seq 101 ack 201"


def exchange(play):
    """A connection on which 100 octets went one way and 200 the other."""
    play.conversation.establish()
    play.client("A", 100).stays("ESTABLISHED")
    play.server("A", 200).stays("ESTABLISHED")
    play.client("A").stays("ESTABLISHED")


@pytest.mark.parametrize(
    ("at_expiry", "lines"),
    [
        ("silent", NOBODY),
        ("reset-both", (CLIENT_HEARS, SERVER_HEARS)),
        ("reset-original", (CLIENT_HEARS,)),
        ("reset-reply", (SERVER_HEARS,)),
    ],
)
def test_who_is_told_that_an_established_session_expired(play, at_expiry, lines):
    """Each RST carries exactly the number that its receiver expects (RFC 5961 section 3.2)."""
    play.under(at_expiry=at_expiry)
    exchange(play)
    play.wait("59m").says_nothing()
    play.wait("1m").expires("ESTABLISHED").says(*lines)
    play.wait("1h").nothing_ends().says_nothing()


def test_original_is_the_end_that_opened(play):
    """Wherever it stands."""
    play.under(at_expiry="reset-original", default_outside="allow")
    play.server("S")
    play.client("SA")
    play.server("A", 10)
    play.client("A")
    outcome = play.wait("1h").expires("ESTABLISHED")
    outcome.says("server gets RA seq 1 ack 11")
    assert outcome.effects[1].session == 1


def test_data_that_was_not_acknowledged_does_not_move_the_number(play):
    """The receiver expects what it last acknowledged, not what was sent and perhaps lost."""
    play.under(at_expiry="reset-reply")
    play.conversation.establish()
    play.server("A", seq=1, ack=1)
    play.client("A", 500)
    play.wait("1h").says("server gets RA seq 1 ack 1")


def test_a_late_packet_does_not_move_the_numbers_back(play):
    """Reordered on the way; both ends are further on."""
    play.under(at_expiry="reset-both")
    exchange(play)
    play.client("A", 50, seq=1, ack=1)
    play.wait("1h").says(CLIENT_HEARS, SERVER_HEARS)


@pytest.mark.parametrize(
    "packets",
    [
        ["client S"],
        ["client S", "server S"],
        ["client S", "server SA"],
        ["client S", "server SA", "client A", "client FA"],
        ["client S", "server SA", "client A", "client FA", "server A"],
        ["client S", "server SA", "client A", "client FA", "server FA"],
        ["client S", "server SA", "client A", "client FA", "server FA", "client A"],
        ["client S", "server SA", "client A", "client R"],
    ],
)
def test_nobody_is_told_of_half_open_or_closing_sessions(play, packets):
    """There is nobody left to disappoint, or not yet."""
    play.under(at_expiry="reset-both")
    for who, flags in map(str.split, packets):
        getattr(play, who)(flags)
    state = play.conversation.state
    play.wait("2m").expires(state).says_nothing()


def test_nobody_is_told_of_sessions_that_are_not_tcp(play):
    """There is no RST in UDP or ICMP."""
    play.under(at_expiry="reset-both")
    conversation = play.udp()
    conversation.client().opens("UDP_UNREPLIED")
    conversation.server().moves_to("UDP_REPLIED")
    play.ping().client("echo").opens("ICMP")
    play.wait("1h").expires("ICMP", "UDP_REPLIED").says_nothing()


def test_the_rsts_of_a_late_sweep_bear_the_deadline(play):
    """They belong to the moment of the expiry, whenever it was noticed."""
    play.under(at_expiry="reset-both")
    exchange(play)
    play.pass_unswept("90m")
    outcome = play.client("A").dropped("unknown_packet").expires("ESTABLISHED")
    outcome.ends_ago("30m").says(CLIENT_HEARS, SERVER_HEARS)
    ended, *resets, _ = outcome.effects
    assert {effect.at for effect in resets} == {ended.at}


# -- the exact moment --


def test_one_nanosecond_before_the_deadline_it_lives(play):
    """And the packet that comes then starts the hour anew."""
    play.conversation.establish()
    play.now += duration("1h") - 1
    play.wait("0s").nothing_ends()
    play.client("A", 1).stays("ESTABLISHED")
    play.now += duration("1h") - 1
    play.server("A", 1).stays("ESTABLISHED")


def test_at_the_deadline_it_is_dead(play):
    """Swept or not, the verdict is the same."""
    play.conversation.establish()
    play.pass_unswept("1h")
    play.client("A", 1).dropped("unknown_packet").expires("ESTABLISHED").ends_ago("0s")


def test_a_late_sweep_changes_nothing(play):
    """The session ended at its deadline, and the verdicts since were those of its absence."""
    play.conversation.establish()
    play.pass_unswept("5h")
    play.wait("0s").expires("ESTABLISHED").ends_ago("4h")


def test_a_late_sweep_lets_a_new_connection_begin(play):
    """A SYN on the addresses of an expired session is a new connection, not a repeat."""
    play.conversation.establish()
    play.pass_unswept("5h")
    new = play.conversation.again()
    new.client("S").opens("SYN_SENT").expires("ESTABLISHED").ends_ago("4h")
    new.server("SA").moves_to("SYN_RECV")


def test_a_refused_packet_tells_of_the_death_it_found(play):
    """The end of a session is never lost, whatever becomes of the packet."""
    play.conversation.establish()
    play.reconfigure(default_inside="deny")
    play.pass_unswept("5h")
    outcome = play.conversation.again().client("S").dropped("denied")
    outcome.expires("ESTABLISHED").ends_ago("4h")


def test_ticks_at_any_time_are_harmless(play):
    """Early, repeated, in between."""
    play.conversation.establish()
    for _ in range(10):
        play.wait("0s").nothing_ends()
    play.wait("1h").expires("ESTABLISHED")
    for _ in range(3):
        play.wait("0s").nothing_ends()


def test_sessions_end_in_the_order_of_their_deadlines(play):
    """Whatever order they were opened in."""
    play.under(tcp_established="2h")
    first = play.tcp(port=1).establish()
    play.wait("30m")
    second = play.tcp(port=2).establish()
    play.udp().client()
    play.wait("1s")
    first.client("A", 1)
    play.pass_unswept("9h")
    outcome = play.wait("0s").expires("UDP_UNREPLIED", "ESTABLISHED", "ESTABLISHED")
    assert [effect.id for effect in outcome.effects] == [3, 2, 1]
    assert second.find() is None


# -- the next deadline --


def test_no_sessions_no_deadline(play):
    """The daemon may sleep."""
    assert play.firewall.next_deadline() is None
    play.conversation.establish()
    assert play.firewall.next_deadline() is not None
    play.wait("1h")
    assert play.firewall.next_deadline() is None


def test_the_next_deadline_is_never_late(play):
    """It may be early: then there is nothing to do, and it is asked again."""
    play.client("S")
    assert play.firewall.next_deadline() == play.now + duration("30s")
    play.conversation.again()
    play.server("SA")
    play.client("A")
    looks = 0
    while (deadline := play.firewall.next_deadline()) < play.now + duration("1h"):
        assert play.firewall.tick(deadline) == ()
        looks += 1
    assert deadline == play.now + duration("1h")
    assert looks <= 2


def test_a_shorter_lifetime_is_an_earlier_deadline(play):
    """An hour becomes ten seconds when a RST comes: the daemon must not oversleep."""
    play.conversation.establish()
    play.wait("30s")
    play.client("R").moves_to("CLOSE")
    assert play.firewall.next_deadline() == play.now + duration("10s")


def test_a_tick_ends_a_bounded_number_of_sessions(play):
    """A mass expiry must not hold packets up; the next deadline says that more is to do."""
    count = 1500
    play.under(capacity=count)
    firewall = play.firewall
    for port in range(count):
        data = play.tcp(port=port).segment(INSIDE, "S", 0, 0)
        firewall.handle(data, play.now, INSIDE)
    now = play.now + duration("30s")
    ended = []
    while (deadline := firewall.next_deadline()) is not None:
        assert deadline <= now
        ended.append(len(firewall.tick(now)))
    assert 0 < max(ended) <= SWEEP < count
    assert sum(ended) == count


def test_a_tick_does_not_correct_every_busy_session_at_once(play):
    """A hundred thousand busy sessions may stand in the queue with old deadlines: no pause."""
    play.under(capacity=3 * SWEEP)
    firewall = play.firewall
    for port in range(1, 2 * SWEEP + 1):
        conversation = play.udp(port=port)
        conversation.client()
        conversation.server()
    now = play.now + duration("30s")

    assert firewall.tick(now) == ()
    assert firewall.next_deadline() <= now
    assert firewall.tick(now) == ()
    assert firewall.next_deadline() > now
    assert len(firewall.table) == 2 * SWEEP
