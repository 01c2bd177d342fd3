"""Compares the outputs that are there with those that should be: what is missing, other, too much or out of order.

An output is known by its evaluation id or, where it has none, by its position. Three sequences of a device are in a
fixed order: its predictions, its refused evaluations, and its other rejections.
"""

from collections.abc import Container, Iterable
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final, NamedTuple

import msgspec

from dataflows.pipeline.record import OutputKind
from dataflows.replay.written_outputs import Output

__all__ = ["FAULTS", "Finding", "Verification", "first_difference"]

FAULTS: Final = ("holes", "differences", "strangers", "disorder")
"""What no run leaves, however often it was killed."""

_REMEMBERED: Final = 200_000
"""Names by which repeats are known while outputs are followed, 30 MB: a run repeats what is behind its checkpoint."""


class _Name(msgspec.Struct, gc=False):
    """What an output is known by, and the rest that is looked at."""

    device_id: str | None
    evaluation_id: str | None = None
    position: str | None = None
    as_of_ms: int | None = None
    arrival_ms: int | None = None

    @property
    def key(self) -> str:
        return self.evaluation_id or self.position or ""


_decode: Final = msgspec.json.Decoder(_Name).decode


@dataclass
class Finding:
    """One kind of finding.

    Attributes:
        count: how often it was met.
        first: what the first is about.
        place: of an output that is there: how many stand before it.
    """

    count: int = 0
    first: dict[str, Any] | None = None
    place: int | None = None

    def add(self, first: dict[str, Any], place: int | None = None) -> None:
        """Count one more; the first is kept."""
        self.count += 1
        if self.first is None:
            self.first, self.place = first, place


class _Found(NamedTuple):
    """An output that is there: how many stand before it, a hash of its bytes, and these if they are kept."""

    place: int
    bytes_hash: int
    line: bytes | None


class _Expected(NamedTuple):
    """An output that should be: its number, and what it may be, by the hashes of their bytes."""

    name: _Name
    number: int
    allowed: dict[int, Output]


