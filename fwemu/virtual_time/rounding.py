"""Rounds scaled values to the whole numbers of the kernels, and tells the error."""

from __future__ import annotations

from typing import Any, NamedTuple

LEAST_ERROR = 0.05
"""Percent; what is closer counts as exact."""


class Scaled(NamedTuple):
    """A scaled value of a kernel, with its source."""

    name: str
    unit: str
    """As in "s"; of a count it is that of the time that it stands for."""
    asked: float
    """Before, and in the time of the firewall."""
    scale: int
    set: int
    """What was written."""
    effect: float
    """What the kernel makes of it, in `unit`."""
    was: int | None = None
    """Of a count: what it was before; `asked` and `effect` are the times that they stand for."""

    @property
    def exact(self) -> float:
        """The exact value."""
        return self.asked / self.scale

    @property
    def error(self) -> float:
        """The error in percent of the exact value."""
        return (self.effect / self.exact - 1) * 100

    @property
    def is_exact(self) -> bool:
        """True if nothing was rounded."""
        return abs(self.error) < LEAST_ERROR

    @property
    def record(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "setting": self.name,
            "unit": self.unit,
            "asked": self.asked,
            "exact": round(self.exact, 6),
            "set": self.set,
            "effect": round(self.effect, 6),
            "count": self.was,
            "error_percent": round(self.error, 1),
        }

    def __str__(self) -> str:
        """As in `tcp_keepalive_intvl: 75 s / 60 = 1.25 s, set to 1 s (-20 %)`."""
        unit, exact = self.unit, f"{self.exact:.4g}"
        error = "exact" if self.is_exact else f"{self.error:+.3g} %"
        if self.was is not None:
            return (
                f"{self.name}: {self.was}, which is {self.asked:.4g} {unit}, / {self.scale} = "
                f"{exact} {unit}, set to {self.set}, which is {self.effect:.4g} {unit} ({error})"
            )
        acts = "" if self.effect == self.set else f", which acts as {self.effect:.4g} {unit}"
        return (
            f"{self.name}: {self.asked:.10g} {unit} / {self.scale} = {exact} {unit}, "
            f"set to {self.set} {unit}{acts} ({error})"
        )


def nearest(value: int, scale: int, least: int) -> int:
    """The whole number that is next to `value / scale`, and not below `least`."""
    return max(least, (2 * value + scale) // (2 * scale))
