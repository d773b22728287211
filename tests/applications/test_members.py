"""Whose memory is whose: a child of vfork(2) has its parent's until it is another program."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fwemu.applications import members
from tests.kit.labs import children_of, eventually

pytestmark = pytest.mark.kernel

SPAWNS = """
import os, sys
actions = [(os.POSIX_SPAWN_OPEN, 0, sys.argv[1], os.O_RDONLY, 0)]
os.waitpid(os.posix_spawn("/bin/sleep", ["sleep", "1000"], {}, file_actions=actions), 0)
"""
"""Starts a program that waits for a file to be opened at the other end before it begins."""


def test_a_child_of_vfork_has_its_parents_memory_until_it_is_another_program(
    tmp_path: Path,
) -> None:
    """Both by comparing memories, and by how its parent sleeps where those may not be compared."""
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    with subprocess.Popen([sys.executable, "-c", SPAWNS, str(gate)]) as parent:
        (child,) = eventually(lambda: children_of(parent.pid), what="the child")
        try:
            eventually(lambda: members.is_vfork_of_another(child), what="a shared memory")
            assert members._waits_for_its_vfork(parent.pid)
            assert not members.is_vfork_of_another(parent.pid)
            gate.write_bytes(b"")
            eventually(lambda: not members.is_vfork_of_another(child), what="another program")
            assert not members._waits_for_its_vfork(parent.pid)
        finally:
            os.kill(child, 9)
