"""What the devices do, written down by hand from their documents: one row a profile.

Nothing here is read from the profiles; a row and a profile that disagree are a mistake in one of
them.  A timer that has no row entry is not documented, and the profile does not set it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

DAY: Final = "24h"
FIVE_DAYS: Final = "120h"


@dataclass(frozen=True)
class Device:
    """What an application, or a capture beside it, sees of a device."""

    timers: dict[str, str]
    """How long each state may be quiet, by the name of its setting."""
    late_client: str = "drop"
    """What the client gets for data after the connection was forgotten: `drop`, `reset` or
    `picked up`."""
    late_server: str = "drop"
    """The same for the server, and `denied` where rules would have to allow it."""
    told: tuple[str, ...] = ()
    """Who gets a RST at the moment of expiry."""
    stale: bool = False
    """That RST has the numbers of the handshake, and nobody believes it."""
    asks: tuple[str, int] | None = None
    """Both ends are asked at expiry: the time between two questions, and their number."""
    keepalives: bool = True
    """A keepalive probe and its answer keep an idle connection."""
    payload_only: bool = False
    """Nothing but data does."""
    tcp_kept_by: str = "either"
    """Whose packets keep a connection: `either` end's, the `client`'s, or `both` are needed."""
    udp_kept_by: str = "either"
    """The same for UDP."""
    absolute: tuple[str, ...] = ()
    """The timers that no packet restarts."""
    trusts: str = "at once"
    """When a connection that was picked up is as good as others: `at once`, `answered`, `never`."""
    counts_fins: str = "by end"
    """Whether a FIN that one end repeats is `by end` the same, or `by flags` the other's."""
    outside_opens: bool = False
    """The server may open connections too."""
    pings: bool = True
    """The client may ping."""
    strict: bool = True
    """A segment with impossible numbers is dropped."""


def tcp(
    established: str,
    opening: tuple[str, str] | None = None,
    closing: tuple[str, str, str] | None = None,
    closed: tuple[str, str] | None = None,
) -> dict[str, str]:
    """Timers of TCP: open; SYN and SYN-ACK; first FIN, its ACK, both FINs; over, reset."""
    names = ["tcp_established", "tcp_syn_sent", "tcp_syn_recv", "tcp_fin_wait", "tcp_close_wait"]
    names += ["tcp_last_ack", "tcp_time_wait", "tcp_closed"]
    values = [established, *(opening or (None,) * 2), *(closing or (None,) * 3)]
    values += closed or (None,) * 2
    return {name: value for name, value in zip(names, values, strict=True) if value is not None}


def udp(unreplied: str, replied: str | None = None) -> dict[str, str]:
    """Timers of UDP: one side has spoken; both have."""
    return {"udp_unreplied": unreplied, "udp_replied": replied or unreplied}


ASA: Final = Device(
    tcp("1h", ("30s", "30s"), ("1h", "10m", "10m"), ("0s", "0s"))
    | udp("2m")
    | {"icmp": "2s", "other": "2m"},
    late_client="reset",
)
PAN_OS: Final = Device(
    tcp("1h", ("5s", "10s"), ("2m", "2m", "15s"), ("15s", "15s"))
    | udp("30s")
    | {"icmp": "6s", "other": "30s", "tcp_rst_unverified": "30s"}
    | {"tcp_discard": "90s", "udp_discard": "60s", "other_discard": "60s"},
    absolute=("tcp_fin_wait", "tcp_close_wait", "tcp_last_ack", "tcp_time_wait", "tcp_closed"),
)
FORTIGATE: Final = Device(
    tcp("1h", ("10s", "10s"), ("2m", "2m", "1s"), ("1s", "5s")) | udp("3m") | {"icmp": "60s"},
    absolute=("tcp_fin_wait", "tcp_close_wait"),
)
PF: Final = Device(
    tcp(DAY, ("2m", "30s"), ("15m", "15m", "45s"), ("90s", "90s"))
    | udp("60s")
    | {"icmp": "20s", "other": "60s"},
)
LINUX: Final = Device(
    tcp(FIVE_DAYS, ("2m", "1m"), ("2m", "1m", "30s"), ("2m", "10s"))
    | udp("30s", "2m")
    | {"icmp": "30s", "other": "10m"}
    | {"tcp_retransmitted": "5m", "tcp_unacknowledged": "5m", "tcp_rst_unverified": "10s"}
    | {"tcp_picked_up": "5m"},
    late_client="picked up",
    late_server="denied",
    absolute=("tcp_syn_sent",),
    counts_fins="by flags",
    trusts="answered",
)
IPVS: Final = Device(
    tcp("15m", ("2m", "1m"), ("2m", "1m", "30s"), ("2m", "10s")) | udp("5m"),
    late_client="reset",
    late_server="reset",
    strict=False,
)
SECURITY_GROUP: Final = Device(
    tcp(FIVE_DAYS) | udp("30s", "3m") | {"other": "10m"},
    late_client="picked up",
    late_server="denied",
)
AZURE_BALANCER: Final = Device(tcp("4m") | udp("4m"))
AZURE_FIREWALL: Final = Device(tcp("4m"), told=("client", "server"))
GATEWAY_BALANCER: Final = Device(
    tcp("350s") | udp("2m") | {"icmp": "2m", "other": "2m"},
    late_client="picked up",
    late_server="picked up",
    outside_opens=True,
)
PASSTHROUGH: Final = Device(
    tcp("10m") | udp("10m"),
    late_client="picked up",
    late_server="picked up",
    outside_opens=True,
    strict=False,
)
TRANSITORY: Final = ("4m", "4m", "4m")
RFC: Final = Device(
    tcp("124m", ("4m", "4m"), TRANSITORY, ("4m", "4m")) | udp("5m") | {"icmp": "60s"}
)


