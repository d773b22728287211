"""Any bytes give an answer."""

from hypothesis import example, given
from hypothesis import strategies as st

from fwemu.core.effects import Decision, PacketRefused, PacketReleased
from fwemu.core.firewall import Firewall
from fwemu.core.flow import Zone, flow_of
from fwemu.core.forge import rejection_of, reset_for
from fwemu.core.packet import (
    Fragment,
    Kind,
    Malformed,
    Packet,
    flow_of_packet,
    parse,
    reverse_key,
)
from fwemu.core.reasons import Reason, Verdict
from fwemu.core.tcp_table import Segment
from tests.kit.play import START, policy
from tests.property.traffic import any_input, arrivals

MALFORMED = {Reason.BAD_FLAGS, Reason.BAD_LENGTH, Reason.BAD_HEADER, Reason.TRUNCATED}
REJECTS = policy(inside="reject", outside="reset", default_outside="reject")
ROUTER = policy(mode="acl", default_inside="reject", default_outside="reject")


@given(any_input)
@example((b"", Zone.INSIDE))
def test_any_bytes_are_a_packet_or_have_a_reason(arrival):
    """And a packet has a flow that can be told, both ways."""
    data, _ = arrival
    packet = parse(data)
    if isinstance(packet, Fragment):
        assert 0 <= packet.offset < packet.offset_end <= 65_535
        packet = packet.packet
    if isinstance(packet, Malformed):
        assert packet.reason in MALFORMED
        return
    assert type(packet) is Packet
    assert (packet.segment is not None) == (packet.kind is Kind.TCP)
    assert 0 <= packet.seq < 2**32
    assert 0 <= packet.seq_end < 2**32
    assert str(flow_of_packet(packet))
    if packet.kind in (Kind.TCP, Kind.UDP, Kind.OTHER):
        back = packet._replace(key=reverse_key(packet))
        assert reverse_key(back) == packet.key
        flow = flow_of_packet(packet)
        assert flow_of_packet(back)[1:] == (*flow[3:], *flow[1:3])
    if packet.kind is Kind.QUERY:
        assert (
            flow_of(packet.protocol, reverse_key(packet)).source_port == flow_of_packet(packet)[2]
        )


@given(st.lists(any_input, max_size=10), st.sampled_from([REJECTS, ROUTER]))
def test_any_bytes_give_a_decision(inputs, settings):
    """Its verdict is that of its reason; a refusal says why, and every packet is counted."""
    firewall = Firewall(settings)
    for data, zone in inputs:
        decision = firewall.handle(data, START, zone)
        assert type(decision) is Decision
        assert decision.verdict is decision.reason.verdict
        released = [each for each in decision.effects if isinstance(each, PacketReleased)]
        refusals = [each for each in decision.effects if isinstance(each, PacketRefused)]
        del refusals[len(refusals) - sum(not each.reason.verdict for each in released) :]
        if decision.verdict is Verdict.DROP:
            (refused,) = refusals
            assert refused.reason is decision.reason
        else:
            assert refusals == []
    assert sum(firewall.packets) == len(inputs)


@given(any_input)
def test_whatever_the_firewall_says_can_be_read(arrival):
    """Its own packets are packets: they come from where the refused one was going."""
    data, zone = arrival
    firewall = Firewall(REJECTS)
    for effect in firewall.handle(data, START, zone).effects:
        if hasattr(effect, "packet"):
            spoken, heard = parse(effect.packet), whole(parse(data))
            assert effect.zone is zone
            assert spoken.length == len(effect.packet)
            assert flow_of_packet(spoken).source == flow_of_packet(heard).destination
            assert flow_of_packet(spoken).destination == flow_of_packet(heard).source
            assert spoken.segment is Segment.RST or spoken.kind is Kind.ERROR


def whole(parsed):
    """The packet that the firewall judges in the place of its first fragment."""
    return parsed.packet if isinstance(parsed, Fragment) else parsed


@given(arrivals)
def test_an_answer_that_is_a_segment_takes_its_numbers_from_what_it_answers(arrival):
    """RFC 9293 section 3.10.7.1, for all numbers."""
    packet = whole(parse(arrival[0]))
    if isinstance(packet, Malformed) or packet.kind is not Kind.TCP:
        return
    answer = parse(reset_for(packet, 64))
    assert answer.key == reverse_key(packet)
    if packet.segment is Segment.SYN:
        assert (answer.seq, answer.ack) == (0, packet.seq_end)
    else:
        assert (answer.seq, answer.ack) == (packet.ack, 0)


@given(arrivals, st.integers(0, 2000))
def test_a_rejection_is_no_longer_than_it_may_be(arrival, octets):
    """RFC 1812 section 4.3.2.3 and RFC 4443 section 2.4."""
    data, _ = arrival
    packet = whole(parse(data))
    if isinstance(packet, Packet):
        flow = flow_of_packet(packet)
        answer = rejection_of(data + bytes(octets), flow, None, 64)
        assert len(answer) <= (576 if flow.version == 4 else 1280)
        assert parse(answer).length == len(answer)
