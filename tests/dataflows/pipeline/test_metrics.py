"""What a process counts and warns of reaches the process that tells it."""

import json

from dataflows.pipeline.metrics import Metrics


def test_another_process_hears_of_warnings_and_counts() -> None:
    of_job, of_run = Metrics(), Metrics()
    of_job.warn("a kind", "look here")
    of_job.clamped.labels("2").inc(3)
    of_run.add(json.loads(json.dumps(of_job.report())))
    assert of_run.warnings == {"a kind": "look here"}
    assert of_run.value("latecomer_arrivals_clamped_total", partition="2") == 3
