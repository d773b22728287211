"""Every generated page: written into a checkout, or checked for being fresh."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from reference import commands, daemon, manual, settings

Pages = Mapping[str, Callable[[], str]]
"""What makes each page, by the page's path in a checkout."""

PAGES: Final[Pages] = {**settings.PAGES, **daemon.PAGES, **commands.PAGES, **manual.PAGES}

CHECKOUT: Final = Path(__file__).parents[1]


def stale(pages: Pages, checkout: Path) -> list[str]:
    """The pages that differ from the code."""
    return [
        name
        for name, page in pages.items()
        if not (checkout / name).is_file()
        or (checkout / name).read_text(encoding="utf-8") != page()
    ]


def write(pages: Pages, checkout: Path, arguments: Sequence[str]) -> int:
    """Write the pages that are stale, or with `--check` name them; the exit code."""
    if arguments not in ([], ["--check"]):
        print("usage: python -m reference [--check]", file=sys.stderr)
        return 2
    names = stale(pages, checkout)
    for name in names:
        if arguments:
            print(f"{name} is stale: run `make docs`", file=sys.stderr)
            continue
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text(pages[name](), encoding="utf-8")
        print(f"wrote {name}")
    return 1 if names and arguments else 0
