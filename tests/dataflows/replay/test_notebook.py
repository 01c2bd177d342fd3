"""The notebook of the documentation runs from its first cell to its last, and shows what it says."""

import ast
import json
from contextlib import chdir
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.dataflows.commands import sample_log

NOTEBOOK = json.loads((ROOT / "docs" / "results.ipynb").read_text())
CODE = ["".join(cell["source"]) for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """What each cell shows: the value of the expression that it ends with."""
    folder = tmp_path_factory.mktemp("notebook")
    (folder / "latecomer-output").mkdir()
    (folder / "latecomer-output" / "sample-events.jsonl").write_bytes(sample_log(devices=42, hours=14, late=0.1))
    names: dict[str, Any] = {"__name__": "__main__"}
    values = []
    with chdir(folder):
        for number, text in enumerate(CODE, 1):
            *statements, last = ast.parse(text).body
            assert isinstance(last, ast.Expr)
            exec(compile(ast.Module(statements, []), f"cell {number}", "exec"), names)
            values.append(eval(compile(ast.Expression(last.value), f"cell {number}", "eval"), names))
    return values


def test_it_is_kept_without_outputs():
    assert NOTEBOOK["nbformat"] == 4
    assert all(cell["outputs"] == [] and cell["execution_count"] is None
               for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code")  # fmt: skip
    assert len({cell["id"] for cell in NOTEBOOK["cells"]}) == len(NOTEBOOK["cells"])


def test_each_table_has_rows(shown: list[Any]):
    causes, rejected, _, features, later, trained, moved = shown
    assert set(causes["cause"]) == {"event", "late_event", "tick"}
    assert set(rejected["device_id"]) <= {"device-0003", "device-0041"}
    assert rejected["len"].sum() > 0
    assert features["feature"].to_list() == [f"sensor_{number}/v1" for number in range(1, 5)]
    assert (later["arrival"] > later["time"]).any()
    assert trained["known"].null_count() < len(trained) > 10
    assert trained["moved"].max() > 0
    assert dict(moved.iter_rows())["max"] > 0


def test_the_chart_has_a_mark_for_each_late_event(shown: list[Any]):
    causes, chart = shown[0], shown[2]
    of_late = [score for score in chart["data"]["values"] if score["cause"] == "late_event"]
    assert 0 < len(of_late) <= causes.filter(cause="late_event")["len"].item()
    assert chart._repr_svg_().count('aria-roledescription="point"') == len(of_late)
