"""`fwemu down`: takes labs away, whatever is left of them, and what killed firewalls have left."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fwemu.cli.group import example
from fwemu.cli.options import as_json
from fwemu.cli.output import emit, say
from fwemu.cli.words import complete_labs
from fwemu.daemon.needs import is_privileged
from fwemu.daemon.rundir import About, RunDirectory, abandoned, announced, default_base
from fwemu.errors import ConfigError, FwemuError, NamespaceError
from netns.procfs import start_time

if TYPE_CHECKING:
    from fwemu.lab.register import Entry


@click.command(epilog=example("fwemu down"))
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=complete_labs)
@click.option(
    "-n", "--name", "named", multiple=True, metavar="NAME", shell_complete=complete_labs,
    help="The same as NAME, as other commands have it.",
)  # fmt: skip
@click.option(
    "--all", "everything", is_flag=True, help="Every lab, also what killed ones have left."
)
@as_json
def command(
    names: tuple[str, ...], named: tuple[str, ...], everything: bool, as_json: bool
) -> None:
    """Remove labs: firewall, namespaces and the processes inside.  Nothing else is touched.

    Of a firewall without a lab (`fwemu daemon`) that was killed, remove what it has left: its hook,
    and its run directory.
    """
    from fwemu import rootless
    from fwemu.lab import register

    names = tuple(dict.fromkeys((*names, *named)))
    base = default_base()
    labs = register.entries(base)
    of_labs = {firewall.name for lab in labs for firewall in lab.plan.firewalls}
    alone = [about for about in announced(base) if about.name not in of_labs]
    killed = [about for about in alone if not about.is_alive] + abandoned(base)
    chosen: list[Entry | About] = [*labs, *killed]
    if names:
        chosen = [_named(name, labs, [*alone, *abandoned(base)]) for name in names]
    elif not everything and len(chosen) > 1:
        there = ", ".join(_name(each) for each in chosen)
        raise ConfigError(f"several labs exist ({there}): name one, or say --all")
    problems: list[FwemuError] = []
    if not is_privileged():
        for about in [each for each in chosen if isinstance(each, About)]:
            if not _has_no_hook_outside(about):
                chosen.remove(about)
                problems.append(
                    NamespaceError(
                        f"{about.name}: its hook is in {about.netns} and cannot be removed from "
                        "here: end what runs in that namespace, and the hook goes with it"
                    )
                )
    rootless.enter_shared()
    if not chosen and not problems:
        say("there is no lab")
    for each in chosen:
        if everything and not isinstance(each, About) and _is_being_made(each):
            say(f"{_name(each)}: is just being made by process {each.maker[0]}; left alone")
            continue
        try:
            _remove(base, each)
        except FwemuError as error:  # the others shall go all the same
            problems.append(error)
            continue
        if as_json:
            emit({"name": _name(each), "removed": True})
        else:
            print(f"{_name(each)} is gone")
    if everything:
        register.remove_drafts(base)
        for about in alone:
            if about.is_alive:
                say(f"{about.name}: {_way_out(about)}; left alone")
    for problem in problems[:-1]:
        say(f"fwemu: {problem}")
    if problems:
        raise problems[-1]


def _name(each: Entry | About) -> str:
    return each.name if isinstance(each, About) else each.plan.name


def _is_being_made(lab: Entry) -> bool:
    pid, started = lab.maker
    return not lab.has_firewall and start_time(pid) == started


def _remove(base: Path, each: Entry | About) -> None:
    from fwemu.lab.lab import remove, translated

    if not isinstance(each, About):
        remove(each, say)
        return
    from fwemu.daemon.leftovers import remove_hook

    with translated():
        remove_hook(each)
    RunDirectory(base, each.name).remove()


def _has_no_hook_outside(about: About) -> bool:
    """Remove the hook that an ordinary user's firewall has left, and say whether it is gone.

    Its network namespace belongs to a user namespace of theirs, as a container engine makes it;
    it is entered by a child process, which cannot come back.
    """
    from fwemu.daemon.leftovers import namespace_of, remove_hook
    from fwemu.rootless import enter_owner

    namespace = namespace_of(about)
    if namespace is None:
        return True
    child = os.fork()
    if child == 0:
        is_gone = False
        with suppress(BaseException):
            enter_owner(namespace.path)
            remove_hook(about)
            is_gone = True
        os._exit(0 if is_gone else 1)
    return os.waitpid(child, 0)[1] == 0


def _named(name: str, labs: list[Entry], alone: list[About]) -> Entry | About:
    """What is meant; a firewall that runs without a lab is ended where it was started."""
    from fwemu.lab import register

    for lab in labs:
        if name in [firewall.name for firewall in lab.plan.firewalls[1:]]:
            raise NamespaceError(
                f"{name!r} is the second firewall of a lab: `fwemu down {lab.plan.name}` removes "
                "both"
            )
        if name == lab.plan.name:
            return lab
    for about in alone:
        if about.name == name:
            if about.is_alive:
                raise NamespaceError(f"{name!r} is {_way_out(about)}")
            return about
    return register.entry(default_base(), name)


def _way_out(about: About) -> str:
    return f"a firewall without a lab: end it with Ctrl-C where it runs, or with `kill {about.pid}`"
