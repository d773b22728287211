"""Programs inside a namespace: start them, read them, wait for them, end them.

A program runs in a session of its own, so that ending it ends what it started.  Only process
ids are ever signalled, and never one that may have passed to another process meanwhile.
Nothing here waits on the network: whether a server listens is read from the kernel's tables, so
the server sees no stray connection.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Literal, TypeAlias

from netns.errors import NetnsError, ProcessError, WaitTimeout, explained
from netns.namespace import Namespace

Destination: TypeAlias = int | IO[bytes] | IO[str] | Path | None
"""None collects; a path is written to; the rest is what subprocess.Popen takes, but no PIPE."""

Source: TypeAlias = int | IO[bytes] | IO[str] | Path | None
"""None is empty; a path is read; the rest is what subprocess.Popen takes, PIPE included."""

GRACE: Final = 2.0  # seconds between TERM and KILL unless told otherwise
POLL: Final = 0.005  # seconds between two looks at what the kernel gives no event for
AFTER_KILL: Final = 5.0  # seconds until a killed process counts as stuck
TAIL: Final = 2000  # characters of output that an error message quotes

_BYTE_ORDER: Final[Literal["little", "big"]] = sys.byteorder


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
        self._pidfd = _HeldDescriptor(os.pidfd_open(popen.pid))

    @property
    def pid(self) -> int:
        """Its process id, which is that of its process group and session too."""
        return self._popen.pid

    @property
    def stdin(self) -> IO[bytes] | None:
        """Its input, if it was started with `stdin=subprocess.PIPE`."""
        return self._popen.stdin

    @property
    def is_running(self) -> bool:
        """Whether the program itself (not something it started) still runs."""
        return self._popen.returncode is None and not _has_ended(self._pidfd.descriptor, 0)

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

    def wait(self, timeout: float) -> int:
        """Its exit code (negative for a signal), within so many seconds; else WaitTimeout."""
        if not _has_ended(self._pidfd.descriptor, timeout):
            raise WaitTimeout(f"{self} still runs after {timeout:g} s{self.last_words()}")
        code = self.returncode
        assert code is not None
        self._reap_if_alone()
        return code

    def stop(self, grace: float = GRACE) -> int:
        """End it and what it started: TERM, and KILL after `grace` seconds.  Its exit code.

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
        """What it said last, as the tail of an error message; "" if it said nothing."""
        said = (self.errors().strip() or self.output().strip())[-TAIL:]
        return f"; it said: {said}" if said else "; it said nothing"

    def __enter__(self) -> Process:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
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
        if not _has_ended(self._pidfd.descriptor, timeout):
            return False
        while any(True for _ in self._others()):
            if time.monotonic() >= deadline:
                return False
            time.sleep(POLL)
        return True

    def _others(self) -> Iterator[int]:
        """Living members of the group besides its leader."""
        for pid in _pids():
            stat = _stat(pid)
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
        raise _why_not_started(error, words[0], cwd, ns) from error
    except BaseException:  # Ctrl-C while it started, or `on_start` failed
        for program in started:
            program.stop(grace=0)
        raise


@dataclass(frozen=True)
class Listener:
    """A socket that waits for connections, or a bound UDP socket."""

    host: str
    """Its address; "0.0.0.0" or "::" for all."""
    port: int

    def accepts(self, host: str) -> bool:
        """Whether connections to `host` reach it."""
        if self.host in (host, f"::ffff:{host}", "::"):
            return True
        return self.host == "0.0.0.0" and ":" not in host

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def listeners(ns: Namespace, protocol: str = "tcp") -> list[Listener]:
    """Every listening TCP (or bound "udp") socket of the namespace, IPv4 and IPv6."""
    with _SocketTables(ns, protocol) as tables:
        return tables.listeners()


def wait_for_listener(
    ns: Namespace,
    port: int,
    *,
    host: str | None = None,
    protocol: str = "tcp",
    timeout: float = 5.0,
    process: Process | None = None,
) -> None:
    """Return as soon as something listens on the port (and is reachable at `host`, if given).

    Looks at the kernel's tables, so no connection is made.  Raises ProcessError at once, with
    what it said, when `process` ends before; WaitTimeout, naming what listens instead, after
    `timeout` seconds.  Blocks: in a coroutine, put it in `asyncio.to_thread`.
    """
    deadline = time.monotonic() + timeout
    with _SocketTables(ns, protocol) as tables:
        while True:
            is_alive = process is None or process.is_running
            there = tables.listeners()
            if any(_fits(listener, host, port) for listener in there):
                return
            where = f"{protocol} port {port}" + (f" of {host}" if host else "")
            if process is not None and not is_alive:
                raise ProcessError(
                    f"{process} ended with code {process.returncode} before it listened on "
                    f"{where} in namespace {ns.name!r}{process.last_words()}"
                )
            if time.monotonic() >= deadline:
                instead = ", ".join(map(str, there)) or "nothing"
                raise WaitTimeout(
                    f"nothing listens on {where} in namespace {ns.name!r} after {timeout:g} s; "
                    f"what listens there: {instead}"
                    + (f"; {process}{process.last_words()}" if process else "")
                )
            if process is None:
                time.sleep(POLL)
            else:
                _has_ended(process._pidfd.descriptor, POLL)


