"""The client of the control API: command line, labs and tests use it."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import traceback
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import httpx
import orjson

from fwemu.errors import ConfigError, ControlError

SECONDS: Final = 30.0
"""How long an answer may take."""

Answer = dict[str, Any]


class Client:
    """A firewall, seen through its control socket.  Use it as a context manager, or close it.

    Every method raises ControlError if the firewall does not answer, and ConfigError if it finds
    the request wrong.
    """

    def __init__(self, control: Path, seconds: float = SECONDS) -> None:
        self.control = control
        self._seconds = seconds
        self._http = httpx.Client(
            # neither TLS nor proxies on a unix socket; httpx would read all certificates for them
            transport=httpx.HTTPTransport(uds=str(control), verify=False),
            trust_env=False,
            base_url="http://fwemu",
            timeout=seconds,
        )

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def status(self) -> Answer:
        """The firewall itself: name, process, namespace, queue, profile, mode."""
        return dict(self._ask("GET", "/status"))

    def config(self) -> Answer:
        """All its settings."""
        return dict(self._ask("GET", "/config"))

    def configure(self, settings: Sequence[str], *, flush: bool = False) -> Answer:
        """Change settings, each as `key=value`; returns all of them.

        With `flush` the table is emptied in the same step, as by a policy push.
        """
        return dict(self._ask("PATCH", "/config", {"settings": list(settings), "flush": flush}))

    def sessions(self, **match: Any) -> Iterator[dict[str, Any]]:
        """All sessions that match (`protocol`, `state`, `host`, `port`), in order of number."""
        after: int | None = 0
        while after is not None:
            page = self._ask("GET", "/sessions", query={**match, "after": after})
            yield from page["sessions"]
            after = page["next"]

    def statistics(self) -> Answer:
        """All counters and gauges."""
        return dict(self._ask("GET", "/stats"))

    def flush(self) -> int:
        """Empty the table; returns how many sessions that were."""
        return int(self._ask("POST", "/flush")["sessions"])

    def fail_over(self, *, state: str | None = None, lag: str | None = None) -> Answer:
        """Let the peer take over, by default the one that `[standby]` describes.

        `state` is none or synchronised, `lag` a duration.  Returns how many sessions it `kept`,
        `lost`, and how many have `returned`.
        """
        return dict(self._ask("POST", "/failover", {"state": state, "lag": lag}))

    def reboot(self, outage: str) -> int:
        """Forget all sessions and be down for a while; returns how many sessions that were."""
        return int(self._ask("POST", "/reboot", {"outage": outage})["sessions"])

    def fast_forward(
        self,
        by: str,
        stop_on: Sequence[str] = (),
        *,
        applications: bool = True,
        grain: str | None = None,
        is_all_we_do: bool = False,
    ) -> Answer:
        """Let time pass in a moment, at the firewall and in the kernels of its hosts.

        `by` is a duration, `stop_on` any of session-ended, connection-lost, probe-unanswered.
        Returns what happened, as `fwemu fast-forward --json` prints it.  Without `applications`
        programs stand still; with it what ticks may be late by `grain`, a duration.
        With `is_all_we_do` this process does nothing else: sockets that it has are inherited, and
        its waits are for this.
        """
        caller = [os.getpid(), 0 if is_all_we_do else threading.get_native_id()]
        body = {
            "by": by, "stop_on": list(stop_on), "caller": caller, "applications": applications
        }  # fmt: skip
        if grain is not None:
            body["grain"] = grain
        return dict(self._ask("POST", "/fast-forward", body, is_slow=True))

    def time_scale(self) -> Answer:
        """The time scale of the firewall: `time_scale`, `settings`, `not_scaled`, `sockets`."""
        return dict(self._ask("GET", "/time-scale"))

    def passed(self) -> float | None:
        """Seconds that a fast-forward under way has come; None if there is none."""
        passed = self._ask("GET", "/fast-forward")["passed_s"]
        return None if passed is None else float(passed)

    def cancel_fast_forward(self) -> None:
        """End a fast-forward under way where it is; whoever asked for it gets what has happened."""
        self._ask("DELETE", "/fast-forward")

    def kill(self, *, notify: str = "silent", **which: Any) -> int:
        """End sessions by `ids`, by `match` (a dict as for `sessions`) or by `share`.

        Returns how many were ended.
        """
        return int(self.end_sessions(notify=notify, **which)["sessions"])

    def end_sessions(self, *, notify: str = "silent", **which: Any) -> Answer:
        """The same as `kill`; returns also which of `ids` were `missing`."""
        return dict(self._ask("POST", "/sessions/kill", {"notify": notify, **which}))

    def events(self, *, after: int = 0, follow: bool = False) -> Iterator[dict[str, Any]]:
        """The log from an event's number on; with `follow` it goes on until the firewall ends."""
        for line in self._lines("/events", after=after, follow=follow):
            yield orjson.loads(line)

    def device_log(self, *, follow: bool = False) -> Iterator[str]:
        """The lines of the log in the format of a device; empty while no format is chosen."""
        return self._lines("/device-log", follow=follow)

    def metrics(self) -> str:
        """Prometheus text."""
        with self._explained():
            return self._http.get("/metrics").raise_for_status().text

    def _lines(self, path: str, **query: Any) -> Iterator[str]:
        with (
            self._explained(),
            self._http.stream("GET", path, params=query, timeout=None) as response,
        ):
            yield from lines_of(response.iter_text())

    def _ask(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        query: dict[str, Any] | None = None,
        *,
        is_slow: bool = False,
    ) -> Any:
        with self._explained():
            response = self._http.request(
                method,
                path,
                content=None if body is None else json.dumps(body),  # whatever text is in it
                headers=None if body is None else {"Content-Type": "application/json"},
                params=None if query is None else {key: _text(item) for key, item in query.items()},
                timeout=None if is_slow else self._seconds,
            )
        if response.status_code == 200:
            return orjson.loads(response.content)
        try:
            problem = orjson.loads(response.content)["error"]
        except (ValueError, KeyError):
            problem = f"{method} {path}: HTTP status {response.status_code}"
        raise (ConfigError if response.status_code == 400 else ControlError)(problem)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except httpx.ConnectError as error:
            _close_sockets_on_the_way_of(error)
            raise nobody_answers(self.control) from error
        except httpx.TimeoutException as error:
            raise ControlError(f"{self.control}: no answer within {self._seconds:g} s") from error
        except httpx.TransportError as error:
            raise ControlError(f"{self.control}: the firewall has ended") from error


def _close_sockets_on_the_way_of(error: BaseException | None) -> None:
    """httpcore 1.0 leaves the socket open with which it could not connect.

    It would stay so until the garbage is collected, and warn of itself then, in whatever runs.
    """
    while error is not None:
        for frame, _ in traceback.walk_tb(error.__traceback__):
            for value in frame.f_locals.values():
                if isinstance(value, socket.socket):
                    value.close()
        error = error.__cause__ or error.__context__


def _text(item: object) -> str:
    return str(item).encode(errors="backslashreplace").decode()


def lines_of(pieces: Iterable[str]) -> Iterator[str]:
    """Lines end at line feeds only: a setting may carry whatever else Unicode ends lines with."""
    rest = ""
    for piece in pieces:
        *whole, rest = (rest + piece).split("\n")
        yield from whole
    if rest:
        yield rest


def nobody_answers(control: Path) -> ControlError:
    """The error where no firewall listens."""
    return ControlError(f"{control}: no firewall answers there; `fwemu ls` shows those that run")
