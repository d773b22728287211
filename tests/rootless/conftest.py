"""Users to try things as, who can read the interpreter and this checkout."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.kit.labs import eventually
from tests.kit.user import OrdinaryUser, PowerlessRoot, Unprivileged


@pytest.fixture
def user() -> Iterator[Unprivileged]:
    """Somebody without any privileges; at the end nothing of theirs may be left."""
    with _somebody(OrdinaryUser) as somebody:
        yield somebody


@pytest.fixture
def powerless_root() -> Iterator[Unprivileged]:
    """Root as in a container: of its capabilities it has the one that a user namespace wants."""
    with _somebody(lambda home: PowerlessRoot(home, "+setfcap")) as somebody:
        yield somebody


@contextmanager
def _somebody(of: Callable[[Path], Unprivileged]) -> Iterator[Unprivileged]:
    with tempfile.TemporaryDirectory(prefix="fwemu-user-") as home:
        somebody = of(Path(home))
        attempt = somebody.run("unshare", "--user", "--map-root-user", "--net", "true")
        if attempt.code:
            pytest.skip(f"this kernel allows no user namespaces: {attempt.err.strip()}")
        try:
            yield somebody
            eventually(lambda: not somebody.processes(), what="the end of the user's processes")
        finally:
            for pid in somebody.processes():
                subprocess.run(["kill", "-KILL", str(pid)], check=False)
