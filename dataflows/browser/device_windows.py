"""The windows of one device at each of its evaluations, from its log: as it stands, and as it was."""

from collections.abc import Callable
from threading import Lock
from typing import Any, Final

from dataflows.pipeline.record import OutputRecord
from dataflows.replay.explanation import explained
from dataflows.replay.explanation_text import explanation_lines
from dataflows.replay.finding_moments import found_moment
from dataflows.replay.moments import moment_of
from dataflows.replay.replayed_log import ReplayedLog
from dataflows.settings import RunSettings
from window_core import Evaluation

__all__ = ["DeviceWindows"]

_EVALUATIONS_SHOWN: Final = 5_000
_EVENTS_SHOWN: Final = 2_000
"""What a slider and a chart can show: the latest evaluations, and so many events of a window, evenly chosen."""


class DeviceWindows:
    """Reads a log again for one device at a time, the one that was asked about last. Any thread may ask."""

    def __init__(self, settings: RunSettings, say: Callable[[str], None]) -> None:
        """Check that the log can be read again.

        Raises:
            SettingsError: there is no such log.
            BrokerError: the broker is away.
            InputError: the file is of another format.
        """
        self._settings = ReplayedLog(settings, (), say).settings
        self._lock = Lock()
        self._device_id: str | None = None
        self._evaluations: dict[str, tuple[Evaluation, str | None]] = {}

    def evaluations(self, device_id: str) -> list[dict[str, Any]]:
        """The evaluations of a device as the log has them now, the latest last; it is read for this."""
        with self._lock:
            self._read(device_id)
            shown = list(self._evaluations.values())[-_EVALUATIONS_SHOWN:]
        return [
            {"id": evaluation.evaluation_id, "cause": evaluation.cause, "as_of_ms": evaluation.as_of_ms}
            for evaluation, _ in shown
        ]

    def window(self, device_id: str, evaluation_id: str) -> dict[str, Any] | None:
        """The window of a device at an evaluation, and what the evaluation is; ``None``: the log does not have it."""
        with self._lock:
            if device_id != self._device_id:
                self._read(device_id)
            if evaluation_id not in self._evaluations:
                return None
            evaluations = list(self._evaluations.values())
            place = list(self._evaluations).index(evaluation_id)
        evaluation, position = evaluations[place]
        before = evaluations[place - 1][0] if place and evaluation.seq else None
        late = {
            one.event_ms
            for one, _ in evaluations[: place + 1]
            if one.cause == "late_event" and one.columns.session_ms == evaluation.columns.session_ms
        }
        return {
            "id": evaluation_id,
            "cause": evaluation.cause,
            "position": position,
            "as_of_ms": evaluation.as_of_ms,
            "event_ms": evaluation.event_ms,
            "newest_ms": evaluation.newest_ms,
            "oldest_ms": evaluation.oldest_ms,
            "lowest_ms": evaluation.newest_ms - self._settings.window.interval_ms,
            "events": evaluation.events,
            "events_before": None if before is None else before.events,
            **self._shown(evaluation, late),
        }

    def explanation(self, evaluation_id: str) -> list[tuple[str, str]]:
        """An evaluation explained, without the services: the lines of ``latecomer explain``; the log is read for it.

        Raises:
            SettingsError: the log does not have it.
        """
        with self._lock:
            history = found_moment(ReplayedLog(self._settings), moment_of(evaluation_id, None))
        return list(explanation_lines(explained(history, self._settings.log.layout.sensors, None)))

    def _shown(self, evaluation: Evaluation, late: set[int | None]) -> dict[str, Any]:
        """The events of a window, or as many as a chart can show: late ones and the one that caused it among them."""
        times, rows = evaluation.window()
        sensors = self._settings.log.layout.sensors
        every = -(-len(times) // _EVENTS_SHOWN)
        shown = []
        for at, time_ms in enumerate(times):
            kind = "cause" if time_ms == evaluation.event_ms else "late" if time_ms in late else "event"
            if kind != "event" or at % every == 0:
                row = bytes(rows[at * sensors.row_bytes : (at + 1) * sensors.row_bytes])
                shown.append([time_ms, kind, *sensors.readings(row)])
        return {"sensors": list(sensors.names), "shown": shown}

    def _read(self, device_id: str) -> None:
        self._device_id, self._evaluations = None, {}
        for output in ReplayedLog(self._settings, {device_id}).outputs():
            if isinstance(output, OutputRecord):
                continue  # an INVALID record is of no device
            evaluation, position = output
            if isinstance(evaluation, Evaluation):
                self._evaluations[evaluation.evaluation_id] = evaluation, position
        self._device_id = device_id
