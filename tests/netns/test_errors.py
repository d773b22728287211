"""Translating what the system says into a line a person can act on."""

import errno

import pytest

from netns import (
    CleanupError,
    LinkError,
    NamespaceExists,
    NetnsError,
    NoSuchNamespace,
    NotPermitted,
    ProcessError,
    WaitTimeout,
)
from netns.errors import WAY_OUT, translated


@pytest.mark.parametrize("code", [errno.EPERM, errno.EACCES])
def test_a_missing_right_is_named_whatever_was_tried(code):
    """ "Operation not permitted" alone does not tell anyone to use sudo."""
    with (
        pytest.raises(NotPermitted, match=r"cannot boil water: .*CAP_SYS_ADMIN.*sudo"),
        translated("boil water", LinkError),
    ):
        raise OSError(code, "no")


@pytest.mark.parametrize("code", sorted(WAY_OUT))
def test_what_often_goes_wrong_comes_with_a_way_out(code):
    """The hint stands behind the kernel's own words and does not replace them."""
    with pytest.raises(LinkError) as caught, translated("boil water", LinkError):
        raise OSError(code, "the kernel's words.")
    assert str(caught.value) == f"cannot boil water: the kernel's words ({WAY_OUT[code]})"


def test_any_other_error_keeps_its_words_and_its_cause():
    """Unknown trouble must not be dressed up as known trouble."""
    trouble = OSError(errno.EXDEV, "odd")
    with (
        pytest.raises(NetnsError, match=r"^cannot boil water: odd$") as caught,
        translated("boil water"),
    ):
        raise trouble
    assert caught.value.__cause__ is trouble


def test_mistakes_of_the_calling_code_pass_untouched():
    """A ValueError is a bug to see with its traceback."""
    with pytest.raises(ValueError, match="bug"), translated("boil water"):
        raise ValueError("bug")


def test_every_error_is_a_netns_error():
    """One `except` is enough for a caller who only wants to print it."""
    for kind in (LinkError, NamespaceExists, NoSuchNamespace, NotPermitted, ProcessError):
        assert issubclass(kind, NetnsError)
    assert issubclass(WaitTimeout, ProcessError)
    assert issubclass(CleanupError, NetnsError)
    assert str(CleanupError([OSError("a"), OSError("b")])) == "cleaning up: a; b"
