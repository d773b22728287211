"""A lab that is not up yet, or could not come up: one sentence, whatever is asked of it."""

from collections.abc import Callable

import pytest

from fwemu.errors import NamespaceError
from fwemu.lab import Lab

USES: dict[str, Callable[[Lab], object]] = {
    "name": lambda lab: lab.name,
    "client": lambda lab: lab.client,
    "server": lambda lab: lab.server,
    "firewall": lambda lab: lab.firewall,
    "firewall_host": lambda lab: lab.firewall_host,
    "about": lambda lab: lab.about,
    "sessions": lambda lab: lab.sessions,
    "fast_forward": lambda lab: lab.fast_forward("1h"),
    "evict": lambda lab: lab.evict(),
    "flush": lambda lab: lab.flush(),
    "unplug": lambda lab: lab.unplug("server"),
    "story": lambda lab: lab.story(),
    "assert_traversed": lambda lab: lab.assert_traversed(),
    "time_scale_report": lambda lab: lab.time_scale_report,
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_it_says_how_to_bring_it_up(use: Callable[[Lab], object]) -> None:
    """`lab = Lab()` without `with` is the first thing that people try."""
    with pytest.raises(NamespaceError, match=r"not up: use it in a `with` block.*or call up\(\)"):
        use(Lab())
