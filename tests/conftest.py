"""What all tests share: an end, signals as in a shell, the skip without root, and labs."""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from fwemu.daemon.needs import is_privileged
from fwemu.lab import Lab
from netns import Namespace, Network
from tests.kit.given_back import GivenBack
from tests.kit.ground import Ground
from tests.kit.labs import as_new, eventually, unique
from tests.kit.limit import Watch, time_limit

_WATCH = pytest.StashKey[Watch]()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """A test that hangs is a failure, and not the end of the run."""
    stash = item.config.stash
    if _WATCH not in stash:
        stash[_WATCH] = watch = Watch()
        item.config.add_cleanup(watch.close)
    with time_limit(stash[_WATCH]):
        return (yield)


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """`-q` leaves out the header, where pytest-randomly names the order of this run."""
    seed = terminalreporter.config.getoption("randomly_seed", None)
    if isinstance(seed, int):
        terminalreporter.write_line(f"the order of these tests: --randomly-seed={seed}")


@pytest.fixture(autouse=True, scope="session")
def signals_as_in_a_shell() -> Iterator[None]:
    """Ctrl-C and a hangup reach this process and what it starts, also below `nohup` and in CI.

    Ignored signals are inherited: a program that is started where SIGINT is ignored never hears
    of it.  A handler in their place is not; it becomes the default disposition in a new program.
    """
    handlers = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGHUP: lambda number, frame: None,  # the run itself goes on, as nohup promised
        signal.SIGTERM: signal.SIG_DFL,
        signal.SIGQUIT: signal.SIG_DFL,
    }
    ignored = [number for number in handlers if signal.getsignal(number) is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, handlers[number])
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """`make check` wants an answer soon: it leaves out what is slow with what needs a kernel."""
    if "not kernel" in config.option.markexpr:
        slow = [item for item in items if item.get_closest_marker("slow")]
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in slow]


@pytest.fixture(autouse=True)
def needs_root(request: pytest.FixtureRequest) -> None:
    """Tests on the real kernel need root."""
    if request.node.get_closest_marker("kernel") and not is_privileged():
        pytest.skip("needs root for network namespaces: run it with sudo")


@pytest.fixture(autouse=True, scope="session")
def given_back() -> Iterator[GivenBack | None]:
    """The machine gets the addresses of every lab back; else the last test of the run fails."""
    if not is_privileged():
        yield None
        return
    watched = GivenBack()
    yield watched
    with suppress(AssertionError):
        eventually(lambda: not watched.look("the last test"), within=20)
    assert watched.since == {}, "rules for labs that are gone (`ip rule`), first seen after a test"


@pytest.fixture(autouse=True)
def addresses_given_back(
    request: pytest.FixtureRequest, given_back: GivenBack | None
) -> Iterator[None]:
    """Remembers the test after which the machine first kept addresses that no lab has."""
    yield
    if given_back is not None and request.node.get_closest_marker("kernel"):
        given_back.look(request.node.nodeid)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run directory of this module's own."""
    return tmp_path_factory.mktemp("run")


@pytest.fixture
def new_lab(base: Path) -> Iterator[Callable[..., Lab]]:
    """Makes labs that are gone after the test; takes what `Lab` takes."""
    with ExitStack() as undo:

        def make(**arguments: Any) -> Lab:
            return undo.enter_context(Lab(name=unique(), base=base, **arguments))

        yield make


@pytest.fixture
def ground(base: Path) -> Iterator[Ground]:
    """Client, a forwarding namespace, server; what a test starts there is ended."""
    with Network() as network:
        yield Ground(network, base)


@pytest.fixture
def machine() -> Iterator[Namespace]:
    """A machine with a network of its own, on which this thread is: nobody else has labs there."""
    with Network() as network:
        namespace = network.namespace(unique("machine"))
        with namespace.enter():
            yield namespace


@pytest.fixture(scope="module")
def module_lab(base: Path) -> Iterator[Lab]:
    """One lab for all tests of a module; ask for `lab` instead."""
    with Lab(name=unique(), base=base) as lab:
        yield lab


@pytest.fixture
def lab(module_lab: Lab) -> Lab:
    """A lab that looks as if new: no sessions, default settings.  Shared by the module."""
    as_new(module_lab)
    return module_lab
