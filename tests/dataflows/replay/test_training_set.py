"""Features at labels are those of a live evaluation at that moment, and those of the plain way in between."""

import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from random import Random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataflows.pipeline.metrics import Metrics
from dataflows.replay import Replay
from dataflows.replay.labels import Labels
from dataflows.replay.training_processes import split_training_set
from dataflows.replay.training_set import TrainingSet, training_set
from dataflows.services.embedded import feature_service_of
from dataflows.services.feature_client import FeatureClient
from dataflows.services.own_means import OwnMeans
from dataflows.settings import RunSettings
from dataflows.simulated_fleet import SimulatedFleet
from grpc_services.python.server import start
from grpc_services.python.settings import ServerSettings
from runtime.errors import SettingsError
from tests.dataflows.logs import DEVICES, DrawnLog, drawn_logs
from tests.dataflows.replay.plain_windows import known_windows, means_of_events, records_by_device, true_window
from tests.reference import reference
from window_core import DEMO_SENSORS, Sensors, WindowSpec
from window_core.outputs import CAUSES, REASONS

DOOR = Sensors.of(["celsius", "door?"])
SMALL = str(Path(__file__).with_name("small.jsonl"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("training")


def logs(**options) -> st.SearchStrategy[DrawnLog]:
    """A file that begins so is refused as UTF-16."""
    return drawn_logs(goes_back=True, **options).filter(lambda log: not log.data.startswith(b"\xff\xfe"))


def replay_of(drawn: DrawnLog, folder: Path) -> Replay:
    log = folder / "events.jsonl"
    log.write_bytes(drawn.data)
    values = {"input": str(log), "sensors": drawn.sensors.declared, "until_ms": drawn.until_ms, **asdict(drawn.spec)}
    return Replay(RunSettings.of_replay_without_model(**values))


def trained(replay: Replay, labels: Sequence[tuple[str, int]], *, as_of: bool = False) -> TrainingSet:
    table = pl.DataFrame(labels, schema={"device_id": pl.String, "time": pl.Int64}, orient="row")
    return training_set(replay, Labels(table), OwnMeans(replay.settings.log.layout.sensors), as_of=as_of)


def features_of(found: TrainingSet) -> list[list[float] | None]:
    """Row by row."""
    rows = found.table.drop("device_id", "time").rows()
    return [None if row[0] is None else list(row) for row in rows]


@given(log=logs())
@settings(max_examples=60)
def test_each_evaluation_of_a_run_has_the_features_of_a_label_at_its_instant(log: DrawnLog, folder: Path):
    last: dict[tuple[str, int], list[float]] = {}  # of several at one instant, a label sees the last
    for device_id, outputs in reference(log.data, log.spec, log.until_ms).items():
        for line in map(json.loads, outputs.predictions):
            last[device_id, line["as_of_ms"]] = list(line["features"].values())
    assert features_of(trained(replay_of(log, folder), list(last))) == list(last.values())


@given(log=logs(sensors=(DEMO_SENSORS, DOOR)), random=st.randoms(use_true_random=False))
@settings(max_examples=50)
@pytest.mark.parametrize("as_of", [False, True])
def test_at_200_random_instants_features_are_those_of_the_plain_way(
    log: DrawnLog, random, as_of: bool, folder: Path
):  # 10,000 in all, each way
    replay = replay_of(log, folder)
    records = records_by_device(replay)
    times_ms = [ms for of_device in records.values() for one in of_device for ms in (one.arrival_ms, one.event.time_ms)]
    labels = [
        (random.choice(DEVICES), max(0, random.choice(times_ms or [0]) + random.randint(-60, 60))) for _ in range(200)
    ]
    expected: dict[tuple[str, int], list[float] | None] = {}
    for device_id, of_device in records.items():
        instants_ms = sorted(ms for device, ms in labels if device == device_id)
        windows = (
            ((ms, true_window(log.spec, of_device, ms)) for ms in instants_ms)
            if as_of
            else known_windows(log.spec, of_device, instants_ms)
        )
        expected |= {(device_id, ms): means_of_events(events) for ms, events in windows}
    found = trained(replay, labels, as_of=as_of)
    assert features_of(found) == [expected.get(label) for label in labels]
    assert sum(found.missing.values()) == sum(expected.get(label) is None for label in labels)


def test_the_windows_of_the_plain_way_differ_by_the_way_they_are_meant_to():
    spec = RunSettings.of(interval_ms=10_000).window.spec
    replay = Replay.of(SMALL, interval_ms=60_000)
    [records] = records_by_device(replay).values()
    at_ms = records[1].arrival_ms + 1
    [(_, known)] = known_windows(replay.spec, records, [at_ms])
    assert len(known) == 1
    assert len(true_window(replay.spec, records, at_ms)) == 2
    assert len(true_window(spec, records, at_ms)) == 1


@pytest.mark.parametrize("as_of", [False, True])
def test_a_service_gives_the_features_that_are_computed_without_one(as_of: bool, folder: Path):
    lines = [
        {"device_id": device, "time": time, "celsius": time / 7, "door": None if time % 3 else 1, "arrival": 10 + time}
        for time in range(40)
        for device in ("a", "b")
    ]
    log = folder / "plant.jsonl"
    log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    server = start(ServerSettings.of("features", port=0, sensors=DOOR.declared))
    values = {"input": str(log), "sensors": DOOR.declared, "interval_ms": 1, "batch_windows": 7}
    replay = Replay(RunSettings.of_replay_without_model(**values, features=server.address))
    labels = Labels(pl.DataFrame({"device_id": ["a", "b"] * 30, "time": range(60)}))
    with (
        feature_service_of(replay.settings) as address,
        closing(FeatureClient(address, replay.settings, Metrics())) as client,
    ):
        found = training_set(replay, labels, client, as_of=as_of)
    server.stop(0.0)
    own = training_set(replay, labels, OwnMeans(DOOR), as_of=as_of)
    assert found.table.equals(own.table)
    assert found.missing == own.missing
    assert found.refusal == own.refusal
    assert found.refusal is not None
    assert found.refusal.message == "door: no reading in the window"
    assert found.table["mean_celsius/v1"].dtype == pl.Float32
    assert 10 < found.table["mean_celsius/v1"].null_count() < 50


def test_columns_of_labels_are_kept_and_rows_without_features_are_counted_by_why():
    ms = 1_587_920_530_000
    table = pl.DataFrame(
        {
            "y": [1, 0, None, 1, 0],
            "asset": ["pump-7", "nobody", None, "pump-7", "pump-7"],
            "at": [ms, ms, ms, None, 5],
        }
    )
    labels = Labels(table, device="asset", time="at")
    found = training_set(Replay.of(SMALL), labels, OwnMeans(DEMO_SENSORS))
    assert found.table.select("y", "asset", "at").equals(table)
    assert found.table["sensor_1/v1"].to_list() == [2.0, None, None, None, None]
    assert found.missing == {"unknown device": 1, "no device or no time": 2, "no window at the time": 1}
    assert found.behind_the_end == 0


def test_a_label_behind_the_end_of_the_log_is_counted():
    found = trained(Replay.of(SMALL), [("pump-7", 1_587_920_530_000), ("pump-7", 1_587_920_530_001)])
    assert features_of(found)[0] == features_of(found)[1]
    assert found.behind_the_end == 1


def test_no_label_has_a_row_without_a_label():
    found = trained(Replay.of(SMALL), [])
    assert found.table.columns == ["device_id", "time", *(f"sensor_{number}/v1" for number in range(1, 5))]
    assert found.table.is_empty()


def test_a_label_column_with_the_name_of_a_feature_is_an_error():
    labels = Labels(pl.DataFrame({"device_id": ["d"], "time": [1], "sensor_2/v1": [0.5]}))
    with pytest.raises(SettingsError, match="named as a feature, sensor_2/v1"):
        training_set(Replay.of(SMALL), labels, OwnMeans(DEMO_SENSORS))


def test_at_10_000_random_instants_of_a_log_with_every_rule_features_are_those_of_the_run(folder: Path):
    spec = WindowSpec(3_600_000, 60_000, 600_000, 1_200_000, 300_000, 25)
    fleet = SimulatedFleet(devices=40, duration_ms=6 * 3_600_000, interval_ms=spec.interval_ms, late=0.1, too_late=0.02)
    random, lines = Random(16), []
    for event, ms in fleet.logged_events():
        is_silent = ms % 7_200_000 < 1_800_000 and event.device_id.endswith("7")  # until the device is forgotten
        lines += [] if is_silent else [fleet.codec.encoded(event, ms)]
        lines += [b'{"device_id":7}'] if random.random() < 0.01 else []
    log = folder / "every-rule.jsonl"
    log.write_bytes(b"\n".join(lines))
    outputs = reference(log.read_bytes(), spec)
    rejected = [json.loads(line)["reason"] for of_device in outputs.values() for line in of_device.rejected]
    assert {*rejected} == {*REASONS} - {"REFUSED"}
    evaluations = [json.loads(line) for of_device in outputs.values() for line in of_device.predictions]
    assert {evaluation["cause"] for evaluation in evaluations} == {*CAUSES}
    assert len({evaluation["evaluation_id"].rpartition("/")[0] for evaluation in evaluations}) > fleet.devices
    live = {(one["device_id"], one["as_of_ms"]): list(one["features"].values()) for one in evaluations}
    labels = random.sample(sorted(live), 10_000)
    found = trained(Replay.of(str(log), **asdict(spec)), labels)
    assert features_of(found) == [live[label] for label in labels]


def test_processes_share_the_devices_and_give_the_same(folder: Path):
    log = folder / "fleet.jsonl"
    fleet = SimulatedFleet(devices=9, duration_ms=2 * 3_600_000)
    log.write_bytes(b"".join(fleet.codec.encoded(event, ms) + b"\n" for event, ms in fleet.logged_events()))
    table = pl.read_ndjson(log).select("device_id", "arrival").sample(500, seed=1)
    ends = {"device_id": ["nobody", None, "device-0001"], "arrival": [5, 5, 10**13]}
    labels = Labels(pl.concat([table, pl.DataFrame(ends)]), time="arrival")
    alone = training_set(Replay.of(str(log)), labels, OwnMeans(DEMO_SENSORS))
    split = split_training_set(Replay.of(str(log)), labels, 2)
    assert split.table.equals(alone.table)
    assert (split.missing, split.behind_the_end) == (alone.missing, 1)
    assert alone.missing["unknown device"] == alone.missing["no device or no time"] == 1


def test_what_a_process_meets_is_told_as_if_there_were_one(folder: Path):
    log = folder / "seconds.jsonl"
    log.write_text('{"device_id":"a","time":1587920530,"sensor1":1,"sensor2":1,"sensor3":1,"sensor4":1}\n')
    replay = Replay.of(str(log))
    split_training_set(replay, Labels(pl.DataFrame({"device_id": ["a"], "time": [1587920530]})), 2)
    assert "these are seconds" in replay.metrics.warnings["January 1970"]
    taken = Labels(pl.DataFrame({"device_id": ["a"], "time": [5], "sensor_1/v1": [0.5]}))
    with pytest.raises(SettingsError, match="named as a feature"):
        split_training_set(replay, taken, 2)
