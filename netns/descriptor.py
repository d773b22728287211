"""A file descriptor that is closed when nobody refers to it any more."""

from __future__ import annotations

import os
import weakref


class HeldDescriptor:
    """Owns `descriptor`: for objects that should not need a `close` of their own.

    At the end of the program it stays open to the last, for whoever cleans up there needs it: the
    kernel closes it.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        weakref.finalize(self, os.close, descriptor).atexit = False
