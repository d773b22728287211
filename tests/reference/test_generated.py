"""What is generated says what the code says."""

from __future__ import annotations

from pathlib import Path

import pytest

from reference import generated


@pytest.mark.parametrize("page", sorted(generated.PAGES))
def test_a_generated_page_is_fresh(page: str) -> None:
    """A stale page misleads: `make docs` makes it anew."""
    assert generated.stale({page: generated.PAGES[page]}, generated.CHECKOUT) == []


def test_check_names_what_is_stale_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--check` is for whoever only wants to know."""
    pages = {"docs/page.md": lambda: "what the code says\n"}

    assert generated.write(pages, tmp_path, ["--check"]) == 1
    assert "docs/page.md is stale" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []

    assert generated.write(pages, tmp_path, []) == 0
    assert "wrote docs/page.md" in capsys.readouterr().out
    assert generated.write(pages, tmp_path, ["--check"]) == 0
    assert generated.write(pages, tmp_path, ["--chekc"]) == 2
