"""Parses the packets of stories: TCP flags, numbers and options; UDP, ICMP and other protocols.

The lines around them are read in `notation.py`; docs/guides/stories.md is the reference.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from fwemu.core.flow import Zone
from fwemu.scenarios import segments
from fwemu.scenarios.participants import MESSAGES
from fwemu.scenarios.story import Cut, Icmp, Number, Other, StoryPacket, Tcp, Udp

WORD: Final = re.compile(r"\[[^\]]*\]|<(?=[a-zA-Z])[^>]*>|\S+")
"""One word of a line; a quoted packet or a list of options counts as one word."""

_SPAN: Final = re.compile(r"(=?)(-?\d+):(=?)(-?\d+)\((\d+)\)")
_ARROW: Final = re.compile(r"(!?)([<>])(\d*)")
_OPTION: Final = re.compile(r"(mss|wscale) (\d+)|(sackOK)|(timestamps)|(sack)((?: \d+:\d+)+)")
_ZONES: Final = {">": Zone.INSIDE, "<": Zone.OUTSIDE}

MOST_CONVERSATIONS: Final = 9_999
"""The greatest number of a conversation in a story."""

_LONGEST: Final = 65_400
"""Most octets of data in a packet: with the longest headers it still fits an IP packet."""

Reader = Callable[[Iterator[str]], tuple[Udp | Icmp | Other, list[str]]]


class Problem(Exception):  # noqa: N818 - it becomes an error once its line is known
    """A line cannot be parsed: the problem and the way out, still without file and line."""


def arrow(word: str, *, by_firewall: bool) -> tuple[Zone, int]:
    """Parse an arrow, which points the way the packet travels: sender's zone and conversation."""
    found = _ARROW.fullmatch(word)
    if found is None or bool(found[1]) is not by_firewall:
        raise Problem(f"{word!r} is no direction (write {'!> or !<' if by_firewall else '> or <'})")
    return _ZONES[found[2]], whole(found[3] or "1", "a conversation", MOST_CONVERSATIONS)


def packet(origin: Zone, conversation: int, words: Iterator[str]) -> StoryPacket:
    """Parse a packet; all of the words must belong to it."""
    first = next(words, "")
    body: Tcp | Udp | Icmp | Other
    readers: dict[str, Reader] = {"udp": _udp, "icmp": _icmp, "proto": _other}
    if first in readers:
        body, rest = readers[first](words)
    else:
        body, rest = _tcp(first, words)
    ttl = _take(rest, "ttl", "a TTL", 255)
    cut = None
    if "frag" in rest:
        span = re.fullmatch(r"(\d+):(\d+)", _after(rest, "frag"))
        if span is None or int(span[1]) % 8 or int(span[1]) >= int(span[2]):
            raise Problem("frag wants octets, the first by eights (write frag 1480:2960)")
        cut = Cut(int(span[1]), int(span[2]), _take(rest, "id", "an identification") or 1)
    nothing_more(rest)
    return StoryPacket(origin, conversation, body, ttl, cut)


def _tcp(flags: str, words: Iterator[str]) -> tuple[Tcp, list[str]]:
    if flags != "-" and not (flags and set(flags) <= segments.FLAGS.keys()):
        raise Problem(f"{flags!r} is no packet (write flags as in SA, udp, icmp or proto)")
    flags = flags.strip("-")
    rest = list(words)
    span = _SPAN.fullmatch(rest.pop(0) if rest else "")
    if span is None:
        raise Problem(
            f"{flags} wants sequence numbers (write FIRST:LAST(LENGTH), as in 1:101(100))"
        )
    begin, end, length = int(span[2]), int(span[4]), _length(f"({span[5]})")
    if end - begin != length:
        raise Problem(f"{span[0]} does not add up (write {begin}:{begin + length}({length}))")
    ack = _after(rest, "ack") if "ack" in rest else None
    if (ack is not None) is not ("A" in flags):
        raise Problem("ack belongs to flag A and flag A to ack (write both or neither)")
    if ack is not None and not re.fullmatch(r"=?-?\d+", ack):
        raise Problem(f"ack {ack} is no number (write ack 1)")
    window, urgent = _take(rest, "win", "a window"), _take(rest, "urg", "an urgent pointer")
    options = b""
    sack: list[tuple[int, int]] = []
    for word in [word for word in rest if word.startswith("<")]:
        rest.remove(word)
        for option in word[1:-1].split(","):
            options += _option(option.strip(), sack)
    if len(options) + (4 + 8 * len(sack) if sack else 0) > 40:  # RFC 9293 section 3.1
        raise Problem("these options take more than 40 octets (leave some out)")
    return Tcp(
        flags, Number(begin, bool(span[1])), length,
        None if ack is None else Number(int(ack.lstrip("=")), ack.startswith("=")),
        65535 if window is None else window, urgent or 0, options, tuple(sack),
    ), rest  # fmt: skip


