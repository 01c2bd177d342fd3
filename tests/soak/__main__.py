"""``python -m tests.soak [--minutes M] [--engine E]``: prints a line for each engine; exit 1 if an output is wrong.

A fleet sends to a topic, a tenth of a minute of real time being ten minutes of its own. One after another, a service is
killed or stopped, and the broker is stopped. At the end the outputs are compared with those of a run without faults.
"""

import argparse
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep

from dataflows.kafka_broker.broker import Broker, running_broker
from dataflows.services.client import Services
from tests.dataflows.connectors.kafka.kafka_pipelines import KafkaPipelines
from tests.dataflows.connectors.kafka.topics import Topics
from tests.faults.watched_run import WatchedRun
from tests.interop.load import Server, running_servers
from tests.soak.usage import Usage, growth, used

EVENT_MINUTES = 100
"""Of the fleet's time, in a minute: 9,000 events."""

PORTION_S = 2.0
FAULT_EVERY_S = 30.0
FAULT_S = 2.0

WARM_UP = 0.2
"""Of the time, at whose end the first sample counts: caches fill, a JVM compiles."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description="Runs for long, and says what grows.")
    parser.add_argument("--minutes", type=float, default=30, metavar="M", help="of each engine (default: 30)")
    parser.add_argument("--engine", choices=["bytewax", "flink"], action="append", help="which one (default: both)")
    options = parser.parse_args()
    print("| engine | minutes | faults | starts | memory, MB | threads | descriptors | state, kB |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for engine in options.engine or ["bytewax", "flink"]:
        with TemporaryDirectory() as folder, running_broker() as broker, running_servers("python") as servers:
            both = [one for several in servers.values() for one in several]
            soak(engine, options.minutes, Path(folder), broker, both)
    return 0


def soak(engine: str, minutes: float, folder: Path, broker: Broker, servers: list[Server]) -> None:
    """Run one engine, and print its line."""
    topics = Topics(broker.address)
    pipelines = KafkaPipelines(topics, Services(*(server.address for server in servers)), folder)
    portions = int(minutes * 60 / PORTION_S)
    patient = ("--attempts", "60", "--pause", "500ms")
    with WatchedRun(
        engine, topics, pipelines, folder, *patient, times=portions // 3 + 1, minutes=int(EVENT_MINUTES * minutes)
    ) as run:
        run.goes_on()
        began_s = fault_s = monotonic()
        seconds: list[float] = []
        usages: list[Usage] = []
        harms = cycle(harms_of(broker, servers))
        faults = starts = 0
        while (now_s := monotonic() - began_s) < 60 * minutes:
            run.feed()
            assert run.process is not None
            if run.process.poll() is not None:
                run.start()
                starts += 1
            elif now_s > WARM_UP * 60 * minutes:
                seconds.append(now_s)
                usages.append(used(run.process.pid, run.state))
            if monotonic() - fault_s > FAULT_EVERY_S:
                next(harms)()
                faults, fault_s = faults + 1, monotonic()
            sleep(max(began_s + now_s + PORTION_S - monotonic(), 0))  # the pace of the fleet
        figures = [f"{minutes:g}", faults, 1 + starts, *growth(seconds, usages)]
        print(f"| {engine} | {' | '.join(map(str, figures))} |", flush=True)
        run.judge(f"{engine}: soak of {minutes:g} minutes", faults, may_repeat=True)


def harms_of(broker: Broker, servers: list[Server]) -> list[Callable[[], None]]:
    """What is done, in turn."""

    def killed(server: Server) -> None:
        server.end(signal.SIGKILL)
        server.start()
        server.wait_until_it_listens()

    def stopped(server: Server) -> None:
        with _stopped(server.send):
            sleep(FAULT_S)

    def broker_stopped() -> None:
        assert broker._process is not None
        group = broker._process.pid
        with _stopped(lambda number: os.killpg(group, number)):
            sleep(FAULT_S)

    of_servers = [lambda one=one, harm=harm: harm(one) for one in servers for harm in (killed, stopped)]
    return [*of_servers, broker_stopped]


@contextmanager
def _stopped(send: Callable[[signal.Signals], object]) -> Iterator[None]:
    send(signal.SIGSTOP)
    try:
        yield
    finally:
        send(signal.SIGCONT)


if __name__ == "__main__":
    sys.exit(main())
