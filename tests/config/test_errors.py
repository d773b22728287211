from __future__ import annotations

import pickle

from fwemu import errors
from fwemu.errors import EXIT_CODES, ConfigError, FwemuError


def every_error() -> list[type[FwemuError]]:
    return [FwemuError, *FwemuError.__subclasses__()]


def test_every_error_has_an_exit_code_of_its_own_in_the_table() -> None:
    assert {(row.code, row.name) for row in EXIT_CODES} == {
        (0, "ok"),
        *((error.exit_code, error.__name__) for error in every_error()),
    }
    assert [row.code for row in EXIT_CODES] == list(range(len(EXIT_CODES)))


def test_the_tree_at_the_top_of_the_module_shows_every_error() -> None:
    assert errors.__doc__ is not None
    for error in every_error():
        (line,) = (line for line in errors.__doc__.splitlines() if error.__name__ in line)
        assert line.endswith(f"exit {error.exit_code}")


def test_a_config_error_has_one_line_for_each_problem_also_from_another_process() -> None:
    error = ConfigError("first", "second")
    assert str(error) == "first\nsecond"
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.problems, str(copy)) == (("first", "second"), "first\nsecond")
