"""The default features without a service: the means of the sensors, by the very functions of the feature service.

Where features are all that is asked for, and by the hundred thousand, calls would take most of the time. A mean has no
state and no way to fail but one, an optional sensor without a reading; whatever else a service runs, it runs itself.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dataflows.services.answers import Refusal
from dataflows.services.feature_client import FeatureMatrix
from grpc_services.python.errors import status_of
from grpc_services.python.features import feature_matrix, means_of
from grpc_services.python.row_ranges import Int64s
from grpc_services.python.windows import Windows
from window_core import Columns, Evaluation, Sensors

__all__ = ["OwnMeans"]


class OwnMeans:
    """Gives the features of windows as a feature service does that knows the means of these sensors."""

    def __init__(self, sensors: Sensors) -> None:
        self._sensors = sensors
        self._means = means_of(sensors)
        self._names = [mean.name for mean in self._means]

    def check(self) -> list[str]:
        """The names of the features."""
        return self._names

    def features(self, evaluations: Sequence[Evaluation]) -> FeatureMatrix:
        """The features of all windows."""
        spans: dict[Columns, list[int]] = {}  # of each columns, the rows that a window holds, and which number it has
        numbers, starts, ends = [], [], []
        for _, _, _, _, columns, start, end in evaluations:
            span = spans.get(columns)
            if span is None:
                span = spans[columns] = [start, end, len(spans)]
            elif start < span[0]:
                span[0] = start
            if end > span[1]:
                span[1] = end
            numbers.append(span[2])
            starts.append(start)
            ends.append(end)
        bounds = np.array([span[:2] for span in spans.values()], np.int64).reshape(-1, 2)
        counts = bounds[:, 1] - bounds[:, 0]
        moved = (np.cumsum(counts) - counts - bounds[:, 0])[np.array(numbers, np.int64)]
        parts = [columns.between(first, last) for columns, (first, last, _) in spans.items()]
        times = np.frombuffer(b"".join(times for times, _ in parts), np.int64)
        readings = np.frombuffer(b"".join(readings for _, readings in parts), "<f4")
        return self._of(times, readings, np.array(starts, np.int64) + moved, np.array(ends, np.int64) + moved)

    def features_of(self, columns: Columns, starts: Int64s, ends: Int64s) -> FeatureMatrix:
        """The features of windows of the same columns, from row ``starts[i]`` up to, without, ``ends[i]``."""
        times, rows = columns.views
        return self._of(np.frombuffer(times, np.int64), np.frombuffer(rows, "<f4"), starts, ends)

    def _of(self, times: Int64s, readings: NDArray[np.float32], starts: Int64s, ends: Int64s) -> FeatureMatrix:
        windows = Windows(self._sensors, starts, ends, times, readings.reshape(-1, self._sensors.width))
        matrix, errors = feature_matrix(self._means, windows, lambda: True)
        refusals: dict[int, Refusal] = {}
        for row in sorted(errors):
            status, message = status_of(errors[row])
            refusals[row] = Refusal.of(status.name, "features", message)
        return FeatureMatrix(self._names, matrix, refusals)
