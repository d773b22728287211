"""Labs for the tests of this folder; see `kit.py`."""

from tests.kit.fixtures import base, lab, module_lab, new_lab

__all__ = ["base", "lab", "module_lab", "new_lab"]
