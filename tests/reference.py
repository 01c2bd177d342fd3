"""What a run has to write: the core in a plain loop over the lines of a file, features and scores by plain arithmetic.

Nothing of the services, of the client or of an engine is used, so that each of them is judged. ``first_difference``
compares what an engine wrote with it, device by device, in the three sequences that are fixed for a device.
"""

import json
from collections import defaultdict
from collections.abc import Mapping
from math import isnan
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from dataflows.connectors.file_log import FileLog, records_of
from dataflows.pipeline.event_layout import EventLayout
from dataflows.pipeline.metrics import Metrics
from dataflows.pipeline.record import OutputRecord
from tests.oracle import expected_outputs, plain
from tests.plain_model import PlainModel, Refused, plain_model
from window_core import DEMO_SENSORS, DeviceWindow, Evaluation, Event, Output, Rejection, Sensors, WindowSpec

__all__ = [
    "DeviceOutputs",
    "Outputs",
    "answered",
    "encoded_json",
    "first_difference",
    "lines_of",
    "oracle_difference",
    "read_outputs",
    "reference",
    "rejection_line",
]


class DeviceOutputs(NamedTuple):
    """The sequences of one device; what is of no device stands under ``None``."""

    predictions: list[bytes]
    refused: list[bytes]
    rejected: list[bytes]


Outputs = dict[str | None, DeviceOutputs]


class _Device:
    """One device in the loop: its window, and what came out of it with the position of the record."""

    def __init__(self, spec: WindowSpec, device_id: str) -> None:
        self.window = DeviceWindow(spec, device_id)
        self.records: list[tuple[Event, int]] = []
        self.outputs: list[tuple[Output, str | None]] = []

    def take(self, event: Event, arrival_ms: int, position: str) -> None:
        self.records.append((event, arrival_ms))
        *ticks, output = self.window.on_event(event, arrival_ms)
        self.window.check()
        self.outputs += [(tick, None) for tick in ticks] + [(output, position)]


def reference(data: bytes, spec: WindowSpec, until_ms: int | None = None, sensors: Sensors = DEMO_SENSORS) -> Outputs:
    """What a run over a file with these bytes writes."""
    devices, invalid, _ = _looped(data, spec, until_ms, sensors)
    model = plain_model(sensors)
    outputs = _empty_outputs()
    outputs[None].rejected.extend(invalid)
    for device_id, device in devices.items():
        for output, position in device.outputs:
            if isinstance(output, Evaluation):
                is_refused, line = answered(output, position, model)
                (outputs[device_id].refused if is_refused else outputs[device_id].predictions).append(line)
            else:
                outputs[device_id].rejected.append(rejection_line(output, position, sensors))
    return dict(outputs)


def oracle_difference(
    data: bytes, spec: WindowSpec, until_ms: int | None = None, sensors: Sensors = DEMO_SENSORS
) -> str | None:
    """Where the loop's outputs are not those of the oracle, which knows no window, only everything that happened."""
    devices, _, end_ms = _looped(data, spec, until_ms, sensors)
    for device_id, device in devices.items():
        assert end_ms is not None
        expected = [repr(output) for output in expected_outputs(spec, device.records, end_ms)]
        actual = [repr(plain(output)) for output, _ in device.outputs]
        if expected != actual:
            return f"device {device_id!r}: {_first_unequal(expected, actual)}"
    return None


def lines_of(data: bytes) -> list[bytes]:
    """The lines of a file; the last one may lack its newline."""
    lines = data.split(b"\n")
    return lines if lines[-1] else lines[:-1]


def read_outputs(predictions: Path, rejections: Path) -> Outputs:
    """What a run wrote, in the order of its files. Fails on a last line without its newline."""
    outputs = _empty_outputs()
    for line in _whole_lines(predictions):
        outputs[json.loads(line)["device_id"]].predictions.append(line)
    for line in _whole_lines(rejections):
        rejection = json.loads(line)
        sequences = outputs[rejection["device_id"]]
        is_refused = rejection.get("reason") == "REFUSED"  # a prediction has none, and is told of as a difference
        (sequences.refused if is_refused else sequences.rejected).append(line)
    return dict(outputs)


