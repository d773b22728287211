"""The guide of recipes tells what the tests of this folder run."""

from __future__ import annotations

import re
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


def test_what_the_readme_says_of_them_stands_in_the_guide() -> None:
    """Its table is the guide in short."""
    text = (GUIDE.parents[2] / "README.md").read_text()
    (table,) = re.findall(r"^## Your database, cache and proxy\n(.*?)^## ", text, re.DOTALL | re.M)
    lines = re.findall(r"`([^`]+)`", table)
    assert lines
    assert [line for line in lines if line not in GUIDE.read_text()] == []
