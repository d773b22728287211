"""The formats of devices: every effect and reason, and lines of the shape that parsers expect.

The expressions here are our own, after published ones: logstash-patterns-core (firewalls, junos),
the Elastic integrations for Cisco ASA, Juniper SRX, PAN-OS and FortiGate, and the parser of
conntrack events in weaveworks/scope.
"""

import csv
import itertools
import re
import shlex
from datetime import datetime
from typing import get_args

import pytest

from fwemu.config import DeviceLogFormat
from fwemu.core.effects import (
    Effect,
    PacketRefused,
    SessionAnswered,
    SessionEnded,
    SessionOpened,
    StateChanged,
    Traffic,
)
from fwemu.core.flow import ICMP, ICMPV6, TCP, UDP, Direction, Flow, Zone
from fwemu.core.instants import NEVER, SECOND
from fwemu.core.policy import Policy
from fwemu.core.reasons import Answer, EndReason, Reason, Verdict
from fwemu.core.rules import Action, Rule
from fwemu.core.tcp_table import ACK, FIN, PSH, RST, SYN, TCP_STATES, State
from fwemu.core.timeouts import DISCARDED_STATES
from fwemu.daemon.formats import FORMATS, cisco_asa, fortigate, juniper_srx, pan_os
from fwemu.daemon.formats.device import SILENT, UNLOGGED, UNTOLD, Device, Format
from reference.samples import POLICY, SAMPLES, START, lines_of
from tests.kit.wire import address

KINDS = set(get_args(Effect))
ENDS = [reason for reason in EndReason if reason not in UNTOLD]
DROPS = {reason for reason in Reason if reason.verdict is Verdict.DROP}
DEVICES = {chosen: format for chosen, format in FORMATS.items() if format is not None}
REFUSALS = {
    "cisco-asa": cisco_asa.REFUSALS,
    "juniper-srx": juniper_srx.REFUSALS,
    "pan-os": pan_os.REFUSALS,
    "fortigate": fortigate.REFUSALS,
}
CLOSERS = (*Direction, None)
TRAFFIC = Traffic(3, 164, 2, 112)
"""SYN, SYN-ACK, and segments without data."""

FLOW = Flow(TCP, address("10.0.1.10"), 41000, address("10.0.2.10"), 443)
FLOW_V6 = Flow(TCP, address("fd00:1::10"), 41000, address("fd00:2::10"), 443)
INWARDS = Flow(TCP, address("10.0.2.10"), 50000, address("10.0.1.10"), 22)
ECHO = Flow(ICMP, address("10.0.1.10"), 77, address("10.0.2.10"), 8)
GRE = Flow(47, address("10.0.1.10"), 0, address("10.0.2.10"), 0)

every_device = pytest.mark.parametrize("format", DEVICES.values(), ids=lambda each: each.title)


def opened(flow: Flow = FLOW, zone: Zone = Zone.INSIDE, state: State = State.SYN_SENT):
    return SessionOpened(0, 7, flow, zone, state, None, False, 3600 * SECOND)


def moved(after: State, direction: Direction):
    return StateChanged(0, 7, State.ESTABLISHED, after, direction, 120 * SECOND)


def ended(
    reason: EndReason,
    state: State = State.ESTABLISHED,
    flow: Flow = FLOW,
    zone: Zone = Zone.INSIDE,
    traffic: Traffic = TRAFFIC,
    rule: int | None = None,
):
    at = 75 * SECOND
    return SessionEnded(at, 7, flow, zone, reason, state, 0, at, traffic, rule)


def refused(reason: Reason, flow: Flow | None = FLOW, zone: Zone = Zone.INSIDE, flags: int = ACK):
    return PacketRefused(0, reason, Answer.NOTHING, zone, flow, None, 60, None, None, flags)


def told(format: Format, *effects: Effect, policy: Policy = POLICY) -> list[str]:
    """All lines of a device about these effects."""
    device = Device("lab1", policy)
    lines = (format.line(device, effect, START) for effect in effects)
    return [line for line in lines if line is not None]


def all_lines(format: Format) -> list[str]:
    """Those of the guide."""
    return [line for _, lines in lines_of(format) for line in lines]


# -- nothing is left out -------------------------------------------------------------------------


def test_every_setting_has_its_format() -> None:
    """`none` is the only one that writes nothing."""
    assert set(FORMATS) == set(DeviceLogFormat)
    assert [chosen for chosen, format in FORMATS.items() if format is None] == [
        DeviceLogFormat.NONE
    ]


