"""Labs from Python, without root."""

from __future__ import annotations

import sys
from textwrap import dedent

import pytest

from fwemu.rootless import SENTENCE

pytestmark = pytest.mark.kernel

PROGRAM = dedent(
    """
    import socket, sys, time
    from fwemu.lab import Lab

    with Lab(settings=SETTINGS) as lab:
        lab.server.start([sys.executable, "-m", "fwemu.scenarios.echo", "7"], port=7)
        with lab.client:
            connection = socket.create_connection((lab.server.ip, 7), timeout=10)
        connection.sendall(b"hello")
        assert connection.recv(100) == b"hello"
    """
)


def lines(settings: list[str], rest: str) -> str:
    """The program, and what it does with its connection."""
    return PROGRAM.replace("SETTINGS", repr(settings)) + "".join(
        f"    {line}\n" for line in dedent(rest).strip().splitlines()
    )


def test_a_lab_takes_its_program_along(user):
    """Nothing has to be called before: `with Lab()` is enough.  The firewall resets at expiry."""
    done = user.python(
        lines(
            ["timeouts.tcp_established=1s", "expiry.action=reset-both"],
            """
            try:
                connection.recv(100)
            except ConnectionResetError:
                print("reset")
            """,
        )
    )

    assert (done.code, done.out) == (0, "reset\n"), done.err
    assert done.err == f"fwemu: {SENTENCE}\n"


def test_an_hour_in_a_moment(user):
    """Sockets of other processes are borrowed and probed, and the kernel gives one up."""
    done = user.python(
        lines(
            ["timeouts.tcp_established=30m"],
            """
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 3600)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 60)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
            happened = lab.fast_forward("2h")
            assert happened["sessions_ended"] and happened["connections_lost"], happened
            print(sum(socket["sent"] for socket in happened["probes"]))
            try:
                connection.recv(100)
            except TimeoutError as error:
                print(error.strerror)
            """,
        )
    )

    assert done.code == 0, done.err
    assert done.out.splitlines() == ["3", "Connection timed out"]


def test_a_program_with_threads_is_told_the_way(user):
    """The kernel takes single-threaded processes only; the way out has to work."""
    script = dedent(
        """
        import threading
        from fwemu.lab import Lab
        stop = threading.Event()
        threading.Thread(target=stop.wait, daemon=True).start()
        with Lab() as lab:
            print(lab.name)
        """
    )
    plain = user.python(script)
    led = user.run(sys.executable, "-m", "fwemu.rootless", "--", sys.executable, "-c", script)

    assert plain.code == 1
    assert "this process has 2 threads already" in plain.err
    assert "start it by `python -m fwemu.rootless -- COMMAND`" in plain.err
    assert (led.code, led.out) == (0, "lab1\n"), led.err


def test_whoever_has_ended_is_no_process_that_may_not_be_looked_at(user):
    """A fast-forward met a server's child at its end, whose files are the machine's root's then."""
    script = dedent(
        """
        import os
        from fwemu import rootless
        from fwemu.waits.system_calls import ARCHITECTURES
        from fwemu.waits.threads import call_of

        rootless.enter()
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
        try:
            call_of(child, child, None, ARCHITECTURES[os.uname().machine])
        except ProcessLookupError:
            print("has ended")
        """
    )
    done = user.python(script)

    assert (done.code, done.out) == (0, "has ended\n"), done.err


def test_pytest_runs_tests_with_labs(user):
    """The workers of pytest-xdist are inside as well: they are children of who has entered."""
    (user.home / "test_it.py").write_text(
        dedent(
            """
            import os, socket
            import pytest
            from fwemu.lab import Lab

            @pytest.mark.parametrize("number", range(2))
            def test_a_connection_crosses(number):
                with Lab() as lab:
                    with lab.server:
                        listener = socket.create_server((lab.server.ip, 80))
                    with lab.client:
                        client = socket.create_connection((lab.server.ip, 80), timeout=5)
                    server, _ = listener.accept()
                    client.sendall(b"x")
                    assert server.recv(1) == b"x"
                    assert len(list(lab.firewall.sessions())) == 1
                    for each in (client, server, listener):
                        each.close()
            """
        )
    )
    words = ["-q", "-n", "2", "-p", "no:cacheprovider", "test_it.py"]

    done = user.run(
        sys.executable, "-m", "fwemu.rootless", "--", sys.executable, "-m", "pytest", *words
    )

    assert "2 passed" in done.out, done


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ([], 2, "fwemu: usage: python -m fwemu.rootless -- COMMAND...\n"),
        (["--", "no-such-program"], 127, "fwemu: cannot run 'no-such-program': no such file"),
        (["--", "sh", "-c", "exit 7"], 7, ""),
    ],
)
def test_the_exit_code_is_that_of_the_command(user, words, code, said):
    """As shells have it."""
    done = user.run(sys.executable, "-m", "fwemu.rootless", *words)

    assert done.code == code
    assert said in done.err
