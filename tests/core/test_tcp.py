"""What a segment means by its numbers: RSTs, SYNs where there is a session, simultaneous opens.

The window itself is in `test_tcp_window.py`, ordinary conversations in `test_firewall_tcp.py`.
"""

import pytest

from fwemu.core.flow import Direction
from fwemu.core.tcp import TcpConnection
from tests.kit import wire
from tests.kit.play import INSIDE, OUTSIDE

ORIGINAL, REPLY = Direction
MODULUS = 2**32

EARLIER, LATER = -(10**6), 10**6


def anew(play, step=LATER):
    """A new connection on the same ports, with numbers that many further on."""
    new = play.conversation.again()
    new.isn = {zone: (isn + step) % MODULUS for zone, isn in play.conversation.isn.items()}
    return new


def absolute(conversation, end, number=0):
    """The relative number of this end that is `number` on the wire."""
    return number - conversation.isn[end]


def chatted(play):
    """An open connection in which both have sent 1000 octets, all of it acknowledged."""
    play.conversation.establish()
    play.client("A", 1000).stays("ESTABLISHED")
    play.server("A", 1000).stays("ESTABLISHED")
    play.client("A").stays("ESTABLISHED")
    return play.conversation.session


# -- RST --


@pytest.mark.parametrize("flags", ["R", "RA"])
@pytest.mark.parametrize("end", ["client", "server"])
def test_a_rst_on_the_number_expected_ends_the_connection(play, end, flags):
    """The only one that its receiver believes at once (RFC 5961 section 3.2)."""
    chatted(play)
    getattr(play, end)(flags).moves_to("CLOSE")


@pytest.mark.parametrize("end", ["client", "server"])
def test_a_rst_in_the_window_changes_no_state(play, end):
    """Its receiver sends a challenge ACK; only the RST that answers it is exact."""
    session = chatted(play)
    sends, answers = (play.client, play.server)
    if end == "server":
        sends, answers = answers, sends
    before = [each.state() for each in session.ends]
    sends("R", seq=1002).stays("ESTABLISHED")
    sends("RA", seq=1001 + 65535).stays("ESTABLISHED")
    assert [each.state() for each in session.ends] == before
    answers("A", ack=1001).stays("ESTABLISHED")
    sends("R", seq=1001).moves_to("CLOSE")


def test_a_rst_beyond_the_window(play):
    """A little too far passes, further is refused, like any other segment."""
    chatted(play)
    play.server("R", seq=1001 + 65536).is_ignored()
    play.server("R", seq=1001 + 65536 + 65535).dropped("out_of_window")
    assert play.conversation.state == "ESTABLISHED"


@pytest.mark.parametrize("end", ["client", "server"])
def test_a_rst_below_what_is_acknowledged_is_refused(play, end):
    """No receiver believes it, and neither does the firewall."""
    chatted(play)
    getattr(play, end)("R", seq=1000).dropped("out_of_window")
    getattr(play, end)("RA", seq=-100_000).dropped("out_of_window")
    assert play.conversation.state == "ESTABLISHED"


def test_a_rst_that_follows_its_own_data(play):
    """The data was not acknowledged yet; the RST stands right behind it."""
    chatted(play)
    play.server("A", 500).stays("ESTABLISHED")
    play.server("R").moves_to("CLOSE")


def test_a_rst_that_follows_some_of_its_data(play):
    """In the middle of it, or behind data that the other end has answered since."""
    chatted(play)
    play.server("A", 500).stays("ESTABLISHED")
    play.server("R", seq=1500).stays("ESTABLISHED")
    play.server("A", 500).stays("ESTABLISHED")
    play.client("A", ack=1001).stays("ESTABLISHED")
    play.server("R", seq=2001).stays("ESTABLISHED")


def test_a_rst_that_follows_the_data_of_the_other_end(play):
    """The numbers of both ends may be the same by chance; that means nothing."""
    play.conversation.isn = dict.fromkeys(play.conversation.isn, 5)
    chatted(play)
    play.client("A", 100).stays("ESTABLISHED")
    play.server("R", seq=1101).stays("ESTABLISHED")


def test_two_rsts_behind_the_same_data(play):
    """Only a segment of data is followed: the first RST has changed nothing but that."""
    chatted(play)
    play.server("A", 500).stays("ESTABLISHED")
    play.server("R", seq=1400).stays("ESTABLISHED")
    play.server("R", seq=1501).stays("ESTABLISHED")


def test_the_numbers_of_a_rst_are_not_believed_for_anything_else(play):
    """Anyone may guess one in the window; the RST at expiry must be exact all the same."""
    play.under(at_expiry="reset-both")
    chatted(play)
    play.server("RA", seq=2000, ack=1001).stays("ESTABLISHED")
    play.client("RA", seq=3000, ack=1001).stays("ESTABLISHED")
    play.wait("1h").expires("ESTABLISHED").says(
        "client gets RA seq 1001 ack 1001", "server gets RA seq 1001 ack 1001"
    )


