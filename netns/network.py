"""A network that cleans up after itself: everything made through it goes when it is closed.

Whatever fails at whatever step, Ctrl-C included, nothing stays: each removal is registered
before the thing is made, and removes only what this network made.
What can be made, and how, is in `namespace.py`, `links.py` and `process.py`.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial

from netns import links, process, sweep
from netns.errors import CleanupError, NoSuchNamespace
from netns.namespace import Creation, Namespace
from netns.process import GRACE, Destination, Process, Source
from netns.worker import Worker


class Network:
    """Namespaces, cables, bridges and processes under one roof.

    As a context manager it is closed at the end, also when the block raises; `keep` leaves all
    standing instead.  Not for use by several threads at once.
    """

    def __init__(self, grace: float = GRACE) -> None:
        """`grace`: how many seconds its processes have, when it closes, until they are killed."""
        self._grace = grace
        self._undo: list[Callable[[], object]] = []
        self._creations: list[Creation] = []
        # For whoever forgets to close, or is interrupted on the very way into `close`: it happens
        # when the object goes, at the latest when Python ends.
        self._last_resort = weakref.finalize(self, _unwind, self._undo)

    def namespace(self, name: str) -> Namespace:
        """A new namespace; when the network closes, every process inside is ended as well.

        Raises NamespaceExists, and then leaves the other one alone.
        """
        creation = Creation(name)
        self._register(partial(_remove, creation, self._grace))
        namespace = creation.run()
        self._creations.append(creation)
        return namespace

    def link(
        self,
        a: Namespace,
        a_name: str,
        b: Namespace,
        b_name: str,
        *,
        a_addresses: Iterable[str] = (),
        b_addresses: Iterable[str] = (),
        mtu: int | None = None,
    ) -> None:
        """A cable between two namespaces, both ends up and usable, with these addresses.

        The namespaces need not be this network's; the cable goes with it in any case.
        """
        made: list[bool] = []
        if not (self._owns(a) and self._owns(b)):
            # The kernel ends a namespace some time after its last name is gone: without this,
            # the end in a namespace that stays would linger, and its name with it.
            ns, name = (b, b_name) if self._owns(b) else (a, a_name)
            self._register(partial(_delete_link, ns, name, made))
        links.veth(a, a_name, b, b_name, mtu, on_made=lambda: made.append(True))
        links.configure(a, a_name, addresses=a_addresses)
        links.configure(b, b_name, addresses=b_addresses)
        links.settle(a)
        links.settle(b)

    def bridge(self, ns: Namespace, name: str, members: Iterable[str] = ()) -> None:
        """A bridge, up, with these interfaces plugged in."""
        made: list[bool] = []
        if not self._owns(ns):
            self._register(partial(_delete_link, ns, name, made))
        links.bridge(ns, name, on_made=lambda: made.append(True))
        for member in members:
            links.attach(ns, name, member)

    def spawn(
        self,
        ns: Namespace,
        argv: Sequence[str | os.PathLike[str]],
        *,
        stdout: Destination = None,
        stderr: Destination = None,
        stdin: Source = None,
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        name: str | None = None,
    ) -> Process:
        """A program inside; it is stopped when the network closes.  See `process.spawn`."""
        started: list[Process] = []
        self._register(partial(_stop, started, self._grace))
        return process.spawn(
            ns,
            argv,
            stdout=stdout,
            stderr=stderr,
            stdin=stdin,
            env=env,
            cwd=cwd,
            name=name,
            on_start=started.append,
        )

    def on_close(self, undo: Callable[[], object]) -> None:
        """Register a call for closing time, before anything made until now is removed.

        It is called in a thread of its own, where Ctrl-C does not reach it.
        """
        self._register(undo)

    def keep(self) -> None:
        """Leave everything standing: closing does nothing any more.

        `netns.stop_all_in` and `netns.remove`, by name and from any process, end it later.
        """
        self._undo.clear()
        self._creations.clear()

    def close(self) -> None:
        """Remove everything, last made first; once is enough, twice does no harm.

        What cannot be removed does not stop the rest: it raises CleanupError at the end.
        Ctrl-C meanwhile is raised when all is done; a second one at once.
        """
        Worker(partial(_unwind, self._undo), "close network").run()
        self._last_resort.detach()
        self._creations.clear()

    def __enter__(self) -> Network:
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        try:
            self.close()
        except CleanupError as failed:
            if error is None:
                raise
            # What went wrong first is what the reader must see.
            error.add_note(str(failed))

    def _register(self, undo: Callable[[], object]) -> None:
        if not self._last_resort.alive:  # closed before, and used again
            self._last_resort = weakref.finalize(self, _unwind, self._undo)
        self._undo.append(undo)

    def _owns(self, ns: Namespace) -> bool:
        identity = ns.identity
        return any(creation.identity == identity for creation in self._creations)


# What `close` calls is no method: an entry that referred to the network would keep it alive, and
# the last resort would come only when Python ends.


def _remove(creation: Creation, grace: float) -> None:
    try:
        if creation.is_standing():
            sweep.stop_all_in(creation.namespace, grace)
    finally:
        creation.undo()


def _delete_link(ns: Namespace, name: str, made: list[bool]) -> None:
    if made:
        with suppress(NoSuchNamespace):  # it took the interface along
            links.delete_link(ns, name, missing_ok=True)


def _stop(started: list[Process], grace: float) -> None:
    for program in started:
        program.stop(grace)


def _unwind(undo: list[Callable[[], object]]) -> None:
    """Call all from last to first and empty the list; exceptions are raised at the end."""
    errors: list[Exception] = []
    while undo:
        try:
            undo.pop()()
        except Exception as error:
            errors.append(error)
    if errors:
        raise CleanupError(errors)
