"""The page about a user's own events does what it says, block by block."""

import json
import re
import shlex
import subprocess
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fastavro import schemaless_writer
from fastavro.schema import load_schema

from dataflows.settings import BrokerSettings, LogSettings
from tests.conftest import ROOT
from tests.dataflows.commands import latecomer

if TYPE_CHECKING:
    from tests.dataflows.connectors.kafka.registry import Registry
    from tests.dataflows.connectors.kafka.topics import Topics

PAGE = (ROOT / "docs" / "events.md").read_text()
FILES = re.findall(
    r"^`(\S+\.(?:jsonl|json|toml|csv|proto|avsc))`:\n\n```\w+\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE
)
BLOCKS = re.findall(r"^```sh\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    here = tmp_path_factory.mktemp("page")
    for name, text in FILES:
        (here / name).write_text(text)
    return here


@pytest.mark.parametrize(
    ("number", "times", "says"),
    [
        (0, [1_772_352_000_000, 1_772_352_120_000], "INVALID, most often (1): wrong_type in at.ts; the first is 0/2"),
        (1, [1_772_352_000_000, 1_772_352_120_000, 1_772_348_640_000], "rejections      0"),
        (2, None, "evaluations"),
        (3, [1_772_352_000_000, 1_772_352_120_000], "rejections      0"),
    ],
)
def test_a_block_reads_the_events_as_the_page_says(
    folder: Path, number: int, times: list[int] | None, says: str
) -> None:
    said = run(folder, BLOCKS[number])
    assert says in said
    if times is not None:
        assert event_times(folder) == times


def event_times(folder: Path) -> list[int]:
    predictions = map(json.loads, (folder / "predictions.jsonl").read_text().splitlines())
    return [prediction["event_ms"] for prediction in predictions if prediction["cause"] != "tick"]


def run(folder: Path, block: str) -> str:
    """What the commands of a block print."""
    said = ""
    for line in block.replace("\\\n", "").splitlines():
        words = shlex.split(line)
        if words[0] == "./latecomer":
            finished = latecomer(*words[1:], cwd=folder)
            said += finished.stdout.decode()
        else:
            finished = subprocess.run(words, cwd=folder, capture_output=True, check=False)
        assert finished.returncode == 0, finished.stderr
    return said


def test_a_block_reads_messages_as_the_page_says(folder: Path, topics: "Topics") -> None:
    from dataflows.connectors.schemas import opened_schema

    log = topics.made()
    settings = {"fields": ("device_id=asset", "time=at"), "sensors": ("celsius", "bar", "door?")}
    proto = {"proto": str(folder / "plant.proto"), "message": "Reading"}
    read = LogSettings(input=log, format="protobuf", **proto, **settings)
    schema: Any = opened_schema(read, BrokerSettings(), pytest.fail)
    reading = schema.message_class()(asset="pump-7", at={"seconds": 1_772_352_000}, celsius=20.5, bar=3.1, door=1)
    run_on_topic(folder, topics, log, BLOCKS[4], reading.SerializeToString())


def test_a_block_reads_avro_as_the_page_says(folder: Path, topics: "Topics") -> None:
    run_on_topic(folder, topics, topics.made(), BLOCKS[5], avro_reading(folder))


def test_a_block_reads_by_a_registry_as_the_page_says(folder: Path, topics: "Topics", registry: "Registry") -> None:
    schema_id = registry.register("of-the-page", "AVRO", (folder / "plant.avsc").read_text())
    block = BLOCKS[6].replace("http://localhost:8080/apis/ccompat/v7", registry.url)
    run_on_topic(folder, topics, topics.made(), block, b"\0" + schema_id.to_bytes(4) + avro_reading(folder))


def avro_reading(folder: Path) -> bytes:
    reading = {"asset": "pump-7", "at": 1_772_352_000_000, "celsius": 20.5, "bar": 3.1, "door": 1.0}
    target = BytesIO()
    schemaless_writer(target, load_schema(folder / "plant.avsc"), reading)
    return target.getvalue()


def run_on_topic(folder: Path, topics: "Topics", log: str, block: str, value: bytes) -> None:
    topics.fill(log, [(b"pump-7", value, 1_772_352_000_000)])
    said = run(folder, block.replace("kafka://localhost:9092/readings", log))
    assert "rejections      0" in said
    assert event_times(folder) == [1_772_352_000_000]


def test_every_block_is_run() -> None:
    assert len(BLOCKS) == 7
