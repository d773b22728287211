"""Programs inside a namespace: start them, read them, wait for them, end them.

A program runs in a session of its own, so that ending it ends what it started.  Only process
ids are ever signalled, and never one that may have passed to another process meanwhile.
Waiting for a server to listen is in `listeners.py`, ending everything inside in `sweep.py`.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final, TypeAlias

from netns.descriptor import HeldDescriptor
from netns.errors import NetnsError, ProcessError, WaitTimeout, explained, translated
from netns.namespace import Namespace
from netns.procfs import pids, stat_of

Destination: TypeAlias = int | IO[bytes] | IO[str] | Path | None
"""None collects; a path is written to; the rest is what subprocess.Popen takes, but no PIPE."""

Source: TypeAlias = int | IO[bytes] | IO[str] | Path | None
"""None is empty; a path is read; the rest is what subprocess.Popen takes, PIPE included."""

GRACE: Final = 2.0  # seconds between TERM and KILL unless told otherwise
POLL: Final = 0.005  # seconds between two looks at what the kernel gives no event for
AFTER_KILL: Final = 5.0  # seconds until a killed process counts as stuck
TAIL: Final = 2000  # characters of output that an error message quotes


class Process:
    """A running program; get one from `spawn`.  As a context manager it is stopped at the end."""

    def __init__(
        self,
        popen: subprocess.Popen[bytes],
        argv: tuple[str, ...],
        name: str,
        output: _Output,
        errors: _Output,
    ) -> None:
        self.argv = argv
        self.name = name
        self._popen = popen
        self._output = output
        self._errors = errors
        self._pidfd = HeldDescriptor(os.pidfd_open(popen.pid))

    @property
    def pid(self) -> int:
        """The process id, also of its process group and session."""
        return self._popen.pid

    @property
    def stdin(self) -> IO[bytes] | None:
        """The input, if the process was started with `stdin=subprocess.PIPE`."""
        return self._popen.stdin

    @property
    def is_running(self) -> bool:
        """True while the program itself runs (not counting its children)."""
        return not self.ends_within(0)

    @property
    def returncode(self) -> int | None:
        """None while it runs; its exit code; or the number of the signal, negative."""
        if self._popen.returncode is not None:
            return self._popen.returncode
        # WNOWAIT leaves the dead process in the table: until it is reaped, nobody else can get
        # its number, so its group can still be signalled safely.
        try:
            result = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:  # reaped behind our back: SIGCHLD is ignored
            return self._popen.poll()
        if result is None:
            return None
        is_exit = result.si_code == os.CLD_EXITED
        return result.si_status if is_exit else -result.si_status

    def output(self) -> str:
        """All it wrote to stdout so far; "" when stdout went somewhere else."""
        return self._output.text()

    def errors(self) -> str:
        """All it wrote to stderr so far; "" when stderr went somewhere else."""
        return self._errors.text()

    def ends_within(self, timeout: float) -> bool:
        """Wait at most so many seconds for the end; True if the process has ended."""
        poll = select.poll()
        poll.register(self._pidfd.descriptor, select.POLLIN)
        return bool(poll.poll(max(0.0, timeout) * 1000))

    def wait(self, timeout: float) -> int:
        """Wait for the end; the exit code (negative for a signal).  Raises WaitTimeout."""
        if not self.ends_within(timeout):
            raise WaitTimeout(f"{self} still runs after {timeout:g} s{self.last_words()}")
        code = self.returncode
        assert code is not None
        self._reap_if_alone()
        return code

    def stop(self, grace: float = GRACE) -> int:
        """End the process and its children: TERM, and KILL after `grace` seconds.  The exit code.

        Does nothing more once that is done.  Raises ProcessError if something survives KILL.
        """
        if self._popen.stdin is not None:
            with suppress(OSError):
                self._popen.stdin.close()
        if self._popen.returncode is None:
            for number, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, AFTER_KILL)):
                self._signal_group(number)
                if self._group_ended(patience):
                    break
            else:
                raise ProcessError(f"{self} does not even end on SIGKILL; see /proc/{self.pid}")
            self._popen.wait()
        assert self._popen.returncode is not None
        return self._popen.returncode

    def last_words(self) -> str:
        """The last output, as the tail of an error message; "" if there was none."""
        said = (self.errors().strip() or self.output().strip())[-TAIL:]
        return f"; it said: {said}" if said else "; it said nothing"

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid})"

    def __repr__(self) -> str:
        return f"Process(pid={self.pid}, argv={self.argv!r}, returncode={self.returncode!r})"

    def _signal_group(self, number: signal.Signals) -> None:
        # The leader is not reaped yet, so the number of the group cannot have been passed on.
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)
            if number == signal.SIGTERM:
                os.killpg(self.pid, signal.SIGCONT)  # a stopped process could not act on TERM

    def _group_ended(self, timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        if not self.ends_within(timeout):
            return False
        while any(True for _ in self._others()):
            if time.monotonic() >= deadline:
                return False
            time.sleep(POLL)
        return True

    def _others(self) -> Iterator[int]:
        """Living members of the group besides its leader."""
        for pid in pids():
            stat = stat_of(pid)
            if stat is not None and stat.group == self.pid and pid != self.pid:
                yield pid

    def _reap_if_alone(self) -> None:
        if not any(True for _ in self._others()):
            self._popen.wait()


def spawn(
    ns: Namespace,
    argv: Sequence[str | os.PathLike[str]],
    *,
    stdout: Destination = None,
    stderr: Destination = None,
    stdin: Source = None,
    env: Mapping[str, str] | None = None,
    cwd: str | os.PathLike[str] | None = None,
    name: str | None = None,
    on_start: Callable[[Process], object] | None = None,
) -> Process:
    """Start a program inside the namespace and return at once.

    What it writes is kept in unnamed files, however much it is, unless `stdout` and `stderr` say
    otherwise; its input is empty unless `stdin` says otherwise.  It has a session of its own: a
    Ctrl-C in the terminal does not reach it, `stop` does.  `on_start` is called as soon as it
    runs; Ctrl-C cannot come between.  Raises ProcessError when the program cannot be started.
    """
    words = tuple(os.fspath(word) for word in argv)
    if not words:
        raise ValueError("argv is empty: name the program to start")
    if subprocess.PIPE in (stdout, stderr):
        raise ValueError("a pipe blocks the program when nobody reads it; give a file or None")
    output, errors = _Output(stdout), _Output(stderr)
    started: list[Process] = []

    def inside() -> Process:
        with _input(stdin) as standard_input:
            popen = subprocess.Popen(
                words,
                stdin=standard_input,
                stdout=output.target,
                stderr=errors.target,
                env=env,
                cwd=cwd,
                start_new_session=True,
            )
        program = Process(popen, words, name or Path(words[0]).name, output, errors)
        started.append(program)
        if on_start is not None:
            on_start(program)
        return program

    try:
        return ns.run(inside)
    except OSError as error:
        raise _why_not_started(error, words[0], ns) from error
    except BaseException:  # Ctrl-C while it started, or `on_start` failed
        for program in started:
            program.stop(grace=0)
        raise


class _Output:
    """The target of an output stream, and a way to read it back.

    A file and not a pipe: the program can write as much as it likes at its own speed, nothing is
    lost when it dies, and no thread is needed.
    """

    def __init__(self, destination: Destination) -> None:
        self.target: int | IO[bytes] | IO[str]
        self._file: HeldDescriptor | None = None
        if destination is None:
            with tempfile.TemporaryFile(buffering=0) as file:
                descriptor = os.dup(file.fileno())
        elif isinstance(destination, Path):
            # Append: stdout and stderr may share the path without overwriting one another.
            flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC
            with translated(f"open {destination} for output", ProcessError):
                descriptor = os.open(destination, flags, 0o644)
        else:
            self.target = destination
            return
        self._file = HeldDescriptor(descriptor)
        self.target = descriptor

    def text(self) -> str:
        if self._file is None:
            return ""
        # pread: the program shares this file's offset, and reading must not move it.
        pieces = []
        offset = 0
        while piece := os.pread(self._file.descriptor, 1 << 20, offset):
            pieces.append(piece)
            offset += len(piece)
        return b"".join(pieces).decode(errors="replace")


@contextmanager
def _input(source: Source) -> Iterator[int | IO[bytes] | IO[str]]:
    if source is None:
        yield subprocess.DEVNULL
    elif isinstance(source, Path):
        with source.open("rb") as file:
            yield file
    else:
        yield source


def _why_not_started(error: OSError, program: str, ns: Namespace) -> NetnsError:
    action = f"start {program} in namespace {ns.name!r}"
    if error.filename is not None and os.fspath(error.filename) != program:
        # The working directory, or a file that shall be its input.
        return ProcessError(f"cannot {action}: {error.strerror}: {error.filename}")
    if isinstance(error, FileNotFoundError):
        return ProcessError(f"cannot {action}: no such program; is it installed, and in PATH?")
    if isinstance(error, PermissionError):
        return ProcessError(f"cannot {action}: the file may not be executed; see `ls -l {program}`")
    return explained(error, action, ProcessError)
