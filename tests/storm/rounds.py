"""One round: something is made, one of its processes is killed, what is left is taken down."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from fwemu.daemon.rundir import RUN_DIR
from netns import NetnsError, Network
from netns.namespace import Namespace
from netns.procfs import pids, stat_of, words_of
from tests.kit.ground import Ground
from tests.kit.labs import hooks_of
from tests.kit.user import OrdinaryUser
from tests.storm.knocking import Knocking

FWEMU: Final = (sys.executable, "-m", "fwemu")

SIGNALS: Final = (
    signal.SIGKILL, signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP
)  # fmt: skip
"""SIGKILL more often: it is the one that nobody can answer."""

AFTERWARDS: Final = 1.4
"""Moments are chosen from the start to this many times what a lab takes to come up."""

DOWN_S: Final = 60.0

LONGEST_S: Final = 6.0
"""No lab takes longer, but on a machine that is very busy just then."""

PYTHON_LAB: Final = textwrap.dedent("""
    import sys, time
    from fwemu.lab import Lab
    with Lab() as lab:
        lab.server.start(["sleep", "1000"])
        time.sleep(float(sys.argv[1]))
""")


@dataclass
class Round:
    """What happens in it follows from `kind` and `chance`."""

    kind: str
    chance: random.Random
    place: Path
    up_s: float
    """What a lab takes to come up on this machine now."""
    told: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.kind}: {', '.join(self.told)}"

    @property
    def base(self) -> Path:
        """The run directory of this round."""
        return self.place / "run"

    @property
    def environment(self) -> dict[str, str]:
        """Of what is started in it."""
        return {**os.environ, RUN_DIR: str(self.base)}

    def play(self) -> list[str]:
        """What was wrong with it; what is left is looked for elsewhere."""
        self.base.mkdir(parents=True)
        try:
            return list(VICTIMS[self.kind](self))
        except Exception as error:  # it shall not end the storm, and is no all-clear
            return [f"the round broke off: {error!r}", *self.down()]

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """A program of this round."""
        return subprocess.Popen(
            words, env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def wait(self, share: float = AFTERWARDS) -> None:
        """Until a moment that chance has chosen, in shares of what a lab takes."""
        moment = self.chance.uniform(0, share * self.up_s)
        self.told.append(f"after {moment:.3f} s")
        time.sleep(moment)

    def kill(self, found: Sequence[int], number: signal.Signals | None = None) -> None:
        """Signal one of these processes, or two of them at once."""
        number = number or self.chance.choice(SIGNALS)
        chosen = self.chance.sample(list(found), min(len(found), self.chance.choice((1, 1, 1, 2))))
        for pid in chosen:
            self.told.append(f"{number.name} to {' '.join(words_of(pid)[2:6]) or pid}")
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def down(self) -> list[str]:
        """`fwemu down --all`; what it complains about."""
        done = subprocess.run(
            [*FWEMU, "down", "--all"], env=self.environment, capture_output=True, text=True,
            timeout=DOWN_S, check=False,
        )  # fmt: skip
        return [] if done.returncode == 0 else [f"down --all: {done.returncode}: {done.stderr}"]


def undisturbed(base: Path) -> float:
    """Seconds that a lab takes to come up if nobody kills anything; it is taken down again."""
    environment = {**os.environ, RUN_DIR: str(base)}
    began = time.monotonic()
    subprocess.run([*FWEMU, "up"], env=environment, capture_output=True, check=True)
    took = time.monotonic() - began
    subprocess.run([*FWEMU, "down"], env=environment, capture_output=True, check=True)
    return min(took, LONGEST_S)


def descendants(pid: int) -> list[int]:
    """A process and all that it has started, as far as they still are its children."""
    family = [pid]
    for each in sorted(pids()):
        stat = stat_of(each)
        if stat is not None and stat.parent in family and each not in family:
            family.append(each)
    return family


def of_round(base: Path) -> list[int]:
    """Processes that have to do with a run directory: firewalls, whoever started them."""
    return [pid for pid in pids() if str(base) in words_of(pid)]


def ended(process: subprocess.Popen[bytes]) -> None:
    """The program that was started in the foreground is no concern any more."""
    process.kill()
    process.wait()


def up(this: Round) -> Iterator[str]:
    """`fwemu up`, killed while it makes a lab or afterwards."""
    process = this.start(*FWEMU, "up", *this.chance.choice(([], ["--topology", "asymmetric"])))
    this.wait()
    this.kill({*descendants(process.pid), *of_round(this.base)} & {*pids()} or [process.pid])
    if this.chance.random() < 0.5:  # it goes on meanwhile
        ended(process)
    else:
        with suppress(subprocess.TimeoutExpired):
            process.wait(30)
        ended(process)
    yield from this.down()


def python_lab(this: Round) -> Iterator[str]:
    """A program with a `Lab`; all but SIGKILL it cleans up after itself."""
    process = this.start(sys.executable, "-c", PYTHON_LAB, "0.2")
    this.wait()
    number = this.chance.choice(SIGNALS)
    this.told.append(number.name)
    process.send_signal(number)
    with suppress(subprocess.TimeoutExpired):
        process.wait(30)
    ended(process)
    yield from this.down()


def two_at_once(this: Round) -> Iterator[str]:
    """A lab is taken down while another one is made, and both are killed."""
    processes = [this.start(*FWEMU, "up"), this.start(*FWEMU, "up")]
    this.wait()
    processes.append(this.start(*FWEMU, "down", "--all"))
    this.wait(0.4)
    for process in processes:
        this.kill([process.pid])
    for process in processes:
        ended(process)
    yield from this.down()


def daemon(this: Round) -> Iterator[str]:
    """`fwemu daemon` alone, or its control process: what it leaves, `down --all` removes."""
    with Network() as network:
        ground = Ground(network, this.base)
        firewall = ground.start(ready=False)
        this.wait(1.0)
        this.kill(firewall.family() or [firewall.process.pid])
        with suppress(NetnsError):
            firewall.process.wait(1.0)
        firewall.process.stop(0)
        yield from this.down()
        for hook in hooks_of(ground.firewall):
            yield f"a hook: {hook}"


def closed(this: Round) -> Iterator[str]:
    """A firewall that fails closed and denies a port: whatever is killed, nothing gets through."""
    with Network() as network:
        ground = Ground(network, this.base)
        firewall = ground.start(
            "--set", "daemon.fail=closed", "--set", 'rules=[{action="deny"}]', "--name", "closed"
        )
        with Knocking(ground) as knocking:
            time.sleep(0.02)
            this.wait(0.1)
            family = firewall.family() or [firewall.process.pid]
            control = [pid for pid in family if pid != firewall.process.pid]
            who = this.chance.choice([control or family, [firewall.process.pid]])
            this.kill(who, signal.SIGKILL)
            with suppress(NetnsError):
                firewall.process.wait(10.0)
            time.sleep(0.2)
            if through := knocking.through():
                yield f"{through} of {knocking.tries} attempts got through"
            if not knocking.tries:
                yield "nobody tried"
        firewall.process.stop(0)
        yield from this.down()
        for hook in hooks_of(ground.firewall):
            yield f"a hook: {hook}"


def time_scaled(this: Round) -> Iterator[str]:
    """Sysctls of a host are changed at a time scale, and come back however it is told to end."""
    with Network() as network:
        ground = Ground(network, this.base)
        before = keepalive_of(ground.client.namespace)
        firewall = ground.start(
            "--time-scale", "60", "--host", f"client={ground.client.namespace.name}", ready=False
        )
        this.wait(1.0)
        number = this.chance.choice((signal.SIGTERM, signal.SIGINT, signal.SIGHUP))
        this.told.append(number.name)
        os.kill(firewall.process.pid, number)
        with suppress(NetnsError):
            firewall.process.wait(15.0)
        firewall.process.stop(0)
        yield from this.down()
        if (after := keepalive_of(ground.client.namespace)) != before:
            yield f"tcp_keepalive_time is {after} in a host, and was {before}"


def keepalive_of(namespace: Namespace) -> str:
    """A sysctl that a time scale changes."""
    with namespace.enter():
        return Path("/proc/sys/net/ipv4/tcp_keepalive_time").read_text().strip()


def rootless(this: Round) -> Iterator[str]:
    """An ordinary user's lab: the command, its keeper or its firewall, two of them at once."""
    home = this.place / "home"
    home.mkdir()
    user = OrdinaryUser(home)
    os.chown(home, user.uid, user.uid)
    process = user.start(*FWEMU, "up")
    this.wait(1.5 * AFTERWARDS)
    inside = [pid for pid, command in user.processes().items() if "fwemu" in command]
    this.kill(inside or [process.pid])
    with suppress(subprocess.TimeoutExpired):
        process.communicate(timeout=20)
    process.kill()
    process.communicate()
    done = user.fwemu("down", "--all")
    if done.code:
        yield f"down --all: {done.code}: {done.err}"
    deadline = time.monotonic() + 15
    while (left := user.processes()) and time.monotonic() < deadline:
        time.sleep(0.05)
    yield from (f"process {pid} ({command})" for pid, command in left.items())
    if user.base.is_dir():
        yield from (f"run directory {path}" for path in user.base.iterdir())


VICTIMS: Final[dict[str, Callable[[Round], Iterator[str]]]] = {
    "up": up,
    "python": python_lab,
    "two": two_at_once,
    "daemon": daemon,
    "closed": closed,
    "scaled": time_scaled,
    "rootless": rootless,
}
"""Kinds of rounds; they take turns."""
