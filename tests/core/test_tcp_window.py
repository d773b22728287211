"""The window: its four bounds, each alone, and what moves them.

First the functions by themselves, wherever on the circle; then conversations.  After a handshake
in a story both ends offer 65535 octets, so that each may send up to 65536, and the next number of
each is 1.
"""

import pytest

from fwemu.core.endpoint import TcpEndpoint
from fwemu.core.flow import TCP, Direction
from fwemu.core.packet import parse
from fwemu.core.tcp_window import (
    MAX_ACK_WINDOW,
    Fit,
    WindowCheck,
    acknowledged,
    fit,
    learn,
    learn_first,
    learn_ignored_syn,
    learn_midstream,
    learn_syn,
)
from tests.kit import wire
from tests.kit.play import CLIENT, INSIDE, OUTSIDE, SERVER

MODULUS = 2**32
ORIGINAL, REPLY = Direction

ZEROS = [0, 5_000, 2**31 - 6_000, 2**31, MODULUS - 6_000, MODULUS - 1]
"""Where the numbers of a test begin: every bound meets the seam, and the opposite side."""

everywhere = pytest.mark.parametrize("zero", ZEROS)


def end(**known):
    """An end of which this is known."""
    one = TcpEndpoint()
    for name, value in known.items():
        setattr(one, name, value % MODULUS if name in ("next", "acked", "limit") else value)
    return one


def segment(flags, seq=0, ack=0, octets=0, *, window=1000, options=b""):
    """A packet with these numbers."""
    body = wire.tcp(1, 2, flags, seq, ack, bytes(octets), options, window)
    return parse(wire.ip(CLIENT[4], SERVER[4], TCP, body))


# -- the four bounds --


def fits(zero, *, seq=5_000, last=None, sack=200_000, window=500, offered=3_000, sent=5_000):
    """How this lies to a sender at 5000 that may go up to 9000, and a receiver at 200000."""
    sender = end(next=zero + sent, limit=zero + 9_000, window=window)
    receiver = end(next=zero + 200_000, window=offered)
    numbers = (seq, seq if last is None else last, sack)
    return fit(sender, receiver, *((zero + number) % MODULUS for number in numbers))


@everywhere
def test_i_a_segment_begins_no_further_than_the_receiver_has_offered(zero):
    """The limit itself is inside: a probe of a closed window begins there."""
    assert fits(zero, seq=9_000) is Fit.INSIDE
    assert fits(zero, seq=9_000, last=12_000) is Fit.INSIDE
    assert fits(zero, seq=9_001) is Fit.BEYOND


@everywhere
def test_beyond_is_no_more_than_a_window_too_far(zero):
    """Then the receiver may take it yet; further is nonsense."""
    assert fits(zero, seq=9_001, last=11_999) is Fit.BEYOND
    assert fits(zero, seq=9_001, last=12_000) is Fit.OUTSIDE
    assert fits(zero, seq=11_999) is Fit.BEYOND
    assert fits(zero, seq=12_000) is Fit.OUTSIDE
    assert fits(zero, seq=9_001, offered=0) is Fit.OUTSIDE


@everywhere
def test_beyond_is_only_what_is_right_in_all_else(zero):
    """It acknowledges what it may."""
    assert fits(zero, seq=9_001, sack=200_001) is Fit.OUTSIDE
    assert fits(zero, seq=9_001, sack=200_000 - MAX_ACK_WINDOW) is Fit.BEYOND
    assert fits(zero, seq=9_001, sack=200_000 - MAX_ACK_WINDOW - 1) is Fit.OUTSIDE
    assert fits(zero, seq=9_001, last=1_999) is Fit.OUTSIDE
    assert fits(zero, seq=9_001, last=9_100, sent=12_100) is Fit.BEYOND
    assert fits(zero, seq=9_001, last=9_100, sent=12_101) is Fit.OUTSIDE


@everywhere
def test_ii_a_segment_ends_no_earlier_than_a_window_before_the_last(zero):
    """What is older has been acknowledged long ago."""
    assert fits(zero, seq=0, last=2_000) is Fit.INSIDE
    assert fits(zero, seq=0, last=1_999) is Fit.LATE
    assert fits(zero, seq=0, last=1_999, offered=0) is Fit.INSIDE


