"""Fixtures of the tests on the real kernel, for those of this folder that are on it."""

from tests.lab.fixtures import base, lab, module_lab, needs_root, new_lab

__all__ = ["base", "lab", "module_lab", "needs_root", "new_lab"]
