"""A click group: suggestions for misspelt commands, an example in each --help."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

import click


class Group(click.Group):
    """A group of commands that suggests one for a word it does not know; alone it shows --help."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, args or ["--help"])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        word, known = args[0], self.list_commands(ctx)
        if word not in known and not word.startswith("-") and not ctx.resilient_parsing:
            raise click.UsageError(f"no such command {word!r}{did_you_mean(word, known)}", ctx)
        return super().resolve_command(ctx, args)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` (did you mean up?)`, or nothing if no known word is like it."""
    words = list(known)
    alike = [k for k in words if k.startswith(word)] or difflib.get_close_matches(word, words, n=1)
    return f" (did you mean {alike[0]}?)" if alike else ""


def example(*lines: str) -> str:
    """The end of a command's --help."""
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in lines)
