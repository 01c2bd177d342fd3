"""Runs what is shipped, by its command line, over one log: nothing of an engine is put together here."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from dataflows.flink_job.run import options_of
from dataflows.service_client import Services
from dataflows.settings import RunSettings
from tests.parity.logs import Placed
from tests.reference import DeviceOutputs, Outputs, read_outputs
from window_core import WindowSpec

__all__ = ["BYTEWAX", "FLINK", "EngineError", "EngineRun", "LogFile", "checkout_on_path"]

ROOT: Final = Path(__file__).resolve().parents[2]

_TIMEOUT_S: Final = 1_200
"""Of one run; far above any, so that a run that hangs ends the suite and not the day."""

_POSITION: Final = re.compile(rb'"position":"(\d+)/(\d+)"')


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
class EngineRun:
    """One way of running one engine.

    Attributes:
        engine: ``bytewax`` or ``flink``.
        settings: fields of the run's settings.
        restarts: how often it ends and goes on from its state, the log having grown meanwhile.
    """

    engine: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    restarts: int = 0

    @property
    def name(self) -> str:
        """The same for all runs that are counted together."""
        return f"{self.engine}, file" + (", restarted" if self.restarts else "")

    def outputs(self, log: LogFile, services: Services) -> Outputs:
        """What it writes.

        Raises:
            EngineError: it failed.
        """
        with TemporaryDirectory(prefix="parity-") as name:
            folder = Path(name)
            lines, predictions, rejections = (folder / file for file in ("log.jsonl", "predictions", "rejections"))
            settings = RunSettings(
                engine=self.engine,  # type: ignore[arg-type]  # one of the two
                input=str(lines), output=str(predictions), rejections=str(rejections),
                features=services.features, inference=services.inference, until_ms=log.until_ms,
                state=str(folder / "state") if self.restarts else None,
                quiet=True, timeout_ms=60_000, **asdict(log.spec), **self.settings,
            )  # fmt: skip
            for end in self._ends(log):
                lines.write_bytes(log.data[:end])
                run_command("run", "--engine", self.engine, *options_of(settings))
            return in_sequence(read_outputs(predictions, rejections))

    def _ends(self, log: LogFile) -> list[int]:
        """Up to which byte the log goes at each start."""
        if not self.restarts or not log.cuts:
            return [len(log.data)]
        step = max(len(log.cuts) // (self.restarts + 1), 1)
        return [*log.cuts[step - 1 :: step][: self.restarts], len(log.data)]


BYTEWAX: Final = "bytewax"
FLINK: Final = "flink"


def run_command(*arguments: str) -> None:
    """Run ``latecomer`` and wait for its end."""
    command = [sys.executable, "-m", "dataflows.command_line", *arguments]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
    )
    if done.returncode != 0:
        raise EngineError(
            f"latecomer {arguments[0]} ended with status {done.returncode}: {done.stderr.strip()[-2_000:]}"
        )


def in_sequence(outputs: Outputs) -> Outputs:
    """What is of no device has no order of its own: by position. All else stays as it was written."""
    if None in outputs:
        nobodys = sorted(outputs[None].rejected, key=_position_of)
        outputs[None] = DeviceOutputs(outputs[None].predictions, outputs[None].refused, nobodys)
    return outputs


def cuts_of(placed: list[Placed]) -> tuple[int, ...]:
    """Where a file of these records may end for a while: no later record shares the millisecond of an earlier one."""
    cuts = []
    size = 0
    largest_ms = -1
    for entry in placed:
        if entry.event is not None and entry.arrival_ms is not None:
            if 0 <= largest_ms < entry.arrival_ms:
                cuts.append(size)
            largest_ms = max(largest_ms, entry.arrival_ms)
        size += len(entry.value) + 1
    return tuple(cuts)


@contextmanager
def checkout_on_path() -> Iterator[None]:
    """Inside, the processes that are started find the packages of this checkout, tests included."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), before]))
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def _position_of(line: bytes) -> tuple[int, int]:
    match = _POSITION.search(line)
    assert match is not None
    return int(match[1]), int(match[2])
