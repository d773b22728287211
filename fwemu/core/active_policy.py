"""A policy in force, with the timers and the pressure worked out from it and the table it governs.

Everything that works by a policy is made with an `ActivePolicy` and keeps it.  Another policy means
another `ActivePolicy`, and all of that made anew (`firewall.py` does it); only the table lives on.
"""

from __future__ import annotations

from typing import Final

from fwemu.core.policy import Policy
from fwemu.core.pressure import Pressure
from fwemu.core.table import SessionTable
from fwemu.core.timers import Timers


class ActivePolicy:
    """The policy, the table, the timers and the pressure that the other parts of the core share."""

    def __init__(self, policy: Policy, table: SessionTable) -> None:
        self.policy: Final = policy
        self.table: Final = table
        self.timers: Final = Timers(policy)
        self.pressure: Final = Pressure(policy.pressure, policy.capacity)
