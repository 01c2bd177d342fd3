"""The metrics that all functions of the job share in their process."""

from functools import cache
from threading import Lock
from typing import Final

from dataflows.flink_job.report import begin_reports
from dataflows.pipeline.first_records import FirstRecords
from dataflows.pipeline.metrics import Metrics
from dataflows.settings import RunSettings
from runtime.metrics_server import MetricsServer

__all__ = ["first_records_of", "process_metrics"]

_MAKING: Final = Lock()


def process_metrics(settings: RunSettings) -> Metrics:
    """The metrics of this process, a task manager: one for all functions, served where ``--metrics-port`` says."""
    with _MAKING:  # subtasks are opened at once
        return _made_metrics(settings)


def first_records_of(settings: RunSettings) -> FirstRecords:
    """Where a subtask looks at the first records of a topic; whoever started the job stops it if they hold no event."""
    log = settings.log
    return FirstRecords(str(log.input), log.layout.paths, is_framed=log.schema_registry is not None, stops=False)


@cache
def _made_metrics(settings: RunSettings) -> Metrics:
    metrics = Metrics()
    if settings.metrics_port is not None:
        MetricsServer(metrics.registry, settings.metrics_host, settings.metrics_port)  # until the process ends
    begin_reports(metrics)
    return metrics
