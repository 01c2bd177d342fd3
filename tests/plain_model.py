"""What the services answer for events of any sensors, by plain arithmetic: means and a logistic regression of them.

For the demo's sensors these are its own features and its own model; for others, the default features and a model made
up here, whose artifact an inference service is started with.
"""

import json
import math
from collections.abc import Mapping, Sequence
from struct import pack, unpack
from typing import NamedTuple

from window_core import DEMO_SENSORS, Evaluation, Sensors

__all__ = ["Answered", "PlainModel", "Refused", "plain_model"]


class Answered(NamedTuple):
    """What both services say."""

    features: Mapping[str, float]
    model_id: str
    result: Mapping[str, str]


class Refused(NamedTuple):
    """What the feature service says of a window that it refuses with INVALID_ARGUMENT."""

    message: str


class PlainModel(NamedTuple):
    """A model of the means of some sensors.

    Attributes:
        features: the name of the mean of each sensor.
        weights: one for each of them.
    """

    sensors: Sensors
    features: tuple[str, ...]
    model_id: str
    intercept: float
    weights: tuple[float, ...]

    @property
    def artifact(self) -> str:
        """What ``--model`` takes, as JSON."""
        weights = dict(zip(self.features, self.weights, strict=True))
        return json.dumps({"id": self.model_id, "intercept": self.intercept, "weights": weights})

    def answer(self, evaluation: Evaluation) -> Answered | Refused:
        """What the services say about an evaluation."""
        means = []
        columns = zip(*readings_of(evaluation), strict=True)
        for name, column in zip(self.sensors.names, columns, strict=True):
            there = [reading for reading in column if not math.isnan(reading)]
            if not there:
                return Refused(f"{name}: no reading in the window")
            means.append(_mean(there))
        score = self.intercept
        for weight, mean in zip(self.weights, means, strict=True):
            score = score + weight * mean
        chance = 1 / (1 + math.exp(-score)) if score >= 0 else math.exp(score) / (1 + math.exp(score))
        features = dict(zip(self.features, means, strict=True))
        return Answered(features, self.model_id, {"logistic_regression_result": f"{chance:.9g}"})


def plain_model(sensors: Sensors) -> PlainModel:
    """The model for some sensors."""
    if sensors == DEMO_SENSORS:
        features = tuple(f"sensor_{number}/v1" for number in range(1, 5))
        return PlainModel(sensors, features, "log_reg_model/v2", 0.006, (0.03, 0.05, 0.01, 0.02))
    features = tuple(f"mean_{name}/v1" for name in sensors.names)
    weights = tuple((0.01 + 0.003 * number) * (-1) ** number for number in range(sensors.width))
    return PlainModel(sensors, features, f"means_of_{sensors.width}/v3", -0.125, weights)


def readings_of(evaluation: Evaluation) -> list[Sequence[float]]:
    """The rows of a window as numbers; NaN where a reading is absent."""
    times, rows = evaluation.window()
    width = len(rows) // len(times) // 4
    return [unpack(f"<{width}f", rows[4 * width * row :][: 4 * width]) for row in range(len(times))]


def _mean(readings: Sequence[float]) -> float:
    """The mean as a float32; a zero as +0.0."""
    [rounded] = unpack("<f", pack("<f", math.fsum(readings) / len(readings)))
    return rounded or 0.0
