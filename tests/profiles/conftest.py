"""Fixtures of the tests on the real kernel, for those of this folder that are on it."""

from tests.kit.fixtures import base, lab, module_lab, new_lab

__all__ = ["base", "lab", "module_lab", "new_lab"]
