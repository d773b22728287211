"""The system's own tools (nft, iptables), found and run inside a namespace."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from netns.errors import ToolFailed, ToolMissing
from netns.namespace import Namespace

TIMEOUT_S: Final = 60.0
"""No command about rules takes longer, even on a machine that is emulated by a busy one."""


def find_tool(name: str) -> str | None:
    """The path of a tool of the system, as nft; None if it is not installed.

    Beside each `bin` of PATH its `sbin` is looked into: Debian leaves these out for users.
    """
    path = os.environ.get("PATH", os.defpath).split(os.pathsep)
    beside = [str(Path(each).with_name("sbin")) for each in path if each.endswith("/bin")]
    return shutil.which(name, path=os.pathsep.join([*path, *beside]))


def run_tool(ns: Namespace, command: Sequence[str], text: str | None = None) -> str:
    """Run a command inside with `text` as its input; the output.

    Raises ToolMissing, or ToolFailed with the first line of its complaint.
    """
    name = command[0]
    tool = find_tool(name)
    if tool is None:
        raise ToolMissing(f"{name} is not installed")
    try:
        with ns.enter():
            done = subprocess.run(
                [tool, *command[1:]],
                input=text,
                stdin=subprocess.DEVNULL if text is None else None,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=TIMEOUT_S,
                check=False,
            )
    except subprocess.TimeoutExpired as error:
        raise ToolFailed(f"{name} hangs in namespace {ns.name!r}") from error
    if done.returncode != 0:
        problem = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[0]
        raise ToolFailed(f"{name}: {problem}")
    return done.stdout
