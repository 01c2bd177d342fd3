"""Runs on Flink that are killed with all their processes, and what readers of their topics then see."""

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from confluent_kafka import IsolationLevel

from tests.dataflows.connectors.kafka.kafka_pipelines import KafkaPipelines
from tests.dataflows.connectors.kafka.logs import SPEC
from tests.dataflows.connectors.kafka.topics import Record, Topics, values_of

__all__ = ["THOROUGH", "Lines", "Sink", "family", "kill_all", "portions", "undisturbed_by"]

Lines = tuple[list[bytes], list[bytes]]
"""Predictions and rejections, each sorted."""

THOROUGH = os.environ.get("LATECOMER_HYPOTHESIS") == "thorough"


def family(process: int) -> list[int]:
    """A process and all that it has started, and those, and so on."""
    found = [process]
    for parent in found:
        with suppress(OSError):
            text = Path(f"/proc/{parent}/task/{parent}/children").read_text()
            found += map(int, text.split())
        with suppress(OSError):  # a JVM starts nobody, but threads other than the first may
            for children in Path(f"/proc/{parent}/task").glob("[0-9]*/children"):
                found += [child for child in map(int, children.read_text().split()) if child not in found]
    return found


def kill_all(process: "subprocess.Popen[str]") -> None:
    """Kill a run in the middle: itself, the job's Python and the JVM, none of them warned."""
    assert process.poll() is None, process.communicate()
    for member in family(process.pid):
        with suppress(ProcessLookupError):
            os.kill(member, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


def portions(records: Sequence[Record], number: int) -> list[Sequence[Record]]:
    size = -(-len(records) // number)
    return [records[start : start + size] for start in range(0, len(records), size)]


class Sink(NamedTuple):
    """The topics that a run writes to, as others see them."""

    topics: Topics
    output: str
    rejections: str

    @classmethod
    def made(cls, topics: Topics, partitions: int = 2) -> "Sink":
        return cls(topics, topics.made(partitions), topics.made(partitions))

    @property
    def options(self) -> list[str]:
        return ["--output", self.output, "--rejections", self.rejections]

    def committed(self) -> Lines:
        """What a reader of committed records gets, sorted. Nothing may stand in its way."""
        for place in (self.output, self.rejections):
            ends = [self.topics.readable_ends(place, level) for level in IsolationLevel]
            assert ends[0] == ends[1], f"{place}: readers wait at {ends} for a transaction that is open"
        return sorted(values_of(self.topics.records(self.output))), sorted(
            values_of(self.topics.records(self.rejections))
        )

    def appeared(self, number: int, isolation: str = "read_uncommitted") -> int:
        """Wait for so many predictions, by default committed or not; how many there are."""
        return len(self.topics.records(self.output, lambda found: len(found) >= number, isolation))

    def seen(self) -> int:
        """Predictions of any transaction, also of those that were aborted."""
        return len(self.topics.records(self.output, isolation="read_uncommitted"))


def undisturbed_by(kafka_pipelines: KafkaPipelines, topics: Topics, log: str) -> Lines:
    """What the other engine makes of a topic, in one go."""
    sink = Sink.made(topics)
    kafka_pipelines.run_only(log, SPEC, sink.output, sink.rejections)
    return sink.committed()
