"""Topics whose values have a schema: the same outputs as of the same events in JSON."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from dataflows.connectors.schema_registry import RegistryError
from dataflows.pipeline.first_records import InputError
from runtime.errors import SettingsError
from tests.dataflows.commands import latecomer, one_line
from tests.dataflows.connectors.kafka.formats import LINES, Form, as_avro, as_messages, registered, valued
from tests.dataflows.connectors.kafka.kafka_pipelines import KafkaPipelines, without_positions
from tests.dataflows.connectors.kafka.logs import SPEC, START_MS
from tests.dataflows.connectors.kafka.registry import Registry
from tests.dataflows.connectors.kafka.topics import Topics, records_of
from tests.dataflows.connectors.registry_server import registry_server
from tests.reference import reference


@pytest.mark.parametrize("form", [as_messages, as_avro])
def test_values_with_a_schema_give_what_json_gives(
    topics: Topics, kafka_pipelines: KafkaPipelines, tmp_path: Path, form: Callable[[Path], Form]
) -> None:
    options, encoded = form(tmp_path)
    log = topics.made(2)
    topics.fill(log, valued(LINES, encoded))
    actual = kafka_pipelines.run(log, SPEC, **options)
    assert without_positions(actual) == without_positions(reference(LINES, SPEC))


@pytest.mark.parametrize("event_format", ["json", "avro", "protobuf"])
def test_values_by_a_schema_in_a_registry_give_what_json_gives(
    topics: Topics, kafka_pipelines: KafkaPipelines, registry: Registry, tmp_path: Path, event_format: str
) -> None:
    options, encoded = registered(registry, event_format, tmp_path)
    log = topics.made(2)
    unknown = (b"device-1", b"\0\0\1\0\0" + b"x", START_MS)
    topics.fill(log, [unknown, *valued(LINES, encoded)])
    actual = kafka_pipelines.run(log, SPEC, **options)
    [rejection] = map(json.loads, actual.pop(None).rejected)
    assert (rejection["error"], rejection["field"]) == ("not_an_event", "schema_id")
    assert without_positions(actual) == without_positions(reference(LINES, SPEC))


def test_records_need_no_key_where_keys_are_ignored(topics: Topics, kafka_pipelines: KafkaPipelines) -> None:
    log = topics.made()
    records = records_of(LINES)
    topics.fill(log, [(b"line 7" if number % 2 else None, *rest) for number, (_, *rest) in enumerate(records)])
    output, rejections = topics.made(), topics.made()
    actual = kafka_pipelines.run(log, SPEC, output=output, rejections=rejections, key="ignore")
    assert without_positions(actual) == without_positions(reference(LINES, SPEC))
    for message in topics.records(output):
        assert (message.key() or b"").decode() == json.loads(message.value() or b"")["device_id"]


def test_a_registry_that_goes_away_ends_the_run_and_the_next_one_skips_nothing(
    topics: Topics, kafka_pipelines: KafkaPipelines, tmp_path: Path
) -> None:
    encoded = as_avro(tmp_path)[1]
    log, output, rejections = topics.made(), topics.made(), topics.made()
    topics.fill(log, valued(LINES, lambda event: b"\0\0\0\0\7" + encoded(event)))
    state = tmp_path / "state"
    with registry_server() as server:
        options = {"schema_registry": server.url, "format": "avro", "fields": ("device_id=asset", "time=at.stamp")}
        server.next_answers = [(200, ["AVRO"]), *[(503, b"")] * 20]
        with pytest.raises(RegistryError, match="answered 503; waited 500ms"):
            kafka_pipelines.run_only(
                log, SPEC, output, rejections, folder=str(state), wait_for_broker_ms=500, **options
            )
        server.next_answers = []
        server.add(7, (tmp_path / "plant.avsc").read_text())
        kafka_pipelines.run_only(log, SPEC, output, rejections, folder=str(state), **options)
    actual = kafka_pipelines.outputs(output, rejections)
    assert without_positions(actual) == without_positions(reference(LINES, SPEC))


def test_a_wrong_registry_is_one_line(
    topics: Topics, kafka_pipelines: KafkaPipelines, registry: Registry, tmp_path: Path
) -> None:
    log = topics.made()
    with pytest.raises(SettingsError, match=r"there is no registry under this path; Apicurio's has /apis/ccompat/v7"):
        kafka_pipelines.run(log, SPEC, schema_registry=registry.url.removesuffix("/apis/ccompat/v7"))
    with registry_server() as gone:
        pass
    options = ["--input", log, "--bounded", "--output", "x", "--schema-registry", gone.url, "--wait-for-broker", "0"]
    done = latecomer("run", *options, cwd=tmp_path)
    assert done.returncode == 1
    assert one_line(done.stderr).startswith(f"latecomer: the schema registry at {gone.url} does not answer: ")


def test_a_topic_in_another_framing_is_told_with_the_option_that_fits(
    topics: Topics, kafka_pipelines: KafkaPipelines, registry: Registry
) -> None:
    framed, plain = topics.made(), topics.made()
    records = valued(LINES, lambda event: json.dumps(event).encode())
    records = (records * (1_000 // len(records) + 1))[:1_000]
    topics.fill(plain, records)
    topics.fill(framed, [(key, b"\0\x7f\0\0\1" + (value or b""), at_ms) for key, value, at_ms in records])
    for log, options, says in (
        (framed, {}, "it begins as a schema registry frames values; give --schema-registry"),
        (plain, {"schema_registry": registry.url}, "it does not begin as a schema registry frames values; leave "),
        (framed, {"schema_registry": registry.url, "format": "avro"}, "the registry has no schema 2130706433"),
    ):
        with pytest.raises(InputError, match=says):
            kafka_pipelines.run(log, SPEC, **options)
