"""Makes further ONNX models beside it: exports of XGBoost and LightGBM, and a network of the form that PyTorch exports.

Run by hand, in an environment of its own::

    pip install xgboost lightgbm onnxmltools skl2onnx scikit-learn && python make_others.py

PyTorch itself is gigabytes, so its network is put together here node by node, as ``torch.onnx.export`` writes
``Sequential(Linear(4, 8), ReLU(), Linear(8, 1), Sigmoid())``.
"""

import json
from pathlib import Path

import numpy as np
from lightgbm import LGBMClassifier
from onnx import TensorProto, helper, numpy_helper
from onnxmltools import convert_lightgbm, convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType
from xgboost import XGBClassifier

FEATURES = ("sensor_1/v1", "sensor_2/v1", "sensor_3/v1", "sensor_4/v1")
folder = Path(__file__).parent
random = np.random.default_rng(1)
readings = random.normal(size=(2_000, 4)).astype(np.float32)
is_high = (readings @ np.array([0.3, 0.5, 0.1, 0.2]) > 0).astype(int)
types = [("readings", FloatTensorType([None, 4]))]


def written(name: str, model: object) -> None:
    (folder / f"{name}.onnx").write_bytes(model.SerializeToString())
    (folder / f"{name}.onnx.json").write_text(json.dumps({"features": FEATURES, "id": f"{name}/v1"}) + "\n")


xgboost = XGBClassifier(n_estimators=20, max_depth=3, random_state=1).fit(readings, is_high)
written("xgboost", convert_xgboost(xgboost, initial_types=types, target_opset=15))
lightgbm = LGBMClassifier(n_estimators=20, max_depth=3, random_state=1, verbose=-1).fit(readings, is_high)
written("lightgbm", convert_lightgbm(lightgbm, initial_types=types, target_opset=15, zipmap=False))

layers = {"0.weight": (8, 4), "0.bias": (8,), "2.weight": (1, 8), "2.bias": (1,)}
weights = [
    numpy_helper.from_array(random.normal(size=shape).astype(np.float32), name) for name, shape in layers.items()
]
nodes = [
    helper.make_node("Gemm", ["readings", "0.weight", "0.bias"], ["linear"], transB=1),
    helper.make_node("Relu", ["linear"], ["relu"]),
    helper.make_node("Gemm", ["relu", "2.weight", "2.bias"], ["score"], transB=1),
    helper.make_node("Sigmoid", ["score"], ["probability"]),
]
inputs = [helper.make_tensor_value_info("readings", TensorProto.FLOAT, ["rows", 4])]
outputs = [helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["rows", 1])]
graph = helper.make_graph(nodes, "main_graph", inputs, outputs, weights)
written("torch", helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9))