@pytest.mark.parametrize("end", [INSIDE, OUTSIDE])
def test_a_rst_that_acknowledges_zero(play, end):
    """Some stacks set ACK and no number: taken as if it were not set."""
    chatted(play)
    play.conversation.send(end, "RA", ack=absolute(play.conversation, end.other)).moves_to("CLOSE")


def test_a_rst_that_acknowledges_what_was_never_sent(play):
    """Bound III is for it too."""
    chatted(play)
    play.server("RA", ack=1002).dropped("out_of_window")


@pytest.mark.parametrize(
    ("packets", "state"),
    [
        (["client FA"], "FIN_WAIT"),
        (["client FA", "server A"], "CLOSE_WAIT"),
        (["client FA", "server FA"], "LAST_ACK"),
        (["client FA", "server FA", "client A"], "TIME_WAIT"),
        (["client R"], "CLOSE"),
    ],
)
@pytest.mark.parametrize("seq", [-500_000, 0, 500_000])
def test_while_closing_any_rst_is_believed(play, packets, state, seq):
    """The ports may be somebody else's by now, so that what is known is outdated."""
    chatted(play)
    for who, flags in map(str.split, packets):
        getattr(play, who)(flags)
    assert play.conversation.state == state
    play.server("RA", seq=seq, ack=500_000).accepted("session")
    assert play.conversation.state == "CLOSE"


def test_a_refused_connection(play):
    """A RST that answers a SYN has number zero, and acknowledges the SYN."""
    play.client("S").opens("SYN_SENT")
    play.server("RA", seq=absolute(play.conversation, OUTSIDE), ack=4).dropped("out_of_window")
    play.server("RA", seq=absolute(play.conversation, OUTSIDE), ack=1).moves_to("CLOSE")


@pytest.mark.parametrize("flags", ["A", "FA"])
def test_an_end_that_speaks_for_the_first_time_when_all_is_over(play, flags):
    """Like the kernel's, its answer may acknowledge one octet that was not seen, and no more."""
    play.client("S").opens("SYN_SENT")
    play.server("A", seq=300, ack=5000).is_ignored()
    play.client("R", seq=5000).moves_to("CLOSE")
    play.server(flags, seq=300, ack=3).dropped("out_of_window")
    play.server(flags, seq=300, ack=2).stays("CLOSE")
    play.server(flags, seq=300, ack=3).dropped("out_of_window")


def test_a_connection_is_refused_by_one_octet_more(play):
    """The RST is the first that this end sends, and is read as any first answer."""
    play.client("S").opens("SYN_SENT")
    play.server("RA", seq=absolute(play.conversation, OUTSIDE), ack=2).moves_to("CLOSE")


def test_a_syn_that_is_taken_back_with_number_zero(play):
    """Some proxies do; nobody has answered, so nobody is hurt."""
    play.client("S").opens("SYN_SENT")
    play.client("R", seq=absolute(play.conversation, INSIDE)).moves_to("CLOSE")


def test_a_syn_that_is_taken_back_with_any_other_number(play):
    """That is checked like all others."""
    play.client("S").opens("SYN_SENT")
    play.client("R", seq=5).dropped("out_of_window")
    play.client("R", seq=1).moves_to("CLOSE")


def test_a_rst_with_number_zero_while_the_connection_opens(play):
    """It may answer a SYN that was passed: not refused as old, though its window is over."""
    play.client("S").opens("SYN_SENT")
    play.server("S").moves_to("SYN_SENT2")
    play.client("SA", seq=0).moves_to("SYN_RECV")
    play.server("R", seq=absolute(play.conversation, OUTSIDE)).is_ignored().changes_nothing()
    play.server("R", seq=absolute(play.conversation, OUTSIDE) + 1).dropped("out_of_window")


def test_any_rst_in_the_window_ends_a_connection_that_is_opening(play):
    """Only an open connection is worth a challenge."""
    play.client("S").opens("SYN_SENT")
    play.server("SA").moves_to("SYN_RECV")
    play.client("R", seq=0).dropped("out_of_window")
    play.client("R", seq=100).moves_to("CLOSE")


def test_a_rst_of_an_opening_connection_whose_receiver_has_acknowledged(play):
    """Its number can be checked then, whatever it acknowledges itself."""
    play.client("S").opens("SYN_SENT")
    play.server("SA").moves_to("SYN_RECV")
    play.server("A").stays("SYN_RECV")
    play.client("RA", seq=200_000, ack=1).dropped("out_of_window")
    play.client("RA", seq=1, ack=1).moves_to("CLOSE")


def test_a_rst_of_a_simultaneous_open_that_answers_nothing(play):
    """Number zero is not what was ignored before anything was."""
    play.client("S").opens("SYN_SENT")
    play.server("S").moves_to("SYN_SENT2")
    play.server("R", seq=10**9).dropped("out_of_window")