@everywhere
def test_iii_nothing_is_acknowledged_that_was_not_sent(zero):
    """Nobody can have received it."""
    assert fits(zero, sack=200_000) is Fit.INSIDE
    assert fits(zero, sack=200_001) is Fit.OUTSIDE
    assert fits(zero, seq=0, last=1_999, sack=200_001) is Fit.OUTSIDE


@everywhere
def test_iv_an_acknowledgement_is_no_older_than_the_largest_window(zero):
    """66000, or what the sender has offered if that is more."""
    assert fits(zero, sack=200_000 - 66_000) is Fit.INSIDE
    assert fits(zero, sack=200_000 - 66_001) is Fit.LATE
    for window in (66_000, 66_001, 100_000):
        assert fits(zero, window=window, sack=200_000 - window) is Fit.INSIDE
        assert fits(zero, window=window, sack=200_000 - window - 1) is Fit.LATE


def test_an_end_that_has_not_spoken_is_at_zero():
    """Nothing but a RST or a segment without ACK comes here before it has."""
    sender = end(next=5, limit=5, window=1)
    assert fit(sender, end(), 5, 5, 0) is Fit.INSIDE
    assert fit(sender, end(), 5, 5, 1) is Fit.OUTSIDE


# -- what a segment teaches --


def learned(packet, *, sack=None, **known):
    """Sender and receiver after this segment; `known` begins with `s_` or `r_`."""
    sender = end(**{"next": 100, "limit": 9_000, "window": 500} | _of("s_", known))
    receiver = end(**{"next": 7_000, "limit": 8_000, "window": 600} | _of("r_", known))
    learn(sender, receiver, packet, packet.ack, packet.ack if sack is None else sack)
    return sender, receiver


def _of(prefix, known):
    return {name[2:]: value for name, value in known.items() if name.startswith(prefix)}


def test_the_largest_window_is_remembered():
    """A smaller one does not take back what was offered."""
    for window, kept in [(400, 500), (500, 500), (501, 501)]:
        sender, _ = learned(segment("A", 100, 7_000, window=window))
        assert sender.window == kept


def test_windows_are_scaled_but_for_that_of_a_syn():
    """RFC 7323 section 2.2."""
    for flags, window, limit in [("A", 8_000, 15_000), ("FA", 8_000, 15_000), ("SA", 1_000, 8_000)]:
        sender, receiver = learned(segment(flags, 99, 7_000), s_scale=3)
        assert (sender.window, receiver.limit) == (window, limit)


def test_what_is_acknowledged_selectively_makes_the_window_larger():
    """It has taken it up, above what it acknowledges."""
    sender, receiver = learned(segment("A", 100, 6_000, window=2_000), sack=7_000)
    assert sender.window == 3_000
    assert receiver.limit == 9_000
    assert sender.acked == 6_000


@everywhere
def test_numbers_only_go_forward(zero):
    """A late segment does not move them back; the seam is no end."""

    def number(value):
        return (zero + value) % MODULUS

    for octets, following, is_new in [(9, 100, False), (10, 100, False), (11, 101, True)]:
        packet = segment("A", zero + 90, zero + 7_000, octets)
        sender, _ = learned(packet, s_next=zero + 100, s_limit=zero + 9_000, r_next=zero + 7_000)
        assert (sender.next, sender.is_unacknowledged) == (number(following), is_new)
    for ack, kept in [(5_999, 6_000), (6_000, 6_000), (6_001, 6_001)]:
        sender, _ = learned(segment("A", 100, zero + ack), s_acked=zero + 6_000)
        assert sender.acked == number(kept)
    for window, limit in [(999, 8_000), (1_000, 8_000), (1_001, 8_001)]:
        packet = segment("A", zero + 100, zero + 7_000, window=window)
        _, receiver = learned(packet, s_next=zero + 100, r_limit=zero + 8_000)
        assert receiver.limit == number(limit)


