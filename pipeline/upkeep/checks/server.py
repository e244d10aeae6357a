"""Prefect: can its server start, is one reachable, does it report to anybody."""

import base64
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Any

from packaging.specifiers import SpecifierSet

from pipeline.flows import password
from pipeline.flows.deployments import LOGIN, REFUSED
from pipeline.upkeep.checks import OK, PROBLEM, SLOW, WARNING, Line, ProbeError, SlowError, probe, slow
from pipeline.upkeep.checks.versions import installed

SETTINGS = """
import json
from prefect.settings import get_current_settings
now = get_current_settings()
secret = lambda value: value.get_secret_value() if hasattr(value, "get_secret_value") else value
print(json.dumps({"url": now.api.url, "auth": secret(now.api.auth_string), "key": secret(now.api.key),
                  "analytics": now.server.analytics_enabled}), flush=True)
import prefect.server.api.server
"""
TRAPS = {  # of Prefect 3.8.8, which allows newer ones
    "fastapi": (SpecifierSet("<0.151"), "`prefect deploy` or the server itself fails"),
    "sqlalchemy": (SpecifierSet("<2.1"), "schedules never start a run"),
}
PINNED = 'pip install -c constraints.txt prefect "fastapi<0.151" "sqlalchemy<2.1"'
SILENT = "export PREFECT_SERVER_ANALYTICS_ENABLED=false DO_NOT_TRACK=1"
SECONDS = 30.0  # for an answer


def prefect(root: Path) -> Iterator[Line]:
    """All of it from one child, which reads Prefect's own settings: environment, files, active profile."""
    if installed("prefect") is None:
        yield Line(WARNING, "prefect", "not installed; `wsss run` works without", PINNED)
        return
    try:
        settings = probe(root, SETTINGS)
        yield Line(OK, "prefect", f"{installed('prefect')}: its server can be started")
        yield from slow("prefect", "the import of its server", settings)
    except SlowError as error:
        settings = error.values
        do = "ask again when less is at work; `wsss serve` waits longer"
        yield Line(WARNING, "prefect", f"the import of its server is slow: {error}", do)
    except ProbeError as error:
        settings = error.values
        yield Line(PROBLEM, "prefect", f"its server cannot be started: {error}", PINNED)
    yield from traps()
    if settings:
        known = password.of_served(root, {"PREFECT_API_URL": settings["url"] or ""})
        settings["auth"] = settings["auth"] or known.get(password.CLIENT)
        yield reachable(settings)
        yield from exposed(settings)
        yield silent(settings)


def traps() -> Iterator[Line]:
    for name, (good, effect) in TRAPS.items():
        found = installed(name)
        if found and not good.contains(found, prereleases=True):
            yield Line(PROBLEM, "prefect", f"{name} {found} is too new: {effect}", PINNED)


def reachable(settings: dict[str, Any]) -> Line:
    """Ask the server that runs would report to. Its health is open to all, its version is not."""
    url = settings["url"]
    if not url:
        return Line(OK, "server", "none configured: runs work without one; `wsss serve` starts one")
    began = time.monotonic()
    try:
        get(f"{url}/health", settings)
        version = get(f"{url}/version", settings) if not settings["key"] else None
    except urllib.error.HTTPError as error:
        if error.code in REFUSED:
            return Line(PROBLEM, "server", f"{url} refuses the login ({error.code})", LOGIN)
        return Line(PROBLEM, "server", f"{url} answers {error.code}: is it a Prefect server?", "")
    except (OSError, ValueError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, TimeoutError):
            text = f"{url} gave no answer within {SECONDS:.0f} s: it is slow, or something else listens there"
            return Line(WARNING, "server", text, "ask again; `wsss run` works without")
        do = "start it (`wsss serve`), or unset PREFECT_API_URL; `wsss run` works without"
        return Line(PROBLEM, "server", f"{url} does not answer: {reason}", do)
    mine = installed("prefect")
    if version and version != mine:
        text = f"{url} is Prefect {version}, here is {mine}"
        return Line(WARNING, "server", text, "use one version on both sides")
    seconds = time.monotonic() - began
    late = f", but is slow ({seconds:.0f} s)" if seconds > SLOW / 4 else ""
    return Line(WARNING if late else OK, "server", f"{url} answers{late}")


def exposed(settings: dict[str, Any]) -> Iterator[Line]:
    """Who else can give the server orders."""
    try:
        password.check({password.CLIENT: settings["auth"] or ""})
    except ValueError as error:
        yield Line(PROBLEM, "server", str(error))
    for risk in password.risks(settings["url"]) if settings["url"] else ():
        yield Line(WARNING, "server", risk, "docs/prefect.md, a server for a group")


def get(url: str, settings: dict[str, Any]) -> Any:
    """The JSON behind a URL. Raises OSError, ValueError for another kind of answer."""
    request = urllib.request.Request(url)
    if settings["key"]:
        request.add_header("Authorization", f"Bearer {settings['key']}")
    elif settings["auth"]:
        request.add_header("Authorization", f"Basic {base64.b64encode(settings['auth'].encode()).decode()}")
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:
        return json.load(answer)


def silent(settings: dict[str, Any]) -> Line:
    tracked = os.environ.get("DO_NOT_TRACK", "").lower() not in ("1", "true", "yes")
    talking = [name for name, on in (("server", settings["analytics"]), ("client", tracked)) if on]
    if talking:
        return Line(WARNING, "telemetry", f"Prefect's {' and '.join(talking)} may report its use", SILENT)
    return Line(OK, "telemetry", "Prefect reports nothing")
