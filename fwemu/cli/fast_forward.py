"""`fwemu fast-forward`: an hour in a moment."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from fwemu.cli import words
from fwemu.cli.group import example
from fwemu.cli.options import as_json, which_firewall
from fwemu.cli.output import counted, duration, emit, flow, say
from fwemu.cli.target import connect
from fwemu.daemon.stop_on import StopOn
from fwemu.errors import FwemuError

if TYPE_CHECKING:
    from fwemu.client import Client

_EVERY: Final = 0.5
"""Seconds between two looks at how far it is."""


@click.command(
    "fast-forward",
    epilog=example("fwemu fast-forward 1h 5m", "fwemu fast-forward 8h --stop-on session-ended"),
)
@which_firewall
@click.argument("time", metavar="TIME", nargs=-1, required=True, callback=words.duration_of_words)
@click.option(
    "--stop-on",
    multiple=True,
    type=click.Choice([each.value for each in StopOn]),
    help="Stop at the first such event; may be repeated.",
)
@click.option(
    "--applications/--no-applications",
    default=True,
    help="Play the time of the programs in the hosts (default), or let them stand still.",
)
@click.option(
    "--grain",
    metavar="TIME",
    default="5s",
    show_default=True,
    callback=words.duration,
    help="How late what ticks, waits of less than 5 s again and again, may be; 0 is exact.",
)
@click.option(
    "--strict", is_flag=True, help="Fail if what became of a session is not to be trusted."
)
@as_json
def command(
    name: str | None,
    control: Path | None,
    time: str,
    stop_on: tuple[str, ...],
    applications: bool,
    grain: str,
    strict: bool,
    as_json: bool,
) -> None:
    """Let TIME (1h 5m, 30s) pass in a moment.

    Everything that time would have brought is played in its order: timers of the firewall, the
    keepalive of every TCP socket in the lab's hosts, and its questions to a peer whose window is
    closed, by real probes from the real kernels. The programs in the hosts live through it, too:
    their clocks are moved, and a wait or a timer whose time has come ends. What cannot be played
    is listed.

    With --no-applications programs stand still. If one of them would have woken by itself, what
    became of its session is called possible, or not to be trusted where it watches the session's
    socket.
    """
    with connect(name, control) as client:
        done = _played(client, time, stop_on, applications, grain)
    if as_json:
        emit(done)
    else:
        _print(done)
    if strict:
        from fwemu.lab import trust

        trust.refuse(done)


def _played(
    client: Client, time: str, stop_on: tuple[str, ...], applications: bool, grain: str
) -> dict[str, Any]:
    """Let it pass, and say how far it has come; Ctrl-C ends it where it is."""
    from fwemu.client import Client

    done: list[dict[str, Any] | FwemuError] = []

    is_over = threading.Event()  # a join that Ctrl-C interrupts takes the thread for ended

    def work() -> None:
        try:
            done.append(
                client.fast_forward(
                    time, stop_on, applications=applications, grain=grain, is_all_we_do=True
                )
            )
        except FwemuError as error:
            done.append(error)
        finally:
            is_over.set()

    threading.Thread(target=work).start()
    try:
        with Client(client.control) as other:
            _say_how_far(is_over, other, time)
    except BaseException as interruption:
        with Client(client.control) as other:
            other.cancel_fast_forward()
        is_over.wait()
        if isinstance(done[0], FwemuError):
            raise
        passed = duration(done[0]["advanced_s"])
        say(f"stopped after {passed}; the lab stays, and its clock is that far on")
        raise click.exceptions.Exit(_exit_code(interruption)) from interruption
    if isinstance(done[0], FwemuError):
        raise done[0]
    return done[0]


def _exit_code(interruption: BaseException) -> int:
    """As every interrupted command has it; our own mistakes are no interruption."""
    if isinstance(interruption, KeyboardInterrupt):
        return 130
    code = getattr(interruption, "exit_code", None)
    if not isinstance(code, int):
        raise interruption
    return code


def _say_how_far(is_over: threading.Event, client: Client, time: str) -> None:
    """A line that is written anew on a terminal, once only elsewhere."""
    say(f"playing {time} ...")
    while not is_over.wait(_EVERY):
        passed = client.passed()
        if passed is not None and sys.stderr.isatty():
            print(f"\r  {duration(passed)} of {time} \033[K", end="", file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr, flush=True)


def _print(done: dict[str, Any]) -> None:
    print(f"{duration(done['advanced_s'])} passed in {done['wall_s']:.2f} s")
    if done["stopped_at"]:
        print(f"stopped at the first {done['stopped_at'].replace('-', ' ')}")
    for probe in done["probes"]:
        asked = counted(probe["sent"], f"{probe['kind']} probe")
        asked = f"sent {asked}, {probe['answered']} answered"
        print(f"  {_socket(probe)} {asked}")
    for program in done["programs_woken"]:
        print(f"  {program['process']} woke {counted(program['wakes'], 'time')}")
    for session in done["sessions_ended"]:
        print(f"  session {session['session']} {flow(session)}: {session['reason']}")
        _print_doubts(session)
    for session in done["sessions_doubtful"]:
        print(f"  session {session['session']} {flow(session)}: lives")
        _print_doubts(session)
    for lost in done["connections_lost"]:
        print(f"  {_socket(lost)} lost: {lost['error']}")
    for missing in done["not_played"]:
        say(f"not played: {', '.join((missing['what'], *_where(missing)))}")


def _print_doubts(session: dict[str, Any]) -> None:
    from fwemu.lab import trust

    for line in trust.told(session):
        print(f"    {line}")


def _where(missing: dict[str, Any]) -> Iterator[str]:
    """Which connection, and whose."""
    if "local" in missing:
        yield f"{missing['local']} -> {missing['remote']}"
    if "process" in missing:
        yield missing["process"]


def _socket(socket: dict[str, Any]) -> str:
    return f"{socket['host']} {socket['local']} -> {socket['remote']} ({socket['process']})"