def test_half_the_circle_away_is_not_forward():
    """Such a number is a guess of somebody else's."""
    half = 2**31
    sender, receiver = learned(
        segment("A", 100 + half, 50 + half, window=0), s_acked=50, r_limit=50
    )
    assert (sender.next, sender.acked, receiver.limit) == (100, 50, 50)
    sender, receiver = learned(segment("A", 99 + half, 49 + half, window=0), s_acked=50, r_limit=50)
    assert (sender.next, sender.acked, receiver.limit) == (99 + half, 49 + half, 50 + half)


def test_a_segment_without_ack_acknowledges_nothing():
    """The field is there, and means nothing."""
    sender, _ = learned(segment("S", 99, 6_500))
    assert sender.acked is None
    sender, _ = learned(segment("SA", 99, 6_500))
    assert sender.acked == 6_500


def test_a_closed_window_lets_one_octet_through():
    """The probe that asks whether it is open again (RFC 9293 section 3.8.6.1)."""
    for limit in (6_999, 7_000):
        _, receiver = learned(segment("A", 100, 7_000, window=0), r_limit=limit)
        assert receiver.limit == 7_001
    _, receiver = learned(segment("A", 100, 7_000, window=0), r_limit=7_001)
    assert receiver.limit == 7_001


def test_what_overshoots_makes_the_window_of_its_receiver_larger():
    """It may have had more room than it said; nothing is added for an end that was never heard."""
    packet = segment("A", 8_990, 7_000, 30)
    _, receiver = learned(packet)
    assert receiver.window == 620
    _, receiver = learned(packet, r_window=0)
    assert receiver.window == 0
    for octets in (0, 9, 10):
        _, receiver = learned(segment("A", 8_990, 7_000, octets))
        assert receiver.window == 600


def test_what_is_acknowledged_in_full_is_no_longer_outstanding():
    """The last number, and no other."""
    for ack, outstanding in [(6_999, True), (7_000, False)]:
        _, receiver = learned(segment("A", 100, ack), r_is_unacknowledged=True)
        assert receiver.is_unacknowledged is outstanding
    _, receiver = learned(segment("A", 100, 6_999), sack=7_000, r_is_unacknowledged=True)
    assert receiver.is_unacknowledged


# -- what a segment acknowledges --


def test_an_acknowledgement_is_taken_as_it_stands():
    """With and without selective ones."""
    receiver = end(next=500, is_selective=True)
    assert acknowledged(receiver, segment("A", ack=300)) == (300, 300)
    blocks = wire.sack((310, 350), (400, 450), (360, 370))
    assert acknowledged(receiver, segment("A", ack=300, options=blocks)) == (300, 450)
    assert acknowledged(end(next=500), segment("A", ack=300, options=blocks)) == (300, 300)


@everywhere
def test_edges_below_the_acknowledgement_are_no_news(zero):
    """A duplicate is reported like this (RFC 2883)."""
    blocks = wire.sack((zero + 100, zero + 200))
    for ack, sack in [(199, 200), (200, 200), (300, 300)]:
        packet = segment("A", ack=zero + ack, options=blocks)
        numbers = acknowledged(end(is_selective=True), packet)
        assert numbers == ((zero + ack) % MODULUS, (zero + sack) % MODULUS)


def test_without_ack_everything_counts_as_acknowledged():
    """So does a RST of a stack that sets ACK with number zero."""
    receiver = end(next=500)
    assert acknowledged(receiver, segment("R", ack=777)) == (500, 500)
    assert acknowledged(receiver, segment("RA", ack=0)) == (500, 500)
    assert acknowledged(receiver, segment("RA", ack=1)) == (1, 1)
    assert acknowledged(receiver, segment("A", ack=0)) == (0, 0)
    assert acknowledged(end(), segment("S", ack=777)) == (0, 0)


# -- beginnings --

EVERYTHING = wire.scale(7) + wire.SACK_PERMITTED


def test_a_syn_opens():
    """Its window is not scaled, and it has been offered nothing yet."""
    sender, receiver = end(), end()
    assert not learn_syn(sender, receiver, segment("S", 99, 5, window=777, options=EVERYTHING))
    assert (sender.first, sender.next, sender.limit, sender.window) == (100, 100, 100, 777)
    assert (sender.scale, sender.has_scale, sender.is_selective) == (7, True, True)
    assert sender.acked is None
    assert receiver.state() == end().state()


