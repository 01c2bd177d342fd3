"""Models in ONNX files: what they read and give, each row alone, and every file that is none."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from grpc_services.python.onnx_model import load_onnx
from grpc_services.python.plugins import load_model
from runtime.errors import SettingsError
from tests.conftest import ROOT

MODELS = ROOT / "tests" / "models"
FEATURES = ("sensor_1/v1", "sensor_2/v1", "sensor_3/v1", "sensor_4/v1")
ROWS = np.random.default_rng(1).normal(size=(257, 4)).astype(np.float32)


@pytest.mark.parametrize("name", ["logistic", "boosted", "network", "xgboost", "lightgbm", "torch"])
def test_an_export_answers_each_row_the_same_in_any_batch(name: str) -> None:
    """Of scikit-learn, XGBoost, LightGBM and a network of PyTorch's form; scikit-learn's are the first three."""
    model = load_model(str(MODELS / f"{name}.onnx"))
    assert (model.model_id, model.features) == (f"{name}/v1", FEATURES)
    assert model.results == (("probability",) if name == "torch" else ("label", "probabilities_0", "probabilities_1"))
    together, failed = model.predictions(ROWS)
    assert failed == {}
    for size in (1, 3, 100):
        parts = [model.predictions(ROWS[row : row + size])[0] for row in range(0, len(ROWS), size)]
        assert [texts for part in parts for texts in part] == together
    assert len({texts[-1] for texts in together}) > 50


def test_a_model_with_an_input_for_each_feature_needs_no_other_file() -> None:
    model = load_onnx(MODELS / "named.onnx")
    assert (model.model_id, model.features, model.results) == ("named/v0", FEATURES[:2], ("sum",))
    assert model.predictions(np.array([[1.5, 2]], np.float32)) == ([["3.5"]], {})


@pytest.mark.parametrize(
    ("name", "sidecar", "says"),
    [
        ("fixed", None, "input sensor_1/v1 has the shape [5, 1], not [rows, features]"),
        ("wide", None, "must have one input of all features, or one of one column for each"),
        ("logistic", None, "does not say which features it reads: name them in "),
        ("logistic", {"features": ["a"]}, "reads 4 features, "),
        ("logistic", {"features": [1, 2, 3, 4]}, 'must be {"id": …, "features": […]}'),
        ("logistic", {"features": ["a", "b", "c", "d"], "more": 1}, 'must be {"id": …, "features": […]}'),
        ("logistic", ["a"], 'must be {"id": …, "features": […]}'),
        ("logistic", {"features": ["a", "a", "b", "c"]}, "each with a name of its own"),
    ],
)
def test_a_model_that_cannot_be_asked_row_by_row_is_one_line(
    tmp_path: Path, name: str, sidecar: object, says: str
) -> None:
    path = tmp_path / f"{name}.onnx"
    shutil.copy(MODELS / path.name, path)
    if sidecar is not None:
        Path(f"{path}.json").write_text(json.dumps(sidecar))
    with pytest.raises(SettingsError, match=re.escape(says)) as caught:
        load_onnx(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"{}", b"\x08\x07" * 40, (MODELS / "logistic.onnx").read_bytes()[:-40]])
def test_a_file_that_is_no_model_is_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "drift.onnx"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match="is no ONNX model: ") as caught:
        load_onnx(path)
    assert "\n" not in str(caught.value)


def test_a_sidecar_that_is_no_json_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "logistic.onnx"
    shutil.copy(MODELS / path.name, path)
    Path(f"{path}.json").write_text("{")
    with pytest.raises(SettingsError, match="is no JSON"):
        load_onnx(path)
