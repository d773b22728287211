"""The README tells the truth: what it prints can be run, what it names is there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


def code(language: str) -> list[str]:
    """The code blocks in a language."""
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


@pytest.mark.kernel
def test_the_python_example_runs_as_printed(tmp_path):
    """It is the first thing that a reader copies."""
    example, _ = code("python")  # the other one is run by test_wheel.py
    script = tmp_path / "example.py"
    script.write_text(example)

    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, done.stderr
    assert "reset by the firewall, not by the server: expired" in done.stdout


def test_every_link_leads_somewhere():
    """A dead link is a promise that was not kept."""
    targets = re.findall(r"\]\(([^)#]+)\)", README)

    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_every_command_it_names_exists():
    """Commands get renamed; readers do not know."""
    from fwemu.cli.main import COMMANDS

    prose = re.sub(r"```.*?```", "", README, flags=re.DOTALL)
    inline = "\n".join(re.findall(r"`[^`]+`", prose))
    named = set(re.findall(r"(?:^|[/ `])fwemu ([a-z-]+)", inline))
    named |= {
        match
        for block in re.findall(r"```\n(.*?)```", README, flags=re.DOTALL)
        for match in re.findall(r"fwemu ([a-z-]+)", block)
    }

    assert named - set(COMMANDS) == set()
    assert "demo" not in named or "demo" in COMMANDS


def test_the_makefile_has_the_two_commands():
    """One that shows the product, one that passes the tests."""
    makefile = (ROOT / "Makefile").read_text()

    for target in re.findall(r"^make (\w+)", README, flags=re.MULTILINE):
        assert f"\n{target}:" in makefile


def test_ci_runs_the_test_command_of_the_readme():
    """And nothing cleverer."""
    assert "make test" in (ROOT / ".ci" / "run").read_text()