def test_what_an_ignored_answer_has_told(play):
    """Somebody is there: a RST that acknowledges it ends the connection with any number."""
    play.client("S").opens("SYN_SENT")
    play.server("A", seq=5000, ack=1).is_ignored()
    play.client("S", seq=0).stays("SYN_SENT")
    answered = play.conversation.isn[OUTSIDE] + 5000 - play.conversation.isn[INSIDE]
    play.server("RA", seq=10**9, ack=answered).moves_to("CLOSE")


def test_what_a_rst_that_is_believed_has_told(play):
    """Whatever still comes of that connection may acknowledge it."""
    play.client("S").opens("SYN_SENT")
    play.server("SA").moves_to("SYN_RECV")
    play.client("R", seq=100).moves_to("CLOSE")
    play.server("A", ack=101).dropped("out_of_window")
    play.server("A", ack=100).stays("CLOSE")


def test_a_rst_half_the_circle_away(play):
    """It counts as old, as nf_conntrack has it, even where windows are not enforced."""
    play.under(window="liberal")
    chatted(play)
    play.client("R", seq=1001 + 2**31 - 1).stays("ESTABLISHED")
    play.client("R", seq=1001 + 2**31).dropped("out_of_window")


def test_a_number_of_zero_means_nothing_once_the_connection_is_open(play):
    """It is a number like all others, and old."""
    chatted(play)
    play.server("R", seq=absolute(play.conversation, OUTSIDE)).dropped("out_of_window")


def test_without_the_check_any_rst_is_believed(play):
    """`window = "off"`: a firewall that anybody can close a connection on."""
    play.under(window="off")
    chatted(play)
    play.server("R", seq=-100_000).moves_to("CLOSE")


def test_a_liberal_firewall_refuses_old_rsts_only(play):
    """As nf_conntrack with tcp_be_liberal."""
    play.under(window="liberal")
    chatted(play)
    play.server("R", seq=1000).dropped("out_of_window")
    play.server("R", seq=900_000).stays("ESTABLISHED")
    play.server("R", seq=1001).moves_to("CLOSE")


# -- a SYN in an open connection --


@pytest.mark.parametrize("step", [EARLIER, LATER])
def test_a_client_that_has_forgotten_and_a_server_that_has_not(play, step):
    """RFC 5961 section 4: SYN, challenge ACK, RST on exactly that number, and then again."""
    chatted(play)
    new = anew(play, step)
    new.client("S").is_ignored()
    play.server("A").stays("ESTABLISHED")
    play.client("R", seq=1001).moves_to("CLOSE")
    new.client("S", seq=0).opens("SYN_SENT").ends("reused")
    new.server("SA").moves_to("SYN_RECV")
    new.client("A").moves_to("ESTABLISHED")


@pytest.mark.parametrize("step", [EARLIER, LATER, 1, -1])
def test_both_ends_have_forgotten_and_the_firewall_follows(play, step):
    """The SYN was ignored, but it was answered: then the connection is what both ends say."""
    play.under(at_expiry="reset-both")
    chatted(play)
    new = anew(play, step)
    new.client("S").is_ignored()
    new.server("SA").moves_to("SYN_RECV")
    new.client("A").moves_to("ESTABLISHED")
    new.client("A", 300).stays("ESTABLISHED")
    new.server("A", 500).stays("ESTABLISHED")
    new.client("A").stays("ESTABLISHED")
    play.conversation = new
    play.wait("1h").expires("ESTABLISHED").says(
        "client gets RA seq 501 ack 301", "server gets RA seq 301 ack 501"
    )


def test_what_is_followed_is_the_ignored_syn_with_its_options(play):
    """Its scale, its window, its selective acknowledgements."""
    chatted(play)
    new = anew(play)
    options = wire.scale(4) + wire.SACK_PERMITTED
    new.client("S", options=options, window=0).is_ignored()
    new.server("SA", options=wire.scale(2), window=10).moves_to("SYN_RECV")
    original, reply = new.session.ends
    assert (original.scale, reply.scale) == (4, 2)
    assert (original.is_selective, reply.is_selective) == (True, False)
    assert (original.window, reply.window) == (1, 10)
    assert original.limit == (new.isn[INSIDE] + 11) % MODULUS
    assert (original.acked, reply.acked) == (None, (new.isn[INSIDE] + 1) % MODULUS)
    new.client("A", window=100).moves_to("ESTABLISHED")
    assert reply.limit == new.isn[OUTSIDE] + 1 + 1600


def test_a_syn_ack_for_another_syn_is_not_followed(play):
    """It has to answer the one that was passed."""
    session = chatted(play)
    before = [end.state() for end in session.ends]
    new = anew(play)
    new.client("S").is_ignored()
    new.server("SA", ack=2).is_ignored()
    new.server("SA", seq=0, ack=1).is_ignored()  # the one before was the last that was ignored
    assert play.conversation.state == "ESTABLISHED"
    assert [end.state() for end in session.ends] == before
    play.client("A", 10).stays("ESTABLISHED")


