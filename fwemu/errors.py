"""Errors a person can act on.  A bad packet is never one of them: it is a decision with a reason.

FwemuError             exit 1
├── ConfigError        exit 2
├── PrivilegeError     exit 3
├── MissingError       exit 4
├── NamespaceError     exit 5
├── QueueError         exit 6
├── ControlError       exit 7
├── StoryError         exit 8
├── RunError           exit 9
├── FaultError         exit 10
├── UntraversedError   exit 11
└── DoubtfulError      exit 12

`meaning` says what each stands for; `fwemu --help` and the docs print it.  Broken invariants are
assertions, not among these, and crash with a traceback.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class FwemuError(Exception):
    """Base class.  The command line prints its text and no traceback."""

    exit_code = 1
    meaning = "something else went wrong that you can act on"


class ConfigError(FwemuError):
    """Has a line for each problem, with its place and the way out.

    Also the exit code of a command line that cannot be understood (click's own choice).
    """

    exit_code = 2
    meaning = "the configuration file or an option is wrong"

    def __init__(self, *problems: str) -> None:
        super().__init__(*problems)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(self.problems)


class PrivilegeError(FwemuError):
    exit_code = 3
    meaning = "root or CAP_NET_ADMIN is missing"


class MissingError(FwemuError):
    exit_code = 4
    meaning = "the machine lacks a package or a kernel feature"


class NamespaceError(FwemuError):
    exit_code = 5
    meaning = "a namespace, link or lab is not there or would not build"


class QueueError(FwemuError):
    exit_code = 6
    meaning = "the kernel refused the NFQUEUE, or it is in use"


class ControlError(FwemuError):
    exit_code = 7
    meaning = "the firewall's control API cannot be reached, or it refused"


class EngineError(ControlError):
    """The engine failed while it served this request, and goes on; its process's log says where."""


class StoryError(FwemuError):
    exit_code = 8
    meaning = "a story went otherwise than it says"


class RunError(FwemuError):
    exit_code = 9
    meaning = "a server of `fwemu run` failed, or its client was not done in time"


class FaultError(FwemuError):
    exit_code = 10
    meaning = "the client of `fwemu run` did well, but what --fail-on names has happened"


class UntraversedError(FwemuError):
    exit_code = 11
    meaning = "the client of `fwemu run` did well, but nothing crossed the firewall"


class DoubtfulError(FwemuError):
    """An application would have woken by itself in the time that was passed in a moment."""

    exit_code = 12
    meaning = "what became of a session in a fast-forward is not to be trusted (--strict)"


class ExitCode(NamedTuple):
    """A row of the table of exit codes."""

    code: int
    name: str
    meaning: str


EXIT_CODES: Final[tuple[ExitCode, ...]] = (
    ExitCode(0, "ok", "done"),
    *(
        ExitCode(error.exit_code, error.__name__, error.meaning)
        for error in (
            FwemuError,
            ConfigError,
            PrivilegeError,
            MissingError,
            NamespaceError,
            QueueError,
            ControlError,
            StoryError,
            RunError,
            FaultError,
            UntraversedError,
            DoubtfulError,
        )
    ),
)
"""What the exit code of `fwemu` says; `--help` and the docs are generated from it."""


def shell_exit_code(error: BaseException | None) -> int:
    """The exit code of a command that could not be started: 127 if it is not there, else 126.

    As POSIX wants of shells (XCU section 2.8.2, Exit Status for Commands).
    """
    return 127 if isinstance(error, FileNotFoundError) else 126
