"""`python -m fwemu.rootless -- COMMAND...`: a program that may make labs, without root.

The program runs in a user namespace of its own, as root of it; for root, unless it lacks its
capabilities, it just runs.  Input, output, signals and exit code are its own.
"""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from fwemu.errors import FwemuError, shell_exit_code
from fwemu.rootless import enter


def main(words: list[str]) -> NoReturn:
    """Become the command; ends with 127 or 126 where it cannot run, as shells do."""
    if words[:1] == ["--"]:
        words = words[1:]
    if not words or words[0].startswith("-"):
        print("fwemu: usage: python -m fwemu.rootless -- COMMAND...", file=sys.stderr)
        sys.exit(2)
    try:
        enter()
    except FwemuError as error:
        print(f"fwemu: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    try:
        os.execvp(words[0], words)
    except OSError as error:
        print(f"fwemu: cannot run {words[0]!r}: {(error.strerror or '').lower()}", file=sys.stderr)
        sys.exit(shell_exit_code(error))


if __name__ == "__main__":
    main(sys.argv[1:])
