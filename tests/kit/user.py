"""Users without privileges: an ordinary one of this machine, and root that has lost its own."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

from tests.kit.command import Done

ROOT: Final = Path(__file__).parents[2]

_FIRST: Final = 1_000_000
"""Nobody's id anywhere; the process id is added, so that runs beside each other do not meet."""


class Unprivileged:
    """Has an id, a home, and no capability in any set but those that it `keeps`.

    Interpreters and checkouts may stand where only root may look (/root).  So these processes
    have a mount namespace in which every directory on the way there is an empty one that lets
    everybody pass, with what is needed bound into it.
    """

    def __init__(self, home: Path, uid: int, *keeps: str, tun_mode: int = 0o666) -> None:
        self.uid = uid
        self.home = home
        self.base = home / "run" / "fwemu"
        """Where the run directories of this user are; for the user, below /run/user."""
        self._run = f"/run/user/{self.uid}"
        (home / "run").mkdir()
        for path in (home, home / "run"):
            os.chown(path, self.uid, self.uid)
        steps = [line for wall, behind in _walls().items() for line in _opened(wall, behind)]
        drop = shlex.join(
            ["setpriv", f"--reuid={self.uid}", f"--regid={self.uid}", "--clear-groups",
             f"--bounding-set={','.join(['-all', *keeps])}", "--inh-caps=-all", "--no-new-privs"]
        )  # fmt: skip
        script = "\n".join(
            ["set -e", *_tun(tun_mode), *steps, *self._runtime(), f'exec {drop} "$@"']
        )
        self._before = ["unshare", "--mount", "--propagation=private", "sh", "-c", script, "sh"]
        self._env = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "XDG_RUNTIME_DIR": self._run,
            "PYTHONPATH": str(ROOT),
        }

    def _runtime(self) -> list[str]:
        """Shell commands that make the user's directory below /run, as a login does."""
        return [
            "mount -t tmpfs -o mode=755 none /run",
            f"mkdir -p {self._run}",
            f"mount --bind {shlex.quote(str(self.home / 'run'))} {self._run}",
        ]

    def run(self, *words: str, **env: str) -> Done:
        """A command, to its end."""
        done = subprocess.run(
            [*self._before, *words], cwd=self.home, env=self._env | env, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        return Done(done.returncode, done.stdout, done.stderr)

    def start(self, *words: str) -> subprocess.Popen[str]:
        """A command that goes on."""
        return subprocess.Popen(
            [*self._before, *words], cwd=self.home, env=self._env, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def fwemu(self, *words: str, **env: str) -> Done:
        """A command of ours, to its end."""
        return self.run(sys.executable, "-m", "fwemu", *words, **env)

    def python(self, script: str) -> Done:
        """A program, to its end."""
        return self.run(sys.executable, "-c", script)

    def _is_of_us(self, process: Path) -> bool:
        """Has this user started that process (a directory of /proc)?"""
        raise NotImplementedError

    def processes(self) -> dict[int, str]:
        """The processes of this user, without zombies: ids and command lines."""
        found = {}
        for path in Path("/proc").iterdir():
            with suppress(OSError, ValueError):
                if self._is_of_us(path):
                    command = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    if command:
                        found[int(path.name)] = command
        return found


class OrdinaryUser(Unprivileged):
    """Somebody with an id that nobody else has."""

    def __init__(self, home: Path, *, tun_mode: int = 0o666) -> None:
        super().__init__(home, _FIRST + os.getpid(), tun_mode=tun_mode)

    def _is_of_us(self, process: Path) -> bool:
        if process.stat().st_uid == self.uid:
            return True
        status = (process / "status").read_text()
        return int(status.partition("\nUid:")[2].split()[0]) == self.uid


class PowerlessRoot(Unprivileged):
    """Root as in a container: it has lost its capabilities, but for those that it `keeps`."""

    def __init__(self, home: Path, *keeps: str) -> None:
        super().__init__(home, 0, *keeps)

    def _is_of_us(self, process: Path) -> bool:
        return f"\0HOME={self.home}\0" in "\0" + (process / "environ").read_text()


def _tun(mode: int) -> list[str]:
    """Shell commands that make /dev/net/tun: open to everybody, as udev does, or with that mode."""
    return [
        "mount -t tmpfs -o mode=755 none /dev/net",
        f"mknod -m {mode:o} /dev/net/tun c 10 200",  # Documentation/admin-guide/devices.txt
    ]


def _walls() -> dict[Path, list[Path]]:
    """Directories that only their owner may enter, with the needed paths below each."""
    walls: dict[Path, list[Path]] = {}
    needed = {Path(sys.base_prefix).resolve(), Path(sys.prefix).resolve(), ROOT}
    for path in sorted(needed):
        shut = [parent for parent in reversed(path.parents) if not parent.stat().st_mode & 0o001]
        if shut:
            walls.setdefault(shut[0], []).append(path)
    return walls


def _opened(wall: Path, behind: list[Path]) -> list[str]:
    """Shell commands that replace the directory by an open one, with the needed paths bound."""
    held = dict(enumerate(behind, 3))
    lines = [f"exec {number}<{shlex.quote(str(path))}" for number, path in held.items()]
    lines.append(f"mount -t tmpfs -o mode=755 none {shlex.quote(str(wall))}")
    for number, path in held.items():
        place = shlex.quote(str(path))
        lines.append(f"mkdir -p {place}")
        lines.append(f"mount -c --rbind /proc/self/fd/{number} {place}")
        lines.append(f"exec {number}<&-")
    return lines
