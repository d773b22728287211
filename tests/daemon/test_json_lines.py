"""Whatever is to be logged becomes one line that every reader of JSON understands."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwemu.daemon.json_lines import json_line

TEXT = st.text(st.characters())  # surrogates included
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


def nested(depth: int) -> Any:
    value: Any = "inside"
    for _ in range(depth):
        value = [value]
    return value


@given(st.dictionaries(TEXT, VALUE, max_size=5))
def test_any_record_is_one_line_that_can_be_read_back(record: dict[str, Any]) -> None:
    """A line that cannot be made ends a log; one that cannot be read ends its reader."""
    line = json_line(record)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    for read in (orjson.loads, json.loads):
        assert isinstance(read(line), dict)


@pytest.mark.parametrize(
    ("value", "logged"),
    [
        ("plain \u2028 text \x85", "plain \u2028 text \x85"),
        ("half a pair: \ud800", "half a pair: \\ud800"),
        ("an octet of argv that is no UTF-8: \udcff", "an octet of argv that is no UTF-8: \\udcff"),
        (("a", 1), ["a", 1]),
        (2**63 - 1, 2**63 - 1),
        (2**64, "a number of 65 bits"),
        (10**5000, "a number of 16610 bits"),
        (b"octets", "b'octets'"),
        ({"\ud800": {1: True}}, {"\\ud800": {"1": True}}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_json_cannot_carry_says_what_it_was(value: Any, logged: Any) -> None:
    """And what it can is left as it is."""
    assert orjson.loads(json_line({"value": value})) == {"value": logged}


@pytest.mark.parametrize("depth", [200, 5000])
def test_what_nests_too_deep_is_cut(depth: int) -> None:
    """A log of one's own must not be the thing that overflows a stack."""
    read = orjson.loads(json_line({"value": nested(depth)}))["value"]
    while isinstance(read, list):
        (read,) = read
    assert read == ("inside" if depth == 200 else "...")
