"""What the job's functions share in the process they run in: the proof that it is the right one, and the metrics."""

import json
import os
from contextlib import suppress
from functools import cache
from pathlib import Path
from threading import Lock, Thread, get_ident
from time import sleep
from typing import Final

from prometheus_client import start_http_server
from pyflink.datastream import RuntimeContext

from dataflows.metrics import Metrics
from dataflows.settings import RunSettings

__all__ = ["REPORT_VARIABLE", "check_mode", "process_metrics", "report_metrics"]

REPORT_VARIABLE: Final = "LATECOMER_FLINK_REPORT"
"""Environment of a local run: the file to which the job's process writes its counters."""

_ENDED: Final = "ended"
"""A file beside it: the input has ended."""

_MAKING: Final = Lock()

_REPORT_EVERY_S: Final = 0.2
"""Flink closes a Python function only at the end of its input: a job that is stopped has reported just before."""


def check_mode(runtime_context: RuntimeContext) -> None:
    """Assert that Python runs inside the JVM, as the job was configured to.

    Raises:
        RuntimeError: Flink fell back to processes beside it, with a fifth of the throughput and no word about it.
    """
    if ".embedded." not in type(runtime_context).__module__:
        raise RuntimeError("the job runs in Flink's process mode, and was made for thread mode: python.execution-mode")


def process_metrics(settings: RunSettings) -> Metrics:
    """The metrics of this process, a task manager: one for all functions, served where ``--metrics-port`` says."""
    with _MAKING:  # subtasks are opened at once
        return _made_metrics(settings)


@cache
def _made_metrics(settings: RunSettings) -> Metrics:
    metrics = Metrics()
    if settings.metrics_port is not None:
        start_http_server(settings.metrics_port, registry=metrics.registry)
    path = os.environ.get(REPORT_VARIABLE)
    if path is not None:
        Thread(target=_report_on_and_on, args=(metrics, Path(path)), daemon=True).start()
    return metrics


def report_metrics(metrics: Metrics) -> None:
    """Write the counters to where a local run looks for them, at the end of each function's input: the last one counts.

    It is also the only sign that a job has come to its end, and was not stopped before.
    """
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
    whole.write_text(json.dumps(metrics.counts()))
    whole.replace(path)
