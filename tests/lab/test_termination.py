"""SIGTERM and SIGHUP, as CI and closed terminals send them: no lab is left standing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from fwemu.lab import Lab, termination
from netns import names
from netns.procfs import pids, words_of
from tests.kit.labs import PATIENCE, eventually, unique

pytestmark = pytest.mark.kernel


def program(text: str, *arguments: str) -> subprocess.Popen[str]:
    """A program that says `ready`, and goes on."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(text), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def nothing_is_left(base: Path, name: str) -> None:
    """No run directory, namespace or process of the lab."""
    assert os.listdir(base) == []
    assert not [each for each in names() if name in each]
    eventually(lambda: not [pid for pid in pids() if name in words_of(pid)])


WITH_BLOCK = """
    import sys, time
    from pathlib import Path
    from fwemu.lab import Lab
    with Lab(name=sys.argv[1], base=Path(sys.argv[2])):
        print("ready", flush=True)
        time.sleep(600)
"""
WITHOUT_BLOCK = """
    import sys, time
    from pathlib import Path
    from fwemu.lab import Lab
    lab = Lab(name=sys.argv[1], base=Path(sys.argv[2])).up()
    print("ready", flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("text", [WITH_BLOCK, WITHOUT_BLOCK], ids=["with", "up"])
@pytest.mark.parametrize("number", termination.SIGNALS)
def test_a_program_that_is_told_to_end_removes_its_lab(
    tmp_path: Path, text: str, number: signal.Signals
) -> None:
    """And it ends, as after Ctrl-C: not with 0."""
    name = unique("term")
    with program(text, name, str(tmp_path)) as running:
        try:
            assert running.stdout is not None
            assert running.stdout.readline() == "ready\n"
            running.send_signal(number)
            _, err = running.communicate(timeout=3 * PATIENCE)
        finally:
            running.kill()
    assert running.returncode not in (0, None)
    assert f"{number.name}: labs of this process are removed" in err
    nothing_is_left(tmp_path, name)


def test_a_program_with_a_handler_of_its_own_keeps_it(tmp_path: Path) -> None:
    """It knows what it does; and what it ignores, as under nohup, stays ignored."""
    text = """
        import signal, sys
        from pathlib import Path
        from fwemu.lab import Lab
        heard = []
        signal.signal(signal.SIGTERM, lambda *_: heard.append("mine"))
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        with Lab(name=sys.argv[1], base=Path(sys.argv[2])):
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGHUP)
        print(heard, signal.getsignal(signal.SIGHUP).name)
    """
    name = unique("term")
    with program(text, name, str(tmp_path)) as running:
        out, err = running.communicate(timeout=3 * PATIENCE)
    assert (out, err) == ("['mine'] SIG_IGN\n", "")
    nothing_is_left(tmp_path, name)


def test_a_child_of_the_program_just_ends_and_leaves_the_lab_alone(tmp_path: Path) -> None:
    """A worker that was forked is ended by SIGTERM (multiprocessing does): the lab is not its."""
    text = """
        import os, signal, sys
        from pathlib import Path
        from fwemu.lab import Lab
        with Lab(name=sys.argv[1], base=Path(sys.argv[2])) as lab:
            child = os.fork()
            if child == 0:
                try:
                    signal.raise_signal(signal.SIGTERM)
                finally:
                    os._exit(1)
            status = os.waitpid(child, 0)[1]
            print(os.WTERMSIG(status) == signal.SIGTERM, lab.about.is_alive)
        print(signal.getsignal(signal.SIGTERM).name)
    """
    name = unique("term")
    with program(text, name, str(tmp_path)) as running:
        out, err = running.communicate(timeout=3 * PATIENCE)
    assert (out, err) == ("True True\nSIG_DFL\n", "")
    nothing_is_left(tmp_path, name)


def test_a_cancelled_test_run_leaves_nothing(tmp_path: Path) -> None:
    """`kill` of pytest: its fixtures are torn down, and it says that it was interrupted."""
    (tmp_path / "run").mkdir()
    (tmp_path / "test_it.py").write_text(
        textwrap.dedent("""
            import time

            def test_it(lab):
                print("ready", lab.name, flush=True)
                time.sleep(600)

            def test_after(lab):
                raise AssertionError("it went on")
        """)
    )
    command = [sys.executable, "-m", "pytest", "-s", "-p", "no:randomly", "test_it.py"]
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        env={**os.environ, "FWEMU_RUN_DIR": str(tmp_path / "run")},
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        try:
            assert running.stdout is not None
            line = next(each for each in running.stdout if "ready" in each)
            running.send_signal(signal.SIGTERM)
            out, _ = running.communicate(timeout=3 * PATIENCE)
        finally:
            running.kill()
    assert running.returncode == pytest.ExitCode.INTERRUPTED
    assert "Interrupted" in out
    assert "it went on" not in out
    nothing_is_left(tmp_path / "run", line.split()[-1])


def test_signals_are_as_they_were_when_the_last_lab_is_gone(tmp_path: Path) -> None:
    """Labs come and go within one program."""
    before = [signal.getsignal(number) for number in termination.SIGNALS]
    with Lab(name=unique("term"), base=tmp_path):
        during = [signal.getsignal(number) for number in termination.SIGNALS]
        with Lab(name=unique("term"), base=tmp_path):
            pass
        assert [signal.getsignal(number) for number in termination.SIGNALS] == during
    assert [signal.getsignal(number) for number in termination.SIGNALS] == before
