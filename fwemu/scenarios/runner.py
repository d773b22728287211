"""Runs a story on a backend, step by step, and reports the first line that went otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Final, NamedTuple

from fwemu.config import Config, load
from fwemu.core.flow import Zone
from fwemu.core.reasons import Reason, Verdict
from fwemu.core.tcp_table import State
from fwemu.errors import ConfigError, NamespaceError
from fwemu.scenarios.backend import (
    Backend,
    EndedSession,
    PacketOutcome,
    ReleasedPacket,
    WaitOutcome,
)
from fwemu.scenarios.participants import bytes_of, conversation_of, describe
from fwemu.scenarios.story import (
    ExpectedEnd,
    ExpectedRelease,
    ExpectedVerdict,
    Step,
    Story,
    StoryPacket,
)

BackendFactory = Callable[[Config], Backend]
"""Makes a backend whose firewall has a configuration."""

_ORDINARY: Final = (Reason.SESSION.word, Reason.OPENED.word)
"""The expected reasons where a story says only `accept`."""


class Difference(NamedTuple):
    """The first difference between a story and what happened."""

    line: int
    wanted: str
    got: str


def config_of(story: Story, profile: str | None = None) -> Config:
    """The configuration of a story; `profile` replaces its own one.

    Raises ConfigError.
    """
    try:
        return load(profile=profile or _profile_of(story), settings=story.settings)
    except ConfigError as error:
        raise ConfigError(*(_located(story, problem) for problem in error.problems)) from None


def _profile_of(story: Story) -> str | None:
    """The profile of a story; a file name is relative to the story."""
    name = story.profile
    if name is None or not name.endswith(".toml"):
        return name
    return str(Path(story.path).parent / name)


def _located(story: Story, problem: str) -> str:
    """A problem with a setting, with file and line in front."""
    words = problem.split()
    if words[0] == "--set":
        key = words[1].rstrip(":")
        starts, told = f"set {key.rpartition('.')[2]}", problem.removeprefix("--set ")
    else:
        starts, told = "profile", problem.removeprefix("--")
    for number, line in enumerate(story.lines, start=1):
        if line.strip().startswith((starts, f"set {words[1].rstrip(':')}")):
            return f"{story.path}:{number}: {told}"
    return f"{story.path}: {told}"


def run(story: Story, version: int, backend: Backend) -> Difference | None:
    """Run a story with packets of an IP version; the first difference, None if there is none.

    Raises NamespaceError, with the line, where the backend cannot do what the story wants.
    """
    for step in story.steps:
        try:
            for difference in _run_step(step, version, backend):
                return difference
        except NamespaceError as error:
            raise NamespaceError(f"{story.path}:{step.line}: {error}") from error
    return None


def _run_step(step: Step, version: int, backend: Backend) -> Iterator[Difference]:
    passed = backend.wait(step.pause)
    if step.packet is None or step.expected is None:
        yield from _compare(step, version, passed.injected, passed)
        return
    quiet = Step(step.line, step.pause)
    yield from _compare(quiet, version, passed.injected, passed)
    seen = backend.put(bytes_of(step.packet, version), step.packet.origin)
    if not _is_as_expected(seen, step.expected):
        yield Difference(step.line, _wanted(step.expected), _got(seen))
    after = backend.wait(0)
    yield from _compare(step, version, seen.injected + after.injected, after)


def _is_as_expected(seen: PacketOutcome, expected: ExpectedVerdict) -> bool:
    if seen.passed is not (expected.verdict is Verdict.ACCEPT):
        return False
    if expected.state is not None and (seen.state or State.NONE.name) != expected.state.name:
        return False
    if seen.reason is None:
        return True
    return seen.reason in (_ORDINARY if expected.reason is None else (expected.reason.word,))


def _wanted(expected: ExpectedVerdict) -> str:
    reason = " or ".join(_ORDINARY) if expected.reason is None else expected.reason.word
    state = "" if expected.state is None else f" {expected.state.name}"
    return f"{expected.verdict.word} {reason}{state}"


def _got(seen: PacketOutcome) -> str:
    is_held = seen.reason == Reason.HELD.word
    verdict = Verdict.ACCEPT if seen.passed else Verdict.HOLD if is_held else Verdict.DROP
    return " ".join(
        word for word in (verdict.word, seen.reason, seen.state or State.NONE.name) if word
    )


def _compare(
    step: Step, version: int, injected: tuple[tuple[Zone, bytes], ...], passed: WaitOutcome
) -> Iterator[Difference]:
    """Compare the packets that the firewall sent, and the ended sessions, with the expected ones.

    The order counts for the packets to one side only; between the sides nobody can see it.
    """
    heard = [(zone, *describe(packet)) for zone, packet in injected]
    for line, packet in step.injected:
        text, ttl = describe(bytes_of(packet, version, by_firewall=True))
        zone = packet.origin.other
        first = next((each for each in heard if each[0] is zone), None)
        wanted = _words(text, ttl, packet)
        if first is None:
            yield Difference(line, f"the firewall says {wanted}", "nothing")
            continue
        heard.remove(first)
        got = _words(first[1], first[2], packet)
        if got != wanted:
            yield Difference(line, f"the firewall says {wanted}", got)
    for zone, text, _ in heard:
        yield Difference(
            step.line, "no other word of the firewall", f"it says {text} towards the {zone.word}"
        )
    if passed.ended is not None:
        yield from _compare_endings(step, list(passed.ended))
    yield from _compare_releases(step, version, passed.released)


def _compare_releases(
    step: Step, version: int, released: tuple[ReleasedPacket, ...]
) -> Iterator[Difference]:
    """Compare the releases, in order: fragments are forwarded as they came."""
    pairs = zip_longest(step.releases, released)
    for wanted, got in pairs:
        line = step.line if wanted is None else wanted[0]
        wanted_words = "nothing" if wanted is None else _release(wanted[1], version)
        got_words = "nothing"
        if got is not None:
            verdict = Verdict.ACCEPT if got.passed else Verdict.DROP
            got_words = f"{describe(got.packet).text} {verdict.word} {got.reason}"
        if wanted_words != got_words:
            yield Difference(line, f"release {wanted_words}", got_words)


def _release(release: ExpectedRelease, version: int) -> str:
    text, expected = describe(bytes_of(release.packet, version)).text, release.expected
    reason = Reason.SESSION if expected.reason is None else expected.reason
    return f"{text} {expected.verdict.word} {reason.word}"


def _words(text: str, ttl: int, packet: StoryPacket) -> str:
    return text if packet.ttl is None else f"{text} ttl {ttl}"


def _compare_endings(step: Step, ended: list[EndedSession]) -> Iterator[Difference]:
    got = [f"end {each.reason} {each.state} {conversation_of(each.flow)}" for each in ended]
    for line, ending in step.endings:
        wanted = _ending(ending)
        if wanted in got:
            got.remove(wanted)
        else:
            yield Difference(line, wanted, ", ".join(got) or "no session ends")
    for each in got:
        yield Difference(step.line, "no other session to end", each)


def _ending(ending: ExpectedEnd) -> str:
    return f"end {ending.reason.word} {ending.state.name} {ending.conversation}"


def transcript(story: Story, difference: Difference) -> str:
    """The story up to the difference: that line marked, with what was wanted and what was got."""
    width = len(str(difference.line))
    lines = [
        f"{'*' if number == difference.line else ' '} {number:>{width}}  {line}"
        for number, line in enumerate(story.lines[: difference.line], start=1)
    ]
    margin = " " * (width + 4)
    lines += [f"{margin}wanted  {difference.wanted}", f"{margin}got     {difference.got}"]
    return "\n".join(lines)
