"""A replay gives what a run writes, byte for byte: here, what the plain reference says that it has to write."""

from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataflows.pipeline.record import OutputRecord
from dataflows.replay import Replay
from dataflows.services.client import Services
from dataflows.settings import RunSettings
from runtime.errors import SettingsError
from tests.dataflows.logs import DrawnLog, drawn_logs
from tests.reference import first_difference, read_outputs, reference

SMALL = str(Path(__file__).with_name("small.jsonl"))
UTF_16 = b"\xff\xfe"  # a file that begins with it is refused as a whole
DEMO_LOGS = drawn_logs().filter(lambda log: not log.data.startswith(UTF_16))


@pytest.fixture(scope="module")
def services(features_address: str, inference_address: str) -> Services:
    return Services(features_address, inference_address)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("replay")


def replay_of(drawn: DrawnLog, services: Services, folder: Path, devices: frozenset[str] = frozenset()) -> Replay:
    log = folder / "events.jsonl"
    log.write_bytes(drawn.data)
    numbers = asdict(drawn.spec)
    return Replay.of(str(log), devices=devices, until_ms=drawn.until_ms, **services._asdict(), **numbers)


def written(records: list[OutputRecord], folder: Path) -> dict:
    """The records as a run would have written them, read again."""
    paths = {kind: folder / f"{kind}.jsonl" for kind in ("predictions", "rejections")}
    for kind, path in paths.items():
        path.write_bytes(b"".join(record.value + b"\n" for record in records if record.kind == kind))
    return read_outputs(**paths)


@given(log=DEMO_LOGS)
@settings(max_examples=30)
def test_a_replay_gives_what_a_run_has_to_write(log: DrawnLog, services: Services, folder: Path):
    replay = replay_of(log, services, folder)
    with replay.asking() as client:
        outputs = written(list(replay.records(client)), folder)
    assert first_difference(reference(log.data, log.spec, log.until_ms), outputs) == ""


@given(log=DEMO_LOGS, data=st.data())
@settings(max_examples=20)
def test_some_devices_have_the_outputs_that_they_have_among_all(
    log: DrawnLog, data: st.DataObject, services: Services, folder: Path
):
    devices = frozenset(data.draw(st.sets(st.sampled_from(sorted(log.devices)), min_size=1)))
    replay = replay_of(log, services, folder, devices)
    with replay.asking() as client:
        outputs = written(list(replay.records(client)), folder)
    expected = reference(log.data, log.spec, log.until_ms)
    wanted = {device: sequences for device, sequences in expected.items() if device in devices}  # INVALID is of none
    assert first_difference(wanted, outputs) == ""


def test_tables_have_a_column_for_each_feature_and_result(services: Services):
    predictions, rejections = Replay.of(SMALL, **services._asdict()).tables()
    assert predictions["sensor_1/v1"].to_list() == [1.0, 1.5, 2.0]
    assert predictions["logistic_regression_result"].is_between(0.5, 0.6).all()
    assert predictions["event_time"].dt.epoch("ms").to_list() == [1587920400000, 1587920520000, 1587920460000]
    assert rejections.is_empty()


def test_a_log_that_is_not_there_is_an_error():
    with pytest.raises(SettingsError, match=r"--input nowhere.jsonl does not exist"):
        Replay.of("nowhere.jsonl")


def test_standard_input_cannot_be_replayed():
    with pytest.raises(SettingsError, match="cannot be read a second time"):
        Replay(RunSettings.of(input="-"))
