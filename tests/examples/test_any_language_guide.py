"""docs/guides/any-language.md tells the truth: a shell does what it shows, and sees that.

A line that begins with `$` is a command; the lines below it are what is to be seen, stdout and
stderr together.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fwemu.cli.main import COMMANDS
from fwemu.daemon.rundir import RUN_DIR
from fwemu.lab.faults import FAULTS
from tests.kit.command import masked, program
from tests.kit.labs import unique

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "guides" / "any-language.md"
TEXT = GUIDE.read_text()


def steps() -> list[tuple[str, str]]:
    """Every command, and what it shows."""
    blocks = re.findall(r"```console\n(.*?)```", TEXT, flags=re.DOTALL)
    return re.findall(r"^\$ (.*)\n((?:[^$].*\n)*)", "".join(blocks), flags=re.MULTILINE)


def settled(text: str) -> list[str]:
    """Without what differs; in any order, since two programs write at once."""
    text = re.sub(r"\[\d+/\w+/\d+ [\d:]+\]", "[TIME]", masked(text))
    return sorted(re.sub(r"(\[2001:2:0:18NN::10\]):\d+", r"\1:PORT", text).splitlines())


@pytest.mark.kernel
def test_what_the_guide_shows_is_what_one_sees(tmp_path, monkeypatch):
    """From the first command to the last; `up` and `down` say what they always say."""
    monkeypatch.setenv(RUN_DIR, str(tmp_path))
    name = unique("any")
    script = ["exec 2>&1"]
    for command, _ in steps():
        command = re.sub(r"\bfwemu (up|run)", rf"fwemu \1 --name {name}", command)
        command = command.replace("/run/fwemu/lab1", f"{tmp_path}/{name}")
        script += [command, "echo @@"]
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)  # what `http.server` says depends on it

    try:
        done = subprocess.run(
            ["bash", "-c", "\n".join(script)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            timeout=120,
        )
    finally:
        program("down", "--all")

    seen = done.stdout.split("@@\n")
    assert len(seen) == len(steps()) + 1 > 10
    for (command, shown), text in zip(steps(), seen, strict=False):
        if command not in ("fwemu up", "fwemu down"):
            assert settled(text) == settled(shown), command
    assert list(tmp_path.iterdir()) == []


def test_links_and_commands_of_the_guide_are_there():
    """A dead link is a promise that was not kept."""
    targets = [each for each in re.findall(r"\]\(([^)#]+)[^)]*\)", TEXT) if "://" not in each]

    assert [target for target in targets if not (GUIDE.parent / target).exists()] == []
    assert set(re.findall(r"fwemu ([a-z-]+)", TEXT)) - set(COMMANDS) == set()


def test_the_guide_has_the_whole_vocabulary_of_fail_on():
    """In the words of the code."""
    rows = [f"| `{fault.name}` | {fault.meaning} |" for fault in FAULTS.values()]

    assert "\n".join(rows) in TEXT
