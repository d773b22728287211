"""A policy in force: what is worked out from it once, and the table that it governs.

Everything that works by a policy is made with a active and keeps it.  Another policy means another
active and everything made anew (`firewall.py` does that); only the table lives on.
"""

from __future__ import annotations

from typing import Final

from fwemu.core.policy import Policy
from fwemu.core.pressure import Pressure
from fwemu.core.table import SessionTable
from fwemu.core.timers import Timers


class ActivePolicy:
    """What those who open, pass and end sessions share."""

    def __init__(self, policy: Policy, table: SessionTable) -> None:
        self.policy: Final = policy
        self.table: Final = table
        self.timers: Final = Timers(policy)
        self.pressure: Final = Pressure(policy.pressure, policy.capacity)
