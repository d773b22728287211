"""The pytest plugin: a firewall between the test and its server, one for each test.

    @pytest.mark.firewall(profile="cisco-asa")
    def test_the_pool_survives_an_idle_hour(lab):
        lab.server.start(["redis-server", "--bind", lab.server.ip], port=6379)
        with lab.client:
            ...

Every fixture is an override point: define one of the same name in a conftest.py or a module.  What
a marker says goes on top of what the fixtures say.  Nothing of fwemu is loaded before the first
test asks for a lab, so that a suite without one does not notice this plugin.  docs/guides/pytest.md
"""

from __future__ import annotations

import difflib
import json
import shlex
import sys
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, NoReturn

import pytest

if TYPE_CHECKING:
    from fwemu.client import Client
    from fwemu.lab import Lab, Topology

ARGUMENTS: Final = (
    "profile", "profiles", "settings", "config", "topology", "allow_untraversed",
    "allow_doubtful",
)  # fmt: skip
"""Of the marker."""

LOG_LINES: Final = 40
"""The last lines of the firewall log that a failing test shows."""

_MARKER: Final = (
    "firewall(profile, profiles, settings, config, topology, allow_untraversed, allow_doubtful): "
    "what the firewall of the fixture "
    "`lab` is like: the profile of a device, or several, for each of which the test is run; "
    'settings as {"timeouts.tcp_established": "5s"} or ["timeouts.tcp_established=5s"]; a '
    'configuration file, seen from the directory of the test; a topology as in {"clients": 2}; '
    "allow_untraversed=True if the test may pass although nothing has crossed the firewall, "
    "allow_doubtful=True if it may although the answer of a fast-forward is not to be trusted"
)
UNTRAVERSED: Final = (
    "nothing crossed the firewall: make and connect the client's sockets inside `with lab.client`, "
    "to lab.server.ip"
)

_lab_of: Final = pytest.StashKey["Lab"]()
_lacks: Final = pytest.StashKey[str]()


# -- options and the marker ---------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--fwemu-require`, `--fwemu-allow-untraversed`, and both for the configuration file."""
    for name, text in _SWITCHES.items():
        option = f"--{name.replace('_', '-')}"
        parser.getgroup("fwemu").addoption(option, action="store_true", help=text)
        parser.addini(name, text, type="bool", default=False)


_SWITCHES: Final = {
    "fwemu_require": "fail tests that need a firewall where none can be made (root, kernel), "
    "instead of skip",
    "fwemu_allow_untraversed": "let tests with a lab pass although nothing crossed its firewall",
    "fwemu_allow_doubtful": "let tests go on although the answer of a fast-forward is not to be "
    "trusted",
}


def _is_on(config: pytest.Config, switch: str) -> bool:
    return bool(config.getoption(f"--{switch.replace('_', '-')}") or config.getini(switch))


