"""Options: whole, cut short, nonsense.  What stands before the nonsense counts."""

import pytest

from fwemu.core.tcp_options import permits_sack, sack_edges, window_scale
from tests.kit import wire

NOP, END = b"\x01", b"\x00"
LINUX = wire.MSS + wire.SACK_PERMITTED + b"\x08\x0a" + bytes(8) + wire.scale(7)
"""A SYN of Linux."""


def test_the_options_of_an_ordinary_syn():
    """Maximum segment size, selective acknowledgements, timestamps, scale."""
    assert window_scale(LINUX) == 7
    assert permits_sack(LINUX)
    assert list(sack_edges(LINUX)) == []


def test_no_options():
    """A stack of 1981."""
    assert window_scale(b"") is None
    assert not permits_sack(b"")
    assert list(sack_edges(b"")) == []


@pytest.mark.parametrize(("shift", "taken"), [(0, 0), (1, 1), (13, 13), (14, 14), (15, 14)])
def test_a_shift_of_more_than_fourteen_is_taken_for_fourteen(shift, taken):
    """RFC 7323 section 2.3.  A shift of zero is an announcement too."""
    assert window_scale(wire.scale(shift)) == taken


def test_a_wrong_length_says_nothing():
    """Such an option is passed over, and what follows is read."""
    assert window_scale(b"\x03\x04\x07\x07") is None
    assert window_scale(b"\x03\x02" + wire.scale(5)) == 5
    assert not permits_sack(b"\x04\x03\x00")
    assert permits_sack(b"\x04\x03\x00" + wire.SACK_PERMITTED)
    for octets in (0, 4, 7, 9, 12):
        assert list(sack_edges(bytes((5, 2 + octets)) + bytes(octets))) == []


@pytest.mark.parametrize(
    "before",
    [
        END,  # nothing stands behind the end
        b"\x08\x00",  # a length that cannot be
        b"\x08\x01",
        b"\x08\x0a" + bytes(3),  # longer than what is there
    ],
)
def test_nothing_is_read_behind_an_end_or_nonsense(before):
    """Everything is read before it."""
    assert window_scale(before + wire.scale(7)) is None
    assert window_scale(wire.scale(7) + before) == 7


@pytest.mark.parametrize("length", range(4))
def test_an_option_that_is_cut_short_is_not_there(length):
    """The daemon copies heads only."""
    assert window_scale(wire.scale(7)[:length]) is None


def test_a_kind_without_a_length_ends_it():
    """The last octet cannot begin an option."""
    assert not permits_sack(NOP + b"\x04")


def test_padding_is_passed_over():
    """One octet, without a length."""
    assert window_scale(NOP * 5 + wire.scale(9)) == 9


def test_the_right_edges_of_selective_acknowledgements():
    """Up to four blocks, in no order (RFC 2018 section 3)."""
    assert list(sack_edges(wire.sack((10, 20)))) == [20]
    blocks = ((300, 400), (2**32 - 5, 2**32 - 1), (50, 60), (70, 80))
    assert list(sack_edges(wire.sack(*blocks))) == [400, 2**32 - 1, 60, 80]
    assert list(sack_edges(wire.TIMESTAMPS + wire.sack((10, 20)))) == [20]


def test_one_option_of_blocks_is_enough():
    """A second one would be nonsense; nf_conntrack looks at the first as well."""
    assert list(sack_edges(wire.sack((10, 20)) + wire.sack((30, 40)))) == [20]
