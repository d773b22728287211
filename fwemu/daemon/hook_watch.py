"""Notices when somebody takes a running firewall's hook away, and puts it back.

`nft flush ruleset` (as /etc/nftables.conf begins) or `iptables -F` in the firewall's namespace is
all it takes, and then every packet passes undecided.  The kernel tells of each change of nftables
rules; of those of iptables-legacy it does not, so there the rules are looked at every `INTERVAL_S`.

The control process does this, so that no packet waits for it.  Which tool has made the hook, and
when it may go, it hears from the engine's process over a pipe: `arm` and `disarm` are called there.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from multiprocessing.connection import Pipe
from typing import Any, Final

from fwemu.daemon import hooks
from fwemu.daemon.pace import Note
from fwemu.daemon.process_log import ProcessLog
from fwemu.errors import FwemuError
from netns import Namespace, NetnsError, nft

INTERVAL_S: Final = 2.0
"""Between two looks where nobody tells of changes, or a hook could not be put back."""

_DISARM_S: Final = 3.0
"""How long the engine waits at its end for a look that is under way."""


class HookWatch:
    """Made before the fork; each process uses its own half."""

    def __init__(self, namespace: Namespace, queue: int, fail_open: bool) -> None:
        self._namespace = namespace
        self._queue = queue
        self._fail_open = fail_open
        self._engines, self._controls = Pipe()
        self._tool: str | None = None
        self._in_place: bool | None = None
        self._restored = 0
        self._log = ProcessLog()

    # -- the engine's process ---------------------------------------------------------------------

    def arm(self, tool: str) -> None:
        """The hook is there, made by this tool: watch it from now on."""
        self._controls.close()
        with contextlib.suppress(OSError):  # the control process is gone, which is seen elsewhere
            self._engines.send(tool)

    def disarm(self) -> bool:
        """The hook is about to be taken away, and must not be put back.

        False if that is not certain: a look is under way that takes too long.  It is over for
        certain when the control process has ended.
        """
        is_certain = False
        with contextlib.suppress(OSError):
            try:
                self._engines.send(None)
                if self._engines.poll(_DISARM_S):
                    self._engines.recv()
                    is_certain = True
            except EOFError:  # that process has ended
                is_certain = True
        self._engines.close()
        return is_certain

    # -- the control process ----------------------------------------------------------------------

    @property
    def report(self) -> dict[str, Any]:
        """`tool`, is the hook `in_place` (None: that is not known), how often was it `restored`."""
        return {"tool": self._tool, "in_place": self._in_place, "restored": self._restored}

    @contextlib.contextmanager
    def watching(self, note: Note) -> Iterator[None]:
        """Within the block the hook is watched, as soon as it is armed."""
        self._engines.close()
        # it ends with the process, or when the engine's process says so or ends
        threading.Thread(target=self._run, args=(note,), name="hook", daemon=True).start()
        yield

    def _run(self, note: Note) -> None:
        with contextlib.suppress(EOFError, OSError):
            self._tool = self._controls.recv()
            if self._tool is not None:
                self._watch(self._tool, note)
            self._controls.send(None)

    def _watch(self, tool: str, note: Note) -> None:
        """Until there is something to read on the pipe, which can only be the end."""
        hook = hooks.of_tool(tool, self._namespace, self._queue, self._fail_open)
        self._in_place = True
        with ExitStack() as undo:
            poll = select.poll()
            poll.register(self._controls, select.POLLIN)
            changes = None
            if tool != hooks.LEGACY:
                with contextlib.suppress(NetnsError):  # then it is looked at now and then
                    changes = undo.enter_context(nft.changes(self._namespace))
                    poll.register(changes, select.POLLIN)
            self._look(hook, note)  # it may have gone before anybody listened
            while True:
                is_told = changes is not None and self._in_place
                ready = [fd for fd, _ in poll.poll(None if is_told else INTERVAL_S * 1000)]
                if self._controls.fileno() in ready:
                    return
                if changes is not None and changes.fileno() in ready:
                    _drain(changes)
                self._look(hook, note)

    def _look(self, hook: hooks.Hooks, note: Note) -> None:
        """Put it back if it is gone; say so once."""
        was_in_place = self._in_place
        try:
            if hook.is_in_place():
                self._in_place = True
                return
            hook.install()
        except NetnsError as error:
            self._in_place = None if was_in_place is None else False
            if was_in_place:
                self._say(note, "hook_lost", f"cannot be put back: {error}", problem=str(error))
            return
        self._in_place = True
        self._restored += 1
        self._say(note, "hook_restored", "was put back", tool=hook.tool)

    def _say(self, note: Note, event: str, done: str, **fields: Any) -> None:
        self._log.say(
            f"fwemu: somebody took the hook away, and it {done} "
            "(what passed meanwhile was not decided about)"
        )
        with contextlib.suppress(FwemuError):  # the firewall is ending
            note(event, fields)


def _drain(changes: socket.socket) -> None:
    with contextlib.suppress(BlockingIOError):
        while True:
            try:
                changes.recv(65536, socket.MSG_DONTWAIT)
            except BlockingIOError:
                raise
            except OSError:  # ENOBUFS: some were lost, and a look comes anyway
                continue
