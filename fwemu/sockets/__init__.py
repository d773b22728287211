"""What the sockets of the ends really do: their keepalive timers, and how to have them fire now.

Nothing here knows of a firewall.  `keepalive.py` reads a socket, `probe.py` makes its kernel send
what it would send by itself later, `still.py` holds the application still meanwhile.
"""
