"""Makes the ONNX models beside it, by scikit-learn's own exports. Run by hand, in an environment of its own::

    pip install scikit-learn skl2onnx && python make.py

Each learns from random readings whether their weighted sum is above its mean.
"""

import json
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

FEATURES = ("sensor_1/v1", "sensor_2/v1", "sensor_3/v1", "sensor_4/v1")
MODELS = {
    "logistic": LogisticRegression(),
    "boosted": GradientBoostingClassifier(n_estimators=20, max_depth=3, random_state=1),
    "network": MLPClassifier((8,), max_iter=400, random_state=1),
}

random = np.random.default_rng(1)
readings = random.normal(size=(2_000, 4)).astype(np.float32)
is_high = (readings @ np.array([0.3, 0.5, 0.1, 0.2])) > 0
folder = Path(__file__).parent
for name, learner in MODELS.items():
    learner.fit(readings, is_high.astype(int))
    model = to_onnx(learner, initial_types=[("readings", FloatTensorType([None, 4]))], options={"zipmap": False})
    (folder / f"{name}.onnx").write_bytes(model.SerializeToString())
    (folder / f"{name}.onnx.json").write_text(json.dumps({"features": FEATURES, "id": f"{name}/v1"}) + "\n")


def written(name: str, rows: int | None, columns: dict[str, int]) -> None:
    """A model that adds its inputs up: one tensor for each."""
    inputs = [helper.make_tensor_value_info(one, TensorProto.FLOAT, [rows, width]) for one, width in columns.items()]
    output = helper.make_tensor_value_info("sum", TensorProto.FLOAT, [rows, 1])
    node = helper.make_node("Sum", list(columns), ["sum"])
    graph = helper.make_graph([node], name, inputs, [output])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    (folder / f"{name}.onnx").write_bytes(model.SerializeToString())


written("named", None, {"sensor_1/v1": 1, "sensor_2/v1": 1})
written("fixed", 5, {"sensor_1/v1": 1, "sensor_2/v1": 1})
written("wide", None, {"sensor_1/v1": 2, "sensor_2/v1": 1})
