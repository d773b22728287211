"""What all tests share: the skip without root, and labs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from fwemu.lab import Lab
from netns import Network
from tests.kit.ground import Ground
from tests.kit.labs import as_new, unique


@pytest.fixture(autouse=True)
def needs_root(request: pytest.FixtureRequest) -> None:
    """Tests on the real kernel need root."""
    if request.node.get_closest_marker("kernel") and os.geteuid() != 0:
        pytest.skip("needs root for network namespaces: run it with sudo")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run directory of this module's own."""
    return tmp_path_factory.mktemp("run")


@pytest.fixture
def new_lab(base: Path) -> Iterator[Callable[..., Lab]]:
    """Makes labs that are gone after the test; takes what `Lab` takes."""
    with ExitStack() as undo:

        def make(**arguments: Any) -> Lab:
            return undo.enter_context(Lab(name=unique(), base=base, **arguments))

        yield make


@pytest.fixture
def ground(base: Path) -> Iterator[Ground]:
    """Client, a forwarding namespace, server; what a test starts there is ended."""
    with Network() as network:
        yield Ground(network, base)


@pytest.fixture(scope="module")
def module_lab(base: Path) -> Iterator[Lab]:
    """One lab for all tests of a module; ask for `lab` instead."""
    with Lab(name=unique(), base=base) as lab:
        yield lab


@pytest.fixture
def lab(module_lab: Lab) -> Lab:
    """A lab that looks as if new: no sessions, default settings.  Shared by the module."""
    as_new(module_lab)
    return module_lab
