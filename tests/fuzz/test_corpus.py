"""Every case that fuzzing began with or came upon, and the fuzzer itself.

`make fuzz` looks for new ones (see CONTRIBUTING.md).
"""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from fwemu.core import firewall as core
from fwemu.core import stateful
from fwemu.core.reasons import Reason
from fwemu.core.session import Session
from tests.fuzz.__main__ import CORPUS, fuzz
from tests.fuzz.case import ACTIONS, ZONES, Case, Step, read
from tests.fuzz.invariants import DO, BrokenError, run
from tests.fuzz.policies import POLICIES

CASES = sorted(CORPUS.glob("*.case"))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_case_of_the_corpus_breaks_nothing(path: Path) -> None:
    """What has once been found stays found; `tests/fuzz/invariants.py` says what must hold."""
    run(read(path))


def test_the_corpus_plays_under_every_policy_and_reaches_nearly_every_reason() -> None:
    """Mutations get only where the corpus is near."""
    assert {read(path).policy for path in CASES} == set(POLICIES)
    shown = {word for path in CASES for behaviour in run(read(path)) for word in behaviour}
    assert {each for each in Reason if each in shown} >= set(Reason) - {Reason.REBOOTING}


def test_the_words_of_a_case_are_those_that_can_be_done() -> None:
    """A word without its action would be a KeyError while fuzzing."""
    assert ACTIONS.keys() == DO.keys()
    assert not ACTIONS.keys() & ZONES.keys()


@pytest.mark.parametrize("path", CASES[:5], ids=lambda path: path.stem)
def test_a_case_is_written_as_it_is_read(path: Path, tmp_path: Path) -> None:
    """So that a file of the corpus can be edited by hand."""
    case = read(path)
    copy = tmp_path / "copy.case"
    copy.write_text(str(case))
    assert read(copy) == case


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("policy default\n0 inside 45zz\n", "copy.case:2: non-hexadecimal number"),
        ("policy default\n0 sideways 45\n", "copy.case:2: no step sideways 45"),
        ("policy default\n0 set nowhere\n", "copy.case:2: no step set nowhere"),
        ("# nothing else\n", "copy.case: no policy ''"),
    ],
)
def test_a_case_that_cannot_be_read_says_where(tmp_path: Path, text: str, problem: str) -> None:
    """A file that a person has edited, for instance."""
    path = tmp_path / "copy.case"
    path.write_text(text)
    with pytest.raises(ValueError, match=problem):
        read(path)


# -- the fuzzer --


def without_end(corpus: Path, seed: int, cases: int) -> object:
    """Fuzz with a number of cases as the only limit."""
    return fuzz(corpus, seed, cases=cases, until=math.inf, keep=False)


def start(corpus: Path) -> None:
    """A corpus of one case: a handshake and a byte."""
    name = "tcp-from-syn-to-time-wait-ipv4.case"
    (corpus / name).write_text((CORPUS / name).read_text())


def test_the_same_seed_gives_the_same_cases(tmp_path: Path) -> None:
    """What somebody else has found can be found again."""
    start(tmp_path)
    first, again = (without_end(tmp_path, 7, 200) for _ in range(2))
    assert first == again
    assert without_end(tmp_path, 8, 200) != first


def test_cases_that_show_something_new_are_kept_if_asked(tmp_path: Path) -> None:
    """Few and short ones; with them in the corpus there is nothing new about them."""
    start(tmp_path)
    found = fuzz(tmp_path, 7, cases=15, until=math.inf, keep=True)
    assert found.behaviours > 0
    assert 0 < len(found.written) < 15
    shown = [run(read(path)) for path in sorted(tmp_path.glob("*.case"))]
    (first, *_) = [run(read(path)) for path in tmp_path.glob("tcp-*.case")]
    assert len(set().union(*shown) - first) >= found.behaviours


def _raises(patch: pytest.MonkeyPatch) -> None:
    """An exception on a packet that no test has thought of: a RST with a closed window."""
    parse = core.parse

    def broken(data: bytes) -> object:
        packet = parse(data)
        if getattr(packet, "flags", 0) == 0x14 and packet.window == 0:  # type: ignore[union-attr]
            raise IndexError("planted")
        return packet

    patch.setattr(core, "parse", broken)


def _wrong_verdict(patch: pytest.MonkeyPatch) -> None:
    """A decision that says drop where its reason says accept."""
    wrong = stateful._IGNORED._replace(verdict=Reason.DENIED.verdict)
    patch.setattr(stateful, "_IGNORED", wrong)


def _drop_that_changes(patch: pytest.MonkeyPatch) -> None:
    """A segment that is refused restarts the timer all the same."""
    refuse = core.Refusals.refuse

    def broken(self: core.Refusals, arrival: object, reason: Reason, *args: object, **more: object):
        if reason is Reason.OUT_OF_WINDOW:
            session = firewalls[-1].table.get(more["session"])
            assert isinstance(session, Session)
            session.restarted = arrival.now + 1  # type: ignore[attr-defined]
        return refuse(self, arrival, reason, *args, **more)  # type: ignore[arg-type]

    firewalls: list[core.Firewall] = []
    handle = core.Firewall.handle

    def watched(self: core.Firewall, *args: object) -> object:
        firewalls.append(self)
        return handle(self, *args)  # type: ignore[arg-type]

    patch.setattr(core.Firewall, "handle", watched)
    patch.setattr(core.Refusals, "refuse", broken)


def _too_many(patch: pytest.MonkeyPatch) -> None:
    """A full table that always finds room."""
    patch.setattr(core.Endings, "make_room", lambda self, now: (True, ()))


@pytest.mark.parametrize(
    ("plant", "sentence"),
    [
        (_raises, "raised IndexError: planted"),
        (_wrong_verdict, "the verdict is not that of the reason"),
        (_drop_that_changes, "a packet with the verdict drop changed a session"),
        (_too_many, "more sessions than the capacity"),
    ],
)
def test_a_planted_bug_is_found_written_and_replayed(
    plant, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fuzzer that finds nothing proves nothing, unless it would have found something."""
    for path in CASES:
        (tmp_path / path.name).write_text(path.read_text())
    with monkeypatch.context() as patch:
        plant(patch)
        broken = [path for path in CASES if breaks_now(path)]
        for path in broken:  # the corpus itself would tell: only what mutation finds counts here
            (tmp_path / path.name).unlink()
        found = without_end(tmp_path, 3, 20_000)
        assert sentence in found.broken
        (path,) = found.written
        with pytest.raises(BrokenError, match=sentence):
            run(read(path))
    assert f"Found by `make fuzz SEED=3`: step {len(read(path).steps)}" in read(path).why
    assert run(read(path))


def breaks_now(path: Path) -> bool:
    """Does this case of the corpus tell the bug?"""
    try:
        run(read(path))
    except BrokenError:
        return True
    return False


def test_a_case_that_breaks_is_made_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads it sees the packet that matters, not sixty."""
    monkeypatch.setattr(core.Endings, "make_room", lambda self, now: (True, ()))
    steps = read(CORPUS / "full-evicts-the-quietest.case").steps
    long = Case("nothing", (Step(0, "tick"),) * 20 + steps + steps)
    (tmp_path / "long.case").write_text(str(Case("default", long.steps)))
    found = without_end(tmp_path, 1, 10_000)
    (path,) = found.written
    assert len(read(path).steps) <= 3
