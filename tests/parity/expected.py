"""What has to come out: the core in a plain loop over the placed records, and what the oracle says about it.

The loop decodes, encodes and computes with nothing that an engine uses, except where a user's own services are asked.
"""

from base64 import b64encode
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from math import isnan

from dataflows.pipeline.output_codec import encoded_prediction, encoded_refusal
from dataflows.services.answers import Answer, Refusal
from tests.oracle import expected_outputs, plain
from tests.parity.comparison import in_sequence
from tests.parity.logs import Placed
from tests.plain_model import plain_model
from tests.reference import DeviceOutputs, Outputs, answered, encoded_json, rejection_line
from window_core import DeviceWindow, Evaluation, Event, Output, Rejection, Sensors, WindowSpec

__all__ = ["Asked", "Expectation", "expectation_of", "oracle_difference"]

Asked = Callable[[Sequence[Evaluation]], Sequence[Answer]]
"""Answers evaluations, one window a call: where features or a model are a user's own, only their services know."""


@dataclass
class _Device:
    window: DeviceWindow
    records: list[tuple[Event, int]] = field(default_factory=list)
    outputs: list[tuple[Output, str | None]] = field(default_factory=list)


@dataclass
class Expectation:
    """What a log has to give.

    Attributes:
        outputs: for each device its sequences.
        placed: the records.
        until_ms: the instant up to which the clock ran.
        occurred: how often each rule showed itself.
    """

    outputs: Outputs
    placed: Sequence[Placed]
    until_ms: int | None
    occurred: Counter[str]
    devices: dict[str, list[tuple[Event, int]]]
    evaluations: dict[str, list[tuple[Output, str | None]]]


def expectation_of(
    placed: Sequence[Placed],
    spec: WindowSpec,
    sensors: Sensors,
    until_ms: int | None = None,
    asked: Asked | None = None,
) -> Expectation:
    """What an engine has to write for these records.

    Args:
        placed: the records, those of a device in their order.
        spec: the numbers of the windows.
        sensors: the readings of an event.
        until_ms: the first record of a partition that arrived later ends it; by default, the largest arrival.
        asked: asks the services of a user; without it, the shipped ones are recomputed by plain arithmetic.
    """
    clocks = [entry.clock_ms for entry in placed if entry.clock_ms is not None]
    end_ms = until_ms if until_ms is not None else max(clocks, default=None)
    occurred: Counter[str] = Counter()
    devices: dict[str, _Device] = {}
    outputs: defaultdict[str | None, DeviceOutputs] = defaultdict(lambda: DeviceOutputs([], [], []))
    for entry in placed:
        if entry.clock_ms is not None and end_ms is not None and entry.clock_ms > end_ms:
            continue  # a clock does not go back: nor is anything behind it read
        occurred["arrivals that are no time"] += entry.source.no_time_ms is not None
        if entry.error is not None:
            outputs[None].rejected.append(_invalid_line(entry))
            occurred[f"INVALID {entry.error.split()[0]}"] += 1
        elif entry.event is not None:
            _take(devices, spec, sensors, entry, occurred)
    for device in devices.values():
        assert end_ms is not None
        device.outputs += [(tick, None) for tick in device.window.on_clock(end_ms)]
    for device_id, device in devices.items():
        outputs[device_id] = _lines(device.outputs, sensors, asked)
    _count(devices, outputs, spec, occurred)
    return Expectation(
        in_sequence(dict(outputs)),
        placed,
        end_ms,
        occurred,
        {device_id: device.records for device_id, device in devices.items()},
        {device_id: device.outputs for device_id, device in devices.items()},
    )


