"""Sequence numbers go round, and nothing happens at the seam."""

from hypothesis import given
from hypothesis import strategies as st

from fwemu.core.choices import Closing
from fwemu.core.flow import TCP, Direction
from fwemu.core.packet import parse
from fwemu.core.seq import HALF, MODULUS, at_most, later, precedes
from fwemu.core.tcp import TcpConnection, flows_on, track
from fwemu.core.tcp_table import State
from fwemu.core.tcp_window import WindowCheck
from tests.kit import wire
from tests.kit.play import CLIENT, SERVER, Play

numbers = st.integers(0, MODULUS - 1)
steps = st.integers(1, HALF - 1)


@given(numbers, steps)
def test_a_step_forward_is_later_and_not_earlier(number, step):
    """Wherever on the circle it begins."""
    further = (number + step) % MODULUS
    assert precedes(number, further)
    assert not precedes(further, number)
    assert later(number, further) == later(further, number) == further
    assert at_most(number, further)
    assert not at_most(further, number)


@given(numbers, numbers, numbers)
def test_order_does_not_depend_on_where_zero_is(a, b, shift):
    """Turning the circle changes nothing."""
    assert precedes(a, b) == precedes((a + shift) % MODULUS, (b + shift) % MODULUS)
    assert at_most(a, b) == at_most(a + shift, b + shift)


@given(numbers, numbers)
def test_at_most_is_precedes_or_the_same(a, b):
    """The window check compares with the one, what is learned with the other."""
    assert at_most(a, b) == (a == b or precedes(a, b))


@given(numbers)
def test_opposite_numbers_have_no_order(number):
    """Neither is the later one, and no number is later than itself."""
    opposite = (number + HALF) % MODULUS
    assert not precedes(number, opposite)
    assert not precedes(opposite, number)
    assert not precedes(number, number)


@given(st.lists(st.tuples(numbers, numbers, st.integers(0, 100)), min_size=1))
def test_an_end_remembers_the_latest_numbers(segments):
    """What the session computes inline is what the named functions say."""
    conversation, furthest, acked = TcpConnection(), None, None
    end = conversation.ends[Direction.ORIGINAL]
    for seq, ack, octets in segments:
        body = wire.tcp(1, 2, "A", seq, ack, bytes(octets))
        packet = parse(wire.ip(CLIENT[4], SERVER[4], TCP, body))
        if end.next is None:
            conversation.open(packet)
        elif not flows_on(conversation, packet, Direction.ORIGINAL):
            track(
                conversation,
                State.ESTABLISHED,
                packet,
                Direction.ORIGINAL,
                WindowCheck.OFF,
                Closing.BY_END,
            )
        last = (seq + octets) % MODULUS
        furthest = last if furthest is None else later(furthest, last)
        acked = ack if acked is None else later(acked, ack)
        assert (end.next, end.acked) == (furthest, acked)


@given(numbers, numbers)
def test_a_conversation_is_the_same_wherever_its_numbers_begin(client_isn, server_isn):
    """Keepalive detection and the numbers of RSTs across the seam."""
    play = Play().under(at_expiry="reset-both")
    play.conversation.isn = dict(zip(play.conversation.isn, (client_isn, server_isn), strict=True))
    play.conversation.establish()
    play.client("A", 100).stays("ESTABLISHED")
    play.server("A", 50).stays("ESTABLISHED")
    play.client("A").stays("ESTABLISHED")
    play.client("A", seq=100).probes()
    play.server("A", 1, seq=50).probes()
    (to_client, to_server) = play.wait("1h").expires("ESTABLISHED").effects[1:]
    for effect, seq, ack in (
        (to_client, server_isn + 51, client_isn + 101),
        (to_server, client_isn + 101, server_isn + 51),
    ):
        packet = parse(effect.packet)
        assert (packet.seq, packet.ack) == (seq % MODULUS, ack % MODULUS)
