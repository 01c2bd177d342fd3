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
from tests.dataflows.connectors.kafka.topics import Topics
from tests.parity.comparison import in_sequence
from tests.parity.logs import Placed, TopicRecord
from tests.reference import Outputs, read_outputs
from window_core import Sensors, WindowSpec

__all__ = ["BYTEWAX", "FILE", "FLINK", "KAFKA", "EngineError", "EngineRun", "LogFile", "LogTopic"]

ROOT: Final = Path(__file__).resolve().parents[2]

_TIMEOUT_S: Final = 1_200
"""Of one run; far above any, so that a run that hangs ends the suite and not the day."""


_ALL_REFUSED: Final = "every evaluation was refused"
"""What a run says at its end where no window has a reading of some sensor: its outputs are whole, and are compared."""


class EngineError(RuntimeError):
    """An engine did not come to its end; the message is what it said."""


@dataclass(frozen=True)
class LogFile:
    """A log as a file of lines, where it may be cut for a restart, and the instants at which its clock stood."""

    data: bytes
    spec: WindowSpec
    sensors: Sensors
    until_ms: int | None = None
    cuts: tuple[int, ...] = ()
    instants: tuple[int, ...] = ()


@dataclass(frozen=True)
class LogTopic:
    """A log as the records of a topic, before which of them it may be cut, and the instants of its clocks."""

    records: Sequence[TopicRecord]
    partitions: int
    spec: WindowSpec
    sensors: Sensors
    until_ms: int | None = None
    cuts: tuple[int, ...] = ()
    instants: tuple[int, ...] = ()


@dataclass(frozen=True)
class EngineRun:
    """One way of running one engine.

    Attributes:
        engine: ``bytewax`` or ``flink``.
        settings: fields of the run's settings.
        restarts: how often it ends and resumes from its state.
        ends: whether it ends there with the ``log``, which has grown by the next start, or at an instant by ``until``.
        handed_to: another engine, which resumes from what this one exports, and back, in turn; empty: none does.
        medium: whether it reads a ``file`` and writes files, or topics of ``Kafka``.
    """

    engine: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    restarts: int = 0
    ends: Literal["log", "until"] = "log"
    handed_to: str = ""
    medium: Literal["file", "Kafka"] = "file"

    @property
    def name(self) -> str:
        """The same for all runs that are counted together."""
        if self.handed_to:
            return f"{self.engine}, {self.medium}, handed to {self.handed_to}"
        return f"{self.engine}, {self.medium}" + (f", restarted by {self.ends}" if self.restarts else "")

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
        outputs: list[Path] = []
        for number, (end, until_ms) in enumerate(self._ends(log, len(log.data))):
            lines.write_bytes(log.data[:end])
            if self.handed_to:  # a file of one engine is not continued by the other
                where |= {name: str(folder / f"{name}-{number}") for name in ("predictions", "rejections")}
            self._run(number, folder, log, services, until_ms=until_ms, **where)
            outputs += [Path(where["predictions"]), Path(where["rejections"])]
        for number, whole in enumerate((predictions, rejections)):
            whole.write_bytes(b"".join(part.read_bytes() for part in dict.fromkeys(outputs[number::2])))
        return in_sequence(read_outputs(predictions, rejections))

    def _outputs_of_topic(self, folder: Path, log: LogTopic, services: Services, topics: Topics) -> Outputs:
        any_time = {f"message_timestamp_{side}_max_ms": str((1 << 63) - 1) for side in ("before", "after")}
        source = topics.made(log.partitions, **any_time)
        where = {"input": source, "predictions": topics.made(2), "rejections": topics.made(2)}
        start = 0
        for number, (end, until_ms) in enumerate(self._ends(log, len(log.records))):
            for partition in range(log.partitions):
                records = [record[1:] for record in log.records[start:end] if record.partition == partition]
                topics.fill(source, records, partition)
            self._run(number, folder, log, services, bounded=True, until_ms=until_ms, **where)
            start = end
        files = {name: folder / name for name in ("predictions", "rejections")}
        for name, file in files.items():
            file.write_bytes(b"".join((message.value() or b"") + b"\n" for message in topics.records(where[name])))
        return in_sequence(read_outputs(files["predictions"], files["rejections"]))

    def _run(self, number: int, folder: Path, log: LogFile | LogTopic, services: Services, **where: Any) -> None:
        engine = self.handed_to if self.handed_to and number % 2 else self.engine
        state = folder / "state"
        if self.handed_to:
            state = folder / f"state-{number}"
            if number:
                exported = str(folder / f"exported-{number}")
                run_command("state", "export", "--state", str(folder / f"state-{number - 1}"), exported)
                where["from_export"] = exported
        has_state = self.restarts and not (engine == FLINK and self.medium == FILE)  # which Flink cannot have
        settings = RunSettings.of(
            engine=engine,  # type: ignore[arg-type]  # one of the two
            features=services.features, inference=services.inference,
            folder=str(state) if has_state else None,
            sensors=log.sensors.declared, quiet=True, timeout_ms=60_000, **where, **asdict(log.spec), **self.settings,
        )  # fmt: skip
        run_command("run", "--engine", engine, *arguments_of(settings))

    def _ends(self, log: LogFile | LogTopic, whole: int) -> list[tuple[int, int | None]]:
        """Up to where the log goes at each start, and up to which instant it is read."""
        last = (whole, log.until_ms)
        if self.ends == "until":
            return [*((whole, until_ms) for until_ms in self._spread(log.instants)), last]
        return [*((cut, log.until_ms) for cut in self._spread(log.cuts)), last]

    def _spread(self, places: Sequence[int]) -> Sequence[int]:
        """One of these for each restart."""
        step = max(len(places) // (self.restarts + 1), 1)
        return places[step - 1 :: step][: self.restarts]


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
    if done.returncode != 0 and _ALL_REFUSED not in done.stderr:
        raise EngineError(
            f"latecomer {arguments[0]} ended with status {done.returncode}: {done.stderr.strip()[-2_000:]}"
        )


def cuts_of(placed: list[Placed]) -> tuple[int, ...]:
    """Before which records a log may end for a while: no later event shares the last millisecond of an earlier record.

    Nor does it arrive before that, in a partition whose clock is behind.
    """
    next_ms: dict[str, int] = {}  # of each partition, the arrival of the next event
    least_ms = []
    for entry in reversed(placed):
        if entry.event is not None and entry.arrival_ms is not None:
            next_ms[entry.position.partition("/")[0]] = entry.arrival_ms
        least_ms.append(min(next_ms.values(), default=0))
    cuts = []
    largest_ms = -1
    for number, (entry, least) in enumerate(zip(placed, reversed(least_ms), strict=True)):
        if 0 <= largest_ms < least:
            cuts.append(number)
        largest_ms = max(largest_ms, -1 if entry.clock_ms is None else entry.clock_ms)
    return tuple(cuts)


def instants_of(placed: list[Placed]) -> tuple[int, ...]:
    """The instants at which the clocks of a log stood."""
    return tuple(sorted({entry.clock_ms for entry in placed if entry.clock_ms is not None}))


def bytes_before(placed: list[Placed], cuts: Sequence[int]) -> tuple[int, ...]:
    """The same places as bytes of a file."""
    sizes = [0, *accumulate(len(entry.value) + 1 for entry in placed)]
    return tuple(sizes[cut] for cut in cuts)
