"""Time that is not the kernels' own: an hour in a moment, or an hour that runs faster.

`fast_forward.py` lets time pass at once, and `playback.py` plays event by event what would have
happened meanwhile, on the sockets that `found_sockets.py` has found in the hosts; `outcome.py` is
what came of it.  At a time scale `host_settings.py` scales the settings of a host,
`scaled_sockets.py` what its sockets have set for themselves, `give_up.py` knows what the kernel
makes of a count, and `rounding.py` what whole numbers cost.
"""
