"""Tests of this folder run pytest in pytest; the tests inside run in their order."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def in_order(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test prints about several tests inside is told in the order of the file."""
    if "pytester" in request.fixturenames:
        request.getfixturevalue("pytester")  # which forgets the options of the outer pytest
        monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:randomly")
