"""All processes of a run on Flink, killed at random moments: while it starts or recovers, and within a checkpoint."""

from pathlib import Path
from random import Random

import pytest

from tests.dataflows.connectors.kafka.kafka_pipelines import KafkaPipelines
from tests.dataflows.connectors.kafka.topics import Topics
from tests.faults.figures import KILLS, ON_DEMAND
from tests.faults.watched_run import WatchedRun

START_S = 12.0
"""About what a start takes; a third of the kills fall into one."""

TIMES = KILLS if ON_DEMAND else 1  # a start takes as long as all else


@pytest.mark.usefixtures("has_flink")
@pytest.mark.parametrize("delivery", ["at-least-once", "exactly-once"])
def test_killed_at_random_moments_it_loses_nothing_and_repeats_nothing_in_transactions(
    delivery: str, topics: Topics, kafka_pipelines: KafkaPipelines, tmp_path: Path
) -> None:
    random = Random(TIMES)
    with WatchedRun("flink", topics, kafka_pipelines, tmp_path, "--delivery", delivery, times=TIMES) as run:
        for number in range(TIMES):
            run.feed()
            run.start()
            if number % 3 < 2:
                run.goes_on()
                run.feed()
                run.wait(random.uniform(0, 1))
            else:
                run.wait(random.uniform(0, START_S))
            run.kill()
        run.judge(f"flink: SIGKILL, {delivery}", TIMES, may_repeat=delivery == "at-least-once")
