"""The reference of metrics and reasons says what the code does."""

from fwemu.core.reasons import EndReason, Reason
from fwemu.daemon.metrics import METRICS
from reference import daemon


def test_every_label_of_every_metric_has_its_values() -> None:
    """A new label without a list would be an unbounded one."""
    for metric in METRICS:
        for label in metric.labels:
            values = daemon.label_values(metric.name, label)
            assert len(set(values)) == len(values) > 0


def test_every_reason_is_on_the_page() -> None:
    """By the word under which it is found in logs."""
    page = daemon.reasons_page()
    for reason in (*Reason, *EndReason):
        assert f"| `{reason.word}` |" in page
