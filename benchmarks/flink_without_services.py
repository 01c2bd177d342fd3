"""The job of ``latecomer run --engine flink`` with the service stage taken out: the most that it could ever do.

Usage: as ``latecomer run``; the services are not called.
"""

from typing import Any

import click
from pyflink.datastream import RuntimeContext, StreamExecutionEnvironment

from benchmarks.unasked import Unasked
from dataflows.connectors.locations import located
from dataflows.connectors.log import opened_log
from dataflows.flink_job.job import build_job, configuration
from dataflows.flink_job.process import PipelineFunction
from dataflows.pipeline.metrics import Metrics
from dataflows.settings import RunSettings, run_options


class WithoutServices(PipelineFunction):
    def open(self, runtime_context: RuntimeContext) -> None:
        super().open(runtime_context)
        self._step = Unasked()  # type: ignore[assignment]


@click.command()
@run_options
def main(**options: Any) -> None:
    settings = RunSettings.of(**options)
    log = opened_log(settings, located(settings), Metrics(), print)
    settings = log.with_end(settings)
    env = StreamExecutionEnvironment.get_execution_environment(configuration(settings))
    env.set_parallelism(settings.parallelism)
    build_job(env, settings, log, WithoutServices)
    env.execute("latecomer without services")


if __name__ == "__main__":
    main()
