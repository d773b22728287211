"""Eviction agrees with plain models: a list in the order of use, a list in the order of age."""

from hypothesis import given
from hypothesis import strategies as st

from fwemu.core.effects import SessionEnded
from fwemu.core.firewall import Firewall
from fwemu.core.flow import Zone
from tests.kit import wire
from tests.kit.play import INSIDE, OUTSIDE, START, Play, policy

CAPACITY = 4
ports = st.integers(1, 9)
ends = st.sampled_from([INSIDE, OUTSIDE])
datagrams = st.lists(st.tuples(ports, ends), max_size=60)


def new_conversations():
    play = Play()
    return {port: play.udp(port=port) for port in range(1, 10)}


def sends(firewall: Firewall, conversation, end: Zone) -> list[int]:
    """One end of this conversation sends; whose sessions are evicted for it?"""
    data = conversation.packet(
        end, wire.udp(conversation.ports[end], conversation.ports[end.other])
    )
    effects = firewall.handle(data, START, end).effects
    return [each.flow.source_port for each in effects if isinstance(each, SessionEnded)]


@given(datagrams)
def test_lru_agrees_with_a_list(story):
    """The list has whoever spoke last at its end, and loses its head."""
    firewall, conversations = Firewall(policy(capacity=CAPACITY)), new_conversations()
    model: list[int] = []
    for port, end in story:
        evicted = sends(firewall, conversations[port], end)
        wanted = []
        if port in model:
            model.remove(port)
            model.append(port)
        elif end is INSIDE:  # outside may not begin
            if len(model) == CAPACITY:
                wanted.append(model.pop(0))
            model.append(port)
        assert evicted == wanted
        assert {each.flow.source_port for each in firewall.table} == set(model)


@given(datagrams)
def test_early_drop_agrees_with_a_list(story):
    """The oldest unanswered one goes; if all are answered, nobody comes."""
    settings = policy(capacity=CAPACITY, when_full="evict-unassured")
    firewall, conversations = Firewall(settings), new_conversations()
    model: dict[int, bool] = {}  # answered or not, oldest first
    for port, end in story:
        evicted = sends(firewall, conversations[port], end)
        wanted = []
        if port in model:
            model[port] |= end is OUTSIDE
        elif end is INSIDE:
            waiting = [each for each, answered in model.items() if not answered]
            if len(model) == CAPACITY and waiting:
                wanted.append(waiting[0])
                del model[waiting[0]]
            if len(model) < CAPACITY:
                model[port] = False
        assert evicted == wanted
        assert {each.flow.source_port for each in firewall.table} == set(model)


@given(datagrams, st.lists(st.integers(0, CAPACITY - 1), min_size=60, max_size=60))
def test_random_eviction_takes_exactly_whom_chance_names(story, numbers):
    """Every session can be hit, and only one that is in the table."""
    asked = iter(numbers)
    settings = policy(capacity=CAPACITY, when_full="evict-random")
    firewall = Firewall(settings, choose=lambda n: next(asked) % n)
    conversations = new_conversations()
    inside: set[int] = set()
    for port, end in story:
        full = len(inside) == CAPACITY
        evicted = sends(firewall, conversations[port], end)
        assert len(evicted) == (full and end is INSIDE and port not in inside)
        assert set(evicted) <= inside
        inside -= set(evicted)
        if end is INSIDE:
            inside.add(port)
        assert {each.flow.source_port for each in firewall.table} == inside


@given(datagrams)
def test_reject_new_keeps_whoever_came_first(story):
    """Nobody is ever evicted."""
    firewall = Firewall(policy(capacity=CAPACITY, when_full="reject-new"))
    conversations = new_conversations()
    model: list[int] = []
    for port, end in story:
        assert sends(firewall, conversations[port], end) == []
        if end is INSIDE and port not in model and len(model) < CAPACITY:
            model.append(port)
        assert [each.flow.source_port for each in firewall.table] == model
