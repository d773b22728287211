"""Runs a command where the kernel allows nobody another user namespace; needs root.

    python tests/kit/forbidden.py COMMAND...

The limit of a user namespace counts for what is made inside it (namespaces(7)).  So the command
gets one in which every user and group is as outside, with a limit of 0, and nothing of the machine
is changed.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from netns.syscalls import CLONE_NEWUSER, unshare


def main(words: list[str]) -> None:
    """Become the command."""
    pid = os.getpid()
    is_new, said = os.pipe()
    child = os.fork()
    if child == 0:  # only a process outside may map more than one user
        os.read(is_new, 1)
        for name in ("uid_map", "gid_map"):
            Path(f"/proc/{pid}/{name}").write_text("0 0 100000")
        os._exit(0)
    unshare(CLONE_NEWUSER)
    os.write(said, b"!")
    _, status = os.waitpid(child, 0)
    if status:
        sys.exit("forbidden.py: the users could not be mapped")
    Path("/proc/sys/user/max_user_namespaces").write_text("0")
    os.execvp(words[0], words)


if __name__ == "__main__":
    main(sys.argv[1:])
