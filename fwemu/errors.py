"""Errors a person can act on.  A bad packet is never one of them: it is a decision with a reason.

FwemuError             something a person can act on                       exit 1
├── ConfigError        the file or option is wrong                         exit 2
├── PrivilegeError     root or CAP_NET_ADMIN is missing                    exit 3
├── MissingError       the machine lacks a package or a kernel feature     exit 4
├── NamespaceError     a namespace, link or lab is missing or not built    exit 5
├── QueueError         the kernel refused the NFQUEUE, or it is in use     exit 6
├── ControlError       the control API cannot be reached, or refused       exit 7
├── StoryError         a story went otherwise than it says                 exit 8
├── RunError           a server of `fwemu run` failed, or time ran out      exit 9
└── FaultError         what `fwemu run --fail-on` names has happened       exit 10

Broken invariants are not here: they are assertions, and crash with a traceback.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class FwemuError(Exception):
    """Base class.  The command line prints its text and no traceback."""

    exit_code = 1
    meaning = "something else went wrong that you can act on"


class ConfigError(FwemuError):
    """The file or option is wrong: one line for each problem, with its place and the way out.

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
    """Root or CAP_NET_ADMIN is missing."""

    exit_code = 3
    meaning = "root or CAP_NET_ADMIN is missing"


class MissingError(FwemuError):
    """The machine lacks something: a package, a kernel feature."""

    exit_code = 4
    meaning = "the machine lacks a package or a kernel feature"


class NamespaceError(FwemuError):
    """A namespace, link or lab is not there, or would not build."""

    exit_code = 5
    meaning = "a namespace, link or lab is not there or would not build"


class QueueError(FwemuError):
    """The kernel refused the NFQUEUE, or somebody else listens on it."""

    exit_code = 6
    meaning = "the kernel refused the NFQUEUE, or it is in use"


class ControlError(FwemuError):
    """The control API of a firewall cannot be reached, or it refused."""

    exit_code = 7
    meaning = "the firewall's control API cannot be reached, or it refused"


class EngineError(ControlError):
    """The engine failed while it served this request, and goes on; its process's log says where."""


class StoryError(FwemuError):
    """A story went otherwise than it says."""

    exit_code = 8
    meaning = "a story went otherwise than it says"


class RunError(FwemuError):
    """A server of a run failed, or its client could not start or did not end in time."""

    exit_code = 9
    meaning = "a server of `fwemu run` failed, or its client was not done in time"


class FaultError(FwemuError):
    """The client of a run was content, but something happened that it must not depend on."""

    exit_code = 10
    meaning = "the client of `fwemu run` did well, but what --fail-on names has happened"


class ExitCode(NamedTuple):
    """One row of the table of exit codes."""

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
        )
    ),
)
"""What the exit code of `fwemu` says; `--help` and the docs are generated from it."""
