"""A training set made by several processes: each reads the log, and follows the windows of a share of the devices."""

import os
import signal
from collections import Counter
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, NamedTuple

import polars as pl

from dataflows.connectors.file_log import FileLog
from dataflows.connectors.kafka.log import KafkaLog
from dataflows.replay.labels import Labels
from dataflows.replay.replayed_log import ReplayedLog
from dataflows.replay.training_set import TrainingSet, training_set
from dataflows.services.own_means import OwnMeans
from dataflows.settings import RunSettings

__all__ = ["cores", "split_training_set", "worth_processes"]

_RECORDS_MIN: Final = 500_000
"""Of a log: below, the start of a process takes a good part of what it saves."""

_LINE_BYTES: Final = 160
"""Of a file, whose records are not counted: a line with four sensors has some 190."""


class _Part(NamedTuple):
    """What a process found.

    Attributes:
        found: of its share of the devices; the rows as in its labels.
        counted: by its metrics.
    """

    found: TrainingSet
    counted: dict[str, Any]


def cores() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def worth_processes(replay: ReplayedLog, labels: Labels) -> bool:
    """Whether a log is so long that it is worth starting processes, if there is a core for each and something to do."""
    log = replay.log
    if cores() == 1 or len(labels.table) == labels.without:
        return False
    if isinstance(log, KafkaLog):
        assert log.bounded is not None
        return sum(log.bounded.end_offsets) - sum(log.first_offsets) >= _RECORDS_MIN
    return isinstance(log, FileLog) and Path(log.path).stat().st_size >= _RECORDS_MIN * _LINE_BYTES


def split_training_set(replay: ReplayedLog, labels: Labels, processes: int) -> TrainingSet:
    """The default features at each label, as known, as ``training_set`` gives them.

    Args:
        replay: of a log; its metrics have the warnings of all processes.
        labels: where features are wanted.
        processes: how many share the devices.
    Raises:
        SettingsError: a column of the labels has the name of a feature.
        BrokerError: the records are gone meanwhile, or the broker is away.
    """
    parts = labels.parts(processes)
    work = partial(_part, replay.log.with_end(replay.settings))
    with get_context("spawn").Pool(processes, _ignore_interrupts) as pool:  # left by an error, it ends them
        found = pool.map(work, [part for part, _ in parts], chunksize=1)
    for one in found:
        for kind, warning in one.counted["warnings"].items():
            replay.metrics.warn(kind, warning)
    rows = pl.concat([pl.Series(rows) for _, rows in parts]).arg_sort()
    table = pl.concat([one.found.table for one in found])[rows]
    missing = sum((one.found.missing for one in found), Counter[str]())
    return TrainingSet(table, missing, sum(one.found.behind_the_end for one in found), None)


def _part(settings: RunSettings, labels: Labels) -> _Part:
    replay = ReplayedLog(settings, labels.by_device())
    features = OwnMeans(settings.log.layout.sensors)
    return _Part(training_set(replay, labels, features), replay.metrics.report())


def _ignore_interrupts() -> None:
    """Ctrl-C reaches every process of a terminal; the one that started these ends them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
