"""What the log, the API and the tables of counters say of every kind of effect."""

from typing import get_args

import orjson
import pytest

from fwemu.config.schema import LogEvent
from fwemu.core.effects import Effect, StateChanged
from fwemu.core.flow import ICMP, Flow, Zone
from fwemu.core.instants import NEVER, SECOND
from fwemu.core.policy import Policy
from fwemu.core.reasons import Reason
from fwemu.core.session import Session
from fwemu.core.tcp_table import State
from fwemu.core.timeouts import Lifetimes
from fwemu.daemon.losses import SinkState
from fwemu.daemon.records import (
    RECORDS,
    Statistics,
    endpoints,
    row_of,
    seconds,
    session_record,
    statistics_record,
)
from fwemu.daemon.tally import COUNTED, Tally
from tests.daemon.fakes import AT, EFFECTS


def record_of(effect):
    """The event that an effect becomes: its name, and what it says."""
    name, fields = RECORDS[type(effect)]
    return name, fields(effect)


KINDS = set(get_args(Effect))


def test_every_kind_of_effect_has_a_record_a_counter_and_a_setting() -> None:
    """A new effect must not be invisible by accident."""
    assert set(RECORDS) == KINDS
    assert set(COUNTED) == KINDS
    assert {type(effect) for effect in EFFECTS} == KINDS
    assert {name for name, _ in RECORDS.values()} == {event.value for event in LogEvent}


EXPECTED = {
    "answered": {"session": 7},
    "built": {
        "session": 7,
        "protocol": "tcp",
        "source": "10.0.1.2",
        "destination": "10.0.2.2",
        "source_port": 40000,
        "destination_port": 5432,
        "zone": "inside",
        "state": "SYN_SENT",
        "rule": 2,
        "picked_up": False,
    },
    "state_changed": {
        "session": 7,
        "before": "SYN_SENT",
        "state": "SYN_RECV",
        "direction": "reply",
    },
    "torn_down": {
        "session": 7,
        "protocol": "tcp",
        "source": "10.0.1.2",
        "destination": "10.0.2.2",
        "source_port": 40000,
        "destination_port": 5432,
        "zone": "inside",
        "reason": "expired",
        "state": "ESTABLISHED",
        "duration_s": 60.0,
        "idle_s": 10.0,
        "packets": {"original": 3, "reply": 2},
        "bytes": {"original": 166, "reply": 112},
        "rule": 2,
    },
    "denied": {
        "session": None,
        "protocol": "tcp",
        "source": "::1",
        "destination": "::2",
        "source_port": 40000,
        "destination_port": 5432,
        "zone": "outside",
        "reason": "unknown_packet",
        "answer": "reset",
        "segment": "ACK",
        "length": 72,
        "rule": None,
    },
    "released": {
        "protocol": "udp",
        "source": "10.0.1.2",
        "destination": "10.0.2.2",
        "source_port": 0,
        "destination_port": 0,
        "zone": "inside",
        "reason": "fragment",
        "verdict": "accept",
        "length": 1500,
    },
    "keepalive": {"session": 7, "direction": "reply"},
    "injected": {
        "session": 7,
        "kind": "reset",
        "zone": "inside",
        "protocol": "tcp",
        "source": "10.0.2.2",
        "destination": "10.0.1.2",
        "source_port": 5432,
        "destination_port": 40000,
    },
}


@pytest.mark.parametrize("effect", EFFECTS, ids=lambda effect: type(effect).__name__)
def test_each_effect_as_the_log_has_it(effect: Effect) -> None:
    """Plain data: names, units, no bytes."""
    name, fields = record_of(effect)
    assert fields == EXPECTED[name]
    assert orjson.loads(orjson.dumps(fields)) == fields


def test_a_change_of_state_by_failover_has_no_direction() -> None:
    """No packet made it."""
    change = StateChanged(AT, 7, State.FIN_WAIT, State.ESTABLISHED, None, 1)
    assert record_of(change)[1]["direction"] is None


def test_a_packet_too_broken_for_endpoints_is_logged_without() -> None:
    """There is nothing else to say of it."""
    refused = next(effect for effect in EFFECTS if type(effect).__name__ == "PacketRefused")
    name, fields = record_of(refused._replace(flow=None, segment=None, reason=Reason.BAD_HEADER))
    assert name == "denied"
    assert "source" not in fields
    assert fields["segment"] is None
    assert fields["reason"] == "bad_header"


