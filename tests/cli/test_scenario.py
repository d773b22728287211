"""`fwemu scenario`: what people and machines are told of stories."""

from __future__ import annotations

import os

import pytest

from netns import names
from tests.kit.command import fwemu

GOOD = "# It opens.\nkernel = yes\n+0 > S 0:0(0) accept SYN_SENT\n"
BAD = "# It does not.\nip = 4\n+0 > S 0:0(0) accept SYN_SENT\n+1 > S 0:0(0) drop denied\n"


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Somebody's own stories, in the directory where he is."""
    (tmp_path / "good.story").write_text(GOOD)
    (tmp_path / "bad.story").write_text(BAD)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_all_stories_that_come_with_it_go_as_told():
    """Without an argument, in about a second."""
    done = fwemu("scenario", "run")

    assert (done.code, done.err) == (0, f"{len(done.out.splitlines())} stories, all as told\n")
    assert "handshake/three_way " in done.out
    assert all(line.endswith(("IPv4 ok", "IPv6 ok")) for line in done.out.splitlines())


def test_ls_shows_each_with_its_sentence():
    """A table for people, objects for machines."""
    done = fwemu("scenario", "ls")
    told = {record["name"]: record for record in fwemu("scenario", "ls", "--json").json}

    assert "close/half_close " in done.out
    assert len(done.out.splitlines()) == len(told) + 1
    assert told["devices/cisco_asa"] == {
        "name": "devices/cisco_asa",
        "title": "After an hour an inside sender is told by a RST; an outside sender speaks into "
        "the void.",
        "profile": "cisco-asa",
        "settings": [],
        "ip": [4, 6],
        "kernel": False,
    }


def test_show_prints_a_story_as_it_is_written(files):
    """To learn from, and to begin one's own with."""
    assert fwemu("scenario", "show", "good.story").out == GOOD
    (record,) = fwemu("scenario", "show", "good.story", "--json").json
    assert (record["name"], record["text"]) == ("good.story", GOOD.rstrip("\n"))
    assert fwemu("scenario", "show", "udp").out.count("# ") > 3


def test_a_story_that_cannot_be_read_keeps_no_other_from_being_told(files):
    """A directory of a hundred with one mistake: ninety-nine answers, and an error for the one."""
    (files / "bad.story").unlink()
    (files / "broken.story").write_text("# Nothing.\n+0 > nonsense\n")
    (files / "unset.story").write_text("# No such.\nset tcp.windw=off\n\n+0 > S 0:0(0) accept\n")

    done = fwemu("scenario", "run", "./")

    assert (done.code, done.out) == (2, "good.story  IPv4 ok, IPv6 ok\n")
    lines = done.err.splitlines()
    assert [line.partition(": ")[0] for line in lines[:2]] == ["not told", "not told"]
    assert "broken.story" in done.err
    assert "windw" in done.err
    assert lines[-1] == "fwemu: 2 stories not told (see above)"


@pytest.mark.kernel
@pytest.mark.parametrize("number", [47, 132, 136])
def test_the_kernel_tracks_protocols_that_have_numbers_we_do_not_read(files, number):
    """GRE, SCTP and UDP-Lite: ctnetlink wants their ports, also where a story has none.

    What the kernel makes of a body of zeros is another matter: SCTP and UDP-Lite refuse it.
    """
    story = f"# Other.\nkernel = yes\n+0 > proto {number} (100) accept\n"
    (files / "other.story").write_text(story)

    done = fwemu("scenario", "run", "./other.story", "--on", "kernel")

    assert done.code in ({0} if number == 47 else {0, 8}), done.err
    assert done.out.startswith("./other.story  IPv4 ")


def test_a_story_that_goes_otherwise_is_printed_and_has_an_exit_code_of_its_own(files):
    """The conversation, the line that differs, what was wanted and what came."""
    done = fwemu("scenario", "run", "good.story", "bad.story")

    assert done.code == 8
    assert done.err == "fwemu: 1 of 2 stories went otherwise than told\n"
    assert done.out == (
        "good.story  IPv4 ok, IPv6 ok\n"
        "bad.story   IPv4 FAILED\n"
        "\n"
        "bad.story:4: with IPv4\n"
        "  1  # It does not.\n"
        "  2  ip = 4\n"
        "  3  +0 > S 0:0(0) accept SYN_SENT\n"
        "* 4  +1 > S 0:0(0) drop denied\n"
        "     wanted  drop denied\n"
        "     got     accept session SYN_SENT\n"
        "\n"
    )


def test_machines_get_an_object_for_each_telling(files):
    """By IP version, with the line that differs."""
    done = fwemu("scenario", "run", "--json", ".")

    assert done.code == 8
    assert done.json == [
        {
            "name": "bad.story", "ip": 4, "on": "engine", "outcome": "failed", "line": 4,
            "wanted": "drop denied", "got": "accept session SYN_SENT",
        },
        {"name": "good.story", "ip": 4, "on": "engine", "outcome": "passed"},
        {"name": "good.story", "ip": 6, "on": "engine", "outcome": "passed"},
    ]  # fmt: skip


def test_another_device_may_be_asked_the_same(files):
    """A story that names no profile is a question to any of them."""
    (files / "ask.story").write_text("ip = 4\n+0 > A 1:1(0) ack 1 drop unknown_packet\n")

    assert fwemu("scenario", "run", "ask.story").code == 0
    done = fwemu("scenario", "run", "ask.story", "--profile", "cisco-asa")

    assert done.code == 8
    assert "got     it says < R 1:1(0) towards the inside" in done.out


def test_mistakes_are_told_with_their_place(files):
    """Before any story is told."""
    (files / "typo.story").write_text("+0 > S 0:0(0) accept SYN_SEND\n")

    for words, said in (
        (["run", "typo.story"], "typo.story:1: 'SYN_SEND' is no state"),
        (["run", "handsake"], "handsake: no such story"),
        (["run", "good.story", "--profile", "cisco-asb"], "good.story: profile: 'cisco-asb' is"),
    ):
        done = fwemu("scenario", *words)
        assert (done.code, done.out) == (2, "")
        assert done.err.startswith(f"fwemu: {said}"), done.err


@pytest.mark.kernel
def test_the_kernel_is_asked_what_a_story_says_it_can_be(files):
    """Others are left out, and that is said."""
    done = fwemu("scenario", "run", "good.story", "bad.story", "--on", "kernel")

    assert (done.code, done.out) == (0, "good.story  IPv4 ok, IPv6 ok\n")
    assert done.err == (
        "not for the kernel: bad.story (they do not say kernel = yes)\n1 story, all as told\n"
    )
    done = fwemu("scenario", "run", "bad.story", "--on", "kernel")
    assert (done.code, done.err) == (
        2, "fwemu: none of these is for the kernel (write kernel = yes into it)\n",
    )  # fmt: skip


@pytest.mark.kernel
def test_the_same_stories_run_through_a_real_queue(files):
    """As root, and nothing is left of it."""
    done = fwemu("scenario", "run", "good.story", "--on", "queue", "--json")

    assert done.code == 0, done.err
    assert [record["on"] for record in done.json] == ["queue", "queue"]
    assert not [name for name in names() if name.startswith(f"story{os.getpid()}-")]
