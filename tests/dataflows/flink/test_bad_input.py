"""What cannot run on Flink is said in one line, at once, with exit status 2."""

import os
from pathlib import Path

import pytest

from dataflows.flink_job import installation
from dataflows.flink_job.installation import CONNECTOR, JAR, check_installation, jars
from dataflows.kafka_broker.broker import Broker
from runtime.errors import SettingsError
from tests.dataflows.commands import latecomer_here, one_line, sample_log
from tests.dataflows.connectors.kafka.topics import USER, Topics

pytestmark = pytest.mark.usefixtures("has_flink")

SERVICES = ("--features", "127.0.0.1:1", "--inference", "127.0.0.1:1")


def refused(folder: Path, *options: str) -> str:
    done = latecomer_here("run", *SERVICES, *options, cwd=folder)
    assert done.returncode == 2, done
    return one_line(done.stderr)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--engine", "bytewax"), "--delivery exactly-once needs --engine flink"),
        (("--engine", "flink"), "--delivery exactly-once needs --state"),
        (("--engine", "flink", "--state", "s", "--epoch", "6m"), "--epoch must be at most 5m with --delivery exactly-"),
        (("--engine", "flink", "--input", "events.jsonl"), "--delivery exactly-once is for Kafka"),
    ],
)
def test_exactly_once_needs_what_it_is_made_of(
    options: tuple[str, ...], says: str, topics: Topics, tmp_path: Path
) -> None:
    log = topics.made(message_timestamp_type="LogAppendTime")
    places = ("--input", log, "--output", topics.made(), "--rejections", topics.made())
    assert says in refused(tmp_path, *places, "--bounded", "--delivery", "exactly-once", *options)


def test_a_missing_topic_is_named_with_the_command_that_makes_it(topics: Topics, tmp_path: Path) -> None:
    missing, there, other = f"kafka://{topics.address}/missing", topics.made(), topics.made()
    for places in ((missing, there, other), (there, missing, other), (there, other, missing)):
        options = zip(("--input", "--output", "--rejections"), places, strict=True)
        line = refused(tmp_path, "--engine", "flink", *(text for option in options for text in option))
        assert "there is no such topic; create it with kafka-topics.sh" in line


def test_a_wrong_password_is_said_at_once_and_never_shown(broker: Broker, topics: Topics, tmp_path: Path) -> None:
    assert broker.secured_address is not None
    (tmp_path / "p").write_text(
        f"security.protocol=SASL_PLAINTEXT\nsasl.mechanisms=PLAIN\nsasl.username={USER}\nsasl.password=wrong word\n"
    )
    log, output, rejections = (topics.made().replace(topics.address, broker.secured_address) for _ in range(3))
    places = ("--input", log, "--output", output, "--rejections", rejections)
    line = refused(tmp_path, "--engine", "flink", *places, "--kafka-properties", "p")
    assert "authentication failed, see --kafka-properties" in line
    assert "wrong word" not in line


@pytest.mark.parametrize(
    ("printed", "says"),
    [
        ('openjdk version "11.0.25" 2024-10-15', "is version 11"),
        ('java version "1.8.0_421"', "is version 8"),
        ('openjdk version "25" 2025-09-16', "is version 25"),
        ("it cannot start", "is version unknown"),
        (None, "there is none on the PATH or in JAVA_HOME"),
    ],
)
def test_a_java_that_flink_does_not_run_on_is_refused(
    printed: str | None, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if printed is not None:
        java = tmp_path / "java"
        java.write_text(f"#!/bin/sh\necho '{printed}' >&2\n")
        java.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    (tmp_path / "events.jsonl").touch()
    line = refused(tmp_path, "--engine", "flink", "--input", "events.jsonl", "--output", "p.jsonl")
    assert says in line
    assert "--engine flink needs Java 17" in line


def test_a_missing_jar_is_named_with_the_command_that_brings_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = jars()
    monkeypatch.setattr(installation, "_FOLDER", tmp_path)
    for jar in (CONNECTOR, JAR):
        for other in before:
            (tmp_path / other.name).unlink(missing_ok=True)
            if other.name != jar:
                os.link(other, tmp_path / other.name)
        with pytest.raises(SettingsError, match=rf"{jar} is missing: build it with `mvn -f .*pom.xml package`"):
            check_installation()


def test_services_for_other_sensors_end_a_run_before_its_first_event(
    features_address: str, inference_address: str, tmp_path: Path
) -> None:
    (tmp_path / "events.jsonl").write_bytes(sample_log(devices=2, hours=1))
    services = ("--features", features_address, "--inference", inference_address)
    places = ("--input", "events.jsonl", "--output", "p.jsonl")
    done = latecomer_here(
        "run", "--engine", "flink", "--quiet", *services, *places, "--sensors", "sensor1,sensor2?", cwd=tmp_path
    )
    assert done.returncode == 1
    assert "; the sensors of this run are sensor1, sensor2?: see --sensors" in one_line(done.stderr)
    assert not (tmp_path / "p.jsonl").exists()