def pids_in(ns: Namespace) -> list[int]:
    """Ids of the processes whose main thread is in the namespace, sorted.

    A process of which only another thread is inside (`Namespace.enter`) is not among them.
    Processes of other users are seen by root only.
    """
    identity = ns.identity
    return sorted(pid for pid in _pids() if _is_in(pid, identity))


def stop_all_in(ns: Namespace, grace: float = GRACE) -> list[tuple[int, str]]:
    """End every process of the namespace: TERM, and KILL after `grace` seconds.

    Returns the id and command line of each that was ended.  The calling process and its
    ancestors are left alone.  Raises ProcessError if one survives KILL.
    """
    identity = ns.identity
    spared = _ancestors()
    ended: dict[int, str] = {}
    deadline = time.monotonic() + grace
    number = signal.SIGTERM
    told: set[tuple[int, int]] = set()
    while True:
        targets = [
            target
            for pid in _pids()
            if pid not in spared
            and _is_in(pid, identity)
            and (target := _Target.of(pid, identity)) is not None
        ]
        if not targets:
            return sorted(ended.items())
        try:
            for target in targets:
                ended.setdefault(target.pid, target.command)
                # Once each for TERM; KILL also reaches what was forked a moment ago.
                if number == signal.SIGKILL or (target.pid, target.started) not in told:
                    told.add((target.pid, target.started))
                    target.send(number)
            _await_one(targets, max(0.0, min(POLL, deadline - time.monotonic())))
        finally:
            for target in targets:
                os.close(target.pidfd)
        if time.monotonic() >= deadline:
            if number == signal.SIGKILL:
                stuck = ", ".join(f"{target.pid} ({target.command})" for target in targets)
                raise ProcessError(
                    f"in namespace {ns.name!r} these do not even end on SIGKILL: {stuck}"
                )
            number = signal.SIGKILL
            deadline = time.monotonic() + AFTER_KILL


class _HeldDescriptor:
    """An open file that is closed when nobody refers to it any more."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        weakref.finalize(self, os.close, descriptor)


class _Output:
    """Where a stream goes, and a way to read it back.

    A file and not a pipe: the program can write as much as it likes at its own speed, nothing is
    lost when it dies, and no thread is needed.
    """

    def __init__(self, destination: Destination) -> None:
        self.target: int | IO[bytes] | IO[str]
        self._file: _HeldDescriptor | None = None
        if destination is None:
            descriptor, path = tempfile.mkstemp(prefix="netns-output-")
            os.unlink(path)
        elif isinstance(destination, Path):
            # Append: stdout and stderr may share the path without overwriting one another.
            flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC
            descriptor = os.open(destination, flags, 0o644)
        else:
            self.target = destination
            return
        self._file = _HeldDescriptor(descriptor)
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


class _SocketTables:
    """The tables of TCP or UDP sockets of a namespace, opened once and read many times."""

    LISTENING: Final = "0A"  # TCP_LISTEN, include/net/tcp_states.h
    UNCONNECTED: Final = "07"  # TCP_CLOSE, which is what a bound UDP socket shows

    def __init__(self, ns: Namespace, protocol: str) -> None:
        if protocol not in ("tcp", "udp"):
            raise ValueError(f"the protocol is 'tcp' or 'udp', not {protocol!r}")
        self._is_tcp = protocol == "tcp"
        # /proc/net is that of the process's main thread; thread-self is that of this one.  What
        # an open table shows stays the namespace in which it was opened.
        self._files = ns.run(
            lambda: [
                path.open("rb", buffering=0)
                for path in (
                    Path("/proc/thread-self/net") / f"{protocol}{suffix}" for suffix in ("", "6")
                )
                if path.exists()
            ]
        )

    def __enter__(self) -> _SocketTables:
        return self

    def __exit__(self, *exception: object) -> None:
        for file in self._files:
            file.close()

    def listeners(self) -> list[Listener]:
        return [listener for file in self._files for listener in self._listeners(file)]

    def _listeners(self, file: IO[bytes]) -> Iterator[Listener]:
        file.seek(0)
        pending = b""
        is_header = True
        while piece := file.read(1 << 16):
            *lines, pending = (pending + piece).split(b"\n")
            for line in lines:
                if is_header:
                    is_header = False
                    continue
                _, local, _, state, *_ = line.decode("ascii").split()
                if state == (self.LISTENING if self._is_tcp else self.UNCONNECTED):
                    yield parse_local_address(local)
                elif self._is_tcp:
                    return  # the kernel lists listeners first; there may be 60,000 others


def parse_local_address(text: str) -> Listener:
    """The address that /proc/net/tcp writes as "0100007F:1F90", words in the host's order."""
    address, port = text.split(":")
    words = [int(address[i : i + 8], 16) for i in range(0, len(address), 8)]
    packed = b"".join(word.to_bytes(4, _BYTE_ORDER) for word in words)
    family = socket.AF_INET if len(packed) == 4 else socket.AF_INET6
    return Listener(socket.inet_ntop(family, packed), int(port, 16))