def test_a_syn_with_data_and_without_options():
    """TCP Fast Open; the data counts."""
    sender = end()
    learn_syn(sender, end(), segment("S", 99, 0, 50, window=0))
    assert (sender.first, sender.next, sender.limit, sender.window) == (150, 150, 150, 1)
    assert (sender.scale, sender.has_scale, sender.is_selective) == (0, False, False)


def test_an_ack_joins_in_the_middle():
    """Anything may be scaled or selective there."""
    for window, kept in [(777, 777), (0, 1)]:
        sender, receiver = end(), end()
        assert learn_syn(sender, receiver, segment("A", MODULUS - 5, 42, 10, window=window))
        assert (sender.first, sender.next, sender.acked) == (None, 5, 42)
        assert (sender.limit, sender.window) == (5 + kept, kept)
        assert sender.is_selective
        assert receiver.is_selective
        assert receiver.next is None


@pytest.mark.parametrize(
    ("client", "server", "scales"),
    [
        (wire.scale(7), wire.scale(9), (7, 9)),
        (wire.scale(7), wire.scale(0), (7, 0)),
        (wire.scale(7), b"", (0, 0)),
        (b"", wire.scale(9), (0, 0)),
        (b"", b"", (0, 0)),
    ],
)
def test_both_ends_scale_or_none(client, server, scales):
    """RFC 7323 section 2.2."""
    original, reply = end(), end()
    learn_syn(original, reply, segment("S", options=client))
    learn_first(reply, original, segment("SA", options=server))
    assert (original.scale, reply.scale) == scales


def test_a_repeated_syn_may_announce_something_else():
    """A retransmission without options, as some stacks try; nobody has answered yet."""
    original, reply = end(), end()
    learn_syn(original, reply, segment("S", 100, options=EVERYTHING))
    original.acked = 5
    learn_first(original, reply, segment("S", 200, options=wire.scale(3)))
    assert (original.first, original.next, original.limit) == (201, 201, 201)
    assert (original.scale, original.is_selective, original.acked) == (3, False, None)


def test_the_first_answer_in_a_joined_stream():
    """Its window is what it says, and it may answer a keepalive probe."""
    sender, receiver = end(scale=2), end(next=100, window=5)
    learn_midstream(sender, receiver, segment("A", MODULUS - 1, 100, 3, window=10), 100)
    assert (sender.next, sender.window, sender.limit) == (2, 40, 42)
    assert receiver.next == 100
    learn_midstream(sender, receiver, segment("A", 5, 101, window=0), 101)
    assert (sender.window, sender.limit) == (1, 6)
    assert receiver.next == 101
    learn_midstream(sender, receiver, segment("A", 5, 103), 103)
    assert receiver.next == 101
    receiver = end(next=MODULUS - 1)
    learn_midstream(sender, receiver, segment("A", 5, 0), 0)
    assert receiver.next == 0


def test_a_syn_that_is_believed_after_all():
    """Nothing of the former connection is left, but for what was counted."""
    known = dict.fromkeys(TcpEndpoint.__slots__, 9)
    sender, receiver = end(**known), end(**known)
    sender.packets = receiver.packets = 3
    learn_ignored_syn(sender, receiver, 500, 0, EVERYTHING)
    assert sender.state() == end().state()
    assert (
        receiver.state()
        == end(
            first=500, next=500, limit=500, window=1, scale=7, has_scale=True, is_selective=True
        ).state()
    )
    assert (sender.packets, receiver.packets) == (3, 3)


# -- conversations --


def opened(play, client=b"", server=b"", client_window=65535, server_window=65535):
    """A handshake in which the ends announce this."""
    play.client("S", options=client).opens("SYN_SENT")
    play.server("SA", options=server, window=server_window).moves_to("SYN_RECV")
    play.client("A", window=client_window).moves_to("ESTABLISHED")
    return play.conversation.session


def test_data_up_to_what_was_offered(play):
    """The limit itself is inside, and some more passes; then it is refused."""
    opened(play)
    play.client("A", seq=65536).stays("ESTABLISHED")
    play.client("A", 10, seq=131_060).is_ignored()
    play.client("A", 10, seq=131_061).dropped("out_of_window")


