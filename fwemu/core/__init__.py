"""The firewall itself: packets and time in, a decision and its effects out.

Nothing in here reads a clock, a file, a socket or a random number.  That is what lets a test play
an hour in a microsecond, a capture be judged offline, and the same engine meet real packets.

Start reading at `firewall.py`, the only door; `tcp_table.py` is the TCP state machine.
"""