def first_difference(expected: Mapping[str | None, DeviceOutputs], actual: Mapping[str | None, DeviceOutputs]) -> str:
    """Where two runs part, in words; empty if they do not."""
    for device_id in sorted({*expected, *actual}, key=repr):
        for name in DeviceOutputs._fields:
            wanted: list[bytes] = getattr(expected.get(device_id), name, [])
            given: list[bytes] = getattr(actual.get(device_id), name, [])
            if wanted != given:
                return f"{name} of device {device_id!r}: {_first_unequal(wanted, given)}"
    return ""


def _looped(
    data: bytes, spec: WindowSpec, until_ms: int | None, sensors: Sensors
) -> tuple[dict[str, _Device], list[bytes], int | None]:
    reader = FileLog("-", Metrics(), until_ms, EventLayout(sensors)).reader()
    devices: dict[str, _Device] = {}
    invalid: list[bytes] = []
    for record in records_of(lines_of(data)):
        found = reader.read(record)
        if isinstance(found, OutputRecord):
            invalid.append(found.value)
        elif found is not None:
            device_id = found.event.device_id
            devices.setdefault(device_id, _Device(spec, device_id)).take(found.event, found.arrival_ms, found.position)
        if reader.has_ended:
            break
    end_ms = reader.clock_ms if until_ms is None else until_ms
    for device in devices.values():
        assert end_ms is not None
        device.outputs += [(tick, None) for tick in device.window.on_clock(end_ms)]
    return devices, invalid, end_ms


def answered(evaluation: Evaluation, position: str | None, model: PlainModel) -> tuple[bool, bytes]:
    """Whether the services refuse an evaluation, and the line that comes out."""
    answer = model.answer(evaluation)
    times = list(evaluation.window()[0])
    evaluation_id = f"{evaluation.device_id}/{evaluation.columns.session_ms}/{evaluation.seq}"
    if isinstance(answer, Refused):
        return True, encoded_json(
            device_id=evaluation.device_id,
            reason="REFUSED",
            position=position,
            event_ms=evaluation.event_ms,
            as_of_ms=evaluation.as_of_ms,
            evaluation_id=evaluation_id,
            status="INVALID_ARGUMENT",
            service="features",
            message=answer.message,
        )
    return False, encoded_json(
        evaluation_id=evaluation_id,
        device_id=evaluation.device_id,
        cause=evaluation.cause,
        position=position,
        event_ms=evaluation.event_ms,
        as_of_ms=evaluation.as_of_ms,
        newest_ms=max(times),
        oldest_ms=min(times),
        events=len(times),
        features=answer.features,
        model_id=answer.model_id,
        result=answer.result,
    )


def rejection_line(rejection: Rejection, position: str | None, sensors: Sensors) -> bytes:
    """The line of an event that changed no window."""
    event = rejection.event
    late_by = {"late_by_ms": rejection.late_by_ms} if rejection.reason == "TOO_LATE" else {}
    readings = [None if isnan(reading) else reading for reading in sensors.readings(event.row)]
    return encoded_json(
        device_id=event.device_id,
        reason=rejection.reason,
        position=position,
        arrival_ms=rejection.arrival_ms,
        **late_by,
        event={"time": event.time_ms, **dict(zip(sensors.names, readings, strict=True))},
    )


def encoded_json(**fields: Any) -> bytes:
    """An output as a line, its fields in this order."""
    return msgspec.json.encode(fields)


def _empty_outputs() -> defaultdict[str | None, DeviceOutputs]:
    return defaultdict(lambda: DeviceOutputs([], [], []))


def _whole_lines(path: Path) -> list[bytes]:
    data = path.read_bytes()
    assert data == b"" or data.endswith(b"\n"), f"the last line of {path.name} is not whole: {data[-80:]!r}"
    return data.splitlines()


def _first_unequal(expected: list[Any], actual: list[Any]) -> str:
    for number, (wanted, given) in enumerate(zip(expected, actual, strict=False)):
        if wanted != given:
            return f"number {number} is\n  {given!r}, not\n  {wanted!r}"
    common = min(len(expected), len(actual))
    longer = expected if len(expected) > len(actual) else actual
    which = "is missing" if longer is expected else "was not expected"
    return f"number {common} {which}: {longer[common]!r} ({len(actual)} instead of {len(expected)})"
