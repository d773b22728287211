"""A PostgreSQL server of the tests' own, on a host of a lab."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg

from fwemu.lab import Lab
from netns import Process
from tests.kit.labs import eventually

_CONFIGURATION: Final = """
listen_addresses = '*'
unix_socket_directories = '{directory}'
include_dir = 'conf.d'
fsync = off
"""

_LEFT_BEHIND: Final = """
select pg_terminate_backend(pid) from pg_stat_activity
where backend_type = 'client backend' and pid <> pg_backend_pid()
"""


class PostgreSQL:
    """A running server, and a way to it that does not lead through the firewall."""

    def __init__(self, directory: Path, process: Process, port: int) -> None:
        self._directory = directory
        self._process = process
        where = f"host={directory} port={port} user=postgres"
        self._beside = psycopg.connect(where, autocommit=True)

    def ask(self, query: str, *parameters: object) -> Any:
        """The first value of the answer, by a local socket."""
        row = self._beside.execute(query, parameters).fetchone()
        return None if row is None else row[0]

    def set(self, configuration: str) -> None:
        """Lines of postgresql.conf for all connections that begin from now on."""
        (self._directory / "conf.d" / "set.conf").write_text(configuration)
        loaded = self.ask("select pg_conf_load_time()")
        self.ask("select pg_reload_conf()")
        eventually(lambda: self.ask("select pg_conf_load_time()") != loaded)

    def be_as_new(self) -> None:
        """No connections, no settings of before."""
        self._beside.execute(_LEFT_BEHIND)
        self.set("")

    def close(self) -> None:
        """End it at once, whoever is connected."""
        self._beside.close()
        os.kill(self._process.pid, signal.SIGINT)
        self._process.wait(10)


@contextmanager
def postgresql(lab: Lab, port: int = 5432) -> Iterator[PostgreSQL]:
    """A server on the lab's server; its data is gone afterwards."""
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parts[-2]))
    directory = Path(tempfile.mkdtemp(prefix="fwemu-postgresql-"))
    user = pwd.getpwnam("postgres")
    as_user = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    try:
        os.chown(directory, user.pw_uid, user.pw_gid)
        words = ["--no-sync", "--auth=trust", "--username=postgres", "--no-locale", "-E", "UTF8"]
        subprocess.run(
            [*as_user, programs / "initdb", *words, "-D", directory],
            check=True, capture_output=True, timeout=120, cwd=directory,
        )  # fmt: skip
        (directory / "conf.d").mkdir()
        with open(directory / "postgresql.conf", "a") as file:
            file.write(_CONFIGURATION.format(directory=directory))
        with open(directory / "pg_hba.conf", "a") as file:
            file.write("host all all all trust\n")
        process = lab.server.start(
            [*as_user, str(programs / "postgres"), "-D", str(directory), "-p", str(port)], port=port
        )
        server = eventually(lambda: _connected(directory, process, port), what="PostgreSQL")
        try:
            yield server
        finally:
            server.close()
    finally:
        shutil.rmtree(directory)


def _connected(directory: Path, process: Process, port: int) -> PostgreSQL | None:
    """It listens before it is ready."""
    try:
        return PostgreSQL(directory, process, port)
    except psycopg.OperationalError:
        return None
