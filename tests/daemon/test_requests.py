"""The seam between the two processes: a class for each request."""

import pickle
from dataclasses import FrozenInstanceError, fields, is_dataclass
from typing import Any, get_args

import pytest

from fwemu.config import Config, DeviceLogFormat, policy
from fwemu.core.choices import AtExpiry, PeerState
from fwemu.daemon.engine_settings import Flushes, Pair
from fwemu.daemon.requests import (
    Advance,
    Asking,
    BeginFastForward,
    Configure,
    CountSessions,
    EndFastForward,
    FailOver,
    Flush,
    Kill,
    KillRandom,
    ListSessions,
    Note,
    ReadStatistics,
    Reboot,
    Request,
)

ONE_OF_EACH: tuple[Request, ...] = (
    ListSessions(0, 1),
    CountSessions(),
    ReadStatistics(),
    Flush(),
    Kill((1, 2), AtExpiry.SILENT),
    KillRandom(0.5, AtExpiry.RESET_BOTH),
    Configure(
        policy(Config()), Flushes(), Pair(), ("built",), DeviceLogFormat.NONE, ("a=\ud800",), False
    ),
    FailOver(PeerState.NONE, 0),
    Reboot(1),
    Note("time_scaled", {"host": "client"}),
    Advance(5, watch=True),
    BeginFastForward(5),
    EndFastForward(({"what": "timers inside the application"},), "session-ended"),
)


def test_every_kind_of_request_is_one_that_the_engine_knows() -> None:
    """`match` and the type checker look at `Request`: what is not in it is served by nobody."""
    assert set(Asking.__subclasses__()) == set(get_args(Request))
    assert {type(each) for each in ONE_OF_EACH} == set(get_args(Request))


@pytest.mark.parametrize("request_", ONE_OF_EACH, ids=lambda each: type(each).__name__)
def test_a_request_is_frozen_and_crosses_the_pipe_whole(request_: Any) -> None:
    """Whatever text a user has put into it."""
    assert is_dataclass(request_)
    assert pickle.loads(pickle.dumps(request_)) == request_
    for field in fields(request_):
        with pytest.raises(FrozenInstanceError):
            setattr(request_, field.name, None)
