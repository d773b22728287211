"""An ordinary user to try things as, who can read the interpreter and this checkout."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.labs import eventually
from tests.kit.user import OrdinaryUser


@pytest.fixture
def user() -> Iterator[OrdinaryUser]:
    """Somebody without any privileges; at the end nothing of theirs may be left."""
    with tempfile.TemporaryDirectory(prefix="fwemu-user-") as home:
        somebody = OrdinaryUser(Path(home))
        os.chown(home, somebody.uid, somebody.uid)
        attempt = somebody.run("unshare", "--user", "--map-root-user", "--net", "true")
        if attempt.code:
            pytest.skip(f"this kernel allows no user namespaces: {attempt.err.strip()}")
        try:
            yield somebody
            eventually(lambda: not somebody.processes(), what="the end of the user's processes")
        finally:
            for pid in somebody.processes():
                subprocess.run(["kill", "-KILL", str(pid)], check=False)