@every_device
def test_every_kind_of_effect_has_a_line_or_is_known_to_have_none(format: Format) -> None:
    """A new effect must not be missing from a device's log by accident."""
    told = set(format.lines)
    assert told | format.silent | SILENT == KINDS
    assert told.isdisjoint(format.silent | SILENT)
    assert format.silent.isdisjoint(SILENT)


@pytest.mark.parametrize("name", REFUSALS)
def test_every_reason_to_drop_has_a_message_or_is_known_to_have_none(name: str) -> None:
    """A new reason needs a decision: a row of `UNLOGGED`, or one in each table of refusals."""
    assert set(REFUSALS[name]) | UNLOGGED == DROPS
    assert UNLOGGED.isdisjoint(REFUSALS[name])


@every_device
@pytest.mark.parametrize("reason", sorted(DROPS))
def test_no_reason_leads_to_an_error(format: Format, reason: Reason) -> None:
    """With a flow and without, of any protocol: the log must never end the firewall."""
    flows = (FLOW, FLOW_V6, ECHO, GRE, ECHO._replace(protocol=ICMPV6), None)
    for flow, zone in itertools.product(flows, Zone):
        for line in told(format, refused(reason, flow, zone)):
            assert "\n" not in line


@every_device
def test_every_end_of_every_session_has_one_line(format: Format) -> None:
    """Whatever the reason and the state; for TCP, whoever closed."""
    for reason, state, direction in itertools.product(ENDS, TCP_STATES[1:], Direction):
        for zone, flow in itertools.product(Zone, (FLOW, FLOW_V6)):
            closing = moved(State.CLOSE, direction)
            lines = told(format, opened(flow, zone), closing, ended(reason, state, flow, zone))
            assert len(lines) == (3 if StateChanged in format.lines else 2)
    udp = FLOW._replace(protocol=UDP)
    for reason in ENDS:
        assert told(format, ended(reason, State.UDP_REPLIED, udp))
        assert told(format, ended(reason, State.ICMP, ECHO))


@every_device
def test_the_guide_says_what_is_known_and_what_is_not(format: Format) -> None:
    """A sample line of everything, and sources."""
    assert all((format.sources, format.unverified, format.notes))
    assert len(all_lines(format)) >= len(SAMPLES)


@every_device
def test_what_is_lost_with_the_device_has_no_line(format: Format) -> None:
    """There is nobody to write one; and the session is forgotten all the same."""
    device = Device("lab1", POLICY)
    device.learn(opened())
    for reason in UNTOLD:
        assert format.line(device, ended(reason), START) is None
    assert device._known == {}


@every_device
def test_a_remembered_denial_is_no_session(format: Format) -> None:
    """It was told as a denial; neither its beginning nor its end is an event of the device."""
    for state in DISCARDED_STATES:
        assert told(format, opened(state=state), ended(EndReason.EXPIRED, state)) == []


# -- what a device remembers ---------------------------------------------------------------------


@every_device
def test_a_session_is_forgotten_when_it_has_ended(format: Format) -> None:
    """The memory has a bound: what is in the table."""
    device = Device("lab1", POLICY)
    for effect in (opened(), moved(State.FIN_WAIT, Direction.REPLY)):
        format.line(device, effect, START)
    assert device.known(7).closer is Direction.REPLY
    format.line(device, ended(EndReason.CLOSED_BY_FIN), START)
    assert device.known(7).flow is None
    assert device._known == {}


def test_the_first_fin_is_the_one_that_counts() -> None:
    """The answer to it does not make the other end the closer; a RST does."""
    device = Device("lab1", POLICY)
    device.learn(opened())
    for state, direction, closer in (
        (State.FIN_WAIT, Direction.ORIGINAL, Direction.ORIGINAL),
        (State.LAST_ACK, Direction.REPLY, Direction.ORIGINAL),
        (State.CLOSE, Direction.REPLY, Direction.REPLY),
    ):
        device.learn(moved(state, direction))
        assert device.known(7).closer is closer


def test_a_failover_may_undo_a_close() -> None:
    """The peer that takes over had not heard of it; who closes then is told."""
    device = Device("lab1", POLICY)
    device.learn(opened())
    device.learn(moved(State.CLOSE, Direction.REPLY))
    device.learn(StateChanged(0, 7, State.CLOSE, State.ESTABLISHED, None, 1))
    assert device.known(7).closer is None
    device.learn(opened(state=State.ESTABLISHED))
    assert device.known(7).is_answered
    assert device.known(7).is_assured


