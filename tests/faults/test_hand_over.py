"""A run that is handed to the other engine, and back, in the middle of its stream. Parity draws every rule for that."""

from pathlib import Path

import pytest

from tests.dataflows.connectors.kafka.kafka_pipelines import KafkaPipelines
from tests.dataflows.connectors.kafka.topics import Topics
from tests.faults.figures import OTHERS
from tests.faults.watched_run import WatchedRun


@pytest.mark.usefixtures("has_flink")
def test_handed_to_the_other_engine_and_back_it_loses_nothing_and_repeats_nothing(
    topics: Topics, kafka_pipelines: KafkaPipelines, tmp_path: Path
) -> None:
    with WatchedRun("bytewax", topics, kafka_pipelines, tmp_path, times=2 * OTHERS) as run:
        run.goes_on()
        run.recovered_s.clear()  # a start
        for _ in range(OTHERS):
            for engine in ("flink", "bytewax"):
                run.feed()
                run.hand_over(engine)
        run.judge("bytewax to flink, and back", 2 * OTHERS, may_repeat=False)
