"""How a process ends with the one that started it, and gives way to others."""

import ctypes
import multiprocessing
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

NICENESS = 10  # a tenth of the share of others, where there is less processor than all want


def die_with_parent() -> None:
    """Ask the kernel for TERM when the parent dies, kill -9 included. Linux only; nothing elsewhere."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)


def end_with_server() -> None:
    """Let a process that a web server made for its work end with it: no orphan answers beside the next server.

    Until Granian's processes serve they have the handlers of the first one, which would note a TERM and forget it.
    """
    server = multiprocessing.parent_process()
    if server is None:
        return
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    die_with_parent()
    if not server.is_alive():  # it was quicker
        sys.exit("The web server has gone")


def give_way() -> None:
    """Let the other processes of the machine go first. Nothing is slower where nobody waits for a processor.

    Linux weighs whole sessions against each other where it can, so a session of our own has to be nice as well.
    """
    os.nice(NICENESS)
    with suppress(OSError):  # where there is no such thing
        if os.getsid(0) == os.getpid():
            Path("/proc/self/autogroup").write_text(str(NICENESS))
