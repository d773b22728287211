"""Tests on the real kernel need root."""

from tests.lab.fixtures import needs_root

__all__ = ["needs_root"]
