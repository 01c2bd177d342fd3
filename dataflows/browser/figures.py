"""A chart and its numbers: rows that are drawn by Vega-Lite and shown as a table, the same for both.

Colours are variables of the style sheet, so that a drawn chart follows the reader's light or dark.
"""

from collections.abc import Iterable, Sequence
from itertools import cycle
from typing import Any, Final, Literal

import msgspec

from window_core import CAUSES, REASONS

__all__ = ["TIME_AXIS", "Column", "Figure", "bars", "bars_over_time", "points"]

Kind = Literal["text", "count", "number", "share", "time", "span"]
"""What a cell is: a share is 0 to 1, a time is in ms since the Unix epoch, a span in ms."""

_PALETTE: Final = ("blue", "orange", "grey", "brown", "green", "red", "purple", "pink", "ink")
_COLOURS: Final[dict[str, str]] = {
    kind: f"var(--{colour})" for kind, colour in zip((*CAUSES, *REASONS), cycle(_PALETTE), strict=False)
}
_HEIGHT: Final = 220
_BAR_HEIGHT: Final = 18
"""Pixels of a chart over time, and of one bar that lies."""

_CLOCK: Final = "utcFormat(datum.value, utcseconds(datum.value) ? '%H:%M:%S' : '%H:%M')"
_DAY: Final = "utcFormat(datum.value, '%b %d')"
_TIME_LABEL: Final = f"datum.index == 0 ? [{_CLOCK}, {_DAY}] : datum.value % 86400000 ? {_CLOCK} : {_DAY}"


TIME_AXIS: Final = {"title": "time (UTC)", "labelExpr": _TIME_LABEL, "labelOverlap": "greedy", "labelSeparation": 8}
"""Says the day at the start, and where one begins."""


class Column(msgspec.Struct, frozen=True):
    """A column of the numbers."""

    key: str
    title: str
    kind: Kind = "count"


class Figure(msgspec.Struct, frozen=True):
    """A table, and the chart that draws it.

    Attributes:
        name: unique on a page; letters and hyphens.
        note: what is drawn, in a sentence.
        rows: a cell for each column.
        chart: in Vega-Lite, on data named ``rows`` with the keys of the columns; ``None`` for a table alone.
        empty: what is said in place of rows if there are none.
    """

    name: str
    title: str
    note: str
    columns: list[Column]
    rows: Sequence[Sequence[Any]]
    chart: dict[str, Any] | None = None
    empty: str = "None."


def bars_over_time(kinds: Sequence[str]) -> dict[str, Any]:
    """Bars that stand on each other, one group at each ``time``, in the order of the kinds: the keys of columns."""
    return {
        **_chart(_HEIGHT),
        "transform": [*_folded(kinds), {"calculate": "utcFormat(datum.time, '%Y-%m-%d %H:%M:%S')", "as": "start"}],
        "mark": {"type": "bar", "tooltip": True},
        "encoding": {
            "x": {"field": "time", "type": "ordinal", "axis": {**TIME_AXIS, "labelAngle": 0, "ticks": False}},
            "y": {"field": "number", "type": "quantitative", "title": None, "axis": {"tickCount": 5}},
            **_coloured(kinds),
            "tooltip": [
                {"field": "start", "title": "from"},
                {"field": "kind", "title": "kind"},
                {"field": "number", "title": "number", "format": ","},
            ],
        },
    }  # fmt: skip


def bars(category: str, kinds: Sequence[str], number: int, title: str, *, percent: bool = False) -> dict[str, Any]:
    """Lying bars, one for each row in their order, its kinds behind each other.

    Args:
        category: key of the column with the names.
        kinds: keys of the columns with the lengths.
        number: of rows.
        title: of the axis.
        percent: the lengths are shares.
    """
    form = ".1%" if percent else ","
    return {
        **_chart(_BAR_HEIGHT * max(number, 2)),
        "transform": _folded(kinds),
        "mark": {"type": "bar", "tooltip": True},
        "encoding": {
            "y": {"field": category, "type": "nominal", "sort": None, "title": None, "axis": {"labelLimit": 130}},
            "x": {
                "field": "number",
                "type": "quantitative",
                "title": title,
                "axis": {"tickCount": 5, **({"format": "~%"} if percent else {})},
            },
            **_coloured(kinds),
            "tooltip": [
                {"field": category, "title": category},
                {"field": "kind", "title": "kind"},
                {"field": "number", "title": "number", "format": form},
            ],
        },
    }


def points(category: str, value: str, number: int, title: str, limits: Iterable[float] = ()) -> dict[str, Any]:
    """A point for each row, and lines at the limits."""
    x = {"field": value, "type": "quantitative", "title": title, "axis": {"tickCount": 5}, "scale": {"zero": False}}
    y = {"field": category, "type": "nominal", "sort": None, "title": None, "axis": {"labelLimit": 180}}
    line = {"type": "rule", "color": "var(--red)", "strokeDash": [4, 4]}
    return {
        **_chart(_BAR_HEIGHT * max(number, 2)),
        "layer": [
            *({"mark": line, "encoding": {"x": {"datum": limit}}} for limit in limits),
            {
                "mark": {"type": "point", "filled": True, "size": 60, "color": "var(--blue)", "tooltip": True},
                "encoding": {"y": y, "x": x},
            },
        ],
    }


def _chart(height: int) -> dict[str, Any]:
    return {"width": "container", "height": height, "data": {"name": "rows"}}


def _folded(kinds: Sequence[str]) -> list[dict[str, Any]]:
    """A row for each kind, with its place in their order."""
    order = " : ".join(f"datum.kind == '{kind}' ? {place}" for place, kind in enumerate(kinds))
    return [{"fold": list(kinds), "as": ["kind", "number"]}, {"calculate": f"{order} : -1", "as": "place"}]


def _coloured(kinds: Sequence[str]) -> dict[str, Any]:
    scale = {"domain": list(kinds), "range": [_COLOURS[kind] for kind in kinds]}
    legend = {"title": None, "orient": "top", "columns": 2} if len(kinds) > 1 else None
    return {
        "color": {"field": "kind", "type": "nominal", "scale": scale, "legend": legend},
        "order": {"field": "place", "type": "quantitative"},
    }
