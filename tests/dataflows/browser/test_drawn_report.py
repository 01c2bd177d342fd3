"""A report as Chromium draws it: what is drawn is what the numbers beside it say."""

import re
from pathlib import Path
from typing import Any

import pytest

from dataflows.browser.report import report_html, report_of
from dataflows.replay.tables import predictions_table, rejections_table
from tests.browser import Browser
from tests.dataflows.browser.test_fleet import prediction
from tests.dataflows.commands import latecomer_here

PIXEL = 0.6
BARS = {
    "worst-devices": "width",
    "delays": "width",
    "lateness-over-time": "height",
    "lateness-by-device": "width",
    "rejections-over-time": "height",
    "evaluations-over-time": "height",
}
"""Figures of bars, and the side that says how many."""


@pytest.fixture(scope="module")
def report(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("report") / "report.html"
    assert latecomer_here("report", folder, "--to", path, cwd=folder).returncode == 0
    return path.as_uri()


def labelled(mark: dict[str, Any]) -> dict[str, str]:
    """The fields of a mark's label."""
    return dict(part.split(": ", 1) for part in mark["label"].split("; "))


def columns_of(browser: Browser, figure: str) -> list[str]:
    titles: list[str] = browser.run(
        "return [...document.querySelectorAll(`#${arguments[0]} th`)].map((cell) => cell.textContent)", figure
    )
    return titles


@pytest.mark.parametrize("figure", BARS)
def test_each_bar_is_as_long_as_its_number(browser: Browser, report: str, figure: str) -> None:
    browser.open(report)
    rows = browser.table(figure)
    titles = columns_of(browser, figure)
    bars = [mark for mark in browser.marks(figure) if mark["kind"] == "bar"]
    kinds = [kind for kind in titles if kind in {labelled(bar)["kind"] for bar in bars}]
    assert len(bars) == len(rows) * len(kinds) > 0
    by_name = {(labelled(bar).get("time") or next(iter(list(labelled(bar).values())[1:])), labelled(bar)["kind"]): bar
               for bar in bars}  # fmt: skip
    wanted = {(str(row[0]), kind): row[titles.index(kind)] for row in rows for kind in kinds}
    assert by_name.keys() == wanted.keys()
    longest = max(wanted, key=lambda name: wanted[name])
    scale = by_name[longest][BARS[figure]] / wanted[longest]
    assert scale > 0
    for name, number in wanted.items():
        assert abs(by_name[name][BARS[figure]] - number * scale) < PIXEL, name
        if "share" not in by_name[name]["label"]:
            assert int(labelled(by_name[name])["number"].replace(",", "")) == number


def test_points_and_marks_of_late_events_are_where_the_numbers_are(browser: Browser, report: str) -> None:
    browser.open(report)
    rows = browser.table("value-over-time")
    points = [labelled(mark) for mark in browser.marks("value-over-time") if mark["kind"] == "point"]
    late = [point for point in points if "late" in point]
    means = [point for point in points if "late" not in point]
    assert [(point["mean"], point["evaluations"]) for point in means] == [(f"{row[1]:g}", str(row[4])) for row in rows]
    assert [point["late"] for point in late] == [str(row[5]) for row in rows if row[5] > 0]
    assert late


def test_the_reader_chooses_the_value_and_the_device_by_the_keyboard(browser: Browser, report: str) -> None:
    browser.open(report)
    before = browser.table("value-over-time")
    value, device = browser.driver.find_elements("css selector", "select")
    value.send_keys("sensor_3")
    device.send_keys("device-0005")
    browser.until("return document.querySelector('#value-over-time h3').textContent === 'sensor_3/v1 of device-0005'")
    browser.until("return document.querySelector('#value-over-time .chart').dataset.drawn")
    assert browser.table("value-over-time") != before
    assert [row[0] for row in browser.table("value-by-device")] != []
    assert browser.said() == []


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1400, 390])
def test_it_fits_a_desk_and_a_phone_in_light_and_dark(browser: Browser, report: str, width: int, dark: bool) -> None:
    browser.open(report, width, dark=dark)
    assert browser.said() == []
    assert browser.run("return document.documentElement.scrollWidth") <= width
    charts = browser.run("return [...document.querySelectorAll('.chart')].map((c) => [c.clientWidth, c.scrollWidth])")
    assert len(charts) == 9
    assert all(scrolled <= shown for shown, scrolled in charts)
    colours = browser.run(
        "const text = document.querySelector('.chart text'), body = document.body;"
        "return [getComputedStyle(text).fill, getComputedStyle(body).backgroundColor]"
    )
    text, paper = (sum(map(int, re.findall(r"\d+", colour))) / 3 for colour in colours)
    assert (paper < 60, paper > 200) == (dark, not dark)
    assert abs(text - paper) > 100


def test_nothing_is_fetched(browser: Browser, report: str) -> None:
    browser.open(report)
    assert browser.run("return performance.getEntriesByType('resource').map((entry) => entry.name)") == []


@pytest.mark.parametrize("predictions", [0, 1, 3])
def test_a_run_of_nothing_or_of_one_device_is_drawn_too(browser: Browser, tmp_path: Path, predictions: int) -> None:
    name = "<b onclick='alert(1)'>&amp;</b> a.b[0] \\ \" </script>"
    lines = [prediction(name, seq, 1_000 + seq, features={name: float(seq)}) for seq in range(predictions)]
    page = tmp_path / "report.html"
    page.write_text(report_html(report_of(predictions_table(lines), rejections_table([]), name)))
    browser.open(page.as_uri())
    assert browser.said() == []
    assert browser.run("return document.querySelector('h1').textContent") == name
    assert browser.run("return document.querySelectorAll('main b').length") == 0
    if predictions:
        assert [row[:2] for row in browser.table("all-devices")] == [[name, predictions]]
    else:
        assert browser.run("return document.getElementById('empty').textContent").startswith("This run has no outputs")
