"""A server that refuses to be root, in the lab of an ordinary user."""

from __future__ import annotations

from pathlib import Path

import pytest

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parts[-2]))

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(not PROGRAMS, reason="needs PostgreSQL: apt-get install postgresql"),
]


def test_postgresql_runs_behind_the_words_of_the_guide(user):
    """Below `unshare --map-user` it is not root."""
    somebody = ("unshare", "--user", "--map-user=65534", "--map-group=65534")
    options = ("--no-sync", "--auth=trust", "--username=pg", "--no-locale", "-E", "UTF8")
    made = user.run(*somebody, str(PROGRAMS[-1] / "initdb"), "-D", "data", *options)
    assert made.code == 0, made
    with open(user.home / "data/pg_hba.conf", "a") as file:
        file.write("host all all all trust\n")

    postgres = (
        f"{PROGRAMS[-1]}/postgres -D {user.home}/data -c listen_addresses=* "
        f"-c unix_socket_directories={user.home}"
    )
    asks = f"{PROGRAMS[-1]}/psql -h $FWEMU_SERVER_IP -U pg -d postgres -Atc 'select 6 * 7'"
    run = ("run", "--server-port", "5432", "--server")
    refused = user.fwemu(*run, postgres, "--", "sh", "-c", asks)
    mapped = f"unshare --map-user=1000 --map-group=1000 {postgres}"
    done = user.fwemu(*run, mapped, "--", "sh", "-c", asks)

    assert refused.code == 9
    assert '"root" execution of the PostgreSQL server is not permitted' in refused.err
    assert (done.code, done.out) == (0, "42\n"), done
