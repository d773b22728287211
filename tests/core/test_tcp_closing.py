"""The end of a connection: whose FIN it is, and which ACK is the last (`tcp.closing`).

A device that counts FINs by flags takes a repeated one for the other end's, and any ACK for the
one that was due.  Where nothing is kept after the close it then forgets a connection in use.
"""

import pytest

from tests.kit import wire
from tests.kit.play import INSIDE, OUTSIDE


def chatted(play):
    """An open connection on which both ends have sent 100 octets, all of it acknowledged."""
    play.conversation.establish()
    play.client("A", 100)
    play.server("A", 100)
    play.client("A")
    return play


# -- whose FIN --


@pytest.mark.parametrize(("first", "second"), [("client", "server"), ("server", "client")])
def test_a_fin_that_comes_again_is_not_the_other_end_s(play, first, second):
    """Before its ACK and after it, from whichever end; the other end may go on for long."""
    closes, goes_on = getattr(chatted(play), first), getattr(play, second)
    closes("FA").moves_to("FIN_WAIT")
    closes("FA", seq=101).stays("FIN_WAIT")
    goes_on("A").moves_to("CLOSE_WAIT")
    closes("FA", seq=101).stays("CLOSE_WAIT")
    goes_on("A", 1000).stays("CLOSE_WAIT")
    closes("A").stays("CLOSE_WAIT")
    goes_on("FA").moves_to("LAST_ACK")
    goes_on("FA", seq=1101).stays("LAST_ACK")
    closes("A").moves_to("TIME_WAIT")


def test_a_repeated_fin_restarts_the_timer_and_ends_nothing(play):
    """With no time after the close, a session that was taken for closed would be gone."""
    play.under(tcp_time_wait="0s", tcp_close_wait="10m")
    chatted(play).client("FA").moves_to("FIN_WAIT")
    play.client("FA", seq=101).stays("FIN_WAIT")
    play.server("A").moves_to("CLOSE_WAIT").nothing_ends()
    play.server("A", 1000).stays("CLOSE_WAIT").ends_up_alive(within="10m")


def test_by_flags_a_fin_that_comes_again_is_the_other_end_s(play):
    """So does Linux, which keeps the session two minutes longer, and as long as it is used."""
    play.under(closing="by-flags")
    chatted(play).client("FA").moves_to("FIN_WAIT")
    play.client("FA", seq=101).moves_to("LAST_ACK")
    play.server("A").moves_to("TIME_WAIT")
    play.server("A", 1000).stays("TIME_WAIT")
    play.server("FA").stays("TIME_WAIT")


# -- which ACK --


def test_an_ack_that_does_not_cover_the_fin_is_not_the_one_that_is_due(play):
    """The receiver of a FIN acknowledges the data before it first."""
    chatted(play).client("FA", 1000).moves_to("FIN_WAIT")
    play.server("A", ack=600).stays("FIN_WAIT")
    play.server("A", 10, ack=1101).stays("FIN_WAIT")
    play.client("A").stays("FIN_WAIT")
    play.server("A", ack=1102).moves_to("CLOSE_WAIT")


def test_the_close_is_over_when_both_fins_are_acknowledged(play):
    """The answer and the FIN behind it were on their way together."""
    chatted(play).client("FA").moves_to("FIN_WAIT")
    play.server("A").moves_to("CLOSE_WAIT")
    play.server("A", 1000)
    play.server("FA", 1000).moves_to("LAST_ACK")
    play.client("A", ack=1101).stays("LAST_ACK")
    play.server("A", seq=2102).stays("LAST_ACK")
    play.client("A", ack=2101).stays("LAST_ACK")
    play.client("A", ack=2102).moves_to("TIME_WAIT")


def test_a_fin_may_acknowledge_the_other_one(play):
    """A FIN that is repeated says what its end has received meanwhile."""
    chatted(play).client("FA").moves_to("FIN_WAIT")
    play.server("FA", ack=101).moves_to("LAST_ACK")
    play.client("FA", seq=101, ack=102).stays("LAST_ACK")
    play.server("A", ack=102).moves_to("TIME_WAIT")


def test_by_flags_any_ack_is_the_one_that_is_due(play):
    """Also that of the end that has closed."""
    play.under(closing="by-flags")
    chatted(play).client("FA", 1000).moves_to("FIN_WAIT")
    play.client("A", seq=1102).moves_to("CLOSE_WAIT")
    play.server("FA", ack=101).moves_to("LAST_ACK")
    play.server("A", ack=101).moves_to("TIME_WAIT")


