"""Real connections through a lab leave the lines that the device would have written."""

import os
import re
import signal
import socket
import struct

import pytest

from fwemu.lab import Lab
from tests.kit.ground import Ground
from tests.kit.labs import address, connected, eventually, say, what_comes

pytestmark = pytest.mark.kernel

VERSIONS = pytest.mark.parametrize("version", [4, 6], ids=["ipv4", "ipv6"])


def lines(lab: Lab, port: int) -> list[str]:
    """What the device log says of the connection from this port."""
    number = re.compile(rf"\b{port}\b")
    return [line for line in lab.firewall.device_log() if number.search(line)]


def resets(end: socket.socket) -> None:
    """Close with a RST."""
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.close()


@VERSIONS
def test_an_asa_tells_the_life_of_a_connection(lab: Lab, version: int) -> None:
    """Built, and closed by the server first; the outside end is named first in both lines."""
    lab.firewall.configure(["daemon.device_log=cisco-asa", "timeouts.tcp_time_wait=0s"])
    client, server = address(lab.client, version), address(lab.server, version)
    with connected(lab, version) as pair:
        say(pair.client, pair.server)
        port = pair.port
        to = pair.client.getpeername()[1]
        pair.server.shutdown(socket.SHUT_WR)
        assert what_comes(pair.client) == "end"
        pair.client.close()
        assert what_comes(pair.server) == "end"
        built, torn_down = eventually(
            lambda: both if len(both := lines(lab, port)) == 2 else None,
            what="both lines",
        )
    name = re.escape(lab.name)
    head = rf"<166>\w{{3}} \d\d \d{{4}} \d\d:\d\d:\d\d {name} : %ASA-6-"
    outside, inside = f"outside:{server}/{to}", f"inside:{client}/{port}"
    assert re.fullmatch(
        rf"{head}302013: Built outbound TCP connection (\d+) for {outside} \({server}/{to}\) "
        rf"to {inside} \({client}/{port}\)",
        built,
    )
    assert re.fullmatch(
        rf"{head}302014: Teardown TCP connection (\d+) for {outside} to {inside} "
        r"duration 0:00:\d\d bytes \d+ TCP FINs from outside",
        torn_down,
    )


@VERSIONS
@pytest.mark.parametrize(
    ("closer", "words"),
    [
        ("client", ("TCP Reset-I from inside", "TCP CLIENT RST", "tcp-rst-from-client")),
        ("server", ("TCP Reset-O from outside", "TCP SERVER RST", "tcp-rst-from-server")),
    ],
)
def test_who_reset_is_told_in_the_words_of_each_device(
    lab: Lab, version: int, closer: str, words: tuple[str, ...]
) -> None:
    """From a real RST that crossed the firewall."""
    lab.firewall.configure(["timeouts.tcp_closed=0s"])
    for device, word in zip(("cisco-asa", "juniper-srx", "pan-os"), words, strict=True):
        lab.firewall.configure([f"daemon.device_log={device}"])
        with connected(lab, version) as pair:
            port = pair.port
            resets(getattr(pair, closer))
            other = pair.server if closer == "client" else pair.client
            assert what_comes(other) == "ECONNRESET"
            told = eventually(
                lambda port=port: both if len(both := lines(lab, port)) == 2 else None,
                what=f"both lines of {device}",
            )
        assert word in told[1]


def test_the_line_of_an_idle_connection_and_of_the_data_that_comes_too_late(lab: Lab) -> None:
    """What an engineer finds in the log of the box: Conn-timeout, then Deny TCP (no connection)."""
    lab.firewall.configure(["daemon.device_log=cisco-asa", "timeouts.tcp_established=300ms"])
    with connected(lab) as pair:
        port = pair.port
        eventually(lambda: "Conn-timeout" in lines(lab, port)[-1], what="the end")
        pair.client.sendall(b"late")
        denied = eventually(
            lambda: [line for line in lines(lab, port) if "106015" in line],
            what="the denial",
        )
    assert f"from {lab.client.ipv4}/{port} to {lab.server.ipv4}/" in denied[0]
    assert denied[0].endswith("flags PSH ACK  on interface inside")


@VERSIONS
def test_conntrack_prints_every_state_of_a_real_connection(lab: Lab, version: int) -> None:
    """In the order of the kernel's own events."""
    lab.firewall.configure(["daemon.device_log=conntrack", "timeouts.tcp_time_wait=0s"])
    with connected(lab, version) as pair:
        port = pair.port
        pair.client.shutdown(socket.SHUT_WR)
        assert what_comes(pair.server) == "end"
        pair.server.close()
        assert what_comes(pair.client) == "end"
        told = eventually(
            lambda: all_ if "[DESTROY]" in (all_ := lines(lab, port))[-1] else None,
            what="the end",
        )
    assert [re.findall(r"\[([A-Z]+)\] tcp +6 (?:\d+ )?(\w+)", line)[0] for line in told] == [
        ("NEW", "SYN_SENT"),
        ("UPDATE", "SYN_RECV"),
        ("UPDATE", "ESTABLISHED"),
        ("UPDATE", "FIN_WAIT"),
        *([("UPDATE", "CLOSE_WAIT")] if "CLOSE_WAIT" in "".join(told) else []),
        ("UPDATE", "LAST_ACK"),
        ("UPDATE", "TIME_WAIT"),
        ("DESTROY", "TIME_WAIT"),
    ]


def test_what_a_rule_denies_is_in_the_log_of_a_fortigate(lab: Lab) -> None:
    """With the number and the name of the policy."""
    lab.firewall.configure(
        [
            "daemon.device_log=fortigate",
            'rules=[{name = "no-web", action = "deny", proto = "tcp", ports = 80}]',
        ]
    )
    with lab.client.namespace.enter():
        attempt = socket.socket()
    with attempt:
        attempt.setblocking(False)
        assert attempt.connect_ex((lab.server.ipv4, 80)) != 0
        port = attempt.getsockname()[1]
        (line, *_) = eventually(lambda: lines(lab, port), what="the denial")
    assert ' action="deny" policyid=1 policytype="policy" policyname="no-web" ' in line


@pytest.mark.parametrize("is_kept", [False, True], ids=["removed", "kept"])
def test_it_goes_with_the_firewall_unless_the_other_log_is_kept(
    ground: Ground, is_kept: bool
) -> None:
    """Then it is beside that."""
    log = ground.base / f"kept-{is_kept}.jsonl"
    arguments = ["--log", str(log)] if is_kept else []
    daemon = ground.start("--set", "daemon.device_log=conntrack", *arguments)
    with connected(ground), daemon.client() as client:
        path = client.status()["device_log"]
        eventually(lambda: os.path.getsize(path) > 0, what="a line")
        assert any("[NEW]" in line for line in client.device_log())
    os.kill(daemon.process.pid, signal.SIGTERM)
    assert daemon.ends() == 0
    assert os.path.exists(path) is is_kept
    assert not daemon.directory.path.exists()
    if is_kept:
        assert path == str(ground.base / "kept-True.device.log")
