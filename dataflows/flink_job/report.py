"""Reports from the process of a local job to the one that started it: its counts, and that it has read everything."""

import json
import os
from contextlib import suppress
from pathlib import Path
from threading import Lock, Thread
from time import sleep
from typing import Any, Final

from dataflows.pipeline.metrics import Metrics
from dataflows.settings import RunSettings

__all__ = [
    "REPORT_VARIABLE",
    "JobReports",
    "begin_reports",
    "has_read_all",
    "report_file",
    "report_now",
    "stop_file_of",
]

REPORT_VARIABLE: Final = "LATECOMER_FLINK_REPORT"
"""Environment of a local run: the file to which the job's process writes its counters."""

_READ_ALL: Final = "read-all"
"""A file beside it: the job has read its input as far as the run goes, and waits to be stopped."""

_REPORT_EVERY_S: Final = 0.2

_WRITING: Final = Lock()


def report_file(folder: Path) -> Path:
    """Where a run with this folder has its job report to."""
    return folder / "report.json"


class JobReports:
    """Counts in a run what its job reports."""

    def __init__(self, metrics: Metrics, folder: Path) -> None:
        """Nothing is reported yet.

        Args:
            metrics: of the run.
            folder: of the run, see ``report_file``.
        """
        self._metrics = metrics
        self._file = report_file(folder)
        self._last: dict[str, Any] | None = None

    def take(self) -> None:
        """Count what the job has counted since the last time."""
        with suppress(FileNotFoundError):  # it has not reported yet
            report = json.loads(self._file.read_text())
            self._metrics.add(report, self._last)
            self._last = report


def stop_file_of(settings: RunSettings) -> Path | None:
    """In the job's process: the file that it makes when it has read all, to be stopped with a savepoint then.

    None where it finishes by itself: Flink keeps no state of a job that does.
    """
    path = os.environ.get(REPORT_VARIABLE)
    if path is None or settings.state.folder is None or not settings.log.bounded:
        return None
    return Path(path).with_name(_READ_ALL)


def has_read_all(folder: Path) -> bool:
    """Whether the job waits to be stopped."""
    return (folder / _READ_ALL).exists()


def begin_reports(metrics: Metrics) -> None:
    """In the job's process: report now and then, where a local run asks for it."""
    path = os.environ.get(REPORT_VARIABLE)
    if path is not None:
        Thread(target=_report_on_and_on, args=(metrics, Path(path)), daemon=True).start()


def report_now(metrics: Metrics) -> None:
    """In the job's process: report what the state holds once it is saved; the last one counts."""
    path = os.environ.get(REPORT_VARIABLE)
    if path is not None:
        _write_report(metrics, Path(path))


def _report_on_and_on(metrics: Metrics, path: Path) -> None:
    with suppress(FileNotFoundError):  # the run has ended, and its folder is gone
        while True:
            _write_report(metrics, path)
            sleep(_REPORT_EVERY_S)


def _write_report(metrics: Metrics, path: Path) -> None:
    with _WRITING:  # or an older one might replace a newer one
        whole = path.with_suffix(".new")
        whole.write_text(json.dumps(metrics.report()))
        whole.replace(path)
