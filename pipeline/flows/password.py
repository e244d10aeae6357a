"""Who may give orders to a Prefect server: whoever knows its password. It runs any command on its workers.

`wsss serve` makes a password for each project, which only the user who serves it can read. A command of
that project finds it there; for another server it is PREFECT_API_AUTH_STRING.
"""

import os
import re
import secrets
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from pipeline.project import locks, places

SERVER, CLIENT = "PREFECT_SERVER_API_AUTH_STRING", "PREFECT_API_AUTH_STRING"
PUBLISHED = re.compile(r"name:password|[\"']?\$\{.*", re.DOTALL)  # deploy/prefect.env's
SECONDS = 3.0  # for an answer


def home(root: Path) -> Path:
    """Of the server that `wsss serve` starts: its database, its logs, its password."""
    return places.state(root) / "prefect"


def file(place: Path) -> Path:
    return place / "password"


def own(place: Path) -> str:
    """The password in the folder `place`, made there if there is none that only this user can read."""
    place.mkdir(parents=True, exist_ok=True)
    place.chmod(0o700)
    path = file(place)
    if path.is_file() and not path.stat().st_mode & 0o077 and (known := path.read_text().strip()):
        return known
    path.unlink(missing_ok=True)
    made = secrets.token_urlsafe(24)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as kept:
        kept.write(f"{made}\n")
    return made


def check(env: Mapping[str, str]) -> None:
    """Raises ValueError for a password that anybody can read in this repository."""
    for name in (SERVER, CLIENT):
        if PUBLISHED.fullmatch(env.get(name, "")):
            raise ValueError(
                f"{name} is the example of deploy/prefect.env, which everybody knows: make one, "
                "python -c 'import secrets; print(secrets.token_urlsafe(24))'"
            )


def of_served(root: Path, env: Mapping[str, str]) -> dict[str, str]:
    """What `env` lacks to log in, if its server is the one that this project is served by now."""
    if env.get(CLIENT) or env.get("PREFECT_API_KEY"):
        return {}
    url, place = urlsplit(env.get("PREFECT_API_URL", "")), home(root)
    if not is_here(url.hostname or "") or not locks.is_held(place / "lock"):
        return {}
    holder, path = locks.holder(place / "lock"), file(place)
    served = holder is not None and holder.name == f"wsss serve, port {url.port}"
    return {CLIENT: path.read_text().strip()} if served and path.is_file() else {}


def is_here(host: str) -> bool:
    """Whether a host is this machine's loopback."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def risks(url: str) -> list[str]:
    """What is wrong with a server that takes orders, in words; nothing where it does not answer."""
    at, found = urlsplit(url), []
    if _is_open(url):
        who = "whoever reaches it" if not is_here(at.hostname or "") else "any user, and any web page here,"
        found.append(f"{url} asks for no password: {who} can run commands on its workers")
    if at.scheme == "http" and not is_here(at.hostname or ""):
        found.append(f"{url} is plain http: who listens on the way reads the password, and can change orders")
    return found


def _is_open(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}/version", timeout=SECONDS) as answer:
            return bool(answer.status == 200)
    except (OSError, ValueError, HTTPException):  # it asks for a password, or others report what it does
        return False
