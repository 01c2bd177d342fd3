"""A disk of the state that is full for a while costs time and no output."""

from contextlib import suppress
from pathlib import Path

from tests.dataflows.connectors.kafka.kafka_pipelines import KafkaPipelines
from tests.dataflows.connectors.kafka.topics import Topics
from tests.faults.figures import OTHERS
from tests.faults.watched_run import WatchedRun

FULL_FOR_S = 20
"""At most, where the run does not end by it."""


def test_a_full_disk_costs_no_output(engine: str, disk: Path, topics: Topics, kafka_pipelines: KafkaPipelines) -> None:
    with WatchedRun(engine, topics, kafka_pipelines, disk, times=OTHERS) as run:
        run.goes_on()
        run.recovered_s.clear()  # a start
        for _ in range(OTHERS):
            with (disk / "of others").open("wb", buffering=0) as others, suppress(OSError):
                while others.write(bytes(4096)):
                    pass
            run.feed()
            run.wait(FULL_FOR_S)
            (disk / "of others").unlink()
            run.goes_on()
        run.judge(f"{engine}: disk of the state full", OTHERS, may_repeat=True)
