"""The reference of metrics and reasons says what the code does."""

from pathlib import Path

import pytest

from fwemu.core.reasons import EndReason, Reason
from fwemu.daemon import documentation
from fwemu.daemon.metrics import METRICS

CHECKOUT = Path(__file__).parents[2]


def test_the_generated_files_are_fresh() -> None:
    """Whoever adds a metric or a reason runs one command."""
    assert documentation.stale(CHECKOUT) == [], "run `python -m fwemu.daemon.documentation`"


def test_every_label_of_every_metric_has_its_values() -> None:
    """A new label without a list would be an unbounded one."""
    for metric in METRICS:
        for label in metric.labels:
            values = documentation.label_values(metric.name, label)
            assert len(set(values)) == len(values) > 0


def test_every_reason_is_on_the_page() -> None:
    """By the word under which it is found in logs."""
    page = documentation.reasons_page()
    for reason in (*Reason, *EndReason):
        assert f"| `{reason.word}` |" in page


def test_check_names_what_is_stale_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What `make check` relies on."""
    package = tmp_path / "fwemu" / "daemon"
    monkeypatch.setattr(documentation, "__file__", str(package / "documentation.py"))

    assert documentation.main(["--check"]) == 1
    assert "docs/reference/metrics.md is stale" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []

    assert documentation.main([]) == 0
    assert "wrote docs/reference/reasons.md" in capsys.readouterr().out
    assert documentation.main(["--check"]) == 0
    assert documentation.main(["--chekc"]) == 2
