"""Compares the outputs that are there with those that should be: what is missing, other, too much or out of order.

An output is known by its evaluation id or, where it has none, by its position. Three sequences of a device are in a
fixed order: its predictions, its refused evaluations, and its other rejections.
"""

from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

import msgspec

from dataflows.pipeline.record import OutputKind
from dataflows.replay.written_outputs import Output

__all__ = ["FAULTS", "Finding", "Verification", "first_difference"]

FAULTS: Final = ("holes", "differences", "strangers", "disorder")
"""What no run leaves, however often it was killed."""


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


@dataclass
class Verification:
    """Takes first every output that is there, then those that should be.

    Attributes:
        devices: those whose outputs are looked at; empty: all.
        is_under_way: the run may still write what is missing now.
        seen: how many outputs of each kind are there.
        expected: how many should be.
        repeats: outputs that are there once more, byte for byte, as at-least-once delivery allows.
        pending: outputs that a run under way may still write.
        holes: outputs that are missing.
        differences: outputs with other bytes than those of their evaluation id or position.
        strangers: outputs that should not be.
        disorder: outputs that stand before one that they should follow.
    """

    devices: Container[str] = ()
    is_under_way: bool = False
    seen: dict[OutputKind, int] = field(default_factory=lambda: {"predictions": 0, "rejections": 0})
    expected: int = 0
    repeats: Finding = field(default_factory=Finding)
    pending: Finding = field(default_factory=Finding)
    holes: Finding = field(default_factory=Finding)
    differences: Finding = field(default_factory=Finding)
    strangers: Finding = field(default_factory=Finding)
    disorder: Finding = field(default_factory=Finding)

    def __post_init__(self) -> None:
        self._found: dict[str, tuple[int, int]] = {}  # the place of each, and a hash of its bytes
        self._others: dict[str, list[tuple[int, int]]] = {}  # what is there under the same name with other bytes
        self._last: dict[tuple[str, str], int] = {}  # the place of the last one of each sequence
        self._missing: list[tuple[bool, int | None, dict[str, Any]]] = []  # whether a tick, and as of when
        self._places = 0

    @property
    def is_clean(self) -> bool:
        """Whether the outputs are what they should be."""
        return not any(getattr(self, fault).count for fault in FAULTS)

    def see(self, kind: OutputKind, line: bytes) -> None:
        """Take an output that is there."""
        place = self._places
        self._places += 1
        try:
            name = _decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            self.strangers.add({"evaluation_id": None, "position": None}, place)
            return
        if self.devices and name.device_id is not None and name.device_id not in self.devices:
            return
        self.seen[kind] += 1
        found = (place, hash((kind, line)))
        first = self._found.setdefault(name.key, found)
        if first is found:
            return
        others = self._others.get(name.key, [])
        if found[1] in {first[1], *(bytes_hash for _, bytes_hash in others)}:
            self.repeats.add(_about(name), place)
        else:
            self._others[name.key] = [*others, found]

    def expect(self, *alike: Output) -> None:
        """Take an output that should be, in the order of its device: any of these."""
        self.expected += 1
        name = _decode(alike[0][1])
        first = self._found.pop(name.key, None)
        if first is None:
            if self.is_under_way:
                as_of_ms = name.as_of_ms if name.arrival_ms is None else name.arrival_ms
                self._missing.append((name.position is None, as_of_ms, _about(name)))
            else:
                self.holes.add(_about(name))
            return
        allowed = {hash(output): output for output in alike}
        for place, bytes_hash in (first, *self._others.pop(name.key, ())):
            if bytes_hash not in allowed:
                self.differences.add({**_about(name), "should_be": alike[0][1].decode()}, place)
            elif name.device_id is not None:
                self._follow(name, allowed[bytes_hash], place)

    def finish(self, written: Iterable[Output], due_ms: int = 0, ticks_due_ms: int = 0) -> None:
        """What is there and was not expected is a stranger. The first faults are read once more, to be shown.

        Args:
            written: the outputs that were seen, once more.
            due_ms: of a run under way: it must have written what is as of this instant or before.
            ticks_due_ms: the same for ticks, which wait for the slowest partition.
        """
        for is_tick, as_of_ms, about in self._missing:
            is_due = as_of_ms is None or as_of_ms <= (ticks_due_ms if is_tick else due_ms)
            (self.holes if is_due else self.pending).add(about)
        left = [*self._found.items(), *((key, other) for key, more in self._others.items() for other in more)]
        for key, (place, _) in sorted(left, key=lambda entry: entry[1]):
            is_evaluation = key.count("/") > 1
            names = ("evaluation_id", "position") if is_evaluation else ("position", "evaluation_id")
            self.strangers.add(dict(zip(names, (key, None), strict=True)), place)
        for finding in (self.differences, self.strangers):
            if finding.first is not None and finding.place is not None:
                [(_, line)] = islice(written, finding.place, finding.place + 1)
                finding.first["is"] = line.decode(errors="replace")

    def _follow(self, name: _Name, output: Output, place: int) -> None:
        """See that an output stands behind the one before it in its sequence."""
        assert name.device_id is not None
        sequence = "REFUSED" if output[0] == "rejections" and name.evaluation_id is not None else output[0]
        last = self._last.get((name.device_id, sequence), -1)
        if place < last:
            self.disorder.add(_about(name), place)
        self._last[name.device_id, sequence] = place


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


def _about(name: _Name) -> dict[str, Any]:
    return {"evaluation_id": name.evaluation_id, "position": name.position}
