"""A run as JUnit XML, which CI servers show: a test case for the client, one for each --fail-on.

The format is what Jenkins, GitLab and others agree on, as described by
https://github.com/testmoapp/junitxml; `error` is for what kept a case from being judged at all.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple
from xml.etree import ElementTree

from fwemu.errors import FwemuError

_NOT_XML: Final = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML 1.0 document may contain (section 2.2), escaped or not."""


class Case(NamedTuple):
    """A test case; without a problem it has passed."""

    name: str
    seconds: float = 0.0
    failure: str | None = None
    """What it should not have done."""
    error: str | None = None
    """Why nobody knows."""


def write(path: Path, suite: str, cases: Sequence[Case]) -> None:
    """Write the file; FwemuError if that cannot be done."""
    failures = sum(case.failure is not None for case in cases)
    errors = sum(case.error is not None for case in cases)
    totals = {
        "tests": str(len(cases)),
        "failures": str(failures),
        "errors": str(errors),
        "time": f"{sum(case.seconds for case in cases):.3f}",
    }
    root = ElementTree.Element("testsuites", totals)
    within = ElementTree.SubElement(root, "testsuite", {"name": suite, **totals, "skipped": "0"})
    for case in cases:
        element = ElementTree.SubElement(
            within,
            "testcase",
            {"classname": suite, "name": _clean(case.name), "time": f"{case.seconds:.3f}"},
        )
        for kind, text in (("failure", case.failure), ("error", case.error)):
            if text is not None:
                ElementTree.SubElement(element, kind, {"message": _clean(text)}).text = _clean(text)
    ElementTree.indent(root)
    try:
        ElementTree.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise FwemuError(f"--junit {path}: cannot be written: {reason}") from error


def _clean(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
