"""The command line: one module a command, each a thin face of `fwemu.lab` or `daemon.client`.

Answers go to stdout, comments to stderr; `--json` gives one object a line.
"""
