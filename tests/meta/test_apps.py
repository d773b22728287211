"""`make apps` is a target of its own: nothing else needs what it installs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.apps.timers.programs import REQUIRED, tool

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(("folder", "is_run"), [("tests/apps", False), ("tests/apps/timers", True)])
def test_heavy_applications_are_run_by_whoever_names_them(folder: str, is_run: bool) -> None:
    """`make test` stays as light to set up as it is."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", folder],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert ("tests/apps/timers/test_knowing.py" in done.stdout) is is_run


def test_a_program_that_is_missing_is_a_failure_of_make_apps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It has installed everything; whoever runs a test by hand may have less."""
    monkeypatch.delenv(REQUIRED, raising=False)
    with pytest.raises(pytest.skip.Exception, match="no-such-program is not installed"):
        tool("no-such-program")

    monkeypatch.setenv(REQUIRED, "all")
    with pytest.raises(pytest.fail.Exception, match="no-such-program is not installed"):
        tool("no-such-program")
    assert f"env {REQUIRED}=" in (ROOT / "Makefile").read_text()
