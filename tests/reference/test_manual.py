"""The manual page is what `man` can show."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from fwemu.cli.main import COMMANDS
from fwemu.errors import EXIT_CODES
from reference import manual


def test_every_command_and_every_exit_code_has_its_place() -> None:
    """Whoever has no network looks here."""
    page = manual.page()
    for name in COMMANDS:
        roff = name.replace("-", "\\-")
        assert f"\n.SS fwemu {roff}" in page
    for row in EXIT_CODES:
        assert f"\n.TP\n{row.code}\n" in page


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_groff_has_nothing_to_object_to() -> None:
    """A line that begins with a dot by accident would be lost."""
    done = subprocess.run(
        ["groff", "-man", "-ww", "-Tutf8"],
        input=manual.page(), capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stderr == ""
    assert "fast-forward" in done.stdout
