"""Runs commands, in this process or their own, and compares their output."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fwemu.cli.main import main
from fwemu.lab import Lab

PROGRAM: Final = (sys.executable, "-m", "fwemu")

NOBODY: Final = (
    sys.executable, str(Path(__file__).with_name("forbidden.py")),
    shutil.which("setpriv") or "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
    # or nobody could not even load a Python that belongs to root
    "--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search",
)  # fmt: skip
"""In front of a command: runs it as a user without privileges, and with no way to get any."""


@dataclass(frozen=True)
class Done:
    """The result of a command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> list[Any]:
        """The answer as JSON, one object for each line."""
        return [json.loads(line) for line in self.out.splitlines()]


def fwemu(*words: str) -> Done:
    """The command in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(list(words))
    return Done(code, out.getvalue(), err.getvalue())


def program(
    *words: str,
    env: Mapping[str, str] | None = None,
    before: Sequence[str] = (),
    stdin: str = "",
) -> Done:
    """The command in a process of its own."""
    done = subprocess.run(
        [*before, *PROGRAM, *words],
        env={**os.environ, **(env or {})},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def start(*words: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """The command in a process of its own, which goes on."""
    return subprocess.Popen(
        [*PROGRAM, *words],
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


_CHANGING: Final = (
    (r"\d\d:\d\d:\d\d\.\d{6}", "TIME"),
    (r"\b\d+(\.\d+)?s\b", "SECONDS"),
    (r"\b198\.(18|19)\.\d+\.(\d+):\d+\b", r"198.\1.N.\2:PORT"),
    (r"\b198\.(18|19)\.\d+\.(\d+)\b", r"198.\1.N.\2"),
    (r"\b2001:2:0:(18|19)[0-9a-f]{2}:", r"2001:2:0:\1NN:"),
    (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
    (r"process \d+", "process PID"),
    (r"#\d+", "#ID"),
    (r" {2,}", "  "),
)


def masked(text: str, lab: Lab | str | None = None) -> str:
    """A text without the parts that differ from run to run; columns are two blanks apart."""
    name = lab.name if isinstance(lab, Lab) else lab
    if name is not None:
        text = text.replace(name, "LAB")
    for pattern, word in _CHANGING:
        text = re.sub(pattern, word, text)
    return text