def test_rules_have_names_or_numbers() -> None:
    """A session may outlive its rule: then the default is named."""
    device = Device(
        "lab1", Policy(rules=(Rule(action=Action.ALLOW, name="web"), Rule(action=Action.DENY)))
    )
    assert [device.rule(index) for index in (0, 1, 2, None)] == ["web", "rule-2", None, None]


@every_device
def test_no_name_of_a_rule_breaks_a_line(format: Format) -> None:
    """One event, one line, whatever people write into a file."""
    policy = Policy(rules=(Rule(action=Action.ALLOW, name="a\nb\x85c\u2028d\te"),))
    effects = opened()._replace(rule=0), refused(Reason.DENIED)._replace(rule=0)
    lines = told(format, *effects, policy=policy)
    assert all(len(line.splitlines()) == 1 for line in lines)
    names_rules = PacketRefused in format.lines
    assert any("a b c d e" in line for line in lines) is names_rules


# -- Cisco ASA -----------------------------------------------------------------------------------

IP = r"[0-9a-f.:]+"
ASA_HEAD = r"<(?P<pri>\d+)>[A-Z][a-z]{2} \d\d \d{4} \d\d:\d\d:\d\d \S+ : %ASA-(?P<level>\d)-"
ASA = {
    "302013": rf"Built (?:in|out)bound TCP connection \d+ for outside:{IP}/\d+ \({IP}/\d+\)"
    rf" to inside:{IP}/\d+ \({IP}/\d+\)",
    "302014": rf"Teardown TCP connection \d+ for outside:{IP}/\d+ to inside:{IP}/\d+"
    r" duration \d+:\d\d:\d\d bytes \d+ [A-Za-z -]+",
    "302015": rf"Built (?:in|out)bound UDP connection \d+ for outside:{IP}/\d+ \({IP}/\d+\)"
    rf" to inside:{IP}/\d+ \({IP}/\d+\)",
    "302016": rf"Teardown UDP connection \d+ for outside:{IP}/\d+ to inside:{IP}/\d+"
    r" duration \d+:\d\d:\d\d bytes \d+",
    "302020": rf"Built (?:in|out)bound ICMP connection for faddr {IP}/\d+ gaddr {IP}/\d+"
    rf" laddr {IP}/\d+ type \d+ code \d+",
    "302021": rf"Teardown ICMP connection for faddr {IP}/\d+ gaddr {IP}/\d+ laddr {IP}/\d+"
    r" type \d+ code \d+",
    "106015": rf"Deny TCP \(no connection\) from {IP}/\d+ to {IP}/\d+ flags [A-Z ]+  on"
    r" interface (?:in|out)side",
    "106023": rf"Deny \w+(?: \d+)? src (?:in|out)side:{IP}(?:/\d+)? dst (?:in|out)side:{IP}"
    r"(?:/\d+)?(?: \(type \d+, code \d+\))? by access-group \"[^\"]+\" \[0x0, 0x0\]",
    "313004": rf"Denied ICMP type=\d+, from laddr {IP} on interface (?:in|out)side to {IP}:"
    r" no matching session",
}

asa = cisco_asa.FORMAT


def asa_number(line: str) -> str:
    """The number of a message of the right shape."""
    head = re.match(ASA_HEAD, line)
    assert head, line
    number, _, words = line[head.end() :].partition(": ")
    assert re.fullmatch(ASA[number], words), line
    assert int(head["pri"]) == 160 + int(head["level"])
    return number


def test_asa_messages_have_the_shape_that_parsers_know() -> None:
    """Every number of the table occurs."""
    lines = all_lines(asa)
    lines += told(asa, refused(Reason.UNKNOWN_PACKET, ECHO._replace(destination_port=0)))
    lines += told(asa, refused(Reason.DENIED, ECHO), refused(Reason.DENIED, GRE))
    assert {asa_number(line) for line in lines} == set(ASA)


