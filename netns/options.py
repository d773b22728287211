"""Socket options of Linux that Python's `socket` has no names for."""

from typing import Final

SO_COOKIE: Final = 57
"""Of SOL_SOCKET: a number that no other socket has, since the machine started (8 octets)."""

TCP_REPAIR: Final = 19
"""Of IPPROTO_TCP (include/uapi/linux/tcp.h): freeze a connection, or let it go on."""

TCP_RTO_MAX_MS: Final = 44
"""Of IPPROTO_TCP, since Linux 6.15: the longest time between two repetitions."""

TCP_RTO_MIN_US: Final = 45
"""Of IPPROTO_TCP, as new: the shortest one."""
