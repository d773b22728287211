"""Labs (see `tests/kit/labs.py`) and plain namespaces for the tests of this folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from netns import Network
from tests.kit.ground import Ground


@pytest.fixture
def ground(base: Path) -> Iterator[Ground]:
    """Client, a forwarding namespace, server; what a test starts there is ended."""
    with Network() as network:
        yield Ground(network, base)
