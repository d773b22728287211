"""What `bench` prints, for people and for programs."""

import pytest

from bench.__main__ import MEASURES, cli
from bench.report import Figure, compared, number, tell
from bench.traffic import connections, established, firewall, udp_exchange
from bench.visits import compare, spread
from fwemu.core.reasons import Reason

VISITS = [("kernel", {"median": 20.0}), ("fwemu", {"median": 50.0}), ("kernel", {"median": 30.0})]
RATIO = compared("latency", "us", "kernel", compare(VISITS)[0])
ALONE = Figure("startup", "ready", "s", spread([0.25]))


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0123, "0.012"), (1.5, "1.5"), (12.345, "12.3"), (123.4, "123"), (98_765.4, "98,765")],
)
def test_numbers_have_as_many_digits_as_can_be_trusted(value, text):
    """Nobody should compare the fourth digit."""
    assert number(value) == text


def test_figures_are_told_with_what_they_are_compared_with(capsys):
    """A ratio alone hides whether the machine was slow."""
    tell([RATIO, ALONE])
    lines = capsys.readouterr().out.splitlines()
    assert " ".join(lines[1].split()) == "latency median fwemu : kernel 50 : 25 us 2.00 2.00-2.00 1"
    assert " ".join(lines[-1].split()) == "startup ready 0.25 s 0.25 - 0.25 1"


def test_a_record_says_only_what_there_is():
    """One object a line, for programs."""
    assert RATIO.record["ratio"] == {"median": 2, "lowest": 2, "highest": 2, "times": 1}
    assert RATIO.record["beside"] == "kernel"
    assert "ratio" not in ALONE.record


def test_the_list_says_what_each_measures(capsys):
    """The first line of its module."""
    cli.main(["ls"], standalone_mode=False)
    lines = capsys.readouterr().out.splitlines()[1:]
    assert [line.split()[0] for line in lines] == list(MEASURES)
    assert all(line.endswith(".") for line in lines)


@pytest.mark.parametrize("version", [4, 6])
def test_the_engine_is_measured_with_packets_that_belong(version):
    """Else the figure would be that of a refusal."""
    engine = firewall()
    some = connections(3, version)
    established(engine, some, 0)
    for connection in some:
        for data, zone in connection.exchange(2):
            decision = engine.handle(data, 0, zone)
            assert (decision.reason, decision.effects) == (Reason.SESSION, ())


def test_udp_is_measured_in_both_directions():
    """One session, replied."""
    engine = firewall()
    reasons = [engine.handle(data, 0, zone).reason for data, zone in udp_exchange(2)]
    assert reasons == [Reason.OPENED, *[Reason.SESSION] * 3]
    assert len(engine.table) == 1
