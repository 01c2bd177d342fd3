"""A browser for these tests, and the outputs of a small fleet, written by a run."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser import Browser, opened_browser
from tests.dataflows.commands import latecomer, sample_log


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with opened_browser() as opened:
        yield opened


@pytest.fixture
def browser(chromium: Browser) -> Iterator[Browser]:
    yield chromium
    chromium.leave()


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six devices with late, too late, duplicate and wrong-clock events, and a line that is no event."""
    here = tmp_path_factory.mktemp("fleet")
    log = sample_log(devices=6, hours=6, late=0.1, too_late=0.02, duplicates=0.02, wrong_clock=0.02)
    (here / "events.jsonl").write_bytes(log + b"no event\n")
    options = ("--interval", "1h", "--output", "out/predictions.jsonl")
    finished = latecomer("run", "--input", "events.jsonl", *options, cwd=here)
    assert (finished.returncode, finished.stderr) == (0, b"")
    assert b"latecomer report out" in finished.stdout
    return here / "out"
