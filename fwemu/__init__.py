"""fwemu: a stateful firewall emulator on real Linux."""

__version__ = "0.1.0"
