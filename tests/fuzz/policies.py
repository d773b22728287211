"""The policies under which cases run, by name: each opens other doors of the core."""

from __future__ import annotations

from typing import Final

from fwemu.core.choices import Refresh, UnderPressure
from fwemu.core.policy import Policy, PressurePolicy, RefreshPolicy
from tests.kit.play import policy, rule

POLICIES: Final[dict[str, Policy]] = {
    "default": policy(capacity=8),
    "pick-up": policy(inside="pick-up", outside="pick-up", default_outside="allow", capacity=8),
    "untrusted": policy(
        inside="pick-up",
        outside="pick-up",
        trust="answered",
        short={"picked_up": "20s"},
        window="liberal",
        capacity=8,
    ),
    "small": policy(capacity=2, inside="reset", outside="reset", default_outside="allow"),
    "nothing": policy(capacity=0, inside="pick-up"),
    "full": policy(capacity=3, when_full="reject-new", inside="reject", default_outside="reject"),
    "unassured": policy(capacity=3, when_full="evict-unassured", default_outside="allow"),
    "random": policy(capacity=3, when_full="evict-random", window="off", default_outside="allow"),
    "pressure": policy(
        capacity=4,
        inside="pick-up",
        default_outside="allow",
        pressure=PressurePolicy(policy=UnderPressure.SCALE, start=25, stop=100),
    ),
    "accelerated": policy(
        capacity=4,
        default_outside="allow",
        at_expiry="reset-both",
        pressure=PressurePolicy(policy=UnderPressure.ACCELERATE, start=50, factor=10),
    ),
    "aged": policy(
        capacity=4,
        longest="2h",
        pressure=PressurePolicy(policy=UnderPressure.EARLY_AGEOUT, start=75, stop=50),
    ),
    "probe": policy(capacity=6, at_expiry="probe", inside="pick-up", default_outside="allow"),
    "stale": policy(capacity=6, at_expiry="reset-both", sequence="stale", inside="pick-up"),
    "one-sided": policy(
        capacity=6,
        refresh=RefreshPolicy(tcp=Refresh.EACH, udp=Refresh.ORIGINAL, payload_only=True),
        short={"retransmitted": "10s", "unacknowledged": "30s", "rst_unverified": "5s"},
    ),
    "by-flags": policy(capacity=6, closing="by-flags", inside="pick-up", default_outside="allow"),
    "forgets": policy(capacity=6, tcp_closed="0s", tcp_time_wait="0s", default_outside="allow"),
    "denial": policy(
        capacity=4,
        rules=[rule("deny", ports=((2, 80),)), rule("reject", protocols=[47]), rule("allow")],
        tcp_discard="30s",
        udp_discard="30s",
        other_discard="5s",
    ),
    "acl": policy(
        mode="acl",
        rules=[
            rule("allow", established=True),
            rule("reject", protocols=[1, 58]),
            rule("deny", ports=((53, 53),)),
            rule("allow", protocols=[6, 17]),
        ],
        default_inside="deny",
    ),
    "fragments": policy(
        capacity=6,
        inside="pick-up",
        default_outside="allow",
        fragments={"datagrams": 2, "held": 3, "per_datagram": 4},
    ),
}
