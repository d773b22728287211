"""What became of a connection: seen at the firewall and asked from the client."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from fwemu.lab import Lab
from fwemu.waits.threads import waits_of
from netns import pids_in, sysctl
from tests.apps.timers.cases import CLIENT, FIREWALL, SERVER, Case, Fate
from tests.apps.timers.programs import ANSWERED, Stage, Talker
from tests.kit.labs import eventually, unique

PROFILE: Final = "cisco-asa"
TRAVEL: Final = "65m"

_EVENTS: Final = 'daemon.log_events=["built", "torn_down", "denied", "state_changed"]'
_ENDS: Final = {"original": CLIENT, "reply": SERVER}


@dataclass(frozen=True)
class Seen:
    """What became of it."""

    fate: Fate
    ended_by: str
    says: str

    def agrees_with(self, case: Case) -> bool:
        """Is it what must become of it?"""
        return (
            self.fate is case.fate
            and self.ended_by == case.ended_by
            and re.search(case.says, self.says) is not None
        )


@contextmanager
def stage(base: Path, case: Case, *, scale: int = 1) -> Iterator[Stage]:
    """A lab for a case of its own."""
    with ExitStack() as undo:
        directory = undo.enter_context(TemporaryDirectory(prefix="fwemu-apps-"))
        lab = undo.enter_context(new_lab(base, scale))
        prepare(lab, case, scale)
        yield Stage(lab, Path(directory), undo, scale)


def new_lab(base: Path, scale: int) -> Lab:
    """Behind a firewall that forgets after an hour, and whose log tells who closes what."""
    return Lab(name=unique(), base=base, profile=PROFILE, settings=[_EVENTS], time_scale=scale)


def prepare(lab: Lab, case: Case, scale: int = 1) -> None:
    """The settings of its hosts; at a time scale they are as much shorter when this returns."""
    wanted = [
        (host.namespace, key, value)
        for host in lab.hosts.values()
        for key, value in case.host_settings.items()
    ]
    for namespace, key, value in wanted:
        sysctl(namespace, key, value)

    def are_set() -> bool:
        return all(int(sysctl(where, key)) == value // scale for where, key, value in wanted)

    eventually(are_set, what=f"{case.host_settings} at a time scale of {scale}")


def pass_time(lab: Lab, *, is_played: bool) -> dict[str, Any]:
    """Let 65 minutes pass in a moment, with or without the time of programs."""
    return lab.fast_forward(TRAVEL, applications=is_played)


def at_rest(lab: Lab) -> bool:
    """Does every thread of every program in the hosts wait for something?"""
    return not any(
        wait.call == ""
        for host in lab.hosts.values()
        for pid in pids_in(host.namespace)
        if pid != os.getpid()
        for wait in waits_of(pid)
    )


class Connection:
    """The one that the client has before time passes."""

    def __init__(self, lab: Lab, port: int, talker: Talker) -> None:
        self._lab = lab
        self._port = port
        self._talker = talker
        self._session: int = eventually(self._youngest, what=f"a connection to port {port}")

    def _youngest(self) -> int | None:
        """From the log: a server that hangs up soon may have done so already."""
        built = [
            event["session"]
            for event in self._lab.firewall.events()
            if event["event"] == "built" and event["destination_port"] == self._port
        ]
        return max(built, default=None)

    def _is_established(self) -> bool:
        there = self._lab.firewall.sessions(port=self._port, state="ESTABLISHED")
        return self._session in [session["id"] for session in there]

    def rows(self, done: dict[str, Any]) -> list[dict[str, Any]]:
        """What a fast-forward says of it."""
        there = [*done["sessions_ended"], *done["sessions_doubtful"]]
        return [row for row in there if row["session"] == self._session]

    def trust(self, done: dict[str, Any]) -> str:
        """How far it says that its answer can be trusted."""
        return str(next((row["trust"] for row in self.rows(done)), "sure"))

    def seen(self) -> Seen:
        """Ask the client, and look who has ended what it had before."""
        says = self._talker.ask()
        if says != ANSWERED:
            return Seen(Fate.DIES, self._ended_by(), says)
        if self._is_established():
            return Seen(Fate.LIVES, "", says)
        return Seen(Fate.REPLACED, self._ended_by(), says)

    def _ended_by(self) -> str:
        """Whose FIN or RST came first; the firewall's own clock if there was none."""
        for event in self._lab.firewall.events():
            if event.get("session") != self._session:
                continue
            if event["event"] == "state_changed" and event["before"] == "ESTABLISHED":
                return _ENDS[event["direction"]]
            if event["event"] == "torn_down":
                return FIREWALL if event["reason"] == "expired" else event["reason"]
        return ""
