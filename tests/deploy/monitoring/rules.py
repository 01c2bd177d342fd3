"""The alerts and the dashboard of the component ``monitoring``, and Prometheus' own tool."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.conftest import ROOT

__all__ = ["ALERTS", "DASHBOARD", "metrics_of", "panels", "promtool", "queries", "written_rules"]

_COMPONENT: Final = ROOT / "deploy" / "kubernetes" / "components" / "monitoring"
_RULES: Final[dict[str, Any]] = yaml.safe_load((_COMPONENT / "alerts.yaml").read_text())["spec"]

ALERTS: Final[dict[str, dict[str, Any]]] = {
    rule["alert"]: rule for group in _RULES["groups"] for rule in group["rules"]
}
DASHBOARD: Final[dict[str, Any]] = json.loads((_COMPONENT / "dashboard.json").read_text())

_METRIC: Final = re.compile(r"\b(?:latecomer|flink)_\w+")


def written_rules(folder: Path) -> Path:
    """The rules as Prometheus itself reads them, without the Prometheus Operator."""
    file = folder / "rules.yaml"
    file.write_text(yaml.safe_dump(_RULES))
    return file


def panels() -> Iterator[dict[str, Any]]:
    """Those of the dashboard that draw something."""
    yield from (panel for panel in DASHBOARD["panels"] if panel["type"] != "row")


def queries() -> Iterator[tuple[str, str]]:
    """Each query of the dashboard, with the title of its panel."""
    for panel in panels():
        yield from ((panel["title"], target["expr"]) for target in panel["targets"])


def metrics_of(expression: str) -> set[str]:
    return set(_METRIC.findall(expression))


def promtool(*arguments: str) -> "subprocess.CompletedProcess[str]":
    tool = shutil.which("promtool")
    if tool is None:
        pytest.skip("promtool is missing: install Debian's package prometheus")
    return subprocess.run([tool, *arguments], capture_output=True, text=True, check=False, timeout=60)
