"""Parses story files, line by line; each error names file, line, problem and way out.

docs/guides/stories.md is the reference.  Words for states and reasons are those of the core's
enumerations: a story that knows an old one does not load.  Packets are read in
`packet_notation.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeVar

from fwemu.config import Duration
from fwemu.core.reasons import EndReason, Reason, Verdict
from fwemu.core.tcp_table import State
from fwemu.errors import ConfigError
from fwemu.scenarios.packet_notation import (
    MOST_CONVERSATIONS,
    WORD,
    Problem,
    arrow,
    nothing_more,
    packet,
    whole,
)
from fwemu.scenarios.story import (
    ExpectedEnd,
    ExpectedRelease,
    ExpectedVerdict,
    Step,
    Story,
    StoryPacket,
)

Named = TypeVar("Named", Reason, EndReason, State)

_VERDICTS: Final = {verdict.word: verdict for verdict in Verdict}
_OUTCOMES: Final = ("end", "release")
_HEADER: Final = "profile = NAME, set KEY=VALUE, ip = 4 or 6, kernel = yes"


def read(path: Path) -> Story:
    """The story in a file.  Raises ConfigError."""
    try:
        return parse(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        problem = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(f"{path}: cannot be read ({problem})") from error


def parse(text: str, path: str) -> Story:
    """The story in a text; `path` is for messages.  Raises ConfigError."""
    lines = tuple(text.splitlines())
    header: dict[str, str] = {}
    settings: list[str] = []
    steps: list[Step] = []
    for number, line in enumerate(lines, start=1):
        content = line.strip()
        if not content or content.startswith("#"):
            continue
        try:
            if content[0] in "+!" or content.split()[0] in _OUTCOMES:
                _step(content, number, steps)
            elif steps:
                word = content.split()[0]
                raise Problem(f"{word!r} begins no step (write +0, !<, !>, end or release)")
            elif content.startswith("set "):
                settings.append(content.removeprefix("set ").strip())
            else:
                _setting(content, header)
        except Problem as problem:
            raise ConfigError(f"{path}:{number}: {problem}") from None
    if not steps:
        last = max(len(lines), 1)
        raise ConfigError(f"{path}:{last}: tells nothing (write +0 > S 0:0(0) accept SYN_SENT)")
    title = next((line.lstrip("# ") for line in lines if line.startswith("#")), "")
    versions = tuple(int(word) for word in header.get("ip", "4 6").split())
    is_for_kernel = header.get("kernel") == "yes"
    return Story(
        path, lines, title, header.get("profile"), tuple(settings), versions, is_for_kernel,
        tuple(steps),
    )  # fmt: skip


_VALUES: Final = {"profile": r"\S+", "ip": "4|6|4 6", "kernel": "yes|no"}


def _setting(content: str, header: dict[str, str]) -> None:
    key, equals, value = (part.strip() for part in content.partition("="))
    if not equals or key not in _VALUES:
        raise Problem(f"{key!r} is no setting of a story (there are {_HEADER})")
    if not re.fullmatch(_VALUES[key], value):
        raise Problem(f"{key} cannot be {value!r} (there are {_HEADER})")
    header[key] = value


def _step(content: str, line: int, steps: list[Step]) -> None:
    words = iter(WORD.findall(content))
    first = next(words)
    if first.startswith("+"):
        steps.append(_beginning(first[1:], words, line))
        return
    if not steps:
        raise Problem(f"{first} is the outcome of no step (write one above, as in +1h)")
    step = steps[-1]
    if first == "end":
        ending = _ending(words)
        steps[-1] = replace(step, endings=(*step.endings, (line, ending)))
    elif first == "release":
        release = ExpectedRelease(*_judged(next(words, ""), words))
        steps[-1] = replace(step, releases=(*step.releases, (line, release)))
    else:
        said = packet(*arrow(first, by_firewall=True), words)
        steps[-1] = replace(step, injected=(*step.injected, (line, said)))
    nothing_more(words)


def _beginning(time: str, words: Iterator[str], line: int) -> Step:
    """Parse a line that begins with its time."""
    try:
        pause = Duration.parse(f"0{time}" if time.startswith(".") else time).nanoseconds
    except ValueError as error:
        raise Problem(f"+{time} {error}") from None
    direction = next(words, None)
    if direction is None:
        return Step(line, pause)
    return Step(line, pause, *_judged(direction, words))


def _judged(direction: str, words: Iterator[str]) -> tuple[StoryPacket, ExpectedVerdict]:
    """Parse a packet and its expected verdict."""
    origin, conversation = arrow(direction, by_firewall=False)
    rest = list(words)
    at = next((i for i, word in enumerate(rest) if word in _VERDICTS), len(rest))
    sent = packet(origin, conversation, iter(rest[:at]))
    if at == len(rest):
        raise Problem("the line does not say what becomes of the packet (write accept or drop)")
    return sent, _expected(_VERDICTS[rest[at]], rest[at + 1 :])


def _expected(verdict: Verdict, words: Iterable[str]) -> ExpectedVerdict:
    reason: Reason | None = None
    state: State | None = None
    for word in words:
        if word.isupper():
            state = _named(State, word, "state")
            continue
        reason = _named(Reason, word, "reason")
        if reason.verdict is not verdict:
            raise Problem(f"{word} is no reason to {verdict.word} (write {reason.verdict.word})")
    if verdict is Verdict.DROP and reason is None:
        raise Problem("a drop has a reason (write drop unknown_packet, for one)")
    if verdict is Verdict.HOLD:
        reason = Reason.HELD
    return ExpectedVerdict(verdict, reason, state)


def _ending(words: Iterator[str]) -> ExpectedEnd:
    reason = _named(EndReason, next(words, ""), "reason to end")
    state = _named(State, next(words, ""), "state")
    return ExpectedEnd(reason, state, whole(next(words, "1"), "a conversation", MOST_CONVERSATIONS))


def _named(kind: type[Named], word: str, what: str) -> Named:
    """The member of an enumeration with this word."""
    for member in kind:
        if word == (member.name if isinstance(member, State) else member.word):
            return member
    known = ", ".join(m.name if isinstance(m, State) else m.word for m in kind)
    raise Problem(f"{word or 'nothing'!r} is no {what} (there are {known})")
