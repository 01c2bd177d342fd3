"""Labels say when in whatever way a table can: numbers, datetimes, texts."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from dataflows.replay.labels import Labels
from runtime.errors import SettingsError

BERLIN = ZoneInfo("Europe/Berlin")
MS = 1_772_348_400_123  # 2026-03-01 07:00:00.123 UTC, 08:00 in Berlin
LOCAL = datetime(2026, 3, 1, 8, 0, 0, 123_000)  # noqa: DTZ001  # what has no zone is what is tested


def times_of(values: list, zone: ZoneInfo | None = None, dtype: pl.DataType | None = None) -> list[int]:
    labels = Labels(pl.DataFrame({"device_id": ["d"] * len(values), "time": pl.Series(values, dtype=dtype)}), zone=zone)
    return labels.by_device()["d"].times_ms.tolist()


@pytest.mark.parametrize(
    ("value", "zone"),
    [
        (MS, None),
        (float(MS), None),
        (datetime(2026, 3, 1, 7, 0, 0, 123_999, UTC), None),
        (datetime(2026, 3, 1, 8, 0, 0, 123_999, BERLIN), None),
        (LOCAL, BERLIN),
        ("2026-03-01T08:00:00.123999+01:00", None),
        ("2026-03-01T07:00:00.123Z", BERLIN),
        ("2026-03-01 08:00:00.123", BERLIN),
        (str(MS), None),
    ],
)
def test_an_instant_may_be_written_in_many_ways(value, zone):
    assert times_of([value], zone) == [MS]


def test_a_date_is_its_midnight():
    assert times_of([date(2026, 3, 1)], BERLIN) == [MS - 123 - 8 * 3_600_000]


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (LOCAL, "the times in time have no time zone; give --time-zone"),
        (date(2026, 3, 1), "give --time-zone"),
        (
            "2026-03-01T08:00:00",
            "time of row 0 is '2026-03-01T08:00:00', no time; without a time zone it needs --time-zone",
        ),
        ("soon", "is 'soon', no time"),
        (1.5, "time of row 0 is 1.5, no whole number of ms"),
        ("1.5", "is 1.5, no whole number"),
        (float("inf"), "no whole number"),
        (True, "holds Boolean, neither numbers of ms nor times"),
    ],
)
def test_what_is_no_instant_is_an_error_that_names_the_row(value, says):
    with pytest.raises(SettingsError, match="--label-time") as raised:
        times_of([value])
    assert says in str(raised.value)


def test_labels_of_a_device_come_by_time_with_the_rows_they_have_in_the_table():
    table = pl.DataFrame({"device_id": ["b", "a", None, "b", "a"], "time": [9, 5, 1, 3, None]})
    labels = Labels(table)
    found = {device: (one.rows.tolist(), one.times_ms.tolist()) for device, one in labels.by_device().items()}
    assert found == {"b": ([3, 0], [3, 9]), "a": ([1], [5])}
    assert labels.without == 2


def test_devices_may_be_numbers_but_not_fractions():
    assert list(Labels(pl.DataFrame({"device_id": [7], "time": [1]})).by_device()) == ["7"]
    with pytest.raises(SettingsError, match="--label-device: device_id holds Float64, not texts"):
        Labels(pl.DataFrame({"device_id": [7.0], "time": [1]}))


def test_a_column_that_is_not_there_is_an_error_that_names_those_that_are():
    with pytest.raises(SettingsError, match="--label-time: the labels have no column at; they have device_id, time"):
        Labels(pl.DataFrame({"device_id": ["d"], "time": [1]}), time="at")
