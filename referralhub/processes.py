"""How a process ends with the one that started it."""

import ctypes
import multiprocessing
import signal
import sys


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
