"""`python -m fwemu` is `fwemu`."""

from fwemu.cli.main import entry_point

entry_point()
