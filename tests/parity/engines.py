"""Runs what is shipped, by its command line, over one log: nothing of an engine is put together here."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, Literal

from dataflows.services.client import Services
from dataflows.settings import RunSettings
from runtime.python_process import python_environment
from runtime.settings import arguments_of
from tests.dataflows.kafka.topics import Topics
from tests.parity.comparison import in_sequence
from tests.parity.logs import Placed, TopicRecord
from tests.reference import Outputs, read_outputs
from window_core import WindowSpec

__all__ = ["BYTEWAX", "FILE", "FLINK", "KAFKA", "EngineError", "EngineRun", "LogFile", "LogTopic"]

ROOT: Final = Path(__file__).resolve().parents[2]

_TIMEOUT_S: Final = 1_200
"""Of one run; far above any, so that a run that hangs ends the suite and not the day."""


class EngineError(RuntimeError):
    """An engine did not come to its end; the message is what it said."""


@dataclass(frozen=True)
class LogFile:
    """A log as a file of lines, and where it may be cut for a restart: between these lines the arrival grows."""

    data: bytes
    spec: WindowSpec
    until_ms: int | None = None
    cuts: tuple[int, ...] = ()


@dataclass(frozen=True)
class LogTopic:
    """A log as the records of a topic, and before which of them it may be cut for a restart."""

    records: Sequence[TopicRecord]
    partitions: int
    spec: WindowSpec
    until_ms: int | None = None
    cuts: tuple[int, ...] = ()


@dataclass(frozen=True)
class EngineRun:
    """One way of running one engine.

    Attributes:
        engine: ``bytewax`` or ``flink``.
        settings: fields of the run's settings.
        restarts: how often it ends and goes on from its state, the log having grown meanwhile.
        medium: whether it reads a ``file`` and writes files, or topics of ``Kafka``.
    """

    engine: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    restarts: int = 0
    medium: Literal["file", "Kafka"] = "file"

    @property
    def name(self) -> str:
        """The same for all runs that are counted together."""
        return f"{self.engine}, {self.medium}" + (", restarted" if self.restarts else "")

    def outputs(self, log: LogFile | LogTopic, services: Services, topics: Topics | None) -> Outputs:
        """What it writes.

        Args:
            log: of the kind that it reads.
            services: those to ask.
            topics: those of a broker, if it needs one.
        Raises:
            EngineError: it failed.
        """
        with TemporaryDirectory(prefix="parity-") as name:
            folder = Path(name)
            if isinstance(log, LogFile):
                return self._outputs_of_file(folder, log, services)
            assert topics is not None
            return self._outputs_of_topic(folder, log, services, topics)

    def _outputs_of_file(self, folder: Path, log: LogFile, services: Services) -> Outputs:
        lines, predictions, rejections = (folder / file for file in ("log.jsonl", "predictions", "rejections"))
        where = {"input": str(lines), "predictions": str(predictions), "rejections": str(rejections)}
        for end in self._ends(log.cuts, len(log.data)):
            lines.write_bytes(log.data[:end])
            self._run(folder, log, services, **where)
        return in_sequence(read_outputs(predictions, rejections))

    def _outputs_of_topic(self, folder: Path, log: LogTopic, services: Services, topics: Topics) -> Outputs:
        source = topics.made(log.partitions)
        where = {"input": source, "predictions": topics.made(2), "rejections": topics.made(2)}
        start = 0
        for end in self._ends(log.cuts, len(log.records)):
            for partition in range(log.partitions):
                records = [record[1:] for record in log.records[start:end] if record.partition == partition]
                topics.fill(source, records, partition)
            self._run(folder, log, services, bounded=True, **where)
            start = end
        files = {name: folder / name for name in ("predictions", "rejections")}
        for name, file in files.items():
            file.write_bytes(b"".join((message.value() or b"") + b"\n" for message in topics.records(where[name])))
        return in_sequence(read_outputs(files["predictions"], files["rejections"]))

    def _run(self, folder: Path, log: LogFile | LogTopic, services: Services, **where: Any) -> None:
        settings = RunSettings.of(
            engine=self.engine,  # type: ignore[arg-type]  # one of the two
            features=services.features, inference=services.inference, until_ms=log.until_ms,
            folder=str(folder / "state") if self.restarts else None,
            quiet=True, timeout_ms=60_000, **where, **asdict(log.spec), **self.settings,
        )  # fmt: skip
        run_command("run", "--engine", self.engine, *arguments_of(settings))

    def _ends(self, cuts: Sequence[int], whole: int) -> list[int]:
        """Up to where the log goes at each start."""
        if not self.restarts or not cuts:
            return [whole]
        step = max(len(cuts) // (self.restarts + 1), 1)
        return [*cuts[step - 1 :: step][: self.restarts], whole]


BYTEWAX: Final = "bytewax"
FLINK: Final = "flink"
FILE: Final = "file"
KAFKA: Final = "Kafka"


def run_command(*arguments: str) -> None:
    """Run ``latecomer`` and wait for its end."""
    command = [sys.executable, "-m", "dataflows.command_line", *arguments]
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=python_environment(),
        timeout=_TIMEOUT_S,
        check=False,
    )
    if done.returncode != 0:
        raise EngineError(
            f"latecomer {arguments[0]} ended with status {done.returncode}: {done.stderr.strip()[-2_000:]}"
        )


def cuts_of(placed: list[Placed]) -> tuple[int, ...]:
    """Before which records a log may end for a while: no later one shares the millisecond of an earlier one."""
    cuts = []
    largest_ms = -1
    for number, entry in enumerate(placed):
        if entry.arrival_ms is not None:
            if 0 <= largest_ms < entry.arrival_ms:
                cuts.append(number)
            largest_ms = max(largest_ms, entry.arrival_ms)
    return tuple(cuts)


def bytes_before(placed: list[Placed], cuts: Sequence[int]) -> tuple[int, ...]:
    """The same places as bytes of a file."""
    sizes = [0, *accumulate(len(entry.value) + 1 for entry in placed)]
    return tuple(sizes[cut] for cut in cuts)
