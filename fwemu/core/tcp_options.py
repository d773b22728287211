"""The TCP options that a firewall needs: window scale and selective acknowledgement.

Options may be cut short or nonsense; whatever stands before that counts (RFC 9293 section 3.2).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

_END: Final = 0
_NO_OPERATION: Final = 1
_WINDOW_SCALE: Final = 3  # RFC 7323 section 2.2
_SACK_PERMITTED: Final = 4  # RFC 2018 section 2
_SACK: Final = 5  # RFC 2018 section 3

MAX_SCALE: Final = 14
"""Shift counts above are taken for this one (RFC 7323 section 2.3)."""

TIMESTAMPS_ONLY: Final = b"\x01\x01\x08\x0a"
"""How twelve octets of options begin that hold nothing but timestamps: nearly every segment's."""


def window_scale(options: bytes) -> int | None:
    """The shift count that this end announces; None if it does not scale."""
    for kind, value in _walk(options):
        if kind == _WINDOW_SCALE and len(value) == 1:
            return min(value[0], MAX_SCALE)
    return None


def permits_sack(options: bytes) -> bool:
    """True if this end allows the other to acknowledge selectively."""
    return any(kind == _SACK_PERMITTED and not value for kind, value in _walk(options))


def sack_edges(options: bytes) -> Iterator[int]:
    """The right edge of each block that is acknowledged selectively."""
    for kind, value in _walk(options):
        if kind == _SACK and value and len(value) % 8 == 0:
            for block in range(0, len(value), 8):
                yield int.from_bytes(value[block + 4 : block + 8], "big")
            return


def _walk(options: bytes) -> Iterator[tuple[int, bytes]]:
    """Each option that is whole: its kind and its value."""
    position = 0
    while position < len(options):
        kind = options[position]
        if kind == _END:
            return
        if kind == _NO_OPERATION:
            position += 1
            continue
        length = options[position + 1] if position + 1 < len(options) else 0
        if length < 2 or position + length > len(options):
            return
        yield kind, options[position + 2 : position + length]
        position += length
