"""Whatever is given as a setting or a file: a configuration, or one short line that says why."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fwemu.config import Config, apply, catalogue, load
from fwemu.errors import ConfigError

HOSTILE = {
    "half a surrogate pair": "\ud800",
    "half a pair in quotes": '"\ud800"',
    "half a pair as JSON escapes it": '"\\ud800"',
    "half a pair in a comment": "[ #\ud800\n]",
    "half a pair as a key": '{"\\ud800" = 1}',
    "an octet that is no UTF-8": chr(0xDCFF),
    "20,000 brackets": "[" * 20_000,
    "20,000 nested lists": "[" * 20_000 + "]" * 20_000,
    "200 nested lists": "[" * 200 + "]" * 200,
    "20,000 nested tables": '{"a":' * 20_000 + "1" + "}" * 20_000,
    "200 nested tables": "{a=" * 200 + "1" + "}" * 200,
    "40 nested tables": "{a=" * 40 + "1" + "}" * 40,
    "5,000 digits": "9" * 5000,
    "5,000 digits and a unit": "9" * 5000 + "s",
    "5,000 decimal places": "0." + "9" * 5000,
    "a size of 5,000 digits": "9" * 5000 + "MB",
    "4,000 digits": "9" * 4000,
    "5,000 digits in a list": f"[{'9' * 5000}]",
    "20,000 bits": "0x" + "f" * 5000,
    "an exponent": "1e999999999",
    "no number": "nan",
    "infinity": "inf",
    "a terminal escape": "\x1b[2J",
    "a NUL": "\0",
    "a line feed": "a\nb = 1",
    "other line ends": "\u2028\x85\x0b",
    "much text": "x" * 50_000,
    "many words": '["a", ' + '"a", ' * 1000 + '"a"]',
    "a date": "2026-01-01",
    "other digits": "\u0661\u0662s",
}

KEYS = [*(setting.key for setting in catalogue.settings() if "[]" not in setting.path),
        "rules", "flush"]  # fmt: skip


def refusal(take: Callable[[Any], Config], given: Any) -> ConfigError | None:
    """Why it is not taken; None if it is, and can be told to others."""
    try:
        take(given).model_dump_json().encode()
    except ConfigError as error:
        return error
    return None


def is_one_short_line_each(error: ConfigError) -> bool:
    return all(
        len(problem) < 2000 and "\n" not in problem and problem.isprintable()
        for problem in error.problems
    )


TEMPLATES = [
    *(f"{key}=%s" for key in KEYS),
    *(f'{key}="%s"' for key in KEYS),
    *(
        f'rules=[{{{key}="%s"}}]'
        for key in ("name", "from", "to", "proto", "ports", "idle_timeout")
    ),
    *(f"rules=[{{action='allow', {key}=%s}}]" for key in ("name", "to", "ports", "idle_timeout")),
    *(f'flush=[{{{key}="%s"}}]' for key in ("schedule", "every")),
]


@pytest.mark.parametrize("name", HOSTILE)
def test_every_setting_refuses_what_it_cannot_take(name: str) -> None:
    """With `--set`, and by the API: neither a traceback nor a status 500."""
    value = HOSTILE[name]
    for template in TEMPLATES:
        for take in (lambda text: load(settings=[text]), lambda text: apply(Config(), [text])):
            error = refusal(take, template % value)
            assert error is None or is_one_short_line_each(error), (template, ascii(str(error)))


@pytest.mark.parametrize("name", HOSTILE)
def test_so_does_what_stands_in_front_of_the_equals_sign(name: str) -> None:
    """A key is a user's text as well."""
    value = HOSTILE[name]
    for text in (value, f"{value}=1", f"a.{value}=1", f"rules.{value}=1", f"rules=[{{{value}=1}}]"):
        for take in (lambda each: load(settings=[each]), lambda each: apply(Config(), [each])):
            with pytest.raises(ConfigError) as caught:
                take(text)
            assert is_one_short_line_each(caught.value), ascii(str(caught.value))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_that_holds_it_is_refused_by_name(tmp_path: Path, name: str) -> None:
    """`--config` with a file of somebody else."""
    value = HOSTILE[name]
    path = tmp_path / "firewall.toml"
    for text in (value, f"rules = {value}", f'profile = "{value}"', f"[table]\ncapacity = {value}"):
        path.write_bytes(text.encode(errors="surrogatepass"))
        error = refusal(load, path)
        if error is not None:
            assert str(path) in error.problems[0]
            assert is_one_short_line_each(error), ascii(str(error))


def test_a_file_without_an_end_is_refused() -> None:
    """And not read until the memory is full."""
    with pytest.raises(ConfigError, match="/dev/zero: is larger than 1 MB"):
        load(Path("/dev/zero"))


def test_a_file_that_is_just_small_enough_is_read(tmp_path: Path) -> None:
    """A configuration has a few kilobytes; the bound is far above."""
    path = tmp_path / "firewall.toml"
    path.write_text("#" * 999_998 + "\n")
    assert load(path) == Config()
    path.write_text("#" * 1_000_001 + "\n")
    with pytest.raises(ConfigError, match="is larger than 1 MB"):
        load(path)


def test_a_configuration_may_come_from_a_pipe(tmp_path: Path) -> None:
    """`--config <(generate)`: it has an end, though no size."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_text, args=("[table]\ncapacity = 5\n",))
    writer.start()
    assert load(path).table.capacity == 5
    writer.join()


def test_the_line_that_is_shown_is_the_line_that_is_meant(tmp_path: Path) -> None:
    """TOML counts line feeds; other line ends of Unicode are text."""
    path = tmp_path / "firewall.toml"
    path.write_text("# \u2028 \x0c\n[table]\ncapacity = many\n".replace("\x0c", ""))
    with pytest.raises(ConfigError, match=r"line 3: many needs quotes"):
        load(path)
