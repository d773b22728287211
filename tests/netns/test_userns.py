"""Why the kernel does not let an ordinary user have a user namespace, and the way out."""

from __future__ import annotations

import errno
import threading

import pytest

from netns import permissions, userns

EVERY_LIMIT = [
    ("user", "user/max_user_namespaces"),
    ("mounts", "user/max_mnt_namespaces"),
    ("network", "user/max_net_namespaces"),
]


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What /proc/sys says; empty, as on a kernel that has none of these."""
    values: dict[str, str] = {}
    monkeypatch.setattr(userns, "setting", values.get)
    monkeypatch.setattr(permissions, "setting", values.get)
    monkeypatch.setattr(permissions, "is_filtered", lambda: False)
    monkeypatch.setattr(permissions, "_profile", lambda: None)
    return values


@pytest.mark.parametrize(("step", "path"), EVERY_LIMIT)
@pytest.mark.parametrize(("value", "word"), [("0", "0"), ("15000", "reached")])
def test_a_limit_is_named_with_the_command_that_lifts_it(settings, step, path, value, word):
    """ENOSPC means one of three limits; which one, the step tells."""
    settings[path] = value
    name = path.replace("/", ".")

    refusal = userns._why(step, errno.ENOSPC)

    assert str(refusal) == f"{name} is {word}: sudo sysctl -w {name}=15000"


@pytest.mark.parametrize("step", ["user", "mounts", "network", "run"])
@pytest.mark.parametrize("code", [errno.EPERM, errno.EACCES])
@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (
            "kernel/unprivileged_userns_clone",
            "0",
            "kernel.unprivileged_userns_clone is 0: "
            "sudo sysctl -w kernel.unprivileged_userns_clone=1",
        ),
        (
            "kernel/apparmor_restrict_unprivileged_userns",
            "1",
            "kernel.apparmor_restrict_unprivileged_userns is 1: "
            "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        ),
    ],
)
def test_a_switch_is_named_with_the_command_that_turns_it(settings, step, code, path, value, said):
    """Distributions refuse at different steps: Ubuntu's AppArmor only after the first."""
    settings[path] = value

    assert str(userns._why(step, code)) == said


@pytest.mark.parametrize(
    ("step", "code", "reason"),
    [
        ("user", errno.EINVAL, "this kernel has no user namespaces (CONFIG_USER_NS)"),
        ("user", errno.EUSERS, "user namespaces are nested too deep"),
        ("user", errno.EPERM, "the kernel refuses a user namespace (operation not permitted)"),
        (
            "map",
            errno.EPERM,
            "the kernel refuses a map of one's own user (operation not permitted)",
        ),
        ("mounts", errno.EPERM, "the kernel refuses a mount namespace (operation not permitted)"),
        (
            "network",
            errno.EPERM,
            "the kernel refuses a network namespace (operation not permitted)",
        ),
        ("run", errno.EACCES, "the kernel refuses a mount on /run (permission denied)"),
    ],
)
def test_other_reasons_are_said_as_far_as_they_are_known(settings, step, code, reason):
    """With the error of the kernel, where that is all there is."""
    settings["kernel/unprivileged_userns_clone"] = "1"  # allowed: it is not this

    assert userns._why(step, code).reason == reason


def test_in_a_container_it_is_the_filter(settings, monkeypatch):
    """Docker's default filter answers EPERM to unshare(2)."""
    monkeypatch.setattr(permissions, "is_filtered", lambda: True)

    refusals = [userns._why("user", code) for code in (errno.EPERM, errno.ENOSYS)]

    assert {refusal.reason for refusal in refusals} == {
        "a seccomp filter forbids it, as in a container"
    }
    assert "--security-opt seccomp=unconfined" in refusals[0].remedy


@pytest.mark.parametrize("step", ["mounts", "run"])
def test_a_security_module_is_named_by_its_profile(settings, monkeypatch, step):
    """Docker's profile of AppArmor forbids mounts to everybody."""
    monkeypatch.setattr(permissions, "_profile", lambda: "docker-default (enforce)")

    refusal = userns._why(step, errno.EACCES)

    assert refusal.reason == "a security module confines this process as 'docker-default (enforce)'"
    assert "--security-opt apparmor=unconfined" in refusal.remedy


def test_a_process_with_threads_is_not_even_tried(monkeypatch):
    """The kernel would answer EINVAL, which also means a kernel without user namespaces."""
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        refusal = userns.refusal()
    finally:
        stop.set()
        thread.join()

    assert refusal is not None
    assert "threads already" in refusal.reason
