"""A running firewall: puts its parts together, and takes them apart again.

Two processes.  This one owns the queue and the engine and waits for nobody; the other one, forked
at the start, serves HTTP (`control`).  Each ends when the other does.
"""

from __future__ import annotations

import contextlib
import gc
import os
import random
import secrets
import select
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Final

from fwemu.config import Config, WhenDown, policy
from fwemu.core.firewall import Firewall
from fwemu.daemon import hooks, needs
from fwemu.daemon.clock import clock as clock_of
from fwemu.daemon.datapath import Datapath
from fwemu.daemon.device_log import DeviceLog
from fwemu.daemon.engine_settings import flushes, logged, pair
from fwemu.daemon.fast_forward import FastForwarderFactory
from fwemu.daemon.hook_watch import HookWatch
from fwemu.daemon.inject import Injector
from fwemu.daemon.journal import Journal
from fwemu.daemon.leftovers import remove_hook
from fwemu.daemon.losses import Losses
from fwemu.daemon.operations import EngineRequests
from fwemu.daemon.pace import Pace
from fwemu.daemon.process_log import ProcessLog
from fwemu.daemon.readers import open_queue
from fwemu.daemon.rundir import About, RunDirectory
from fwemu.daemon.schedule import FlushSchedule
from fwemu.daemon.tally import Tally
from fwemu.daemon.zones import Zones
from fwemu.errors import ControlError
from netns import Namespace, NetnsError, sysctl
from netns.addresses import host_port
from netns.procfs import start_time

_GRACE: Final = 3.0
"""Seconds that the control process has to end."""


@dataclass(frozen=True, kw_only=True)
class DaemonOptions:
    """The options of a firewall to run."""

    name: str
    namespace: Namespace
    config: Config
    directory: RunDirectory
    control: Path
    log: Path | None = None
    """Where to write the log and leave it; by default in the directory, and gone at the end."""
    metrics: tuple[str, int] | None = None
    """Host and port of the metrics; port 0 takes a free one."""
    api: tuple[str, int] | None = None
    """Host and port of the control API on TCP; port 0 takes a free one."""
    fast_forwarder: FastForwarderFactory | None = None
    """Who plays the ends when time is to pass in a moment."""
    time_scale: int = 1
    """How many times faster time passes."""
    pace: Pace | None = None
    """Who has the ends run as fast."""


Say = Callable[[str], None]