@contextmanager
def _input(source: Source) -> Iterator[int | IO[bytes] | IO[str]]:
    if source is None:
        yield subprocess.DEVNULL
    elif isinstance(source, Path):
        with source.open("rb") as file:
            yield file
    else:
        yield source


def _fits(listener: Listener, host: str | None, port: int) -> bool:
    return listener.port == port and (host is None or listener.accepts(host))


def _why_not_started(
    error: OSError, program: str, cwd: str | os.PathLike[str] | None, ns: Namespace
) -> NetnsError:
    action = f"start {program} in namespace {ns.name!r}"
    if cwd is not None and error.filename == os.fspath(cwd):
        return ProcessError(f"cannot {action}: the working directory {error.filename} is unusable")
    if isinstance(error, FileNotFoundError):
        return ProcessError(f"cannot {action}: no such program; is it installed, and in PATH?")
    if isinstance(error, PermissionError):
        return ProcessError(f"cannot {action}: the file may not be executed; see `ls -l {program}`")
    return explained(error, action, ProcessError)


def _has_ended(pidfd: int, timeout: float) -> bool:
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(max(0.0, timeout) * 1000))


@dataclass(frozen=True)
class _Stat:
    """What /proc/PID/stat says, as far as it matters here; see proc_pid_stat(5)."""

    state: str
    parent: int
    group: int
    started: int
    """Clock ticks since boot: with the id, it tells two processes apart."""


def _stat(pid: int) -> _Stat | None:
    """None when there is no such process, or only its zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field is the name in parentheses and may contain anything.
    fields = text[text.rindex(")") + 2 :].split()
    stat = _Stat(fields[0], int(fields[1]), int(fields[2]), int(fields[19]))
    return None if stat.state in "ZX" else stat


def _pids() -> list[int]:
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]


def _is_in(pid: int, identity: tuple[int, int]) -> bool:
    try:
        status = os.stat(f"/proc/{pid}/ns/net")
    except OSError:  # gone, a zombie, or somebody else's
        return False
    return (status.st_dev, status.st_ino) == identity


def _ancestors() -> set[int]:
    """The calling process, its parent, and so on to the first."""
    found = set()
    pid = os.getpid()
    while pid and pid not in found:
        found.add(pid)
        stat = _stat(pid)
        pid = stat.parent if stat else 0
    return found


@dataclass(frozen=True)
class _Target:
    """A process that shall end, pinned by a descriptor: its id cannot come to mean another."""

    pid: int
    pidfd: int
    started: int
    command: str

    @classmethod
    def of(cls, pid: int, identity: tuple[int, int]) -> _Target | None:
        before = _stat(pid)
        if before is None:
            return None
        try:
            pidfd = os.pidfd_open(pid)
        except OSError:
            return None
        # If the id was passed on before the descriptor was open, the start time differs.
        after = _stat(pid)
        if after is None or after.started != before.started or not _is_in(pid, identity):
            os.close(pidfd)
            return None
        return cls(pid, pidfd, before.started, _command(pid))

    def send(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.pidfd, number)
            if number == signal.SIGTERM:
                signal.pidfd_send_signal(self.pidfd, signal.SIGCONT)  # or TERM would stay pending


def _command(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
    except OSError:
        return "?"
    return b" ".join(words).decode(errors="replace") or "?"


def _await_one(targets: Sequence[_Target], timeout: float) -> None:
    poll = select.poll()
    for target in targets:
        poll.register(target.pidfd, select.POLLIN)
    poll.poll(timeout * 1000)
