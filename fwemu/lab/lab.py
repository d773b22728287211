"""A whole lab, made and removed: namespaces and links (`netns`), the firewall, its hosts."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from fwemu import rootless
from fwemu.client import Client
from fwemu.config import load
from fwemu.core.flow import Zone
from fwemu.daemon import needs
from fwemu.daemon.rundir import About, RunDirectory, default_base
from fwemu.errors import ConfigError, NamespaceError
from fwemu.lab import flows, launch, proof, register, termination, trust
from fwemu.lab.flows import Session
from fwemu.lab.host import Host
from fwemu.lab.outages import CableEnd, Power
from fwemu.lab.plan import LabPlan, Layout, Topology, check_name, check_time_scale
from netns import (
    LinkError,
    Namespace,
    NamespaceExists,
    NetnsError,
    Network,
    NotPermitted,
    add_route,
    choosing_networks,
    configure,
    known_networks,
    make_unreachable,
    stop_all_in,
    sysctl,
    undo_unreachable,
)
from netns import remove as remove_namespace

_ZONE_INTERFACE = {Zone.INSIDE: "inside", Zone.OUTSIDE: "outside"}


class Lab:
    """Client, firewall and server.  A context manager: at its end nothing is left.

    `config`, `profile` and `settings` are those of `fwemu.config.load`.  Errors in them are
    raised here, before anything is made.  `api` is a loopback address and port at which the control
    API is served too; port 0 takes a free one.  Time passes `time_scale` times faster than the
    wall's.
    """

    def __init__(
        self,
        *,
        name: str | None = None,
        topology: Topology | None = None,
        config: Path | None = None,
        profile: str | None = None,
        settings: Sequence[str] = (),
        metrics: bool = True,
        api: tuple[str, int] | None = None,
        base: Path | None = None,
        time_scale: int = 1,
        strict: bool = False,
    ) -> None:
        load(config, profile, settings)
        self._name = check_name(name) if name is not None else None
        self._topology = topology or Topology()
        is_single = self._topology.layout is Layout.SINGLE
        check_time_scale(time_scale, ["its hosts"] if is_single else [])
        self.strict = strict
        """Does `fast_forward` raise where its answer is not to be trusted?"""
        self._base = base
        self._arguments = _arguments(config, profile, settings, metrics, api)
        if time_scale > 1:
            self._arguments += ["--time-scale", str(time_scale)]
        self._network = Network()
        self._written: register.Entry | None = None
        self._abouts: list[About] | None = None
        self._clients: list[Client] = []
        self._powers: dict[str, Power] = {}
        self.hosts: dict[str, Host] = {}

    @property
    def name(self) -> str:
        """Its name; by default the first free `labN`."""
        return self._entry.plan.name

    @property
    def _entry(self) -> register.Entry:
        """What is written down of it; NamespaceError before it is up."""
        if self._written is None:
            raise _not_up()
        return self._written

    @property
    def abouts(self) -> list[About]:
        """Who the firewalls are; NamespaceError before it is up."""
        if self._abouts is None:
            raise _not_up()
        return self._abouts

    @property
    def plan(self) -> LabPlan:
        """Who is in it, with which addresses."""
        return self._entry.plan

    @property
    def client(self) -> Host:
        """The first client: the inside."""
        return self._host("client")

    @property
    def server(self) -> Host:
        """The first server: the outside."""
        return self._host("server")

    def _host(self, name: str) -> Host:
        if name not in self.hosts:
            raise _not_up()
        return self.hosts[name]

    @property
    def firewall_host(self) -> dict[str, str]:
        """The firewall's own addresses (those of its inside) and namespace."""
        firewall = self._entry.plan.firewalls[0]
        ipv4, ipv6 = self._entry.plan.addresses(Zone.INSIDE, firewall.number)
        return {"ipv4": ipv4, "ipv6": ipv6, "netns": firewall.namespace}

    @property
    def firewall(self) -> Client:
        """The control API of the firewall, or of the one that clients send through."""
        return self.firewalls[0]

    @property
    def firewalls(self) -> list[Client]:
        """The control APIs of all its firewalls; the last is the one that servers send through."""
        if not self._clients:
            self._clients = [Client(Path(about.control)) for about in self.abouts]
        return self._clients

    @property
    def about(self) -> About:
        """Who the (first) firewall is."""
        return self.abouts[0]

    def fast_forward(
        self,
        by: str,
        stop_on: Sequence[str] = (),
        *,
        applications: bool = True,
        grain: str | None = None,
        strict: bool | None = None,
    ) -> dict[str, Any]:
        """Let time pass in a moment, at the firewall, in the kernels of the hosts and for programs.

        `by` is a duration, as in "1h 5m".  Returns what happened: `probes` by socket,
        `sessions_ended`, `connections_lost`, which programs were `programs_woken`, and what was
        `not_played`.  Without `applications` programs stand still; `trust` of a session says
        whether one would have woken by itself, `sessions_doubtful` names those that live and might
        not.  `grain` is how late programs may be that tick (a duration; 5 s by default).  With
        `strict` (by default the lab's own) DoubtfulError is raised where a session is not to be
        trusted.
        """
        done = self.firewall.fast_forward(by, stop_on, applications=applications, grain=grain)
        if self.strict if strict is None else strict:
            trust.refuse(done)
        return done

    @property
    def sessions(self) -> list[Session]:
        """The sessions that the firewall (or either of the pair) remembers, as the API has them."""
        return [session for firewall in self.firewalls for session in firewall.sessions()]

    def evict(self, which: Any = None, **match: Any) -> int:
        """Let the firewall forget sessions as an eviction does: silently.  Returns how many.

        `which` is a connection (a socket, an asyncio writer or transport), a session or its
        number; or any of `port`, `host`, `protocol`, `state`; without anything, all of them.
        Raises ControlError if what is meant is not there.  In the log they are `killed`.
        """
        return flows.end(self.firewalls, which, match, "silent")

    def kill_session(self, which: Any = None, *, notify: str = "silent", **match: Any) -> int:
        """End sessions as an operator does; returns how many.  What is meant: see `evict`.

        `notify` is who gets a RST: silent, reset-both, reset-original or reset-reply.
        """
        return flows.end(self.firewalls, which, match, notify)

    def flush(self) -> int:
        """Empty the table; returns how many sessions that were."""
        return sum(firewall.flush() for firewall in self.firewalls)

    def fail_over(self, *, state: str | None = None, lag: str | None = None) -> dict[str, Any]:
        """Let the firewall's peer take over, by default the one that `[standby]` describes."""
        return self.firewall.fail_over(state=state, lag=lag)

    def reboot(self, outage: str = "30s") -> int:
        """Let the firewalls forget all and be down for a while; returns how many sessions they had.

        Nobody is told, and nothing passes until the outage is over.
        """
        return sum(firewall.reboot(outage) for firewall in self.firewalls)

    def unplug(self, host: str) -> None:
        """Pull the cable of a host, as in "server": nothing arrives there, nothing leaves.

        Its addresses, sockets and programs stay as they are, and nobody is told.
        """
        self._power_of(host).unplug()

    def plug_in(self, host: str) -> None:
        """Put the cable back."""
        self._power_of(host).plug_in()

    def power_off(self, host: str) -> None:
        """A host is gone without a word: no FIN, no RST; its programs are killed.

        TCP sockets that this process has made there are ended too (ECONNABORTED).
        """
        with translated():
            self._power_of(host).off()

    def power_on(self, host: str) -> None:
        """It is back and knows nothing: what it hears of old connections it answers with a RST."""
        with translated():
            self._power_of(host).on()

    def story(self) -> str:
        """What happened until now, flow by flow, for people."""
        return proof.story(self)

    def assert_traversed(self, which: Any = None, **match: Any) -> None:
        """AssertionError unless packets have crossed the firewall.

        Of what is meant (see `evict`), if anything is, in both directions.
        """
        __tracebackhide__ = True
        proof.assert_traversed(self, which, **match)

    def assert_survived(self, which: Any = None, **match: Any) -> None:
        """AssertionError unless a connection lives, and the firewall still knows it.

        A connection: its kernel holds it for established, and its session is there.  A port or the
        like (see `evict`): there are such sessions, and none was lost that its ends had not closed.
        """
        __tracebackhide__ = True
        proof.assert_survived(self, which, **match)

    def _power_of(self, host: str) -> Power:
        if not self._powers:
            raise _not_up()
        if host not in self._powers:
            raise ConfigError(f"{host!r} is no host of this lab: {', '.join(self._powers)}")
        return self._powers[host]

    @property
    def time_scale_report(self) -> dict[str, Any]:
        """How exactly the hosts follow its `time_scale`: `settings`, `not_scaled`, `sockets`."""
        return self.firewall.time_scale()

    def _played_hosts(self) -> list[str]:
        """Whose sockets are played when time passes in a moment.

        Nobody's where there are two firewalls: each would move its own clock alone.
        """
        hosts = self.hosts.values() if len(self._entry.plan.firewalls) == 1 else ()
        return [f"--host={host.name}={host.namespace.name}" for host in hosts]

    def up(self) -> Lab:
        """Make it.  Whatever happens on the way, nothing half made is left.

        Without root this process first moves into a user namespace of its own (`fwemu.rootless`),
        and stays there.
        """
        rootless.enter()
        termination.clean_up_for(self)
        while True:
            try:
                return self._up()
            except NamespaceError as error:
                # one in another run directory was quicker to take the name that was free
                if self._name is not None or not isinstance(error.__cause__, NamespaceExists):
                    raise
                termination.clean_up_for(self)

    def _up(self) -> Lab:
        self._abouts = []
        try:
            with translated():
                self._take_addresses(self._base or default_base())
                launch.prepare()
                self._build(self._entry.plan)
            arguments = [*self._arguments, *self._played_hosts()]
            for directory, firewall in zip(
                self._entry.directories, self._entry.plan.firewalls, strict=True
            ):
                self._network.on_close(partial(_stop_firewall, directory))
                self.abouts.append(launch.launch(directory, firewall.namespace, arguments))
        except BaseException:
            self.close()
            raise
        return self

    def keep(self) -> None:
        """Leave it standing when this object goes; `down` removes it."""
        self._network.keep()
        termination.forget(self)

    def close(self) -> None:
        """Remove it."""
        while self._clients:
            self._clients.pop().close()
        try:
            with translated():
                self._network.close()
        finally:
            termination.forget(self)

    def __enter__(self) -> Lab:
        return self.up()

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _take_addresses(self, base: Path) -> None:
        """Write the lab down, and keep this machine from its addresses.

        So that what is meant for the lab and does not go out from one of its hosts goes nowhere: it
        is not seen by the firewall, and no route of the machine takes it to somebody else.
        """
        machine = Namespace.current()
        with choosing_networks(machine):
            self._written = register.reserve(
                base, self._name, self._topology, machine.identity, known_networks(machine)
            )
            self._network.on_close(self._entry.remove)
            networks = self._entry.plan.networks
            self._network.on_close(partial(undo_unreachable, machine, networks))
            make_unreachable(machine, networks)

    def _build(self, plan: LabPlan) -> None:
        network = self._network
        firewalls = [network.namespace(firewall.namespace) for firewall in plan.firewalls]
        for firewall in firewalls:
            for name in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
                sysctl(firewall, name, 1)
        switch = firewalls[0] if plan.switch is None else network.namespace(plan.switch)
        for zone in Zone:
            hosts = [host for host in plan.hosts if host.zone is zone]
            interface = _ZONE_INTERFACE[zone]
            own = [_with_lengths(*plan.addresses(zone, each.number)) for each in plan.firewalls]
            is_cable = len(hosts) == 1 and plan.switch is None
            ports = []
            for index, host in enumerate(hosts):
                namespace = network.namespace(host.namespace)
                ports.append(interface if is_cable else f"{interface}{index + 1}")
                network.link(
                    switch,
                    ports[-1],
                    namespace,
                    "eth0",
                    a_addresses=own[0] if is_cable else [],
                    b_addresses=_with_lengths(host.ipv4, host.ipv6),
                )
                for via in plan.addresses(zone, plan.gateway(zone).number):
                    add_route(namespace, "default", via)
                self.hosts[host.name] = Host(host, namespace, network)
                ends = CableEnd(namespace, "eth0"), CableEnd(switch, ports[-1])
                self._powers[host.name] = Power(host.name, *ends)
            if is_cable:
                continue
            _keep_bridged_frames_off_the_rules(switch)
            if plan.switch is None:  # it has a port of its own
                network.bridge(switch, interface, ports)
                configure(switch, interface, addresses=own[0])
                continue
            for number, (firewall, addresses) in enumerate(zip(firewalls, own, strict=True)):
                ports.append(f"{interface}-f{number + 1}")
                network.link(switch, ports[-1], firewall, interface, b_addresses=addresses)
            network.bridge(switch, interface, ports)