def run(options: DaemonOptions, *, say: Say, on_ready: Callable[[About], None]) -> None:
    """Run a firewall in the foreground until SIGTERM or SIGINT.

    `say` gets comments (a line each), `on_ready` is called once packets are being decided.  Raises
    FwemuError where it cannot start; whatever it had set up by then is gone again.

    An end that nobody has asked for leaves the hook, and with it what is announced: nothing passes
    (everything with `daemon.fail = "open"`) until `fwemu down` or the next start.
    """
    needs.require_privileges()
    options = replace(options, namespace=options.namespace.held())
    settings = options.config.daemon
    fail_open = settings.fail is WhenDown.OPEN
    with ExitStack() as undo:
        stop = undo.enter_context(_stop_signals())
        options.directory.make()
        before = options.directory.about()
        announced = undo.enter_context(ExitStack())
        announced.callback(options.directory.withdraw, keep_log=options.log is not None)
        control = undo.enter_context(_unix_listener(options.control))
        metrics = _tcp_listener("metrics", options.metrics, undo)
        api = _tcp_listener("api", options.api, undo)
        about = _about(options, metrics, api)
        if options.pace is not None:
            undo.enter_context(options.pace.scaled_hosts())

        # before any thread, and before the queue: the child must not hold it open
        watch = HookWatch(options.namespace, settings.queue, fail_open)
        serving = undo.enter_context(_control_process(options, about, control, metrics, api, watch))
        control.close()

        clock = clock_of(options.time_scale)
        seed = options.config.table.seed
        seed = secrets.randbits(32) if seed is None else seed
        chance = random.Random(seed)
        zones = Zones(options.namespace, settings.inside, settings.outside)
        firewall = Firewall(
            policy(options.config), choose=chance.randrange, addresses=zones.addresses
        )
        log = ProcessLog()
        size = settings.log_size.octets
        journal = Journal(_log(options), clock, size, Losses("log", log))
        undo.callback(journal.close)
        _open(journal, options)
        journal.select(logged(options.config))
        journal.name_rules(firewall.policy)
        device_log = DeviceLog(
            Path(about.device_log), clock, size, options.name, Losses("device_log", log)
        )
        device_log.follow(settings.device_log, firewall.policy)
        undo.callback(device_log.close)
        tally = Tally(Losses("counters", log))
        planned = flushes(options.config)
        schedule = FlushSchedule(clock, planned.cron, planned.intervals)

        with options.namespace.enter():
            injector = Injector()
            undo.callback(injector.close)
        datapath = Datapath(firewall, clock, zones, schedule, injector, tally, journal, device_log)
        # The queue is closed first, the hook removed then: the kernel warns where a hook goes of
        # which packets still wait (nf_reinject).  In between it does what `fail` says.
        hooked = undo.enter_context(ExitStack())
        with options.namespace.enter():
            queue = open_queue(
                settings.reader, settings.queue, datapath.on_packet, length=settings.queue_length
            )
            undo.callback(queue.close)
        options.directory.prepare(about)
        hook = hooks.install(options.namespace, settings.queue, fail_open=fail_open)
        hooked.callback(_remove_hook, hook, watch, serving)
        watch.arm(hook.tool)
        handler = EngineRequests(
            datapath,
            clock,
            queue,
            injector,
            journal,
            device_log,
            tally,
            chance,
            planned,
            pair(options.config),
            log,
        )

        pace = {} if options.time_scale == 1 else {"time_scale": options.time_scale}
        journal.note(
            "started", clock.now(), name=options.name, netns=about.netns, seed=seed, **pace
        )
        _comment(options, zones, say)  # not before: where it cannot start, only the error counts
        options.directory.announce(about)
        if before is not None and _place(before) != _place(about):
            _clear(before, say)
        on_ready(about)
        how = "broken"
        try:
            with _no_collector():
                how = datapath.run(queue, serving.requests, handler, stop)
        finally:
            if how != "stopped":  # nobody has asked for it
                hooked.pop_all()
                announced.pop_all()
        journal.note(how, clock.now())
    if how == "abandoned":
        passes = "everything passes" if fail_open else "nothing passes"
        raise ControlError(
            f"{options.name}: the control process ended unexpectedly (see above), and {passes} "
            f"(daemon.fail = {about.fail}): `fwemu down {options.name}` or the next start ends that"
        )


def _open(journal: Journal, options: DaemonOptions) -> None:
    """Later a log that cannot be written is no reason to end; at the start somebody is there."""
    try:
        journal.open()
    except OSError as error:
        raise ControlError(
            f"{_log(options)}: cannot be written ({error.strerror}): give --log FILE elsewhere"
        ) from error


def _place(about: About) -> tuple[int, int]:
    """The namespace and the queue of its hook."""
    return about.netns_inode, about.queue


def _clear(before: About, say: Say) -> None:
    """A firewall of this name that has ended may have left its hook elsewhere."""
    try:
        remove_hook(before)
    except NetnsError as error:
        say(f"the hook that {before.name} has left in {before.netns} cannot be removed: {error}")


def _log(options: DaemonOptions) -> Path:
    return options.log.absolute() if options.log is not None else options.directory.events


def _device_log(options: DaemonOptions) -> Path:
    """Beside the other log, wherever that is."""
    log, usual = _log(options), options.directory
    return usual.device_log if log == usual.events else log.with_suffix(".device.log")


def _about(
    options: DaemonOptions, metrics: socket.socket | None, api: socket.socket | None
) -> About:
    started = start_time(os.getpid())
    assert started is not None
    return About(
        name=options.name,
        pid=os.getpid(),
        started=started,
        netns=options.namespace.name,
        queue=options.config.daemon.queue,
        control=str(options.control),
        metrics=None if metrics is None else f"{_address(metrics)}/metrics",
        events=str(_log(options)),
        device_log=str(_device_log(options)),
        profile=options.config.profile,
        mode=options.config.mode.value,
        time_scale=options.time_scale,
        api=None if api is None else _address(api),
        netns_inode=options.namespace.identity[1],
        fail=options.config.daemon.fail.value,
    )


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{host_port(host, port)}"


