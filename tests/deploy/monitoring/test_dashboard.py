"""The dashboard is one that Grafana takes, and asks for metrics that exist. Grafana itself is not run."""

import json
import re

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from dataflows.pipeline.metrics import metric_names
from tests.conftest import ROOT
from tests.deploy.monitoring.rules import ALERTS, DASHBOARD, metrics_of, panels, queries

SUFFIXES = re.compile(r"_(total|bucket|sum|count)$")
FLINKS = set(re.findall(r"^\| `(flink_\w+)` \|", (ROOT / "docs" / "metrics.md").read_text(), re.MULTILINE))
"""A test on a real cluster holds that these exist."""


def test_grafanas_own_model_knows_every_field() -> None:
    read = json.loads(json.dumps(Dashboard.from_json(DASHBOARD), cls=JSONEncoder))
    assert lost(DASHBOARD, read) == []


def test_an_unknown_field_would_be_found() -> None:
    read = json.loads(json.dumps(Dashboard.from_json({**DASHBOARD, "pannels": []}), cls=JSONEncoder))
    assert lost({**DASHBOARD, "pannels": []}, read) == ["pannels"]


@pytest.mark.parametrize(
    "expression", [*(query for _, query in queries()), *(rule["expr"] for rule in ALERTS.values())]
)
def test_every_metric_exists(expression: str) -> None:
    known = metric_names().keys() | FLINKS
    used = metrics_of(expression)
    assert used
    assert {SUFFIXES.sub("", name) if name not in known else name for name in used} <= known


def test_every_metric_of_ours_is_on_the_dashboard() -> None:
    shown = {SUFFIXES.sub("", name) for _, query in queries() for name in metrics_of(query)}
    assert metric_names().keys() <= shown


def test_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        taken |= cells


def lost(given: object, read: object, path: str = "") -> list[str]:
    """What of the dashboard its model does not keep."""
    if isinstance(given, dict) and isinstance(read, dict):
        return [
            one
            for name, value in given.items()
            for one in lost(value, read.get(name), f"{path}.{name}" if path else name)
        ]
    if isinstance(given, list) and isinstance(read, list) and len(given) == len(read):
        return [one for number, value in enumerate(given) for one in lost(value, read[number], f"{path}[{number}]")]
    return [] if given == read else [path]