def _option(text: str, sack: list[tuple[int, int]]) -> bytes:
    """The octets of a TCP option; blocks go into `sack`, because their numbers are relative."""
    found = _OPTION.fullmatch(text)
    if found is None:
        known = "mss N, wscale N, sackOK, timestamps, sack LEFT:RIGHT"
        raise Problem(f"<{text}> is no option (there are {known})")
    if found[1]:
        if found[1] == "wscale":
            return segments.scale(whole(found[2], "a shift count", 255))
        return b"\2\4" + whole(found[2], "a segment size").to_bytes(2, "big")
    if found[5]:
        edges = (block.split(":") for block in found[6].split())
        sack += ((int(left), int(right)) for left, right in edges)
        return b""
    return b"\1\1" + segments.SACK_PERMITTED if found[3] else segments.TIMESTAMPS


def _udp(words: Iterator[str]) -> tuple[Udp, list[str]]:
    return Udp(_length(next(words, ""))), list(words)


def _other(words: Iterator[str]) -> tuple[Other, list[str]]:
    number = whole(next(words, ""), "a protocol number", 255)
    return Other(number, _length(next(words, ""))), list(words)


def _icmp(words: Iterator[str]) -> tuple[Icmp, list[str]]:
    word = next(words, "")
    if word not in MESSAGES:
        raise Problem(f"{word!r} is no ICMP message (there are {', '.join(MESSAGES)})")
    rest = list(words)
    about = None
    for quotation in [word for word in rest if word.startswith("[")]:
        rest.remove(quotation)
        inner = iter(WORD.findall(quotation[1:-1]))
        about = packet(*arrow(next(inner, ""), by_firewall=False), inner)
    if MESSAGES[word].is_error is (about is None):
        wants = "wants a" if about is None else "takes no"
        raise Problem(f"{word} {wants} quotation (a packet in brackets, [> A 1:1(0) ack 1])")
    identifier, mtu = _take(rest, "ident", "an identifier"), _take(rest, "mtu", "an MTU")
    return Icmp(word, 77 if identifier is None else identifier, mtu or 0, about), rest


def _length(text: str) -> int:
    if not re.fullmatch(r"\(\d+\)", text):
        raise Problem(f"{text or 'nothing'!r} is no length (write it as in (100))")
    return whole(text[1:-1], "a length", _LONGEST)


def whole(text: str, what: str, most: int = 65_535) -> int:
    """Parse a whole number up to `most`; `what` is for the message."""
    if not re.fullmatch(r"\d+", text) or int(text) > most:
        raise Problem(f"{text or 'nothing'!r} is not {what} (write a number up to {most})")
    return int(text)


def _after(words: list[str], key: str) -> str:
    """Remove a key and the word after it; that word, empty if there is none."""
    at = words.index(key)
    del words[at]
    return words.pop(at) if at < len(words) else ""


def _take(words: list[str], key: str, what: str, most: int = 65_535) -> int | None:
    """Remove a key and its number; the number, None if the key is not there."""
    return whole(_after(words, key), what, most) if key in words else None


def nothing_more(words: Iterable[str]) -> None:
    """Raise Problem if words are left over."""
    if rest := " ".join(words):
        raise Problem(f"{rest!r} has no meaning here (leave it out)")