def test_a_refused_segment_says_so(play):
    """The log can be followed from the drop to the session."""
    session = opened(play)
    (refused,) = play.server("A", 10, seq=1_000_000).dropped("out_of_window").effects
    assert refused.session == session.id
    assert refused.segment.name == "ACK"


def test_a_segment_that_begins_inside_may_end_outside(play):
    """Some stacks send more than they may; what is acknowledged of it fits."""
    opened(play)
    play.client("A", 1000, seq=65000).stays("ESTABLISHED")
    play.server("A", ack=66000).stays("ESTABLISHED")


def test_data_in_order_may_end_outside_as_well(play):
    """The receiver has room for what it took, so the window that it offered was larger."""
    receiver = opened(play).ends[REPLY]
    play.client("A", 65_000).stays("ESTABLISHED")
    assert receiver.window == 65_535
    play.client("A", 1_000).stays("ESTABLISHED")
    assert receiver.window == 65_535 + 465
    play.server("A", ack=66_001).stays("ESTABLISHED")


def test_too_much_by_little_passes_and_can_be_acknowledged(play):
    """Otherwise all that follows would acknowledge what was never seen."""
    session = opened(play)
    client = session.ends[ORIGINAL]
    play.wait("59m")
    play.client("A", 100, seq=65600).is_ignored()
    assert client.is_unacknowledged
    assert (client.packets, client.limit) == (2, (play.conversation.isn[INSIDE] + 65536) % MODULUS)
    play.wait("1m").expires("ESTABLISHED")
    play.tcp(port=2).establish()


def test_what_overshot_is_acknowledged(play):
    """Even if a part of it arrives in the wrong order."""
    opened(play)
    play.client("A", 100, seq=65700).is_ignored()
    play.client("A", 100, seq=65600).is_ignored()
    play.server("A", ack=65801).dropped("out_of_window")
    play.server("A", ack=65800).stays("ESTABLISHED")


def test_old_duplicates_pass_and_refresh_nothing(play):
    """They wandered about in the net; the receiver knows what to do with them."""
    opened(play)
    for _ in range(2):
        play.client("A", 60_000).stays("ESTABLISHED")
        play.server("A").stays("ESTABLISHED")
    play.wait("59m")
    play.client("A", 100, seq=54_365).is_ignored().changes_nothing()
    play.wait("1m").expires("ESTABLISHED")


def test_a_retransmission_within_a_window_is_an_ordinary_segment(play):
    """One octet further, and it refreshes."""
    opened(play)
    for _ in range(2):
        play.client("A", 60_000).stays("ESTABLISHED")
        play.server("A").stays("ESTABLISHED")
    play.wait("59m")
    play.client("A", 100, seq=54_366).stays("ESTABLISHED")
    play.wait("59m").nothing_ends()


def test_acknowledgements_of_what_was_not_sent(play):
    """From either end: the next number, and one more."""
    opened(play)
    play.client("A", 100).stays("ESTABLISHED")
    play.server("A", ack=102).dropped("out_of_window")
    play.server("A", ack=101).stays("ESTABLISHED")
    play.client("A", ack=2).dropped("out_of_window")
    play.server("A", 100, ack=102).dropped("out_of_window")
    play.client("FA", ack=2).dropped("out_of_window")


def test_overly_old_acknowledgements(play):
    """66000 behind is late, though it changes nothing."""
    opened(play)
    for _ in range(2):
        play.client("A", 60_000).stays("ESTABLISHED")
        play.server("A").stays("ESTABLISHED")
    play.server("A", ack=54_001).stays("ESTABLISHED")
    play.server("A", ack=54_000).is_ignored().changes_nothing()


def test_a_late_fin_does_not_close(play):
    """It is ignored with all it says."""
    opened(play)
    for _ in range(2):
        play.client("A", 60_000).stays("ESTABLISHED")
        play.server("A").stays("ESTABLISHED")
    play.client("FA", seq=54_464).is_ignored().changes_nothing()
    assert play.conversation.state == "ESTABLISHED"
    play.client("FA", seq=54_465).moves_to("FIN_WAIT")


