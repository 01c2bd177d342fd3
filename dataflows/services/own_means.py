"""The default features without a service: the means of the sensors, by the very functions of the feature service.

Where features are all that is asked for, and by the hundred thousand, calls would take most of the time. A mean has no
state and no way to fail but one, an optional sensor without a reading; whatever else a service runs, it runs itself.
"""

from collections.abc import Sequence

import numpy as np

from dataflows.services.answers import Refusal
from dataflows.services.chunks import Chunk, FeatureRows, Features
from grpc_services.python.errors import status_of
from grpc_services.python.features import feature_matrix, means_of
from grpc_services.python.windows import Windows
from window_core import Columns, Evaluation, Sensors

__all__ = ["OwnMeans"]


class OwnMeans:
    """Gives the features of windows as a feature service does that knows the means of these sensors."""

    def __init__(self, sensors: Sensors) -> None:
        self._sensors = sensors
        self._means = means_of(sensors)

    def check(self) -> list[str]:
        """The names of the features."""
        return [mean.name for mean in self._means]

    def features(self, evaluations: Sequence[Evaluation]) -> list[Features]:
        """The features of all windows, in their order."""
        if not evaluations:
            return []
        matrix, errors = feature_matrix(self._means, _windows_of(evaluations, self._sensors), lambda: True)
        refusals: dict[int, Refusal] = {}
        for row, error in errors.items():
            status, message = status_of(error)
            refusals[row] = Refusal.of(status.name, "features", message)
        rows = FeatureRows(Chunk(evaluations), self.check(), matrix.tobytes())
        if refusals:
            rows = rows.chosen([row for row in range(len(evaluations)) if row not in refusals])
        return [Features(rows, refusals)]


def _windows_of(evaluations: Sequence[Evaluation], sensors: Sensors) -> Windows:
    """The windows over the rows that any of them holds, each of these once."""
    spans: dict[Columns, tuple[int, int]] = {}
    for _, _, _, _, columns, start, end in evaluations:
        first, last = spans.get(columns, (start, end))
        spans[columns] = min(first, start), max(last, end)
    moved: dict[Columns, int] = {}  # from a row of the columns to one of all
    rows = 0
    for columns, (first, last) in spans.items():
        moved[columns] = rows - first
        rows += last - first
    parts = [columns.between(first, last) for columns, (first, last) in spans.items()]
    times = np.frombuffer(b"".join(times for times, _ in parts), np.int64)
    readings = np.frombuffer(b"".join(readings for _, readings in parts), "<f4").reshape(rows, sensors.width)
    starts, ends = np.array([(one.start + moved[one.columns], one.end + moved[one.columns]) for one in evaluations]).T
    return Windows(sensors, starts, ends, times, readings)
