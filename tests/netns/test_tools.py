"""Finding what the system has, also for users whose PATH leaves it out."""

from __future__ import annotations

import pytest

from netns import find_tool


def test_a_tool_in_sbin_is_found_by_an_ordinary_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """Debian's PATH for users has no /usr/sbin, where nft and iptables are."""
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    found = find_tool("nft")
    assert found is not None
    assert found.endswith("sbin/nft")


def test_what_is_not_there_is_not_found() -> None:
    """And then the package is named."""
    assert find_tool("fwemu-no-such-tool") is None
