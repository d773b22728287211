"""What /proc says about processes: which there are, in which namespace, and since when."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

UNKNOWN: Final = "?"


@dataclass(frozen=True)
class Stat:
    """What /proc/PID/stat says, as far as it matters here; see proc_pid_stat(5)."""

    state: str
    parent: int
    group: int
    started: int
    """Clock ticks since boot: with the id, it tells two processes apart."""


def stat_of(pid: int) -> Stat | None:
    """None when there is no such process, or only its zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field is the name in parentheses and may contain anything.
    fields = text[text.rindex(")") + 2 :].split()
    stat = Stat(fields[0], int(fields[1]), int(fields[2]), int(fields[19]))
    return None if stat.state in "ZX" else stat


def pids() -> list[int]:
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]


def is_in(pid: int, identity: tuple[int, int]) -> bool:
    try:
        status = os.stat(f"/proc/{pid}/ns/net")
    except OSError:  # gone, a zombie, or somebody else's
        return False
    return (status.st_dev, status.st_ino) == identity


def command_of(pid: int) -> str:
    """Its program and arguments; UNKNOWN when it is about to end."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
    except OSError:
        return UNKNOWN
    return b" ".join(words).decode(errors="replace") or UNKNOWN
