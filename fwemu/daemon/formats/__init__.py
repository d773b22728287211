"""Log formats of real devices: pure functions from an effect to a line, one module each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fwemu.config.schema import DeviceLogFormat
from fwemu.daemon.formats import cisco_asa, conntrack, fortigate, juniper_srx, pan_os
from fwemu.daemon.formats.device import Format

FORMATS: Final[Mapping[DeviceLogFormat, Format | None]] = {
    DeviceLogFormat.NONE: None,
    DeviceLogFormat.CISCO_ASA: cisco_asa.FORMAT,
    DeviceLogFormat.JUNIPER_SRX: juniper_srx.FORMAT,
    DeviceLogFormat.PAN_OS: pan_os.FORMAT,
    DeviceLogFormat.FORTIGATE: fortigate.FORMAT,
    DeviceLogFormat.CONNTRACK: conntrack.FORMAT,
}
"""By the value of `daemon.device_log`."""
