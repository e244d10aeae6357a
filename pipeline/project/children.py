"""Commands that compute: `wsss` starts a door of stages/ as one child process and waits for it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

PATIENCE = 10.0  # seconds that a child has to end after Ctrl-C and after SIGTERM, each


def run(
    root: Path, module: str, arguments: Sequence[str | Path] = (), env: Mapping[str, str] | None = None
) -> int:
    """`python -m MODULE ARGUMENTS` in the project `root`, on this terminal; its exit status.

    128 and more: ended by that signal, 130 by Ctrl-C. `env` is added to the environment. Paths among the
    arguments must be absolute, since the child works in `root`. It never outlives this call; should
    this process be killed, a child of `stages` ends by itself (stages/__init__.py).
    """
    command = [sys.executable, "-m", module, *map(str, arguments)]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    environment = {**defaults(), **os.environ, "PATH": path, **(env or {})}
    process = subprocess.Popen(command, cwd=root, env=environment)
    with _passed_on(process):
        try:
            code = process.wait()
        except KeyboardInterrupt:  # the terminal sent it to the child, too
            _end(process)
            return 128 + signal.SIGINT
        except BaseException:
            process.terminate()
            _end(process)
            raise
    return code if code >= 0 else 128 - code


def defaults() -> dict[str, str]:
    """What the environment of a child says where ours does not.

    Threads that wait sleep: those of two trainings that spin on the same cores hold each other up. What a
    process frees it keeps, as stages.common.training.memory says: else a network that reads maps or labels
    pictures waits as long for pages that the kernel clears as for its sums. On macOS a step's workers start
    anew: its libraries have threads, and what is forked beside them may crash, of a fork server too.
    """
    found = {"OMP_WAIT_POLICY": "PASSIVE", "MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**40)}
    return found | ({"WSSS_START_METHOD": "spawn"} if sys.platform == "darwin" else {})


@contextmanager
def _passed_on(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """A request to end this process ends the child, and so this call."""
    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, lambda *_: process.terminate()) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Wait for a child that was asked to end; first longer, then harder."""
    for end in (process.terminate, process.kill):
        try:
            process.wait(PATIENCE)
            return
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            end()
    process.wait()
