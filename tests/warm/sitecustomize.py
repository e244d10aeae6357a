"""Read by every Python that `Project.run` starts: DVC, `wsss` and the steps go to the server of this folder.

The server has their libraries loaded, which takes them longer than their work on a dozen pictures. It runs
them in a fork of its own, with this process's files, folder and environment; this one stands for it: it
hands signals on, ends as the fork does, and the fork ends when this one is killed.
"""

import os
import sys


def asked(arguments: list[str]) -> list[str]:
    """The module to run and its arguments, if the server is to run it."""
    if arguments[:1] == ["-m"] and arguments[1].startswith(("stages.", "pipeline.cli", "dvc")):
        return arguments[1:]
    return ["dvc", *arguments[1:]] if arguments and arguments[0].endswith("/bin/dvc") else []


if os.environ.get("WSSS_TEST_WARM") and (command := asked(sys.orig_argv[1:])):
    import json
    import signal
    import socket

    with socket.socket(socket.AF_UNIX) as server:
        server.connect(os.environ["WSSS_TEST_WARM"])
        request = {"command": command, "folder": os.getcwd(), "environment": dict(os.environ)}
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
