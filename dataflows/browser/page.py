"""The live page as a document: its charts, and what it is told at the start."""

from typing import Any

import msgspec

from dataflows.browser.assets import document
from dataflows.browser.figures import TIME_AXIS

__all__ = ["page_html"]


class Page(msgspec.Struct, frozen=True):
    """What the page is told at the start.

    Attributes:
        title: of the page.
        window: the chart of a window.
    """

    title: str
    window: dict[str, Any]


def page_html(title: str) -> str:
    """The page, which asks its server for all else."""
    return document("page", title, Page(title, _window_chart()), asks_its_server=True)


def _window_chart() -> dict[str, Any]:
    """The readings of a window by their times: late ones in their colour, the one that caused the evaluation larger."""
    kinds = ["event", "late", "cause"]
    colour = {"domain": kinds, "range": ["var(--blue)", "var(--orange)", "var(--red)"]}
    legend = {"title": None, "orient": "top", "symbolType": "circle"}
    return {
        "width": "container",
        "height": 260,
        "data": {"name": "rows"},
        "transform": [
            {"calculate": "utcFormat(datum.time, '%Y-%m-%d %H:%M:%S')", "as": "at"},
            {"calculate": "datum.kind == 'cause' ? 110 : datum.kind == 'late' ? 36 : 16", "as": "area"},
        ],
        "mark": {"type": "point", "filled": True, "opacity": 0.9},
        "encoding": {
            "x": {"field": "time", "type": "temporal", "scale": {"type": "utc"}, "axis": {**TIME_AXIS, "tickCount": 8}},
            "y": {"field": "reading", "type": "quantitative", "title": None, "scale": {"zero": False},
                  "axis": {"tickCount": 5}},
            "color": {"field": "kind", "type": "nominal", "scale": colour, "legend": legend},
            "size": {"field": "area", "type": "quantitative", "scale": None},
            "tooltip": [{"field": "at", "title": "time"}, {"field": "reading", "title": "reading"},
                        {"field": "kind", "title": "kind"}],
        },
    }  # fmt: skip
