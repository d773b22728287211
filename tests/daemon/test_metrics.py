"""What a scrape says: every metric, in Prometheus's own terms, with labels from lists."""

import re

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from fwemu.core.reasons import Reason
from fwemu.core.tcp_table import State
from fwemu.daemon.losses import Losses
from fwemu.daemon.metrics import HISTOGRAMS, METRICS, Collector
from fwemu.daemon.tally import Tally
from reference.daemon import exposed_name, label_values
from tests.daemon.fakes import EFFECTS
from tests.daemon.test_records import statistics


@pytest.fixture
def scrape() -> str:
    """A scrape after one of everything has happened."""
    tally = Tally()
    tally.write(EFFECTS)
    tally.time_to_verdict.observe(3e-5)
    registry = CollectorRegistry()
    registry.register(Collector(lambda: statistics(tally), Losses("metrics")))
    return generate_latest(registry).decode()


def test_prometheus_understands_all_of_it(scrape: str) -> None:
    """Each metric once, with its help and type."""
    families = {family.name: family for family in text_string_to_metric_families(scrape)}
    assert set(families) == {
        *(metric.name for metric in METRICS),
        *(name for name, _, _ in HISTOGRAMS),
    }
    for metric in METRICS:
        assert families[metric.name].type == metric.kind
        assert families[metric.name].documentation == metric.help
    for name, text, _ in HISTOGRAMS:
        assert families[name].type == "histogram"
        assert families[name].documentation == text


def test_every_label_value_is_on_its_list(scrape: str) -> None:
    """So the number of time series has a bound."""
    for family in text_string_to_metric_families(scrape):
        for sample in family.samples:
            for label, value in sample.labels.items():
                if label != "le":
                    assert value in label_values(family.name, label), sample


@pytest.mark.parametrize("reason", [each for each in Reason if each is not Reason.HELD])
def test_every_reason_has_a_series_from_the_start(scrape: str, reason: Reason) -> None:
    """A counter that appears with its first event has no rate for it."""
    verdict = reason.verdict.word
    line = f'fwemu_packets_total{{reason="{reason.word}",verdict="{verdict}"}} {float(reason)}'
    assert line in scrape.splitlines()


def test_packets_that_wait_are_no_counter(scrape: str) -> None:
    """They become fewer as well; each is counted once it has its verdict."""
    assert 'verdict="hold"' not in scrape
    assert f"fwemu_fragments_held {float(Reason.HELD)}" in scrape.splitlines()
    line = 'fwemu_fragments_released_total{reason="fragment",verdict="accept"} 1.0'
    assert line in scrape.splitlines()


def test_every_state_has_a_series(scrape: str) -> None:
    """Under the protocol it belongs to."""
    found = dict(re.findall(r'fwemu_sessions\{protocol="(\w+)",state="(\w+)"\}', scrape)[::-1])
    assert set(found) == {"tcp", "udp", "icmp", "other"}
    for state in State:
        assert (f'state="{state.name}"' in scrape) == bool(state)
    assert 'fwemu_sessions{protocol="udp",state="UDP_REPLIED"}' in scrape
    assert 'fwemu_sessions{protocol="tcp",state="SYN_SENT2"}' in scrape


def test_what_the_kernel_lost_is_told_apart_from_what_was_dropped(scrape: str) -> None:
    """Overload of the machine is no verdict."""
    assert 'fwemu_queue_lost_total{limit="queue_full"} 2.0' in scrape
    assert 'fwemu_queue_lost_total{limit="buffer_full"} 3.0' in scrape
    assert "fwemu_injection_failures_total 4.0" in scrape


def test_histograms_are_cumulative(scrape: str) -> None:
    """As Prometheus wants them; the sum beside them."""
    assert 'fwemu_idle_age_seconds_bucket{le="5.0"} 0.0' in scrape
    assert 'fwemu_idle_age_seconds_bucket{le="15.0"} 1.0' in scrape
    assert 'fwemu_idle_age_seconds_bucket{le="+Inf"} 1.0' in scrape
    assert "fwemu_idle_age_seconds_count 1.0" in scrape
    assert "fwemu_idle_age_seconds_sum 10.0" in scrape


def test_names_follow_the_conventions() -> None:
    """Prefix, base units, `_total` exactly for counters; a help that is a sentence."""
    names = [exposed_name(metric) for metric in METRICS] + [name for name, _, _ in HISTOGRAMS]
    assert len(set(names)) == len(names)
    for name in names:
        assert re.fullmatch(r"fwemu_[a-z_]+", name)
        assert not name.endswith(("_ms", "_ns", "_milliseconds", "_count", "_total_total"))
    for metric in METRICS:
        assert not metric.name.endswith("_total")
        assert metric.help.endswith(".")


def test_registering_asks_nothing_of_the_engine() -> None:
    """The registry is made before the engine runs."""

    def never() -> None:
        raise AssertionError("asked")

    CollectorRegistry().register(Collector(never, Losses("metrics")))  # type: ignore[arg-type]


def test_a_metric_that_cannot_be_made_is_left_out_and_counted(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The others are what somebody watches the firewall by."""
    losses = Losses("metrics")
    planted = statistics(Tally())._replace(capacity="many", packets={})  # type: ignore[arg-type]
    registry = CollectorRegistry()
    registry.register(Collector(lambda: planted, losses))
    for scrapes in (1, 2):
        told = {each.name for each in text_string_to_metric_families(scraped(registry))}
        missing = {metric.name for metric in METRICS} - told
        assert missing == {
            "fwemu_sessions_capacity", "fwemu_packets", "fwemu_fragments_held",
        }  # fmt: skip
        assert losses.state.lost == 3 * scrapes
    assert 'fwemu_not_recorded_total{sink="metrics"} 6.0' in scraped(registry)
    assert capfd.readouterr().err.count("Traceback") == 1


def scraped(registry: CollectorRegistry) -> str:
    return generate_latest(registry).decode()
