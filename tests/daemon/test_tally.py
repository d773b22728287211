"""Counting: each effect where it belongs, and nothing anywhere else."""

import itertools

import pytest

from fwemu.core.effects import PacketRefused, SessionEnded, SessionOpened
from fwemu.core.flow import Flow
from fwemu.core.instants import SECOND
from fwemu.core.reasons import EndReason, Reason
from fwemu.daemon.tally import Histogram, Tally, protocol_label
from tests.daemon.fakes import EFFECTS


def test_each_effect_is_counted_once() -> None:
    """By labels that come from fixed lists."""
    tally = Tally()
    tally.write(EFFECTS)
    assert tally.opened == {"tcp": 1}
    assert tally.ended == {("tcp", "expired"): 1}
    assert tally.unknown == {("outside", "reset"): 1}
    assert tally.released == {("accept", "fragment"): 1}
    assert tally.injected == {("reset", "inside"): 1}
    assert tally.keepalives == {"reply": 1}
    assert tally.transitions == {"SYN_RECV": 1}
    assert tally.idle_age.total == 10.0


def the(kind: type) -> object:
    return next(effect for effect in EFFECTS if isinstance(effect, kind))


@pytest.mark.parametrize("reason", EndReason)
def test_every_way_to_end_has_a_counter_of_its_own(reason: EndReason) -> None:
    """`expired` and `evicted` are different problems with different cures."""
    ended = the(SessionEnded)
    assert isinstance(ended, SessionEnded)
    tally = Tally()
    tally.write([ended._replace(reason=reason)])
    assert tally.ended == {("tcp", reason.word): 1}


@pytest.mark.parametrize("reason", Reason)
def test_only_unknown_packets_count_as_unknown(reason: Reason) -> None:
    """The other refusals are in the packets by reason."""
    refused = the(PacketRefused)
    assert isinstance(refused, PacketRefused)
    tally = Tally()
    tally.write([refused._replace(reason=reason)])
    assert tally.unknown.total() == (reason is Reason.UNKNOWN_PACKET)


def test_protocols_without_a_name_share_one_label() -> None:
    """256 numbers would be 256 time series."""
    opened = the(SessionOpened)
    assert isinstance(opened, SessionOpened)
    tally = Tally()
    tally.write(
        opened._replace(flow=Flow(protocol, bytes(4), 0, bytes(4), 0)) for protocol in range(256)
    )
    assert tally.opened == {"tcp": 1, "udp": 1, "icmp": 1, "icmpv6": 1, "other": 252}
    assert protocol_label(132) == "other"


def test_a_value_on_a_bound_belongs_to_that_bucket() -> None:
    """Prometheus: `le` is less or equal."""
    histogram = Histogram((1.0, 5.0))
    for value in (0.0, 1.0, 1.1, 5.0, 5.1, 1e9):
        histogram.observe(value)
    assert histogram.counts == [2, 2, 2]
    assert histogram.total == sum((0.0, 1.0, 1.1, 5.0, 5.1, 1e9))


def test_the_idle_age_is_counted_from_the_last_packet() -> None:
    """How near the timeout sessions come is what the histogram is for."""
    ended = the(SessionEnded)
    assert isinstance(ended, SessionEnded)
    tally = Tally()
    for seconds in (1, 5, 3600, 7201):
        tally.write([ended._replace(idle_since=ended.at - seconds * SECOND)])
    cumulative = dict(
        zip(tally.idle_age.bounds, itertools.accumulate(tally.idle_age.counts), strict=False)
    )
    assert (cumulative[1.0], cumulative[5.0], cumulative[3600.0]) == (1, 2, 3)
    assert cumulative[7200.0] == 3
