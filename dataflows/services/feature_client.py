"""Asks the feature service alone: windows in, features out. Training needs no prediction."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dataflows.pipeline.metrics import Metrics
from dataflows.services.answers import Refusal
from dataflows.services.asking import Asking, feature_methods
from dataflows.services.batch_methods import DESCRIBE_FEATURES
from dataflows.services.calls import Service
from dataflows.services.chunks import Features, chunks_of
from dataflows.services.descriptions import feature_misfit
from dataflows.services.errors import MisfitError, ServiceError
from dataflows.settings import RunSettings
from grpc_services.python.row_ranges import Int64s
from grpc_services.python.stubs.latecomer.v1.batch_pb2 import FeatureServiceDescription
from window_core import Columns, Evaluation

__all__ = ["FeatureClient", "FeatureMatrix"]


class FeatureMatrix(NamedTuple):
    """The features of some windows.

    Attributes:
        names: of the features; none where every window was refused.
        values: float32, shape ``(windows, features)``; zeros where one was refused.
        refusals: by row.
    """

    names: list[str]
    values: NDArray[np.float32]
    refusals: dict[int, Refusal]


class FeatureClient:
    """Gets the features of windows by calls, many windows in each and several in flight."""

    def __init__(self, address: str, settings: RunSettings, metrics: Metrics) -> None:
        """Open channels; nothing is called yet.

        Args:
            address: ``HOST:PORT[,...]``.
            settings: the sensors, and the limits of calls.
            metrics: what counts them.
        Raises:
            SettingsError: it is no address.
        """
        self._calls = settings.calls
        self._sensors = settings.log.layout.sensors
        service = Service("features", address, settings, metrics)
        self._features = Asking(service, feature_methods(self._sensors, settings.calls.rpc))
        self._threads = ThreadPoolExecutor(settings.calls.calls_in_flight, thread_name_prefix="feature-call")

    def close(self) -> None:
        """End all calls."""
        self._features.service.close()
        self._threads.shutdown(cancel_futures=True)

    def check(self) -> list[str]:
        """Look whether the service can answer about windows of these sensors.

        Returns:
            The names of its features; none of a service that does not tell them.
        Raises:
            MisfitError: it cannot.
            ServiceError: it did not answer.
        """
        described = self._features.service.described(DESCRIBE_FEATURES, FeatureServiceDescription)
        if (why := feature_misfit(described, self._sensors)) is not None:
            raise MisfitError(why)
        return [] if described is None else list(described.feature)

    def features(self, evaluations: Sequence[Evaluation]) -> FeatureMatrix:
        """The features of all windows. When it returns, no call is in flight.

        Raises:
            ServiceError: the service did not answer within its attempts, or not with an answer.
        """
        windows_max = self._calls.batch_windows if self._features.takes_many else 1
        chunks = chunks_of(evaluations, windows_max, self._calls.batch_bytes)
        try:
            parts = [part for parts in self._threads.map(self._features.ask, chunks) for part in parts]
        except RuntimeError:  # the threads', after ``close``
            raise self._features.service.ended() from None
        return _joined(parts)

    def features_of(self, columns: Columns, starts: Int64s, ends: Int64s) -> FeatureMatrix:
        """The same for windows of the same columns, from row ``starts[i]`` up to, without, ``ends[i]``."""
        bounds = zip(starts.tolist(), ends.tolist(), strict=True)
        return self.features([Evaluation("tick", None, 0, 0, columns, start, end) for start, end in bounds])


def _joined(parts: Sequence[Features]) -> FeatureMatrix:
    """The answers to several questions as one."""
    names: list[str] = next((list(part.rows.names) for part in parts if len(part.rows)), [])
    matrices: list[NDArray[np.float32]] = []
    refusals: dict[int, Refusal] = {}
    rows = 0
    for part in parts:
        if len(part.rows) and list(part.rows.names) != names:
            raise ServiceError(f"the feature service has changed: it had {names}, and now {list(part.rows.names)}")
        size = len(part.rows) + len(part.refusals)
        matrix = np.zeros((size, len(names)), np.float32)
        answered = [row for row in range(size) if row not in part.refusals] if part.refusals else slice(None)
        matrix[answered] = np.frombuffer(part.rows.values, "<f4").reshape(len(part.rows), -1) if len(part.rows) else 0
        matrices.append(matrix)
        refusals |= {rows + row: refusal for row, refusal in part.refusals.items()}
        rows += size
    return FeatureMatrix(names, np.concatenate(matrices) if matrices else np.zeros((0, 0), np.float32), refusals)
