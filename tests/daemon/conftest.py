"""Labs for the tests of this folder; see `tests/lab/kit.py`."""

from tests.lab.fixtures import base, lab, module_lab, needs_root, new_lab

__all__ = ["base", "lab", "module_lab", "needs_root", "new_lab"]
