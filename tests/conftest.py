"""What all tests share."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def needs_root(request: pytest.FixtureRequest) -> None:
    """Tests on the real kernel need root."""
    if request.node.get_closest_marker("kernel") and os.geteuid() != 0:
        pytest.skip("needs root for network namespaces: run it with sudo")
