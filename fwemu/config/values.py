"""Types of single values that have a range of their own: lifetimes, schedules, sizes, names."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Final

from cronsim import CronSim, CronSimError
from pydantic import (
    AfterValidator,
    BeforeValidator,
    PlainSerializer,
    PlainValidator,
    WithJsonSchema,
)

from fwemu.config.accepts import Accepts, shown, suggestion
from fwemu.config.duration import Duration
from fwemu.config.size import Size
from fwemu.core.timeouts import DISCARDED_STATES, SETTING_OF_STATE


def one_or_more(value: object) -> object:
    """A word alone stands for a list of one."""
    return [value] if isinstance(value, str) else value


def _duration(value: object, shortest: str, never: bool) -> Duration:
    duration = Duration.parse(value)
    if duration.is_never and not never:
        raise ValueError(f"never is too long ({shortest} to {LONGEST})")
    way_out = f"{shortest} to {LONGEST}" + (", or never" if never else "")
    if duration < Duration.parse(shortest):
        raise ValueError(f"{duration} is below {shortest} ({way_out})")
    if duration > Duration.parse(LONGEST) and not duration.is_never:
        raise ValueError(f"{duration} is above {LONGEST} ({way_out})")
    return duration


LONGEST: Final = "3650d"
_WRITTEN_DURATION: Final = (
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["30s", "1h 5m", "never"]}),
)

Lifetime = Annotated[
    Duration,
    PlainValidator(partial(_duration, shortest="1ms", never=True)),
    *_WRITTEN_DURATION,
    Accepts(f"1ms to {LONGEST}, or never"),
]
"""How long an open session may be quiet."""

ClosingLifetime = Annotated[
    Duration,
    PlainValidator(partial(_duration, shortest="0s", never=True)),
    *_WRITTEN_DURATION,
    Accepts(f"0s (forget at once) to {LONGEST}, or never"),
]
"""How long a session that is being closed is kept."""

Interval = Annotated[
    Duration,
    PlainValidator(partial(_duration, shortest="100ms", never=False)),
    *_WRITTEN_DURATION,
    Accepts(f"100ms to {LONGEST}"),
]

Delay = Annotated[
    Duration,
    PlainValidator(partial(_duration, shortest="0s", never=False)),
    *_WRITTEN_DURATION,
    Accepts(f"0s to {LONGEST}"),
]
"""How long something takes that may take no time."""


def _state_timer(value: str) -> str:
    if value not in STATE_TIMERS:
        meant = suggestion(value, STATE_TIMERS)
        hint = f"did you mean {meant}?" if meant else "write tcp_syn_sent, for instance"
        raise ValueError(f"{shown(value)} is not the timer of a state ({hint})")
    return value


STATE_TIMERS: Final = tuple(
    dict.fromkeys(
        name for state, name in SETTING_OF_STATE.items() if name and state not in DISCARDED_STATES
    )
)

StateTimers = Annotated[
    tuple[Annotated[str, AfterValidator(_state_timer)], ...],
    BeforeValidator(one_or_more),
    Accepts("the name of a state's timer, as in tcp_syn_sent, or a list of them"),
]


def _schedule(value: str) -> str:
    try:
        CronSim(value, datetime(2000, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        problem = str(error)[:1].lower() + str(error)[1:]
        raise ValueError(
            f"{shown(value)} is not a cron schedule: {problem}"
            ' (write "0 0 * * *" for every midnight)'
        ) from None
    return value


Schedule = Annotated[
    str,
    AfterValidator(_schedule),
    Accepts("cron notation: minute hour day month weekday, or six fields with seconds first"),
]


def _size(value: object) -> Size:
    size = Size.parse(value)
    if size < SMALLEST_LOG or size > LARGEST_LOG:
        problem = f"below {SMALLEST_LOG}" if size < SMALLEST_LOG else f"above {LARGEST_LOG}"
        raise ValueError(f"{size} is {problem} ({SMALLEST_LOG} to {LARGEST_LOG})")
    return size


SMALLEST_LOG: Final = Size.parse("64kB")
LARGEST_LOG: Final = Size.parse("1TB")

LogSize = Annotated[
    Size,
    PlainValidator(_size),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["64MB"]}),
    Accepts(f"{SMALLEST_LOG} to {LARGEST_LOG}"),
]


def _interface(value: str) -> str:
    # the kernel's rule: dev_valid_name() in net/core/dev.c, IFNAMSIZ in include/uapi/linux/if.h
    if not re.fullmatch(r"[^\s/:]{1,15}", value) or value in (".", ".."):
        raise ValueError(
            f"{shown(value)} is not an interface name"
            " (1 to 15 characters, no space, slash or colon)"
        )
    return value


InterfaceName = Annotated[str, AfterValidator(_interface)]
InterfaceNames = Annotated[
    tuple[InterfaceName, ...],
    BeforeValidator(one_or_more),
    Accepts("an interface name or a list of them"),
]
