"""Random traffic that gets somewhere: moves of a few conversations, in any order.

Packets drawn octet by octet would hardly ever complete a handshake.  So the moves are made once,
whole handshakes and closes among them as well as single segments out of place, and chance only
chooses among them, and now and then throws in a segment with numbers, a window and options of its
own.
"""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import strategies as st

from fwemu.core.flow import TCP, Zone
from fwemu.core.instants import SECOND
from tests.kit import wire
from tests.kit.play import CLIENT, INSIDE, OUTSIDE, SERVER, Conversation, Play, Tcp

Arrival = tuple[bytes, Zone]
Move = tuple[Arrival, ...]
"""One packet, or several that belong together."""

FEW = ((4, 1), (4, 2), (6, 1))
"""IP versions and ports: so few that packets meet each other's sessions."""


def _tcp_moves(conversation: Tcp) -> Iterator[Move]:
    def sends(end: Zone, *segment: object) -> Arrival:
        return conversation.segment(end, *segment), end  # type: ignore[arg-type]

    syn, syn_ack = sends(INSIDE, "S", 0, 0), sends(OUTSIDE, "SA", 0, 1)
    ack = sends(INSIDE, "A", 1, 1)
    data, answer = sends(INSIDE, "A", 1, 1, 10), sends(OUTSIDE, "PA", 1, 11, 20)
    fin, fin_ack = sends(INSIDE, "FA", 11, 21), sends(OUTSIDE, "FA", 21, 12)
    last = sends(INSIDE, "A", 12, 22)
    handshake, close = (syn, syn_ack, ack), (fin, fin_ack, last)
    yield from [handshake] * 3
    yield (*handshake, data, answer)
    yield handshake + close
    yield close
    yield (data, answer)
    yield from ((each,) for each in (syn, syn_ack, ack, data, answer, fin, fin_ack, last))
    yield (sends(INSIDE, "A", 10, 21),)  # a probe
    yield (sends(OUTSIDE, "S", 0, 0),)
    yield handshake + close + (sends(OUTSIDE, "S", 0, 0),)
    yield (sends(INSIDE, "S", 5000, 0),)
    yield from ((*begun, sends(end, "R", 11, 0)) for end in Zone for begun in ((), (), handshake))
    announcing = tuple(
        (conversation.segment(end, flags, 0, 1, options=wire.scale(7) + wire.SACK_PERMITTED), end)
        for end, flags in ((INSIDE, "S"), (OUTSIDE, "SA"))
    )
    yield from [(*announcing, ack)] * 2
    yield (*announcing, ack, data, answer)
    yield ((ack[0], OUTSIDE),)  # from the wrong side
    yield from ((sends(INSIDE, flags, 1, 1),) for flags in ("", "SF"))


def _other_moves(play: Play, port: int) -> Iterator[Move]:
    udp, ping, tcp = play.udp(port=port), play.ping(identifier=port), play.tcp(port=port)
    ask = udp.packet(INSIDE, wire.udp(port, 53)), INSIDE
    answer = udp.packet(OUTSIDE, wire.udp(53, port)), OUTSIDE
    yield from [(ask,), (ask, answer), (answer,)]
    echo = ping.packet(INSIDE, wire.icmp(ping.query, port)), INSIDE
    reply = ping.packet(OUTSIDE, wire.icmp(ping.response, port)), OUTSIDE
    yield from [(echo,), (echo, reply), (reply,)]
    for end in Zone:
        about = tcp.segment(end, "A", 1, 1)
        ends = udp.address[end.other], udp.address[end]
        yield ((wire.icmp_error(*ends, about), end.other),)
        yield ((wire.icmp_error(*ends, about), end),)
        yield from _fragments(udp, end)
    udp.protocol = 47
    yield from ((((udp.packet(end, b"tunnel"), end)),) for end in Zone)


