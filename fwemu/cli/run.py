"""`fwemu run`: a lab for the length of one command."""

from __future__ import annotations

import os
import shlex
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from fwemu.cli import words as texts
from fwemu.cli.group import example
from fwemu.cli.options import PATH, api, behaviour, must_be_local, ready_timeout, topology
from fwemu.cli.output import counted, emit, flow, say
from fwemu.errors import (
    ConfigError,
    DoubtfulError,
    FaultError,
    FwemuError,
    UntraversedError,
)

if TYPE_CHECKING:
    from fwemu.lab.faults import Found
    from fwemu.lab.run import Ended, Order, Outcome, Port

UNTRAVERSED: Final = (
    "nothing crossed the firewall: the client must connect to $FWEMU_SERVER_IP, where the server is"
)

FAULT_NAMES: Final = (
    "dropped", "denied", "unknown-packet", "table-full", "reset", "session-ended", "expired",
    "evicted", "overload",
)  # fmt: skip
"""The names of `fwemu.lab.faults.FAULTS`, which is not loaded for --help; a test compares them."""


@click.command(
    context_settings={"allow_interspersed_args": False},
    epilog=example(
        "fwemu run --server 'python3 -m http.server 80' --server-port 80 \\",
        "    --client 'curl -s http://$FWEMU_SERVER_IP/' --fail-on dropped",
        "fwemu run --profile cisco-asa --junit result.xml -- pytest tests/idle",
    ),
)
@behaviour
@topology
@click.option(
    "--server",
    "servers",
    multiple=True,
    metavar="COMMAND",
    help="A program for the server host; may be repeated.",
)
@click.option(
    "--server-port",
    "ports",
    multiple=True,
    metavar="PORT[/udp]",
    help="Start the client when something listens there on the server host; may be repeated.",
)
@click.option(
    "--client", metavar="COMMAND", help="The program for the client host; or give it after --."
)
@click.option(
    "--fail-on",
    multiple=True,
    type=click.Choice(FAULT_NAMES),
    help="Fail if that has happened by the end, however the client did; may be repeated.",
)
@click.option(
    "--allow-untraversed",
    is_flag=True,
    help="Do not fail if nothing crossed the firewall.",
)
@click.option(
    "--strict",
    is_flag=True,
    help="Fail if the client has let time pass in a moment and the answer is not to be trusted.",
)
@click.option(
    "--timeout",
    metavar="TIME",
    callback=texts.duration,
    help="End everything if the client is not done by then, as in 5m.",
)
@ready_timeout
@click.option(
    "--prefix/--no-prefix",
    default=None,
    help="Begin every line with the name of its writer, or not; default: on a terminal.",
)
@click.option("--junit", type=PATH, metavar="FILE", help="Write the result as JUnit XML.")
@api
@click.option(
    "-n", "--name", metavar="NAME", help="What to call the lab (default: the first free labN)."
)
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON object at the end, alone on stdout."
)
@click.argument("words", nargs=-1, metavar="[-- COMMAND...]")
def command(
    profile: str | None,
    config: Path | None,
    settings: tuple[str, ...],
    layout: str,
    servers: tuple[str, ...],
    ports: tuple[str, ...],
    client: str | None,
    fail_on: tuple[str, ...],
    allow_untraversed: bool,
    strict: bool,
    timeout: str | None,
    ready_timeout: str,
    prefix: bool | None,
    junit: Path | None,
    api: tuple[str, int] | None,
    name: str | None,
    as_json: bool,
    words: tuple[str, ...],
) -> int:
    """Make a lab, run servers and a client in it, remove it.

    The exit code is the client's. A server that fails ends the run at once; all that still runs
    when the client is done is ended with the lab. If nothing crossed the firewall the client has
    shown nothing, and a 0 becomes 11 (unless --allow-untraversed).

    A COMMAND is split into words as a shell does it, but there is no shell (sh -c '...' starts
    one). These variables are in the environment of all programs, and are filled in where a COMMAND
    names them: FWEMU_SERVER_IP, FWEMU_SERVER_IPV6, FWEMU_CLIENT_IP, FWEMU_CLIENT_IPV6, FWEMU_LAB,
    FWEMU_CONTROL (the control socket, which can be reached from every host of the lab) and, with
    --api, FWEMU_API (which can be reached from this machine, but not from the lab's hosts).

    What the client writes to stdout goes to stdout, everything else that is written goes to stderr.
    """
    from fwemu import rootless
    from fwemu.config.duration import Duration
    from fwemu.daemon.checks import explaining
    from fwemu.lab import Lab, Layout, Topology
    from fwemu.lab.run import Order, Run

    must_be_local(api)
    order = Order(
        client=_client(client, words),
        servers=[_split("--server", each) for each in servers],
        ports=[_port(each) for each in ports],
        ready_within=Duration.parse(ready_timeout).seconds,
        client_within=Duration.parse(timeout or "never").seconds,
        fail_on=fail_on,
        client_out=2 if as_json else 1,
        has_prefixes=os.isatty(2 if as_json else 1) if prefix is None else prefix,
    )
    lab = Lab(
        name=name,
        topology=Topology(layout=Layout(layout)),
        config=config,
        profile=profile,
        settings=settings,
        api=api,
    )
    if junit is not None and not junit.absolute().parent.is_dir():
        raise ConfigError(f"--junit {junit}: there is no such directory (make it first)")
    rootless.enter()
    run = Run(order, say)
    problem: FwemuError | None
    try:
        say("making client, firewall and server ...")
        try:
            with explaining(), lab:
                run.play(lab)
        finally:
            run.drain()
        problem = _verdict(run.outcome, allow_untraversed, strict)
    except FwemuError as error:
        problem = error
    code = problem.exit_code if problem is not None else run.outcome.client.exit_code or 0
    if junit is not None:
        _write_junit(junit, order, run.outcome, problem)
    if as_json:
        emit(_record(run.outcome, code, problem))
    if problem is not None:
        raise problem
    _comment(run.outcome)
    return code


