"""Headless Chromium for tests of pages.

Where there is none a test is skipped with a message, but where WSSS_TEST_BROWSER=required, as in CI:
there a missing browser is a failure.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
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
