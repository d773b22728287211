"""TCP by numbers: honest ends are never refused, and the quick way is the slow one."""

from collections import Counter
from copy import deepcopy

from hypothesis import event, given, settings
from hypothesis import strategies as st

from fwemu.core.choices import Closing
from fwemu.core.firewall import Firewall
from fwemu.core.flow import TCP, Direction
from fwemu.core.packet import parse
from fwemu.core.reasons import Reason, Verdict
from fwemu.core.tcp import TcpConnection, flows_on, track
from fwemu.core.tcp_table import Cell, State
from fwemu.core.tcp_window import WindowCheck
from tests.kit import wire
from tests.kit.play import CLIENT, SERVER, START, policy, remembered
from tests.property.honest import MODULUS, Line

ESTABLISHED = State.ESTABLISHED

# -- honest ends --


def play_a_line(seed, steps):
    """Everything passes; when all has arrived the firewall knows what the ends know."""
    firewall = Firewall(policy(window="strict"))
    reasons: Counter[Reason] = Counter()

    def passes(data, zone):
        decision = firewall.handle(data, START, zone)
        assert decision.verdict is Verdict.ACCEPT, decision
        reasons[decision.reason] += 1

    line = Line(seed, passes)
    for _ in range(steps):
        line.step()
    if all(host.is_open for host in line.hosts.values()):
        line.settle()
        (session,) = firewall.table
        for host, end in zip(line.hosts.values(), session.ends, strict=True):
            assert (end.next - host.isn) % MODULUS in {host.next, host.probed}
            assert end.acked == (host.peer_isn + host.heard) % MODULUS
    return reasons


@given(st.integers(0, 2**32), st.integers(10, 400))
def test_honest_ends_are_never_refused(seed, steps):
    """Whatever the net does to them, whatever they offer."""
    reasons = play_a_line(seed, steps)
    event(f"late or early: {reasons[Reason.IGNORED] > 0}")


def test_honest_ends_get_somewhere():
    """The property would be empty if they never opened, never closed, never sent out of order."""
    reasons = play_a_line(5, 4000)
    assert reasons[Reason.SESSION] > 500
    assert reasons[Reason.IGNORED] > 0


# -- the quick way --

offsets = st.sampled_from([0] * 8 + [1, -1, 5, -5, 1000, 70_000, -70_000, 2**31, 2**31 - 1])
windows = st.sampled_from([0, 1, 10, 65535])
options = st.sampled_from(
    [b""] * 4 + [wire.TIMESTAMPS, wire.SACK_PERMITTED, wire.scale(7), wire.scale(14)]
)
numbers = st.sampled_from([0, 5, MODULUS - 3, 2**31 - 2, 2**31])
segments = st.tuples(
    st.sampled_from(list(Direction)),
    st.sampled_from(["A"] * 8 + ["FA", "R", "S", "SA"]),
    offsets,
    offsets,
    st.sampled_from([0, 0, 1, 10, 1400]),
    windows,
    options,
)


def packet_of(flags, seq, ack, octets, window, announced):
    body = wire.tcp(1, 2, flags, seq, ack, bytes(octets), announced, window)
    return parse(wire.ip(CLIENT[4], SERVER[4], TCP, body))


def everything(conversation):
    return remembered(conversation), *map(remembered, conversation.ends)


@given(
    st.sampled_from(["S", "A"]),
    st.tuples(numbers, numbers, windows, options, options),
    st.lists(segments, max_size=25),
    st.sampled_from(list(WindowCheck)),
    st.sampled_from(list(Closing)),
)
def test_the_quick_way_and_the_slow_way_are_one(first, opening, story, check, closing):
    """Where the quick one says yes, the slow one says the same and leaves the same behind; where
    it says no, it has touched nothing."""
    seq, ack, window, announced, answered = opening
    conversation, state = TcpConnection(), ESTABLISHED
    conversation.open(packet_of(first, seq, ack, 0, window, announced))
    if first == "S":
        for direction, flags, here, there, more in (
            (Direction.REPLY, "SA", ack, seq + 1, answered),
            (Direction.ORIGINAL, "A", seq + 1, ack + 1, b""),
        ):
            state = {"SA": State.SYN_SENT, "A": State.SYN_RECV}[flags]
            packet = packet_of(flags, here, there, 0, window, more)
            state = track(conversation, state, packet, direction, check, closing)
    assert state is ESTABLISHED
    for direction, flags, seq_off, ack_off, octets, field, more in story:
        sender, receiver = conversation.ends[direction], conversation.ends[1 - direction]
        numbers = (sender.next or 0) + seq_off, (receiver.next or 0) + ack_off
        packet = packet_of(flags, *numbers, octets, field, more)
        quick = deepcopy(conversation)
        before = everything(conversation)
        is_quick = flows_on(quick, packet, direction)
        cell = track(conversation, ESTABLISHED, packet, direction, check, closing)
        if is_quick:
            assert cell is ESTABLISHED
            assert everything(quick) == everything(conversation)
        else:
            assert everything(quick) == before
        if cell in (Cell.BAD, Cell.OUTSIDE):
            assert everything(conversation) == before
        event(f"quick: {is_quick}")


@settings(max_examples=50)
@given(numbers, numbers, windows, options, options)
def test_ordinary_data_goes_the_quick_way(seq, ack, window, announced, answered):
    """Otherwise it would be no use."""
    conversation = TcpConnection()
    conversation.open(packet_of("S", seq, 0, 0, window, announced))
    strict = WindowCheck.STRICT, Closing.BY_END
    reply, original = Direction.REPLY, Direction.ORIGINAL
    answer = packet_of("SA", ack, seq + 1, 0, 65535, answered)
    assert track(conversation, State.SYN_SENT, answer, reply, *strict) is State.SYN_RECV
    last = packet_of("A", seq + 1, ack + 1, 0, 65535, b"")
    assert track(conversation, State.SYN_RECV, last, original, *strict) is ESTABLISHED
    for direction, here, there, octets in (
        (original, seq + 1, ack + 1, 1000),
        (original, seq + 1001, ack + 1, 1000),
        (reply, ack + 1, seq + 1001, 0),
        (reply, ack + 1, seq + 2001, 500),
        (original, seq + 2001, ack + 501, 0),
    ):
        packet = packet_of("A", here, there, octets, 65535, wire.TIMESTAMPS)
        assert flows_on(conversation, packet, direction)
