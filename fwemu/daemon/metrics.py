"""The firewall's counters as Prometheus metrics.

Names begin with `fwemu_`, units are base units, and label values come from fixed lists only, so
that the number of time series has a bound.  `METRICS` is what there is; the docs are made from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Final, NamedTuple

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from fwemu.core.reasons import Reason, Verdict
from fwemu.core.tcp_table import State
from fwemu.daemon.losses import Losses
from fwemu.daemon.records import Statistics
from fwemu.daemon.tally import Histogram

Labels = tuple[str, ...]
Sample = tuple[Labels, float]


class MetricKind(NamedTuple):
    """A metric: name, description, and the source of its samples."""

    name: str
    kind: str
    """`counter` or `gauge`."""
    help: str
    labels: Labels
    samples: Callable[[Statistics], Iterable[Sample]]


def _by_reason(counts: dict[str, int]) -> Iterator[Sample]:
    for reason in Reason:
        if reason.verdict is not Verdict.HOLD:  # those are counted once they have their verdict
            yield (reason.verdict.word, reason.word), counts[reason.word]


def _protocol_of(state: str) -> str:
    if state.startswith("UDP"):
        return "udp"
    return {State.ICMP.name: "icmp", State.OTHER.name: "other"}.get(state, "tcp")


METRICS: Final = (
    MetricKind(
        "fwemu_packets", "counter", "Packets decided, by verdict and reason.",
        ("verdict", "reason"), lambda s: _by_reason(s.packets),
    ),
    MetricKind(
        "fwemu_bytes", "counter",
        "Bytes of the packets decided (IP packets; a super-packet counts once).",
        ("verdict", "reason"), lambda s: _by_reason(s.octets),
    ),
    MetricKind(
        "fwemu_sessions", "gauge", "Sessions in the table, by protocol and state.",
        ("protocol", "state"),
        lambda s: (((_protocol_of(state), state), count) for state, count in s.sessions.items()),
    ),
    MetricKind(
        "fwemu_sessions_capacity", "gauge", "Sessions that the table can hold.",
        (), lambda s: [((), s.capacity)],
    ),
    MetricKind(
        "fwemu_sessions_opened", "counter", "Sessions opened, by protocol.",
        ("protocol",), lambda s: (((protocol,), n) for protocol, n in s.tally.opened.items()),
    ),
    MetricKind(
        "fwemu_sessions_ended", "counter", "Sessions that left the table, by protocol and reason.",
        ("protocol", "reason"), lambda s: s.tally.ended.items(),
    ),
    MetricKind(
        "fwemu_state_changes", "counter", "Changes of state, by the state that was entered.",
        ("state",), lambda s: (((state,), n) for state, n in s.tally.transitions.items()),
    ),
    MetricKind(
        "fwemu_unknown_packets", "counter",
        "Packets without a session that may not open one, by zone and by what the sender heard.",
        ("zone", "answer"), lambda s: s.tally.unknown.items(),
    ),
    MetricKind(
        "fwemu_fragments_held", "gauge",
        "Fragments that wait for the first one of their datagram.",
        (), lambda s: [((), s.packets[Reason.HELD.word])],
    ),
    MetricKind(
        "fwemu_fragments_released", "counter",
        "Fragments that had to wait for their verdict, by verdict and reason.",
        ("verdict", "reason"), lambda s: s.tally.released.items(),
    ),
    MetricKind(
        "fwemu_packets_injected", "counter",
        "Packets that the firewall made itself, by kind and by the zone they went to.",
        ("kind", "zone"), lambda s: s.tally.injected.items(),
    ),
    MetricKind(
        "fwemu_injection_failures", "counter",
        "Packets of its own that the kernel would not send (no route, link down).",
        (), lambda s: [((), s.injection_failures)],
    ),
    MetricKind(
        "fwemu_keepalive_probes", "counter", "TCP keepalive probes seen, by direction.",
        ("direction",), lambda s: (((way,), n) for way, n in s.tally.keepalives.items()),
    ),
    MetricKind(
        "fwemu_queue_length", "gauge", "Packets that wait in the kernel's queue.",
        (), lambda s: [((), s.queue_waiting)],
    ),
    MetricKind(
        "fwemu_queue_lost", "counter",
        "Packets that the kernel lost before the firewall saw them: overload of this machine, "
        "not a verdict.",
        ("limit",),
        lambda s: [(("queue_full",), s.queue_lost_full), (("buffer_full",), s.queue_lost_buffer)],
    ),
    MetricKind(
        "fwemu_not_recorded", "counter",
        "Events that a log or the counters did not take (a full disk), and metrics that could not "
        "be made; no verdict was changed by that.",
        ("sink",), lambda s: (((each.sink,), each.lost) for each in s.sinks),
    ),
    MetricKind(
        "fwemu_failed_requests", "counter", "Requests of the API at which the engine failed.",
        (), lambda s: [((), s.failed_requests)],
    ),
    MetricKind(
        "fwemu_uptime_seconds", "gauge", "Seconds since the firewall started, by its own clock.",
        (), lambda s: [((), s.uptime_s)],
    ),
)  # fmt: skip

HISTOGRAMS: Final[tuple[tuple[str, str, Callable[[Statistics], Histogram]], ...]] = (
    (
        "fwemu_idle_age_seconds",
        "How long the idle timer of a session had run when it ended.",
        lambda s: s.tally.idle_age,
    ),
    (
        "fwemu_verdict_seconds",
        "Time from receiving a packet to its verdict (one packet in 16 is measured).",
        lambda s: s.tally.time_to_verdict,
    ),
)

_FAMILIES: Final = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily}


class Collector:
    """Asks for the statistics at every scrape; a metric that cannot be made is left out."""

    def __init__(self, statistics: Callable[[], Statistics], losses: Losses) -> None:
        self._statistics = statistics
        self._losses = losses

    def collect(self) -> Iterator[Metric]:
        """All metrics, as of now."""
        statistics = self._statistics()
        statistics = statistics._replace(sinks=(*statistics.sinks, self._losses.state))
        before = self._losses.count
        for make in _RECIPES:
            try:
                metric = make(statistics)
            except Exception as error:
                self._losses.add(error, 1)
            else:
                yield metric
        if self._losses.count == before:
            self._losses.over()

    def describe(self) -> list[Metric]:
        """Nothing: the registry need not ask the engine when it is made."""
        return []


def _family(metric: MetricKind, statistics: Statistics) -> Metric:
    family: CounterMetricFamily | GaugeMetricFamily = _FAMILIES[metric.kind](
        metric.name, metric.help, labels=metric.labels
    )
    for labels, value in metric.samples(statistics):
        family.add_metric(list(labels), float(value))  # else it would fail when it is printed
    return family


def _histogram(
    name: str, text: str, of: Callable[[Statistics], Histogram], statistics: Statistics
) -> Metric:
    histogram = of(statistics)
    buckets = []
    running = 0
    for bound, count in zip((*histogram.bounds, float("inf")), histogram.counts, strict=True):
        running += count
        buckets.append(("+Inf" if bound == float("inf") else str(bound), running))
    family: Metric = HistogramMetricFamily(name, text, buckets=buckets, sum_value=histogram.total)
    return family


_RECIPES: Final[tuple[Callable[[Statistics], Metric], ...]] = (
    *(partial(_family, metric) for metric in METRICS),
    *(partial(_histogram, *histogram) for histogram in HISTOGRAMS),
)
