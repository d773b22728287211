"""What the kernel lets this process do: its capabilities, their reach, what else confines it.

Nothing here asks which user it is: root may have lost its capabilities, as in a container, and any
user has all of them in a user namespace of their own (capabilities(7), user_namespaces(7)).
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

NS_GET_USERNS: Final = 0xB701  # include/uapi/linux/nsfs.h

_NUMBERS: Final = {
    "CAP_NET_ADMIN": 12,
    "CAP_NET_RAW": 13,
    "CAP_SYS_PTRACE": 19,
    "CAP_SYS_ADMIN": 21,
    "CAP_SETFCAP": 31,
}  # include/uapi/linux/capability.h


class Refusal(NamedTuple):
    """The reason why the kernel refuses something, and the way out."""

    reason: str
    remedy: str
    """The way out; mostly a command."""

    def __str__(self) -> str:
        return f"{self.reason}: {self.remedy}"


def missing(names: Iterable[str]) -> list[str]:
    """Those of these capabilities that are not in effect for this thread."""
    effective = int(_of_status("CapEff"), 16)
    return [name for name in names if not effective >> _NUMBERS[name] & 1]


def reach(kind: str) -> bool:
    """True if this thread's capabilities count in its own namespace of this kind ("net", "mnt").

    They do not where it was made in a user namespace outside of the present one.
    """
    descriptor = os.open(f"/proc/thread-self/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.close(fcntl.ioctl(descriptor, NS_GET_USERNS))
    except OSError as error:
        return error.errno != errno.EPERM  # else a kernel without this question (before 4.9)
    finally:
        os.close(descriptor)
    return True


def confinement(code: int | None) -> Refusal | None:
    """What may have answered with this error number to somebody who has the capabilities.

    None if nothing of the kind is there.
    """
    if code in (errno.EPERM, errno.ENOSYS) and is_filtered():
        return Refusal(
            "a seccomp filter forbids it, as in a container",
            "run that with --security-opt seccomp=unconfined, or with a filter that allows it",
        )
    if code in (errno.EPERM, errno.EACCES) and (profile := _profile()):
        return Refusal(
            f"a security module confines this process as {profile!r}",
            "in a container add --security-opt apparmor=unconfined, or with SELinux "
            "--security-opt label=disable",
        )
    return None


def limit_reached(name: str) -> Refusal:
    """A limit of /proc/sys/user is in the way."""
    is_off = setting(f"user/{name}") == "0"
    return Refusal(
        f"user.{name} is {'0' if is_off else 'reached'}", f"sudo sysctl -w user.{name}=15000"
    )


def setting(path: str) -> str | None:
    """A value of /proc/sys; None if there is none."""
    try:
        return Path("/proc/sys", path).read_text().strip()
    except OSError:
        return None


def is_filtered() -> bool:
    """Does a seccomp filter look at the system calls of this thread?"""
    return _of_status("Seccomp") == "2"  # SECCOMP_MODE_FILTER


def _of_status(name: str) -> str:
    """A field of proc_pid_status(5), of the calling thread."""
    text = Path("/proc/thread-self/status").read_text()
    return text.partition(f"\n{name}:")[2].partition("\n")[0].strip()


def _profile() -> str | None:
    """The name by which AppArmor or SELinux confines this process."""
    try:
        profile = Path("/proc/thread-self/attr/current").read_text().strip("\0\n ")
    except OSError:  # EINVAL where there is no such module
        return None
    return None if profile in ("", "unconfined", "kernel") else profile
