"""WSSS_DASK: whose processes compute the per-picture work. Of the environment, never of params.yaml."""

import os
import re
import socket

VARIABLE = "WSSS_DASK"
LOCAL = re.compile(r"local:([1-9]\d{0,3})")
REMOTE = re.compile(r"(tcp|tls)://(\[[0-9a-fA-F:.]+\]|[^\s/:\[\]]+):(\d{1,5})")
REACH = 10.0  # seconds for a scheduler to answer
GREETING = 1 << 20  # bytes of a scheduler's first message are fewer: it begins with their number, 8 bytes


def asked() -> str:
    """What WSSS_DASK names, "" for nothing. ValueError for what is neither a scheduler nor local:N."""
    found = os.environ.get(VARIABLE, "")
    if found and not (LOCAL.fullmatch(found) or REMOTE.fullmatch(found)):
        raise ValueError(
            f"{VARIABLE}={found}: give tcp://HOST:PORT of a Dask scheduler, or local:N for N processes here"
        )
    return found


def local(asked: str) -> int:
    """N of local:N, 0 for a scheduler."""
    found = LOCAL.fullmatch(asked)
    return int(found[1]) if found else 0


def reach(asked: str, seconds: float = REACH) -> None:
    """OSError where nobody listens, or does not greet as a Dask scheduler does.

    Dask's client waits for ever for the greeting of a server that says nothing. Under TLS none is looked for.
    """
    scheme, host, port = REMOTE.fullmatch(asked).groups()  # type: ignore[union-attr]
    with socket.create_connection((host.strip("[]"), int(port)), seconds) as there:
        if scheme == "tls":
            return
        there.settimeout(seconds)
        first = there.recv(8)
        if not first or int.from_bytes(first, "little") > GREETING:
            raise OSError("what listens there is no Dask scheduler")
