"""What tests start takes no time to load DVC or torch: a server has done it (server.py, sitecustomize.py)."""

import atexit
import functools
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
COLD = {"WSSS_TEST_WARM": ""}  # over such an environment: what is started loads its own


@functools.cache
def environment() -> dict[str, str]:
    """For processes that the server is to run; it is started for the first, and ends with this process.

    Empty on another system than Linux. Who kills, or asks what lives, does without (`Marked.env`, or COLD).
    """
    if sys.platform != "linux":
        return {}
    folder = tempfile.mkdtemp(prefix="wsss-warm-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    socket = Path(folder) / "socket"
    server = subprocess.Popen([sys.executable, HERE / "server.py", socket], stdin=subprocess.PIPE)
    while not socket.exists():
        assert server.poll() is None, "the server of the steps has ended"
        time.sleep(0.01)
    _servers.append(server)
    return {"WSSS_TEST_WARM": str(socket), "PYTHONPATH": str(HERE)}


_servers: list[subprocess.Popen[bytes]] = []  # their standard input stays open
