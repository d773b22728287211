"""The stories that come with fwemu, told on every backend, and what they cover together."""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

import fwemu.core.openings
import fwemu.core.tcp
from fwemu.core.flow import Direction, Zone
from fwemu.core.tcp_table import FLAG_SEGMENTS, NEXT, TCP_STATES, Cell, Segment, State
from fwemu.daemon.needs import is_privileged
from fwemu.errors import ConfigError, NamespaceError
from fwemu.scenarios import library
from fwemu.scenarios.backend import EngineBackend
from fwemu.scenarios.backends import kernel
from fwemu.scenarios.library import NamedStory
from fwemu.scenarios.notation import parse
from fwemu.scenarios.participants import bytes_of
from fwemu.scenarios.queue_backend import QueueTestbed
from fwemu.scenarios.runner import BackendFactory, config_of, run, transcript
from fwemu.scenarios.story import Number, StoryPacket, Tcp
from netns import names

SHELF = library.find()
TELLINGS = [
    pytest.param(each, version, id=f"{each.name}-ipv{version}")
    for each in SHELF
    for version in each.story.versions
]

S, T = State, Segment
ORIGINAL, REPLY = Direction


def expect(each: NamedStory, version: int, backend) -> None:
    """Fail with the conversation if the story goes otherwise."""
    __tracebackhide__ = True
    try:
        difference = run(each.story, version, backend)
    finally:
        backend.close()
    if difference is not None:
        pytest.fail(f"{each.name}\n{transcript(each.story, difference)}", pytrace=False)


# -- every story, on every backend --


@pytest.mark.parametrize(("each", "version"), TELLINGS)
def test_a_story_goes_as_told_in_virtual_time(each, version):
    """The core alone."""
    expect(each, version, EngineBackend(config_of(each.story)))


@pytest.fixture(scope="module")
def testbed() -> Iterator[QueueTestbed]:
    """One for all stories; it leaves nothing behind."""
    if not is_privileged():
        pytest.skip("needs root for network namespaces: run it with sudo")
    with QueueTestbed() as testbed:
        yield testbed
    assert not [name for name in names() if name.startswith(f"story{os.getpid()}-")]


@pytest.mark.kernel
@pytest.mark.xdist_group("stories")
@pytest.mark.parametrize(("each", "version"), TELLINGS)
def test_a_story_goes_as_told_through_the_queue(each, version, testbed):
    """The same file, as packets that the kernel forwards or not."""
    expect(each, version, testbed.backend(config_of(each.story)))


@pytest.fixture(scope="module")
def nf_conntrack() -> Iterator[BackendFactory]:
    """The kernel's own table, empty at the beginning of each telling."""
    if not is_privileged():
        pytest.skip("needs root for network namespaces: run it with sudo")
    with kernel() as opens:
        yield opens


@pytest.mark.kernel
@pytest.mark.xdist_group("stories")
@pytest.mark.parametrize(
    ("each", "version"), [telling for telling in TELLINGS if telling.values[0].story.for_kernel]
)
def test_a_story_goes_as_told_by_the_kernel(each, version, nf_conntrack):
    """Its verdicts and states are those of nf_conntrack, where a story says so."""
    expect(each, version, nf_conntrack(config_of(each.story)))


@pytest.mark.kernel
@pytest.mark.xdist_group("stories")
def test_a_story_that_the_kernel_tells_otherwise_is_found_out(nf_conntrack):
    """It knows no reasons, but verdicts and states."""
    story = parse("+0 > S 0:0(0) accept SYN_SENT\n+0 < SA 0:0(0) ack 1 accept CLOSE", "a.story")
    backend = nf_conntrack(config_of(story))

    difference = run(story, 4, backend)
    backend.close()

    assert difference == (2, "accept session or opened CLOSE", "accept SYN_RECV")


# -- what the stories cover --

UNREACHABLE = {
    # The first packet of a session sets its original direction: nothing is known is never a reply.
    *itertools.product([S.NONE], [REPLY], Segment),
}
"""Cells that no story can reach; why, beside them."""


