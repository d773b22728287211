"""The guide to events of operation tells the truth: it is done here, and what is seen compared.

In a block of `console` a line that begins with `$` is a command, one that begins with `#` something
that happens in the lab (`HAPPENS` says how), and all other lines are what is to be seen.
"""

from __future__ import annotations

import re
import shlex
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from fwemu.cli.main import COMMANDS
from fwemu.client import Client
from fwemu.daemon.rundir import RUN_DIR, RunDirectory
from fwemu.lab import register
from netns import Namespace
from tests.kit.command import fwemu, masked
from tests.kit.ground import End
from tests.kit.labs import SOON, Pair, connected, eventually, listening, say, unique, what_comes

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guides" / "operations.md"


class Reader:
    """Somebody who does what a guide says, in labs of their own."""

    def __init__(self, base: Path, undo: ExitStack) -> None:
        self.name = unique("guide")
        self.pairs: list[Pair] = []
        self._base = base
        self._undo = undo

    def types(self, command: str) -> str:
        """What is seen on the terminal."""
        program, *words = shlex.split(command)
        assert program == "fwemu"
        if words[0] == "up":
            words += ["--name", self.name]
        done = fwemu(*(word.replace("lab1", self.name) for word in words))
        return done.out + done.err

    def ends(self) -> tuple[End, End]:
        """The client and the server of the lab."""
        plan = register.entry(self._base, self.name).plan
        client, server = (
            End(Namespace.named(host.namespace), host.ipv4, host.ipv6) for host in plan.hosts
        )
        return client, server

    def opens(self) -> None:
        """A connection from the client to the server."""
        client, server = self.ends()
        pair = connected(None, client=client, server=server)  # type: ignore[arg-type]
        self.pairs.append(self._undo.enter_context(pair))
        say(pair.client, pair.server)

    def calls_in_vain(self) -> None:
        """A SYN that is not answered."""
        client, server = self.ends()
        with listening(server) as listener, client.namespace.enter():  # type: ignore[arg-type]
            calling = socket.socket()
            with calling:
                calling.settimeout(SOON)
                with pytest.raises(TimeoutError):
                    calling.connect(listener.getsockname())

    def works(self, which: int) -> None:
        """Both ends of a connection hear each other."""
        say(self.pairs[which].client, self.pairs[which].server)
        say(self.pairs[which].server, self.pairs[which].client)

    def is_reset(self, which: int) -> None:
        """The client's next request is answered with a RST."""
        self.pairs[which].client.sendall(b"still there?")
        assert what_comes(self.pairs[which].client) == "ECONNRESET"

    def hangs(self, which: int) -> None:
        """The client's next request is heard by nobody."""
        self.pairs[which].client.sendall(b"still there?")
        assert what_comes(self.pairs[which].server, within=SOON) == "nothing"
        assert what_comes(self.pairs[which].client, within=SOON) == "nothing"

    def waits(self, seconds: float) -> None:
        """Until so much time has passed for the firewall."""
        with Client(RunDirectory(self._base, self.name).control) as firewall:
            end = firewall.statistics()["uptime_s"] + seconds
            eventually(lambda: firewall.statistics()["uptime_s"] > end, what="time")


def _another(reader: Reader) -> None:
    reader.waits(2.0)
    reader.opens()


def _outage(reader: Reader) -> None:
    reader.hangs(-1)
    reader.waits(2.0)
    heard = eventually(
        lambda: what_comes(reader.pairs[-1].client, within=SOON).replace("nothing", ""),
        what="the RST",
    )
    assert heard == "ECONNRESET"


HAPPENS: dict[str, Callable[[Reader], None]] = {
    "a connection is opened": Reader.opens,
    "two seconds pass, and another connection is opened": _another,
    "the first one goes on as if nothing had happened": lambda reader: reader.works(0),
    "the client of the second one is reset at its next request": lambda reader: reader.is_reset(1),
    "the client of the first one is reset at its next request": lambda reader: reader.is_reset(0),
    "its client hears nothing for two seconds, and is reset then": _outage,
    "its client repeats its request in vain": lambda reader: reader.hangs(-1),
    "a client calls, and its call is not answered": Reader.calls_in_vain,
}


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    """Nothing of theirs is left."""
    monkeypatch.setenv(RUN_DIR, str(tmp_path))
    with ExitStack() as undo:
        undo.callback(lambda: fwemu("down", "--all"))
        yield Reader(tmp_path, undo)
    assert list(tmp_path.iterdir()) == []


def steps() -> list[tuple[str, str]]:
    """Every command and event of the guide, and what it shows after it."""
    blocks = re.findall(r"```console\n(.*?)```", GUIDE.read_text(), flags=re.DOTALL)
    return re.findall(r"^([$#] .*)\n((?:[^$#].*\n)*)", "".join(blocks), flags=re.MULTILINE)


@pytest.mark.kernel
def test_what_the_guide_shows_is_what_one_sees(reader: Reader) -> None:
    """From the first command to the last; `up` and `down` say what they always say."""
    for step, shown in steps():
        if step.startswith("#"):
            HAPPENS[step[2:]](reader)
            continue
        seen = reader.types(step[2:])
        if not step.startswith(("$ fwemu up", "$ fwemu down")):
            assert masked(seen, reader.name) == masked(shown, "lab1"), step
    assert len(steps()) > 10


def test_links_and_commands_of_the_guide_are_there() -> None:
    """A dead link is a promise that was not kept."""
    text = GUIDE.read_text()
    targets = [each for each in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in each]
    assert [target for target in targets if not (GUIDE.parent / target).exists()] == []
    assert set(re.findall(r"fwemu ([a-z]+)", text)) - set(COMMANDS) == set()