def test_out_of_order_data(play):
    """The third before the second before the first."""
    opened(play)
    for seq in (2001, 1001, 1):
        play.client("A", 1000, seq=seq).stays("ESTABLISHED")
    play.server("A").stays("ESTABLISHED")
    assert (
        play.conversation.session.ends[ORIGINAL].next
        == (play.conversation.isn[INSIDE] + 3001) % MODULUS
    )


@pytest.mark.parametrize(
    ("client", "server", "factor"),
    [
        (wire.scale(7), wire.scale(3), 128),
        (wire.scale(14), wire.scale(0), 16384),
        (wire.scale(15), wire.scale(0), 16384),
        (wire.scale(7), b"", 1),
        (b"", wire.scale(7), 1),
    ],
)
def test_scaling_in_one_direction(play, client, server, factor):
    """What the client offers, the server may send; and only if both said that they scale."""
    opened(play, client, server, client_window=1000)
    edge = 1 + 1000 * factor
    play.server("A", 1, seq=edge).stays("ESTABLISHED")
    play.server("A", 1, seq=edge + 1).is_ignored()


@pytest.mark.parametrize(
    ("client", "server", "factor"),
    [(wire.scale(3), wire.scale(7), 128), (b"", wire.scale(7), 1), (wire.scale(7), b"", 1)],
)
def test_scaling_in_the_other_direction(play, client, server, factor):
    """The window of the SYN-ACK itself is not scaled."""
    opened(play, client, server, server_window=1000)
    play.client("A", 1, seq=1001).stays("ESTABLISHED")
    play.client("A", 1, seq=1002).is_ignored()
    play.server("A", ack=1, window=2000).stays("ESTABLISHED")
    edge = 1 + 2000 * factor
    play.client("A", 1, seq=edge).stays("ESTABLISHED")
    play.client("A", 1, seq=edge + 1).is_ignored()


def test_a_window_that_shrinks_takes_nothing_back(play):
    """What was offered may be on its way."""
    opened(play)
    play.server("A", window=100).stays("ESTABLISHED")
    play.client("A", 1, seq=65536).stays("ESTABLISHED")


def test_a_closed_window_and_its_probes(play):
    """One octet at a time asks whether there is room again."""
    opened(play, server_window=1000)
    play.client("A", 1000).stays("ESTABLISHED")
    play.server("A", window=0).stays("ESTABLISHED")
    for _ in range(3):
        play.client("A", 1, seq=1001).stays("ESTABLISHED")
        play.server("A", ack=1001, window=0).stays("ESTABLISHED")
    play.client("A", seq=1000, ack=1).stays("ESTABLISHED")
    play.client("A", 1, seq=1003).is_ignored()
    play.server("A", ack=1002, window=5000).stays("ESTABLISHED")
    play.client("A", 1, seq=6002).stays("ESTABLISHED")
    play.client("A", 1, seq=6003).is_ignored()


@pytest.mark.parametrize("octets", [0, 1])
def test_a_keepalive_probe_is_inside_even_with_a_closed_window(play, octets):
    """It lies one below everything; the receiver's window may be as small as can be."""
    play.client("S").opens("SYN_SENT")
    play.server("SA", window=0).moves_to("SYN_RECV")
    play.client("A").moves_to("ESTABLISHED")
    play.client("A", octets, seq=0).probes()
    play.server("A", window=0).stays("ESTABLISHED")


# -- selective acknowledgements --


def selective(play):
    """Both ends permit them, and the client has sent 3000 octets."""
    opened(play, wire.SACK_PERMITTED, wire.SACK_PERMITTED)
    play.client("A", 3000).stays("ESTABLISHED")


def test_blocks_of_what_was_sent(play):
    """The highest right edge counts, whatever its place."""
    selective(play)
    play.server("A", ack=1, sack=[(2001, 3001), (1001, 1501)]).stays("ESTABLISHED")
    play.server("A", ack=1, sack=[(1001, 1501), (2001, 3001)]).stays("ESTABLISHED")


