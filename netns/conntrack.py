"""The kernel's own connection table in a namespace: look, change a timer, delete, empty.

This speaks ctnetlink (net/netfilter/nf_conntrack_netlink.c) over a socket of its own: one question
about one entry takes 10 microseconds, which a test asks after every packet.  pyroute2 knows these
messages too, but runs an event loop for each.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from struct import Struct, unpack_from
from typing import Final, NamedTuple

from netns.errors import LinkError, translated
from netns.namespace import Namespace

_NETLINK_NETFILTER: Final = 12  # include/uapi/linux/netlink.h
_NEW, _GET, _DELETE = 0x100, 0x101, 0x102  # NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_*
_ERROR, _DONE = 2, 3  # NLMSG_ERROR, NLMSG_DONE
_REQUEST, _ACKNOWLEDGE, _DUMP = 0x1, 0x4, 0x300  # NLM_F_*
_NESTED: Final = 0x8000  # NLA_F_NESTED
_ATTRIBUTE_TYPE: Final = 0x3FFF  # NLA_TYPE_MASK
_BUFFER: Final = 1 << 16

# enum ctattr_* in include/uapi/linux/netfilter/nfnetlink_conntrack.h
_TUPLE_ORIG, _STATUS, _PROTOINFO, _TIMEOUT = 1, 3, 4, 7
_TUPLE_IP, _TUPLE_PROTO = 1, 2
_PROTO_NUMBER: Final = 1
_PROTOINFO_TCP, _TCP_STATE = 1, 1
_TCP_FLAGS: Final = (4, 5)
_ADDRESSES: Final = {4: (1, 2), 16: (3, 4)}
"""By the octets of an address: the attributes of source and destination."""
_PORTS: Final = (2, 3)
WITH_PORTS: Final = frozenset({6, 17, 47, 132, 136})
"""Protocols whose entries have two numbers, which the kernel wants even where they are zero: TCP,
UDP, GRE (the keys of PPTP), SCTP and UDP-Lite (net/netfilter/nf_conntrack_proto_*.c)."""
_QUERY: Final = {1: (4, 5, 6), 58: (7, 8, 9)}
"""By protocol: the attributes of identifier, type and code."""

_SEEN_REPLY, _ASSURED = 0x02, 0x04  # IPS_SEEN_REPLY, IPS_ASSURED

_MESSAGE: Final = Struct("=IHHII")
_FAMILY: Final = Struct("!BBH")
_HEADER: Final = Struct("=HH")
_U16: Final = Struct("!H")
_U32: Final = Struct("!I")


class Tuple(NamedTuple):
    """One direction of an entry, addresses packed.

    For ICMP queries `first` is the identifier and `second` type and code in one number (type << 8 |
    code); for protocols without ports both are zero.
    """

    protocol: int
    source: bytes
    destination: bytes
    first: int = 0
    second: int = 0


class Entry(NamedTuple):
    """An entry of the kernel's connection table."""

    original: Tuple
    """As its first packet went."""
    remaining: int
    """Whole seconds until it is forgotten."""
    is_replied: bool
    is_assured: bool
    tcp_state: int | None
    """enum tcp_conntrack of include/uapi/linux/netfilter/nf_conntrack_tcp.h; None if not TCP."""
    tcp_flags: tuple[int, int]
    """IP_CT_TCP_FLAG_* of the same file, of the end that opened and the one that answered."""