@pytest.mark.parametrize(
    ("zone", "direction", "closer", "word"),
    [
        (Zone.INSIDE, "outbound", Direction.ORIGINAL, "TCP Reset-I from inside"),
        (Zone.INSIDE, "outbound", Direction.REPLY, "TCP Reset-O from outside"),
        (Zone.OUTSIDE, "inbound", Direction.ORIGINAL, "TCP Reset-O from outside"),
        (Zone.OUTSIDE, "inbound", Direction.REPLY, "TCP Reset-I from inside"),
    ],
)
def test_asa_says_from_which_side_a_rst_came(zone, direction, closer, word) -> None:
    """I and O are sides of the firewall, not ends of the session: the usual mistake."""
    flow = FLOW if zone is Zone.INSIDE else INWARDS
    built, teardown = told(
        asa,
        opened(flow, zone),
        moved(State.CLOSE, closer),
        ended(EndReason.CLOSED_BY_RST, State.CLOSE, flow, zone),
    )
    assert f"Built {direction} TCP connection 7 for outside:10.0.2.10/" in built
    assert " to inside:10.0.1.10/" in built
    assert teardown.endswith(word)


DOCUMENTED = {
    "Conn-timeout", "FIN Timeout", "SYN Timeout", "TCP FINs", "TCP Reset-I", "TCP Reset-O",
    "Unknown", "Xlate Clear", "Probe maximum retries of retransmission exceeded",
}  # fmt: skip
"""Of the table at message 302014, those that can happen here."""


def test_asa_reasons_are_words_of_the_device() -> None:
    """For every reason, every state and every closer; and each of the words is used."""
    words = {
        cisco_asa.reason(end, state, closer).partition(" from ")[0]
        for end, state, closer in itertools.product(ENDS, TCP_STATES[1:], (*Zone, None))
    }
    assert words == DOCUMENTED


def test_asa_flags_are_named_in_the_order_of_their_bits() -> None:
    """As they stand in real lines: FIN ACK, PSH ACK, SYN ACK."""
    for flags, names in (
        (FIN | ACK, "FIN ACK"),
        (FIN | PSH | ACK, "FIN PSH ACK"),
        (SYN | ACK, "SYN ACK"),
        (RST, "RST"),
    ):
        (line,) = told(asa, refused(Reason.UNKNOWN_PACKET, flags=flags))
        assert f" flags {names}  on interface inside" in line


def test_asa_counts_data_and_prints_hours() -> None:
    """No headers; nothing before the handshake is complete."""
    at = (26 * 3600 + 62) * SECOND
    end = ended(EndReason.EXPIRED)._replace(at=at)
    (line,) = told(asa, end)
    assert "duration 26:01:02 bytes 76 Conn-timeout" in line
    (line,) = told(asa, ended(EndReason.EXPIRED, State.SYN_SENT))
    assert "bytes 0 SYN Timeout" in line
    (line,) = told(asa, ended(EndReason.EXPIRED, flow=FLOW_V6, traffic=Traffic(1, 61, 0, 0)))
    assert "bytes 1 " in line


def test_asa_names_the_outside_end_of_a_ping_first() -> None:
    """With the identifier at the end that asks."""
    (line,) = told(asa, opened(ECHO, Zone.INSIDE, State.ICMP))
    assert "outbound ICMP connection for faddr 10.0.2.10/0 gaddr 10.0.1.10/77 " in line
    (line,) = told(asa, opened(ECHO, Zone.OUTSIDE, State.ICMP))
    assert "inbound ICMP connection for faddr 10.0.1.10/77 gaddr 10.0.2.10/0 " in line


def test_asa_says_nothing_of_what_it_only_counts() -> None:
    """Windows, states, fragments, broken packets; and protocols without ports."""
    assert len(UNLOGGED) == len(DROPS) - 3
    assert told(asa, *(refused(reason) for reason in UNLOGGED)) == []
    assert told(asa, opened(GRE), ended(EndReason.EXPIRED, State.OTHER, GRE)) == []
    assert told(asa, refused(Reason.UNKNOWN_PACKET, GRE)) == []


# -- Juniper SRX ---------------------------------------------------------------------------------

