"""What is said before the judges: random walks, scripts and honest ends, all from one seed."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, Final

from fwemu.core.flow import ICMP, ICMPV6, TCP, UDP, Zone
from tests.kit import wire
from tests.kit.play import CLIENT, INSIDE, OUTSIDE, SERVER
from tests.parity.duel import Duel
from tests.property.honest import Line

MODULUS: Final = 2**32
PAUSES: Final = (1, 3, 8, 20, 45, 70, 100, 150, 250, 400, 3600, 86_400, 500_000)
LONG: Final = 10**6
"""Seconds after which nothing is remembered."""


class Peer:
    """One end of a TCP connection, honest until told otherwise."""

    def __init__(self, chance: Random) -> None:
        self.isn = chance.choice([chance.randrange(MODULUS), MODULUS - chance.randrange(3000)])
        self.next = self.isn
        self.heard = 0
        self.window = chance.choice([65535, 65535, 29200, 1000, 512])
        self.scale = chance.choice([None, 0, 7, 7, 14])
        self.is_selective = chance.random() < 0.7
        self.has_timestamps = chance.random() < 0.4
        self.last: tuple[bytes, str] | None = None

    def announcement(self) -> bytes:
        """The options of its SYN."""
        options = wire.MSS
        if self.scale is not None:
            options += wire.scale(self.scale)
        return options + (wire.SACK_PERMITTED if self.is_selective else b"")


class Tcp:
    """A TCP conversation; numbers that a step does not name follow from what was said."""

    def __init__(self, duel: Duel, chance: Random, ports: tuple[int, int] | None = None) -> None:
        self.duel = duel
        self.chance = chance
        self.version = chance.choice([4, 6])
        ports = ports or (chance.randint(1024, 65535), chance.choice([22, 80, 443, 5432]))
        self.ports = dict(zip((INSIDE, OUTSIDE), ports, strict=True))
        self.peers = {zone: Peer(chance) for zone in (INSIDE, OUTSIDE)}
        self.address = {INSIDE: CLIENT[self.version], OUTSIDE: SERVER[self.version]}

    def send(
        self,
        zone: Zone,
        flags: str,
        data: int = 0,
        *,
        seq: int | None = None,
        ack: int | None = None,
        window: int | None = None,
        options: bytes | None = None,
        is_lost: bool = False,
    ) -> bool:
        """One end says something; does it come through?  What is lost never reaches a judge."""
        peer, other = self.peers[zone], self.peers[zone.other]
        seq = (peer.next if seq is None else seq) % MODULUS
        ack = (peer.heard if ack is None else ack) % MODULUS if "A" in flags else 0
        window = peer.window if window is None else window
        if options is None:
            options = peer.announcement() if "S" in flags else b""
            if "S" not in flags and peer.has_timestamps:
                options = wire.TIMESTAMPS
        end = (seq + data + ("S" in flags) + ("F" in flags)) % MODULUS
        body = wire.tcp(
            self.ports[zone],
            self.ports[zone.other],
            flags,
            seq,
            ack,
            bytes(data),
            options,
            window,
        )
        packet = wire.ip(self.address[zone], self.address[zone.other], TCP, body)
        line = f"{flags:<3} {self._told(zone, seq)}({data})"
        if "A" in flags:
            line += f" ack {self._told(zone.other, ack)}"
        line += f" win {window}" + (f" {options.hex()}" if options else "")
        peer.last = (packet, line)
        if 0 < (end - peer.next) % MODULUS < MODULUS // 2:
            peer.next = end
        if is_lost:
            return False
        passed = self.duel.put(packet, zone, line)
        if passed and ("S" in flags or seq == other.heard):
            other.heard = end
        return passed

    def repeat(self, zone: Zone) -> None:
        """The same octets once more."""
        last = self.peers[zone].last
        if last is not None:
            self.duel.put(last[0], zone, last[1] + " again")

    def _told(self, zone: Zone, number: int) -> str:
        relative = (number - self.peers[zone].isn) % MODULUS
        return str(relative if relative < MODULUS // 2 else relative - MODULUS)

    # -- honest acts --

    def opens(self, first: Zone = INSIDE) -> None:
        """Three packets."""
        self.send(first, "S")
        self.send(first.other, "SA")
        self.send(first, "A")

    def talks(self, times: int = 4) -> None:
        """Data and its acknowledgements."""
        for _ in range(times):
            zone = self.chance.choice([INSIDE, OUTSIDE])
            self.send(zone, self.chance.choice(["A", "PA"]), self.chance.randint(1, 1400))
            self.send(zone.other, "A")

    def closes(self, first: Zone | None = None) -> None:
        """Four packets, or three."""
        first = self.chance.choice([INSIDE, OUTSIDE]) if first is None else first
        self.send(first, "FA")
        if self.chance.random() < 0.5:
            self.send(first.other, "A")
        self.send(first.other, "FA")
        self.send(first, "A")

    def renewed(self) -> None:
        """Both ends begin anew on the same addresses and ports."""
        before = {zone: peer.next for zone, peer in self.peers.items()}
        self.peers = {zone: Peer(self.chance) for zone in (INSIDE, OUTSIDE)}
        if self.chance.random() < 0.6:  # as Linux chooses: later than the last
            for zone, number in before.items():
                peer = self.peers[zone]
                peer.isn = peer.next = (number + self.chance.randrange(1, 10**6)) % MODULUS


# -- random walks -------------------------------------------------------------------------------


def either(talk: Tcp) -> Zone:
    """One of the ends."""
    return talk.chance.choice([INSIDE, OUTSIDE])


def off(talk: Tcp) -> int:
    """How far a wrong number is off."""
    far = [1, 2, 100, 1460, 5000, 60_000, 66_500, 200_000, 10**6, 2**30, 2**31 - 1, 2**31]
    return talk.chance.choice(far) * talk.chance.choice([1, -1])


def data(talk: Tcp) -> None:
    talk.send(either(talk), talk.chance.choice(["A", "PA", "AU"]), talk.chance.randint(1, 3000))


def ack(talk: Tcp) -> None:
    talk.send(either(talk), "A")


def lost(talk: Tcp) -> None:
    talk.send(either(talk), "A", talk.chance.randint(1, 1400), is_lost=True)


def again(talk: Tcp) -> None:
    zone = either(talk)
    for _ in range(talk.chance.choice([1, 1, 2, 4])):
        talk.repeat(zone)


def keepalive(talk: Tcp) -> None:
    zone = either(talk)
    talk.send(zone, "A", talk.chance.choice([0, 1]), seq=talk.peers[zone].next - 1)
    talk.send(zone.other, "A")


def closed_window(talk: Tcp) -> None:
    talk.send(either(talk), "A", window=0)


def other_window(talk: Tcp) -> None:
    zone = either(talk)
    talk.peers[zone].window = talk.chance.choice([0, 1, 500, 30_000, 65535])
    talk.send(zone, "A")


def selective(talk: Tcp) -> None:
    zone = either(talk)
    heard, sent = talk.peers[zone].heard, talk.peers[zone.other].next
    left = heard + talk.chance.choice([100, 1460])
    right = talk.chance.choice([left + 1000, sent, sent + 1, left + 100_000])
    talk.send(zone, "A", options=wire.sack((left, right), (left + 5, left + 10)))


def fin(talk: Tcp) -> None:
    talk.send(either(talk), "FA", talk.chance.choice([0, 0, 10]))


def reset(talk: Tcp) -> None:
    talk.send(either(talk), talk.chance.choice(["R", "RA"]))


def bare_reset(talk: Tcp) -> None:
    """That of a host that knows nothing of it: its number is what the other acknowledged."""
    zone = either(talk)
    talk.send(zone, "R", seq=talk.peers[zone.other].heard, window=0)


def wrong_reset(talk: Tcp) -> None:
    zone = either(talk)
    seq = talk.chance.choice([talk.peers[zone].next + off(talk), 0])
    talk.send(zone, talk.chance.choice(["R", "RA"]), seq=seq, ack=talk.chance.choice([None, 0]))


def wrong_seq(talk: Tcp) -> None:
    zone = either(talk)
    flags = talk.chance.choice(["A", "A", "PA", "FA"])
    talk.send(zone, flags, talk.chance.choice([0, 1, 500]), seq=talk.peers[zone].next + off(talk))


def wrong_ack(talk: Tcp) -> None:
    zone = either(talk)
    talk.send(zone, talk.chance.choice(["A", "FA"]), ack=talk.peers[zone].heard + off(talk))


def syn(talk: Tcp) -> None:
    """In whatever state it is: the same number, a later or an earlier one."""
    zone = talk.chance.choice([INSIDE, INSIDE, INSIDE, OUTSIDE])
    peer = talk.peers[zone]
    seq = talk.chance.choice([peer.isn, peer.next, peer.next + 10_000, peer.isn - 10_000])
    talk.send(zone, "S", seq=seq)


def syn_ack(talk: Tcp) -> None:
    zone = talk.chance.choice([OUTSIDE, OUTSIDE, INSIDE])
    peer, other = talk.peers[zone], talk.peers[zone.other]
    talk.send(
        zone,
        "SA",
        seq=talk.chance.choice([peer.isn, peer.next, peer.next + 70_000]),
        ack=talk.chance.choice([peer.heard, other.isn + 1, other.next, other.next + off(talk)]),
    )


def odd_flags(talk: Tcp) -> None:
    talk.send(
        either(talk), talk.chance.choice(["", "F", "SF", "SR", "FP", "SFA", "RF", "U", "SAU"])
    )


def reuse(talk: Tcp) -> None:
    talk.renewed()
    talk.opens()


def close(talk: Tcp) -> None:
    talk.closes()


def pause(talk: Tcp) -> None:
    talk.duel.wait(talk.chance.choice(PAUSES))


def error(talk: Tcp) -> None:
    """An ICMP error about the last segment of an end: right, to a stranger, or about a stranger."""
    zone = either(talk)
    last = talk.peers[zone].last
    if last is None:
        return
    about = wire.quotation(last[0])
    to = talk.address[zone]
    if talk.chance.random() < 0.2:
        to = to[:-1] + bytes((to[-1] ^ 1,))
    if talk.chance.random() < 0.2:
        where = 40 if talk.version == 6 else 20
        about = about[:where] + bytes((about[where] ^ 1,)) + about[where + 1 :]
    said = wire.icmp_error(talk.address[zone.other], to, about, talk.chance.choice([0, 1, 3]))
    talk.duel.put(said, zone.other, "icmp error about " + last[1])


Act = Callable[[Tcp], None]
ACTS: Final[dict[Act, int]] = {
    data: 10,
    ack: 8,
    lost: 2,
    again: 4,
    keepalive: 2,
    closed_window: 1,
    other_window: 1,
    selective: 3,
    fin: 2,
    reset: 1,
    bare_reset: 1,
    wrong_reset: 2,
    wrong_seq: 3,
    wrong_ack: 2,
    syn: 2,
    syn_ack: 1,
    odd_flags: 1,
    reuse: 1,
    close: 1,
    pause: 3,
    error: 1,
}
"""What may happen in a random walk, and how often."""


def tcp_walk(duel: Duel, chance: Random) -> None:
    """Anything may follow anything."""
    talk = Tcp(duel, chance)
    begin: Callable[[Tcp], Any] = chance.choice([Tcp.opens, Tcp.opens, Tcp.opens, data, syn])
    begin(talk)
    acts, weights = list(ACTS), list(ACTS.values())
    for _ in range(chance.randint(5, 40)):
        chance.choices(acts, weights)[0](talk)


def honest_ends(duel: Duel, chance: Random) -> None:
    """Two ends that keep to the RFCs, and a net that loses, repeats and reorders."""

    def passes(packet: bytes, zone: Zone) -> None:
        duel.put(packet, zone, "honest")

    line = Line(chance.randrange(2**32), passes)
    for _ in range(chance.randint(20, 300)):
        line.step()


# -- scripts ------------------------------------------------------------------------------------


def plain(talk: Tcp) -> None:
    """Open, talk, close, and the same ports once more."""
    talk.opens()
    talk.talks()
    talk.closes()
    talk.duel.wait(talk.chance.choice([1, 20, 60, 200]))
    talk.renewed()
    talk.opens()
    talk.talks(1)


def quiet_hour(talk: Tcp) -> None:
    """An open connection is quiet for long, with and without probes."""
    talk.opens()
    talk.talks()
    for _ in range(3):
        talk.duel.wait(talk.chance.choice([3600, 86_400, 400_000]))
        keepalive(talk)
    talk.duel.wait(LONG)
    data(talk)
    data(talk)
    talk.talks(2)


def refused(talk: Tcp) -> None:
    """A SYN is answered by a RST, and comes again."""
    for _ in range(talk.chance.randint(1, 3)):
        talk.send(INSIDE, "S")
        talk.send(OUTSIDE, "RA", seq=0, ack=talk.peers[INSIDE].next, window=0)
        talk.renewed()


def unanswered(talk: Tcp) -> None:
    """SYNs into the void, then perhaps an answer."""
    talk.send(INSIDE, "S")
    for _ in range(talk.chance.randint(1, 4)):
        talk.duel.wait(talk.chance.choice([1, 3, 7, 15]))
        talk.repeat(INSIDE)
    talk.send(OUTSIDE, "SA")
    talk.repeat(OUTSIDE)
    talk.send(INSIDE, "A")
    talk.talks()


def both_at_once(talk: Tcp) -> None:
    """A simultaneous open (RFC 9293 section 3.5), in either order of answers."""
    talk.send(INSIDE, "S")
    talk.send(OUTSIDE, "S")
    peers = talk.peers
    for zone in talk.chance.sample([INSIDE, OUTSIDE], 2):
        talk.send(zone, "SA", seq=peers[zone].isn)
    for zone in talk.chance.sample([INSIDE, OUTSIDE], 2):
        talk.send(zone, "A")
    talk.talks()
    talk.closes()


def both_close(talk: Tcp) -> None:
    """FINs that cross."""
    talk.opens()
    talk.talks(1)
    heard = {zone: peer.heard for zone, peer in talk.peers.items()}
    for zone in talk.chance.sample([INSIDE, OUTSIDE], 2):
        talk.send(zone, "FA", ack=heard[zone])
    for zone in talk.chance.sample([INSIDE, OUTSIDE], 2):
        talk.send(zone, "A")


def half_closed(talk: Tcp) -> None:
    """One end has finished, the other goes on for long."""
    talk.opens()
    zone = either(talk)
    talk.send(zone, "FA")
    talk.send(zone.other, "A")
    for _ in range(talk.chance.randint(1, 6)):
        talk.send(zone.other, "PA", 500)
        talk.send(zone, "A")
        if talk.chance.random() < 0.3:
            talk.duel.wait(talk.chance.choice([10, 40, 100]))
    talk.send(zone.other, "FA")
    talk.send(zone, "A")


def client_restarts(talk: Tcp) -> None:
    """A SYN in an open connection: challenged, answered, or reset."""
    talk.opens()
    talk.talks(2)
    old = talk.peers
    talk.renewed()
    talk.send(INSIDE, "S")
    outcome = talk.chance.choice(["challenge", "answer", "reset"])
    if outcome == "challenge":  # RFC 5961 section 4
        server = old[OUTSIDE]
        talk.send(OUTSIDE, "A", seq=server.next, ack=server.heard, options=b"")
        talk.send(INSIDE, "R", seq=server.heard, window=0)
        talk.repeat(INSIDE)
        talk.send(INSIDE, "S", seq=talk.peers[INSIDE].isn)
    elif outcome == "reset":
        talk.send(OUTSIDE, "RA", seq=0, ack=talk.peers[INSIDE].next, window=0)
        talk.repeat(INSIDE)
    talk.send(OUTSIDE, "SA", seq=talk.peers[OUTSIDE].isn, ack=talk.peers[INSIDE].isn + 1)
    talk.send(INSIDE, "A")
    talk.talks()


def half_open(talk: Tcp) -> None:
    """The server has a connection that the client and we have forgotten (RFC 9293 3.5.1)."""
    old = talk.chance.randrange(MODULUS)
    talk.send(INSIDE, "S")
    talk.send(OUTSIDE, "A", seq=old, ack=old + 5)
    talk.send(INSIDE, "R", seq=old + 5, window=0)
    talk.send(INSIDE, "S", seq=talk.peers[INSIDE].isn)
    talk.send(OUTSIDE, "SA")
    talk.send(INSIDE, "A")
    talk.talks(1)


def challenged_close(talk: Tcp) -> None:
    """A SYN while the last ACK is due; the challenge ACK to it is not that ACK."""
    talk.opens()
    first = either(talk)
    talk.send(first, "FA")
    talk.send(first.other, "FA")
    talk.send(INSIDE, "S", seq=talk.peers[INSIDE].next + 9999)
    talk.send(OUTSIDE, "A", options=b"")
    talk.send(first, "A")


def taken_up(talk: Tcp) -> None:
    """A connection from its middle."""
    for peer in talk.peers.values():
        peer.next = (peer.isn + talk.chance.randrange(10**6)) % MODULUS
    for zone, peer in talk.peers.items():
        peer.heard = talk.peers[zone.other].next
    talk.send(talk.chance.choice([INSIDE, INSIDE, OUTSIDE]), "A", talk.chance.choice([0, 1, 900]))
    talk.talks(2)
    talk.duel.wait(talk.chance.choice(PAUSES))
    talk.talks(2)
    talk.chance.choice([reset, fin, close, data])(talk)


def server_first(talk: Tcp) -> None:
    """The outside tries to open, which the rules forbid."""
    talk.opens(OUTSIDE)
    talk.opens(INSIDE)
    talk.closes()
    talk.renewed()
    talk.opens(OUTSIDE)


def reset_in_the_middle(talk: Tcp) -> None:
    """By either end, by the right number or nearly so; then the ports are used again."""
    talk.opens()
    talk.talks()
    talk.chance.choice([reset, bare_reset, wrong_reset])(talk)
    talk.chance.choice([data, ack, again, reset])(talk)
    talk.renewed()
    talk.opens()
    talk.talks(1)


def full_window(talk: Tcp) -> None:
    """The receiver closes its window; the sender asks, and goes on when it opens again."""
    talk.opens()
    zone = either(talk)
    sender, receiver = talk.peers[zone], talk.peers[zone.other]
    for _ in range(talk.chance.randint(1, 3)):
        talk.send(zone, "A", min(receiver.window, 1400))
        talk.send(zone.other, "A", window=0)
        for _ in range(talk.chance.randint(0, 5)):
            talk.send(zone, "A", 1, seq=sender.next - talk.chance.choice([0, 1]))
            talk.send(zone.other, "A", window=0, ack=receiver.heard)
        talk.send(zone.other, "A")
    talk.talks(2)


def lost_and_reported(talk: Tcp) -> None:
    """Segments are missing; the receiver says what it has, and gets the rest."""
    talk.opens()
    zone = either(talk)
    sender, receiver = talk.peers[zone], talk.peers[zone.other]
    begin = sender.next
    talk.send(zone, "A", 500, is_lost=True)
    for _ in range(3):
        talk.send(zone, "A", 500)
        if receiver.is_selective and sender.is_selective:
            blocks = wire.sack((begin + 500, sender.next))
            talk.send(zone.other, "A", options=blocks)
        else:
            talk.send(zone.other, "A", options=b"")
    talk.send(zone, "A", 500, seq=begin)
    receiver.heard = sender.next
    talk.send(zone.other, "A")
    talk.talks(1)


SCRIPTS: Final = (
    plain,
    quiet_hour,
    refused,
    unanswered,
    both_at_once,
    both_close,
    half_closed,
    client_restarts,
    half_open,
    challenged_close,
    taken_up,
    server_first,
    reset_in_the_middle,
    full_window,
    lost_and_reported,
)


def tcp_script(duel: Duel, chance: Random) -> None:
    """One of the scripts, with a little of something else before its end or after it."""
    talk = Tcp(duel, chance)
    chance.choice(SCRIPTS)(talk)
    for _ in range(chance.choice([0, 0, 1, 5])):
        chance.choice([data, ack, again, fin, reset, pause])(talk)


# -- without sequence numbers -------------------------------------------------------------------


def datagrams(duel: Duel, chance: Random) -> None:
    """UDP, with and without answers, and errors about it."""
    version = chance.choice([4, 6])
    address = {INSIDE: CLIENT[version], OUTSIDE: SERVER[version]}
    ports = {INSIDE: chance.randint(1024, 65535), OUTSIDE: chance.choice([53, 123, 4500])}
    for _ in range(chance.randint(2, 15)):
        zone = chance.choice([INSIDE, OUTSIDE])
        body = wire.udp(ports[zone], ports[zone.other], bytes(chance.randint(0, 600)))
        packet = wire.ip(address[zone], address[zone.other], UDP, body)
        if chance.random() < 0.2:
            about = wire.quotation(packet)
            said = wire.icmp_error(address[zone.other], address[zone], about)
            duel.put(said, zone.other, "icmp error about udp")
        else:
            duel.put(packet, zone, "udp")
        if chance.random() < 0.3:
            duel.wait(chance.choice([1, 10, 20, 200]))


def echoes(duel: Duel, chance: Random) -> None:
    """ICMP queries and answers, right, unasked and of another identifier."""
    version = chance.choice([4, 6])
    protocol = ICMP if version == 4 else ICMPV6
    address = {INSIDE: CLIENT[version], OUTSIDE: SERVER[version]}
    query, answer = chance.choice([(8, 0), (13, 14), (8, 0)] if version == 4 else [(128, 129)])
    identifier = chance.randrange(65536)
    for _ in range(chance.randint(2, 12)):
        zone = chance.choice([INSIDE, OUTSIDE])
        number = chance.choice([identifier] * 4 + [identifier ^ 1])
        kind = chance.choice([query, answer])
        packet = wire.ip(
            address[zone], address[zone.other], protocol, wire.icmp(kind, number, bytes(8))
        )
        if chance.random() < 0.15:
            about = wire.quotation(packet)
            said = wire.icmp_error(address[zone.other], address[zone], about)
            duel.put(said, zone.other, f"icmp error about icmp {kind} id {number}")
        else:
            duel.put(packet, zone, f"icmp {kind} id {number}")
        if chance.random() < 0.3:
            duel.wait(chance.choice([1, 10, 20, 100]))


def other_protocols(duel: Duel, chance: Random) -> None:
    """ESP, and a number that nobody uses: known by the pair of addresses."""
    version = chance.choice([4, 6])
    address = {INSIDE: CLIENT[version], OUTSIDE: SERVER[version]}
    protocol = chance.choice([50, 253])
    for _ in range(chance.randint(2, 8)):
        zone = chance.choice([INSIDE, OUTSIDE])
        packet = wire.ip(address[zone], address[zone.other], protocol, bytes(40))
        duel.put(packet, zone, f"protocol {protocol}")
        if chance.random() < 0.3:
            duel.wait(chance.choice([1, 100, 300, 700]))


Conversation = Callable[[Duel, Random], None]
CONVERSATIONS: Final[dict[Conversation, int]] = {
    tcp_walk: 40,
    tcp_script: 40,
    honest_ends: 8,
    datagrams: 6,
    echoes: 4,
    other_protocols: 2,
}
"""The kinds of conversation, and how many of a hundred each is."""