def test_a_syn_ack_that_answers_no_syn_is_not_followed(play):
    """It acknowledges what the client has sent last, but that was data."""
    chatted(play)
    play.server("SA", seq=5_000_000, ack=1001).is_ignored()
    assert play.conversation.state == "ESTABLISHED"


def test_nobody_answers_their_own_syn(play):
    """Whatever number they acknowledge."""
    play.client("S").opens("SYN_SENT")
    new = anew(play, EARLIER)
    new.client("S").is_ignored()
    own = new.isn[INSIDE] + 1 - new.isn[OUTSIDE]
    new.client("SA", seq=0, ack=own).dropped("invalid_state")


def test_a_syn_ack_from_the_wrong_side_is_refused(play):
    """The opener has no SYN to answer."""
    chatted(play)
    new = anew(play)
    new.client("S").is_ignored()
    new.client("SA", seq=0, ack=1).dropped("invalid_state")


def test_a_syn_ack_that_acknowledges_more_than_the_ignored_syn(play):
    """A refused segment has changed nothing, though both ends had been begun anew for it."""
    chatted(play)
    new = anew(play)
    new.client("S", options=wire.SACK_PERMITTED).is_ignored()
    new.server("SA", sack=[(5, 9)]).dropped("out_of_window")
    play.client("A", 10).stays("ESTABLISHED")
    play.server("A").stays("ESTABLISHED")


def test_late_repeats_of_the_handshake_begin_nothing(play):
    """SYN and SYN-ACK were sent twice and overtaken: they belong to this connection."""
    session = chatted(play)
    before = [end.state() for end in session.ends]
    play.client("S", seq=0).is_ignored()
    play.server("SA", seq=0, ack=1).is_ignored()
    assert play.conversation.state == "ESTABLISHED"
    assert [end.state() for end in session.ends] == before
    play.client("A", 10, seq=1001).stays("ESTABLISHED")


def test_the_server_has_forgotten_and_says_so(play):
    """Its RST acknowledges the SYN that was ignored: this is about a connection we do not know."""
    chatted(play)
    new = anew(play)
    new.client("S").is_ignored()
    new.server("RA", seq=absolute(play.conversation, OUTSIDE), ack=1).moves_to("CLOSE")


def test_a_rst_after_an_ignored_syn_that_does_not_answer_it(play):
    """Which number would be right is not known any more, but the window is."""
    chatted(play)
    new = anew(play)
    new.client("S").is_ignored()
    play.server("R", seq=1001 + 65536 + 65535).dropped("out_of_window")
    new.client("S", seq=0).is_ignored()
    play.server("R", seq=1500).moves_to("CLOSE")


def test_a_syn_after_a_rst_of_the_other_end_is_a_new_connection_if_it_is_answered(play):
    """The one who was reset may still be sending SYNs of the past: wait for the SYN-ACK."""
    chatted(play)
    play.server("R").moves_to("CLOSE")
    new = anew(play)
    new.client("S").is_ignored()
    assert play.conversation.state == "CLOSE"
    new.server("SA").moves_to("SYN_RECV")
    new.client("A").moves_to("ESTABLISHED")
    new.server("A", 100).stays("ESTABLISHED")


def test_a_syn_after_late_data_of_its_sender(play):
    """It was the other end that sent the RST, whoever spoke last."""
    chatted(play)
    play.server("R").moves_to("CLOSE")
    play.client("A", 10).stays("CLOSE")
    anew(play).client("S").is_ignored()


def test_a_syn_after_the_rst_of_its_sender_is_a_new_connection(play):
    """Nobody else can have wanted that."""
    chatted(play)
    play.client("R").moves_to("CLOSE")
    anew(play).client("S").opens("SYN_SENT").ends("reused")


def test_a_syn_after_a_rst_and_late_data(play):
    """Whose RST it was is no longer known: it has to be answered."""
    chatted(play)
    play.client("R").moves_to("CLOSE")
    play.server("A", 10).stays("CLOSE")
    anew(play).client("S").is_ignored()


@pytest.mark.parametrize("first", ["client", "server"])
def test_a_syn_after_a_close_is_a_new_connection(play, first):
    """Whoever closed first; the RST of an end that has had enough does not matter then."""
    chatted(play)
    getattr(play, first)("FA").moves_to("FIN_WAIT")
    play.server("R").moves_to("CLOSE")
    anew(play).client("S").opens("SYN_SENT").ends("reused")


def test_a_connection_that_was_followed_was_not_closed(play):
    """The FIN of the former one is forgotten with its numbers."""
    chatted(play)
    play.client("FA").moves_to("FIN_WAIT")
    new = anew(play)
    new.client("S").is_ignored()
    new.server("SA").moves_to("SYN_RECV")
    new.client("A").moves_to("ESTABLISHED")
    new.server("R").moves_to("CLOSE")
    anew(play, 2 * LATER).client("S").is_ignored()


