"""A run from topics to topics that is started again whenever it has ended, as a supervisor would."""

import signal
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Final, Self

from tests.dataflows.connectors.kafka.kafka_pipelines import KafkaPipelines
from tests.dataflows.connectors.kafka.logs import SPEC_OPTIONS, fleet_lines
from tests.dataflows.connectors.kafka.topics import Record, Topics, records_of
from tests.dataflows.flink.flink_runs import Sink, kill_all, portions, undisturbed_by
from tests.faults.figures import report
from tests.parity.engines import run_command

__all__ = ["WatchedRun"]

_SLOW: Final = {"bytewax": ("--source-records", "20", "--epoch", "50ms"), "flink": ("--epoch", "300ms")}
"""So that many epochs pass while records are left."""

_IMPATIENT: Final = "--batch-windows 8 --in-flight 1 --timeout 1s --attempts 3 --pause 100ms"

_WITHIN_S: Final = 240
"""Far above any wait for an output."""


class WatchedRun:
    """One run, fed with the log of a fleet portion by portion, while it is disturbed.

    Attributes:
        process: the present one.
        recovered_s: from the end of each disturbance to the next committed output.
    """

    def __init__(
        self,
        engine: str,
        topics: Topics,
        pipelines: KafkaPipelines,
        folder: Path,
        *options: str,
        times: int = 1,
        minutes: int | None = None,
    ) -> None:
        """Nothing runs yet.

        Args:
            engine: which one.
            topics: of its broker.
            pipelines: with the services it asks.
            folder: for its state.
            options: more of them.
            times: how often it will be disturbed; the log has three portions for each.
            minutes: of event time that the log spans; ``None``: a few for each time.
        """
        self._engine, self._topics, self._pipelines, self._folder = engine, topics, pipelines, folder
        self._log, self._sink = topics.made(3), Sink.made(topics)
        self.state = folder / "state"
        self._more = options
        records = records_of(fleet_lines(devices=30, minutes=minutes or 20 + 4 * times))
        self._portions = iter(portions(records, 3 * times))
        self._running = ExitStack()
        self.process: subprocess.Popen[str] | None = None
        self.recovered_s: list[float] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()

    @property
    def _options(self) -> list[str]:
        places = ["--input", self._log, *self._sink.options, "--state", str(self.state)]
        return [
            "--engine",
            self._engine,
            *places,
            "--quiet",
            *SPEC_OPTIONS,
            *_IMPATIENT.split(),
            *_SLOW[self._engine],
            *self._more,
        ]

    def feed(self) -> None:
        """Append the next portion of the log to the topic."""
        self._fill(next(self._portions, []))

    def _fill(self, records: Sequence[Record]) -> None:
        self._topics.fill(self._log, records)

    def start(self) -> None:
        """Start it, where the last one has ended."""
        self._running.close()
        self.process = self._running.enter_context(self._pipelines.started(*self._options))

    def wait(self, seconds: float) -> None:
        """Let it run, at most until it ends."""
        assert self.process is not None
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)

    def goes_on(self) -> None:
        """Feed it, and start it as often as it ends, until a new output is committed."""
        since_s = monotonic()
        before = self._committed()
        self.feed()
        while self._committed() <= before:
            assert monotonic() < since_s + _WITHIN_S, "no new output"
            if self.process is None or self.process.poll() is not None:
                self.start()
            self.wait(0.1)
        self.recovered_s.append(monotonic() - since_s)

    def _committed(self) -> int:
        return len(self._topics.records(self._sink.output))

    def kill(self) -> None:
        """Kill it with all its processes; it must not have ended before."""
        assert self.process is not None
        kill_all(self.process)

    def stop(self) -> None:
        """End it gracefully, where it runs."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            assert self.process.wait(_WITHIN_S) == 0, self.process.communicate()

    def hand_over(self, engine: str) -> None:
        """Stop it, and go on with another engine, from what this one exports."""
        since_s = monotonic()
        self.stop()
        file = self._folder / f"{len(self.recovered_s)}.exported"
        run_command("state", "export", "--state", str(self.state), str(file))
        self._engine, self.state = engine, self._folder / f"state-{len(self.recovered_s)}"
        run_command("state", "import", str(file), "--state", str(self.state), "--engine", engine)
        exported_s = monotonic() - since_s
        self.goes_on()
        self.recovered_s[-1] += exported_s

    def bounded(self) -> tuple[int, str]:
        """Run to the present end of the log; its status, and what it said."""
        with self._pipelines.started(*self._options, "--bounded") as process:
            _, errors = process.communicate(timeout=_WITHIN_S)
        return process.returncode, errors

    def judge(self, fault: str, times: int, *, may_repeat: bool) -> None:
        """Stop it, read the rest of the log, and compare with a run that nobody disturbed."""
        self.stop()
        for portion in self._portions:
            self._fill(portion)
        status, errors = self.bounded()
        assert status == 0, errors
        written = [line for lines in self._sink.committed() for line in lines]
        expected = [line for lines in undisturbed_by(self._pipelines, self._topics, self._log) for line in lines]
        report(fault, times, expected, written, self.recovered_s)
        assert set(written) == set(expected)
        assert may_repeat or len(written) == len(expected)
