"""Headless Chromium for tests of pages.

Where there is none a test is skipped with a message, but where WSSS_TEST_BROWSER=required, as in CI:
there a missing browser is a failure.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-quic",
]  # fmt: skip


def chromium() -> str:
    """The browser's path; skips the test, or fails it where a browser is required."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found:
        return found
    message = "no Chromium here: apt-get install chromium"
    if os.environ.get("WSSS_TEST_BROWSER") == "required":
        pytest.fail(message)
    pytest.skip(message)


@contextmanager
def opened() -> Iterator[Any]:
    """A new, empty page of a browser that is closed afterwards."""
    from playwright.sync_api import sync_playwright

    path = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        try:
            yield browser.new_page(viewport={"width": 1400, "height": 1500})
        finally:
            browser.close()


def look(page: Any, file: Path, width: int, scheme: str) -> list[str]:
    """Open the file; all that it says to the console or asks of anybody."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda asked: said.append(asked.url) if asked.url.startswith("http") else None)
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    page.goto(file.as_uri())
    return said


def log_in(page: Any, password: str) -> None:
    """Give Prefect's UI the password that it asks for."""
    field = page.locator("input[type=password]")
    field.wait_for()
    field.fill(password)
    page.get_by_role("button", name="Login").click()
    field.wait_for(state="detached")


def keep(page: Any, name: str) -> None:
    """A screenshot to look at, if WSSS_TEST_SCREENSHOTS names a folder."""
    if folder := os.environ.get("WSSS_TEST_SCREENSHOTS"):
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)
