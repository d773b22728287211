"""Every figure that the README quotes, measured in one run: `make bench`, or `python -m bench`.

Where packets are involved, each figure is a ratio to plain kernel forwarding on the same hosts and
links, measured right before and right after (`visits.py`): machines have slow phases, and a figure
from one minute must not be divided by one from another.  No module of fwemu imports this.
"""
