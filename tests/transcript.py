"""The transcripts that judge every engine: read from ``tests/transcripts``, and compared with what an engine gave.

The form of the files is described beside them. An engine replays ``Transcript.log()`` and hands what came out to
``differences``; whoever can look inside goes through ``Transcript.steps`` and compares step by step.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from math import nan
from pathlib import Path
from typing import Any

import yaml

from tests.oracle import OracleEvaluation, OracleOutput, Row
from window_core import CAUSES, DEMO_SENSORS, REASONS, Event, Sensors, WindowSpec, checked_event

__all__ = ["Expected", "LogRecord", "Seen", "Step", "Transcript", "differences", "load_transcripts", "seen"]

FOLDER = Path(__file__).parent / "transcripts"


@dataclass(frozen=True)
class Seen:
    """One output of any engine. What an engine cannot tell is ``None`` and is not compared."""

    device_id: str
    kind: str
    number: int
    as_of_ms: int | None = None
    evaluation_id: str | None = None
    window: tuple[Row, ...] | None = None


Expected = Seen
"""An output as a file demands it; what the file does not say is ``None`` and is not compared."""


@dataclass(frozen=True)
class LogRecord:
    """One record of the log; without an event it is a heartbeat."""

    event: Event | None
    arrival_ms: int


@dataclass(frozen=True)
class Step:
    """One step: of ``event``, ``clock_ms`` and ``restore_spec`` exactly one is given."""

    expected: tuple[Expected, ...]
    event: Event | None = None
    arrival_ms: int = 0
    clock_ms: int | None = None
    restore_spec: WindowSpec | None = None


@dataclass(frozen=True)
class Transcript:
    name: str
    rules: tuple[int, ...]
    sensors: Sensors
    spec: WindowSpec
    steps: tuple[Step, ...]
    at_end: tuple[Expected, ...]
    arrivals_go_back: bool

    @property
    def spec_changes(self) -> bool:
        specs = {step.restore_spec for step in self.steps if step.restore_spec is not None}
        return bool(specs - {self.spec})

    @property
    def until_ms(self) -> int:
        """The instant up to which the clock runs."""
        return max(step.arrival_ms if step.clock_ms is None else step.clock_ms for step in self.steps)

    def log(self) -> list[LogRecord]:
        """The same as one partition of a log. Read it up to ``until_ms``."""
        records = []
        for step in self.steps:
            if step.event is not None:
                records.append(LogRecord(step.event, step.arrival_ms))
            elif step.clock_ms is not None:
                records.append(LogRecord(None, step.clock_ms + 1))
        return records

    def expected(self) -> list[Expected]:
        """Every output of the whole file."""
        return [expected for step in self.steps for expected in step.expected] + list(self.at_end)


def load_transcripts(folder: Path = FOLDER) -> list[Transcript]:
    """Every transcript of a folder, by name."""
    return [_transcript(path) for path in sorted(folder.glob("*.yaml"))]


def seen(output: OracleOutput, device_id: str) -> Seen:
    """An output of the oracle, or of the core by way of ``oracle.plain``."""
    if isinstance(output, OracleEvaluation):
        number = len(output.window)
        return Seen(device_id, output.cause, number, output.as_of_ms, output.evaluation_id, output.window)
    return Seen(device_id, output.reason, output.late_by_ms, output.arrival_ms)


def differences(expected: Iterable[Expected], actual: Iterable[Seen]) -> list[str]:
    """What is wrong, one line each; nothing is fine.

    For each device the evaluations are compared in order and so are the rejections; between these there is no order.
    """
    expected, actual = list(expected), list(actual)
    lines = []
    for device_id in sorted({output.device_id for output in [*expected, *actual]}):
        for what, kinds in (("evaluation", CAUSES), ("rejection", REASONS)):
            wanted = [output for output in expected if output.device_id == device_id and output.kind in kinds]
            given = [output for output in actual if output.device_id == device_id and output.kind in kinds]
            for number in range(max(len(wanted), len(given))):
                line = _difference(wanted[number : number + 1], given[number : number + 1])
                if line:
                    lines.append(f"{what} {number} of device {device_id!r}: {line}")
    return lines


def _difference(wanted: list[Expected], given: list[Seen]) -> str:
    if not wanted:
        return f"nobody expected {given[0]}"
    if not given:
        return f"missing {wanted[0]}"
    known = {field.name for field in fields(Seen) if getattr(wanted[0], field.name) is not None}
    known &= {field.name for field in fields(Seen) if getattr(given[0], field.name) is not None}
    # By their texts: 0.0 equals -0.0, and a window has to have the right one.
    wrong = [name for name in sorted(known) if repr(getattr(wanted[0], name)) != repr(getattr(given[0], name))]
    return "; ".join(f"{name} is {getattr(given[0], name)}, not {getattr(wanted[0], name)}" for name in wrong)


def _transcript(path: Path) -> Transcript:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    allowed = {"name", "rule", "sensors", "spec", "arrivals_go_back", "steps", "at_end"}
    assert set(content) <= allowed, f"{path.name}: unknown {set(content) - allowed}"
    assert content["name"] == path.stem, f"{path.name} is named {content['name']}"
    spec = current = WindowSpec(**content.get("spec", {}))
    sensors = Sensors.of(content["sensors"]) if "sensors" in content else DEMO_SENSORS
    devices = {step["event"][0] for step in content["steps"] if "event" in step}
    only_device = next(iter(devices)) if len(devices) == 1 else None
    steps = []
    for step in content["steps"]:
        parsed = _step(step, sensors, current, only_device)
        current = parsed.restore_spec or current
        steps.append(parsed)
    at_end = _expected({"expect": content.get("at_end", [])}, only_device)
    rules = tuple(content["rule"])
    goes_back = content.get("arrivals_go_back", False)
    return Transcript(path.stem, rules, sensors, spec, tuple(steps), at_end, goes_back)


def _step(step: Mapping[str, Any], sensors: Sensors, spec: WindowSpec, only_device: str | None) -> Step:
    allowed = {"event", "arrival", "clock", "snapshot", "spec", "expect", "as_of", "ids", "window"}
    assert set(step) <= allowed, f"unknown {set(step) - allowed} in {step}"
    if "event" in step:
        device_id, time_ms, *readings = step["event"]
        assert len(readings) == sensors.width, f"{len(readings)} readings of {sensors} in {step}"
        event = checked_event(sensors, device_id, time_ms, readings, step["arrival"])
        return Step(_expected(step, device_id), event=event, arrival_ms=step["arrival"])
    if "clock" in step:
        return Step(_expected(step, only_device), clock_ms=step["clock"])
    assert step["snapshot"] == "restore"
    return Step(_expected(step, only_device), restore_spec=replace(spec, **step.get("spec", {})))


def _expected(step: Mapping[str, Any], device_id: str | None) -> tuple[Expected, ...]:
    outputs = [_one_expected(item, device_id) for item in step.get("expect", [])]
    if "as_of" in step:
        as_of = step["as_of"]
        outputs = [replace(output, as_of_ms=as_of_ms) for output, as_of_ms in zip(outputs, as_of, strict=True)]
    places = [place for place, output in enumerate(outputs) if output.kind in CAUSES]
    if "ids" in step:
        for place, evaluation_id in zip(places, step["ids"], strict=True):
            outputs[place] = replace(outputs[place], evaluation_id=evaluation_id)
    if "window" in step:
        rows = tuple(
            (row[0], *(nan if reading is None else float(reading) for reading in row[1:])) for row in step["window"]
        )
        outputs[places[-1]] = replace(outputs[places[-1]], window=rows)
    return tuple(outputs)


def _one_expected(item: list[Any], device_id: str | None) -> Expected:
    kind, number, owner = [*item, *[0, device_id][len(item) - 1 :]]
    assert kind in CAUSES + REASONS, f"{kind!r} is neither a cause nor a reason"
    assert owner is not None, f"name the device: {item}"
    return Expected(owner, kind, number)
