"""Code that shifts the clocks of a process: put into its own copy of the vDSO, and taken out again.

`clock_gettime`, `gettimeofday` and `time` get a jump to our code in the unused end of the vDSO's
last page.  It calls the kernel's own `clock_gettime`, whose first instructions have moved beside
it, and adds an offset that is written from outside.  x86-64; the source is `shifted_clock.S`.

Two offsets, since clocks that show the time of day agree between all processes, while one that
counts from the boot must never jump but where time passes.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from fwemu.applications.vdso import CLOCKS, Vdso

_MARK: Final = b"fwemu\0\0\1"
_OFFSETS: Final = struct.Struct("<qq")
_OFFSETS_AT: Final = 0x08
_SAVED_AT: Final = 0x18
_SAVED_SIZE: Final = 0x28
_CODE_AT: Final = 0x40
_ENTRIES: Final = {"clock_gettime": 0x40, "gettimeofday": 0xA0, "time": 0xE0}
_ORIGINAL_AT: Final = 0x100
_SIZE: Final = 0x130
_ALIGNMENT: Final = 64

_CODE: Final = bytes.fromhex(
    "57564883ec08e8b50000004883c4085e5f85c0754a83ff0b7745b9210900000f"
    "a3f97213b9d20200000fa3f97331488b059bffffffeb07488b058affffff4803"
    "460848691600ca9a3b4801d031d2b900ca9a3b48f7f14889064889560831c0c3"
    "4885f6740748c706000000004885ff7422574889fe31ffe884ffffff5f85c075"
    "14488b470831d2b9e803000048f7f14889470831c0c3662e0f1f840000000000"
    "574883ec104889e6bf05000000e84effffff585a5f4885ff7403488907c36690"
)
"""shifted_clock.S, assembled, without its data and without the place for moved instructions."""

_JUMP: Final = struct.Struct("<Bi")
_JUMP_RELATIVE: Final = 0xE9

_MOVABLE: Final = (
    (bytes.fromhex("f30f1efa"), 4),  # endbr64
    *((bytes([0x50 + register]), 1) for register in range(8)),  # push
    *((bytes([0x41, 0x50 + register]), 2) for register in range(8)),  # push r8 to r15
    *((bytes([prefix, 0x89]), 3) for prefix in (0x48, 0x49, 0x4C, 0x4D)),  # mov register, register
    (bytes.fromhex("4883e4"), 4),  # and $octet, %rsp
    (bytes.fromhex("4883ec"), 4),  # sub $octet, %rsp
)
"""How instructions begin that mean the same elsewhere, and their length: what compilers put at the
beginning of a function (Linux 6.1, 6.12 and 6.18 were looked at)."""


class Offsets(NamedTuple):
    """Nanoseconds that clocks are ahead of the kernel's."""

    wall: int = 0
    """Those that show the time of day."""
    monotonic: int = 0
    """Those that count from the boot."""

    @property
    def octets(self) -> bytes:
        return _OFFSETS.pack(*self)


class UnknownCodeError(Exception):
    """This kernel's vDSO cannot be changed: why not."""


class Write(NamedTuple):
    """Octets, and where in the vDSO they go."""

    at: int
    octets: bytes


class ClockPatch:
    """What is to be written into a vDSO, all of it worked out from the kernel's image.

    Raises UnknownCodeError if this image is not understood.
    """

    def __init__(self, vdso: Vdso) -> None:
        self._vdso = vdso
        self.at = -(-vdso.end // _ALIGNMENT) * _ALIGNMENT
        """Where our code begins, from the beginning of the image."""
        if self.at + _SIZE > len(vdso.image):
            raise UnknownCodeError(f"the vDSO of this kernel has less than {_SIZE} octets of room")
        self._moved = _moved(vdso.image, vdso.clocks["clock_gettime"])

    @property
    def marked(self) -> slice:
        """Where it can be seen that this was done, and the offsets."""
        return slice(self.at, self.at + _CODE_AT)

    @property
    def offsets_at(self) -> int:
        """Where the offsets are written."""
        return self.at + _OFFSETS_AT

    def offsets_in(self, octets: bytes) -> Offsets | None:
        """What stands at `marked`: None if nobody has done this yet."""
        if not octets.startswith(_MARK):
            return None
        return Offsets(*_OFFSETS.unpack_from(octets, _OFFSETS_AT))

    def is_clean(self, image: bytes) -> bool:
        """Is this the kernel's image, with nothing in it but what may be ours?"""
        theirs, ours = bytearray(image), bytearray(self._vdso.image)
        for each in (theirs, ours):
            for at in self._vdso.clocks.values():
                each[at : at + _JUMP.size] = bytes(_JUMP.size)
            each[self.at : self.at + _SIZE] = bytes(_SIZE)
        return theirs == ours

    def code(self, offsets: Offsets) -> Write:
        """Our code; nothing calls it as long as the jumps are not there."""
        start = self._vdso.clocks["clock_gettime"]
        behind = self.at + _ORIGINAL_AT + len(self._moved)
        original = self._moved + _jump(behind, start + len(self._moved))
        octets = _MARK + offsets.octets
        octets += bytes(_SAVED_SIZE) + _CODE + original
        return Write(self.at, octets.ljust(_SIZE, b"\xcc"))

    def jumps(self) -> list[Write]:
        """What leads to it."""
        return [
            Write(at, _jump(at, self.at + _ENTRIES[name])) for name, at in self._vdso.clocks.items()
        ]

    def originals(self) -> list[Write]:
        """What stood where the jumps are."""
        return [
            Write(at, self._vdso.image[at : at + _JUMP.size]) for at in self._vdso.clocks.values()
        ]

    def nothing(self) -> Write:
        """The room of our code as it was."""
        return Write(self.at, bytes(_SIZE))


assert set(_ENTRIES) == set(CLOCKS)
assert _CODE_AT + len(_CODE) == _ORIGINAL_AT


def _moved(image: bytes, start: int) -> bytes:
    """The whole instructions that the jump to our code overwrites."""
    length = 0
    while length < _JUMP.size:
        rest = image[start + length :]
        size = next((size for begins, size in _MOVABLE if rest.startswith(begins)), 0)
        # `mov` between registers is not `mov` to memory: the mode of its last octet says which.
        if not size or (size == 3 and rest[2] < 0xC0):
            octets = image[start : start + 16].hex(" ")
            raise UnknownCodeError(f"the vDSO's clock_gettime begins in a way not known ({octets})")
        length += size
    return image[start : start + length]


def _jump(source: int, target: int) -> bytes:
    return _JUMP.pack(_JUMP_RELATIVE, target - (source + _JUMP.size))
