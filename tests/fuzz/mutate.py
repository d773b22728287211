"""New cases out of old ones: steps change places, and packets are changed where it matters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random
from struct import pack_into
from typing import Final

from fwemu.core.flow import TCP
from fwemu.core.packet import Malformed, locate
from tests.fuzz.case import ACTIONS, ZONES, Case, Step
from tests.fuzz.policies import POLICIES

LONGEST: Final = 60
"""Steps of a case, at the most."""

PAUSES: Final = (0, 1, 10**9 - 1, 10**9, 2 * 10**9, 10**10, 3 * 10**10, 12 * 10**10, 36 * 10**11)
"""Nanoseconds: just before, at and after the timers of the policies."""

OCTETS: Final = (0x00, 0x01, 0x02, 0x05, 0x06, 0x11, 0x3A, 0x40, 0x7F, 0x80, 0xFF)
FLAGS: Final = (0x02, 0x12, 0x10, 0x11, 0x04, 0x14, 0x18, 0x00, 0x03, 0x29, 0xC2)
FAR: Final = (1, -1, 2, 100, -100, 1400, 65_535, 65_536, -70_000, 2**31 - 1, 2**31, 2**31 + 1)
"""How far numbers are moved: next to each other, about a window, half the circle."""


def mutated(case: Case, pool: Sequence[Case], chance: Random) -> Case:
    """A case with a few things changed; `pool` is what it may borrow from."""
    steps = list(case.steps)
    policy = case.policy
    for _ in range(chance.choice((1, 1, 2, 3, 6))):
        if chance.random() < 0.1:
            policy = chance.choice(list(POLICIES))
        change = chance.choice(CHANGES)
        change(steps, pool, chance)
    return Case(policy, tuple(steps[:LONGEST]))


# -- steps --


def _change_packet(steps: list[Step], pool: Sequence[Case], chance: Random) -> None:
    packets = [index for index, step in enumerate(steps) if step.word in ZONES]
    if packets:
        index = chance.choice(packets)
        octets = bytearray(steps[index].packet)
        for _ in range(chance.choice((1, 1, 1, 2, 4))):
            chance.choice(EDITS)(octets, chance)
        steps[index] = steps[index]._replace(packet=bytes(octets))


def _repeat(steps: list[Step], pool: Sequence[Case], chance: Random) -> None:
    if steps:
        steps.insert(chance.randint(0, len(steps)), chance.choice(steps))


def _repeat_changed(steps: list[Step], pool: Sequence[Case], chance: Random) -> None:
    packets = [step for step in steps if step.word in ZONES]
    if packets:
        steps.append(chance.choice(packets))
        octets = bytearray(steps[-1].packet)
        chance.choice(EDITS)(octets, chance)
        steps[-1] = steps[-1]._replace(packet=bytes(octets))


def _drop(steps: list[Step], pool: Sequence[Case], chance: Random) -> None:
    if len(steps) > 1:
        del steps[chance.randrange(len(steps))]


def _swap(steps: list[Step], pool: Sequence[Case], chance: Random) -> None:
    if len(steps) > 1:
        here = chance.randrange(len(steps) - 1)
        steps[here], steps[here + 1] = steps[here + 1], steps[here]


def _borrow(steps: list[Step], pool: Sequence[Case], chance: Random) -> None:
    other = chance.choice(pool).steps
    first = chance.randint(0, len(other))
    steps[chance.randint(0, len(steps)) :] = other[first:]


def _interleave(steps: list[Step], pool: Sequence[Case], chance: Random) -> None:
    for step in chance.choice(pool).steps:
        steps.insert(chance.randint(0, len(steps)), step)


def _wait(steps: list[Step], pool: Sequence[Case], chance: Random) -> None:
    if steps:
        index = chance.randrange(len(steps))
        steps[index] = steps[index]._replace(pause=chance.choice(PAUSES))


def _other_side(steps: list[Step], pool: Sequence[Case], chance: Random) -> None:
    packets = [index for index, step in enumerate(steps) if step.word in ZONES]
    if packets:
        index = chance.choice(packets)
        steps[index] = steps[index]._replace(word=chance.choice(list(ZONES)))


def _act(steps: list[Step], pool: Sequence[Case], chance: Random) -> None:
    word = chance.choice(list(ACTIONS))
    step = Step(chance.choice(PAUSES), word, chance.choice(ACTIONS[word]))
    steps.insert(chance.randint(0, len(steps)), step)


CHANGES: Final[Sequence[Callable[[list[Step], Sequence[Case], Random], None]]] = (
    *[_change_packet] * 6,
    *[_repeat_changed] * 4,
    _repeat,
    _drop,
    _swap,
    _borrow,
    _interleave,
    _wait,
    _wait,
    _other_side,
    _act,
)
"""Ways to change a case; those named more often happen more often."""


# -- octets --


def _set_octet(octets: bytearray, chance: Random) -> None:
    if octets:
        octets[chance.randrange(min(len(octets), 80))] = chance.choice(OCTETS)


def _any_octet(octets: bytearray, chance: Random) -> None:
    if octets:
        octets[chance.randrange(len(octets))] = chance.randrange(256)


def _flip_bit(octets: bytearray, chance: Random) -> None:
    if octets:
        octets[chance.randrange(min(len(octets), 80))] ^= 1 << chance.randrange(8)


def _cut(octets: bytearray, chance: Random) -> None:
    del octets[chance.randint(0, len(octets)) :]


def _grow(octets: bytearray, chance: Random) -> None:
    octets += chance.randbytes(chance.choice((1, 8, 40)))


def _total_length(octets: bytearray, chance: Random) -> None:
    """The length in the IP header becomes right, or wrong by a little."""
    version = octets[0] >> 4 if octets else 0
    if version == 4 and len(octets) >= 4:
        pack_into("!H", octets, 2, max(0, len(octets) + chance.choice((0, 0, 1, -1, 8))) % 65_536)
    elif version == 6 and len(octets) >= 40:
        length = len(octets) - 40 + chance.choice((0, 0, 1, -1, 8))
        pack_into("!H", octets, 4, max(0, length) % 65_536)


def _fragment(octets: bytearray, chance: Random) -> None:
    """Where in which datagram the packet lies, and whether more follows."""
    if len(octets) >= 20 and octets[0] >> 4 == 4:
        place = chance.choice((0, 0, 1, 2, 3, 10, 8189, 8191)) | chance.choice((0, 0x2000))
        pack_into("!HH", octets, 4, chance.choice((1, 2, 7)), place)
    elif len(octets) >= 48 and octets[6] == 44:
        place = chance.choice((0, 0, 8, 16, 24, 80, 65_512, 65_528)) | chance.choice((0, 1))
        pack_into("!HI", octets, 42, place, chance.choice((1, 2, 7)))


def _ports(octets: bytearray, chance: Random) -> None:
    """Another of a few flows, or the same one the other way."""
    start = _transport(octets)
    if start is not None and len(octets) >= start + 4:
        there = octets[start + 2 : start + 4] + octets[start : start + 2]
        octets[start : start + 4] = there if chance.random() < 0.5 else chance.randbytes(4)


def _turn(octets: bytearray, chance: Random) -> None:
    """The same packet from the other end: addresses and ports change places."""
    width, at = (4, 12) if octets and octets[0] >> 4 == 4 else (16, 8)
    if len(octets) >= at + 2 * width:
        here, there = octets[at : at + width], octets[at + width : at + 2 * width]
        octets[at : at + 2 * width] = there + here
        start = _transport(octets)
        if start is not None and len(octets) >= start + 4:
            octets[start : start + 4] = octets[start + 2 : start + 4] + octets[start : start + 2]


def _flags(octets: bytearray, chance: Random) -> None:
    start = _tcp(octets)
    if start is not None:
        octets[start + 13] = chance.choice(FLAGS)


def _number(octets: bytearray, chance: Random) -> None:
    """The sequence or the acknowledgement number moves."""
    start = _tcp(octets)
    if start is not None:
        at = start + chance.choice((4, 8))
        number = int.from_bytes(octets[at : at + 4], "big") + chance.choice(FAR)
        octets[at : at + 4] = (number % 2**32).to_bytes(4, "big")


def _exchange_numbers(octets: bytearray, chance: Random) -> None:
    """What an answer does: each number becomes the other."""
    start = _tcp(octets)
    if start is not None:
        seq, ack = octets[start + 4 : start + 8], octets[start + 8 : start + 12]
        octets[start + 4 : start + 12] = ack + seq


def _window(octets: bytearray, chance: Random) -> None:
    start = _tcp(octets)
    if start is not None:
        pack_into("!H", octets, start + 14, chance.choice((0, 1, 100, 65_535)))


def _transport(octets: bytearray) -> int | None:
    place = locate(bytes(octets))
    if isinstance(place, Malformed) or (place.piece is not None and place.piece.offset):
        return None
    return place.start


def _tcp(octets: bytearray) -> int | None:
    place = locate(bytes(octets))
    if isinstance(place, Malformed) or place.protocol != TCP or len(octets) < place.start + 16:
        return None
    return place.start if place.piece is None or place.piece.offset == 0 else None


EDITS: Final[Sequence[Callable[[bytearray, Random], None]]] = (
    _set_octet,
    _any_octet,
    _flip_bit,
    _cut,
    _grow,
    _total_length,
    _fragment,
    _ports,
    *[_turn] * 2,
    *[_flags] * 4,
    *[_number] * 3,
    *[_exchange_numbers] * 2,
    _window,
)
"""Ways to change a packet; those named more often happen more often."""


def shortest(case: Case, is_interesting: Callable[[Case], bool]) -> Case:
    """The case without all steps that it does not need to stay interesting."""
    steps = list(case.steps)
    size = max(1, len(steps) // 2)
    while size:
        at = 0
        while at < len(steps):
            fewer = steps[:at] + steps[at + size :]
            if is_interesting(replace(case, steps=tuple(fewer))):
                steps = fewer
            else:
                at += size
        size //= 2
    return replace(case, steps=tuple(steps))
