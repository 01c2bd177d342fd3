"""Compares what two runs wrote, device by device, byte by byte, and counts what was compared."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from tests.parity.logs import Placed, number_of
from tests.reference import DeviceOutputs, Outputs

__all__ = ["Compared", "Difference", "compared", "differences", "in_sequence", "owners_of"]

NO_OUTPUTS: Final = DeviceOutputs([], [], [])

_POSITION: Final = re.compile(rb'"position":"(\d+)/(\d+)"')


def in_sequence(outputs: Outputs) -> Outputs:
    """What is of no device has no order of its own: by position. All else stays as it was written."""
    if None in outputs:
        nobodys = sorted(outputs[None].rejected, key=_position_of)
        outputs[None] = DeviceOutputs(outputs[None].predictions, outputs[None].refused, nobodys)
    return outputs


class Difference(NamedTuple):
    """Where two sequences part: from the output ``number`` on. What is missing is ``None``."""

    device_id: str | None
    sequence: str
    number: int
    expected: bytes | None
    actual: bytes | None


class Compared(NamedTuple):
    """How much was found equal."""

    outputs: int
    size: int


def differences(expected: Mapping[str | None, DeviceOutputs], actual: Outputs) -> Iterator[Difference]:
    """The first difference of each sequence of each device."""
    for device_id in sorted({*expected, *actual}, key=repr):
        for name in DeviceOutputs._fields:
            wanted: list[bytes] = getattr(expected.get(device_id, NO_OUTPUTS), name)
            given: list[bytes] = getattr(actual.get(device_id, NO_OUTPUTS), name)
            if wanted != given:
                number = _parts_at(wanted, given)
                yield Difference(device_id, name, number, *(_at(lines, number) for lines in (wanted, given)))


def compared(outputs: Outputs) -> Compared:
    """How many outputs these are, and their bytes."""
    lines = [line for sequences in outputs.values() for lines in sequences for line in lines]
    return Compared(len(lines), sum(map(len, lines)))


def owners_of(difference: Difference, placed: list[Placed], owners: tuple[int, ...]) -> set[int]:
    """The combined logs that a difference may be about."""
    if difference.device_id is not None:
        try:
            return {number_of(difference.device_id)}
        except ValueError:  # a device that was never there
            return set(owners)
    lines = [json.loads(line) for line in (difference.expected, difference.actual) if line is not None]
    wanted = {line["position"] for line in lines}
    return {owner for entry, owner in zip(placed, owners, strict=True) if entry.position in wanted}


def _parts_at(wanted: list[bytes], given: list[bytes]) -> int:
    pairs = zip(wanted, given, strict=False)
    return next((number for number, (want, got) in enumerate(pairs) if want != got), min(len(wanted), len(given)))


def _at(lines: list[bytes], number: int) -> bytes | None:
    return lines[number] if number < len(lines) else None


def _position_of(line: bytes) -> tuple[int, int]:
    match = _POSITION.search(line)
    assert match is not None
    return int(match[1]), int(match[2])