class Verification:
    """Takes outputs that are there and outputs that should be, in any order of the two.

    What was met on both sides is dropped, but for a hash of the latest, by which repeats are known.

    Attributes:
        seen: how many outputs of each kind are there.
        expected: how many should be.
        repeats: outputs that are there once more, byte for byte, as at-least-once delivery allows.
        pending: outputs that a run under way may still write.
        holes: outputs that are missing.
        differences: outputs with other bytes than those of their evaluation id or position.
        strangers: outputs that should not be.
        disorder: outputs that stand before one that they should follow.
    """

    def __init__(self, devices: Container[str] = (), *, is_under_way: bool = False, follows: bool = False) -> None:
        """Nothing was met.

        Args:
            devices: those whose outputs are looked at; empty: all, and what is of no device.
            is_under_way: the run may still write what is missing now.
            follows: outputs are seen after others were expected, and cannot be read once more to be shown.
        """
        self._devices: Final = devices
        self._is_under_way: Final = is_under_way
        self._follows: Final = follows
        self.seen: Final[dict[OutputKind, int]] = {"predictions": 0, "rejections": 0}
        self.expected = 0
        self.repeats, self.pending, self.holes = Finding(), Finding(), Finding()
        self.differences, self.strangers, self.disorder = Finding(), Finding(), Finding()
        self._unexpected: dict[str, tuple[_Found, ...]] = {}  # what was not expected so far, each of other bytes
        self._missing: dict[str, _Expected] = {}
        self._met: dict[str, int] = {}  # the latest names that were met on both sides, and the hash of their bytes
        self._last: dict[tuple[str, str], tuple[int, int]] = {}  # of each sequence, number and place of the last
        self._no_outputs = Finding()  # lines that are none
        self._places = self._settled_places = 0

    @property
    def is_clean(self) -> bool:
        """Whether the outputs are what they should be."""
        return not any(getattr(self, fault).count for fault in FAULTS)

    def see(self, kind: OutputKind, line: bytes) -> None:
        """Take an output that is there, in the order in which they stand."""
        place = self._places
        self._places += 1
        try:
            name = _decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            self._no_outputs.add({"evaluation_id": None, "position": None}, place)
            return
        if self._devices and (name.device_id is None or name.device_id not in self._devices):
            return
        self.seen[kind] += 1
        found = _Found(place, hash((kind, line)), line if self._follows else None)
        expected = self._missing.pop(name.key, None)
        if expected is not None:
            self._meet(expected, found)
        elif (met := self._met.get(name.key)) is not None:
            if met == found.bytes_hash:
                self.repeats.add(_about(name), place)
            else:
                self._differ(name, found, None)
        elif (others := self._unexpected.get(name.key)) is None:
            self._unexpected[name.key] = (found,)
        elif found.bytes_hash in {other.bytes_hash for other in others}:
            self.repeats.add(_about(name), place)
        else:
            self._unexpected[name.key] = (*others, found)

    def expect(self, *alike: Output) -> None:
        """Take an output that should be, in the order of its device: any of these."""
        name = _decode(alike[0][1])
        expected = _Expected(name, self.expected, {hash(output): output for output in alike})
        self.expected += 1
        found = self._unexpected.pop(name.key, None)
        if found is None:
            self._missing[name.key] = expected
        for one in found or ():
            self._meet(expected, one)

    def settle(self, due_ms: int = 0, ticks_due_ms: int = 0) -> None:
        """Judge what was met on one side only. What was seen since the last call may still be expected.

        Args:
            due_ms: of a run under way: it must have written what is as of this instant or before.
            ticks_due_ms: the same for ticks, which wait for the slowest partition.
        """
        self.holes, self.pending = Finding(), Finding()
        for name, _, _ in self._missing.values():
            as_of_ms = name.as_of_ms if name.arrival_ms is None else name.arrival_ms
            last_ms = ticks_due_ms if name.position is None else due_ms
            is_due = not self._is_under_way or as_of_ms is None or as_of_ms <= last_ms
            (self.holes if is_due else self.pending).add(_about(name))
        self.strangers = replace(self._no_outputs)
        for key, found in self._unexpected.items():
            is_evaluation = key.count("/") > 1
            names = ("evaluation_id", "position") if is_evaluation else ("position", "evaluation_id")
            for one in found:
                if one.place < self._settled_places or not self._follows:
                    self.strangers.add(_shown(dict(zip(names, (key, None), strict=True)), one), one.place)
        self._settled_places = self._places
        for key in list(islice(self._met, max(0, len(self._met) - _REMEMBERED))):
            del self._met[key]

    def finish(self, written: Iterable[Output], due_ms: int = 0, ticks_due_ms: int = 0) -> None:
        """Settle for good. The first faults are read once more, to be shown.

        Args:
            written: the outputs that were seen, once more.
            due_ms: as of ``settle``.
            ticks_due_ms: as of ``settle``.
        """
        self.settle(due_ms, ticks_due_ms)
        for finding in (self.differences, self.strangers):
            if finding.first is not None and finding.place is not None:
                [(_, line)] = islice(written, finding.place, finding.place + 1)
                finding.first["is"] = line.decode(errors="replace")

    def _meet(self, expected: _Expected, found: _Found) -> None:
        """An output is there that should be, or one of its name."""
        name, number, allowed = expected
        output = allowed.get(found.bytes_hash)
        if self._follows and (output is not None or name.key not in self._met):
            self._met[name.key] = found.bytes_hash
        if output is None:
            self._differ(name, found, next(iter(allowed.values()))[1])
        elif name.device_id is not None:
            sequence = "REFUSED" if output[0] == "rejections" and name.evaluation_id is not None else output[0]
            last, place = self._last.get((name.device_id, sequence), (-1, -1))
            if (found.place < place) == (number > last):
                self.disorder.add(_about(name), found.place)
            if number > last:
                self._last[name.device_id, sequence] = number, found.place

    def _differ(self, name: _Name, found: _Found, should_be: bytes | None) -> None:
        about = _about(name) if should_be is None else {**_about(name), "should_be": should_be.decode()}
        self.differences.add(_shown(about, found), found.place)


def first_difference(found: str, should_be: str) -> str:
    """The first field in which an output is other than it should be.

    >>> first_difference('{"a":1,"b":{"c":2}}', '{"a":1,"b":{"c":3}}')
    'b.c is 2, should be 3'
    """
    try:
        left, right = (_flat(msgspec.json.decode(text)) for text in (found, should_be))
    except msgspec.DecodeError:
        return "it is no output"
    for name in (*right, *left):
        if left.get(name) != right.get(name):
            texts = (msgspec.json.encode(fields.get(name)).decode() for fields in (left, right))
            return "{} is {}, should be {}".format(name, *texts)
    return "the same values in another form"


def _flat(value: Any, name: str = "") -> dict[str, Any]:
    """The fields of an object by their paths."""
    if not isinstance(value, dict):
        return {name: value}
    return {path: one for key in value for path, one in _flat(value[key], f"{name}.{key}" if name else key).items()}


def _shown(about: dict[str, Any], found: _Found) -> dict[str, Any]:
    """What an output is about, with its bytes if they are at hand."""
    return about if found.line is None else {**about, "is": found.line.decode(errors="replace")}


def _about(name: _Name) -> dict[str, Any]:
    return {"evaluation_id": name.evaluation_id, "position": name.position}
