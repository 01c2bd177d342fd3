"""A real browser without a window: Debian's Chromium, driven by selenium."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.wait import WebDriverWait

__all__ = ["Browser", "opened_browser"]

_READY_WITHIN_S = 60
"""Far above: a machine that is busy draws in seconds."""

_MARKS = """
return [...document.querySelectorAll(`${arguments[0]} .chart [role=graphics-symbol][aria-label]`)].map((mark) => {
  const box = mark.getBBox();
  return { label: mark.getAttribute("aria-label"), kind: mark.getAttribute("aria-roledescription"),
           width: box.width, height: box.height, fill: getComputedStyle(mark).fill };
});
"""
_TABLE = """
const figure = document.querySelector(arguments[0]);
const details = figure.querySelector("details");
if (details) details.open = true;
return new Promise((done) => setTimeout(() => done([...figure.querySelectorAll("tbody tr")].map((row) =>
  [...row.cells].map((cell) => JSON.parse(cell.dataset.value)))), 0));
"""


class Browser:
    """One tab."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def open(self, url: str, width: int = 1400, *, dark: bool = False) -> None:
        """Open a page in a window of this width, and wait until it says that it is drawn."""
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        self.driver.get(url)
        self.until("return document.body.dataset.ready === 'yes'")

    def leave(self) -> None:
        """Close the page: one that asks a server again and again would complain once that is gone."""
        self.driver.get("about:blank")
        self.said()

    def run(self, script: str, *arguments: Any) -> Any:
        """What a script gives."""
        return self.driver.execute_script(script, *arguments)

    def until(self, script: str) -> None:
        """Wait until a script gives what is true."""
        WebDriverWait(self.driver, _READY_WITHIN_S, poll_frequency=0.05).until(lambda _: self.run(script))

    def marks(self, figure: str) -> list[dict[str, Any]]:
        """What is drawn in a figure: the label, the kind, the size and the colour of each mark."""
        found: list[dict[str, Any]] = self.run(_MARKS, f"#{figure}")
        return found

    def table(self, figure: str) -> list[list[Any]]:
        """The rows of its numbers, unfolded by a click's effect."""
        rows: list[list[Any]] = self.run(_TABLE, f"#{figure}")
        return rows

    def said(self) -> list[str]:
        """What stands in the console since the last look: errors, warnings and whatever a script prints."""
        return [f"{entry['level']}: {entry['message']}" for entry in self.driver.get_log("browser")]


@contextmanager
def opened_browser() -> Iterator[Browser]:
    """A browser; the test skips where there is none."""
    programs = shutil.which("chromium"), shutil.which("chromedriver")
    if None in programs:
        pytest.skip("Chromium and its driver are not on the PATH: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = str(programs[0])
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with tempfile.TemporaryDirectory() as profile:
        for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", f"--user-data-dir={profile}"):
            options.add_argument(argument)
        driver = webdriver.Chrome(options=options, service=Service(programs[1]))
        try:
            yield Browser(driver)
        finally:
            driver.quit()