SRX = re.compile(
    r"<14>1 (?P<time>\S+) (?P<host>\S+) RT_FLOW - (?P<event>RT_FLOW_SESSION_\w+) "
    r"\[junos@2636(?:\.\d+)+ (?P<pairs>.*)\]"
)
SESSION_FIELDS = (
    "source-address source-port destination-address destination-port connection-tag service-name "
    "nat-source-address nat-source-port nat-destination-address nat-destination-port "
    "nat-connection-tag src-nat-rule-type src-nat-rule-name dst-nat-rule-type dst-nat-rule-name "
    "protocol-id policy-name source-zone-name destination-zone-name session-id-32"
)
CATEGORIES = (
    "application-category application-sub-category application-risk application-characteristics"
)
SRX_FIELDS = {
    "RT_FLOW_SESSION_CREATE": f"{SESSION_FIELDS} username roles packet-incoming-interface "
    f"application nested-application encrypted {CATEGORIES}",
    "RT_FLOW_SESSION_CLOSE": f"reason {SESSION_FIELDS} packets-from-client bytes-from-client "
    "packets-from-server bytes-from-server elapsed-time application nested-application username "
    f"roles packet-incoming-interface encrypted {CATEGORIES}",
    "RT_FLOW_SESSION_DENY": "source-address source-port destination-address destination-port "
    "connection-tag service-name protocol-id icmp-type policy-name source-zone-name "
    "destination-zone-name application nested-application username roles "
    f"packet-incoming-interface encrypted reason session-id-32 {CATEGORIES}",
}
"""In the order of real lines of Junos 19."""

srx = juniper_srx.FORMAT


def srx_fields(line: str) -> dict[str, str]:
    """What a message says; its event is under `event`."""
    message = SRX.fullmatch(line)
    assert message, line
    assert datetime.fromisoformat(message["time"]) == START
    pairs = re.findall(r'([\w-]+)="((?:[^"\\\]]|\\.)*)"(?: |$)', message["pairs"])
    assert " ".join(name for name, _ in pairs) == SRX_FIELDS[message["event"]]
    return {"event": message["event"], **dict(pairs)}


def test_srx_messages_have_the_fields_of_the_device_in_its_order() -> None:
    """Structured data: a name for each value."""
    for _, effects in SAMPLES:
        for line in told(srx, *effects):
            assert srx_fields(line)["source-zone-name"] in ("inside", "outside")


def test_srx_tells_who_reset() -> None:
    """Client is who opened the session, wherever it is."""
    for closer, word in juniper_srx.RESETS.items():
        steps = [] if closer is None else [opened(), moved(State.CLOSE, closer)]
        line = told(srx, *steps, ended(EndReason.CLOSED_BY_RST, State.CLOSE))[-1]
        assert srx_fields(line)["reason"] == word
    words = {juniper_srx.reason(end, closer) for end in ENDS for closer in CLOSERS}
    assert words == {
        "idle Timeout", "TCP FIN", "TCP CLIENT RST", "TCP SERVER RST", "TCP RST", "CLI", "unset",
    }  # fmt: skip


def test_srx_escapes_what_would_end_a_value() -> None:
    """RFC 5424 section 6.3.3; names of rules may hold anything."""
    policy = Policy(rules=(Rule(action=Action.ALLOW, name='a "b" [c] \\d'),))
    (line,) = told(srx, opened()._replace(rule=0), policy=policy)
    assert srx_fields(line)["policy-name"] == r"a \"b\" [c\] \\d"


def test_srx_counts_packets_and_octets_of_each_direction() -> None:
    """As it counts: whole packets."""
    fields = srx_fields(told(srx, ended(EndReason.EXPIRED))[0])
    assert [fields[name] for name in SRX_FIELDS["RT_FLOW_SESSION_CLOSE"].split()[21:26]] == [
        "3", "164", "2", "112", "75",
    ]  # fmt: skip
    fields = srx_fields(told(srx, refused(Reason.DENIED, ECHO))[0])
    assert (fields["destination-port"], fields["icmp-type"]) == ("77", "8")


# -- PAN-OS --------------------------------------------------------------------------------------

PAN_HEAD = re.compile(r"<14>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d lab1 (?=1,)")

pan = pan_os.FORMAT


def pan_fields(line: str) -> list[str]:
    """The values of a line, in order."""
    head = PAN_HEAD.match(line)
    assert head, line
    (values,) = csv.reader([line[head.end() :]])
    assert len(values) == 75
    return values


def test_pan_os_lines_have_their_values_where_parsers_look() -> None:
    """By place, as the device documents it; the places are counted in real lines."""
    start, end = told(pan, opened(), ended(EndReason.EXPIRED))
    values = pan_fields(end)
    assert values[3:5] == ["TRAFFIC", "end"]
    assert values[7:9] == ["10.0.1.10", "10.0.2.10"]
    assert values[16:20] == ["inside", "outside", "inside", "outside"]
    assert (values[22], values[24], values[25]) == ("7", "41000", "443")
    assert values[29:37] == [
        "tcp", "allow", "346", "206", "140", "5", "2026/01/05 08:28:45", "75",
    ]  # fmt: skip
    assert values[44:47] == ["3", "2", "aged-out"]
    assert values[52:54] == ["lab1", "from-policy"]
    assert pan_fields(start)[4] == "start"
    assert (pan_fields(start)[39], values[39]) == ("1", "2")


