"""Error messages about requests, in place of the wording of pydantic."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from fwemu.config.accepts import key_shown, one_of, shown

Problem = Mapping[str, Any]
"""As `pydantic.ValidationError.errors` describes it."""

_MOST: Final = 10
"""Problems of one request that are told."""


def explained(problems: Iterable[Problem], *, is_json: bool) -> str:
    """One line; `is_json`: does the request say that its body is JSON?"""
    lines = list(dict.fromkeys(_line(problem, is_json=is_json) for problem in problems))
    more = [f"and {len(lines) - _MOST} problems more"] if len(lines) > _MOST else []
    return "; ".join([*lines[:_MOST], *more])


def _line(problem: Problem, *, is_json: bool) -> str:
    place = problem["loc"]
    where = ".".join(key_shown(str(part)) for part in place[1:]) or "body"
    if place == ("body",) and not is_json:
        return (
            "body: is not marked as JSON (send the header Content-Type: application/json, "
            "as `curl --json` does)"
        )
    if problem["type"] == "json_invalid":  # the place is a number of characters then
        return f"body: is not JSON ({problem['ctx']['error']} at character {place[1]})"
    return f"{where}: {_sentence(problem)}"


def _sentence(problem: Problem) -> str:
    value, limits = problem.get("input"), problem.get("ctx", {})
    cause = limits.get("error")
    if isinstance(cause, ValueError):
        return str(cause)
    make = _SENTENCES.get(problem["type"])
    if make is not None:
        return make(value, limits)
    return f"{shown(value)} does not fit here"


def _not(kind: str) -> Callable[[Any, Problem], str]:
    return lambda value, limits: f"{shown(value)} is not {kind}"


def _not_a_word(value: Any, limits: Problem) -> str:
    words = str(limits["expected"]).replace(" or ", ", ").split(", ")
    return f"{shown(value)} is not {one_of(word.strip(chr(39)) for word in words)}"


_SENTENCES: Final[dict[str, Callable[[Any, Problem], str]]] = {
    "missing": lambda value, limits: "missing",
    "extra_forbidden": lambda value, limits: "there is no such field",
    "enum": _not_a_word,
    "literal_error": _not_a_word,
    "greater_than": lambda value, limits: f"{shown(value)} is not above {limits['gt']:g}",
    "greater_than_equal": lambda value, limits: f"{shown(value)} is below {limits['ge']:g}",
    "less_than_equal": lambda value, limits: f"{shown(value)} is above {limits['le']:g}",
    "too_short": lambda value, limits: "is empty",
    "int_type": _not("a whole number"),
    "int_parsing": _not("a whole number"),
    "int_parsing_size": lambda value, limits: "is a number that is too large",
    "int_from_float": _not("a whole number"),
    "float_type": _not("a number"),
    "float_parsing": _not("a number"),
    "finite_number": _not("a number"),
    "bool_type": _not("true or false"),
    "bool_parsing": _not("true or false"),
    "string_type": _not("text"),
    "string_unicode": lambda value, limits: "is not text (\\ud800 to \\udfff are none)",
    "list_type": _not("a list"),
    "dict_type": _not("an object"),
    "model_type": _not("an object"),
    "model_attributes_type": _not("an object"),
}
