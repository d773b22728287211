"""Sizes in octets as people write them: `64MB`, `512KiB`, or a plain number of octets."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Self

from fwemu.config.accepts import shown

UNITS: Final[dict[str, int]] = {
    "TB": 10**12,
    "GB": 10**9,
    "MB": 10**6,
    "kB": 10**3,
    "TiB": 1 << 40,
    "GiB": 1 << 30,
    "MiB": 1 << 20,
    "KiB": 1 << 10,
    "B": 1,
}
LARGEST: Final = 10**15
_OCTETS: Final = {unit.lower(): octets for unit, octets in UNITS.items()}
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)", re.ASCII)


@dataclass(frozen=True, order=True, slots=True)
class Size:
    """A number of octets."""

    octets: int

    @classmethod
    def parse(cls, value: object) -> Self:
        """Read `64MB` or a number of octets; a ValueError says what to write instead."""
        if isinstance(value, cls):
            return value
        if isinstance(value, str | int) and not isinstance(value, bool):
            match = _SIZE.fullmatch(str(value).strip().lower())
            if match and (match[2] or "b") in _OCTETS:
                octets = Decimal(match[1]) * _OCTETS[match[2] or "b"]
                if octets > LARGEST:
                    raise ValueError(f"{shown(value)} is too large ({cls(LARGEST)} at most)")
                return cls(int(octets))
        raise ValueError(f'{shown(value)} is not a size (write "64MB" or a number of bytes)')

    def __str__(self) -> str:
        for unit, octets in UNITS.items():
            if self.octets and self.octets % octets == 0:
                return f"{self.octets // octets}{unit}"
        return "0B"
