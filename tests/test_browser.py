"""A person's view: `wsss serve`, a run started in the Prefect UI, and what its pages show."""

import base64
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.flows.deployments import BUSY
from tests import browser
from tests.conftest import Project, warm_environment
from tests.test_recipe import ALL

DONE = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
MINUTES = 60.0
LOGIN: dict[str, Path] = {}  # the file of the password of the server that is up


@pytest.fixture
def served(recipe: Project, tmp_path: Path) -> Iterator[tuple[Project, str]]:
    """The small recipe, one parameter changed, behind `wsss serve`: the project and the URL."""
    project = recipe.copy(tmp_path / "project")
    project.change(evaluation__threshold=0.5)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    command = [sys.executable, "-m", "pipeline.cli", "serve", "--port", url.rpartition(":")[2]]
    log = (tmp_path / "serve.log").open("wb")
    process = subprocess.Popen(
        command, cwd=project.root, stdout=log, stderr=log, start_new_session=True,
        env={**os.environ, **warm_environment()},
    )  # fmt: skip
    LOGIN["file"] = project.root / ".dvc" / "tmp" / "wsss" / "prefect" / "password"
    try:
        wait_until(lambda: any(d["name"] == "on-demand" for d in ask(url, "deployments/filter")), 2 * MINUTES)
        yield project, url
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(MINUTES)


def test_a_run_started_in_the_browser_shows_stages_and_report(served: tuple[Project, str], page: Any) -> None:
    _, url = served
    page.goto(f"{url}/deployments")
    browser.log_in(page, LOGIN["file"].read_text().strip())
    page.get_by_text("on-demand", exact=True).first.click()
    page.wait_for_load_state("networkidle")
    quick_run(page)
    wait_until(lambda: bool(ask(url, "flow_runs/filter")), MINUTES)
    run = ask(url, "flow_runs/filter")[0]["id"]
    wait_until(lambda: ask(url, f"flow_runs/{run}")["state_type"] in DONE, 5 * MINUTES)
    assert ask(url, f"flow_runs/{run}")["state_type"] == "COMPLETED"

    page.goto(f"{url}/runs/flow-run/{run}")
    page.get_by_text("Task Runs", exact=True).first.click()
    states = shown_states(page)
    evaluations = {name for name in ALL if name.startswith("evaluation@")}
    assert set(states) == ALL
    assert {name for name, state in states.items() if state == "Ran"} >= {*evaluations, "report"}
    assert states["classifier"] == states["segmenter"] == "Unchanged"

    page.get_by_text("Artifacts", exact=True).first.click()
    page.get_by_text("wsss-report", exact=True).first.click()
    page.wait_for_selector("table")
    assert page.locator("tr", has_text="segmenter").first.is_visible()
    assert page.locator("tr", has_text="pseudo_labels").first.is_visible()
    pictures = page.locator("img[src^='data:image/png']")
    assert pictures.count() >= 1
    assert pictures.first.evaluate("picture => picture.naturalWidth") > 50
    browser.keep(page, "flow-report")


def quick_run(page: Any) -> None:
    """Click until the server has taken the order.

    A click on a page that still asks for its data is lost, and a server whose SQLite is busy answers 503.
    """
    from playwright.sync_api import TimeoutError as NothingSent

    for _ in range(6):
        try:
            with page.expect_request(lambda x: x.url.endswith("/create_flow_run"), timeout=10_000) as sent:
                page.get_by_role("button", name="Run", exact=True).click()
                page.get_by_text("Quick run").click()
        except NothingSent:
            page.keyboard.press("Escape")  # the menu, if it is open
            continue
        answer = sent.value.response()
        if answer is not None and answer.status == BUSY:
            page.wait_for_timeout(1000)
            continue
        assert answer is not None and answer.ok, f"the order was refused: {answer and answer.text()}"
        return
    raise AssertionError("no click on Quick run was heard")


def shown_states(page: Any) -> dict[str, str]:
    """Stage -> state, as the list of task runs on the page says; waits until all are listed."""
    deadline = time.monotonic() + MINUTES
    states: dict[str, str] = {}
    while time.monotonic() < deadline and len(states) < len(ALL):
        page.mouse.wheel(0, 2000)
        pairs = itertools.pairwise(page.inner_text("body").splitlines())
        states |= {name: state for name, state in pairs if name in ALL and state in ("Ran", "Unchanged")}
        page.wait_for_timeout(200)
    return states


def ask(url: str, path: str) -> Any:
    """The server's answer: a filter is a POST, the rest a GET."""
    body = b'{"sort": "EXPECTED_START_TIME_DESC"}' if path == "flow_runs/filter" else b"{}"
    login = base64.b64encode(LOGIN["file"].read_bytes().strip())
    request = urllib.request.Request(
        f"{url}/api/{path}",
        data=body if path.endswith("/filter") else None,
        headers={"Content-Type": "application/json", "Authorization": f"Basic {login.decode()}"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def wait_until(condition: Any, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if condition():
                return
        except OSError:
            pass
        time.sleep(0.3)
    raise AssertionError(f"not within {seconds:.0f} s")
