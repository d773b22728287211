"""Pages and the example configuration that are made from the code; not shipped.

`python -m reference` writes what is stale in this checkout; `--check` names it and ends with 1.
"""