# -- a SYN while the last ACK is due --


def closing(play):
    """Both FINs were seen."""
    chatted(play)
    play.client("FA").moves_to("FIN_WAIT")
    play.server("FA").moves_to("LAST_ACK")


def test_the_challenge_to_a_syn_is_not_the_last_ack(play):
    """RFC 5961 section 4 again: it only looks like it."""
    closing(play)
    anew(play).client("S").is_ignored()
    play.server("A").is_ignored()
    assert play.conversation.state == "LAST_ACK"
    play.client("A").moves_to("TIME_WAIT")


def test_only_one_ack_is_the_challenge(play):
    """The next one belongs to the session, and for Linux is the last."""
    play.under(closing="by-flags")
    closing(play)
    anew(play).client("S").is_ignored()
    play.server("A").is_ignored()
    play.server("A").moves_to("TIME_WAIT")


def test_the_ack_of_whoever_sent_the_syn_is_no_challenge(play):
    """It is the last one."""
    closing(play)
    anew(play).client("S").is_ignored()
    play.client("A").moves_to("TIME_WAIT")


def test_a_syn_that_came_before_the_last_fin_asks_for_no_challenge_then(play):
    """It has been answered, or lost."""
    chatted(play)
    play.client("FA").moves_to("FIN_WAIT")
    anew(play).client("S").is_ignored()
    play.server("A").moves_to("CLOSE_WAIT")
    play.server("FA").moves_to("LAST_ACK")
    play.client("A").moves_to("TIME_WAIT")


def test_a_challenge_is_forgotten_with_the_connection(play):
    """The SYN was answered after all: the new connection has a last ACK of its own."""
    closing(play)
    new = anew(play)
    new.client("S").is_ignored()
    new.server("SA").moves_to("SYN_RECV")
    assert not new.session.tcp.awaits_challenge


# -- a SYN while a SYN is unanswered --


def test_a_later_syn_takes_the_place_of_the_first(play):
    """The client has given up and begun again (RFC 9293 section 3.4.3)."""
    play.client("S").opens("SYN_SENT")
    new = anew(play)
    new.client("S").stays("SYN_SENT")
    play.server("SA").is_ignored()
    new.server("SA").moves_to("SYN_RECV")
    new.client("A").moves_to("ESTABLISHED")
    new.server("A", 100).stays("ESTABLISHED")


def test_an_earlier_syn_has_to_be_answered(play):
    """The client's numbers are random: the new one may be the smaller one."""
    play.client("S").opens("SYN_SENT")
    new = anew(play, EARLIER)
    new.client("S", options=wire.SACK_PERMITTED).is_ignored()
    new.client("S", seq=0, options=wire.SACK_PERMITTED).is_ignored()
    new.server("SA").moves_to("SYN_RECV")
    new.client("A").moves_to("ESTABLISHED")
    assert new.session.ends[ORIGINAL].is_selective


def test_an_earlier_syn_that_was_only_late(play):
    """The SYN-ACK answers the first."""
    play.client("S").opens("SYN_SENT")
    anew(play, EARLIER).client("S").is_ignored()
    play.server("SA").moves_to("SYN_RECV")
    play.client("A").moves_to("ESTABLISHED")


def test_an_earlier_syn_that_is_refused(play):
    """The RST acknowledges it, and not the SYN that we know: it passes, and we wait."""
    play.client("S").opens("SYN_SENT")
    new = anew(play, EARLIER)
    new.client("S").is_ignored()
    new.server("RA", seq=absolute(new, OUTSIDE), ack=1).is_ignored()
    assert new.state == "SYN_SENT"


def test_a_syn_ack_that_acknowledges_what_was_never_sent(play):
    """It is refused, and has changed nothing: the right one still comes."""
    play.client("S").opens("SYN_SENT")
    play.server("SA", ack=2, window=7, options=wire.scale(7)).dropped("out_of_window")
    play.server("SA", seq=0, ack=1).moves_to("SYN_RECV")


def test_a_liberal_firewall_takes_any_syn_ack(play):
    """It has to begin with some number."""
    play.under(window="liberal")
    play.client("S").opens("SYN_SENT")
    play.server("SA", ack=2).moves_to("SYN_RECV")
    assert play.conversation.session.ends[REPLY].first == play.conversation.isn[OUTSIDE] + 1


# -- half-open ends --


def test_the_rst_to_a_challenge_that_was_passed(play):
    """The server still has an old connection, wherever its numbers are (RFC 9293 figure 9)."""
    for port, seq in enumerate((-5000, 5000, 2**31 - 1)):
        play.conversation = play.tcp(port=port)
        play.client("S").opens("SYN_SENT")
        play.server("A", seq=300, ack=seq).is_ignored()
        play.client("R", seq=seq).moves_to("CLOSE")


