"""The configuration of a firewall: one schema for files, flags, the API and the docs.

`load` reads it, `policy` makes of it what the core follows.  There is no global configuration.
"""

from fwemu.config.compile import policy
from fwemu.config.duration import Duration
from fwemu.config.load import Kind, Origin, Resolved, apply, load, resolve, to_settings, to_toml
from fwemu.config.profiles import Profile
from fwemu.config.schema import Config, DeviceLogFormat, LogEvent, WhenDown
from fwemu.config.size import Size

__all__ = [
    "Config",
    "DeviceLogFormat",
    "Duration",
    "Kind",
    "LogEvent",
    "Origin",
    "Profile",
    "Resolved",
    "Size",
    "WhenDown",
    "apply",
    "load",
    "policy",
    "resolve",
    "to_settings",
    "to_toml",
]
