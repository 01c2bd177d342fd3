"""Every alert fires when it should and clears when it should, as Prometheus' own tool tells."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.monitoring.rules import ALERTS, promtool, written_rules

CASES: dict[str, dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("firing.yaml").read_text())


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written_rules(tmp_path_factory.mktemp("alerts"))


def test_every_alert_is_tried() -> None:
    assert list(CASES) == list(ALERTS)


def test_the_rules_are_what_prometheus_takes(rules: Path) -> None:
    said = promtool("check", "rules", "--lint-fatal", str(rules))
    assert said.returncode == 0, said.stdout + said.stderr


@pytest.mark.parametrize("name", CASES)
def test_an_alert_fires_and_clears(name: str, rules: Path, tmp_path: Path) -> None:
    said = said_of(name, CASES[name]["fires"], CASES[name]["silent"], rules, tmp_path)
    assert said.returncode == 0, said.stdout + said.stderr


def test_a_wrong_expectation_is_found(rules: Path, tmp_path: Path) -> None:
    case = CASES["LatecomerWindowFull"]
    assert said_of("LatecomerWindowFull", case["silent"], [], rules, tmp_path).returncode == 1
    assert said_of("LatecomerWindowFull", [], case["fires"], rules, tmp_path).returncode == 1


def said_of(
    name: str, fires: list[int], silent: list[int], rules: Path, folder: Path
) -> "subprocess.CompletedProcess[str]":
    """What the tool says of an alert that should fire at some minutes, and not at others."""
    series = [{"series": series, "values": values} for series, values in CASES[name]["series"].items()]
    minutes = [(minute, True) for minute in fires] + [(minute, False) for minute in silent]
    expressions = [
        {
            "expr": f'count(ALERTS{{alertname="{name}", alertstate="firing"}}) or vector(0)',
            "eval_time": f"{minute}m",
            "exp_samples": [{"labels": "{}", "value": int(is_firing)}],
        }
        for minute, is_firing in minutes
    ]
    case = {"interval": "1m", "input_series": series, "promql_expr_test": expressions}
    file = folder / "case.yaml"
    file.write_text(yaml.safe_dump({"rule_files": [str(rules)], "evaluation_interval": "1m", "tests": [case]}))
    return promtool("test", "rules", str(file))