def test_a_rst_that_does_not_answer_the_challenge(play):
    """One beside its number."""
    play.client("S").opens("SYN_SENT")
    play.server("A", seq=300, ack=5000).is_ignored()
    play.client("R", seq=5001).dropped("out_of_window")


def test_a_rst_that_acknowledges_the_challenge(play):
    """Another way to say the same."""
    play.client("S").opens("SYN_SENT")
    play.server("A", 10, seq=300, ack=-5000).is_ignored()
    play.client("RA", seq=5000, ack=311).dropped("out_of_window")
    play.client("RA", seq=5000, ack=310).moves_to("CLOSE")


def test_a_challenge_while_both_have_opened(play):
    """The same, one SYN later."""
    play.client("S").opens("SYN_SENT")
    play.server("S").moves_to("SYN_SENT2")
    play.server("A", 10, seq=300, ack=-5000).is_ignored()
    play.client("RA", seq=5000, ack=310).moves_to("CLOSE")


def test_a_rst_in_an_open_connection_answers_no_challenge(play):
    """Whatever it acknowledges, there it needs the right number."""
    chatted(play)
    play.client("A").stays("ESTABLISHED")
    play.server("RA", seq=1001 + 65536 + 65535, ack=1001).dropped("out_of_window")
    play.server("A", seq=1001).stays("ESTABLISHED")
    own = play.conversation.isn[OUTSIDE] + 1001 - play.conversation.isn[INSIDE]
    play.server("RA", seq=1001, ack=own).dropped("out_of_window")


def test_a_rst_to_the_syn_itself_has_to_fit(play):
    """The first SYN was not ignored, so that what answers it can be checked."""
    play.client("S").opens("SYN_SENT")
    play.client("S", seq=0).stays("SYN_SENT")
    play.server("RA", seq=absolute(play.conversation, OUTSIDE), ack=4).dropped("out_of_window")
    play.server("RA", seq=absolute(play.conversation, OUTSIDE), ack=1).moves_to("CLOSE")


# -- simultaneous open --


def both_open(play):
    """Two SYNs, and the SYN-ACK of the client."""
    play.client("S", options=wire.scale(2)).opens("SYN_SENT")
    play.server("S", options=wire.scale(3)).moves_to("SYN_SENT2")
    play.client("SA", seq=0, options=wire.scale(2)).moves_to("SYN_RECV")


def test_the_ack_of_an_end_that_has_opened_too(play):
    """Its SYN-ACK was lost behind us; its ACK says that it is open."""
    both_open(play)
    play.server("A", ack=1).moves_to("ESTABLISHED")
    play.client("A", 100).stays("ESTABLISHED")
    original, reply = play.conversation.session.ends
    assert (original.scale, reply.scale) == (2, 3)


def test_the_close_after_a_simultaneous_open(play):
    """An ACK opens nothing then."""
    both_open(play)
    play.client("A").moves_to("ESTABLISHED")
    play.client("FA").moves_to("FIN_WAIT")
    play.server("A", ack=2).moves_to("CLOSE_WAIT")
    play.server("A", ack=2).stays("CLOSE_WAIT")


def test_the_ack_of_an_end_that_has_only_answered(play):
    """It may answer a SYN that was repeated: the handshake is not over."""
    play.client("S").opens("SYN_SENT")
    play.server("SA").moves_to("SYN_RECV")
    play.server("A").stays("SYN_RECV")
    play.client("A").moves_to("ESTABLISHED")


def test_a_simultaneous_open_is_forgotten_with_the_connection(play):
    """The next one on the same ports is an ordinary one."""
    both_open(play)
    play.client("A").moves_to("ESTABLISHED")
    new = anew(play)
    new.client("S").is_ignored()
    new.server("SA").moves_to("SYN_RECV")
    new.server("A").stays("SYN_RECV")
    new.client("A").moves_to("ESTABLISHED")


def test_the_window_of_a_simultaneous_open(play):
    """Nothing of it is scaled before both have spoken."""
    both_open(play)
    original, reply = play.conversation.session.ends
    assert original.limit == (play.conversation.isn[INSIDE] + 65536) % MODULUS
    assert reply.limit == play.conversation.isn[OUTSIDE] + 1 + 65535
    play.client("A").moves_to("ESTABLISHED")
    assert reply.limit == play.conversation.isn[OUTSIDE] + 1 + 4 * 65535


def test_a_later_syn_of_the_answering_end_begins_it_anew(play):
    """It too may have given up and begun again."""
    play.client("S", options=wire.scale(2)).opens("SYN_SENT")
    play.server("S", options=wire.scale(3)).moves_to("SYN_SENT2")
    play.server("S", seq=1000).stays("SYN_SENT2")
    original, reply = play.conversation.session.ends
    assert (original.scale, reply.scale) == (0, 0)
    assert reply.first == play.conversation.isn[OUTSIDE] + 1001


# -- closing --


