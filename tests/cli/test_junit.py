"""JUnit XML as CI servers read it."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from fwemu.cli.junit import Case, write
from fwemu.errors import FwemuError


def test_each_case_says_how_it_went(tmp_path):
    """A CI server counts them, and shows the message."""
    file = tmp_path / "result.xml"
    cases = [
        Case("client: true", 1.25),
        Case("not dropped", failure="twice"),
        Case("x", error="?"),
    ]

    write(file, "fwemu run", cases)

    root = ElementTree.parse(file).getroot()
    (suite,) = root
    assert (root.tag, suite.tag) == ("testsuites", "testsuite")
    for element in (root, suite):
        assert [element.get(key) for key in ("tests", "failures", "errors", "time")] == [
            "3", "1", "1", "1.250",
        ]  # fmt: skip
    assert [case.get("name") for case in suite] == ["client: true", "not dropped", "x"]
    assert {case.get("classname") for case in suite} == {"fwemu run"}
    assert [[problem.tag for problem in case] for case in suite] == [[], ["failure"], ["error"]]
    assert suite[1][0].get("message") == suite[1][0].text == "twice"


def test_whatever_a_program_says_makes_good_xml(tmp_path):
    """Escapes of a terminal, quotes and null bytes come from real programs."""
    file = tmp_path / "result.xml"
    said = "\x1b[31m<it's> & \"\x00\ud800 bad\x1b[0m"

    write(file, "fwemu run", [Case(said, failure=said)])

    failure = ElementTree.parse(file).find(".//failure")
    assert failure.text == "\ufffd[31m<it's> & \"\ufffd\ufffd bad\ufffd[0m"


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    """With the reason."""
    with pytest.raises(FwemuError, match=r"--junit .*/missing/x.xml: cannot be written: no such"):
        write(tmp_path / "missing" / "x.xml", "fwemu run", [])
