"""What the threads of a running program wait for, and until when, read from outside.

Nothing here stops, asks or changes a program, and nothing knows of a firewall: /proc and its
memory tell enough.  `system_calls.py` is the table of the calls that wait, `threads.py` reads what
each thread of a process waits for, `timers.py` the timers that wake it by a descriptor or a signal.
"""
