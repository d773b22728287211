"""Programs inside a namespace."""

import os
import signal
import subprocess
import sys
import time

import pytest

from netns import NoSuchNamespace, ProcessError, WaitTimeout, create, pids_in, remove, spawn
from tests.kit.labs import PATIENCE

pytestmark = pytest.mark.kernel

IGNORES_TERM = "trap '' TERM; echo ready; while :; do sleep 60; done"


def said(process, word: str) -> None:
    """Return when the program has written the word: it is ready then."""
    deadline = time.monotonic() + PATIENCE
    while word not in process.output():
        assert process.is_running, process.errors()
        assert time.monotonic() < deadline
        process.ends_within(0.002)


class TestRunning:
    def test_it_runs_inside_and_its_words_come_back(self, host):
        """Both streams, and the exit code."""
        with spawn(host, ["sh", "-c", "ls /proc/self/net/../../self/ns; echo oh >&2; exit 3"]) as p:
            assert p.wait(PATIENCE) == 3
            assert "net" in p.output().split()
            assert p.errors() == "oh\n"
            assert p.returncode == 3
        inode = spawn(host, ["stat", "-Lc", "%i", "/proc/self/ns/net"])
        inode.wait(PATIENCE)
        assert int(inode.output()) == host.identity[1]

    def test_it_gets_its_environment_directory_and_input(self, host, tmp_path):
        """As subprocess.Popen would give them."""
        (tmp_path / "input").write_text("from a file")
        with spawn(
            host,
            ["sh", "-c", "pwd; echo $WORD; cat"],
            env={"WORD": "hello", "PATH": os.environ["PATH"]},
            cwd=tmp_path,
            stdin=tmp_path / "input",
            name="talker",
        ) as process:
            process.wait(PATIENCE)
            assert process.output() == f"{tmp_path}\nhello\nfrom a file"
            assert str(process) == f"talker (pid {process.pid})"

    def test_its_input_is_empty_unless_a_pipe_is_asked_for(self, host):
        """A server must not fight with the test runner for the terminal."""
        with spawn(host, ["cat"]) as process:
            assert process.wait(PATIENCE) == 0
        with spawn(host, ["cat"], stdin=subprocess.PIPE) as process:
            process.stdin.write(b"through a pipe")
            process.stdin.close()
            assert process.wait(PATIENCE) == 0
            assert process.output() == "through a pipe"

    def test_it_may_write_to_a_file_or_nowhere(self, host, tmp_path):
        """Logs that shall outlive the run; both streams may share one."""
        log = tmp_path / "log"
        with spawn(host, ["sh", "-c", "echo a; echo b >&2"], stdout=log, stderr=log) as process:
            process.wait(PATIENCE)
            assert log.read_text() == process.output() == "a\nb\n"
        with spawn(host, ["echo", "a"], stdout=subprocess.DEVNULL) as process:
            process.wait(PATIENCE)
            assert process.output() == ""

    def test_a_pipe_that_nobody_reads_is_refused(self, host):
        """It would stop the program after 64 KiB."""
        with pytest.raises(ValueError, match="a pipe blocks"):
            spawn(host, ["true"], stdout=subprocess.PIPE)

    def test_no_output_is_lost_however_much_it_is(self, host):
        """And nobody has to read for it to go on."""
        code = "import sys; [print(i) or print(-i, file=sys.stderr) for i in range(300_000)]"
        with spawn(host, [sys.executable, "-c", code]) as process:
            assert process.wait(PATIENCE) == 0
            assert process.output().split() == [str(i) for i in range(300_000)]
            assert process.errors().split()[-1] == "-299999"
        assert len(process.output()) > 1 << 20

    def test_output_can_be_read_while_it_writes(self, host):
        """Reading must not move the place where the program writes."""
        with spawn(host, ["sh", "-c", "echo one; read word; echo $word"], stdin=-1) as process:
            said(process, "one\n")
            process.stdin.write(b"two\n")
            process.stdin.flush()
            process.wait(PATIENCE)
            assert process.output() == "one\ntwo\n"


