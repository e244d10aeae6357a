"""How a process of a stage ends when the one that started it does: nothing is left of a killed stage."""

import os
import signal
import sys
import time

STARTED = time.time()  # code that is edited from now on may not be what runs here
PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int = 0, number: int = signal.SIGTERM) -> None:
    """On Linux, this process gets the signal `number` when its parent (the thread that started it) ends.

    `parent` is the process that should be it: if it is gone already, this one ends at once. 0: not
    known, so a parent that died before this call goes unnoticed. A worker of a pool asks the pool
    instead (multiprocessing.parent_process).
    """
    if sys.platform != "linux":
        return
    import ctypes

    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)
    if parent and os.getppid() != parent:
        os._exit(128 + number)
