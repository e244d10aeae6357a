"""The memory of a training on a CPU: what a step has freed is there for the next one."""

import ctypes

TRIM_THRESHOLD, MMAP_MAX = -1, -4  # of glibc's mallopt(3)


def keep() -> bool:
    """Let the process keep what it frees; returns whether its allocator can be told so.

    glibc maps each large tensor anew and unmaps it when it is freed, so in every step the kernel clears every
    page of every activation: up to half of a training's time. A process that keeps them stays as large as it
    was at its largest. Another allocator (musl's, macOS's) is left as it is.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return bool(mallopt(MMAP_MAX, 0) and mallopt(TRIM_THRESHOLD, -1))