def with_timers(device: Device, timers: dict[str, str]) -> Device:
    """The same device with some other timers."""
    return replace(device, timers=device.timers | timers)


def pf_with(
    first: str, opening: str, established: str, closing: str, both: str, over: str
) -> Device:
    """pf with another `set optimization`."""
    timers = tcp(established, (first, opening), (closing, closing, both), (over, over))
    return with_timers(PF, timers)


DEVICES: Final[dict[str, Device]] = {
    "cisco-asa": ASA,
    "cisco-asa-dcd": replace(ASA, asks=("15s", 5)),
    "cisco-staros": Device(tcp("5m"), told=("client", "server"), strict=False),
    "palo-alto": PAN_OS,
    "fortigate": FORTIGATE,
    "fortigate-timeout-send-rst": replace(FORTIGATE, told=("client", "server")),
    "fortigate-offload": replace(FORTIGATE, told=("client", "server"), stale=True),
    "juniper-srx": Device(
        tcp("30m", ("20s", "20s"), ("30m", "30m", "150s"), ("150s", "2s"))
        | udp("60s")
        | {"icmp": "60s", "other": "60s"},
    ),
    "check-point": Device(
        tcp("1h", ("25s", "25s"), ("1h", "1h", "20s"), ("20s", "20s"))
        | udp("40s")
        | {"icmp": "30s", "other": "60s"},
    ),
    "sonicwall": Device(tcp("5m") | udp("30s")),
    "huawei-usg": Device(
        tcp("20m", ("5s", "5s"), ("15m", "15m", "10s"), ("10s", "10s"))
        | udp("2m")
        | {"icmp": "20s", "other": "10m"},
    ),
    "stonesoft": Device(tcp("30m") | udp("50s") | {"icmp": "5s", "other": "3m"}),
    "kaspersky-ngfw": Device(
        tcp("1h", ("5s", "5s"), ("2m", "2m", "2m"), ("5s", "0s"))
        | udp("30s")
        | {"icmp": "6s", "other": "30s", "other_discard": "60s"},
        absolute=(
            "tcp_syn_sent",
            "tcp_syn_recv",
            "tcp_fin_wait",
            "tcp_close_wait",
            "tcp_last_ack",
            "tcp_time_wait",
        ),
    ),
    "clavister": Device(
        tcp("262144s", ("60s", "60s"), ("80s", "80s", "80s"), ("80s", "80s"))
        | udp("130s")
        | {"icmp": "8s"},
        tcp_kept_by="both",
        udp_kept_by="client",
    ),
    "gta": Device(
        tcp("10m", ("30s", "30s"), ("20s", "20s", "20s"), ("20s", "20s"))
        | udp("10m")
        | {"icmp": "10m", "other": "10m"},
        asks=("5m", 1),
    ),
    "pf": PF,
    "pf-aggressive": pf_with("30s", "5s", "5h", "60s", "30s", "30s"),
    "pf-conservative": pf_with("1h", "15m", FIVE_DAYS, "1h", "10m", "3m"),
    "pf-high-latency": pf_with("3m", "35s", DAY, "905s", "50s", "95s"),
    "pfsense": PF,
    "linux-conntrack": LINUX,
    "kube-proxy": with_timers(LINUX, {"tcp_established": DAY, "tcp_close_wait": "1h"}),
    "mikrotik": with_timers(
        replace(LINUX, absolute=()),
        tcp(DAY, ("5s", "5s"), ("10s", "10s", "10s"), ("10s", "10s"))
        | udp("10s", "3m")
        | {"icmp": "10s", "other": "10m"},
    ),
    "ipvs": IPVS,
    "docker-swarm": IPVS,
    "cilium": Device(
        tcp("8000s", ("60s", "60s"), ("8000s", "8000s", "10s"), ("10s", "10s"))
        | udp("60s")
        | {"icmp": "60s"},
        late_client="picked up",
        late_server="denied",
        absolute=("tcp_last_ack", "tcp_time_wait", "tcp_closed"),
        strict=False,
    ),
    "ovs-userspace": Device(
        tcp(DAY, ("30s", "30s"), ("15m", "15m", "45s"), ("30s", "30s"))
        | udp("60s", "30s")
        | {"icmp": "60s", "other": "60s", "tcp_picked_up": "30s"},
        late_client="picked up",
        late_server="denied",
        trusts="answered",
    ),
    "vpp-acl": Device(
        tcp(DAY, ("2m", "2m"), ("2m", "2m", "2m"), ("2m", "2m"))
        | udp("10m")
        | {"icmp": "10m", "other": "10m", "tcp_picked_up": "2m"},
        late_client="picked up",
        late_server="denied",
        trusts="never",
        strict=False,
    ),
    "vpp-nat44": RFC,
    "rfc5382": RFC,
    "gvisor": Device(
        tcp(FIVE_DAYS, ("2m", "2m"), ("2m", "2m", "2m"), ("2m", "2m"))
        | udp("2m")
        | {"icmp": "2m", "other": "2m"},
    ),
    "nsx-dfw": Device(
        tcp("12h", ("2m", "30s"), ("2m", "2m", "45s"), ("20s", "20s"))
        | udp("60s")
        | {"icmp": "20s"},
        late_client="picked up",
        late_server="denied",
    ),
    "nsx-gateway": Device(
        tcp("2h", ("2m", "30s"), ("15m", "15m", "4s"), ("2s", "2s")) | udp("30s") | {"icmp": "6s"},
    ),
    "nsx-edge": Device(
        tcp("1h", ("30s", "30s"), ("30s", "30s", "30s"), ("30s", "30s"))
        | udp("60s")
        | {"icmp": "10s"},
    ),
    "aws-nat-gateway": Device(
        tcp("350s", ("350s", "350s"), ("350s", "350s", "350s")) | udp("350s") | {"icmp": "350s"},
        late_client="reset",
    ),
    "aws-nlb": Device(
        tcp("350s") | udp("2m"), late_client="reset", late_server="reset", pings=False
    ),
    "aws-gwlb": GATEWAY_BALANCER,
    "aws-gwlb-reset": replace(
        GATEWAY_BALANCER, told=("client",), late_client="reset", late_server="reset"
    ),
    "aws-alb": Device(
        tcp("60s"),
        told=("client", "server"),
        late_client="reset",
        late_server="reset",
        keepalives=False,
        payload_only=True,
    ),
    "aws-security-group": SECURITY_GROUP,
    "aws-security-group-nitro": with_timers(SECURITY_GROUP, {"tcp_established": "350s"}),
    "aws-network-firewall": Device(tcp("350s")),
    "azure-load-balancer": AZURE_BALANCER,
    "azure-load-balancer-reset": replace(AZURE_BALANCER, told=("client", "server")),
    "azure-nat-gateway": Device(
        tcp("4m", ("30s", "30s")) | udp("4m"),
        late_client="reset",
        late_server="reset",
        udp_kept_by="both",
        pings=False,
    ),
    "azure-firewall": AZURE_FIREWALL,
    "azure-firewall-east-west": with_timers(replace(AZURE_FIREWALL, told=()), tcp("5m")),
    "gcp-vpc-firewall": Device(
        tcp("10m", ("10m", "10m"), ("10m", "10m", "10m"), ("10m", "10m"))
        | udp("10m")
        | {"icmp": "10m", "other": "10m"},
        late_client="picked up",
        late_server="denied",
    ),
    "gcp-cloud-nat": Device(
        tcp("20m", ("30s", "30s"), ("30s", "30s", "30s"), ("2m", "30s"))
        | udp("30s")
        | {"icmp": "30s"},
        late_client="reset",
    ),
    "gcp-nlb-internal": PASSTHROUGH,
    "gcp-nlb-external": with_timers(PASSTHROUGH, tcp("60s") | udp("60s")),
}
"""Every shipped profile but `router-acl`, which remembers nothing."""
