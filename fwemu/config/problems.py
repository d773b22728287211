"""Error messages about a configuration: each with its place, the problem and the way out.

The wording of pydantic never reaches a user; a kind of error that has no words here gets the
general sentence at the end of `_sentence`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from fwemu.config import catalogue, toml
from fwemu.config.accepts import one_of, shown, suggestion
from fwemu.config.schema import ConflictError

Path = tuple[str | int, ...]


def problems(error: ValidationError) -> Iterator[tuple[Path, str]]:
    """Each problem with the place of its setting."""
    for detail in error.errors(include_url=False):
        path: Path = detail["loc"]
        cause = detail.get("ctx", {}).get("error")
        if isinstance(cause, ConflictError):
            yield from (((*path, *below), text) for below, text in cause.problems)
        elif isinstance(cause, ValueError):
            yield path, str(cause)
        else:
            yield path, _sentence(path, detail)


def unknown(path: Path) -> str:
    """`unknown setting`, and which one may have been meant."""
    *above, word = path
    siblings = catalogue.names_at(tuple(above))
    meant = suggestion(str(word), siblings)
    if meant is None and not any(isinstance(part, int) for part in path):
        elsewhere = {
            setting.path[-1]: setting.key
            for setting in reversed(catalogue.settings())
            if "[]" not in setting.path
        }
        meant = elsewhere.get(suggestion(str(word), elsewhere) or "")
    if meant is not None:
        return f"unknown setting (did you mean {meant}?)"
    verb = "are" if len(siblings) > 1 else "is only"
    return f"unknown setting (there {verb} {one_of(siblings, 'and')})"


def _missing(path: Path, value: object, accepts: str) -> str:
    return f"missing ({accepts})"


def _not_a_table(path: Path, value: object, accepts: str) -> str:
    if path and isinstance(path[-1], int):
        return f"{shown(value)} is not a table (write [[{catalogue.dotted(path[:-1])}]])"
    return f"{shown(value)} is not a table (write [{catalogue.dotted(path)}], its keys below it)"


def _not_a_list(path: Path, value: object, accepts: str) -> str:
    if catalogue.names_at(path):
        return f"{shown(value)} is not a list of tables (write [[{catalogue.dotted(path)}]])"
    return f"{shown(value)} is not {accepts}"


def _not_a_word(path: Path, value: object, accepts: str) -> str:
    field = catalogue.field_at(path)
    words = catalogue.words_of(field.annotation) if field else ()
    meant = suggestion(str(value), words)
    way_out = f"did you mean {meant}?" if meant else f"write {toml.value(words[0])}, for instance"
    return f"{shown(value)} is not {one_of(words)} ({way_out})"


def _not(kind: str) -> Callable[[Path, object, str], str]:
    return lambda path, value, accepts: f"{shown(value)} is not {kind} ({accepts})"


_SENTENCES: Final[dict[str, Callable[[Path, object, str], str]]] = {
    "missing": _missing,
    "extra_forbidden": lambda path, value, accepts: unknown(path),
    "model_type": _not_a_table,
    "model_attributes_type": _not_a_table,
    "tuple_type": _not_a_list,
    "enum": _not_a_word,
    "int_type": _not("a whole number"),
    "int_from_float": _not("a whole number"),
    "bool_type": lambda path, value, accepts: f"{shown(value)} is not true or false (no quotes)",
    "string_type": lambda path, value, accepts: f"{shown(value)} is not text (put it in quotes)",
    "string_too_long": lambda path, value, accepts: f"is too long ({accepts})",
}


def _sentence(path: Path, detail: ErrorDetails) -> str:
    field = catalogue.field_at(path)
    accepts = catalogue.accepts(field) if field else ""
    value: Any = detail["input"]
    limits: dict[str, Any] = detail.get("ctx", {})
    if "ge" in limits:
        return f"{shown(value)} is below {limits['ge']} ({accepts})"
    if "le" in limits:
        return f"{shown(value)} is above {limits['le']} ({accepts})"
    sentence = _SENTENCES.get(detail["type"])
    if sentence is not None:
        return sentence(path, value, accepts)
    return f"{shown(value)} does not fit here ({accepts})"