def test_both_ends_close_at_once_with_data(play):
    """Each FIN lies behind data that the other has not seen."""
    chatted(play)
    play.client("FA", 100).moves_to("FIN_WAIT")
    play.server("FA", 200, ack=1001).moves_to("LAST_ACK")
    play.client("A").stays("LAST_ACK")
    play.server("A").moves_to("TIME_WAIT")


def test_a_half_closed_connection_carries_much_data(play):
    """Many windows of it, acknowledged by the end that has closed."""
    chatted(play)
    play.client("FA").moves_to("FIN_WAIT")
    play.server("A").moves_to("CLOSE_WAIT")
    for _ in range(20):
        for _ in range(10):
            play.server("A", 1400).stays("CLOSE_WAIT")
        play.client("A").stays("CLOSE_WAIT")
    play.server("FA", 100).moves_to("LAST_ACK")
    play.client("A").moves_to("TIME_WAIT")
    play.server("A", seq=10_000_000).dropped("out_of_window")


def test_a_repeated_fin_is_inside(play):
    """With the data before it, or alone."""
    chatted(play)
    play.client("FA", 100).moves_to("FIN_WAIT")
    play.client("FA", 100, seq=1001).stays("FIN_WAIT")
    play.client("FA", seq=1101).stays("FIN_WAIT")
    play.server("A", ack=1102).moves_to("CLOSE_WAIT")
    play.server("A", ack=1103).dropped("out_of_window")


def test_the_end_that_closed_first_is_known(play):
    """And only that one."""
    chatted(play)
    play.server("FA").moves_to("FIN_WAIT")
    play.client("FA").moves_to("LAST_ACK")
    assert [end.closed_first for end in play.conversation.session.ends] == [False, True]


# -- data on a SYN, and urgent data --


@pytest.mark.parametrize("taken", [True, False])
def test_data_on_a_syn(play, taken):
    """TCP Fast Open (RFC 7413): the server takes the data, or the client repeats it."""
    play.client("S", 100).opens("SYN_SENT")
    play.server("SA", ack=101 if taken else 1).moves_to("SYN_RECV")
    play.client("A").moves_to("ESTABLISHED")
    if not taken:
        play.client("A", 100, seq=1).stays("ESTABLISHED")
    play.server("A", 50).stays("ESTABLISHED")
    play.server("A", ack=102).dropped("out_of_window")


def test_data_right_behind_the_syn_ack(play):
    """A server that took data on the SYN may answer it before the handshake is over."""
    play.client("S", 100).opens("SYN_SENT")
    play.server("SA").moves_to("SYN_RECV")
    play.server("A", 1400).stays("SYN_RECV")
    play.server("A", 1400).is_ignored()
    play.client("A").moves_to("ESTABLISHED")


@pytest.mark.parametrize("flags", ["AU", "PAU", "FAU"])
def test_urgent_data(play, flags):
    """It is data; the pointer says nothing to a firewall."""
    chatted(play)
    play.client(flags, 100).accepted("session")
    play.server("A", ack=1101 + ("F" in flags)).accepted("session")
    play.client(flags, 100, seq=1_000_000).dropped("out_of_window")


# -- connections that were picked up --


def picked_up(play):
    """The firewall has forgotten, and joins in the middle."""
    play.under(inside="pick-up", at_expiry="reset-both")
    play.client("A", 10, seq=5000, ack=7000).picked_up()
    return play.conversation.session


def test_a_picked_up_connection_is_never_checked(play):
    """Whether its windows are scaled is not known."""
    session = picked_up(play)
    assert session.tcp.is_liberal
    play.server("A", 1400, seq=7000, window=10).stays("ESTABLISHED")
    play.client("A", 1400, seq=1_000_000).stays("ESTABLISHED")
    play.server("A", 1400, seq=3_000_000, ack=2_000_000).stays("ESTABLISHED")
    play.client("A", 1400, seq=5, ack=5).stays("ESTABLISHED")
    play.client("FA", seq=9_000_000).moves_to("FIN_WAIT")


def test_a_picked_up_connection_is_followed_all_the_same(play):
    """A RST at its expiry has to be exact."""
    picked_up(play)
    play.server("A", 1400, seq=7000, ack=5010).stays("ESTABLISHED")
    play.client("A", 1400, seq=1_000_000, ack=8400).stays("ESTABLISHED")
    play.server("A", 50, seq=8400, ack=1_001_400).stays("ESTABLISHED")
    play.client("A", seq=1_001_400, ack=8450).stays("ESTABLISHED")
    play.wait("1h").expires("ESTABLISHED").says(
        "client gets RA seq 8450 ack 1001400", "server gets RA seq 1001400 ack 8450"
    )


def test_a_picked_up_connection_of_which_only_one_end_was_heard(play):
    """Its own acknowledgement says what it expects."""
    picked_up(play)
    play.wait("1h").expires("ESTABLISHED").says(
        "client gets RA seq 7000 ack 5010", "server gets R seq 5010"
    )


