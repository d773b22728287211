"""Run directories of the tests' own, so that no test ever sees another firewall of this machine."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from fwemu.daemon.rundir import RUN_DIR, firewalls
from fwemu.lab import Lab
from netns import names
from tests.kit.labs import as_new, unique


@pytest.fixture(scope="session")
def session_lab() -> Iterator[Lab]:
    """One lab for every test of this worker that asks for `lab`."""
    with tempfile.TemporaryDirectory(prefix="fwemu-cli-") as base:
        before = namespaces()
        with Lab(name=unique("cli"), base=Path(base)) as lab:
            yield lab
        assert namespaces() == before
        assert os.listdir(base) == []


@pytest.fixture
def lab(session_lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """The only lab that the commands see; it looks as if new, but its counters go on."""
    as_new(session_lab)
    monkeypatch.setenv(RUN_DIR, str(Path(session_lab.about.control).parents[1]))
    return session_lab


@pytest.fixture(autouse=True)
def nothing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A run directory in which nothing runs; whatever a test makes there it has to remove."""
    with tempfile.TemporaryDirectory(prefix="fwemu-cli-") as base:
        os.chmod(base, 0o755)
        monkeypatch.setenv(RUN_DIR, base)
        before = namespaces()
        yield Path(base)
        if "session_lab" not in request.fixturenames:
            assert firewalls(Path(base)) == []
            assert namespaces() == before


def namespaces() -> list[str]:
    """Those that this process has made."""
    return [name for name in names() if re.search(rf"\D{os.getpid()}\b", name)]
