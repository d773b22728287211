"""The words: each has its sentence, and says accept or drop."""

import pickle

import pytest

from fwemu.core.reasons import WHY, WHY_ENDED, Answer, EndReason, InjectedKind, Reason, Verdict


def test_every_reason_has_its_sentence():
    """No drop is ever unexplained."""
    assert set(WHY) == set(Reason)
    assert set(WHY_ENDED) == set(EndReason)
    for sentences in (WHY, WHY_ENDED):
        assert len(set(sentences.values())) == len(sentences)


@pytest.mark.parametrize("reason", Reason)
def test_a_reason_means_accept_drop_or_hold(reason):
    """The words of acceptance and of waiting, written out; all others refuse."""
    accepts = {"session", "opened", "picked_up", "ignored", "related", "fragment", "permitted"}
    verdict = Verdict.ACCEPT if reason.word in accepts else Verdict.DROP
    assert reason.verdict is (Verdict.HOLD if reason.word == "held" else verdict)


def test_reasons_are_numbered_without_gaps():
    """Counters are lists with a place for each; which place is nobody's business."""
    assert [int(reason) for reason in Reason] == list(range(len(Reason)))
    assert all(Reason(int(reason)) is reason for reason in Reason)


def test_a_reason_survives_the_pipe_between_the_processes():
    """Effects are pickled on their way to whoever asked for them."""
    for reason in Reason:
        assert pickle.loads(pickle.dumps(reason)) is reason


def test_the_words_of_verdicts_ends_and_answers():
    """They are labels of metrics: changing one breaks somebody's dashboard."""
    assert [verdict.word for verdict in Verdict] == ["drop", "accept", "hold"]
    assert [answer.word for answer in Answer] == ["drop", "reset", "reject"]
    assert [kind.word for kind in InjectedKind] == ["reset", "reject", "probe"]
    assert [reason.word for reason in EndReason] == [
        "expired",
        "evicted",
        "flushed",
        "killed",
        "closed_by_fin",
        "closed_by_rst",
        "reused",
        "lifetime",
        "unanswered",
        "failed_over",
        "rebooted",
    ]
