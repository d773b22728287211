"""What a lab could leave on this machine, as it is now."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

from netns import names
from netns.procfs import pids, stat_of, words_of

PATIENCE_S = 15.0
"""How long something that is about to end may take, on a busy machine."""


class Traces:
    """Processes, namespaces, rules and routes of the machine when this was made."""

    def __init__(self) -> None:
        self._before = _now()

    def new(self, place: Path) -> list[str]:
        """What is there that was not; waits for what is about to go."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            there = _now() - self._before
            left = {f"run directory {path}" for path in _run_directories(place)}
            if not (there | left) or time.monotonic() > deadline:
                return sorted(there | left)
            time.sleep(0.05)


def _now() -> set[str]:
    found = {f"namespace {name}" for name in names()}
    for pid in pids():
        words = words_of(pid)
        is_ours = any("fwemu" in word for word in words[:4]) and "tests.storm" not in words
        if is_ours and stat_of(pid) is not None:
            found.add(f"process {pid} ({' '.join(words)[:100]})")
    found |= {f"network namespace net:[{inode}]" for inode in _unnamed()}
    for command in (["ip", "rule"], ["ip", "-6", "rule"], ["ip", "route"], ["ip", "-o", "link"]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        found |= {f"{' '.join(command)}: {line.strip()}" for line in done.stdout.splitlines()}
    for command in (["nft", "list", "ruleset"], ["iptables-save"], ["ip6tables-save"]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        found |= {
            f"{command[0]}: {line.strip()}"
            for line in done.stdout.splitlines()
            if "fwemu" in line or "NFQUEUE" in line
        }
    return found


def _unnamed() -> set[int]:
    """Network namespaces in which a process lives."""
    found = set()
    for pid in pids():
        try:
            found.add(os.stat(f"/proc/{pid}/ns/net").st_ino)
        except OSError:
            continue
    return found


def _run_directories(place: Path) -> list[Path]:
    """Whatever is left in any run directory; that itself stays."""
    return [
        path
        for base in place.glob("*/run*")
        if base.is_dir()
        for path in base.rglob("*")
        if path.name not in (".keeper.json",)
    ]