def test_pan_os_lines_of_every_sample_have_all_fields() -> None:
    """Of IPv6 and ICMP as well; what is denied is a drop without an application."""
    subtypes = {pan_fields(line)[4] for line in all_lines(pan)}
    assert subtypes == {"start", "end", "drop"}
    (denied,) = told(pan, refused(Reason.DENIED, FLOW_V6))
    values = pan_fields(denied)
    assert (values[14], values[28], values[30]) == ("not-applicable", "0x2000000", "deny")
    assert values[46] == "policy-deny"
    (ping,) = told(pan, opened(ECHO, state=State.ICMP))
    assert [pan_fields(ping)[index] for index in (14, 24, 25, 29)] == ["ping", "0", "0", "icmp"]


@pytest.mark.parametrize(
    ("end", "application"),
    [
        (ended(EndReason.EXPIRED, State.SYN_SENT), "incomplete"),
        (ended(EndReason.EXPIRED), "incomplete"),
        (ended(EndReason.EXPIRED, traffic=Traffic(4, 900, 4, 900)), "unknown-tcp"),
        (ended(EndReason.EXPIRED, State.UDP_REPLIED, FLOW._replace(protocol=UDP)), "unknown-udp"),
        (ended(EndReason.EXPIRED, State.OTHER, GRE), "unknown-p2p"),
    ],
)
def test_pan_os_says_what_it_could_know_of_the_application(end, application) -> None:
    """`incomplete` is what people search for when a server does not answer."""
    assert pan_fields(told(pan, end)[0])[14] == application


def test_pan_os_reasons_are_words_of_the_device() -> None:
    """Those of its documentation that can happen here."""
    words = {pan_os.reason(end, closer) for end in ENDS for closer in CLOSERS}
    assert words == {
        "aged-out", "tcp-fin", "tcp-rst-from-client", "tcp-rst-from-server", "tcp-reuse",
        "resources-unavailable", "unknown",
    }  # fmt: skip


def test_pan_os_quotes_what_would_break_the_line() -> None:
    """A comma in the name of a rule moves no value to another place."""
    policy = Policy(rules=(Rule(action=Action.ALLOW, name='web, "all"'),))
    (line,) = told(pan, opened()._replace(rule=0), policy=policy)
    assert pan_fields(line)[11] == 'web, "all"'


# -- FortiGate -----------------------------------------------------------------------------------

QUOTED = {
    "devname", "devid", "tz", "logid", "type", "subtype", "level", "vd", "srcintf", "srcintfrole",
    "dstintf", "dstintfrole", "srccountry", "dstcountry", "action", "policytype", "policyname",
    "service", "trandisp", "appcat",
}  # fmt: skip
"""The fields whose values stand in quotes in real lines."""

forti = fortigate.FORMAT


def forti_fields(line: str) -> dict[str, str]:
    """The fields of a line; what is to be quoted is, and nothing else."""
    assert line.startswith("<189>date=")
    pairs = re.findall(r'(\w+)=("(?:[^"\\]|\\.)*"|\S+)(?: |$)', line.removeprefix("<189>"))
    assert line == "<189>" + " ".join(f"{key}={value}" for key, value in pairs)
    assert {key for key, value in pairs if value.startswith('"')} <= QUOTED
    assert all(value.startswith('"') for key, value in pairs if key in QUOTED)
    return {key: shlex.split(value)[0] for key, value in pairs}


def test_fortigate_lines_are_pairs_that_parsers_can_split() -> None:
    """Also those of IPv6, where a colon stands in a bare value."""
    actions = [forti_fields(line)["action"] for line in all_lines(forti)]
    assert set(actions) == {"start", "close", "server-rst", "timeout", "accept", "deny"}
    fields = forti_fields(told(forti, opened(FLOW_V6))[0])
    assert (fields["srcip"], fields["dstip"]) == ("fd00:1::10", "fd00:2::10")
    assert fields["eventtime"] == "1767601800000000000"


