"""The kinds of stages by name, each made when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from fwemu.scenarios.play import OpensStage


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


STAGES: Final[dict[str, Callable[[], AbstractContextManager[OpensStage]]]] = {
    "engine": engine,
    "queue": queue,
}
"""What opens stages of each kind, for as long as its `with` block lasts."""
