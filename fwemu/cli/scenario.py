"""`fwemu scenario`: lists, shows and runs stories."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from fwemu.cli.group import Group, example
from fwemu.cli.options import as_json
from fwemu.cli.output import emit, say, table
from fwemu.cli.words import complete_profiles, complete_stories

if TYPE_CHECKING:
    from fwemu.errors import ConfigError
    from fwemu.scenarios.library import NamedStory
    from fwemu.scenarios.runner import BackendFactory, Difference

BACKENDS = ("engine", "queue", "kernel")


@click.group(cls=Group, epilog=example("fwemu scenario run close", "fwemu scenario run my.story"))
def command() -> None:
    """Run packet-by-packet test scripts."""


@command.command("ls", epilog=example("fwemu scenario ls"))
@as_json
def list_stories(as_json: bool) -> None:
    """List the stories that come with fwemu."""
    from fwemu.scenarios import library

    shelf = library.find()
    if as_json:
        for each in shelf:
            emit(_record(each))
        return
    table(["NAME", "STORY"], [(each.name, each.story.title) for each in shelf])


@command.command("show", epilog=example("fwemu scenario show handshake/three_way"))
@click.argument("name", shell_complete=complete_stories)
@as_json
def show_story(name: str, as_json: bool) -> None:
    """Print a story (or all of a topic)."""
    from fwemu.scenarios import library

    for number, each in enumerate(library.find([name])):
        if as_json:
            emit({**_record(each), "text": "\n".join(each.story.lines)})
            continue
        print("\n" * bool(number) + "\n".join(each.story.lines))


@command.command(
    "run", epilog=example("fwemu scenario run", "sudo fwemu scenario run close --on queue")
)
@click.argument("what", nargs=-1, metavar="[NAME|TOPIC|FILE|DIRECTORY]...",
                shell_complete=complete_stories)  # fmt: skip
@click.option("--on", "backend", type=click.Choice(BACKENDS), default="engine", show_default=True,
              help="Where: the core alone, a real queue, or the kernel's connection tracking.",
)  # fmt: skip
@click.option("--profile", metavar="NAME", shell_complete=complete_profiles,
              help="The device to behave like, instead of the one that a story names.",
)  # fmt: skip
@as_json
def run_stories(what: tuple[str, ...], backend: str, profile: str | None, as_json: bool) -> None:
    """Tell stories, each with packets of the IP versions that it is for.

    Without an argument those that come with fwemu.  Time is virtual: an hour passes at once.  A
    story that goes otherwise than it says is printed up to the line where it does.  For the kernel
    only stories are told that say `kernel = yes`.
    """
    from fwemu import rootless
    from fwemu.daemon.checks import explaining
    from fwemu.errors import ConfigError, StoryError
    from fwemu.scenarios import library
    from fwemu.scenarios.backends import BACKENDS

    unreadable: list[ConfigError] = []
    shelf = _playable(library.find(what, unreadable), profile, unreadable)
    problems = [line for error in unreadable for line in error.problems]
    if not shelf:
        raise ConfigError(*problems)
    for line in problems:  # said before the others begin, which are told all the same
        say(f"not told: {line}")
    if backend == "kernel":
        silent = [each.name for each in shelf if not each.story.for_kernel]
        shelf = [each for each in shelf if each.story.for_kernel]
        if not shelf:
            raise ConfigError("none of these is for the kernel (write kernel = yes into it)")
        if what and silent:
            say(f"not for the kernel: {', '.join(silent)} (they do not say kernel = yes)")
    if backend != "engine":
        rootless.enter()
    width = max(len(each.name) for each in shelf)
    failed = 0
    with explaining(), BACKENDS[backend]() as opens:
        for each in shelf:
            outcomes = list(_told(each, opens, profile))
            failed += any(outcome is not None for _, outcome in outcomes)
            if as_json:
                for version, outcome in outcomes:
                    emit(_outcome(each, version, backend, outcome))
            else:
                _print(each, width, outcomes)
    if failed:
        raise StoryError(f"{failed} of {_stories(len(shelf))} went otherwise than told")
    say(f"{_stories(len(shelf))}, all as told")
    if unreadable:
        raise ConfigError(f"{_stories(len(unreadable))} not told (see above)")


def _playable(
    shelf: Sequence[NamedStory], profile: str | None, unreadable: list[ConfigError]
) -> list[NamedStory]:
    """Those whose settings are right; what is wrong with the others."""
    from fwemu.errors import ConfigError
    from fwemu.scenarios.runner import config_of

    playable = []
    for each in shelf:
        try:
            config_of(each.story, profile)
        except ConfigError as error:
            unreadable.append(error)
        else:
            playable.append(each)
    return playable


Outcomes = Sequence[tuple[int, "Difference | None"]]
"""By IP version."""


def _told(
    each: NamedStory, opens: BackendFactory, profile: str | None
) -> Iterator[tuple[int, Difference | None]]:
    """Each IP version that the story is for, and where the story went otherwise."""
    from fwemu.scenarios.runner import config_of, run

    config = config_of(each.story, profile)
    for version in each.story.versions:
        backend = opens(config)
        try:
            yield version, run(each.story, version, backend)
        finally:
            backend.close()


def _print(each: NamedStory, width: int, outcomes: Outcomes) -> None:
    from fwemu.scenarios.runner import transcript

    words = [f"IPv{version} {'FAILED' if other else 'ok'}" for version, other in outcomes]
    print(f"{each.name:<{width}}  {', '.join(words)}", flush=True)
    told = None
    for version, difference in outcomes:
        if difference is not None and difference != told:  # the same for both is told once
            told = difference
            print(f"\n{each.story.path}:{difference.line}: with IPv{version}")
            print(transcript(each.story, difference) + "\n")


def _outcome(
    each: NamedStory, version: int, backend: str, difference: Difference | None
) -> dict[str, Any]:
    """The result of a story for an IP version, for machines."""
    record: dict[str, Any] = {"name": each.name, "ip": version, "on": backend}
    if difference is None:
        return {**record, "outcome": "passed"}
    return {**record, "outcome": "failed", **difference._asdict()}


def _record(each: NamedStory) -> dict[str, Any]:
    """A story, for machines."""
    story = each.story
    return {
        "name": each.name,
        "title": story.title,
        "profile": story.profile,
        "settings": list(story.settings),
        "ip": list(story.versions),
        "kernel": story.for_kernel,
    }


def _stories(number: int) -> str:
    return "1 story" if number == 1 else f"{number} stories"
