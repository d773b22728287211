"""A process that has loaded all that a firewall needs, and forks one whenever it is asked.

    python -m fwemu.cli.fork_server DESCRIPTOR PADDING

Most of the time that a firewall takes to get ready goes into loading Python modules; whoever makes
many labs pays for that once.  The descriptor is a pipe, on which it hears `SpawnRequest`s and
answers with process ids; when the other end closes, it ends, and the firewalls run on.

It knows nothing of the firewalls it has forked, and each is as if started by `fwemu daemon`:
session, environment, directory, output and command line (written over the padding) are its own.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import os
import signal
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NoReturn

from fwemu.lab.launch import SpawnRequest
from netns import Namespace, interfaces


def main() -> None:
    """Serve until nobody can ask any more."""
    pipe = Connection(int(sys.argv[1]))
    _load("fwemu.cli.daemon", "fwemu.daemon.service", "fwemu.virtual_time.fast_forward")
    with contextlib.suppress(Exception):
        interfaces(Namespace.current())  # what netns loads only when it is used
    os.chdir("/")  # nobody's directory is held; not before, for modules may be found there
    gc.freeze()  # what a child never touches stays shared with it
    is_first = True
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            asked = pipe.recv()
            if isinstance(asked, SpawnRequest):
                pid = os.fork()
                if pid == 0:
                    pipe.close()
                    _become_firewall(asked)
                pipe.send(pid)
                if is_first:  # the first one need not wait for what it loads itself meanwhile
                    is_first = False
                    _load("fwemu.daemon.control")
                    gc.freeze()
            else:
                pipe.send(os.waitstatus_to_exitcode(os.waitpid(asked, 0)[1]))


def _load(*modules: str) -> None:
    """What cannot be loaded is the business of the firewall that needs it, and says so."""
    for module in modules:
        with contextlib.suppress(Exception):
            importlib.import_module(module)


def _become_firewall(request: SpawnRequest) -> NoReturn:
    """Become a firewall; this never returns."""
    code = 1
    try:
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        output = os.open(
            request.output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600
        )
        for standard in (1, 2):
            os.dup2(output, standard)
        os.close(output)
        os.environ.clear()
        os.environ.update(request.environment)
        os.chdir(request.directory)
        _show(request.command)
        from fwemu.cli.main import main as fwemu

        code = fwemu(list(request.arguments))
    except BaseException:
        if Path(request.output).parent.is_dir():  # else whoever asked is gone, and its lab with it
            sys.excepthook(*sys.exc_info())
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _show(command: list[str]) -> None:
    """Let `ps` show this command, as far as there is room for it (proc_pid_stat(5))."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, end = int(fields[45]), int(fields[46])  # arg_start, arg_end
    text = b"\0".join(os.fsencode(word) for word in command)[: end - start - 1]
    ctypes.memmove(start, text.ljust(end - start, b"\0"), end - start)


if __name__ == "__main__":
    main()
