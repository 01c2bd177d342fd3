"""A feature and a model of our own. Their names hold a version: another formula is another version."""

from collections.abc import Mapping

from grpc_services.python.features import Window, Windows, batch_feature, feature
from grpc_services.python.models import Value, model
from grpc_services.python.windows import Float32s


@batch_feature("mean_celsius/v1")
def mean_celsius(windows: Windows) -> Float32s:
    """Of the last hours, for many windows at once: exact, and no slower where windows are long."""
    return windows.mean("celsius")


@feature("vibration_peak/v1")
def vibration_peak(window: Window) -> float:
    """Of one window, an array of readings in the order of time."""
    return float(window["vibration"].max())


@model("wear/v1", features=("mean_celsius/v1", "vibration_peak/v1"), results=("wear",))
def wear(values: Float32s) -> Mapping[str, Value]:
    celsius, vibration = values
    return {"wear": "high" if vibration > 0.5 and celsius > 20 else "low"}


FEATURES = (mean_celsius, vibration_peak)
