"""How the process of a local run's job tells the one that started it what it counted, and that its input has ended."""

import json
import os
from contextlib import suppress
from pathlib import Path
from threading import Thread, get_ident
from time import sleep
from typing import Final

from dataflows.metrics import Metrics

__all__ = ["REPORT_VARIABLE", "add_report", "begin_reports", "has_ended", "last_report", "report_file"]

REPORT_VARIABLE: Final = "LATECOMER_FLINK_REPORT"
"""Environment of a local run: the file to which the job's process writes its counters."""

_ENDED: Final = "ended"
"""A file beside it: the input has ended."""

_REPORT_EVERY_S: Final = 0.2
"""Flink closes a Python function only at the end of its input: a job that is stopped has reported just before."""


def report_file(folder: Path) -> Path:
    """Where a run with this folder has its job report to."""
    return folder / "report.json"


def add_report(metrics: Metrics, folder: Path) -> None:
    """Count what the job counted."""
    metrics.add(json.loads(report_file(folder).read_text()))


def has_ended(folder: Path) -> bool:
    """Whether the job came to the end of its input, and was not stopped before."""
    return (folder / _ENDED).exists()


def begin_reports(metrics: Metrics) -> None:
    """In the job's process: report now and then, where a local run asks for it."""
    path = os.environ.get(REPORT_VARIABLE)
    if path is not None:
        Thread(target=_report_on_and_on, args=(metrics, Path(path)), daemon=True).start()


def last_report(metrics: Metrics) -> None:
    """In the job's process: report at the end of each function's input; the last one counts."""
    path = os.environ.get(REPORT_VARIABLE)
    if path is not None:
        _write_report(metrics, Path(path))
        Path(path).with_name(_ENDED).touch()


def _report_on_and_on(metrics: Metrics, path: Path) -> None:
    with suppress(FileNotFoundError):  # the run has ended, and its folder is gone
        while True:
            _write_report(metrics, path)
            sleep(_REPORT_EVERY_S)


def _write_report(metrics: Metrics, path: Path) -> None:
    whole = path.with_name(f"{path.name}.{get_ident()}")
    whole.write_text(json.dumps(metrics.report()))
    whole.replace(path)
