"""The plugin in the hands of somebody who is not root."""

from __future__ import annotations

import os
import sys

import pytest

from tests.kit.user import OrdinaryUser
from tests.rootless.conftest import user

__all__ = ["user"]

pytestmark = pytest.mark.kernel

TEST = """
import os, pytest

HERE = os.stat("/proc/self/ns/net").st_ino

@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_with_a_lab(lab, number):
    lab.fast_forward("1h")

def test_that_needs_the_network_of_this_machine():
    assert os.stat("/proc/self/ns/net").st_ino == HERE
"""


def test_a_test_session_is_not_taken_along_but_told_how_it_can_be(user: OrdinaryUser) -> None:
    """A database on localhost that other tests use would be out of reach all of a sudden."""
    path = user.home / "test_it.py"
    path.write_text(TEST)
    os.chown(path, user.uid, user.uid)
    pytest_ = [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider"]
    pytest_ += ["--fwemu-allow-untraversed"]
    pytest_ += ["--rootdir", str(user.home), "-c", os.devnull, str(path)]

    done = user.run(*pytest_)
    assert "1 passed, 4 skipped" in done.out
    assert "this needs root, or a user namespace of its own for the whole run" in done.out
    assert f"or {sys.executable} -m fwemu.rootless -- {sys.executable} -m pytest" in done.out

    done = user.run(sys.executable, "-m", "fwemu.rootless", "--", *pytest_, "-n", "2")
    assert "5 passed" in done.out
