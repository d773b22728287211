"""Are the addresses of labs given back to the machine?

A lab keeps the machine from its networks while it stands (`netns/unreachable.py`).  Rules that stay
when it is gone harm nobody at once: 254 of them, and there are no addresses for another lab.
"""

from __future__ import annotations

from typing import Final

from fwemu.lab.plan import LAB_NUMBERS, networks_of
from netns import Namespace, NetnsError, known_networks, names

_NUMBER_OF: Final = {network: number for number in LAB_NUMBERS for network in networks_of(number)}


class GivenBack:
    """Watches the namespace of the calling thread: whose addresses does it keep for nobody?"""

    def __init__(self) -> None:
        self._machine = Namespace.current()
        self._before = _kept(self._machine)
        self._standing: dict[str, set[int]] = {}
        """By namespace of a lab: its number."""
        self.since: dict[int, str] = {}
        """By number of a lab that is gone: the test after which its networks were still kept."""

    def look(self, after: str) -> dict[int, str]:
        """Look again, after a test; returns `since`.

        A lab that is just being made or removed, by whomever, has rules and no host as well: only
        what stays is wrong.
        """
        kept = _kept(self._machine)
        self._before &= kept
        gone = kept - self._before - self._numbers_of_labs()
        self.since = {number: self.since.get(number, after) for number in sorted(gone)}
        return self.since

    def _numbers_of_labs(self) -> set[int]:
        there = names()
        for name in there:
            if name not in self._standing:
                try:
                    numbers = _used(Namespace.named(name))
                except NetnsError:  # it has gone meanwhile
                    continue
                if numbers:  # else it may just be getting its addresses
                    self._standing[name] = numbers
        return set().union(*(self._standing.get(name, set()) for name in there))


def _kept(namespace: Namespace) -> set[int]:
    """The labs whose networks this namespace knows."""
    return {_NUMBER_OF[each] for each in known_networks(namespace) if each in _NUMBER_OF}


def _used(namespace: Namespace) -> set[int]:
    """The labs of which this namespace has an address."""
    own = [each for each in known_networks(namespace) if each.prefixlen == each.max_prefixlen]
    around = [each.supernet(new_prefix=24 if each.version == 4 else 64) for each in own]
    return {_NUMBER_OF[each] for each in around if each in _NUMBER_OF}
