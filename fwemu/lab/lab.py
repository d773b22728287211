"""A whole lab, made and removed: namespaces and links (`netns`), the firewall, its hosts."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from fwemu.config import load
from fwemu.core.flow import Zone
from fwemu.daemon import needs
from fwemu.daemon.client import Client
from fwemu.daemon.rundir import About, RunDirectory, default_base
from fwemu.errors import NamespaceError
from fwemu.lab import launch, register
from fwemu.lab.host import Host
from fwemu.lab.plan import LabPlan, Topology, check_name
from netns import (
    LinkError,
    Namespace,
    NetnsError,
    Network,
    NotPermitted,
    add_route,
    configure,
    stop_all_in,
    sysctl,
)
from netns import remove as remove_namespace

_ZONE_INTERFACE = {Zone.INSIDE: "inside", Zone.OUTSIDE: "outside"}


class Lab:
    """Client, firewall and server.  A context manager: at its end nothing is left.

    `config`, `profile` and `settings` are those of `fwemu.config.load`.  Errors in them are
    raised here, before anything is made.
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
        base: Path | None = None,
    ) -> None:
        load(config, profile, settings)
        self._name = check_name(name) if name is not None else None
        self._topology = topology or Topology()
        self._base = base or default_base()
        self._arguments = _arguments(config, profile, settings, metrics)
        self._network = Network()
        self._client: Client | None = None
        self.hosts: dict[str, Host] = {}

    @property
    def name(self) -> str:
        """Its name; by default the first free `labN`."""
        return self._entry.plan.name

    @property
    def client(self) -> Host:
        """The first client: the inside."""
        return self.hosts["client"]

    @property
    def server(self) -> Host:
        """The first server: the outside."""
        return self.hosts["server"]

    @property
    def firewall_host(self) -> dict[str, str]:
        """The firewall's own addresses (those of its inside) and namespace."""
        ipv4, ipv6 = self._entry.plan.addresses(Zone.INSIDE, 1)
        return {"ipv4": ipv4, "ipv6": ipv6, "netns": self._entry.plan.firewall}

    @property
    def firewall(self) -> Client:
        """The firewall's control API."""
        if self._client is None:
            self._client = Client(Path(self.about.control))
        return self._client

    def fast_forward(self, by: str, stop_on: Sequence[str] = ()) -> dict[str, Any]:
        """Let time pass in a moment, at the firewall and in the kernels of the hosts.

        `by` is a duration, as in "1h 5m".  Returns what happened: `probes` by socket,
        `sessions_ended`, `connections_lost`, and what was `not_played`.
        """
        return self.firewall.fast_forward(by, stop_on)

    def up(self) -> Lab:
        """Make it.  Whatever happens on the way, nothing half made is left."""
        self._entry = register.reserve(self._base, self._name, self._topology)
        self._network.on_close(self._entry.directory.remove)
        try:
            with translated():
                self._build(self._entry.plan)
            directory = self._entry.directory
            self._network.on_close(lambda: _stop_firewall(directory))
            hosts = [f"--host={host.namespace.name}" for host in self.hosts.values()]
            arguments = [*self._arguments, *hosts]
            self.about: About = launch.launch(directory, self._entry.plan.firewall, arguments)
        except BaseException:
            self.close()
            raise
        return self

    def keep(self) -> None:
        """Leave it standing when this object goes; `down` removes it."""
        self._network.keep()

    def close(self) -> None:
        """Remove it."""
        if self._client is not None:
            self._client.close()
            self._client = None
        with translated():
            self._network.close()

    def __enter__(self) -> Lab:
        return self.up()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _build(self, plan: LabPlan) -> None:
        network = self._network
        firewall = network.namespace(plan.firewall)
        for name in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
            sysctl(firewall, name, 1)
        for zone in Zone:
            gateway = plan.addresses(zone, 1)
            own = [f"{gateway[0]}/24", f"{gateway[1]}/64"]
            hosts = [host for host in plan.hosts if host.zone is zone]
            interface = _ZONE_INTERFACE[zone]
            ports = []
            for index, host in enumerate(hosts):
                namespace = network.namespace(host.namespace)
                port = interface if len(hosts) == 1 else f"{interface}{index + 1}"
                ports.append(port)
                network.link(
                    firewall,
                    port,
                    namespace,
                    "eth0",
                    a_addresses=own if len(hosts) == 1 else [],
                    b_addresses=[f"{host.ipv4}/24", f"{host.ipv6}/64"],
                )
                for via in gateway:
                    add_route(namespace, "default", via)
                self.hosts[host.name] = Host(host, namespace, network)
            if len(hosts) > 1:  # a switch between several hosts of a zone and the firewall
                _keep_bridged_frames_off_the_rules(firewall)
                network.bridge(firewall, interface, ports)
                configure(firewall, interface, addresses=own)


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
    """Take down a lab that this or another process has made, whatever is left of it."""
    _stop_firewall(entry.directory)
    with translated():
        for name in entry.plan.namespaces:
            with contextlib.suppress(NetnsError):
                for pid, command in stop_all_in(Namespace.named(name)):
                    say(f"ended process {pid} ({command}) in {name}")
            remove_namespace(name, missing_ok=True)
    entry.directory.remove()


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Errors of `netns` as errors of fwemu."""
    try:
        yield
    except NotPermitted as error:
        raise needs.PRIVILEGES.missing() from error
    except NetnsError as error:
        raise NamespaceError(str(error)) from error


def _arguments(
    config: Path | None, profile: str | None, settings: Sequence[str], metrics: bool
) -> list[str]:
    arguments = ["--config", str(config.absolute())] if config is not None else []
    if profile is not None:
        arguments += ["--profile", profile]
    for setting in settings:
        arguments += ["--set", setting]
    if metrics:
        arguments += ["--metrics", "127.0.0.1:0"]
    return [*arguments, "--inside", "inside", "--outside", "outside"]
