"""WSSS_DASK: whose processes compute the per-picture work. Of the environment, never of params.yaml."""

import os
import re

VARIABLE = "WSSS_DASK"
LOCAL = re.compile(r"local:([1-9]\d{0,3})")
REMOTE = re.compile(r"(tcp|tls)://(\[[0-9a-fA-F:.]+\]|[^\s/:\[\]]+):\d{1,5}")


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
