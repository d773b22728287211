"""The guide of recipes tells what the tests of this folder run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.apps.kit import GUIDE, SNIPPETS


@pytest.mark.parametrize("name", SNIPPETS)
def test_every_snippet_of_the_guide_is_run(name: str) -> None:
    """A line to copy that no test runs would rot."""
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    assert f'"{name}"' in tests.replace("'", '"')


def test_every_block_of_the_guide_has_a_name() -> None:
    """Else it would be none of those that the tests run."""
    assert SNIPPETS
    assert GUIDE.read_text().count("```") == 2 * len(SNIPPETS)