_JUDGED: Final = (FaultError, UntraversedError, DoubtfulError)
"""What is wrong although the run came to its end."""


def _client(text: str | None, words: tuple[str, ...]) -> list[str]:
    if (text is None) == (not words):
        raise click.UsageError(
            "name the client's command by --client or after --"
            + (", not by both" if text is not None else "")
        )
    return _split("--client", text) if text is not None else list(words)


def _split(option: str, text: str) -> list[str]:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ConfigError(f"{option} {text!r}: {str(error).lower()}") from error
    if not words:
        raise ConfigError(f"{option} {text!r}: name the program to run")
    return words


def _port(text: str) -> Port:
    from fwemu.lab.run import Port

    number, _, protocol = text.partition("/")
    if not number.isdecimal() or not 0 < int(number) < 65536 or protocol not in ("", "tcp", "udp"):
        raise ConfigError(f"--server-port {text!r}: write a port, as in 80 or 53/udp")
    return Port(int(number), protocol or "tcp")


def _verdict(outcome: Outcome, allow_untraversed: bool, strict: bool) -> FwemuError | None:
    """The problems of a run whose client ended well."""
    if outcome.client.exit_code:
        return None
    happened = [fault for fault in outcome.faults if fault.times]
    if happened:
        return FaultError("\n".join(_sentence(fault) for fault in happened))
    if not outcome.crossed and not allow_untraversed:
        return UntraversedError(f"{UNTRAVERSED} (a run that means this has --allow-untraversed)")
    if strict and outcome.not_to_be_trusted:
        return DoubtfulError(_doubt(outcome))
    return None


def _doubt(outcome: Outcome) -> str:
    from fwemu.lab.trust import problem

    return problem(outcome.not_to_be_trusted)


def _sentence(fault: Found) -> str:
    text = f"--fail-on {fault.name}: {fault.meaning} ({_often(fault.times)})"
    if fault.first is None:
        return text
    ends = f" {flow(fault.first)}" if "source" in fault.first else ""
    return f"{text}; the first:{ends} {fault.first.get('reason') or fault.first['kind']}"


def _often(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def _comment(outcome: Outcome) -> None:
    """Print remarks about a run that do not decide about its result."""
    for number, server in enumerate(outcome.servers, start=1):
        if server.exit_code:
            say(f"server {number} failed meanwhile (exit code {server.exit_code})")
    for fault in outcome.faults:
        if fault.times:
            say(_sentence(fault))
    if outcome.not_to_be_trusted:
        say(_doubt(outcome))
    if not outcome.crossed:
        say(UNTRAVERSED)
    elif not outcome.faults and (refused := _refused(outcome)):
        say(f"the firewall let {refused} go no further")


def _refused(outcome: Outcome) -> str:
    """Packets that were dropped or answered, by reason: `2 packets (1 denied, ...)`."""
    by_reason: Counter[str] = Counter()
    for each in outcome.statistics:
        by_reason.update(each["packets"]["drop"])
    words = ", ".join(f"{number} {reason}" for reason, number in by_reason.items() if number)
    return f"{counted(by_reason.total(), 'packet')} ({words})" if words else ""


def _write_junit(path: Path, order: Order, outcome: Outcome, error: FwemuError | None) -> None:
    from fwemu.cli import junit

    code = outcome.client.exit_code
    name = f"client: {shlex.join(order.client)}"
    if error is not None and not isinstance(error, _JUDGED):
        cases = [junit.Case(name, outcome.seconds, error=str(error))]
        cases += [junit.Case(f"not {fault}", error="not judged") for fault in order.fail_on]
    else:
        failure = f"exit code {code}" if code else None
        cases = [junit.Case(name, outcome.seconds, failure)]
        cases += [
            junit.Case(f"not {fault.name}", failure=_sentence(fault) if fault.times else None)
            for fault in outcome.faults
        ]
        if isinstance(error, UntraversedError):
            cases.append(junit.Case("the firewall was crossed", failure=str(error)))
        if isinstance(error, DoubtfulError):
            cases.append(junit.Case("the answer can be trusted", failure=str(error)))
    junit.write(path, "fwemu run", cases)


def _record(outcome: Outcome, code: int, error: FwemuError | None) -> dict[str, Any]:
    """The run, for machines."""

    def ended(program: Ended) -> dict[str, Any]:
        return {"command": list(program.command), "exit_code": program.exit_code}

    return {
        "exit_code": code,
        "error": None if error is None else str(error),
        "client": {**ended(outcome.client), "seconds": round(outcome.seconds, 3)},
        "servers": [ended(server) for server in outcome.servers],
        "fail_on": [
            {"name": fault.name, "times": fault.times, "first": fault.first}
            for fault in outcome.faults
        ],
        "not_to_be_trusted": outcome.not_to_be_trusted,
        "statistics": outcome.statistics,
    }
