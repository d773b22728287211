"""Reads a firewall log that is being written, across its rotation."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO, Final

import orjson

LOOK_AGAIN: Final = 0.05
"""Seconds between two looks for new events while following."""


async def read_events(path: Path, *, after: int = 0, follow: bool = False) -> AsyncIterator[bytes]:
    """The lines of a log with numbers above `after`: those that are there, then, if asked, those
    that come.  Waits between looks, never in the middle of a line.
    """
    last = after
    while True:
        for part in (path.with_name(path.name + ".1"), path):
            if not part.exists():
                continue
            with part.open("rb") as file:
                while True:
                    for line in _whole_lines(file):
                        number = orjson.loads(line)["number"]
                        if number > last:
                            last = number
                            yield line
                    if not follow or part is not path or _was_rotated(file, path):
                        break
                    await asyncio.sleep(LOOK_AGAIN)
        if not follow:
            return
        await asyncio.sleep(LOOK_AGAIN)


def _whole_lines(file: BinaryIO) -> list[bytes]:
    """What is complete from the present position on; half a line is left for later."""
    start = file.tell()
    text = file.read()
    end = text.rfind(b"\n") + 1
    file.seek(start + end)
    return text[:end].splitlines(keepends=True)


def _was_rotated(file: BinaryIO, path: Path) -> bool:
    """Is this still the file that is being written?"""
    try:
        return not os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return True