def _not_up() -> NamespaceError:
    return NamespaceError(
        "this lab is not up: use it in a `with` block (`with Lab() as lab:`), or call up() first"
    )


def _with_lengths(ipv4: str, ipv6: str) -> list[str]:
    return [f"{ipv4}/24", f"{ipv6}/64"]


def _keep_bridged_frames_off_the_rules(firewall: Namespace) -> None:
    """With br_netfilter loaded (as Docker does) the firewall would judge what neighbours say."""
    for command in ("iptables", "ip6tables"):
        with contextlib.suppress(LinkError):  # it is not loaded
            sysctl(firewall, f"net.bridge.bridge-nf-call-{command}", 0)


def _stop_firewall(directory: RunDirectory) -> None:
    about = directory.about()
    if about is not None:
        launch.stop(about)


def remove(entry: register.Entry, say: Callable[[str], None]) -> None:
    """Take down a lab that this or another process has made, whatever is left of it.

    A firewall that is just being started is ended too, or finds its directory gone.
    """
    machine = _machine_of(entry)
    with contextlib.ExitStack() as undo:
        for directory in entry.directories:
            with contextlib.suppress(FileNotFoundError):
                undo.enter_context(directory.locked())
            launch.stop_unannounced(directory)
            _stop_firewall(directory)
        with translated():
            for name in entry.plan.namespaces:
                with contextlib.suppress(NetnsError):
                    for pid, command in stop_all_in(Namespace.named(name)):
                        say(f"ended process {pid} ({command}) in {name}")
                remove_namespace(name, missing_ok=True)
            if machine is not None:
                undo_unreachable(machine, entry.plan.networks)
        entry.remove()