def test_fortigate_actions_are_words_of_the_device() -> None:
    """TCP tells how it ended, everything else was accepted."""
    words = {fortigate.action(end, TCP, closer) for end in ENDS for closer in CLOSERS}
    assert words == {"close", "timeout", "client-rst", "server-rst"}
    assert {fortigate.action(end, UDP, None) for end in ENDS} == {"accept"}


def test_fortigate_has_no_ports_for_a_ping() -> None:
    """It has an identifier instead."""
    fields = forti_fields(told(forti, opened(ECHO, state=State.ICMP))[0])
    assert (fields["identifier"], fields["service"]) == ("77", "PING")
    assert not {"srcport", "dstport"} & set(fields)
    assert forti_fields(told(forti, opened(GRE, state=State.OTHER))[0])["service"] == "47"


# -- conntrack -----------------------------------------------------------------------------------

TUPLE = rf"src={IP} dst={IP}(?: sport=\d+ dport=\d+| type=\d+ code=\d+ id=\d+)?"
COUNTS = r"(?: packets=\d+ bytes=\d+)?"
EVENT = re.compile(
    r"\[\d+\.\d{6}\]\t(?=.{9} )( *)\[(?P<event>NEW|UPDATE|DESTROY)\] "
    rf"(?P<proto>\w+) +(?P<number>\d+)(?: (?P<timeout>\d+))?(?: (?P<state>[A-Z_0-9]+))? {TUPLE}"
    rf"{COUNTS}(?P<unreplied> \[UNREPLIED\])? {TUPLE}{COUNTS}(?P<assured> \[ASSURED\])? id=\d+"
)

linux = DEVICES[DeviceLogFormat.CONNTRACK]


def event(line: str) -> dict[str, str | None]:
    """The parts of a line."""
    parts = EVENT.fullmatch(line)
    assert parts, line
    return parts.groupdict()


def test_conntrack_events_have_the_shape_of_the_program() -> None:
    """Each begins in the same column; DESTROY alone has no timeout."""
    for line in all_lines(linux):
        parts = event(line)
        assert (parts["timeout"] is None) == (parts["event"] == "DESTROY")
        assert (parts["state"] is not None) == (parts["proto"] == "tcp")
    (never,) = told(linux, opened()._replace(lifetime=NEVER))
    assert event(never)["timeout"] == f"{2**32 - 1}"
    (gre,) = told(linux, opened(GRE, state=State.OTHER))
    assert event(gre)["proto"] == "gre"
    (other,) = told(linux, opened(GRE._replace(protocol=50), state=State.OTHER))
    assert event(other)["proto"] == "unknown"


def test_conntrack_marks_what_is_unreplied_and_what_is_assured() -> None:
    """From the first packet to the last, as the kernel sets the bits."""
    marks = [
        (parts["event"], parts["unreplied"] is not None, parts["assured"] is not None)
        for parts in map(event, lines_of_sample(0) + lines_of_sample(1)[-1:])
    ]
    assert marks == [
        ("NEW", True, False),
        ("UPDATE", False, False),
        ("UPDATE", False, True),
        ("DESTROY", False, True),
    ]
    (picked_up,) = told(linux, ended(EndReason.EXPIRED))
    assert event(picked_up)["assured"]
    (unanswered,) = told(linux, ended(EndReason.EXPIRED, traffic=Traffic(3, 120, 0, 0)))
    assert event(unanswered)["unreplied"]
    assert not event(unanswered)["assured"]


def lines_of_sample(number: int) -> list[str]:
    return [lines for _, lines in lines_of(linux)][number]


def test_conntrack_says_nothing_of_a_session_it_has_not_met() -> None:
    """There is no flow to print; its end has one."""
    assert told(linux, moved(State.CLOSE_WAIT, Direction.REPLY)) == []


def test_conntrack_tells_the_first_answer_where_no_state_does() -> None:
    """The kernel's event is one of a reply: no state, and no mark from then on."""
    _, answer, end = told(
        linux,
        opened(ECHO, state=State.ICMP),
        SessionAnswered(0, 7, 30 * SECOND),
        ended(EndReason.EXPIRED, state=State.ICMP)._replace(flow=ECHO),
    )
    parts = event(answer)
    assert (parts["event"], parts["timeout"], parts["state"]) == ("UPDATE", "30", None)
    assert parts["unreplied"] is None
    assert event(end)["event"] == "DESTROY"
    assert told(linux, SessionAnswered(0, 9, 1)) == []
