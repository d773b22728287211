"""The shell around the core: kernel, clock, files and other processes.

    packets  -> queue -> datapath -> core -> verdict, then effects
    effects  -> inject (packets of our own), journal (the log), tally (the counters)
    requests -> control (HTTP, in a process of its own) -> datapath, between packets

`service.py` puts the parts together; `client.py` is how everything else talks to it.
"""