def _comment(options: DaemonOptions, zones: Zones, say: Say) -> None:
    """Print remarks for the person who starts it."""
    if zones.guessed:
        say(
            f"inside is {', '.join(zones.inside) or 'nothing yet'}, outside "
            f"{', '.join(zones.outside) or 'nothing yet'} (name them with --inside and --outside)"
        )
    for version, name in (("4", "net.ipv4.ip_forward"), ("6", "net.ipv6.conf.all.forwarding")):
        with contextlib.suppress(Exception):
            if sysctl(options.namespace, name) == "0":
                say(
                    f"{name} is 0 in {options.namespace.name}: the kernel forwards no IPv{version} "
                    "there "
                    f"(ip netns exec {options.namespace.name} sysctl -w {name}=1)"
                )


@contextlib.contextmanager
def _no_collector() -> Iterator[None]:
    """Without Python's collector, which would walk the whole table again and again: 150 ms each
    time at 100,000 sessions.  Nothing of a session refers back to it, so that counting is enough.
    """
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


@contextlib.contextmanager
def _stop_signals() -> Iterator[int]:
    """A descriptor that becomes readable on these signals; no packet is interrupted by them."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    previous_wakeup = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    previous = {
        number: signal.signal(number, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    }
    try:
        yield reader
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(previous_wakeup)
        os.close(reader)
        os.close(writer)


@contextlib.contextmanager
def _unix_listener(path: Path) -> Iterator[socket.socket]:
    """A socket that only its owner may connect to."""
    if len(str(path)) > 107:
        raise ControlError(f"{path}: too long for a socket (107 characters): give --control PATH")
    if _answers(path):
        raise ControlError(f"{path}: another firewall answers there: give --control PATH")
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        mask = os.umask(0o177)
        try:
            listener.bind(str(path))
        except OSError as error:
            raise ControlError(
                f"{path}: cannot listen there ({error.strerror}): give --control PATH"
            ) from error
        finally:
            os.umask(mask)
        try:
            listener.listen(128)
            yield listener
        finally:
            path.unlink(missing_ok=True)


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(str(path)) == 0


def _tcp_listener(
    what: str, address: tuple[str, int] | None, undo: ExitStack
) -> socket.socket | None:
    if address is None:
        return None
    host, port = address
    try:
        listener = socket.create_server(
            address, family=socket.AF_INET6 if ":" in host else socket.AF_INET
        )
    except OSError as error:
        reason = (error.strerror or str(error)).partition(" (while")[0]
        raise ControlError(
            f"{what}: cannot listen on {host}:{port} ({reason}): "
            f"give another --{what} HOST:PORT, port 0 for a free one"
        ) from error
    return undo.enter_context(listener)


@contextlib.contextmanager
def _control_process(
    options: DaemonOptions,
    about: About,
    control: socket.socket,
    metrics: socket.socket | None,
    api: socket.socket | None,
    watch: HookWatch,
) -> Iterator[_ControlProcess]:
    """The process that serves HTTP; it is ended after the block."""
    ours, theirs = Pipe()
    alive, held = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the firewall, which ends us
            os.close(held)
            ours.close()
            from fwemu.daemon.control_process import serve

            serve(
                theirs,
                alive,
                control,
                metrics,
                api,
                about,
                options.config,
                options.fast_forwarder,
                options.pace,
                watch,
            )
            code = 0
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            sys.stderr.flush()
            os._exit(code)
    os.close(alive)
    theirs.close()
    process = _ControlProcess(ours, child, held)
    try:
        yield process
    finally:
        process.end()


class _ControlProcess:
    """The process that serves HTTP, as the engine's process sees it."""

    def __init__(self, requests: Connection, child: int, held: int) -> None:
        self.requests = requests
        """The pipe on which it asks."""
        self._child = child
        self._held: int | None = held

    def end(self) -> None:
        """End it and wait for that; twice does no harm."""
        self.requests.close()
        if self._held is not None:
            os.close(self._held)
            self._held = None
            _end_child(self._child)


def _remove_hook(hook: hooks.Hooks, watch: HookWatch, serving: _ControlProcess) -> None:
    """Take the hook away, so that nobody puts it back."""
    serving.requests.close()  # whoever waits there for an answer need not any more
    if not watch.disarm():
        serving.end()
    hook.remove()


def _end_child(child: int) -> None:
    """It ends by itself when the pipe closes; if it does not, it is ended."""
    descriptor = os.pidfd_open(child)
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        for number in (None, signal.SIGTERM, signal.SIGKILL):
            if number is not None:
                signal.pidfd_send_signal(descriptor, number)
            if poll.poll(_GRACE * 1000):
                break
        os.waitpid(child, 0)
    finally:
        os.close(descriptor)
