"""How each server and client is started in a lab, and how one asks whether they still talk.

A `Stage` is a lab with room for files.  Each function here starts a server on the lab's server and
a client of it on the lab's client, at a port of their own, and gives a `Talker` back: its `ask`
uses the client's connection as its user would, and says what the user sees.  Durations are those of
the application's documentation; `Stage.seconds` makes them as much shorter as time runs faster.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Final, Protocol, TypeVar

import pytest

from fwemu.lab import Host, Lab
from netns import Process
from tests.apps.postgresql import postgresql
from tests.apps.timers.python_programs import ANSWERED
from tests.kit.labs import eventually

HERE: Final = Path(__file__).parent
JARS: Final = "/usr/share/java"
MINUTE: Final = 60.0

REQUIRED: Final = "FWEMU_APPS"
"""With this in the environment (`make apps`) a program that is missing is a failure."""


Made = TypeVar("Made")


def once(make: Callable[..., Made]) -> Callable[..., Made]:
    """Made by whoever wants it first; the others wait, and share it."""
    lock, kept = Lock(), cache(make)

    def made(*arguments: str) -> Made:
        with lock:
            return kept(*arguments)

    return made


class Talker(Protocol):
    """A client with a connection."""

    def ask(self) -> str:
        """Use the connection: `answered`, or what its user is told instead."""
        ...


@dataclass
class Stage:
    """A lab, a directory that goes with it, and what has to be ended before."""

    lab: Lab
    directory: Path
    undo: ExitStack
    scale: int = 1
    port: int = 4000
    """That of the server."""

    @property
    def address(self) -> str:
        """The server's, as a client wants it."""
        return self.lab.server.ip

    def seconds(self, seconds: float) -> str:
        """So many seconds of the firewall, in seconds of the program's own clock."""
        return f"{seconds / self.scale:g}"

    def milliseconds(self, seconds: float) -> str:
        """The same in milliseconds."""
        return str(round(seconds * 1000 / self.scale))

    def file(self, name: str, text: str) -> Path:
        """A file with this in it."""
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def serve(self, *words: str | Path) -> Process:
        """A server; returns when it listens."""
        return self.lab.server.start([tool(words[0]), *map(str, words[1:])], port=self.port)

    def talk(self, *words: str | Path, **how: str) -> Conversation:
        """A client; returns when it has used its connection."""
        return Conversation.begin(self.lab.client, [tool(words[0]), *map(str, words[1:])], **how)

    def python(self, program: str, host: str, **options: str) -> list[str]:
        """The words that start one of `python_programs.py`."""
        named = [f"{name}={value}" for name, value in options.items()]
        return [
            sys.executable, str(HERE / "python_programs.py"), program, host, str(self.port), *named
        ]  # fmt: skip


@dataclass
class Conversation:
    """A client that is asked by a line of input, and answers with a line of output."""

    process: Process
    question: str
    answer: re.Pattern[str]
    """A line of its output that is an answer; others are passed over."""
    good: str
    """That answer, if all is well."""
    _heard: int = field(default=0)

    @classmethod
    def begin(
        cls,
        host: Host,
        words: Sequence[str],
        *,
        question: str = "",
        answer: str = ".+",
        good: str = ANSWERED,
        ready: str = "ready",
    ) -> Conversation:
        """Start it.  With `ready` it says that by itself, otherwise it is asked at once."""
        process = host.start(words, stdin=subprocess.PIPE)
        talker = cls(process, question, re.compile(answer), good)
        first = talker._next() if ready else talker.ask()
        if first != (ready or ANSWERED):
            raise AssertionError(f"{process} could not begin: {first}")
        return talker

    def ask(self) -> str:
        stdin = self.process.stdin
        assert stdin is not None
        try:
            stdin.write(f"{self.question}\n".encode())
            stdin.flush()
        except BrokenPipeError:
            pass  # it has ended: then its last words are what its user sees
        said = self._next()
        return ANSWERED if said == self.good else said

    def _next(self) -> str:
        """Its next answer, or its last words."""

        def look() -> str | None:
            has_ended = not self.process.is_running
            lines = self.process.output().splitlines()
            for number in range(self._heard, len(lines)):
                self._heard = number + 1
                if found := self.answer.search(lines[number]):
                    return found[0]
            if has_ended:
                return " ".join((self.process.errors() or "ended").split())
            return None

        return str(eventually(look, what=f"an answer of {self.process}"))


