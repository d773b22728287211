"""What holds whatever happens: to drops, to the capacity, to the numbers of sessions."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from fwemu.core.choices import AtExpiry, OnUnknown
from fwemu.core.effects import PacketInjected, SessionEnded, SessionOpened
from fwemu.core.eviction import WhenFull
from fwemu.core.firewall import Firewall
from fwemu.core.reasons import InjectedKind, Reason, Verdict
from fwemu.core.tcp_window import WindowCheck
from tests.kit.play import START, policy, rule, snapshot
from tests.property.traffic import traffic

RULES = [rule("deny", ports=((2, 2),)), rule("reject", protocols=[47]), rule("allow")]

policies = st.builds(
    policy,
    capacity=st.sampled_from([6, 5, 4, 3, 2, 1, 0]),
    when_full=st.sampled_from([each.value for each in WhenFull]),
    at_expiry=st.sampled_from([each.value for each in AtExpiry]),
    inside=st.sampled_from([each.value for each in OnUnknown]),
    outside=st.sampled_from([each.value for each in OnUnknown]),
    default_outside=st.sampled_from(["allow", "deny", "reject"]),
    window=st.sampled_from([each.value for each in WindowCheck]),
    rules=st.sampled_from([[], RULES]),
    tcp_established=st.sampled_from(["40s", "1h", "never"]),
    tcp_time_wait=st.sampled_from(["0s", "15s"]),
)


@given(policies, traffic)
def test_a_dropped_packet_changes_no_session(settings, story):
    """Neither one that it pretends to belong to nor any other; nor may more fragments pass.

    Sessions whose time was over at that moment end by themselves, and say so.
    """
    firewall = Firewall(settings)
    now = START
    for data, zone, pause in story:
        now += pause
        before, passing = snapshot(firewall), datagrams_that_pass(firewall)
        decision = firewall.handle(data, now, zone)
        if decision.verdict is Verdict.DROP:
            still = snapshot(firewall)
            for effect in decision.effects:
                if isinstance(effect, SessionEnded):
                    restarted, lifetime = before.pop(effect.id)[4:6]
                    assert restarted + lifetime <= effect.at <= now
                    is_asked = settings.at_expiry is AtExpiry.PROBE
                    assert is_asked or restarted + lifetime == effect.at
                elif isinstance(effect, PacketInjected) and effect.kind is InjectedKind.PROBE:
                    before.pop(effect.session, None)  # its time was over: it is being asked
                    still.pop(effect.session, None)
            assert still == before
            assert datagrams_that_pass(firewall) <= passing


def datagrams_that_pass(firewall):
    """Those whose later fragments are let through."""
    return {each.key for each in firewall._fragments if each.fate is Reason.FRAGMENT}


@given(policies, traffic)
def test_an_ignored_packet_moves_nothing_and_refreshes_nothing(settings, story):
    """It passes; what is noted of it shows only in what later packets mean."""
    firewall = Firewall(settings)
    now = START
    for data, zone, pause in story:
        now += pause
        firewall.tick(now)
        before = snapshot(firewall)
        if firewall.handle(data, now, zone).reason is Reason.IGNORED:
            after = snapshot(firewall)
            assert after.keys() == before.keys()
            for number, session in after.items():
                plain, ends = session[:-3], session[-3:-1]
                assert plain == before[number][:-3]
                for end, was in zip(ends, before[number][-3:-1], strict=True):
                    may_move = {"next", "is_unacknowledged"}  # by what is beyond by little
                    assert {name for name in end if end[name] != was[name]} <= may_move


def test_random_traffic_gets_everywhere():
    """What holds of drops says nothing about one that never happens."""
    settings = policy(inside="pick-up", default_outside="allow")
    seen: set[str] = set()

    @given(traffic)
    def look(story):
        firewall = Firewall(settings)
        now = START
        for data, zone, pause in story:
            now += pause
            seen.add(firewall.handle(data, now, zone).reason.word)

    look()
    assert seen >= {
        *("session", "opened", "picked_up", "ignored", "related", "fragment", "unknown_packet"),
        *("invalid_state", "out_of_window", "unrelated_icmp", "bad_flags"),
        *("held", "overlapping_fragment"),
    }


@given(policies, traffic, st.lists(st.integers(0, 5), max_size=3), st.randoms())
def test_the_table_never_exceeds_its_capacity(settings, story, capacities, chance):
    """Under any policy, nor when it is made smaller meanwhile."""
    firewall = Firewall(settings, choose=chance.randrange)
    now = START
    for index, (data, zone, pause) in enumerate(story):
        now += pause
        firewall.handle(data, now, zone)
        assert len(firewall.table) <= firewall.policy.capacity
        if index % 7 == 6 and capacities:
            smaller = policy(capacity=capacities.pop(), when_full=settings.when_full.value)
            firewall.reconfigure(smaller, now)
            assert len(firewall.table) <= smaller.capacity
        if index % 5 == 4:
            firewall.tick(now)


@given(policies, traffic)
def test_every_session_opens_once_and_ends_once(settings, story):
    """Numbers only grow, and at the end of the day the books are even."""
    firewall = Firewall(settings)
    alive: dict[int, SessionOpened] = {}
    newest = 0
    now = START

    def record(effects):
        nonlocal newest
        for effect in effects:
            if isinstance(effect, SessionOpened):
                assert effect.id > newest
                newest = effect.id
                alive[effect.id] = effect
            elif isinstance(effect, SessionEnded):
                opened = alive.pop(effect.id)
                assert (effect.flow, effect.zone) == (opened.flow, opened.zone)
                assert effect.opened == opened.at <= effect.idle_since <= effect.at <= now

    for index, (data, zone, pause) in enumerate(story):
        now += pause
        record(firewall.handle(data, now, zone).effects)
        if index % 4 == 3:
            record(firewall.tick(now))
        assert {session.id for session in firewall.table} == alive.keys()
        assert sum(firewall.table.population) == len(alive)
    record(firewall.flush(now))
    assert alive == {}
    assert firewall.table.population == [0] * len(firewall.table.population)
    assert firewall.next_deadline() is None


@given(policies, traffic)
def test_sweeping_changes_no_verdict(settings, story):
    """Whether somebody ticks before each packet or never: packets fare the same.

    Chance is not asked the same questions in both cases, so it has no say here.
    """
    if settings.when_full is WhenFull.EVICT_RANDOM:
        settings = replace(settings, when_full=WhenFull.EVICT_LRU)
    busy, lazy = Firewall(settings), Firewall(settings)
    now = START
    for data, zone, pause in story:
        now += pause
        busy.tick(now)
        swept, unswept = busy.handle(data, now, zone), lazy.handle(data, now, zone)
        assert (swept.verdict, swept.reason) == (unswept.verdict, unswept.reason)