def oracle_difference(expectation: Expectation, spec: WindowSpec) -> str:
    """Where the loop's outputs are not those of the oracle, which knows no window, only everything that happened."""
    for device_id, records in expectation.devices.items():
        assert expectation.until_ms is not None
        wanted = [repr(output) for output in expected_outputs(spec, records, expectation.until_ms)]
        given = [repr(plain(output)) for output, _ in expectation.evaluations[device_id]]
        if wanted != given:
            pairs = zip([*wanted, "nothing"], [*given, "nothing"], strict=False)
            number, (want, got) = next((n, pair) for n, pair in enumerate(pairs) if pair[0] != pair[1])
            return f"output {number} of device {device_id!r}: the loop gave\n  {got}, the oracle\n  {want}"
    return ""


def _take(
    devices: dict[str, _Device], spec: WindowSpec, sensors: Sensors, entry: Placed, occurred: Counter[str]
) -> None:
    assert entry.event is not None
    assert entry.arrival_ms is not None
    device_id = entry.event.device_id
    device = devices.get(device_id)
    if device is None:
        device = devices[device_id] = _Device(DeviceWindow(spec, device_id))
    device.records.append((entry.event, entry.arrival_ms))
    occurred["absent readings"] += any(isnan(reading) for reading in sensors.readings(entry.event.row))
    *ticks, output = device.window.on_event(entry.event, entry.arrival_ms)
    device.outputs += [(tick, None) for tick in ticks] + [(output, entry.position)]
    occurred["clamped arrivals"] += entry.arrival_ms > entry.source.arrival_ms


def _lines(outputs: Iterable[tuple[Output, str | None]], sensors: Sensors, asked: Asked | None) -> DeviceOutputs:
    """The sequences of a device."""
    lines = DeviceOutputs([], [], [])
    evaluations = [(output, position) for output, position in outputs if isinstance(output, Evaluation)]
    for output, position in outputs:
        if isinstance(output, Rejection):
            assert position is not None
            lines.rejected.append(rejection_line(output, position, sensors))
    if asked is None:
        model = plain_model(sensors)
        for output, position in evaluations:
            is_refused, line = answered(output, position, model)
            (lines.refused if is_refused else lines.predictions).append(line)
        return lines
    answers = asked([output for output, _ in evaluations])
    for (output, position), answer in zip(evaluations, answers, strict=True):
        if isinstance(answer, Refusal):
            lines.refused.append(encoded_refusal(output, position, answer.status, answer.service, answer.message))
        else:
            lines.predictions.append(
                encoded_prediction(output, position, answer.features, answer.model_id, answer.result)
            )
    return lines


def _count(
    devices: dict[str, _Device], outputs: dict[str | None, DeviceOutputs], spec: WindowSpec, occurred: Counter[str]
) -> None:
    """Count which rules showed themselves."""
    for device_id, device in devices.items():
        occurred["REFUSED"] += len(outputs[device_id].refused)
        sessions: set[int] = set()
        spoke_ms: int | None = None
        for output, _ in device.outputs:
            if isinstance(output, Rejection):
                occurred[output.reason] += 1
                continue
            occurred[output.cause] += 1
            session_ms = output.columns.session_ms
            if output.cause != "tick":
                if spoke_ms is not None and session_ms in sessions:
                    occurred["spoke again after idleness"] += output.as_of_ms - spoke_ms > spec.idle_after_ms
                spoke_ms = output.as_of_ms
            sessions.add(session_ms)
        occurred["sessions"] += len(sessions)
        occurred["sessions after forgetting"] += max(len(sessions) - 1, 0)
        occurred["forgotten at the end"] += bool(sessions) and device.window.next_wakeup_ms() is None


def _invalid_line(entry: Placed) -> bytes:
    value = entry.value
    assert entry.error is not None
    error, _, field = entry.error.partition(" ")
    return encoded_json(
        device_id=None,
        reason="INVALID",
        position=entry.position,
        arrival_ms=entry.arrival_ms,
        error=error,
        field=field or None,
        size=len(value),
        sha256=sha256(value).hexdigest(),
        raw=b64encode(value[:65_536]).decode(),
    )
