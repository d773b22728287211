"""`fwemu stats`: the counters, and what is no verdict of the firewall."""

from __future__ import annotations

import pytest

from fwemu.cli.stats import failures, losses, not_recorded, rows
from tests.kit.command import fwemu
from tests.kit.labs import connected

EMPTY = {
    "uptime_s": 12.5,
    "packets": {"accept": {}, "drop": {}},
    "bytes": {"accept": {}, "drop": {}},
    "sessions": {},
    "capacity": 100,
    "sessions_opened": {},
    "sessions_ended": {},
    "unknown_packets": {},
    "packets_injected": {},
    "injection_failures": 0,
    "keepalive_probes": {},
    "queue": {"waiting": 0, "lost_queue_full": 0, "lost_buffer_full": 0},
    "not_recorded": {"counters": 0, "log": 0, "device_log": 0, "metrics": 0},
    "sink_problems": {},
    "failed_requests": 0,
}


@pytest.mark.kernel
def test_the_block_agrees_with_what_machines_get(lab):
    """The same numbers, in both forms."""
    with connected(lab):
        text = fwemu("stats").out
        (numbers,) = fwemu("stats", "--json").json

    said = {line.split()[0]: line.split(maxsplit=1)[1] for line in text.splitlines()}
    assert said["sessions"] == "1 of 65536 (ESTABLISHED 1)"
    assert said["opened"].startswith(f"{numbers['sessions_opened']['tcp']} (tcp ")
    accepted = sum(numbers["packets"]["accept"].values())
    assert said["accepted"].startswith(f"{accepted} packets, ")
    assert said["queue"] == "0 packets waiting"
    assert "lost" not in text


def test_what_is_counted_is_named():
    """The largest part first."""
    told = dict(
        rows(
            {
                **EMPTY,
                "packets": {"accept": {"session": 3, "opened": 1}, "drop": {"denied": 1}},
                "bytes": {"accept": {"session": 1500, "opened": 60}, "drop": {"denied": 60}},
                "sessions": {"ESTABLISHED": 1, "UDP_REPLIED": 2},
                "sessions_ended": {"tcp": {"expired": 2, "evicted": 1}, "udp": {"expired": 4}},
                "unknown_packets": {"inside": {"reset": 1}},
                "packets_injected": {"reset": {"inside": 1}},
                "injection_failures": 1,
                "keepalive_probes": {"original": 2},
            }
        )
    )

    assert told == {
        "up": "12.5s",
        "sessions": "3 of 100 (UDP_REPLIED 2, ESTABLISHED 1)",
        "opened": "0",
        "ended": "7 (udp expired 4, tcp expired 2, tcp evicted 1)",
        "accepted": "4 packets, 1.6 kB (session 3, opened 1)",
        "dropped": "1 packet, 60 B (denied 1)",
        "unknown": "1 packet (inside reset 1)",
        "injected": "1 packet (reset inside 1)",
        "": "1 packet more that the kernel would not send",
        "keepalive": "2 probes (original 2)",
        "queue": "0 packets waiting",
    }


def test_what_the_kernel_lost_is_no_verdict():
    """Overload of this machine, taken for the firewall's doing, would be a false lead."""
    assert losses(EMPTY["queue"]) is None

    text = losses({"waiting": 0, "lost_queue_full": 3, "lost_buffer_full": 1})

    assert "4 packets: 3 because the kernel's queue was full, 1 because its buffer was" in text
    assert "no verdict of the firewall" in " ".join(text.split())


def test_what_is_missing_in_a_log_is_said_beside_the_counters():
    """Whoever reads a log must be able to know that it is not whole."""
    assert not_recorded(EMPTY) is None
    told = not_recorded(
        {
            **EMPTY,
            "not_recorded": {**EMPTY["not_recorded"], "log": 434, "device_log": 2},
            "sink_problems": {"log": "No space left on device"},
        }
    )
    assert told == (
        "\nnot recorded: 434 by log, 2 by device_log\n"
        "           log: No space left on device\n"
        "           Every packet was decided as the policy says; what happened is missing there."
    )
    full = {**EMPTY, "sink_problems": {"log": "No space left on device"}}
    assert not_recorded(full).startswith("\nnot recorded: nothing yet\n           log: No space")


def test_requests_at_which_the_engine_failed_are_said():
    """An error in fwemu is not hidden by its going on."""
    assert failures(EMPTY) is None
    assert failures({**EMPTY, "failed_requests": 1}).startswith("\nfailed     1 request: an error")
