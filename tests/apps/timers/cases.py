"""What becomes of a quiet connection in 65 minutes behind a firewall that forgets after 60.

One row for each application, with what must come out of it, whoever lets the time pass: played in a
moment, or in real time with shorter timers.  Sources: the documentation of each application, whose
defaults are named in `programs.py` beside the place where they are used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from typing import Final

from tests.apps.timers import programs
from tests.apps.timers.programs import ANSWERED, MINUTE, Begin


class Fate(Enum):
    """What became of the connection."""

    LIVES = "lives"
    DIES = "dies"
    """Its user is told so, or waits for ever."""
    REPLACED = "replaced"
    """It is gone, and its user has an answer over another one."""


FIREWALL: Final = "firewall"
CLIENT: Final = "client"
SERVER: Final = "server"


@dataclass(frozen=True)
class Case:
    """An application, and what must become of its connection."""

    name: str
    begin: Begin
    fate: Fate
    ended_by: str = ""
    """Who ended it; nobody if it lives."""
    says: str = ANSWERED
    """What its user is told then, as a regular expression."""
    trust: str = "sure"
    """How far the answer of a fast-forward that plays no timer of a program can be trusted."""
    has_timers: bool = True
    """Does one of the programs have a timer that could wake it in these 65 minutes?"""
    host_settings: Mapping[str, int] = field(default_factory=dict)
    """Settings of the hosts' kernels."""


_RESET: Final = "[Rr]eset|[Bb]roken pipe"
"""Behind cisco-asa whoever speaks first from the inside is told by a RST."""

CASES: Final = (
    # websockets: ping_interval=20 s, and None
    Case("websockets-ping", partial(programs.websockets, ping=20), Fate.LIVES,
         trust="not-to-be-trusted"),
    Case("websockets", partial(programs.websockets, ping=None), Fate.DIES, FIREWALL,
         says="ConnectionClosed", has_timers=False),
    # OpenSSH: ssh_config(5); the kernel asks after two hours, unless it is told otherwise
    Case("ssh-alive", programs.ssh_alive, Fate.LIVES, trust="not-to-be-trusted"),
    Case("ssh-tcp-keepalive", lambda stage: programs.ssh(stage, "TCPKeepAlive=yes"),
         Fate.DIES, FIREWALL, says=_RESET, has_timers=False),
    Case("ssh-tcp-keepalive-30min", lambda stage: programs.ssh(stage, "TCPKeepAlive=yes"),
         Fate.LIVES, has_timers=False, host_settings={"net.ipv4.tcp_keepalive_time": 1800}),
    Case("ssh", lambda stage: programs.ssh(stage, "TCPKeepAlive=no"), Fate.DIES, FIREWALL,
         says=_RESET, has_timers=False),
    # gRPC: keepalive.md; GRPC_ARG_CLIENT_IDLE_TIMEOUT_MS is 30 minutes; a server that has not
    # allowed pings without a call ends a connection at the third (too_many_pings)
    Case("grpc-keepalive", partial(programs.grpc, keepalive=200, has_stream=True), Fate.LIVES,
         trust="possible"),
    Case("grpc", partial(programs.grpc, keepalive=None, has_stream=True), Fate.DIES, FIREWALL,
         says="UNAVAILABLE", trust="possible"),
    Case("grpc-idle-channel", partial(programs.grpc, keepalive=200, has_stream=False),
         Fate.REPLACED, CLIENT, trust="possible"),
    Case("grpc-too-many-pings", partial(programs.grpc, keepalive=200, has_stream=False,
         is_allowed=False), Fate.REPLACED, SERVER, trust="possible"),
    # HTTP: server.keepAliveTimeout 5 s; keepalive_timeout 75 s; IdleConnTimeout 90 s
    Case("node", programs.node, Fate.REPLACED, SERVER, trust="not-to-be-trusted"),
    Case("nginx", programs.nginx, Fate.DIES, SERVER, says="RemoteDisconnected",
         trust="not-to-be-trusted"),
    Case("go-ticker", programs.go_ticker, Fate.LIVES, trust="not-to-be-trusted"),
    Case("go-http", programs.go_http, Fate.REPLACED, CLIENT, trust="not-to-be-trusted"),
    # RabbitMQ: heartbeats every half of what was agreed on
    Case("rabbitmq-heartbeat", partial(programs.rabbitmq, heartbeat=60), Fate.LIVES,
         trust="not-to-be-trusted"),
    Case("rabbitmq", partial(programs.rabbitmq, heartbeat=0), Fate.DIES, FIREWALL,
         says="StreamLost|ConnectionReset", trust="not-to-be-trusted"),
    # OpenLDAP: slapd.conf(5), idletimeout 0
    Case("slapd", programs.slapd, Fate.DIES, FIREWALL, says="LDAP.*Error", has_timers=False),
    Case("slapd-idle", partial(programs.slapd, idle_timeout=10 * MINUTE), Fate.DIES, SERVER,
         says="LDAP.*Error", trust="not-to-be-trusted"),
    # smbclient asks every 5 s at its prompt, a constant (source3/client/client.c)
    Case("smbclient", programs.samba, Fate.LIVES, trust="not-to-be-trusted"),
    Case("memcached", programs.memcached, Fate.DIES, FIREWALL, says="Connection|Memcache",
         trust="possible"),
    Case("redis-health-check", programs.redis_health, Fate.REPLACED, FIREWALL,
         trust="not-to-be-trusted"),
    # MariaDB: wait_timeout, 28,800 s by default; MASTER_HEARTBEAT_PERIOD, half of slave_net_timeout
    # (60 s) by default, after which a replica that has heard nothing connects anew
    Case("mariadb-wait-timeout", partial(programs.mariadb, wait_timeout=1800), Fate.DIES, SERVER,
         says="OperationalError: \\(20(06|13)", trust="not-to-be-trusted"),
    Case("mariadb", partial(programs.mariadb, wait_timeout=28_800), Fate.DIES, FIREWALL,
         says="OperationalError: \\(20(06|13)", trust="possible"),
    Case("mariadb-replication", partial(programs.Replication, heartbeat=30, net_timeout=60),
         Fate.LIVES, trust="not-to-be-trusted"),
    Case("mariadb-replication-silent", partial(programs.Replication, heartbeat=0, net_timeout=60),
         Fate.REPLACED, CLIENT, trust="not-to-be-trusted"),
    # Pools: HikariCP's maxLifetime (30 minutes) and idleTimeout (10 minutes)
    Case("hikari-max-lifetime", partial(programs.hikari, minimum=1), Fate.REPLACED, CLIENT,
         trust="possible"),
    Case("hikari-idle", partial(programs.hikari, minimum=0), Fate.REPLACED, CLIENT,
         trust="possible"),
    Case("psycopg-pool", programs.psycopg_pool, Fate.DIES, FIREWALL, says="OperationalError",
         trust="possible"),
    Case("sqlalchemy-recycle", programs.sqlalchemy, Fate.REPLACED, FIREWALL, trust="possible"),
)  # fmt: skip
