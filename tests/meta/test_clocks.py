"""Who may read which clock.

The firewall's time is an argument: it can be fast-forwarded, scaled, and played by a test.  A clock
that is read beside `fwemu/daemon/clock.py` goes on with real time, so what it measures must be
real: how long we ourselves wait for somebody.  Those places stand here, each with its reason.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

CLOCK = "fwemu/daemon/clock.py"
"""The firewall's clock: the only one that may know the date, or count in nanoseconds."""

WAITS = {
    "fwemu/applications/held.py": "waits for a thread to stand still",
    "fwemu/applications/play.py": "measures what looking at threads costs",
    "fwemu/cli/demo.py": "moves the progress line of the demo",
    "fwemu/virtual_time/programs.py": "waits for programs that are at work",
    "fwemu/lab/faults.py": "waits until the kernel's queue is empty",
    "fwemu/lab/launch.py": "waits for a daemon that starts",
    "fwemu/lab/run.py": "measures and limits the client of `fwemu run`",
    "fwemu/virtual_time/claim.py": "waits for a firewall that was killed to let go of a host",
    "fwemu/rootless/keeper.py": "waits for processes that were asked to end",
    "fwemu/scenarios/demo.py": "measures how long the application waits for an answer",
    "fwemu/scenarios/queue_backend.py": "waits for a packet on a real wire",
    "fwemu/virtual_time/fast_forward.py": "says how long it took, and waits for sockets",
    "fwemu/virtual_time/playback.py": "waits until packets on the wire have arrived",
    "fwemu/virtual_time/scaled_sockets.py": "measures what looking at sockets costs",
    "netns/links.py": "waits for an address to be ready",
    "netns/listeners.py": "waits for a port to be open",
    "netns/process.py": "waits for a process to end",
    "netns/sweep.py": "waits for processes that were asked to end",
}
"""Who may read `time.monotonic()`, and what for."""

PROGRAMS = {
    "fwemu/applications/deadlines.py": {"time.clock_gettime_ns", "time.monotonic_ns"},
    "fwemu/applications/played_time.py": {"time.monotonic_ns"},
    "fwemu/applications/raw_clocks.py": {"time.monotonic"},
    "fwemu/applications/signal_timers.py": {"time.monotonic_ns"},
    "fwemu/virtual_time/asked_timers.py": {"time.monotonic_ns"},
    "fwemu/waits/threads.py": {"time.clock_gettime_ns"},
}
"""Who reads the clocks by whose instants other programs wait: those are the machine's."""

TIME = {
    "time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns",
    "process_time", "process_time_ns", "thread_time", "thread_time_ns", "clock_gettime",
    "clock_gettime_ns", "localtime", "gmtime", "ctime", "asctime", "strftime",
}  # fmt: skip
"""Functions of the module `time` that read a clock, or do if they are given nothing."""

DATETIME = {"now", "utcnow", "today"}
"""Methods of `datetime.datetime` and `datetime.date` that read one."""


def clock_reads(source: str) -> Iterator[str]:
    """Every clock that a module reads or hands on, as `time.time` or `datetime.now`."""
    tree = ast.parse(source)
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name in ("time", "datetime"):
                    names[alias.asname or alias.name] = alias.name
        elif isinstance(node, ast.ImportFrom) and node.module == "time":
            yield from (f"time.{alias.name}" for alias in node.names if alias.name in TIME)
        elif isinstance(node, ast.ImportFrom) and node.module == "datetime":
            for alias in node.names:
                if alias.name in ("datetime", "date"):
                    names[alias.asname or alias.name] = "datetime"
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute):
            continue
        owner = node.value
        if isinstance(owner, ast.Attribute) and owner.attr in ("datetime", "date"):
            owner = owner.value  # datetime.datetime.now
        module = names.get(owner.id) if isinstance(owner, ast.Name) else None
        if module == "time" and node.attr in TIME:
            yield f"time.{node.attr}"
        elif module == "datetime" and node.attr in DATETIME:
            yield f"datetime.{node.attr}"


def reads() -> dict[str, set[str]]:
    """The clocks that each module of the product and of its reference reads."""
    paths = (
        path for room in ("fwemu", "netns", "reference") for path in (ROOT / room).rglob("*.py")
    )
    found = {str(path.relative_to(ROOT)): set(clock_reads(path.read_text())) for path in paths}
    return {path: clocks for path, clocks in found.items() if clocks}


def test_only_the_firewall_s_clock_and_real_waits_read_one() -> None:
    """A new place is either a wait, and is written down above, or asks the firewall's clock."""
    found = reads()
    allowed = {path: {"time.monotonic"} for path in WAITS} | {CLOCK: found[CLOCK]}
    allowed |= PROGRAMS

    wrong = {path: clocks - allowed.get(path, set()) for path, clocks in found.items()}

    assert {path: clocks for path, clocks in wrong.items() if clocks} == {}


def test_every_place_on_the_list_still_reads_one() -> None:
    """A list of exceptions that are none would let the next one in."""
    assert WAITS.keys() | PROGRAMS.keys() <= reads().keys()


@pytest.mark.parametrize(
    ("source", "clock"),
    [
        ("import time\ntime.time()", "time.time"),
        ("import time\nnow = time.time_ns", "time.time_ns"),
        ("import time as t\nt.monotonic_ns()", "time.monotonic_ns"),
        ("import time\ntime.clock_gettime_ns(time.CLOCK_BOOTTIME)", "time.clock_gettime_ns"),
        ("from time import perf_counter as tick", "time.perf_counter"),
        ("from datetime import UTC, datetime\ndatetime.now(UTC)", "datetime.now"),
        ("import datetime\ndatetime.datetime.utcnow()", "datetime.utcnow"),
        ("import datetime as d\nd.date.today()", "datetime.today"),
        ("from datetime import date as day\nday.today()", "datetime.today"),
    ],
)
def test_a_clock_is_found_under_any_name(source: str, clock: str) -> None:
    """Called or handed on, renamed or not."""
    assert list(clock_reads(source)) == [clock]


@pytest.mark.parametrize(
    "source",
    [
        "import time\ntime.sleep(1)",
        "from datetime import datetime\ndatetime.fromtimestamp(0)",
        "clock.now()",
        "self.time.time()",
    ],
)
def test_what_reads_no_clock_is_not_taken_for_one(source: str) -> None:
    """A pause, a conversion, and the firewall's own clock."""
    assert list(clock_reads(source)) == []
