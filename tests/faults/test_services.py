"""Services that are killed, or stopped for longer than a run asks them, cost time and no evaluation."""

import signal
from pathlib import Path
from time import sleep

import pytest

from dataflows.services.client import Services
from tests.dataflows.connectors.kafka.kafka_pipelines import KafkaPipelines
from tests.dataflows.connectors.kafka.topics import Topics
from tests.faults.figures import OTHERS, STOPPED_S
from tests.faults.watched_run import WatchedRun
from tests.interop.load import Server, running_servers


@pytest.mark.parametrize("fault", ["killed", "stopped"])
def test_services_that_are_away_cost_no_output(engine: str, fault: str, topics: Topics, tmp_path: Path) -> None:
    with running_servers("python") as several:
        servers = [server for of_kind in several.values() for server in of_kind]
        pipelines = KafkaPipelines(topics, Services(*(server.address for server in servers)), tmp_path)
        with WatchedRun(engine, topics, pipelines, tmp_path, times=OTHERS) as run:
            run.goes_on()
            run.recovered_s.clear()  # a start
            for number in range(OTHERS):
                run.feed()
                away(servers[number % 2], STOPPED_S, is_killed=fault == "killed")
                run.goes_on()
            run.judge(f"{engine}: service {fault} for {STOPPED_S:.0f} s", OTHERS, may_repeat=True)


def away(server: Server, seconds: float, *, is_killed: bool) -> None:
    """A service that does not answer for a while; the run may fail with it."""
    if is_killed:
        server.end(signal.SIGKILL)
    else:
        server.send(signal.SIGSTOP)
    sleep(seconds)  # the fault itself
    if is_killed:
        server.start()
        server.wait_until_it_listens()
    else:
        server.send(signal.SIGCONT)
