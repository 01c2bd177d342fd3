"""What the services say about themselves, held against what a run needs before its first event. No I/O."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from grpc_services.python.stubs.latecomer.v1.batch_pb2 import FeatureServiceDescription, InferenceServiceDescription
from window_core import DEMO_SENSORS, Sensors

__all__ = ["Described", "feature_misfit", "listed", "misfit"]

_NAMES_TOLD: Final = 8


class Described(NamedTuple):
    """The descriptions of both services; ``None`` of one that has none, such as one of the original demo."""

    features: FeatureServiceDescription | None
    inference: InferenceServiceDescription | None


def misfit(described: Described, sensors: Sensors) -> str | None:
    """Why the services cannot answer about events of these sensors, in one line; ``None`` if they can."""
    features, inference = described
    if (why := feature_misfit(features, sensors)) is not None:
        return why
    if inference is None and sensors != DEMO_SENSORS:
        return _original("inference", sensors)
    if features is not None and inference is not None:
        missing = [name for name in inference.feature if name not in features.feature]
        if missing:
            return (
                f"the model {inference.model_id} needs {listed(missing)}, which the feature service has not: it has "
                f"{listed(features.feature)}"
            )
    return None


def feature_misfit(features: FeatureServiceDescription | None, sensors: Sensors) -> str | None:
    """Why the feature service alone cannot; as above."""
    if features is None:
        return None if sensors == DEMO_SENSORS else _original("feature", sensors)
    if tuple(features.sensor) != sensors.declared:
        there = ", ".join(features.sensor)
        return f"the feature service is for the sensors {there}; the sensors of this run are {sensors}: see --sensors"
    return None


def _original(name: str, sensors: Sensors) -> str:
    return (
        f"the {name} service knows only the methods of the original demo, which are for the sensors {DEMO_SENSORS}; "
        f"the sensors of this run are {sensors}"
    )


def listed(names: Sequence[str]) -> str:
    """Names for a line of text, the first of many."""
    more = len(names) - _NAMES_TOLD
    return ", ".join(names[:_NAMES_TOLD]) + (f" and {more} more" if more > 0 else "") if names else "none"
