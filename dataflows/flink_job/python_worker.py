"""What the job's functions share in the process they run in: the metrics."""

from functools import cache
from threading import Lock
from typing import Final

from prometheus_client import start_http_server

from dataflows.flink_job.report import begin_reports
from dataflows.metrics import Metrics
from dataflows.settings import RunSettings

__all__ = ["process_metrics"]

_MAKING: Final = Lock()


def process_metrics(settings: RunSettings) -> Metrics:
    """The metrics of this process, a task manager: one for all functions, served where ``--metrics-port`` says."""
    with _MAKING:  # subtasks are opened at once
        return _made_metrics(settings)


@cache
def _made_metrics(settings: RunSettings) -> Metrics:
    metrics = Metrics()
    if settings.metrics_port is not None:
        start_http_server(settings.metrics_port, registry=metrics.registry)
    begin_reports(metrics)
    return metrics
