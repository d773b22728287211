"""A failover gives back the table of a while ago, whatever has happened since."""

from hypothesis import given
from hypothesis import strategies as st

from fwemu.core.effects import SessionEnded
from fwemu.core.firewall import Firewall
from fwemu.core.reasons import EndReason
from fwemu.core.standby import Standby
from tests.kit.play import START, policy
from tests.property.traffic import traffic

LAG = 20 * 10**9

policies = st.builds(
    policy,
    inside=st.sampled_from(["drop", "pick-up"]),
    outside=st.sampled_from(["drop", "pick-up"]),
    default_outside=st.sampled_from(["allow", "deny"]),
    capacity=st.sampled_from([1000, 4, 1]),
    tcp_established=st.sampled_from(["40s", "1h"]),
    tcp_time_wait=st.sampled_from(["0s", "15s"]),
    udp_unreplied=st.sampled_from(["1s", "30s"]),
)


def table_of(firewall, at):
    """What a peer can know of the sessions that are alive at an instant."""
    return {
        (session.protocol, session.key): (session.reply_key, session.state, session.opened)
        for session in firewall.table
        if session.deadline > at
    }


@given(policies, traffic, st.integers(0, LAG))
def test_a_failover_gives_back_the_table_of_a_while_ago(settings, story, lag):
    """Sessions, states and when they were opened: exactly those of then."""
    firewall, peer = Firewall(settings), Standby(LAG)
    now = START
    tables = [(now, {}, {})]
    for data, zone, pause in story:
        now += pause
        effects = firewall.tick(now)
        effects += firewall.handle(data, now, zone).effects
        peer.follow(effects)
        deadlines = {(s.protocol, s.key): s.deadline for s in firewall.table}
        tables.append((now, table_of(firewall, now), deadlines))
    as_of = now - lag
    _, then, deadlines = [each for each in tables if each[0] <= as_of or each is tables[0]][-1]
    expected = {key: what for key, what in then.items() if deadlines[key] > as_of}
    for effect in firewall.fail_over(now, peer, lag):
        if isinstance(effect, SessionEnded):
            assert effect.reason is EndReason.FAILED_OVER or effect.at <= now
    assert table_of(firewall, as_of) == expected
    assert {session.last_seen for session in firewall.table} <= {now}
    numbers = firewall.table.numbers()
    assert numbers == sorted(numbers)