@pytest.fixture
def visited(monkeypatch):
    """The cells of the table that decided about a packet; not those that the window overruled."""
    cells = set()
    meanings = []
    classify, track = fwemu.core.tcp.classify, fwemu.core.tcp.track
    flows_on, first_state = fwemu.core.tcp.flows_on, fwemu.core.openings.first_state

    def seen_classify(tcp, state, packet, direction, check, closing):
        meanings.append(classify(tcp, state, packet, direction, check, closing))
        return meanings[-1]

    def seen_track(tcp, state, packet, direction, check, closing):
        got = track(tcp, state, packet, direction, check, closing)
        if got is NEXT[state][direction][meanings[-1]]:
            cells.add((state, direction, meanings[-1]))
        return got

    def seen_flows_on(tcp, packet, direction):
        flows = flows_on(tcp, packet, direction)
        if flows:
            cells.add((S.ESTABLISHED, direction, T.ACK))
        return flows

    def seen_first_state(packet):
        if packet.segment is not None:
            cells.add((S.NONE, ORIGINAL, packet.segment))
        return first_state(packet)

    monkeypatch.setattr(fwemu.core.tcp, "classify", seen_classify)
    monkeypatch.setattr(fwemu.core.tcp, "track", seen_track)
    monkeypatch.setattr(fwemu.core.tcp, "flows_on", seen_flows_on)
    monkeypatch.setattr(fwemu.core.openings, "first_state", seen_first_state)
    return cells


def test_the_stories_visit_every_cell_of_the_table_that_can_be_reached(visited):
    """A transition that no story tells is one that nobody has thought through."""
    tell_all()

    told_by_flags = set(itertools.product(TCP_STATES, Direction, FLAG_SEGMENTS))
    assert spelt(told_by_flags - UNREACHABLE - visited) == []
    assert spelt(visited & UNREACHABLE) == []
    assert {segment for _, _, segment in visited} == set(Segment)
    assert {NEXT[s][d][t] for s, d, t in visited} >= set(Cell) | (set(TCP_STATES) - {S.NONE})


def test_nobody_who_wanders_about_finds_a_cell_that_no_story_tells(visited):
    """What a segment is by its numbers is told in some states only; which, no table says."""
    tell_all()
    told = set(visited)
    chance = random.Random(20261121)

    for _ in range(1000):
        backend = EngineBackend(OPEN_TO_ALL)
        for packet in wander(chance):
            backend.put(bytes_of(packet, 4), packet.origin)

    assert spelt(visited - told) == []


OPEN_TO_ALL = config_of(
    parse(
        "set default_action.outside=allow\nset unknown.inside=pick-up\n"
        "set unknown.outside=pick-up\n+0",
        "open to all",
    )
)


def tell_all() -> None:
    """Every story, once."""
    for each in SHELF:
        expect(each, 4, EngineBackend(config_of(each.story)))


def spelt(cells) -> list[str]:
    """Cells of the table, as they are read in it."""
    return sorted(f"{state.name} {way.name} {segment.name}" for state, way, segment in cells)


def wander(chance: random.Random) -> Iterator[StoryPacket]:
    """A conversation of ends that have lost their wits, but mostly count as they should."""
    following = {Zone.INSIDE: 0, Zone.OUTSIDE: 0}
    for _ in range(chance.randint(2, 14)):
        end = chance.choice(list(Zone))
        flags = chance.choice(["S", "SA", "A", "A", "PA", "FA", "R", "RA"])
        seq = following[end] + chance.choice([0, 0, 0, 0, 0, -1, -50, 100, 5000])
        length = chance.choice([0, 0, 100]) if flags in ("A", "PA", "FA", "S") else 0
        ack = following[end.other] + chance.choice([0, 0, 0, 0, -1, 1, -50])
        acknowledged = Number(ack) if "A" in flags else None
        yield StoryPacket(end, 1, Tcp(flags, Number(seq), length, acknowledged, 65535, 0, b"", ()))
        if "R" not in flags:
            last = seq + length + ("S" in flags) + ("F" in flags)
            following[end] = max(following[end], last)


