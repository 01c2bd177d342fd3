"""A broker that is killed, or stopped for longer than its clients wait, costs time and nothing else."""

import os
import signal
from pathlib import Path
from time import sleep

import pytest

from dataflows.kafka_broker.broker import Broker
from tests.dataflows.connectors.kafka.kafka_pipelines import KafkaPipelines
from tests.dataflows.connectors.kafka.topics import Topics
from tests.faults.figures import OTHERS, STOPPED_S
from tests.faults.watched_run import WatchedRun


@pytest.mark.parametrize("fault", ["killed", "stopped"])
def test_a_broker_that_is_away_costs_no_output(
    engine: str, fault: str, broker: Broker, topics: Topics, kafka_pipelines: KafkaPipelines, tmp_path: Path
) -> None:
    with WatchedRun(engine, topics, kafka_pipelines, tmp_path, times=OTHERS) as run:
        run.goes_on()
        run.recovered_s.clear()  # a start
        for _ in range(OTHERS):
            run.feed()
            if fault == "killed":
                broker.kill()
                broker.start()
            else:
                stopped_for(broker, STOPPED_S)
                assert run.process is not None
                assert run.process.poll() is None, "an outage has ended it"
            run.goes_on()
        run.judge(
            f"{engine}: broker {fault}" + f" for {STOPPED_S:.0f} s" * (fault == "stopped"), OTHERS, may_repeat=True
        )


def stopped_for(broker: Broker, seconds: float) -> None:
    """Stop all of it, as a machine does that hangs."""
    assert broker._process is not None
    os.killpg(broker._process.pid, signal.SIGSTOP)
    sleep(seconds)  # the fault itself
    os.killpg(broker._process.pid, signal.SIGCONT)
