"""What is remembered of one end; how it is learned is in `test_tcp_window.py`."""

from fwemu.core.endpoint import Endpoint, TcpEndpoint


def test_an_end_that_has_sent_nothing():
    """No number is known of it."""
    end = TcpEndpoint()
    assert (end.packets, end.octets) == (0, 0)
    assert (end.first, end.next, end.acked) == (None, None, None)
    assert (end.limit, end.window, end.scale) == (0, 0, 0)
    flags = end.has_scale, end.is_selective, end.is_unacknowledged, end.closed_first
    assert flags == (False, False, False, False)


def test_an_end_without_numbers_only_counts():
    """UDP has nothing else."""
    end = Endpoint()
    assert (end.packets, end.octets) == (0, 0)
    assert not hasattr(end, "next")


def test_numbers_are_restored_all_of_them():
    """Whatever a refused segment has touched."""
    end = TcpEndpoint()
    before = end.state()
    for number, name in enumerate(TcpEndpoint.__slots__):
        setattr(end, name, number)
    after = end.state()
    assert after == tuple(range(len(TcpEndpoint.__slots__)))
    end.restore(before)
    assert end.state() == before == TcpEndpoint().state()
    end.restore(after)
    assert (end.acked, end.window) == (0, len(TcpEndpoint.__slots__) - 1)


def test_counters_are_not_numbers():
    """What has passed has passed, whatever is forgotten of the connection."""
    end = TcpEndpoint()
    before = end.state()
    end.packets, end.octets = 3, 120
    end.restore(before)
    assert (end.packets, end.octets) == (3, 120)