def test_a_connection_that_was_picked_up_by_a_keepalive_probe(play):
    """The answer acknowledges one more than the probe has shown."""
    play.under(inside="pick-up")
    play.client("A", seq=4999, ack=7000).picked_up()
    play.server("A", seq=7000, ack=5000).stays("ESTABLISHED")
    assert (
        play.conversation.session.ends[ORIGINAL].next
        == (play.conversation.isn[INSIDE] + 5000) % MODULUS
    )
    play.client("A", seq=4999, ack=7000).probes()


def test_a_rst_in_a_picked_up_connection_needs_the_right_number(play):
    """That is known as soon as the other end was heard."""
    picked_up(play)
    play.server("A", seq=7000, ack=5010).stays("ESTABLISHED")
    play.server("R", seq=6999, ack=0).dropped("out_of_window")
    play.server("R", seq=7001, ack=0).stays("ESTABLISHED")
    play.server("R", seq=7000, ack=0).moves_to("CLOSE")


def test_a_picked_up_connection_that_begins_anew_is_checked(play):
    """Now its whole handshake was seen."""
    session = picked_up(play)
    new = anew(play)
    new.client("S").is_ignored()
    new.server("SA").moves_to("SYN_RECV")
    assert not session.tcp.is_liberal
    new.client("A").moves_to("ESTABLISHED")
    new.client("A", seq=1_000_000).dropped("out_of_window")


# -- what is remembered --


def test_a_connection_that_has_not_begun():
    """Nothing is known."""
    conversation = TcpConnection()
    assert (
        conversation.is_liberal,
        conversation.is_simultaneous,
        conversation.awaits_challenge,
    ) == (False,) * 3
    assert (conversation.last_segment, conversation.last_numbers, conversation.options) == (
        None,
        (-1,) * 4,
        b"",
    )
    assert conversation.repeats == 0


def test_repeats_are_counted(play):
    """The same numbers from the same end, with nothing of it in between."""
    conversation = chatted(play).tcp
    play.client("A", 100).stays("ESTABLISHED")
    assert conversation.repeats == 0
    for times in (1, 2, 3):
        play.client("A", 100, seq=1001).stays("ESTABLISHED")
        assert conversation.repeats == times
    play.client("A", 100, seq=1001, window=1).stays("ESTABLISHED")
    assert conversation.repeats == 0
    play.client("A", 100, seq=1001, window=1).stays("ESTABLISHED")
    assert conversation.repeats == 1
    play.server("A").stays("ESTABLISHED")
    assert conversation.repeats == 0
    play.client("FA", 100).moves_to("FIN_WAIT")
    play.server("A", 10).moves_to("CLOSE_WAIT")
    play.server("A", 10, seq=1001).stays("CLOSE_WAIT")
    assert conversation.repeats == 1


def test_the_same_numbers_from_the_other_end_are_no_repeat(play):
    """However unlikely."""
    play.conversation.isn = dict.fromkeys(play.conversation.isn, 5)
    play.conversation.establish()
    conversation = play.conversation.session.tcp
    for end, direction in ((play.server, REPLY), (play.client, ORIGINAL), (play.server, REPLY)):
        end("A").stays("ESTABLISHED")
        assert (conversation.repeats, conversation.last_direction) == (0, direction)


def test_what_is_outstanding(play):
    """Of either end."""
    session = chatted(play)

    def outstanding():
        return [end.is_unacknowledged for end in session.ends]

    assert outstanding() == [False, False]
    play.client("A", 100)
    assert outstanding() == [True, False]
    play.server("A", 100, ack=1001)
    assert outstanding() == [True, True]
    play.client("A")
    assert outstanding() == [True, False]
    play.server("A")
    assert outstanding() == [False, False]


def test_the_ack_that_ends_a_simultaneous_open_is_remembered(play):
    """Its window is known from then on, as that of any other."""
    both_open(play)
    assert play.conversation.session.tcp.has_closed_window
    play.client("A", window=77).moves_to("ESTABLISHED")
    assert play.conversation.session.tcp.last_numbers[3] == 77
    assert not play.conversation.session.tcp.has_closed_window


def test_a_window_that_nobody_has_told(play):
    """It counts as closed, as nf_conntrack has it: what was never inside the window taught none."""
    play.under(window="liberal")
    play.client("S").opens("SYN_SENT")
    play.server("SA").moves_to("SYN_RECV")
    play.client("A", seq=10**9).moves_to("ESTABLISHED")
    assert play.conversation.session.tcp.has_closed_window


def test_a_keepalive_probe_does_not_repeat_the_syn_ack(play):
    """An octet at the place of the SYN has the numbers of a SYN-ACK that came late."""
    play.conversation.establish()
    for _ in range(4):
        play.client("A", seq=1, ack=1).stays("ESTABLISHED")
    assert play.conversation.session.tcp.repeats == 4
    play.server("SA", seq=0, ack=1).is_ignored()
    play.server("A", 1, seq=0, ack=1).probes()
    assert play.conversation.session.tcp.repeats == 0