def pytest_configure(config: pytest.Config) -> None:
    """Tell pytest (and `pytest --markers`) of the marker."""
    config.addinivalue_line("markers", _MARKER)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test with `profiles` is run for each of them."""
    profiles = _said(metafunc.definition).get("profiles")
    if (
        profiles is not None
        and _is_list_of_words(profiles)
        and "fwemu_profile" in metafunc.fixturenames
    ):
        metafunc.parametrize("fwemu_profile", profiles)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """A marker that cannot be understood is an error of its test, before anything is made."""
    for marker in item.iter_markers("firewall"):
        if problem := _problem(marker):
            _wrong(item, problem)
    said = _said(item)
    profiles, profile = said.get("profiles"), said.get("profile")
    if profiles is not None and profile is not None:
        _wrong(item, "give profile or profiles, not both")
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    if profile is not None and "fwemu_profile" in parameters:
        _wrong(item, "profile is given, and fwemu_profile is a parameter of the test: one of both")


def _said(item: Any) -> dict[str, Any]:
    """What all markers of a test say; the closest counts, but settings are added up."""
    said: dict[str, Any] = {}
    settings: list[str] = []
    for marker in reversed(list(item.iter_markers("firewall"))):
        said |= marker.kwargs
        with suppress(TypeError):  # said elsewhere
            settings += _settings(marker.kwargs.get("settings"))
    return said | {"settings": settings}


def _problem(marker: pytest.Mark) -> str | None:
    """What is wrong with it, if anything is."""
    if marker.args:
        return f"{marker.args[0]!r} needs a name, as in profile={marker.args[0]!r}"
    for name, value in marker.kwargs.items():
        if name not in ARGUMENTS:
            alike = difflib.get_close_matches(name, ARGUMENTS, n=1)
            hint = f"did you mean {alike[0]}?" if alike else f"there are: {', '.join(ARGUMENTS)}"
            return f"no argument is named {name!r}; {hint}"
        fits, wanted = _KINDS[name]
        if value is not None and not fits(value):
            return f"{name}={value!r}: give {wanted}"
    return None


def _is_list_of_words(value: object) -> bool:
    return (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and bool(value)
        and all(isinstance(word, str) for word in value)
    )


def _is_topology(value: object) -> bool:
    return isinstance(value, Mapping) or type(value).__name__ == "Topology"


_KINDS: Final[dict[str, tuple[Callable[[object], bool], str]]] = {
    "profile": (lambda value: isinstance(value, str), 'the name of one, as in "cisco-asa"'),
    "profiles": (_is_list_of_words, 'a list of names, as in ["cisco-asa", "pf"]'),
    "settings": (
        lambda value: isinstance(value, Mapping) or _is_list_of_words(value) or value == [],
        'a dict or a list, as in {"table.capacity": 10} or ["table.capacity=10"]',
    ),
    "config": (lambda value: isinstance(value, str | Path), "the path of a file"),
    "topology": (_is_topology, 'a Topology, or a dict as in {"clients": 2}'),
    "allow_untraversed": (lambda value: isinstance(value, bool), "True or False"),
    "allow_doubtful": (lambda value: isinstance(value, bool), "True or False"),
}
"""By argument: does a value fit, and what would."""


def _settings(given: Any) -> list[str]:
    """Settings as `key=value`, from a dict or a list."""
    if given is None:
        return []
    if isinstance(given, Mapping):
        return [f"{key}={_word(value)}" for key, value in given.items()]
    return list(given)


def _word(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _wrong(item: pytest.Item, problem: str) -> NoReturn:
    pytest.fail(f"{item.nodeid}: @pytest.mark.firewall: {problem}", pytrace=False)


# -- fixtures -----------------------------------------------------------------------------------


@pytest.fixture
def fwemu_profile() -> str | None:
    """The device that the firewall behaves like, unless a marker says another; none by default."""
    return None


@pytest.fixture
def fwemu_settings() -> Sequence[str] | Mapping[str, object]:
    """Settings of every firewall; those of a marker go on top."""
    return []


@pytest.fixture
def fwemu_config() -> Path | None:
    """The configuration file of every firewall, unless a marker says another; none by default."""
    return None


@pytest.fixture
def fwemu_topology() -> Topology:
    """Which hosts there are, unless a marker says so; one client and one server by default."""
    from fwemu.lab import Topology

    return Topology()


@pytest.fixture
def lab(
    request: pytest.FixtureRequest,
    fwemu_profile: str | None,
    fwemu_settings: Sequence[str] | Mapping[str, object],
    fwemu_config: Path | None,
    fwemu_topology: Topology,
) -> Iterator[Lab]:
    """Client, firewall and server for one test (`fwemu.lab.Lab`); nothing is left afterwards.

    Skips the test where none can be made, and says why; fails it under `--fwemu-require`.
    """
    from fwemu.errors import ConfigError

    item = request.node
    said = _said(item)
    config = fwemu_config
    if said.get("config") is not None:
        config = item.path.parent / said["config"]
    settings = [*_settings(fwemu_settings), *said["settings"]]
    topology = said.get("topology") or fwemu_topology
    try:
        made = _made(said.get("profile") or fwemu_profile, settings, config, topology)
    except ConfigError as error:
        problems = str(error).replace("--profile:", "profile:").replace("--set ", "settings: ")
    else:
        problems = ""
    if problems:
        _wrong(item, problems)
    made.strict = not said.get("allow_doubtful", _is_on(item.config, "fwemu_allow_doubtful"))
    if lack := item.config.stash.get(_lacks, None) or _build_or_explain(item.config, made):
        item.config.stash[_lacks] = lack
        _cannot(item, lack)
    try:
        item.stash[_lab_of] = made
        yield made
    finally:
        del item.stash[_lab_of]
        made.close()


@pytest.fixture
def firewall(lab: Lab) -> Client:
    """The control API of the lab's firewall (`fwemu.client.Client`)."""
    return lab.firewall


def _made(profile: str | None, settings: list[str], config: Path | None, topology: Any) -> Lab:
    """The lab, still to be built; raises ConfigError."""
    from fwemu.config import Config, LogEvent, load
    from fwemu.errors import ConfigError
    from fwemu.lab import Lab, Layout, Topology

    if isinstance(topology, Mapping):
        try:
            layout = Layout(topology.get("layout", Layout.SINGLE))
            topology = Topology(**{**topology, "layout": layout})
        except (TypeError, ValueError) as error:
            raise ConfigError(
                f"topology={dict(topology)!r}: give clients, servers (numbers) and layout "
                f"({', '.join(each.value for each in Layout)})"
            ) from error
    loaded = load(config, profile, settings)
    if loaded.daemon.log_events == Config().daemon.log_events:
        # all of them: the story that a failing test shows lives of them
        every = [event.value for event in LogEvent]
        settings = [f"daemon.log_events={every}", *settings]
    return Lab(profile=profile, settings=settings, config=config, topology=topology)


