"""Expiry agrees with a plain model: a dictionary of deadlines, scanned from end to end."""

from itertools import cycle

from hypothesis import given
from hypothesis import strategies as st

from fwemu.core.effects import SessionEnded, SessionOpened, StateChanged
from fwemu.core.expiry import ExpiryQueue
from fwemu.core.firewall import Firewall
from fwemu.core.flow import TCP, Zone
from fwemu.core.instants import NEVER, SECOND
from fwemu.core.policy import DEFAULT_TIMEOUTS
from fwemu.core.reasons import Reason
from fwemu.core.session import Session
from fwemu.core.tcp_table import State
from fwemu.core.timeouts import SETTING_OF_STATE
from tests.kit.play import START, policy
from tests.property.traffic import traffic

# -- the queue by itself --

keys = st.integers(0, 5)
lifetimes = st.one_of(st.integers(0, 50), st.just(NEVER))
operations = st.lists(
    st.one_of(
        st.tuples(st.just("open"), keys, lifetimes),
        st.tuples(st.just("traffic"), keys, st.none()),
        st.tuples(st.just("lifetime"), keys, lifetimes),
        st.tuples(st.just("traffic and lifetime"), keys, lifetimes),
        st.tuples(st.just("remove"), keys, st.none()),
        st.tuples(st.just("sweep"), st.none(), st.none()),
        st.tuples(st.just("wait"), st.none(), st.integers(1, 30)),
    ),
    max_size=60,
)


@given(operations)
def test_the_queue_agrees_with_a_plain_scan(story):
    """The same sessions end at the same instants, whatever moved their deadlines."""
    queue, sessions = ExpiryQueue(), {}
    deadlines: dict[int, int] = {}  # the model
    now = 0
    for word, key, number in story:
        if word == "wait":
            now += number
        elif word == "open" and key not in sessions:
            by_state = (number,) * len(State)
            opened = Session(key, TCP, b"", b"", Zone.INSIDE, State.SYN_SENT, None, by_state, now)
            sessions[key] = opened
            queue.add(opened)
            deadlines[key] = now + number
        elif word == "remove" and key in sessions:
            queue.remove(sessions.pop(key))
            del deadlines[key]
        elif word == "sweep":
            wanted = sorted((at, key) for key, at in deadlines.items() if at <= now)
            got = []
            while (due := queue.due(now)) is not None:
                got.append((due.deadline, due.id))
                queue.remove(sessions.pop(due.id))
                del deadlines[due.id]
            assert [at for at, _ in got] == [at for at, _ in wanted]
            assert sorted(got) == wanted
            look = queue.next_look()
            soonest = min(deadlines.values(), default=NEVER)
            assert now < look <= soonest if look is not None else soonest >= NEVER
        elif key in sessions and sessions[key].deadline > now:  # the dead get no packets
            session = sessions[key]
            if "traffic" in word:
                session.restarted = now
            if "lifetime" in word:
                session.lifetime = number
                queue.moved(session)
            deadlines[key] = session.restarted + session.lifetime
        look = queue.next_look()
        assert look is None or look <= min(deadlines.values())


# -- the whole firewall --

TIMEOUTS = {
    "tcp_established": "40s",
    "tcp_syn_sent": "5s",
    "tcp_closed": "2s",
    "tcp_time_wait": "1s",
    "udp_unreplied": "3s",
    "udp_replied": "20s",
}
SECONDS = DEFAULT_TIMEOUTS | {name: int(text[:-1]) * SECOND for name, text in TIMEOUTS.items()}
CHANGED = {"tcp_established": "15s", "udp_replied": "60s"}

actions = st.sampled_from(["packet"] * 6 + ["tick", "reconfigure"])


@given(traffic, st.lists(actions, min_size=20, max_size=20))
def test_sessions_of_a_firewall_end_when_a_plain_model_says(story, words):
    """Every session ends at its last packet plus the timeout of its state: it and no other."""
    firewall = Firewall(policy(default_outside="allow", inside="pick-up", **TIMEOUTS))
    seconds = dict(SECONDS)
    last_seen: dict[int, int] = {}  # the model: two dictionaries
    state: dict[int, State] = {}
    now = START
    set_at = START  # no timer runs out before it was set

    def lifetime(number):
        setting = SETTING_OF_STATE[state[number]]
        assert setting is not None
        return seconds[setting]

    def deadline(number):
        return last_seen[number] + lifetime(number)

    def expect(ended, at_least):
        """Those that ended by their timer were due then, and whoever had to end has."""
        for effect in (each for each in ended if isinstance(each, SessionEnded)):
            if effect.reason.word in ("expired", "closed_by_fin", "closed_by_rst"):
                assert effect.at == max(deadline(effect.id), set_at) <= now
            del last_seen[effect.id], state[effect.id]
        assert not at_least & state.keys()

    for (data, zone, pause), word in zip(story, cycle(words), strict=False):
        now += pause
        due = {number for number in state if deadline(number) <= now}
        if word == "tick":
            expect(firewall.tick(now), due)
            continue
        if word == "reconfigure":
            ended = firewall.reconfigure(policy(default_outside="allow", **CHANGED), now)
            expect([each for each in ended if each.id in due], due)
            set_at = now
            seconds = DEFAULT_TIMEOUTS | {
                name: int(text[:-1]) * SECOND for name, text in CHANGED.items()
            }
            too_old = {number for number in state if deadline(number) <= now}
            expect([each for each in ended if each.id in too_old], too_old)
            continue
        before = {session.id: session.ends for session in firewall.table}
        counts = {number: sum(end.packets for end in ends) for number, ends in before.items()}
        decision = firewall.handle(data, now, zone)
        for effect in decision.effects:
            if isinstance(effect, SessionOpened):
                last_seen[effect.id], state[effect.id] = now, effect.state
        if decision.reason is Reason.SESSION:
            (touched,) = (
                number
                for number, ends in before.items()
                if sum(end.packets for end in ends) != counts[number]
            )
            assert touched not in due, "a packet passed on a dead session"
            last_seen[touched] = now
        for effect in decision.effects:
            if isinstance(effect, StateChanged):
                state[effect.id] = effect.after
        expect(decision.effects, set())
    assert {session.id: session.deadline for session in firewall.table} == {
        number: deadline(number) for number in state
    }
    now += 4000 * SECOND
    expect(firewall.tick(now), set(state))
    assert len(firewall.table) == 0