class TestStarting:
    def test_a_program_that_is_not_there_is_one_line(self, host):
        """The most usual mistake in a test."""
        with pytest.raises(ProcessError, match=f"cannot start no-such in .*{host.name}.*installed"):
            spawn(host, ["no-such", "--port", "1"])

    def test_a_file_that_is_no_program_is_one_line(self, host, tmp_path):
        """Not executable, or not a program."""
        script = tmp_path / "script"
        script.write_text("echo hello")
        with pytest.raises(ProcessError, match="may not be executed"):
            spawn(host, [script])
        script.chmod(0o755)
        with pytest.raises(ProcessError, match="without a #! line"):
            spawn(host, [script])

    def test_a_wrong_directory_or_input_is_not_blamed_on_the_program(self, host, tmp_path):
        """All of them are "No such file" to the system."""
        nothing = tmp_path / "nothing"
        with pytest.raises(ProcessError, match=f"cannot start true .*{nothing}"):
            spawn(host, ["true"], cwd=nothing)
        with pytest.raises(ProcessError, match=f"cannot start true .*{nothing}"):
            spawn(host, ["true"], stdin=nothing)
        with pytest.raises(ProcessError, match=f"cannot open {nothing}/log for output"):
            spawn(host, ["true"], stdout=nothing / "log")

    def test_a_namespace_that_is_gone_is_one_line(self, prefix):
        """And not blamed on the program either."""
        gone = create(prefix + "gone")
        remove(gone.name)
        with pytest.raises(NoSuchNamespace, match="is gone"):
            spawn(gone, ["true"])

    def test_nothing_to_start_is_a_mistake(self, host):
        """Of the calling code."""
        with pytest.raises(ValueError, match="argv is empty"):
            spawn(host, [])

    def test_ctrl_c_while_it_starts_leaves_no_process(self, host):
        """The caller never gets an object to stop it with."""

        def interrupt(_):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            spawn(host, ["sleep", "60"], on_start=interrupt)
        assert pids_in(host) == []


class TestEnding:
    def test_waiting_too_long_tells_what_it_said(self, host):
        """The reason is most often in its last words."""
        with spawn(host, ["sh", "-c", "echo waiting for godot >&2; sleep 60"]) as process:
            with pytest.raises(WaitTimeout, match=r"sh \(pid \d+\) still runs after 0.1 s.*godot"):
                process.wait(0.1)
            assert process.is_running
            assert process.returncode is None

    def test_stopping_is_gentle_first(self, host):
        """Servers flush their files on TERM."""
        script = "trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.01; done"
        with spawn(host, ["sh", "-c", script]) as process:
            said(process, "ready")
            assert process.stop() == 7
            assert process.stop() == 7
            assert process.output() == "ready\nbye\n"
            assert not process.is_running

    def test_one_that_ignores_term_is_killed(self, host):
        """After its time of grace."""
        process = spawn(host, ["sh", "-c", IGNORES_TERM])
        said(process, "ready")
        assert process.stop(grace=0.05) == -signal.SIGKILL
        assert pids_in(host) == []

    def test_a_stopped_one_can_end_as_well(self, host):
        """SIGSTOP holds TERM back until it is continued."""
        process = spawn(host, ["sleep", "60"])
        os.kill(process.pid, signal.SIGSTOP)
        assert process.stop() == -signal.SIGTERM

    def test_what_it_started_ends_with_it(self, host):
        """A shell in front of the server is usual."""
        process = spawn(host, ["sh", "-c", "sleep 60 & sleep 60 & echo ready; wait"])
        said(process, "ready")
        assert len(pids_in(host)) == 3
        process.stop()
        assert pids_in(host) == []

    def test_what_it_started_ends_even_if_it_ended_first(self, host):
        """Its number is not given away before that, so that nobody else is hit."""
        process = spawn(host, ["sh", "-c", "sleep 60 & exit 5"])
        assert process.wait(PATIENCE) == 5
        assert len(pids_in(host)) == 1
        assert process.stop() == 5
        assert pids_in(host) == []

    def test_children_that_ignore_term_are_killed_too(self, host):
        """The grace is for the whole group."""
        process = spawn(host, ["sh", "-c", f'sh -c "{IGNORES_TERM}" & wait'])
        said(process, "ready")
        process.stop(grace=0.05)
        assert pids_in(host) == []

    def test_one_that_waited_for_nothing_leaves_no_zombie(self, host):
        """A suite starts thousands."""
        process = spawn(host, ["true"])
        process.wait(PATIENCE)
        assert not os.path.exists(f"/proc/{process.pid}")

    def test_a_signal_is_told_as_a_negative_number(self, host):
        """As subprocess does."""
        process = spawn(host, ["sh", "-c", "kill -USR1 $$"])
        assert process.wait(PATIENCE) == -signal.SIGUSR1
