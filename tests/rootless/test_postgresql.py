"""A server that refuses to be root, in the lab of an ordinary user."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parts[-2]))

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(not PROGRAMS, reason="needs PostgreSQL: apt-get install postgresql"),
]


def test_postgresql_runs_behind_the_words_of_the_guide(user):
    """It is not root below `unshare --map-user`, and its sockets are played all the same."""
    somebody = ("unshare", "--user", "--map-user=65534", "--map-group=65534")
    options = ("--no-sync", "--auth=trust", "--username=pg", "--no-locale", "-E", "UTF8")
    made = user.run(*somebody, str(PROGRAMS[-1] / "initdb"), "-D", "data", *options)
    assert made.code == 0, made
    with open(user.home / "data/pg_hba.conf", "a") as file:
        file.write("host all all all trust\n")

    postgres = (
        f"{PROGRAMS[-1]}/postgres -D {user.home}/data -c listen_addresses=* "
        f"-c unix_socket_directories={user.home} -c tcp_keepalives_idle=600"
    )
    run = ("run", "--server-port", "5432", "--set", "timeouts.tcp_established=1h")
    refused = user.fwemu(*run, "--server", postgres, "--", "true")
    done = user.fwemu(
        *(*run, "--server", f"unshare --map-user=1000 --map-group=1000 {postgres}"),
        *("--", "sh", "-c", _ASKS.format(psql=PROGRAMS[-1] / "psql", python=sys.executable)),
    )

    assert '"root" execution of the PostgreSQL server is not permitted' in refused.err
    assert (done.code, done.out) == (0, "one\ntwo\n"), done
    assert "(postgres (pid " in done.err
    assert "sent 12 keepalive probes, 12 answered" in done.err


_ASKS = """
mkfifo questions
{psql} -h $FWEMU_SERVER_IP -U pg -d postgres -At <questions >answers &
exec 3>questions
echo "select 'one';" >&3
until grep -q one answers; do sleep 0.05; done
{python} -m fwemu fast-forward 2h >&2
echo "select 'two';" >&3
exec 3>&-
wait
cat answers
"""
