"""The environment variables of programs in a lab."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from fwemu.daemon.rundir import About
from fwemu.lab.plan import LabPlan


def environment(plan: LabPlan, about: About | None) -> dict[str, str]:
    """Environment variables: the name of the lab, the addresses of its hosts, its control API.

    A host's own name comes as FWEMU_HOST.  `about` is the firewall that clients send through, if
    it has announced itself.
    """
    variables = {"FWEMU_LAB": plan.name}
    for host in plan.hosts:
        variables[f"FWEMU_{host.name.upper()}_IP"] = host.ipv4
        variables[f"FWEMU_{host.name.upper()}_IPV6"] = host.ipv6
    if about is not None:
        variables["FWEMU_CONTROL"] = about.control
        if about.api is not None:
            variables["FWEMU_API"] = about.api
    return variables


def filled_in(words: Sequence[str], variables: Mapping[str, str]) -> list[str]:
    """The words with these variables ($NAME or ${NAME}) in them; nothing else is expanded.

    There is no shell, but an address must get into a command line somehow.
    """

    def value(match: re.Match[str]) -> str:
        return variables.get(match[1] or match[2], match[0])

    return [re.sub(r"\$(?:(\w+)|\{(\w+)\})", value, word) for word in words]
