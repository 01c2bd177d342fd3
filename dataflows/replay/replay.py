"""What a notebook or a program asks of a log: its predictions, why one is what it is, features for its labels."""

from collections.abc import Container
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any, Final, Self

from dataflows.pipeline.record import OutputKind
from dataflows.replay.replayed_log import ReplayedLog
from dataflows.settings import RunSettings
from runtime.errors import SettingsError

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Replay"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Replay(ReplayedLog):
    """A log and the settings of a run on it; its results are computed when they are asked for, and come as tables.

    >>> replay = Replay.of("tests/dataflows/replay/small.jsonl")
    >>> replay.predictions().select("position", "cause", "events")
    shape: (3, 3)
    ┌──────────┬────────────┬────────┐
    │ position ┆ cause      ┆ events │
    │ ---      ┆ ---        ┆ ---    │
    │ str      ┆ str        ┆ i64    │
    ╞══════════╪════════════╪════════╡
    │ 0/0      ┆ event      ┆ 1      │
    │ 0/1      ┆ event      ┆ 2      │
    │ 0/2      ┆ late_event ┆ 3      │
    └──────────┴────────────┴────────┘
    """

    @classmethod
    def of(cls, log: str, *, devices: Container[str] = (), **settings: Any) -> Self:
        """A replay of a file or a topic, under settings named as the fields of ``RunSettings``."""
        return cls(RunSettings.of_replay(input=log, **settings), devices)

    def explained(self, moment: str, at: datetime | None = None) -> dict[str, Any]:
        """Why a prediction is what it is, as ``latecomer explain --json`` prints it.

        Args:
            moment: the id of an evaluation, a position, or with ``at`` a device.
            at: the instant of its window, by the clock of arrivals; it has a zone.
        Raises:
            SettingsError: it is no moment.
            MissingError: the log has no such moment.
            ServiceError: a service failed.

        >>> explained = Replay.of("tests/dataflows/replay/small.jsonl").explained("0/2")
        >>> explained["moment"], explained["event"]["behind_newest_ms"], explained["window"]["events"]
        ('late_event', 60000, 3)
        >>> [(feature["name"], feature["value"]) for feature in explained["features"]][0]
        ('sensor_1/v1', 2.0)
        """
        from dataflows.replay.explanation import explained
        from dataflows.replay.finding_moments import found_moment
        from dataflows.replay.moments import moment_of
        from dataflows.services.embedded import services_here

        if at is not None and at.tzinfo is None:
            raise SettingsError(f"at {at.isoformat()} has no time zone")
        history = found_moment(
            self, moment_of(moment, None if at is None else (at - _EPOCH) // timedelta(milliseconds=1))
        )
        with nullcontext() if history.rejected is not None else self.asking(services_here) as client:
            return explained(history, self.settings.log.layout.sensors, client)

    def training_set(
        self,
        labels: "pl.DataFrame",
        *,
        as_of: bool = False,
        device: str = "device_id",
        time: str = "time",
        zone: tzinfo | None = None,
    ) -> "pl.DataFrame":
        """Labels with the features of each device at each time, float32; null where there is no window.

        Args:
            labels: a row for each.
            as_of: by event time, late events included; default: as known at the time.
            device: the column with the ids of the devices.
            time: the column with the instants: numbers of ms since the Unix epoch, datetimes, or texts of ISO 8601.
            zone: of datetimes and texts without one.
        Raises:
            SettingsError: a column is not there, has the name of a feature, or a time is none.
            ServiceError: a service failed.

        >>> import polars as pl
        >>> labels = pl.DataFrame({"device_id": ["pump-7"], "time": ["2020-04-26T17:02:10Z"], "failed": [True]})
        >>> Replay.of("tests/dataflows/replay/small.jsonl").training_set(labels)["sensor_1/v1"].to_list()
        [2.0]
        """
        from dataflows.replay.labels import Labels
        from dataflows.replay.training_set import feature_source, training_set

        places = Labels(labels, device=device, time=time, zone=zone)
        with feature_source(self) as features:
            return training_set(self, places, features, as_of=as_of).table

    def predictions(self) -> "pl.DataFrame":
        """Every prediction as a row; see ``tables.predictions_table``."""
        return self.tables()[0]

    def rejections(self) -> "pl.DataFrame":
        """Every rejection as a row; see ``tables.rejections_table``."""
        return self.tables()[1]

    def tables(self) -> "tuple[pl.DataFrame, pl.DataFrame]":
        """The predictions and the rejections."""
        from dataflows.replay.tables import predictions_table, rejections_table

        lines: dict[OutputKind, list[bytes]] = {"predictions": [], "rejections": []}
        with self.asking() as client:
            for record in self.records(client):
                lines[record.kind].append(record.value)
        return predictions_table(lines["predictions"]), rejections_table(lines["rejections"])
