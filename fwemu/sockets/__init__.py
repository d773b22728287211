"""The timers of TCP sockets in the kernel, and making them fire now.

Nothing here knows of a firewall.  `tcp_info.py` and `keepalive.py` read a socket,
`window_probe.py` knows when one asks whose peer has closed its window, `probe.py` makes a kernel
send what it would send by itself later.
"""
