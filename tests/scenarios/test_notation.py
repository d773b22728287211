"""The notation of stories: what it reads, and what it says about what it cannot read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fwemu.core.flow import Zone
from fwemu.core.instants import SECOND
from fwemu.core.reasons import EndReason, Reason, Verdict
from fwemu.core.tcp_table import State
from fwemu.errors import ConfigError, StoryError
from fwemu.scenarios.backend import EngineBackend
from fwemu.scenarios.notation import parse, read
from fwemu.scenarios.participants import MESSAGES, bytes_of, describe
from fwemu.scenarios.runner import config_of, run
from fwemu.scenarios.segments import FLAGS
from fwemu.scenarios.story import Cut, ExpectedEnd, ExpectedVerdict, Icmp, Number, Other, Tcp, Udp

SYN = "+0 > S 0:0(0) accept SYN_SENT"


def step(line):
    """The only step of a story of one line."""
    (only,) = parse(line, "a.story").steps
    return only


def test_a_story_has_a_title_settings_and_steps():
    """What `ls` shows, what the firewall is told, what happens."""
    story = parse(
        "# It opens.\n# More of it.\nprofile = cisco-asa\nset tcp_established=1m\n"
        f"ip = 6\nkernel = yes\n\n{SYN}\n",
        "a.story",
    )

    assert (story.title, story.profile, story.settings) == (
        "It opens.", "cisco-asa", ("tcp_established=1m",),
    )  # fmt: skip
    assert (story.versions, story.for_kernel) == ((6,), True)
    assert [step.line for step in story.steps] == [8]


def test_a_story_runs_for_both_versions_and_not_for_the_kernel_unless_it_says_so():
    """Most stories have no header at all."""
    story = parse(SYN, "a.story")

    assert (story.versions, story.for_kernel, story.profile) == ((4, 6), False, None)


def test_a_segment_with_all_that_it_can_have():
    """Flags, numbers, window, urgent pointer, options, TTL."""
    packet = step(
        "+.5 <3 SAU -5:95(100) ack =7 win 9 urg 4 ttl 3 <mss 1460,sackOK,sack 10:20> accept"
    ).packet

    assert (packet.origin, packet.conversation, packet.ttl) == (Zone.OUTSIDE, 3, 3)
    assert packet.body == Tcp(
        "SAU", Number(-5), 100, Number(7, True), 9, 4,
        b"\x02\x04\x05\xb4\x01\x01\x04\x02", ((10, 20),),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("line", "body"),
    [
        ("> udp (10)", Udp(10)),
        ("> proto 47 (20)", Other(47, 20)),
        ("> icmp echo_request ident 5", Icmp("echo_request", 5, 0, None)),
    ],
)
def test_what_is_not_tcp(line, body):
    """Datagrams, ICMP, anything else."""
    assert step(f"+0 {line} accept").packet.body == body


def test_an_icmp_error_quotes_a_packet():
    """Its inner header is what a firewall judges it by."""
    error = step("+0 < icmp too_big mtu 1280 [> A 1:1401(1400) ack 1] accept related").packet.body

    assert (error.word, error.mtu) == ("too_big", 1280)
    assert (error.about.origin, error.about.body.length) == (Zone.INSIDE, 1400)


def test_a_fragment_is_a_part_of_a_datagram():
    """In octets of what follows the IP header; its number tells datagrams apart."""
    packet = step("+0 > udp (3000) frag 1480:2960 id 9 accept").packet

    assert (packet.body, packet.cut) == (Udp(3000), Cut(1480, 2960, 9))


@pytest.mark.parametrize(
    ("time", "nanoseconds"),
    [("+0", 0), ("+.01", SECOND // 100), ("+29.9s", 29_900_000_000), ("+1h5m", 3900 * SECOND),
     ("+1ns", 1), ("+2", 2 * SECOND)],
)  # fmt: skip
def test_times_are_exact(time, nanoseconds):
    """To the nanosecond: a deadline is an instant, not about an instant."""
    assert step(time).pause == nanoseconds


def test_what_a_packet_is_to_meet():
    """A verdict, and in any order a reason and a state."""
    assert step(SYN).expected == ExpectedVerdict(Verdict.ACCEPT, None, State.SYN_SENT)
    assert step("+0 > A 1:1(0) ack 1 drop NONE unknown_packet").expected == ExpectedVerdict(
        Verdict.DROP, Reason.UNKNOWN_PACKET, State.NONE
    )
    assert step("+0 > udp (99) frag 8:16 hold").expected == ExpectedVerdict(
        Verdict.HOLD, Reason.HELD, None
    )


def test_what_comes_of_a_step_stands_below_it():
    """Words of the firewall, ends of sessions, and what becomes of what was held."""
    only = step("+1h\n!< RA 1:1(0) ack 1\n!>2 R 5:5(0)\nend expired ESTABLISHED 2")

    assert [(line, packet.origin, packet.conversation) for line, packet in only.injected] == [
        (2, Zone.OUTSIDE, 1), (3, Zone.INSIDE, 2),
    ]  # fmt: skip
    assert only.endings == ((4, ExpectedEnd(EndReason.EXPIRED, State.ESTABLISHED, 2)),)
    ((line, release),) = step("+1\nrelease < udp (99) frag 8:16 accept fragment").releases
    assert (line, release.packet.origin) == (2, Zone.OUTSIDE)
    assert release.expected == ExpectedVerdict(Verdict.ACCEPT, Reason.FRAGMENT, None)


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("", 1, "tells nothing (write +0 > S 0:0(0) accept SYN_SENT)"),
        ("colour = red", 1, "'colour' is no setting of a story (there are profile"),
        ("ip = 5", 1, "ip cannot be '5' (there are"),
        (f"{SYN}\nprofile = cisco-asa", 2, "'profile' begins no step (write +0, !<, "),
        ("end expired ESTABLISHED", 1, "end is the outcome of no step (write one above"),
        ("+soon > S 0:0(0) accept", 1, "+soon 'soon' is not a duration (write"),
        ("+0 S 0:0(0) accept", 1, "'S' is no direction (write > or <)"),
        ("+0\n< S 0:0(0)", 2, "'<' begins no step"),
        ("+0 !> S 0:0(0) accept", 1, "'!>' is no direction (write > or <)"),
        ("+0 > X 0:0(0) accept", 1, "'X' is no packet (write flags as in SA, udp, icmp or proto)"),
        ("+0 > S accept", 1, "S wants sequence numbers (write FIRST:LAST(LENGTH)"),
        ("+0 > S 0:1(0) accept", 1, "0:1(0) does not add up (write 0:0(0))"),
        ("+0 > A 1:1(0) accept", 1, "ack belongs to flag A and flag A to ack"),
        ("+0 > S 0:0(0) ack 1 accept", 1, "ack belongs to flag A and flag A to ack"),
        ("+0 > A 1:1(0) ack x accept", 1, "ack x is no number (write ack 1)"),
        ("+0 > S 0:0(0) win accept", 1, "'nothing' is not a window (write a number up to 65535)"),
        ("+0 > S 0:0(0) <mss> accept", 1, "<mss> is no option (there are mss N"),
        ("+0 > S 0:0(0) wim 5 accept", 1, "'wim 5' has no meaning here (leave it out)"),
        ("+0 > S 0:0(0) win 65536 accept", 1, "'65536' is not a window (write"),
        ("+0 > S 0:0(0) ttl 256 accept", 1, "'256' is not a TTL (write a number up to 255)"),
        ("+0 > S 0:0(0) <wscale 256> accept", 1, "'256' is not a shift count"),
        ("+0 > S 0:0(0) <sack 1:2 3:4 5:6 7:8 9:10> accept", 1, "these options take more than 40"),
        ("+0 > S 0:65401(65401) accept", 1, "'65401' is not a length (write a number up to 65400)"),
        ("+0 >10000 S 0:0(0) accept", 1, "'10000' is not a conversation"),
        ("+0 > udp 5 accept", 1, "'5' is no length (write it as in (100))"),
        ("+0 > proto gre (5) accept", 1, "'gre' is not a protocol number"),
        ("+0 > icmp redirect accept", 1, "'redirect' is no ICMP message (there are echo_request"),
        ("+0 > icmp too_big accept", 1, "too_big wants a quotation"),
        ("+0 > icmp echo_reply [> udp (1)] accept", 1, "echo_reply takes no quotation"),
        ("+0 > udp (99) frag 5:9 accept", 1, "frag wants octets, the first by eights"),
        ("+0 > S 0:0(0)", 1, "the line does not say what becomes of the packet"),
        ("+0 > S 0:0(0) accept SYN_SEND", 1, "'SYN_SEND' is no state (there are NONE, SYN_SENT,"),
        ("+0 > S 0:0(0) accept open", 1, "'open' is no reason (there are session, opened,"),
        ("+0 > S 0:0(0) accept denied", 1, "denied is no reason to accept (write drop)"),
        ("+0 > S 0:0(0) drop", 1, "a drop has a reason (write drop unknown_packet, for one)"),
        ("+1\nend idle ESTABLISHED", 2, "'idle' is no reason to end (there are expired,"),
        ("+1\nend expired", 2, "'nothing' is no state"),
        ("+1\nend expired ESTABLISHED x", 2, "'x' is not a conversation"),
        ("+1\nend expired ESTABLISHED 1 2", 2, "'2' has no meaning here"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_file_line_problem_and_way_out(text, line, problem):
    """One line that an editor can jump to."""
    with pytest.raises(ConfigError, match="^" + re.escape(f"a.story:{line}: {problem}")) as error:
        parse(text, "a.story")

    (told_in_one_line,) = error.value.problems
    assert told_in_one_line.endswith(")")


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("set tcp_establishd=1h", "a.story:2: tcp_establishd: "),
        ("set timeouts.tcp_established=soon", "a.story:2: timeouts.tcp_established: "),
        ("set tcp_established", "a.story:2: tcp_established: not a setting"),
        ("profile = cisco-asb", "a.story:2: profile"),
    ],
)
def test_a_wrong_setting_is_told_with_its_line(header, said):
    """The configuration knows settings; where they stand, the story knows."""
    with pytest.raises(ConfigError) as error:
        config_of(parse(f"# Title\n{header}\n{SYN}", "a.story"))

    assert str(error.value).startswith(said), str(error.value)


def test_a_file_that_cannot_be_read_is_told(tmp_path):
    """A misspelt name, or no text at all."""
    (tmp_path / "b.story").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=r"c\.story: cannot be read \(No such file"):
        read(tmp_path / "c.story")
    with pytest.raises(ConfigError, match=r"b\.story: cannot be read \(it is not UTF-8\)"):
        read(tmp_path / "b.story")


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(
    "text",
    [
        "> S 0:0(0)",
        "<2 SA 0:0(0) ack 1",
        "< PA 1:101(100) ack -5",
        "> RA =0:=0(0) ack 1",
        "> udp (10)",
        "> icmp echo_request ident 5",
        "< icmp prohibited [>2 TCP 1]",
        "< icmp too_big mtu 1280 [> TCP 1]",
        "> proto 47 (20)",
    ],
)
def test_a_packet_is_told_as_it_was_written(text, version):
    """Else a failure would print what nobody has written."""
    written = text.replace("TCP 1]", "A 1:1(0) ack 1]")

    assert describe(bytes_of(step(f"+0 {written} accept").packet, version)).text == text


GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "stories.md"


@pytest.mark.parametrize("text", re.findall(r"```story\n(.*?)```", GUIDE.read_text(), re.S))
def test_the_stories_of_the_guide_go_as_told(text):
    """Who copies an example begins with one that works."""
    story = parse(text, "guide.story")

    for version in story.versions:
        assert run(story, version, EngineBackend(config_of(story))) is None


def test_the_guide_knows_every_message_option_and_setting():
    """A word that is nowhere explained is one that nobody finds."""
    text = GUIDE.read_text()

    words = [*MESSAGES, *FLAGS, "mss", "sackOK", "wscale", "timestamps", "sack", "ttl", "frag"]
    assert [word for word in words if word not in text] == []
    assert f"and {StoryError.exit_code} if one did not" in text
