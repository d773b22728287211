"""The door itself: any packet gets a decision, and every decision is counted."""

import pytest

from fwemu.core.effects import PacketRefused
from fwemu.core.firewall import Firewall
from fwemu.core.flow import Zone
from fwemu.core.policy import Policy
from fwemu.core.reasons import Reason, Verdict
from tests.kit import wire
from tests.kit.play import INSIDE, OUTSIDE, START, Play, rule

# -- packets that are none --


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "truncated"),
        (b"\x45", "truncated"),
        (b"\x60", "truncated"),
        (b"\x99" * 40, "bad_header"),
        (b"\x41" + bytes(39), "bad_length"),
        (wire.ip(bytes(4), bytes(4), 6, wire.tcp(1, 2, "SF")), "bad_flags"),
        (wire.ip(bytes(16), bytes(16), 6, wire.tcp(1, 2, "")), "bad_flags"),
    ],
)
def test_what_is_no_packet_is_dropped_with_its_reason(play, data, reason):
    """Nothing is known of it but where it came from and how long it was."""
    play.under(inside="reset", default_inside="reject")
    (refused,) = play.receives(data, INSIDE).dropped(reason).effects
    assert refused == PacketRefused(
        play.now, Reason[reason.upper()], refused.answer, INSIDE, None, None, len(data), None, None
    )


# -- counters --


def test_every_packet_is_counted_once_by_its_reason(play):
    """They add up to what came in, in packets and in octets."""
    play.under(capacity=2, inside="pick-up", rules=[rule("reject", ports=((99, 99),))])
    heard: list[tuple[Reason, int]] = []

    def receives(data, arrival, *_):
        decision = play.firewall.handle(data, play.now, arrival)
        heard.append((decision.reason, len(data)))
        return decision

    conversation = play.conversation
    udp = play.udp(port=5)
    whole = wire.udp(5, 53, bytes(1000))
    about = conversation.segment(INSIDE, "A", 1, 1)
    to_client = conversation.address[OUTSIDE], conversation.address[INSIDE]
    story = [
        (conversation.segment(INSIDE, "S", 0, 0), INSIDE, "opened"),
        (conversation.segment(INSIDE, "A", 1, 1), INSIDE, "invalid_state"),
        (conversation.segment(OUTSIDE, "SA", 0, 1), OUTSIDE, "session"),
        (conversation.segment(OUTSIDE, "SA", 0, 1), OUTSIDE, "ignored"),
        (conversation.segment(INSIDE, "A", 1, 1, 700), INSIDE, "session"),
        (wire.icmp_error(*to_client, about), OUTSIDE, "related"),
        (wire.icmp_error(*to_client, b""), OUTSIDE, "unrelated_icmp"),
        (udp.packet(INSIDE, whole[:800], fragment=(1, 0, True)), INSIDE, "opened"),
        (udp.packet(INSIDE, whole[800:], fragment=(1, 100, False)), INSIDE, "fragment"),
        (udp.packet(INSIDE, whole[800:], fragment=(2, 100, False)), INSIDE, "held"),
        (play.tcp(port=9).segment(INSIDE, "A", 1, 1, 50), INSIDE, "picked_up"),
        (play.tcp(port=8).segment(OUTSIDE, "A", 1, 1, 50), OUTSIDE, "unknown_packet"),
        (play.tcp(port=8).segment(OUTSIDE, "S", 1, 1, 50), OUTSIDE, "denied"),
        (play.tcp(to_port=99).segment(INSIDE, "S", 1, 1, 50), INSIDE, "rejected"),
        (b"\x99", INSIDE, "bad_header"),
    ]
    for data, arrival, reason in story:
        assert receives(data, arrival).reason.word == reason
    for reason in Reason:
        octets = [length for each, length in heard if each is reason]
        assert play.firewall.packets[reason] == len(octets)
        assert play.firewall.octets[reason] == sum(octets)


def test_octets_are_those_of_the_whole_packet():
    """Though only its head was copied out of the kernel."""
    play = Play()
    whole = play.conversation.segment(INSIDE, "S", 0, 0, 1000)
    play.receives(whole[:40], INSIDE).opens("SYN_SENT")
    assert play.firewall.octets[Reason.OPENED] == len(whole)


# -- decisions --


def test_a_reason_and_its_verdict_always_agree(play):
    """One of each kind of acceptance and of refusal."""
    for outcome in (
        play.client("S"),
        play.client("A", ack=1),
        play.server("SA"),
        play.server("SA", seq=0),
        play.tcp(port=1).client("A"),
        play.tcp(port=1).server("S"),
    ):
        assert outcome.decision.verdict is outcome.decision.reason.verdict
        assert (outcome.decision.verdict is Verdict.DROP) is bool(outcome.all(PacketRefused))


def test_without_settings_it_is_an_ordinary_firewall(play):
    """The defaults of the core: inside may begin, an hour of quiet is forgotten, silently."""
    firewall = Firewall(Policy())
    conversation = play.conversation
    now = START
    for data, zone, word in [
        (conversation.segment(OUTSIDE, "S", 0, 0), OUTSIDE, "denied"),
        (conversation.segment(INSIDE, "S", 0, 0), INSIDE, "opened"),
        (conversation.segment(OUTSIDE, "SA", 0, 1), OUTSIDE, "session"),
        (conversation.segment(INSIDE, "A", 1, 1), INSIDE, "session"),
    ]:
        assert firewall.handle(data, now, zone).reason.word == word
    now += 3600 * 10**9
    assert len(firewall.tick(now)) == 1
    (refused,) = firewall.handle(conversation.segment(INSIDE, "A", 1, 1), now, Zone.INSIDE).effects
    assert refused.reason is Reason.UNKNOWN_PACKET
    assert refused.answer.word == "drop"


def test_random_eviction_without_chance_takes_the_first(play):
    """A firewall that was handed no chance is still deterministic."""
    settings = play.under(capacity=2, when_full="evict-random").firewall.policy
    firewall = Firewall(settings)
    for port in (1, 2, 3):
        firewall.handle(play.tcp(port=port).segment(INSIDE, "S", 0, 0), START, INSIDE)
    assert [session.id for session in firewall.table] == [2, 3]
