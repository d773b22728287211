"""`fwemu doctor`: what this machine can and cannot do."""

from __future__ import annotations

import platform
from contextlib import suppress

import click

from fwemu import __version__
from fwemu.cli.group import example
from fwemu.cli.options import as_json
from fwemu.cli.output import emit, say, table
from fwemu.errors import FwemuError


@click.command(epilog=example("fwemu doctor"))
@as_json
def command(as_json: bool) -> int:
    """Try what fwemu needs, and say what is missing here.

    Each lack comes with the command that mends it.  It works in network namespaces of its own and
    removes them.  The exit code is 0 if nothing is missing, else that of the first thing that is.
    """
    from fwemu import rootless
    from fwemu.daemon.checks import Status, examine

    say(
        f"fwemu {__version__}, Python {platform.python_version()}, "
        f"{platform.system()} {platform.release()}"
    )
    with suppress(FwemuError):  # what is missing is among the findings
        rootless.enter()
    findings = list(examine())
    if as_json:
        for finding in findings:
            is_missing = finding.status is Status.MISSING
            emit(
                {
                    "name": finding.name,
                    "status": finding.status.value,
                    "text": finding.text,
                    "remedy": finding.need.remedy if is_missing else None,
                }
            )
    else:
        rows = [(finding.name, finding.status.value, finding.text) for finding in findings]
        table(["WHAT", "STATUS", "FOUND"], rows)
    lacks = [finding.error for finding in findings if finding.status is Status.MISSING]
    if not lacks:
        say("nothing is missing: `fwemu demo` shows what it does")
    return lacks[0].exit_code if lacks else 0
