"""What holds of fragments in any order, of any kind, whenever they come."""

from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from fwemu.core.effects import PacketReleased
from fwemu.core.firewall import Firewall
from fwemu.core.instants import SECOND
from fwemu.core.reasons import Reason, Verdict
from tests.kit import wire
from tests.kit.play import CLIENT, INSIDE, OUTSIDE, SERVER, START, policy, rule

UDP, TCP, GRE = 17, 6, 47
UNLIMITED = policy(rules=[rule("allow")])
NARROW = policy(
    rules=[rule("deny", ports=((9, 9),)), rule("allow")],
    capacity=2,
    when_full="reject-new",
    fragments={"per_datagram": 3, "held": 4, "datagrams": 2, "timeout": 2 * SECOND},
)


def body_of(protocol, port, octets):
    """A transport header and as many octets behind it."""
    if protocol == TCP:
        return wire.tcp(4000 + port, 80, "S", payload=bytes(octets))
    return wire.udp(4000, port, bytes(octets)) if protocol == UDP else bytes(octets + 24)


@st.composite
def cut(draw, protocol=None):
    """A datagram, in two or more parts that do not overlap: IP packets, the first one first."""
    version = draw(st.sampled_from([4, 6]))
    protocol = draw(st.sampled_from([UDP, TCP, GRE]))
    body = body_of(protocol, 53, draw(st.integers(24, 900)))
    cuts = st.integers(3, (len(body) - 1) // 8).map(lambda units: units * 8)
    edges = [0, *sorted(draw(st.sets(cuts, min_size=1, max_size=8))), len(body)]
    return [
        wire.ip(
            CLIENT[version],
            SERVER[version],
            protocol,
            body[start:stop],
            fragment=(7, start // 8, stop < len(body)),
        )
        for start, stop in pairwise(edges)
    ]


def follow(firewall, arrivals):
    """What became of each packet, by its index; None while it is held."""
    fates, tickets = {}, {}
    for index, (data, zone, now) in enumerate(arrivals):
        swept = firewall.tick(now) if index % 3 == 2 else ()
        decision = firewall.handle(data, now, zone)
        fates[index] = None if decision.verdict is Verdict.HOLD else decision.verdict
        if decision.verdict is Verdict.HOLD:
            tickets[decision.ticket] = index
        settle(fates, tickets, (*swept, *decision.effects))
    return fates, tickets


def settle(fates, tickets, effects):
    """Each ticket is settled once, and was given before."""
    for effect in effects:
        if isinstance(effect, PacketReleased):
            index = tickets.pop(effect.ticket)
            assert fates[index] is None
            fates[index] = effect.reason.verdict


@given(cut().flatmap(st.permutations))
def test_a_datagram_arrives_whole_whatever_the_order(parts):
    """Every part once, at the latest with the last of them; nothing is left behind."""
    firewall = Firewall(UNLIMITED)
    fates, tickets = follow(firewall, [(data, INSIDE, START) for data in parts])
    assert set(fates.values()) == {Verdict.ACCEPT}
    assert tickets == {}
    assert firewall.packets[Reason.HELD] == firewall.octets[Reason.HELD] == 0
    assert sum(firewall.packets) == len(parts)
    assert sum(firewall.octets) == sum(map(len, parts))
    assert len(firewall.table) == 1


@given(cut().flatmap(lambda parts: st.permutations(parts + parts)))
def test_a_network_that_repeats_everything_loses_nothing(parts):
    """Whatever waits at the end is a repetition whose datagram has passed already."""
    firewall = Firewall(UNLIMITED)
    fates, _ = follow(firewall, [(data, INSIDE, START) for data in parts])
    arrived = {parts[index] for index, fate in fates.items() if fate is Verdict.ACCEPT}
    assert arrived == set(parts)
    assert Verdict.DROP not in fates.values()


pieces = st.builds(
    lambda version, protocol, port, number, offset, octets, more: wire.ip(
        CLIENT[version],
        SERVER[version],
        protocol,
        (body_of(protocol, port, 60) if offset == 0 else bytes(80))[:octets],
        fragment=(number, offset, more),
    ),
    st.sampled_from([4, 6]),
    st.sampled_from([UDP, UDP, TCP, GRE]),
    st.sampled_from([53, 9]),
    st.integers(1, 3),
    st.integers(0, 6),
    st.sampled_from([8, 16, 24, 24, 32, 7]),
    st.booleans(),
)
strange = st.lists(
    st.tuples(
        pieces,
        st.sampled_from([INSIDE, INSIDE, INSIDE, OUTSIDE]),
        st.sampled_from([0, 0, 0, 1, SECOND, 2 * SECOND - 1, 2 * SECOND]),
    ),
    min_size=5,
    max_size=40,
)


def timed(story):
    """The same with instants instead of pauses."""
    now, arrivals = START, []
    for data, zone, pause in story:
        now += pause
        arrivals.append((data, zone, now))
    return arrivals


@given(strange, st.sampled_from([UNLIMITED, NARROW]))
def test_every_fragment_gets_one_verdict_in_the_end(story, settings):
    """Whatever comes, in whatever order: nothing waits beyond its time, and the books are even."""
    firewall = Firewall(settings)
    arrivals = timed(story)
    fates, tickets = follow(firewall, arrivals)
    limits = settings.fragments
    assert len(tickets) == firewall.packets[Reason.HELD] <= limits.held
    assert len(firewall._fragments) <= limits.datagrams
    settle(fates, tickets, firewall.tick(arrivals[-1][2] + limits.timeout))
    assert None not in fates.values()
    assert tickets == {}
    assert len(firewall._fragments) == 0
    accepted = sum(firewall.packets[each] for each in Reason if each.verdict is Verdict.ACCEPT)
    assert Counter(fates.values())[Verdict.ACCEPT] == accepted
    assert sum(firewall.packets) == len(story)
    assert sum(firewall.octets) == sum(len(data) for data, _, _ in story)


@given(strange, st.sampled_from([UNLIMITED, NARROW]))
def test_no_two_fragments_that_pass_overlap(story, settings):
    """Of one datagram, unless they are the same: whoever puts them together has no choice.

    Numbers may be used again, but not before the first datagram was whole or its time was over.
    """
    firewall = Firewall(settings)
    for data, zone, now in timed(story):
        firewall.handle(data, now, zone)
        for datagram in firewall._fragments:
            ends = [end for _, end in datagram.parts]
            starts = [start for start, _ in datagram.parts]
            assert all(end <= start for end, start in zip(ends, starts[1:], strict=False))
            assert len(datagram.parts) <= settings.fragments.per_datagram
            if datagram.fate is Reason.FRAGMENT:
                assert starts[0] == 0
                assert datagram.held == []


@given(strange, st.sampled_from([UNLIMITED, NARROW]))
def test_sweeping_changes_no_fate(story, settings):
    """Whether somebody looks at the timers or nobody does."""
    busy, lazy = Firewall(settings), Firewall(settings)
    for data, zone, now in timed(story):
        busy.tick(now)
        swept, unswept = busy.handle(data, now, zone), lazy.handle(data, now, zone)
        assert (swept.verdict, swept.reason) == (unswept.verdict, unswept.reason)