def test_a_block_of_what_was_not_sent(play):
    """Bound III is for the highest number that is acknowledged in any way."""
    selective(play)
    play.server("A", ack=1, sack=[(2001, 3002)]).dropped("out_of_window")
    play.server("A", ack=1, sack=[(2001, 3002), (1001, 1501)]).dropped("out_of_window")


def test_blocks_that_the_receiver_did_not_permit_say_nothing(play):
    """Nobody will read them."""
    opened(play, b"", wire.SACK_PERMITTED)
    play.client("A", 3000).stays("ESTABLISHED")
    play.server("A", ack=1, sack=[(2001, 90_000)]).stays("ESTABLISHED")


def test_what_is_acknowledged_selectively_gives_room(play):
    """The window counts from the highest edge for us, since we cannot know what is buffered."""
    selective(play)
    play.server("A", ack=1, sack=[(2001, 3001)]).stays("ESTABLISHED")
    play.client("A", 1, seq=3001 + 65535).stays("ESTABLISHED")
    play.client("A", 1, seq=3001 + 65536).is_ignored()


def test_a_hole_that_stays_open_for_long(play):
    """An old acknowledgement is not too old while its blocks are new: bound IV."""
    opened(play, wire.SACK_PERMITTED, wire.SACK_PERMITTED)
    for _ in range(2):
        play.client("A", 60_000).stays("ESTABLISHED")
        play.server("A").stays("ESTABLISHED")
    play.server("A", ack=50_000).is_ignored().changes_nothing()
    play.server("A", ack=50_000, sack=[(53_000, 54_000)]).is_ignored().changes_nothing()
    play.server("A", ack=50_000, sack=[(53_000, 54_001)]).stays("ESTABLISHED")


# -- settings --


def test_a_liberal_firewall_passes_everything_and_learns_nothing_from_it(play):
    """`liberal`: whatever the states allow."""
    session = opened(play.under(window="liberal"))
    before = [end.state() for end in session.ends]
    play.client("A", 10, seq=900_000).stays("ESTABLISHED")
    play.server("A", ack=900_000).stays("ESTABLISHED")
    play.server("A", 10, ack=1, seq=-900_000).stays("ESTABLISHED")
    assert [end.state() for end in session.ends] == before
    play.client("FA", seq=900_000).moves_to("FIN_WAIT")


def test_a_liberal_firewall_remembers_what_is_beyond_by_little(play):
    """As a strict one does."""
    session = opened(play.under(window="liberal"))
    play.client("A", 10, seq=65_600).stays("ESTABLISHED")
    client = session.ends[ORIGINAL]
    assert client.next == (play.conversation.isn[INSIDE] + 65_610) % MODULUS
    assert client.is_unacknowledged


def test_a_liberal_firewall_refreshes_for_old_duplicates(play):
    """They belong to the session like all others."""
    opened(play.under(window="liberal"))
    play.client("A", 60_000)
    play.server("A")
    play.client("A", 60_000)
    play.wait("59m")
    play.client("A", 1, seq=1).stays("ESTABLISHED")
    play.wait("59m").nothing_ends()


def test_without_the_check_everything_is_believed(play):
    """`off`: numbers only go forward."""
    session = opened(play.under(window="off"))
    play.client("A", 10, seq=900_000, ack=500).stays("ESTABLISHED")
    play.client("A", 10, seq=1).stays("ESTABLISHED")
    client = session.ends[ORIGINAL]
    assert client.next == (play.conversation.isn[INSIDE] + 900_010) % MODULUS
    assert client.acked == play.conversation.isn[OUTSIDE] + 500


def test_the_setting_can_change_while_a_connection_is_open(play):
    """From the next segment on."""
    opened(play)
    play.client("A", 10, seq=900_000).dropped("out_of_window")
    play.reconfigure(window="off").nothing_ends()
    play.client("A", 10, seq=900_000).stays("ESTABLISHED")
    play.reconfigure(window="strict").nothing_ends()
    play.client("A", 10, seq=2_000_000).dropped("out_of_window")


def test_the_words_of_the_setting():
    """They stand in people's files."""
    assert [each.value for each in WindowCheck] == ["strict", "liberal", "off"]