def test_only_protocols_with_ports_have_them() -> None:
    """An ICMP identifier is no port."""
    record = endpoints(Flow(ICMP, bytes(4), 77, bytes(4), 8))
    assert record == {"protocol": "icmp", "source": "0.0.0.0", "destination": "0.0.0.0"}
    assert endpoints(Flow(47, bytes(4), 0, bytes(4), 0))["protocol"] == "47"


def session(lifetimes: Lifetimes) -> Session:
    key = bytes((10, 0, 1, 2, 10, 0, 2, 2)) + (40000).to_bytes(2, "big") + (53).to_bytes(2, "big")
    return Session(9, 17, key, key, Zone.INSIDE, State.UDP_REPLIED, None, lifetimes, 100 * SECOND)


def test_a_session_as_the_api_has_it() -> None:
    """Ages and deadlines as of the moment of asking."""
    it = session(Policy().lifetimes)
    it.last_seen = it.restarted = 105 * SECOND
    it.ends[1].keepalives = 2
    assert session_record(row_of(it), 115 * SECOND) == {
        "id": 9,
        "protocol": "udp",
        "source": "10.0.1.2",
        "destination": "10.0.2.2",
        "source_port": 40000,
        "destination_port": 53,
        "zone": "inside",
        "state": "UDP_REPLIED",
        "assured": False,
        "rule": None,
        "age_s": 15.0,
        "idle_s": 10.0,
        "timeout_s": 120.0,
        "expires_in_s": 110.0,
        "packets": {"original": 0, "reply": 0},
        "bytes": {"original": 0, "reply": 0},
        "keepalive_probes": {"original": 0, "reply": 2},
    }


def test_a_session_that_never_expires_says_null() -> None:
    """Not a number of centuries."""
    record = session_record(row_of(session((NEVER,) * len(State))), 100 * SECOND)
    assert (record["timeout_s"], record["expires_in_s"]) == (None, None)


def test_durations_are_rounded_to_the_microsecond() -> None:
    """Nobody reads nanoseconds."""
    assert seconds(1_234_567_891) == 1.234568


def statistics(tally: Tally) -> Statistics:
    """The counters of a firewall that has done a little."""
    packets = {reason.word: reason.value for reason in Reason}
    octets = {reason.word: 100 * reason.value for reason in Reason}
    sessions = {state.name: state.value for state in State if state}
    sinks = (SinkState("counters", 0, None), SinkState("log", 5, "No space left on device"))
    return Statistics(12.3456, packets, octets, sessions, 100, tally, 1, 2, 3, 4, sinks, 6)


def test_statistics_say_each_verdict_with_its_reasons() -> None:
    """What is zero is left out, so that people can read it."""
    tally = Tally()
    tally.write(EFFECTS)
    record = statistics_record(statistics(tally))
    assert record["uptime_s"] == 12.346
    assert "session" not in record["packets"]["accept"]
    assert record["packets"]["accept"]["opened"] == Reason.OPENED
    assert record["bytes"]["drop"]["denied"] == 100 * Reason.DENIED
    both = [*record["packets"]["accept"], *record["packets"]["drop"]]
    assert sorted((*both, "held")) == sorted(reason.word for reason in Reason if reason)
    assert record["fragments_held"] == Reason.HELD
    assert record["fragments_released"] == {"accept": {"fragment": 1}}
    assert record["sessions_opened"] == {"tcp": 1}
    assert record["sessions_ended"] == {"tcp": {"expired": 1}}
    assert record["unknown_packets"] == {"outside": {"reset": 1}}
    assert record["packets_injected"] == {"reset": {"inside": 1}}
    assert record["keepalive_probes"] == {"reply": 1}
    assert record["not_recorded"] == {"counters": 0, "log": 5}
    assert record["sink_problems"] == {"log": "No space left on device"}
    assert record["failed_requests"] == 6
    assert record["queue"] == {"waiting": 1, "lost_queue_full": 2, "lost_buffer_full": 3}
    assert orjson.loads(orjson.dumps(record)) == record