class Conntrack:
    """The table of one namespace.  Raises LinkError or NotPermitted."""

    def __init__(self, ns: Namespace) -> None:
        self._number = 0
        self._socket = ns.run(_socket)

    def get(self, of: Tuple) -> Entry | None:
        """The entry that a packet with these addresses and ports belongs to, in any direction."""
        self._send(_GET, 0, _tuple(of), len(of.source))
        with translated("look up a connection", LinkError):
            return next(self._answers(), None)

    def entries(self) -> list[Entry]:
        """All entries, IPv4 and IPv6."""
        with translated("list the connections", LinkError):
            self._send(_GET, _DUMP, b"", 0)
            return list(self._answers())

    def set_remaining(self, of: Tuple, seconds: int) -> bool:
        """Let an entry be forgotten after this time; False if there is none."""
        return self._change(_NEW, of, _attribute(_TIMEOUT, _U32.pack(seconds)))

    def delete(self, of: Tuple) -> bool:
        """Forget an entry; False if there is none."""
        return self._change(_DELETE, of, b"")

    def flush(self) -> None:
        """Forget all."""
        with translated("empty the connection table", LinkError):
            self._send(_DELETE, _ACKNOWLEDGE, b"", 0)
            list(self._answers())

    def close(self) -> None:
        """Close the socket; twice does no harm."""
        self._socket.close()

    def _change(self, kind: int, of: Tuple, more: bytes) -> bool:
        self._send(kind, _ACKNOWLEDGE, _tuple(of) + more, len(of.source))
        with translated("change a connection", LinkError):
            try:
                list(self._answers())
            except FileNotFoundError:
                return False
            return True

    def _send(self, kind: int, flags: int, attributes: bytes, width: int) -> None:
        family = {0: socket.AF_UNSPEC, 4: socket.AF_INET, 16: socket.AF_INET6}[width]
        body = _FAMILY.pack(family, 0, 0) + attributes
        self._number += 1
        head = _MESSAGE.pack(_MESSAGE.size + len(body), kind, _REQUEST | flags, self._number, 0)
        self._socket.send(head + body)

    def _answers(self) -> Iterator[Entry]:
        """The entries in the answers to the last request; OSError if it is refused."""
        while True:
            data = self._socket.recv(_BUFFER)
            position = 0
            while position < len(data):
                length, kind, flags, number, _ = _MESSAGE.unpack_from(data, position)
                body = data[position + _MESSAGE.size : position + length]
                position += length + 3 & ~3
                if number != self._number:  # of a request that was given up
                    continue
                if kind == _DONE:
                    return
                if kind == _ERROR:
                    code = -unpack_from("=i", body)[0]
                    if code == errno.ENOENT and _is_question(body):
                        return
                    if code:
                        raise OSError(code, os.strerror(code))
                    return
                yield _entry(body[_FAMILY.size :])
                if not flags & 0x2:  # NLM_F_MULTI: it is the only one
                    return


def _is_question(error: bytes) -> bool:
    """True if the error is about a query (it quotes the header of the request)."""
    return bool(unpack_from("=H", error, 8)[0] == _GET)


def _socket() -> socket.socket:
    with translated("open a netfilter netlink socket", LinkError):
        opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER)
        opened.bind((0, 0))
        return opened


def _attribute(kind: int, value: bytes) -> bytes:
    return _HEADER.pack(_HEADER.size + len(value), kind) + value + bytes(-len(value) % 4)


def _tuple(of: Tuple) -> bytes:
    """The attribute that names an entry."""
    source, destination = _ADDRESSES[len(of.source)]
    addresses = _attribute(source, of.source) + _attribute(destination, of.destination)
    proto = _attribute(_PROTO_NUMBER, bytes((of.protocol,)))
    if of.protocol in _QUERY:
        identifier, kind, code = _QUERY[of.protocol]
        proto += _attribute(identifier, _U16.pack(of.first))
        proto += _attribute(kind, bytes((of.second >> 8,)))
        proto += _attribute(code, bytes((of.second & 0xFF,)))
    elif of.protocol in WITH_PORTS:
        proto += b"".join(
            _attribute(port, _U16.pack(number))
            for port, number in zip(_PORTS, (of.first, of.second), strict=True)
        )
    inner = _attribute(_TUPLE_IP | _NESTED, addresses) + _attribute(_TUPLE_PROTO | _NESTED, proto)
    return _attribute(_TUPLE_ORIG | _NESTED, inner)


def _attributes(data: bytes) -> dict[int, bytes]:
    found = {}
    position = 0
    while position < len(data):
        length, kind = _HEADER.unpack_from(data, position)
        found[kind & _ATTRIBUTE_TYPE] = data[position + _HEADER.size : position + length]
        position += length + 3 & ~3
    return found


def _entry(data: bytes) -> Entry:
    attributes = _attributes(data)
    status = _number(attributes[_STATUS])
    tcp = _attributes(_attributes(attributes.get(_PROTOINFO, b"")).get(_PROTOINFO_TCP, b""))
    return Entry(
        _tuple_in(_attributes(attributes[_TUPLE_ORIG])),
        _number(attributes.get(_TIMEOUT, b"")),
        bool(status & _SEEN_REPLY),
        bool(status & _ASSURED),
        tcp[_TCP_STATE][0] if tcp else None,
        (_flags(tcp, 0), _flags(tcp, 1)),
    )


def _flags(tcp: dict[int, bytes], end: int) -> int:
    return tcp.get(_TCP_FLAGS[end], b"\0")[0]


def _tuple_in(attributes: dict[int, bytes]) -> Tuple:
    addresses = _attributes(attributes[_TUPLE_IP])
    proto = _attributes(attributes[_TUPLE_PROTO])
    protocol = proto[_PROTO_NUMBER][0]
    width = 4 if _ADDRESSES[4][0] in addresses else 16
    source, destination = (addresses[kind] for kind in _ADDRESSES[width])
    identifier, *kind_and_code = _QUERY.get(protocol, _PORTS)
    return Tuple(
        protocol,
        source,
        destination,
        _number(proto.get(identifier, b"")),
        _number(b"".join(proto.get(kind, b"") for kind in kind_and_code)),
    )


def _number(octets: bytes) -> int:
    return int.from_bytes(octets, "big")
