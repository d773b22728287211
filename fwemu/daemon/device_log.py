"""The log in the format of a device, beside the firewall log."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from fwemu.config import DeviceLogFormat
from fwemu.core.effects import Effect
from fwemu.core.policy import Policy
from fwemu.core.session import Session
from fwemu.daemon.bounded_file import BoundedFile, NotWrittenError
from fwemu.daemon.clock import Clock
from fwemu.daemon.formats import FORMATS
from fwemu.daemon.formats.device import Device
from fwemu.daemon.losses import Losses


class DeviceLog:
    """Writes effects in the format of a device, to a file of at most `limit` octets.

    There is no file before a format is chosen; another format begins it anew, so that it never has
    lines of two.
    """

    def __init__(
        self, path: Path, clock: Clock, limit: int, name: str, losses: Losses | None = None
    ) -> None:
        self.losses = losses or Losses("device_log")
        self._path = path
        self._clock = clock
        self._limit = limit
        self._chosen = DeviceLogFormat.NONE
        self._device = Device(name, Policy())
        self._file: BoundedFile | None = None

    def follow(
        self, chosen: DeviceLogFormat, policy: Policy, sessions: Iterable[Session] = ()
    ) -> None:
        """Write in this format from now on, about a firewall with this policy.

        `sessions` are those that are open when the format changes.
        """
        self._device.policy = policy
        if chosen is self._chosen:
            return
        self._chosen = chosen
        self._device = Device(self._device.name, policy)
        if FORMATS[chosen] is None:
            return
        for session in sessions:
            self._device.meet(session)
        is_new, self._file = self._file is None, self._file or BoundedFile(self._path, self._limit)
        try:
            self._file.open() if is_new else self._file.begin_anew()
        except OSError as error:
            self.losses.add(error, 0)

    def write(self, effects: Iterable[Effect]) -> None:
        """Add the lines of these events, in order, and hand them to the system."""
        chosen = FORMATS[self._chosen]
        if chosen is None or self._file is None:
            return
        lines = bytearray()
        for effect in effects:
            try:
                line = chosen.line(self._device, effect, self._clock.wall(effect.at))
            except Exception as error:
                self.losses.add(error, 1)
                continue
            if line is not None:
                lines += line.encode(errors="backslashreplace") + b"\n"
        try:
            self._file.append(lines)
        except NotWrittenError as failure:
            self.losses.add(failure.error, failure.lines)
        else:
            if lines:
                self.losses.over()

    def close(self) -> None:
        """Close the file; what was written stays."""
        if self._file is not None:
            self._file.close()