def test_every_story_has_a_sentence_and_a_topic():
    """`fwemu scenario ls` shows it."""
    for each in SHELF:
        assert each.name.count("/") == 1
        assert each.story.title.endswith("."), each.name
        assert len(each.story.title) <= 110, each.name


def test_no_two_stories_have_one_sentence():
    """Then one of them would be superfluous, or not say what it is about."""
    titles = [each.story.title for each in SHELF]

    assert len(set(titles)) == len(titles)


# -- a story that goes otherwise --

OPENING = "+0 > S 0:0(0) accept SYN_SENT\n+0 < SA 0:0(0) ack 1 accept SYN_RECV\n"
OTHERWISE = [
    ("+0 > S 0:0(0) drop denied", 1, "drop denied", "accept opened SYN_SENT"),
    ("+0 > S 0:0(0) accept SYN_RECV", 1, "accept session or opened SYN_RECV",
     "accept opened SYN_SENT"),
    ("+0 > S 0:0(0) accept ignored", 1, "accept ignored", "accept opened SYN_SENT"),
    ("+0 > A 1:1(0) ack 1 accept", 1, "accept session or opened", "drop unknown_packet NONE"),
    ("set unknown.inside=reset\n+0 > A 1:1(0) ack 1 drop unknown_packet", 2,
     "no other word of the firewall", "it says < R 1:1(0) towards the inside"),
    ("set unknown.inside=reset\n+0 > A 1:1(0) ack 1 drop unknown_packet\n!< R 2:2(0)", 3,
     "the firewall says < R 2:2(0)", "< R 1:1(0)"),
    ("+0 > A 1:1(0) ack 1 drop unknown_packet\n!< R 1:1(0)", 2,
     "the firewall says < R 1:1(0)", "nothing"),
    ("set unknown.inside=reset\n+0 > A 1:1(0) ack 1 drop unknown_packet\n!< R 1:1(0) ttl 9", 3,
     "the firewall says < R 1:1(0) ttl 9", "< R 1:1(0) ttl 64"),
    (f"{OPENING}+30", 3, "no other session to end", "end expired SYN_RECV 1"),
    (f"{OPENING}+40 > A 1:1(0) ack 1 accept", 3, "no other session to end",
     "end expired SYN_RECV 1"),
    (f"{OPENING}+30\nend expired SYN_SENT", 4, "end expired SYN_SENT 1", "end expired SYN_RECV 1"),
    ("+0 > udp (99) frag 8:16 hold\n+30", 2, "release nothing",
     "> fragment 8:16 of protocol 17 drop fragment_timeout"),
    ("+0 > udp (99) frag 8:16 hold\n+1\nrelease > udp (99) frag 8:16 accept fragment", 3,
     "release > fragment 8:16 of protocol 17 accept fragment", "nothing"),
    (f"{OPENING}+29\nend expired SYN_RECV", 4, "end expired SYN_RECV 1", "no session ends"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "wanted", "got"), OTHERWISE)
def test_a_story_that_goes_otherwise_is_found_out(text, line, wanted, got):
    """Line, what was wanted and what came instead."""
    story = parse(text, "a.story")

    difference = run(story, 4, EngineBackend(config_of(story)))

    assert difference == (line, wanted, got)


@pytest.mark.kernel
@pytest.mark.xdist_group("stories")
@pytest.mark.parametrize(("text", "line", "wanted", "got"), OTHERWISE)
def test_a_story_that_goes_otherwise_through_the_queue_is_found_out(
    text, line, wanted, got, testbed
):
    """The same words, though here they come from the wire."""
    story = parse(text, "a.story")
    backend = testbed.backend(config_of(story))

    difference = run(story, 4, backend)
    backend.close()

    assert difference == (line, wanted, got)


def test_a_failure_shows_the_conversation_up_to_its_line():
    """Marked where it differs, with what was wanted and what came."""
    story = parse("# A title.\n+0 > S 0:0(0) accept SYN_RECV\n+1\n", "a.story")

    difference = run(story, 4, EngineBackend(config_of(story)))

    assert transcript(story, difference) == (
        "  1  # A title.\n"
        "* 2  +0 > S 0:0(0) accept SYN_RECV\n"
        "     wanted  accept session or opened SYN_RECV\n"
        "     got     accept opened SYN_SENT"
    )


