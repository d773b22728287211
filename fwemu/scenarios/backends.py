"""The backends by name (`fwemu scenario run --on NAME`), each loaded when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cache
from typing import TYPE_CHECKING, Final

from fwemu.config import Config
from fwemu.scenarios.backend import Backend
from fwemu.scenarios.runner import BackendFactory

if TYPE_CHECKING:
    from fwemu.scenarios.kernel_backend import KernelBackend


@contextmanager
def engine() -> Iterator[BackendFactory]:
    """The core alone, in virtual time."""
    from fwemu.scenarios.backend import EngineBackend

    yield EngineBackend


@contextmanager
def queue() -> Iterator[BackendFactory]:
    """The core behind a real queue between real namespaces; needs root, leaves nothing behind."""
    from fwemu.scenarios.queue_backend import QueueTestbed

    with QueueTestbed() as testbed:
        yield testbed.backend


@contextmanager
def kernel() -> Iterator[BackendFactory]:
    """The kernel's own connection tracking; needs root, leaves nothing behind.

    Of a configuration it applies `unknown.inside` (tcp_loose) and `tcp.window` (tcp_be_liberal).
    """
    from fwemu.core.choices import OnUnknown
    from fwemu.core.tcp_window import WindowCheck
    from fwemu.daemon.needs import require_privileges
    from fwemu.errors import NamespaceError
    from fwemu.scenarios.kernel_backend import KernelBackend
    from netns import NetnsError

    require_privileges()
    with ExitStack() as undo:

        @cache
        def made(loose: bool, liberal: bool) -> KernelBackend:
            try:
                backend = KernelBackend(loose=loose, liberal=liberal)
            except NetnsError as error:
                raise NamespaceError(str(error)) from error
            undo.callback(backend.close)
            return backend

        def opens(config: Config) -> Backend:
            loose = config.unknown.inside is OnUnknown.PICK_UP
            liberal = config.tcp.window is WindowCheck.LIBERAL
            return _SharedKernel(made(loose, liberal))

        yield opens


class _SharedKernel:
    """A kernel table that several stories use in turn: closing empties it and keeps it."""

    def __init__(self, backend: KernelBackend) -> None:
        self.put, self.wait, self.close = backend.put, backend.wait, backend.flush


BACKENDS: Final[dict[str, Callable[[], AbstractContextManager[BackendFactory]]]] = {
    "engine": engine,
    "queue": queue,
    "kernel": kernel,
}
"""By name, a context manager that gives the factory of its backends."""
