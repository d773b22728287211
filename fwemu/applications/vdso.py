"""The vDSO: the kernel's code in every process that tells the time without a system call (vdso(7)).

It is the same in all 64-bit processes of a kernel, so it is read once, from our own.
"""

from __future__ import annotations

import functools
import io
from pathlib import Path
from typing import Final, NamedTuple

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

CLOCKS: Final = ("clock_gettime", "gettimeofday", "time")
"""Functions of the vDSO that say what time it is."""


class Vdso(NamedTuple):
    """The kernel's image, as it is before anybody has changed it."""

    image: bytes
    clocks: dict[str, int]
    """Where each of `CLOCKS` begins, from the beginning of the image."""

    @property
    def end(self) -> int:
        """Behind the last octet that is used; the rest of its last page is zero."""
        return len(self.image.rstrip(b"\0"))


class Mapping(NamedTuple):
    """Where it lies in a process."""

    start: int
    size: int


class NoVdsoError(Exception):
    """There is none, or not the one that this kernel has for 64-bit programs."""


@functools.cache
def own() -> Vdso:
    """This kernel's.  Raises NoVdsoError if it has none, or one without the usual clocks."""
    place = mapping("self")
    with open("/proc/self/mem", "rb", buffering=0) as memory:
        memory.seek(place.start)
        image = memory.read(place.size)
    table = ELFFile(io.BytesIO(image)).get_section_by_name(".dynsym")
    assert isinstance(table, SymbolTableSection)
    symbols = {each.name: each["st_value"] for each in table.iter_symbols()}
    clocks = {name: symbols[f"__vdso_{name}"] for name in CLOCKS if f"__vdso_{name}" in symbols}
    if len(clocks) < len(CLOCKS):
        missing = ", ".join(name for name in CLOCKS if name not in clocks)
        raise NoVdsoError(f"the vDSO of this kernel has no {missing}")
    return Vdso(image, clocks)


def mapping(pid: int | str) -> Mapping:
    """Where a process has it.  Raises NoVdsoError if it has none, OSError if it has ended."""
    for line in Path(f"/proc/{pid}/maps").read_text(errors="replace").splitlines():
        if line.endswith(" [vdso]"):
            start, _, end = line.partition(" ")[0].partition("-")
            return Mapping(int(start, 16), int(end, 16) - int(start, 16))
    raise NoVdsoError("it has no vDSO")