# -- where numbers are not checked, not known, or come late --


@pytest.mark.parametrize("window", ["liberal", "off"])
def test_fins_are_counted_by_end_where_windows_are_not_checked(play, window):
    """A device may know whose a FIN is without looking at windows."""
    play.under(window=window)
    test_a_fin_that_comes_again_is_not_the_other_end_s(play, "client", "server")


def test_fins_are_counted_by_end_in_a_connection_that_was_picked_up(play):
    """Its numbers are those that are seen."""
    play.under(inside="pick-up")
    play.client("A", seq=1, ack=1).picked_up()
    play.server("A", ack=1)
    play.client("FA").moves_to("FIN_WAIT")
    play.client("FA", seq=1).stays("FIN_WAIT")
    play.server("A").moves_to("CLOSE_WAIT")
    play.server("FA").moves_to("LAST_ACK")
    play.client("A").moves_to("TIME_WAIT")


def test_a_fin_in_fragments_ends_where_its_last_part_does(play):
    """The ACK to its first part does not cover it."""
    chatted(play)
    isn = play.conversation.isn
    fin = wire.tcp(40000, 80, "FA", isn[INSIDE] + 101, isn[OUTSIDE] + 101, bytes(1000))
    first = play.conversation.packet(INSIDE, fin[:200], fragment=(7, 0, True))
    last = play.conversation.packet(INSIDE, fin[200:], fragment=(7, 25, False))
    play.receives(first, INSIDE, "the first part", play.conversation).moves_to("FIN_WAIT")
    play.receives(last, INSIDE).accepted("fragment")
    play.server("A", ack=300).stays("FIN_WAIT")
    play.server("A", ack=1102).moves_to("CLOSE_WAIT")


def test_after_a_failover_any_ack_is_the_last_if_no_number_is_known(play):
    """Peers replicate states, not numbers; whose FIN it was is remembered."""
    play.under(lag="0s")
    chatted(play).client("FA").moves_to("FIN_WAIT")
    play.server("A").moves_to("CLOSE_WAIT")
    play.fail_over()
    play.client("FA", seq=101).stays("CLOSE_WAIT")
    play.server("FA").moves_to("LAST_ACK")
    play.fail_over()
    play.client("A").moves_to("TIME_WAIT")


def test_a_peer_that_knows_of_no_fin_counts_anew(play):
    """It heard neither of the first FIN nor of its ACK."""
    play.under(lag="10s")
    chatted(play)
    play.wait("11s")
    play.client("FA").moves_to("FIN_WAIT")
    play.fail_over().moves_back("ESTABLISHED")
    play.server("FA", ack=101).moves_to("FIN_WAIT")
    play.client("FA", seq=101, ack=101).moves_to("LAST_ACK")
    play.server("A").stays("LAST_ACK")
    play.client("A").moves_to("TIME_WAIT")


def test_where_nobody_knows_who_closed_the_first_fin_is_taken_for_the_first(play):
    """A session of whose end the peer has not heard is there again, half closed."""
    play.under(lag="5m", tcp_close_wait="1m")
    chatted(play).client("FA").moves_to("FIN_WAIT")
    play.server("A").moves_to("CLOSE_WAIT")
    play.wait("5m").ends("expired")
    play.fail_over(lag="241s").returns("CLOSE_WAIT")
    play.client("FA", seq=101).stays("CLOSE_WAIT")
    play.server("FA").moves_to("LAST_ACK")
    play.server("A").stays("LAST_ACK")
    play.client("A").moves_to("TIME_WAIT")


# -- another policy --


def test_another_way_of_counting_goes_for_sessions_that_are_closing(play):
    """Numbers are remembered whoever looks at them."""
    play.under(closing="by-flags")
    chatted(play).client("FA").moves_to("FIN_WAIT")
    play.reconfigure(closing="by-end")
    play.client("FA", seq=101).stays("FIN_WAIT")
    play.server("A").moves_to("CLOSE_WAIT")
    play.reconfigure(closing="by-flags")
    play.client("FA", seq=101).moves_to("LAST_ACK")
    play.reconfigure(closing="by-end")
    play.server("FA").stays("LAST_ACK")
    play.server("A").stays("LAST_ACK")
    play.client("A").moves_to("TIME_WAIT")
