"""What the job's functions share in the process they run in: the proof that it is the right one, and the metrics."""

import json
import os
from functools import cache
from pathlib import Path
from typing import Final

from prometheus_client import start_http_server
from pyflink.datastream import RuntimeContext

from dataflows.metrics import Metrics
from dataflows.settings import RunSettings

__all__ = ["REPORT_VARIABLE", "check_mode", "process_metrics", "report_metrics"]

REPORT_VARIABLE: Final = "LATECOMER_FLINK_REPORT"
"""Environment of a local run: the file to which the job's process writes its counters at the end."""


def check_mode(runtime_context: RuntimeContext) -> None:
    """Assert that Python runs inside the JVM, as the job was configured to.

    Raises:
        RuntimeError: Flink fell back to processes beside it, with a fifth of the throughput and no word about it.
    """
    if ".embedded." not in type(runtime_context).__module__:
        raise RuntimeError("the job runs in Flink's process mode, and was made for thread mode: python.execution-mode")


@cache
def process_metrics(settings: RunSettings) -> Metrics:
    """The metrics of this process, a task manager: one for all functions, served where ``--metrics-port`` says."""
    metrics = Metrics()
    if settings.metrics_port is not None:
        start_http_server(settings.metrics_port, registry=metrics.registry)
    return metrics


def report_metrics(metrics: Metrics) -> None:
    """Write the counters to where a local run looks for them, at the end of each function: the last one counts."""
    path = os.environ.get(REPORT_VARIABLE)
    if path is not None:
        Path(path).write_text(json.dumps(metrics.counts()))
