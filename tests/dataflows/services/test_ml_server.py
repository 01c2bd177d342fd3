"""A real MLServer in place of the inference service, on both engines; killed and started again in the midst."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.dataflows.commands import latecomer, sample_log, started
from tests.dataflows.ml_server import MlServer, environment
from tests.interop.page import free_ports


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlServer]:
    server = MlServer(environment(), tmp_path_factory.mktemp("mlserver") / "models", list(free_ports("123").values()))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def events(tmp_path: Path) -> Path:
    path = tmp_path / "events.jsonl"
    path.write_bytes(sample_log(devices=40, hours=12))
    return path


def predictions(path: Path) -> list[dict[str, Any]]:
    return sorted(map(json.loads, path.read_text().splitlines()), key=lambda one: one["evaluation_id"])


RUN = ("run", "--input", "events.jsonl", "--attempts", "20", "--batch-windows", "64", "--output")


def test_its_predictions_are_those_of_the_model_and_a_kill_loses_and_refuses_none(
    server: MlServer, events: Path, tmp_path: Path
) -> None:
    own = latecomer(*RUN, "own.jsonl", cwd=tmp_path)
    assert own.returncode == 0, own.stderr
    inference = ("--inference", f"oip://{server.address}/drift")
    with started(*RUN, "served.jsonl", *inference, cwd=tmp_path) as process:
        while not (tmp_path / "served.jsonl").exists() or not (tmp_path / "served.jsonl").stat().st_size:
            assert process.poll() is None
        server.kill()
        written = len((tmp_path / "served.jsonl").read_bytes().splitlines())
        server.start()
        said, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert b"REFUSED" not in said
    right, served = predictions(tmp_path / "own.jsonl"), predictions(tmp_path / "served.jsonl")
    assert 0 < written < len(served) == len(right)
    for one, other in zip(served, right, strict=True):
        assert (one.pop("model_id"), list(one["result"])) == ("drift/3", ["probability"])
        assert other.pop("model_id") == "log_reg_model/v2"
        served_value, right_value = float(*one.pop("result").values()), float(*other.pop("result").values())
        assert served_value == pytest.approx(right_value, rel=1e-8)
        assert one == other


def test_flink_asks_it_as_well(has_flink: None, server: MlServer, tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_bytes(sample_log(devices=5, hours=3))
    inference = ("--inference", f"oip://{server.address}/drift")
    for engine in ("bytewax", "flink"):
        with started(*RUN, f"{engine}.jsonl", *inference, "--engine", engine, cwd=tmp_path) as process:
            _, errors = process.communicate(
                timeout=600
            )  # a job needs a minute and a half on a machine that is very busy
        assert process.returncode == 0, errors
    assert predictions(tmp_path / "flink.jsonl") == predictions(tmp_path / "bytewax.jsonl")
