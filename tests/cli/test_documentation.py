"""docs/reference/cli.md is made from the commands."""

from fwemu import generated
from fwemu.cli import documentation


def test_the_reference_says_what_the_commands_say():
    """A stale reference misleads: `python -m fwemu.cli.documentation` makes it anew."""
    assert generated.stale(documentation.PAGES, documentation.CHECKOUT) == []
