"""Work pools and deployments on a Prefect server, and questions to it without the slow import of Prefect."""

import base64
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path
from typing import Any

from pipeline.flows import password

POOLS = ("cpu", "gpu")
BUSY = 503  # the answer of a server whose SQLite is busy
REFUSED = (401, 403)  # the answers to a wrong password, or none
LOGIN = "PREFECT_API_AUTH_STRING must be what the server has as PREFECT_SERVER_API_AUTH_STRING"
PATIENCE = 30.0  # seconds for an answer


class Api:
    """The server of PREFECT_API_URL in an environment, and its key or password there."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self.url = env["PREFECT_API_URL"].rstrip("/")
        self.headers = {"Content-Type": "application/json"}
        if key := env.get("PREFECT_API_KEY"):
            self.headers["Authorization"] = f"Bearer {key}"
        elif secret := env.get("PREFECT_API_AUTH_STRING"):
            self.headers["Authorization"] = f"Basic {base64.b64encode(secret.encode()).decode()}"

    def __call__(self, path: str, body: Any = None, method: str | None = None) -> Any:
        """The answer: to a GET without a body, else to a POST or what `method` says.

        Raises OSError, and ValueError for a login that the server refuses.
        """
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/{path}", data, self.headers, method=method)
        for wait in (0.5, 1, 2, 0):
            try:
                with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                    return json.loads(answer.read() or b"null")
            except urllib.error.HTTPError as error:
                if error.code in REFUSED:
                    raise ValueError(f"{self.url} refuses the login ({error.code}): {LOGIN}") from None
                if error.code != BUSY or not wait:
                    raise
            except TimeoutError:
                raise TimeoutError(f"{self.url}/{path}: no answer within {PATIENCE:.0f} s") from None
            except HTTPException as error:  # half an answer, of a server that ends
                raise OSError(f"{self.url}/{path}: {type(error).__name__}: {error}") from None
            time.sleep(wait)


def deploy(root: Path, env: dict[str, str]) -> list[str]:
    """Make the work pools, send prefect.yaml's deployments to the server; returns their names.

    A schedule that is enabled there stays so: Prefect would pause it again, as it is in the file. Raises
    ValueError when no server answers, or with Prefect's words when it refuses.
    """
    api = Api(env)
    try:
        enabled = [schedule["schedule"] for schedule in _schedules(api) if schedule["active"]]
        there = {pool["name"] for pool in api("work_pools/filter", {})}
    except OSError as error:
        raise ValueError(f"no Prefect server answers at {env['PREFECT_API_URL']}: {error}") from None
    for pool in sorted({*POOLS} - there):  # of one that is there it takes Prefect seconds to say so
        done = _prefect(root, env, "work-pool", "create", pool, "--type", "process")
        if done.returncode and "already exists" not in done.stdout:
            raise ValueError(f"work pool {pool}: {done.stdout.strip()}")
    done = _prefect(root, env, "deploy", "--all")
    if done.returncode:
        raise ValueError(f"prefect deploy: {done.stdout.strip()}")
    for schedule in _schedules(api):
        if schedule["schedule"] in enabled and not schedule["active"]:
            place = f"deployments/{schedule['deployment_id']}/schedules/{schedule['id']}"
            api(place, {"active": True}, "PATCH")
    return [line.split("'")[1] for line in done.stdout.splitlines() if "successfully" in line]


def _schedules(api: Api) -> list[dict[str, Any]]:
    asked = {"flows": {"name": {"any_": ["wsss"]}}}
    return [schedule for found in api("deployments/filter", asked) for schedule in found["schedules"]]


def _prefect(root: Path, env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "prefect", "--no-prompt", *arguments]
    return subprocess.run(
        command, cwd=root, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def find_server(root: Path) -> None:
    """ValueError unless the server of PREFECT_API_URL answers; the password of `wsss serve` is set."""
    if not (url := os.environ.get("PREFECT_API_URL")):
        raise ValueError("PREFECT_API_URL is not set: `wsss serve` starts a server and prints the address")
    os.environ |= password.of_served(root, os.environ)  # before Prefect reads it
    try:
        Api(os.environ)("version")  # unlike its health this asks for the password
    except OSError as error:
        raise ValueError(f"no Prefect server answers at {url}: {error}") from None
