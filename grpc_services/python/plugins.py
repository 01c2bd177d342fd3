"""Loads what an operator names: features and models of their own, out of any importable module."""

import importlib
import sys
from pathlib import Path

from grpc_services.python.features import Feature, Mean, means_of
from grpc_services.python.logistic_regression import DEFAULT_ARTIFACT, load_logistic_regression
from grpc_services.python.models import Model
from grpc_services.python.onnx_model import load_onnx
from runtime.errors import SettingsError
from window_core import Sensors

__all__ = ["load_features", "load_model"]


def load_features(features_from: str | None, sensors: Sensors) -> tuple[Feature, ...]:
    """The features named as ``module:name``, one or a sequence; ``None`` gives the mean of each sensor.

    Raises:
        SettingsError: there is nothing of that name, it is no feature, two have one name, or one is the mean of a
            sensor that is not there.
    """
    if features_from is None:
        return means_of(sensors)
    found = _loaded("--features-from", features_from)
    features = (found,) if isinstance(found, Feature) else found
    if not isinstance(features, tuple | list) or not all(isinstance(one, Feature) for one in features):
        raise SettingsError(f"--features-from {features_from} is neither a feature nor a sequence of features")
    names = [one.name for one in features]
    if not names or len(set(names)) < len(names):
        raise SettingsError(f"--features-from {features_from} must hold at least one feature, each name once")
    for one in features:
        if isinstance(one, Mean) and one.sensor not in sensors.names:
            raise SettingsError(f"--features-from: {one.name} is the mean of {one.sensor}, the sensors are {sensors}")
    return tuple(features)


def load_model(source: str | None) -> Model:
    """The model of an artifact or ONNX file, or of ``module:name``; ``None`` gives the one that is shipped.

    Raises:
        SettingsError: there is no such file or name, or it is no model.
    """
    if source is None:
        return load_logistic_regression(DEFAULT_ARTIFACT)
    if ":" not in source or Path(source).is_file():
        return load_onnx(Path(source)) if source.endswith(".onnx") else load_logistic_regression(Path(source))
    found = _loaded("--model", source)
    if not isinstance(found, Model):
        raise SettingsError(f"--model {source} is not a model")
    return found


def _loaded(flag: str, source: str) -> object:
    """What stands under ``module:name``; the module may lie in the current folder, as a user's own would."""
    module_name, _, name = source.partition(":")
    if not module_name or not name:
        raise SettingsError(f"{flag} must be written module:name, not {source!r}")
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.append(folder)  # behind everything else: it must not shadow an installed module
    try:
        return getattr(importlib.import_module(module_name), name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever a user's module raises while it is imported
        reason = " ".join(str(error).split())
        raise SettingsError(f"{flag} {source} cannot be loaded: {type(error).__name__}: {reason}") from error
