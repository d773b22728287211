"""What every story begins with."""

import pytest

from tests.kit.play import Play


@pytest.fixture(params=[4, 6], ids=["ipv4", "ipv6"])
def play(request: pytest.FixtureRequest) -> Play:
    """A firewall that nothing has crossed yet, for each IP version."""
    return Play(request.param)
