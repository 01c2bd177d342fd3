"""Shows a difference to a person, and keeps its log: as a transcript, where it can be one, and as a file of lines."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import yaml

from tests.oracle import Oracle
from tests.parity.comparison import Difference
from tests.parity.logs import EventRecord, Heartbeat, Log, as_lines
from tests.transcript import Seen, seen
from window_core import DEMO_SENSORS, Event, Sensors, WindowSpec

__all__ = ["kept", "side_by_side"]

_LINES_SHOWN: Final = 20


def kept(folder: Path, name: str, log: Log, spec: WindowSpec, sensors: Sensors, notes: Mapping[str, Any]) -> list[Path]:
    """Write a log into a folder, with the numbers it was read under; the files."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = folder / f"{name}.jsonl"
    lines.write_bytes(as_lines(log, sensors)[0])
    about = folder / f"{name}.yaml"
    content = {"sensors": [*sensors.declared], "spec": asdict(spec), **notes}
    about.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True))
    files = [lines, about]
    if all(isinstance(record, Heartbeat | EventRecord) for record in log):
        transcript = folder / f"{name}.transcript.yaml"
        transcript.write_text(
            yaml.safe_dump(
                transcript_of(f"{name}.transcript", log, spec, sensors), sort_keys=False, default_flow_style=None
            )
        )
        files.append(transcript)
    return files


def transcript_of(name: str, log: Log, spec: WindowSpec, sensors: Sensors) -> dict[str, Any]:
    """A transcript of the form of ``tests/transcripts``; what it expects is what the oracle gives."""
    devices: dict[str, Oracle] = {}
    steps: list[dict[str, Any]] = []
    placed = as_lines(log, sensors)[1]
    for record, entry in zip(log, placed, strict=True):
        if entry.event is None:
            continue
        assert isinstance(record, EventRecord)
        assert entry.arrival_ms is not None
        device = devices.setdefault(record.device_id, Oracle(spec, record.device_id))
        readings = [None if reading in (None, "null") else float(reading) for reading in record.readings]
        event = Event(record.device_id, record.time_ms, sensors.row(readings))
        outputs = device.on_event(event, entry.arrival_ms)
        step: dict[str, Any] = {
            "event": [record.device_id, record.time_ms, *readings],
            "arrival": entry.arrival_ms,
            "expect": [_expect(seen(output, record.device_id)) for output in outputs],
        }
        steps.append(step)
    until_ms = max(entry.clock_ms or 0 for entry in placed)
    at_end = [
        [*_expect(seen(output, device_id)), device_id]
        for device_id, device in devices.items()
        for output in device.on_clock(until_ms)
    ]
    of_sensors = {} if sensors == DEMO_SENSORS else {"sensors": [*sensors.declared]}
    return {"name": name, "rule": [10], **of_sensors, "spec": asdict(spec), "steps": steps, "at_end": at_end}


def _expect(output: Seen) -> list[Any]:
    return [output.kind, output.number]


def side_by_side(log: bytes, shown: Mapping[str, Difference | None]) -> str:
    """A log, and where each engine parts from the loop on it."""
    lines = log.decode(errors="backslashreplace").splitlines()
    text = ["the log:", *(f"  {line}" for line in lines[:_LINES_SHOWN])]
    if len(lines) > _LINES_SHOWN:
        text.append(f"  ... and {len(lines) - _LINES_SHOWN:,} more lines")
    for name, difference in shown.items():
        if difference is None:
            text.append(f"{name}: as the plain loop")
            continue
        device_id, sequence, number, expected, actual = difference
        whose = "no device" if device_id is None else f"device {device_id!r}"
        text.append(f"{name}: number {number} of the {sequence} of {whose}")
        text.append(f"  the plain loop   {_text(expected)}")
        text.append(f"  {name:<16} {_text(actual)}")
    return "\n".join(text)


def _text(output: bytes | None) -> str:
    return "nothing more" if output is None else output.decode(errors="backslashreplace")
