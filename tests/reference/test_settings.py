"""The docs and the example say what the code says."""

from __future__ import annotations

from pathlib import Path

import pytest

from fwemu.config import Config, catalogue, load, to_settings
from reference import settings


def uncommented() -> str:
    return "\n".join(
        line[1:] if line[:1] == "#" and line[1:2] not in ("", " ") else line
        for line in settings.example().splitlines()
    )


def test_the_example_loads_as_it_is_and_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "example.toml").write_text(settings.example(), encoding="utf-8")
    assert load(tmp_path / "example.toml") == Config()


def test_the_example_loads_with_every_line_uncommented(tmp_path: Path) -> None:
    """Somebody who removes the comment sign of a line must get a setting that works."""
    (tmp_path / "example.toml").write_text(uncommented(), encoding="utf-8")
    config = load(tmp_path / "example.toml")

    assert config.profile == "cisco-asa"
    assert config.table.seed == 42
    assert config.rules[0].name == "database"
    assert [str(flush.every) for flush in config.flush] == ["None", "6h"]
    found = to_settings(config)
    for setting in catalogue.settings():
        if len(setting.path) == 2 and setting.key not in settings.EXAMPLES:
            assert found[setting.path[0]][setting.path[1]] == setting.default


def test_the_example_names_every_setting() -> None:
    lines = uncommented().splitlines()
    for setting in catalogue.settings():
        if not catalogue.names_at(setting.path):
            assert any(line.startswith(f"{setting.path[-1]} = ") for line in lines), setting.key


@pytest.mark.parametrize("setting", catalogue.settings(), ids=lambda setting: setting.key)
def test_every_setting_has_one_sentence_and_a_range(setting: catalogue.Setting) -> None:
    assert setting.sentence.endswith(".")
    assert ". " not in setting.sentence
    assert setting.accepts
    assert setting.is_required == (setting.key == "rules[].action")
