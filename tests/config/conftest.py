"""What the stories about configuration share: a file to write, and problems to look at."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from fwemu.config import load
from fwemu.errors import ConfigError

Written = Callable[[str], Path]
Problems = Callable[..., list[str]]


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Written:
    """Write `firewall.toml` in an empty working directory; its name is all that messages show."""
    monkeypatch.chdir(tmp_path)

    def write(text: str) -> Path:
        Path("firewall.toml").write_text(text, encoding="utf-8")
        return Path("firewall.toml")

    return write


@pytest.fixture
def problems(written: Written) -> Problems:
    """The lines that somebody sees who loads this text with these settings."""

    def see(
        text: str | None = None, *, profile: str | None = None, settings: Iterable[str] = ()
    ) -> list[str]:
        path = None if text is None else written(text)
        with pytest.raises(ConfigError) as caught:
            load(path, profile, settings)
        lines = list(caught.value.problems)
        assert str(caught.value).splitlines() == lines
        return lines

    return see
