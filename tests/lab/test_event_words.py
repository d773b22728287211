"""The words of events: one table for the lines of `fwemu events` and for reports."""

import pytest

from fwemu.daemon.records import RECORDS
from fwemu.lab.event_words import WORDS, in_a_line, in_a_report
from tests.daemon.fakes import EFFECTS


def test_every_kind_of_effect_has_words() -> None:
    """A new one must not be told as bare fields by accident, in the one place or the other."""
    assert {name for name, _ in RECORDS.values()} <= set(WORDS)


@pytest.mark.parametrize("effect", EFFECTS, ids=lambda each: type(each).__name__)
def test_what_the_log_has_can_be_told_in_both_places(effect) -> None:
    """From the record as it is written: neither looks for a field that is not there."""
    name, record_of = RECORDS[type(effect)]
    event = {"event": name, **record_of(effect)}
    for told in (in_a_line(event), in_a_report(event)):
        assert told
        assert "{" not in told