def _fragments(udp: Conversation, end: Zone) -> Iterator[Move]:
    whole = wire.udp(udp.ports[end], udp.ports[end.other], bytes(100))
    number = udp.ports[INSIDE]
    first = udp.packet(end, whole[:80], fragment=(number, 0, True)), end
    rest = udp.packet(end, whole[80:], fragment=(number, 10, False)), end
    over = udp.packet(end, whole[72:], fragment=(number, 9, False)), end
    yield from [(first,), (rest,), (first, rest), (rest, first), (over,), (first, over)]


MOVES: list[Move] = [
    move
    for version, port in FEW
    for moves in (_tcp_moves(Play(version).tcp(port=port)), _other_moves(Play(version), port))
    for move in moves
]

pauses = st.sampled_from(
    [0] * 10 + [1, SECOND - 1, SECOND, 2 * SECOND, 10 * SECOND, 30 * SECOND, 3600 * SECOND]
)


def _spread(moves: list[tuple[Move, int]]) -> list[tuple[bytes, Zone, int]]:
    return [
        (data, zone, pause if index == 0 else 0)
        for move, pause in moves
        for index, (data, zone) in enumerate(move)
    ]


arrivals = st.sampled_from([arrival for move in MOVES for arrival in move])
"""One packet, whatever came before."""

TALKS = [Play(version).tcp(port=port) for version, port in FEW]
NUMBERS = (0, 1, 2, 10, 11, 12, 21, 22, 65_536, 65_537, 140_000, 10**6, -1, -70_000, 2**31, -5000)
OPTIONS = (
    b"",
    wire.TIMESTAMPS,
    wire.scale(7),
    wire.SACK_PERMITTED,
    wire.scale(14) + wire.SACK_PERMITTED,
    wire.sack((5, 11)),
    wire.sack((100, 200_000), (1, 3)),
    b"\x05\x0a\x00",
)


@st.composite
def wild(draw: st.DrawFn) -> Move:
    """A segment of a conversation that may be under way, with any numbers."""
    conversation = draw(st.sampled_from(TALKS))
    end = draw(st.sampled_from([INSIDE, OUTSIDE]))
    flags = draw(st.sampled_from(["A", "A", "A", "PA", "FA", "R", "RA", "S", "SA"]))
    numbers = st.sampled_from(NUMBERS)
    window = draw(st.sampled_from([0, 1, 100, 65535]))
    data = conversation.segment(
        end,
        flags,
        draw(numbers),
        draw(numbers),
        draw(st.sampled_from([0, 0, 1, 10, 1400])),
        window=window,
        options=draw(st.sampled_from(OPTIONS)),
    )
    return ((data, end),)


moves = st.tuples(st.one_of(st.sampled_from(MOVES), st.sampled_from(MOVES), wild()), pauses)
traffic = st.lists(moves, min_size=8, max_size=40).map(_spread)
"""Packets, each with its zone and the time that passes before it."""


_SYN = wire.tcp(1, 80, "S")
_CHAIN = wire.extension(43, wire.extension(60, wire.extension(TCP, _SYN), octets=16))
_AH = bytes((TCP, 4)) + bytes(22) + _SYN
ODD: list[Arrival] = [
    (wire.ip(CLIENT[4], SERVER[4], TCP, _SYN, options=bytes(8)), INSIDE),
    (wire.ip(CLIENT[6], SERVER[6], 0, _CHAIN), INSIDE),
    (wire.ip(CLIENT[6], SERVER[6], 51, _AH), INSIDE),
]
"""Packets with something between the IP header and the segment."""


@st.composite
def mutilated(draw: st.DrawFn) -> Arrival:
    """A packet with some octets changed, cut short or grown."""
    data, zone = draw(st.one_of(arrivals, st.sampled_from(ODD)))
    octets = bytearray(data)
    for _ in range(draw(st.integers(0, 4))):
        octets[draw(st.integers(0, len(octets) - 1))] = draw(st.integers(0, 255))
    return bytes(octets[: draw(st.integers(0, len(octets)))]) + draw(st.binary(max_size=8)), zone


any_input = st.one_of(
    st.tuples(st.binary(max_size=120), st.sampled_from(list(Zone))),
    arrivals,
    mutilated(),
)
"""Packets, nearly packets, and what is none."""
