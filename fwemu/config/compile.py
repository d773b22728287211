"""Compiles a configuration into the policy of the core; nothing can fail here."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network

from fwemu.config.match import Place
from fwemu.config.schema import Config, RuleSettings
from fwemu.core.acl import REPLIES
from fwemu.core.choices import Mode
from fwemu.core.flow import TCP, Zone
from fwemu.core.fragments import FragmentLimits
from fwemu.core.policy import Policy, PressurePolicy, ProbePolicy, RefreshPolicy, ShortTimers
from fwemu.core.rules import Network, Rule
from fwemu.core.timeouts import SETTING_OF_STATE, lifetimes


def policy(config: Config) -> Policy:
    """The policy of a configuration."""
    return Policy(
        mode=config.mode,
        capacity=config.table.capacity,
        when_full=config.table.when_full,
        lifetimes=lifetimes({name: lifetime.nanoseconds for name, lifetime in config.timeouts}),
        at_expiry=config.expiry.action,
        on_unknown={Zone.INSIDE: config.unknown.inside, Zone.OUTSIDE: config.unknown.outside},
        trust=config.unknown.trust,
        short=ShortTimers(
            retransmitted=config.timeouts.tcp_retransmitted.nanoseconds,
            unacknowledged=config.timeouts.tcp_unacknowledged.nanoseconds,
            rst_unverified=config.timeouts.tcp_rst_unverified.nanoseconds,
            picked_up=config.timeouts.tcp_picked_up.nanoseconds,
            max_retransmissions=config.tcp.max_retransmissions,
        ),
        longest=config.timeouts.lifetime.nanoseconds,
        refresh=refresh(config),
        pressure=PressurePolicy(
            policy=config.pressure.policy,
            start=config.pressure.start,
            stop=config.pressure.stop,
            factor=config.pressure.factor,
            early_ageout=config.pressure.early_ageout.nanoseconds,
        ),
        probe=ProbePolicy(
            retry_interval=config.expiry.retry_interval.nanoseconds,
            max_retries=config.expiry.max_retries,
        ),
        reset_numbers=config.expiry.sequence,
        ttl=config.injected.ttl,
        window_check=config.tcp.window,
        closing=config.tcp.closing,
        fragments=FragmentLimits(
            timeout=config.fragments.timeout.nanoseconds,
            per_datagram=config.fragments.per_datagram,
            # else held fragments would keep all other packets out of the kernel's queue
            held=min(config.fragments.held, config.daemon.queue_length // 2),
        ),
        rules=(*(rule(settings) for settings in config.rules), *_replies(config)),
        default_action={
            Zone.INSIDE: config.default_action.inside,
            Zone.OUTSIDE: config.default_action.outside,
        },
    )


def refresh(config: Config) -> RefreshPolicy:
    """The part of the policy that says which packets restart the idle timer."""
    settings = config.refresh
    return RefreshPolicy(
        tcp=settings.tcp,
        udp=settings.udp,
        other=settings.other,
        keepalives=settings.keepalives,
        payload_only=settings.payload_only,
        absolute=frozenset(
            state for state, name in SETTING_OF_STATE.items() if name in settings.absolute
        ),
    )


def rule(settings: RuleSettings) -> Rule:
    """A rule in the form of the core."""
    protocols = frozenset((TCP,) if settings.established else settings.proto)
    idle_timeout = settings.idle_timeout
    return Rule(
        action=settings.action,
        name=settings.name,
        arrival=_arrival(settings),
        sources=_networks(settings.from_),
        destinations=_networks(settings.to),
        protocols=protocols,
        source_ports=settings.source_ports,
        ports=settings.ports,
        established=settings.established,
        idle_timeout=None if idle_timeout is None else idle_timeout.nanoseconds,
        at_expiry=settings.expiry,
        on_unknown=settings.unknown,
    )


def _replies(config: Config) -> tuple[Rule, ...]:
    """The end of a router's list: after the rules, whose numbers stay those of the settings."""
    return REPLIES if config.mode is Mode.ACL and config.acl.replies else ()


def _arrival(settings: RuleSettings) -> Zone | None:
    """The zone a packet comes from; one that goes to the outside comes from the inside."""
    for zone in settings.from_:
        if isinstance(zone, Zone):
            return zone
    for zone in settings.to:
        if isinstance(zone, Zone):
            return zone.other
    return None


def _networks(places: tuple[Place, ...]) -> tuple[Network, ...]:
    return tuple(
        Network(
            width=place.max_prefixlen // 8,
            value=int(place.network_address),
            mask=int(place.netmask),
        )
        for place in places
        if isinstance(place, IPv4Network | IPv6Network)
    )
