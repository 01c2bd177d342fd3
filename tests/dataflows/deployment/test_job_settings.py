"""The environment of a job becomes its settings, or one line that names what is wrong."""

from pathlib import Path

import pytest

from dataflows.deployment.job_settings import checked_settings, variable_of
from dataflows.settings import RunSettings
from runtime.errors import SettingsError

PREFIX = "LATECOMER_RUN_"
COMPLETE = {
    "INPUT": "kafka://kafka:9092/events",
    "OUTPUT": "kafka://kafka:9092/predictions",
    "REJECTIONS": "kafka://kafka:9092/rejections",
    "FEATURES": "features:10001",
    "INFERENCE": "inference:10011",
}


def settings(**values: str | None) -> RunSettings:
    """Those of a complete environment with some values in place of others; ``None`` is none."""
    given = {**COMPLETE, **values}
    return checked_settings({PREFIX + name: value for name, value in given.items() if value is not None})


def refused(**values: str | None) -> str:
    with pytest.raises(SettingsError) as error:
        settings(**values)
    line = str(error.value)
    assert "\n" not in line
    return line


@pytest.mark.parametrize("name", ["batch-wait", "--batch-wait", "batch_wait", "LATECOMER_RUN_BATCH_WAIT", "Batch-Wait"])
def test_a_setting_may_be_named_as_its_option_or_its_variable(name: str) -> None:
    assert variable_of(name) == "LATECOMER_RUN_BATCH_WAIT"


@pytest.mark.parametrize("name", ["tock", "", "LATECOMER_SERVE_PORT", "engine_"])
def test_a_name_of_no_setting_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match=f"^--set {name}: "):
        variable_of(name)


def test_each_variable_is_read_as_its_option() -> None:
    found = settings(TICK="1m30s", MAX_EVENTS="7", BOUNDED="true", RPC="stream")
    assert (found.window.tick_ms, found.window.max_events, found.log.bounded) == (90_000, 7, True)
    assert (found.calls.rpc, found.calls.features, found.engine) == ("stream", "features:10001", "flink")


@pytest.mark.parametrize(("value", "is_on"), [("1", True), ("yes", True), ("false", False), ("0", False)])
def test_a_switch_is_on_or_off(value: str, is_on: bool) -> None:
    assert settings(BOUNDED=value).log.bounded is is_on


def test_what_is_no_setting_of_a_run_may_stand_beside_them() -> None:
    others = {"JAVA_OPTS": "-Xmx1g", "LATECOMER_SERVE_PORT": "1"}
    assert checked_settings({PREFIX + name: value for name, value in COMPLETE.items()} | others) == settings()


def test_what_is_set_on_this_machine_is_not_the_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TICK", "TOCK", "CONFIG"):
        monkeypatch.setenv(PREFIX + name, "never")
    assert settings().window.tick_ms == RunSettings().window.tick_ms


def test_a_file_of_this_machine_gives_a_job_no_settings(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text('tick = "1m"')
    assert "LATECOMER_RUN_CONFIG" in refused(CONFIG=str(tmp_path / "settings.toml"))
    with pytest.raises(SettingsError, match=r"^--set config: "):
        variable_of("config")


def test_a_variable_of_no_setting_is_named() -> None:
    assert "LATECOMER_RUN_TOCK" in refused(TOCK="1m")


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("TICK", "soon", "'soon' is not a duration"),
        ("BOUNDED", "perhaps", "--bounded"),
        ("MAX_EVENTS", "0", "--max-events"),
        ("INPUT", "events.jsonl", "--input"),
        ("INPUT", None, "--input"),
        ("OUTPUT", "-", "--output"),
        ("OUTPUT", "kafka://kafka/a", "--output"),
        ("REJECTIONS", None, "--rejections"),
        ("FEATURES", None, "--features"),
        ("INFERENCE", None, "--inference"),
        ("STATE", "/state", "--state"),
        ("HEARTBEAT", "5s", "--heartbeat"),
        ("AMEND", "amendments.jsonl", "--amend is for runs on one machine"),
    ],
)
def test_what_is_wrong_or_makes_no_sense_on_a_cluster_is_named(name: str, value: str | None, says: str) -> None:
    assert says in refused(**{name: value})


def test_files_of_schemas_have_to_be_in_the_pods() -> None:
    message = {"FORMAT": "protobuf", "MESSAGE": "Reading"}
    assert settings(**message, PROTO="/etc/latecomer/kafka/plant.binpb").log.message == "Reading"
    for given in (
        {**message, "PROTO": "plant.proto"},
        {"FORMAT": "avro", "SCHEMA": "plant.avsc"},
        {"SCHEMA_REGISTRY": "http://registry:8081", "REGISTRY_PROPERTIES": "registry.properties"},
    ):
        assert "is not in the job's pods; put it into the Secret latecomer-kafka of" in refused(**given)
