"""`fwemu run` for an ordinary user: a lab in a user namespace that ends with it."""

from __future__ import annotations

import sys

import pytest

from fwemu.rootless import SENTENCE

pytestmark = pytest.mark.kernel

CLIENT = """
import os, socket, subprocess, sys
with socket.create_connection((os.environ["FWEMU_SERVER_IP"], 7), timeout=10) as connection:
    connection.sendall(b"hello")
    print(connection.recv(100).decode(), flush=True)
    subprocess.run([sys.executable, "-m", "fwemu", "fast-forward", "2h"], check=True)
"""


def test_a_run_needs_no_root(user):
    """A test suite in any language, on a laptop or in CI, as whoever starts it; nothing stays."""
    done = user.fwemu(
        "run", "--set", "timeouts.tcp_established=1h", "--fail-on", "expired",
        "--server", f"{sys.executable} -m fwemu.scenarios.echo 7", "--server-port", "7",
        "--", sys.executable, "-c", CLIENT,
    )  # fmt: skip

    assert done.out.startswith("hello\n2h 0m passed in "), done
    assert done.code == 10
    assert "--fail-on expired: a session reached its idle timeout" in done.err
    assert done.err.splitlines().count(f"fwemu: {SENTENCE}") == 1


def test_an_exit_code_gets_out_of_the_namespace(user):
    """As for root."""
    assert user.fwemu("run", "--", "sh", "-c", "exit 7").code == 7
