"""Reads logs that are being written, across their rotation."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import BinaryIO, Final

import orjson

from fwemu.daemon.bounded_file import rotated

LOOK_AGAIN: Final = 0.05
"""Seconds between two looks for new lines while following."""


async def read_events(path: Path, *, after: int = 0, follow: bool = False) -> AsyncIterator[bytes]:
    """The lines of the firewall log with numbers above `after`, as `read_lines` finds them."""
    async with contextlib.aclosing(read_lines(path, follow=follow)) as lines:
        async for line in lines:
            if _number(line) > after:
                yield line


def _number(line: bytes) -> int:
    """The number of an event; 0 for what a disk that was full or broken has made of one."""
    try:
        return int(orjson.loads(line)["number"])
    except (ValueError, TypeError, KeyError):
        return 0


async def read_lines(path: Path, *, follow: bool = False) -> AsyncGenerator[bytes]:
    """The lines of a log, each once: those that are there, then, if asked, those that come.

    Waits between looks, never in the middle of a line.
    """
    file: BinaryIO | None = None
    try:
        while True:
            if file is not None:
                is_present = _is_at(file, path)  # asked first: what came before a rotation is read
                for line in _whole_lines(file):
                    yield line
            newer = None if file is not None and is_present else _part_after(file, path)
            if newer is not None:
                if file is not None:
                    file.close()
                file = newer
            elif follow:
                await asyncio.sleep(LOOK_AGAIN)
            else:
                return
    finally:
        if file is not None:
            file.close()


def _part_after(file: BinaryIO | None, path: Path) -> BinaryIO | None:
    """The part of the log that follows this one (None: the first there is), opened.

    `file` must still be open: its identity would be given out again.
    """
    present = _opened(path)  # before the other: what is renamed meanwhile is found there
    earlier = _opened(rotated(path))
    if earlier is not None and (file is None or not _are_same(file, earlier)):
        if present is not None:
            present.close()
        return earlier
    if earlier is not None:
        earlier.close()
    return present


def _are_same(file: BinaryIO, other: BinaryIO) -> bool:
    return os.path.samestat(os.fstat(file.fileno()), os.fstat(other.fileno()))


def _opened(path: Path) -> BinaryIO | None:
    try:
        return path.open("rb")
    except FileNotFoundError:
        return None


def _whole_lines(file: BinaryIO) -> list[bytes]:
    """The complete lines after the present position; half a line is left for later."""
    start = file.tell()
    text = file.read()
    end = text.rfind(b"\n") + 1
    file.seek(start + end)
    return [line + b"\n" for line in text[:end].split(b"\n")[:-1]]


def _is_at(file: BinaryIO, path: Path) -> bool:
    """True while this is the file of that name."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
