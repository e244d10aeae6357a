"""Read by every Python that `Project.run` starts: `python -m stages.X` goes to the server of this folder.

The server has torch and the like loaded, which takes a stage longer than its work on a dozen pictures.
It runs the stage in a fork of its own, with this process's files, folder and environment; this one stands
for it: it hands signals on, ends as the stage does, and the stage ends when this one is killed.
"""

import os
import sys

if "WSSS_TEST_WARM" in os.environ and sys.orig_argv[1:2] == ["-m"] and sys.orig_argv[2].startswith("stages."):
    import json
    import signal
    import socket

    with socket.socket(socket.AF_UNIX) as server:
        server.connect(os.environ["WSSS_TEST_WARM"])
        request = {"argv": sys.orig_argv[2:], "folder": os.getcwd(), "environment": dict(os.environ)}
        text = json.dumps(request).encode()
        socket.send_fds(server, [len(text).to_bytes(4, "big")], [0, 1, 2])
        server.sendall(text)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda number, _: server.send(bytes([number])))
        status = int.from_bytes(server.recv(4), "big", signed=True)
    if status < 0:
        signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    os._exit(status)