# -- the real backend --


@pytest.mark.kernel
@pytest.mark.xdist_group("stories")
def test_the_queue_sees_what_the_wire_carries(testbed, monkeypatch):
    """A firewall that says yes and a wire that brings nothing are a failure."""
    monkeypatch.setattr("fwemu.scenarios.queue_backend.PATIENCE", 0.05)
    story = parse("+0 > S 0:0(0) accept SYN_SENT", "a.story")
    backend = testbed.backend(config_of(story))
    outside = testbed.wires[1]
    hear, outside.hear = outside.hear, list
    try:
        difference = run(story, 4, backend)
    finally:
        outside.hear = hear
        backend.close()

    assert difference is not None
    assert difference.got == "drop opened SYN_SENT"


@pytest.mark.kernel
@pytest.mark.xdist_group("stories")
def test_a_packet_that_the_kernel_itself_refuses_is_told_as_that(testbed, monkeypatch):
    """A TTL of one ends at the router, which is not the firewall's doing."""
    monkeypatch.setattr("fwemu.scenarios.queue_backend.PATIENCE", 0.05)
    story = parse("+0 > S 0:0(0) ttl 1 accept SYN_SENT", "a.story")
    backend = testbed.backend(config_of(story))

    with pytest.raises(NamespaceError, match=r"a\.story:1: the kernel did not bring"):
        run(story, 4, backend)
    backend.close()


@pytest.mark.kernel
@pytest.mark.xdist_group("stories")
def test_a_packet_that_is_too_large_for_the_wire_is_told(testbed):
    """The backend's MTU is 9000."""
    story = parse("+0 > udp (9000) accept", "a.story")
    backend = testbed.backend(config_of(story))

    with pytest.raises(NamespaceError, match=r"a\.story:1: a packet of 9028 octets cannot be sent"):
        run(story, 4, backend)
    backend.close()


# -- the library --


def test_stories_are_found_by_name_topic_file_and_directory(tmp_path):
    """Each once, whatever was said twice."""
    mine = tmp_path / "mine.story"
    mine.write_text("+1\n")
    (tmp_path / "empty").mkdir()

    by_name = library.find(["close/half_close"])
    by_topic = library.find(["close", "close/half_close"])

    assert [each.name for each in by_name] == ["close/half_close"]
    assert {each.name.split("/")[0] for each in by_topic} == {"close"}
    assert len(by_topic) == len(list((library.SHIPPED / "close").iterdir()))
    assert [each.name for each in library.find([str(mine)])] == [str(mine)]
    assert [each.name for each in library.find([str(tmp_path)])] == [str(mine)]
    assert len(library.find()) == len(library.names())


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("handsake", "handsake: no such story, topic, file or directory (did you mean handshake?)"),
        ("zzz", "zzz: no such story, topic, file or directory (`fwemu scenario ls` lists them)"),
        ("gone.story", "gone.story: cannot be read (No such file or directory)"),
    ],
)
def test_a_story_that_is_not_there_is_told(word, said):
    """With what may have been meant."""
    with pytest.raises(ConfigError) as error:
        library.find([word])

    assert str(error.value) == said


def test_a_directory_without_stories_is_told(tmp_path):
    """Else nothing would be run, and all would be well."""
    with pytest.raises(ConfigError, match=r"no story is in there \(their names end in \.story\)"):
        library.find([str(tmp_path)])


def test_a_profile_may_lie_beside_the_story(tmp_path):
    """Somebody's box, and somebody's stories of it."""
    (tmp_path / "box.toml").write_text(
        (Path(library.SHIPPED).parents[2] / "config/profiles/cisco-asa.toml").read_text()
    )
    path = tmp_path / "mine.story"
    path.write_text("profile = box.toml\n+0 > A 1:1(0) ack 1 drop unknown_packet\n!< R 1:1(0)\n")
    (mine,) = library.find([str(path)])

    assert run(mine.story, 4, EngineBackend(config_of(mine.story))) is None
