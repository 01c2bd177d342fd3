"""Features for training, each as of the time of a label: what a live run would have computed then, or should have.

As known: the log is replayed, and a label is answered when its partition passes its instant, before the next record is
looked at. What arrived later has not been read yet, so it cannot leak into the features. As of event time: the window
holds what the device had measured by then, whenever it arrived; later readings are still out of reach, by their times.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import islice
from typing import Final, NamedTuple, TypeAlias

import numpy as np
import polars as pl

from dataflows.pipeline.device import Device
from dataflows.pipeline.record import LoggedEvent
from dataflows.replay.event_time import EventTimes, windows
from dataflows.replay.labels import Instants, Labels
from dataflows.replay.replayed_log import ReplayedLog
from dataflows.services.answers import Refusal
from dataflows.services.embedded import feature_service_of
from dataflows.services.errors import ServiceError
from dataflows.services.feature_client import FeatureClient, FeatureMatrix
from dataflows.services.own_means import OwnMeans
from grpc_services.python.row_ranges import Int64s
from runtime.errors import SettingsError
from window_core import Columns, Evaluation

__all__ = ["FeatureSource", "TrainingSet", "feature_source", "training_set"]

FeatureSource: TypeAlias = FeatureClient | OwnMeans
"""Gives the features of windows."""


@contextmanager
def feature_source(replay: ReplayedLog) -> Iterator[FeatureSource]:
    """Where features come from: a service, unless they are the default ones, which are computed here.

    Raises:
        ServiceError: a service of its own did not start.
    """
    settings = replay.settings
    if settings.calls.features is None and settings.calls.features_from is None:
        yield OwnMeans(settings.log.layout.sensors)
        return
    with feature_service_of(settings) as address, closing(FeatureClient(address, settings, replay.metrics)) as client:
        yield client


_AT_ONCE: Final = 16_384
"""Windows asked about together: 16 calls."""

_Found: TypeAlias = tuple[int, Evaluation | None]
"""The row of a label, and its window."""


class TrainingSet(NamedTuple):
    """Labels with features.

    Attributes:
        table: the columns of the labels, and one of float32 for each feature; null where there are none.
        missing: how many rows have none, by why.
        behind_the_end: how many labels are later than all that was read of their partition, answered as of its end.
        refusal: the first of those that the service refused.
    """

    table: pl.DataFrame
    missing: Counter[str]
    behind_the_end: int
    refusal: Refusal | None


def training_set(replay: ReplayedLog, labels: Labels, features: FeatureSource, *, as_of: bool = False) -> TrainingSet:
    """The features at each label.

    Args:
        replay: of a log, for all devices or those of the labels.
        labels: where features are wanted.
        features: gives the features of windows.
        as_of: by event time, late events included; default: as known at the time.
    Raises:
        SettingsError: a column of the labels has the name of a feature.
        ServiceError: the service failed.
        BrokerError: the records are gone meanwhile, or the broker is away.
    """
    found = _Windows(replay, labels)
    filled = _Filled(labels, features.check())
    if as_of:
        for rows, columns, starts, ends in found.as_of():
            filled.fill(rows[ends > 0], features.features_of(columns, starts[ends > 0], ends[ends > 0]))
    else:
        known = found.as_known()
        while batch := list(islice(known, _AT_ONCE)):
            evaluations = [window for _, window in batch if window is not None]
            rows = np.array([row for row, window in batch if window is not None], np.int64)
            filled.fill(rows, features.features(evaluations))
    return TrainingSet(filled.table(), filled.missing(found.unknown()), found.behind_the_end, filled.refusal)


class _Windows:
    """Finds the window of each label; rows come in the order in which their windows are known."""

    def __init__(self, replay: ReplayedLog, labels: Labels) -> None:
        self._replay = replay
        self._labels = labels.by_device()
        self._partitions: dict[str, int] = {}
        self.behind_the_end = 0

    def unknown(self) -> int:
        """How many labels are of devices without a record."""
        return sum(len(found.rows) for device, found in self._labels.items() if device not in self._partitions)

    def as_known(self) -> Iterator[_Found]:
        """Each window as it was when the clock of the log stood at the instant."""
        spec = replace(self._replay.spec, tick_ms=0)  # a tick changes no window
        for partition in self._partitions_to_read():
            devices: dict[str, tuple[Device, _Waiting]] = {}
            for logged in self._events(partition):
                device_id = logged.event.device_id
                if device_id not in devices:
                    devices[device_id] = Device(spec, self._replay.metrics), _waiting(self._labels[device_id])
                device, waiting = devices[device_id]
                while waiting and waiting[-1][0] < logged.arrival_ms:  # an event at the very instant comes first
                    at_ms, row = waiting.pop()
                    yield row, device.evaluated_at(at_ms)
                if waiting:
                    device.take(logged)
            end_ms = self._replay.end_ms[partition]
            for device, waiting in devices.values():
                for at_ms, row in reversed(waiting):
                    self.behind_the_end += end_ms is not None and at_ms > end_ms
                    yield row, device.evaluated_at(at_ms)

    def as_of(self) -> Iterator[tuple[Int64s, Columns, Int64s, Int64s]]:
        """Each window as it should have been at the instant, device by device: rows of labels, and ``windows``."""
        for partition in self._partitions_to_read():
            gathered = EventTimes(self._labels)
            for events in self._replay.columns(partition):
                gathered.take(events)
            end_ms = self._replay.end_ms[partition]
            for device_id, columns in gathered.by_device(self._replay.spec):
                if not self._is_first(device_id, partition):
                    continue
                rows, times_ms = self._labels[device_id]
                if end_ms is not None:
                    self.behind_the_end += int((times_ms > end_ms).sum())
                yield rows, columns, *windows(columns, self._replay.spec, times_ms)

    def _partitions_to_read(self) -> range:
        return range(self._replay.log.partitions if self._labels else 0)

    def _events(self, partition: int) -> Iterator[LoggedEvent]:
        """The events of devices that have labels; of one with records in two partitions, those in the first."""
        for found in self._replay.events(partition):
            if not isinstance(found, LoggedEvent) or (device_id := found.event.device_id) not in self._labels:
                continue
            if self._is_first(device_id, partition):
                yield found

    def _is_first(self, device_id: str, partition: int) -> bool:
        """Whether the device has no records in a partition before."""
        first = self._partitions.setdefault(device_id, partition)
        if first != partition:
            self._replay.metrics.warn(
                "two partitions",
                f"device {device_id} has records in partitions {first} and {partition}: its features "
                "are made of those in the first",
            )
        return first == partition


_Waiting: TypeAlias = list[tuple[int, int]]
"""The instants of labels and their rows, the next one last."""


def _waiting(labels: Instants) -> _Waiting:
    return list(zip(labels.times_ms[::-1].tolist(), labels.rows[::-1].tolist(), strict=True))


class _Filled:
    """Puts the features of each window where its label stands."""

    def __init__(self, labels: Labels, names: list[str]) -> None:
        self._labels = labels
        self._names: list[str] = []
        self._matrix = np.zeros((len(labels.table), 0), np.float32)
        self._has = np.zeros(len(labels.table), bool)
        self._refused = 0
        self.refusal: Refusal | None = None
        self._name(names)

    def fill(self, rows: Int64s, found: FeatureMatrix) -> None:
        """Fill in some rows."""
        values = found.values
        if found.refusals:
            self._refused += len(found.refusals)
            self.refusal = self.refusal or found.refusals[min(found.refusals)]
            rows = np.delete(rows, list(found.refusals))
            values = np.delete(values, list(found.refusals), axis=0)
        if len(rows):
            self._name(found.names)
            self._matrix[rows] = values
            self._has[rows] = True

    def missing(self, unknown: int) -> Counter[str]:
        """How many rows have no features, by why.

        Args:
            unknown: those of devices without a record.
        """
        found = Counter({"no device or no time": self._labels.without, "unknown device": unknown})
        found["refused by the feature service"] = self._refused
        found["no window at the time"] = len(self._has) - int(self._has.sum()) - found.total()
        return +found

    def table(self) -> pl.DataFrame:
        """The labels with their features."""
        has = pl.Series(self._has)
        features = pl.DataFrame(
            [
                pl.Series(name, np.ascontiguousarray(values))
                for name, values in zip(self._names, self._matrix.T, strict=True)
            ]
        )
        return pl.concat([self._labels.table, features.select(pl.when(has).then(pl.all()))], how="horizontal")

    def _name(self, names: list[str]) -> None:
        """Take the names of the features, which stay the same."""
        if names == self._names or not names:
            return
        if self._names:
            raise ServiceError(f"the feature service has changed: it had {self._names}, and now {names}")
        if taken := [name for name in names if name in self._labels.table.columns]:
            raise SettingsError(f"--at: a column of the labels is named as a feature, {taken[0]}; rename it")
        self._names = names
        self._matrix = np.zeros((len(self._has), len(names)), np.float32)
