"""Finds and removes the leftovers of stand-alone firewalls that ended unasked.

The hook stays in the namespace, and the announcement in the run directory tells where that is.
"""

from __future__ import annotations

from fwemu.daemon import hooks
from fwemu.daemon.rundir import About
from fwemu.errors import QueueError
from netns import Namespace, NetnsError


def remove_hook(about: About) -> bool:
    """Remove the hook of a firewall that has ended; False where somebody else uses its queue.

    Where its namespace is gone, so is the hook.  Raises NetnsError where it cannot be removed.
    """
    namespace = namespace_of(about)
    if namespace is None:
        return True
    from fwemu.daemon.queue import require_free

    with namespace.enter():
        try:
            require_free(about.queue)
        except QueueError:  # a firewall that came later, perhaps in a namespace that came later
            return False
    hooks.remove_leftover(namespace, about.queue)
    return True


def namespace_of(about: About) -> Namespace | None:
    """The network namespace of a firewall that has ended; None if it is gone."""
    try:
        named = Namespace.named(about.netns)
        if about.netns_inode in (0, named.identity[1]):
            return named
    except (NetnsError, ValueError):  # a path, or "this thread"
        pass
    return Namespace.find(about.netns_inode) if about.netns_inode else None
