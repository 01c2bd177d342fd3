"""Comparisons as lines for a person, and as values for a program."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from dataflows.replay.comparison import Comparison
from dataflows.replay.explanation_text import instant_text
from dataflows.replay.lateness_lab import LabRow
from runtime.durations import duration_text
from window_core import REASONS

if TYPE_CHECKING:
    from dataflows.replay.run_comparison import RunComparison

__all__ = ["comparison_json", "comparison_lines", "lab_json", "lab_lines", "runs_json", "runs_lines"]

_DEVICES: Final = 5
"""Of those that moved furthest."""

_REASONS: Final = tuple(reason for reason in REASONS if reason not in ("INVALID", "REFUSED"))
"""Those that depend on the settings of a window."""


def lab_lines(rows: Sequence[LabRow]) -> list[str]:
    """A table: the numbers in which the rows differ, and what follows from them."""
    specs = [asdict(row.spec) for row in rows]
    names = [name for name in specs[0] if len({spec[name] for spec in specs}) > 1] or ["interval_ms"]
    head = [name.removesuffix("_ms").replace("_", "-") for name in names]
    head += ["accepted", "late", *_REASONS, "ticks", "evaluations", "state bytes", "calls"]
    table = [head]
    for row, spec in zip(rows, specs, strict=True):
        cells = [f"{spec[name]:,}" if name == "max_events" else duration_text(spec[name]) for name in names]
        numbers = (
            row.accepted,
            row.evaluations["late_event"],
            *(row.rejections[reason] for reason in _REASONS),
            row.evaluations["tick"],
            sum(row.evaluations.values()),
            row.state_bytes,
            row.calls,
        )
        table.append([*cells, *(f"{number:,}" for number in numbers)])
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return ["  ".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True)) for cells in table]


def lab_json(rows: Sequence[LabRow]) -> dict[str, Any]:
    """The same."""
    return {
        "settings": [
            {
                **asdict(row.spec),
                "accepted": row.accepted,
                "evaluations": dict(row.evaluations),
                "rejections": dict(row.rejections),
                "state_bytes": row.state_bytes,
                "devices": row.devices,
                "calls": row.calls,
            }
            for row in rows
        ]
    }


def comparison_lines(comparison: Comparison) -> Iterator[str]:
    """What two settings accept, how predictions move from the first to the second, and where."""
    yield ""
    for (first, second), number in comparison.events.most_common():
        became = f"{first} by both" if first == second else f"{first}, then {second}"
        yield f"events         {number:>10,} {became}"
    for where, words in (("both", "in both"), ("first", "in the first only"), ("second", "in the second only")):
        if comparison.ticks[where]:
            yield f"ticks          {comparison.ticks[where]:>10,} {words}"
    yield f"predictions    {comparison.moves.pairs:>10,} in both"
    yield from (f"               {line}" for line in comparison.moves.lines())
    for device_id, (moved, pair) in _worst(comparison):
        place = pair.position if pair.position is not None else f"its tick at {instant_text(pair.as_of_ms)}"
        yield f"device         {device_id}: {comparison.moved[device_id]:,} moved, furthest by {moved:.9g} at {place}"


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """The same."""
    return {
        "events": [
            {"first": first, "second": second, "events": number}
            for (first, second), number in comparison.events.most_common()
        ],
        "ticks": dict(comparison.ticks),
        "predictions": comparison.moves.pairs,
        **comparison.moves.summary(),
        "devices": [
            {
                "device_id": device_id,
                "moved": comparison.moved[device_id],
                "furthest": moved,
                "position": pair.position,
                "as_of_ms": pair.as_of_ms,
            }
            for device_id, (moved, pair) in _worst(comparison)
        ],
    }


def runs_lines(comparison: "RunComparison") -> Iterator[str]:
    """How the predictions of two runs differ."""
    yield f"predictions    {comparison.moves.pairs:>10,} in both"
    yield f"               {comparison.only_first:>10,} in the first only"
    yield f"               {comparison.only_second:>10,} in the second only"
    yield from (f"               {line}" for line in comparison.moves.lines())
    for row in comparison.differing.head(_DEVICES).iter_rows(named=True):
        as_of_ms = round(row["as_of"].timestamp() * 1000)
        place = row["position"] if row["position"] is not None else f"its tick at {instant_text(as_of_ms)}"
        moved = "not to be compared" if row["moved"] is None else f"{row['moved']:.9g}"
        yield f"furthest       {row['device_id']} at {place}: {moved}"


def runs_json(comparison: "RunComparison") -> dict[str, Any]:
    """The same."""
    return {
        "predictions": comparison.moves.pairs,
        "only_first": comparison.only_first,
        "only_second": comparison.only_second,
        **comparison.moves.summary(),
    }


def _worst(comparison: Comparison) -> list[tuple[str, Any]]:
    return sorted(comparison.furthest.items(), key=lambda one: (-one[1][0], one[0]))[:_DEVICES]
