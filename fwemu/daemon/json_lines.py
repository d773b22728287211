"""Writes any record as one line of JSON, and replaces values that JSON cannot carry.

`orjson` is quick and refuses what others would not read back: half a surrogate pair, an integer of
more than 64 bits, what nests too deep.  Something that says what it was stands for such a value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

_DEEPEST: Final = 100
"""Lists and tables within each other; orjson itself stops at 254."""

_LARGEST: Final = 2**63 - 1


def json_line(record: Mapping[str, Any]) -> bytes:
    """The record and a line feed, and no other line feed."""
    try:
        return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:  # JSONEncodeError is one
        return orjson.dumps(_encodable(record), option=orjson.OPT_APPEND_NEWLINE)


def readable(text: str) -> str:
    """Text that UTF-8 can carry: half a surrogate pair becomes its escape, as in \\ud800."""
    return text.encode(errors="backslashreplace").decode()


def _encodable(value: Any, depth: int = 0) -> Any:
    """The same value, or what can be said of it."""
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, str):
        return readable(value)
    if isinstance(value, int):
        if abs(value) <= _LARGEST:
            return int(value)
        return f"a number of {value.bit_length()} bits"  # its digits may be too many to be printed
    if depth >= _DEEPEST:
        return "..."
    if isinstance(value, Mapping):
        return {readable(str(key)): _encodable(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_encodable(item, depth + 1) for item in value]
    return readable(repr(value))
