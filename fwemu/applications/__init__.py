"""The time of running programs, moved from outside: an hour passes for them as for the firewall.

Nothing is asked of a program, preloaded or restarted.  `shifted_clock.py` puts an offset into the
clocks that it reads, which lie in its own copy of the kernel's vDSO (`vdso.py`); `held.py` stops a
thread for a moment and ends a wait whose time is over, as the kernel would (`results.py`), and
`timer.py` makes a timer fire.  Timers that come by a signal are asked for, and made to fire, by a
thread of their process (`signal_timers.py`, `signal_deadlines.py`).  `deadlines.py` keeps until
when each thread waits in the time that is played (`played_time.py`), `process.py` is one process
with all of this, `members.py` says whose time it is, and `play.py` plays it.

What waits for what is read by `fwemu.waits`.  Nothing here knows of a firewall or its sessions.
"""
