"""Tests of this folder run pytest in pytest; see `kit.py` for the rest."""

from tests.lab.fixtures import needs_root

__all__ = ["needs_root"]
