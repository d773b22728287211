"""The kinds of stages by name, each made when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cache
from typing import TYPE_CHECKING, Final

from fwemu.config import Config
from fwemu.scenarios.play import OpensStage
from fwemu.scenarios.stage import Stage

if TYPE_CHECKING:
    from fwemu.scenarios.kernel import KernelStage


@contextmanager
def engine() -> Iterator[OpensStage]:
    """The core alone, in virtual time."""
    from fwemu.scenarios.stage import EngineStage

    yield EngineStage


@contextmanager
def queue() -> Iterator[OpensStage]:
    """A real queue between real namespaces; needs root, and leaves nothing behind."""
    from fwemu.scenarios.queue_stage import Theatre

    with Theatre() as theatre:
        yield theatre.stage


@contextmanager
def kernel() -> Iterator[OpensStage]:
    """The kernel's own connection tracking; needs root, and leaves nothing behind.

    Of a configuration it follows `unknown.inside` (tcp_loose) and `tcp.window` (tcp_be_liberal).
    """
    from fwemu.core.choices import OnUnknown
    from fwemu.core.tcp_window import WindowCheck
    from fwemu.daemon.needs import require_privileges
    from fwemu.errors import NamespaceError
    from fwemu.scenarios.kernel import KernelStage
    from netns import NetnsError

    require_privileges()
    with ExitStack() as undo:

        @cache
        def made(loose: bool, liberal: bool) -> KernelStage:
            try:
                stage = KernelStage(loose=loose, liberal=liberal)
            except NetnsError as error:
                raise NamespaceError(str(error)) from error
            undo.callback(stage.close)
            return stage

        def opens(config: Config) -> Stage:
            loose = config.unknown.inside is OnUnknown.PICK_UP
            liberal = config.tcp.window is WindowCheck.LIBERAL
            return _Lent(made(loose, liberal))

        yield opens


class _Lent:
    """A kernel's table that others use after us: at the end it is empty, and stays."""

    def __init__(self, stage: KernelStage) -> None:
        self.put, self.wait, self.close = stage.put, stage.wait, stage.flush


STAGES: Final[dict[str, Callable[[], AbstractContextManager[OpensStage]]]] = {
    "engine": engine,
    "queue": queue,
    "kernel": kernel,
}
"""What opens stages of each kind, for as long as its `with` block lasts."""