def tool(word: str | Path) -> str:
    """A program by its path; without it the test is skipped, or fails where all must be there."""
    found = shutil.which(word, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/lib/rabbitmq/bin")
    if found is None:
        missing = f"{word} is not installed (make apps does that)"
        if REQUIRED in os.environ:
            pytest.fail(missing)
        pytest.skip(missing)
    return found


def needed_file(path: str) -> str:
    """The same for a file."""
    if not os.path.exists(path):
        tool(path)
    return path


# -- Python with Python ---------------------------------------------------------------------------


def websockets(stage: Stage, ping: float | None) -> Talker:
    """websockets at both ends; `ping` is ping_interval, 20 s unless somebody says otherwise."""
    seconds = "none" if ping is None else stage.seconds(ping)
    stage.serve(*stage.python("websockets_server", "0.0.0.0", ping=seconds))
    return stage.talk(*stage.python("websockets_client", stage.address, ping=seconds))


def grpc(
    stage: Stage, *, keepalive: float | None, has_stream: bool, is_allowed: bool = True
) -> Talker:
    """gRPC in Python; a channel without a call is closed after 30 minutes by default.

    `is_allowed`: may clients ask, every 10 s, where there is no call?  By default a server tells
    those to go away that do so more than twice in two hours.
    """
    allows = {"at_least": stage.seconds(10), "without_calls": str(int(is_allowed))}
    stage.serve(*stage.python("grpc_server", "0.0.0.0", **allows))
    client = stage.python(
        "grpc_client", stage.address,
        keepalive="none" if keepalive is None else stage.seconds(keepalive),
        idle=stage.seconds(30 * MINUTE), stream="yes" if has_stream else "no",
    )  # fmt: skip
    return stage.talk(*client)


# -- OpenSSH --------------------------------------------------------------------------------------


def ssh(stage: Stage, *options: str) -> Talker:
    """A session over which `cat` says back what it hears; sshd asks nothing."""
    for name in ("host", "user"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", stage.directory / name],
            check=True, timeout=60,
        )  # fmt: skip
    server = {
        "Port": stage.port,
        "HostKey": stage.directory / "host",
        "AuthorizedKeysFile": stage.directory / "user.pub",
        "PidFile": "none", "StrictModes": "no", "UsePAM": "no", "TCPKeepAlive": "no",
        "PermitRootLogin": "prohibit-password",
    }  # fmt: skip
    sshd = [tool("sshd"), "-D", "-e", "-f", "/dev/null"]
    sshd += [word for name, value in server.items() for word in ("-o", f"{name}={value}")]
    # It wants a directory in /run: that of nobody else.
    place = 'mount -t tmpfs tmpfs /run && mkdir -m 755 /run/sshd && exec "$@"'
    stage.serve("unshare", "--mount", "sh", "-c", place, "sh", *sshd)
    client = {
        "IdentityFile": stage.directory / "user",
        "UserKnownHostsFile": "/dev/null", "StrictHostKeyChecking": "no", "LogLevel": "ERROR",
        "Port": stage.port,
    }  # fmt: skip
    words = ["ssh", "-T", "-F", "none"]
    for option in (*(f"{name}={value}" for name, value in client.items()), *options):
        words += ["-o", option]
    return stage.talk(
        *words, f"root@{stage.address}", "cat", question="there?", good="there?", ready=""
    )


def ssh_alive(stage: Stage) -> Talker:
    """ServerAliveInterval 600; nothing else asks."""
    interval = stage.seconds(10 * MINUTE)
    return ssh(stage, f"ServerAliveInterval={interval}", "TCPKeepAlive=no")


# -- HTTP -----------------------------------------------------------------------------------------


def node(stage: Stage) -> Talker:
    """A server with the default keepAliveTimeout of 5 s, and an agent that keeps its socket."""
    agent = HERE / "agent.js"
    stage.serve("node", agent, "server", "0.0.0.0", str(stage.port), stage.milliseconds(5))
    return stage.talk("node", agent, "client", stage.address, str(stage.port))


def nginx(stage: Stage) -> Talker:
    """keepalive_timeout of 75 s, as it is by default, and a client that keeps its connection."""
    directory = stage.directory
    temporary = "".join(
        f"{each}_temp_path {directory}/{each};"
        for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    configuration = stage.file(
        "nginx.conf",
        f"daemon off; master_process off; pid {directory}/pid; error_log stderr; "
        f"events {{}} http {{ access_log off; {temporary} "
        f"keepalive_timeout {stage.milliseconds(75)}ms; "
        f"server {{ listen {stage.port}; location / {{ return 200 here; }} }} }}",
    )
    stage.serve("nginx", "-c", configuration)
    return stage.talk(*stage.python("http_client", stage.address))


@once
def _ticker() -> str:
    """The static program of ticker.go, built once for all tests of this process."""
    directory = Path(_temporary().name)
    subprocess.run(
        [tool("go"), "build", "-o", directory / "ticker", HERE / "ticker.go"],
        env={**os.environ, "CGO_ENABLED": "0", "GO111MODULE": "off", "GOTOOLCHAIN": "local"},
        check=True, timeout=300,
    )  # fmt: skip
    return str(directory / "ticker")


def go_ticker(stage: Stage) -> Talker:
    """A ticker of 20 s that says something each time."""
    stage.serve(_ticker(), "tcp-server", f"0.0.0.0:{stage.port}")
    where = f"{stage.address}:{stage.port}"
    return stage.talk(_ticker(), "tcp-client", where, f"{stage.seconds(20)}s")


def go_http(stage: Stage) -> Talker:
    """net/http, whose client keeps an idle connection for 90 s by default."""
    stage.serve(_ticker(), "http-server", f"0.0.0.0:{stage.port}")
    where = f"{stage.address}:{stage.port}"
    return stage.talk(_ticker(), "http-client", where, f"{stage.seconds(90)}s")


# -- messages and directories ---------------------------------------------------------------------


def rabbitmq(stage: Stage, heartbeat: float) -> Talker:
    """RabbitMQ and a consumer with pika; `heartbeat` is what both have agreed on, 0 for none."""
    directory, node_port = stage.directory, stage.port + 20_000
    configuration = stage.file(
        "rabbitmq.conf",
        f"listeners.tcp.default = {stage.port}\nloopback_users = none\nheartbeat = 60\n"
        "disk_free_limit.absolute = 1MB\n",
    )
    environment = {
        **os.environ,
        "HOME": str(directory),
        "RABBITMQ_NODENAME": f"test{stage.port}@localhost",
        "RABBITMQ_DIST_PORT": str(node_port),
        "RABBITMQ_CONFIG_FILE": str(configuration.with_suffix("")),
        "RABBITMQ_MNESIA_BASE": str(directory / "mnesia"),
        "RABBITMQ_LOG_BASE": str(directory / "log"),
        "RABBITMQ_PID_FILE": str(directory / "pid"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(stage.file("plugins", "[].\n")),
        "RABBITMQ_GENERATED_CONFIG_DIR": str(directory / "generated"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none",
    }
    stage.lab.server.start(
        [tool("/usr/lib/rabbitmq/bin/rabbitmq-server")], port=stage.port, env=environment,
        timeout=120,
    )  # fmt: skip
    seconds = stage.seconds(heartbeat)
    return stage.talk(*stage.python("pika_client", stage.address, heartbeat=seconds))


def slapd(stage: Stage, idle_timeout: float = 0) -> Talker:
    """slapd without a database, which a client asks for its root entry; no `idletimeout`."""
    configuration = stage.file(
        "slapd.conf",
        f"pidfile {stage.directory}/pid\nargsfile {stage.directory}/args\n"
        f"idletimeout {stage.seconds(idle_timeout)}\n",
    )
    stage.serve("slapd", "-h", f"ldap://0.0.0.0:{stage.port}", "-f", configuration, "-d", "0")
    return stage.talk(*stage.python("ldap3_client", stage.address))


def samba(stage: Stage) -> Talker:
    """smbclient at its prompt, in a share that anybody may use."""
    directory = stage.directory
    (directory / "share").mkdir()
    places = "".join(
        f"{name} = {directory}\n"
        for name in (
            "private dir", "lock directory", "state directory", "cache directory", "pid directory",
            "ncalrpc dir",
        )
    )  # fmt: skip
    configuration = stage.file(
        "smb.conf",
        f"[global]\n{places}map to guest = bad user\nguest account = root\n"
        f"log file = {directory}/log\nload printers = no\ndisable spoolss = yes\n"
        f"[share]\npath = {directory}/share\nguest ok = yes\n",
    )
    stage.serve(
        "smbd", "--foreground", "--no-process-group", "-s", configuration, "-p", str(stage.port)
    )
    tool("smbclient")
    return stage.talk(
        "stdbuf", "--output=L", "smbclient", "-s", configuration, "-N", "-p", str(stage.port),
        f"//{stage.address}/share", question="du", answer="Total number of bytes|NT_STATUS_[A-Z_]+",
        good="Total number of bytes", ready="",
    )  # fmt: skip


def memcached(stage: Stage) -> Talker:
    """memcached and pymemcache."""
    stage.serve("memcached", "-u", "root", "-l", "0.0.0.0", "-p", str(stage.port), "-m", "16")
    return stage.talk(*stage.python("memcached_client", stage.address))


def redis_health(stage: Stage) -> Talker:
    """redis-py with `health_check_interval`; neither end has a keepalive."""
    stage.serve(
        "redis-server", "--port", str(stage.port), "--save", "", "--protected-mode", "no",
        "--dir", stage.directory, "--tcp-keepalive", "0",
    )  # fmt: skip
    return stage.talk(*stage.python("redis_client", stage.address, health=stage.seconds(30)))


# -- databases ------------------------------------------------------------------------------------


def mariadb(stage: Stage, wait_timeout: float) -> Talker:
    """MariaDB and an idle connection of PyMySQL."""
    MariaDB(stage, stage.lab.server, "server", f"--wait-timeout={stage.seconds(wait_timeout)}")
    return stage.talk(*stage.python("pymysql_client", stage.address))


class MariaDB:
    """A running server with a table of facts; `test` may come from everywhere."""

    def __init__(self, stage: Stage, host: Host, name: str, *options: str) -> None:
        directory = stage.directory / name
        shutil.copytree(_empty_mariadb(), directory)
        self._socket = directory / "socket"
        self.process = host.start(
            [
                tool("mariadbd"), "--no-defaults", "--user=root", f"--datadir={directory}",
                f"--socket={self._socket}", f"--port={stage.port}", "--bind-address=0.0.0.0",
                f"--pid-file={directory}/pid", *_SMALL, *options,
            ],
            port=stage.port,
        )  # fmt: skip
        self.run(
            "set sql_log_bin = 0; create user test@'%'; grant all on *.* to test@'%'; "
            "create database test; create table test.facts (number int primary key)"
        )

    def run(self, sql: str) -> str:
        """Do this, beside the firewall; what came out of it."""
        done = subprocess.run(
            [
                tool("mariadb"), "--no-defaults", f"--socket={self._socket}", "--user=root",
                "--batch",
            ],
            input=sql, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout


_SMALL: Final = (
    "--innodb-log-file-size=4M", "--innodb-buffer-pool-size=8M",
    "--innodb-flush-log-at-trx-commit=0", "--aria-pagecache-buffer-size=1M",
    "--key-buffer-size=1M", "--skip-name-resolve",
)  # fmt: skip


@once
def _temporary() -> TemporaryDirectory[str]:
    """What is made once for all tests of this process; removed at its end."""
    return TemporaryDirectory(prefix="fwemu-apps-")


@once
def _empty_mariadb() -> Path:
    """The files of a server in which there is nothing."""
    directory = Path(_temporary().name) / "mariadb"
    subprocess.run(
        [
            tool("mariadb-install-db"), "--no-defaults", "--user=root", f"--datadir={directory}",
            "--auth-root-authentication-method=normal", "--skip-test-db", *_SMALL[:2],
        ],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    return directory


class Replication:
    """A replica on the client, which follows a primary on the server."""

    def __init__(self, stage: Stage, heartbeat: float, net_timeout: float) -> None:
        binary = ("--log-bin=log", "--server-id=1")
        self._primary = MariaDB(stage, stage.lab.server, "primary", *binary)
        self._replica = MariaDB(
            stage, stage.lab.client, "replica", "--server-id=2",
            f"--slave-net-timeout={stage.seconds(net_timeout)}",
        )  # fmt: skip
        self._facts = 0
        self._replica.run(
            f"change master to master_host='{stage.address}', master_port={stage.port}, "
            f"master_user='test', master_heartbeat_period={stage.seconds(heartbeat)}, "
            "master_connect_retry=1; start slave"
        )
        first = self.ask()
        assert first == ANSWERED, first

    def ask(self) -> str:
        """What is written at the primary stands in the replica, or what the replica says of it."""
        self._facts += 1
        self._primary.run(f"insert into test.facts values ({self._facts})")
        wanted = f"select count(*) from test.facts where number = {self._facts}"
        try:
            eventually(lambda: "1" in self._replica.run(wanted).split()[-1:], within=10)
        except AssertionError:
            status = self._replica.run(r"show slave status\G")
            (error,) = re.findall(r"Last_IO_Error: ?(.*)", status)
            return f"not replicated: {error}"
        return ANSWERED


def hikari(stage: Stage, *, minimum: int) -> Talker:
    """HikariCP, one connection, with the times that it has by default (30 and 10 minutes)."""
    stage.undo.enter_context(postgresql(stage.lab, stage.port))
    jars = [needed_file(f"{JARS}/{name}.jar") for name in ("HikariCP", "postgresql", "slf4j-api")]
    classes = _pool_class(jars[0])
    return stage.talk(
        "java", "-XX:+UseSerialGC", "-Xmx64m",
        f"-Dcom.zaxxer.hikari.housekeeping.periodMs={stage.milliseconds(30)}",
        "-cp", ":".join([classes, *jars]), "Pool", stage.address, str(stage.port),
        stage.milliseconds(30 * MINUTE), stage.milliseconds(10 * MINUTE), str(minimum),
    )  # fmt: skip


@once
def _pool_class(jar: str) -> str:
    subprocess.run(
        [tool("javac"), "-cp", jar, "-d", _temporary().name, HERE / "Pool.java"],
        check=True, timeout=120,
    )  # fmt: skip
    return _temporary().name


def psycopg_pool(stage: Stage) -> Talker:
    """psycopg_pool with its defaults: max_lifetime of an hour, max_idle of 10 minutes."""
    stage.undo.enter_context(postgresql(stage.lab, stage.port))
    times = {"lifetime": stage.seconds(60 * MINUTE), "idle": stage.seconds(10 * MINUTE)}
    return stage.talk(*stage.python("psycopg_pool_client", stage.address, **times))


def sqlalchemy(stage: Stage) -> Talker:
    """SQLAlchemy with pool_recycle=1800."""
    stage.undo.enter_context(postgresql(stage.lab, stage.port))
    recycle = stage.seconds(30 * MINUTE)
    return stage.talk(*stage.python("sqlalchemy_client", stage.address, recycle=recycle))


Begin = Callable[[Stage], Talker]