def _machine_of(entry: register.Entry) -> Namespace | None:
    """Where the lab was made: here, as a rule, but who removes it may be on one of its hosts."""
    pids = [about.pid for directory in entry.directories if (about := directory.about())]
    for pid in (None, *pids, 1):
        with contextlib.suppress(NetnsError):
            place = Namespace.current() if pid is None else Namespace.of_pid(pid)
            if place.identity == entry.machine:
                return place
    return None  # it is gone, and its rules with it


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Errors of `netns` as errors of fwemu."""
    try:
        yield
    except NotPermitted as error:
        raise needs.PRIVILEGES.missing() from error
    except NamespaceExists as error:
        raise NamespaceError(
            f"{str(error).partition(';')[0]}, and belongs to no lab of this run directory: "
            "choose another --name"
        ) from error
    except NetnsError as error:
        raise NamespaceError(str(error)) from error


def _arguments(
    config: Path | None,
    profile: str | None,
    settings: Sequence[str],
    metrics: bool,
    api: tuple[str, int] | None,
) -> list[str]:
    arguments = ["--config", str(config.absolute())] if config is not None else []
    if profile is not None:
        arguments += ["--profile", profile]
    for setting in settings:
        arguments += ["--set", setting]
    if metrics:
        arguments += ["--metrics", "127.0.0.1:0"]
    if api is not None:
        arguments += ["--api", "{}:{}".format(*api)]
    return [*arguments, "--inside", "inside", "--outside", "outside"]