def _build_or_explain(config: pytest.Config, made: Lab) -> str | None:
    """Build the lab; where that is not possible, say what this machine or user lacks for it.

    A plain `Lab` would take an ordinary user's process into a user namespace.  Not so here: all
    other tests of the session would leave the machine's network with it.
    """
    from fwemu.daemon import needs
    from fwemu.daemon.checks import explaining
    from fwemu.errors import MissingError, PrivilegeError

    command = _command(config)
    try:
        if not needs.is_privileged():
            from netns import userns

            if userns.refusal():
                return f"{needs.PRIVILEGES.missing(needs.without_root())} (as in: sudo {command})"
            return (
                "this needs root, or a user namespace of its own for the whole run, as in: "
                f"sudo {command}, or {sys.executable} -m fwemu.rootless -- {command}"
            )
        with explaining():
            made.up()
    except (PrivilegeError, MissingError) as error:
        return str(error)
    return None


def _command(config: pytest.Config) -> str:
    """The command of the whole run, to be typed again with something in front of it."""
    of_xdist = getattr(config, "workerinput", {}).get("mainargv")
    words = of_xdist[1:] if of_xdist else config.invocation_params.args
    return shlex.join([sys.executable, "-m", "pytest", *map(str, words)])


def _cannot(item: pytest.Item, why: str) -> NoReturn:
    """No lab can be made here."""
    if _is_on(item.config, "fwemu_require"):
        pytest.fail(f"fwemu: {why}", pytrace=False)
    pytest.skip(f"fwemu: {why}")


# -- what a test has shown when it passes ---------------------------------------------------------


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """A test that would pass although its firewall had nothing to do with it fails."""
    result = yield
    lab = item.stash.get(_lab_of, None)
    if lab is None:
        if any(mark.name == "firewall" for mark in item.own_markers):
            _wrong(item, "this test asks for neither of the fixtures lab and firewall")
        return result
    may_be = _said(item).get("allow_untraversed", _is_on(item.config, "fwemu_allow_untraversed"))
    if not may_be and (problem := _untraversed(lab)):
        way_out = "@pytest.mark.firewall(allow_untraversed=True)"
        pytest.fail(f"fwemu: {problem} (a test that means this says {way_out})", pytrace=False)
    return result


def _untraversed(lab: Lab) -> str | None:
    """What speaks against it that packets have come to the firewall of this lab."""
    from fwemu.errors import FwemuError
    from fwemu.lab.faults import has_seen_packets, settled_statistics

    try:
        return None if has_seen_packets(settled_statistics(lab.firewalls)) else UNTRAVERSED
    except FwemuError as error:
        return f"whether anything crossed the firewall cannot be told any more: {error}"


# -- what a failing test shows ------------------------------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that fails while it has a lab shows what the firewall has done."""
    if call.excinfo is not None:
        _leave_out_our_own_code(call.excinfo)
    report = yield
    lab = item.stash.get(_lab_of, None)
    if report.failed and lab is not None:
        report.sections += _evidence(lab)
    return report


def _leave_out_our_own_code(raised: pytest.ExceptionInfo[BaseException]) -> None:
    """An error that says what is wrong is shown where the test has caused it, and not further in.

    What lies behind it is our affair, and would be hundreds of lines.
    """
    if type(raised.value).__module__.partition(".")[0] not in _OURS:
        return
    last = None
    entry: TracebackType | None = raised.tb
    while entry is not None:
        module = str(entry.tb_frame.f_globals.get("__name__", ""))
        if module.partition(".")[0] not in _OURS or module == __name__:
            last = entry
        elif last is not None:
            break
        entry = entry.tb_next
    if last is not None and last.tb_next is not None:
        last.tb_next = None
        raised.value.__cause__ = None
        raised.value.__suppress_context__ = True


_OURS: Final = frozenset({"fwemu", "netns"})


def _evidence(lab: Lab) -> list[tuple[str, str]]:
    from fwemu.errors import FwemuError

    sections = []
    if (problem := _untraversed(lab)) == UNTRAVERSED:
        sections.append(("fwemu: a hint", problem))
    try:
        sections.append(("fwemu: what happened", lab.story()))
    except FwemuError as error:
        output = Path(lab.about.control).with_name("output.log")
        said = output.read_text(errors="replace") if output.exists() else ""
        sections.append(("fwemu: the firewall does not answer", f"{error}\n{said}".strip()))
    with suppress(OSError):
        lines = Path(lab.about.events).read_text().split("\n")[:-1]
        title = f"fwemu: firewall log, the last {LOG_LINES} of {len(lines)} lines"
        if len(lines) <= LOG_LINES:
            title = "fwemu: firewall log"
        sections.append((title, "\n".join(lines[-LOG_LINES:])))
    return sections
